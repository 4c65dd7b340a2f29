# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start ministack and the proxy before it; end both on SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from pathlib import Path

from emulator import certificate, config
from emulator.backend import HOST, Backend
from emulator.control import Control
from emulator.faults import Faults
from emulator.gateway import Gateway
from emulator.journal import Journal
from emulator.server import serve
from emulator.tokens import TokenFiles
from emulator.users import make_users
from emulator.world import World


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--state", type=Path, required=True, help="folder for logs, credentials and tokens")
    parser.add_argument("--config", type=Path, help="JSON file; README.md has the settings")
    parser.add_argument(
        "--listen",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="another address to serve on, e.g. of a bridge; may be given again",
    )
    parser.add_argument(
        "--tls-port",
        type=int,
        default=0,
        help="serve /_emulator/ (for the token review) over HTTPS too, on every address",
    )
    return parser.parse_args()


def main() -> None:
    args = arguments()
    # The clients' settings are in the same environment, and name a profile and an endpoint that are yet to be.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    state: Path = args.state.resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = config.load(args.config)
    backend = Backend(state, settings["account"], settings["region"])
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        backend.wait_started()
        world = World(settings, backend)
        tokens = TokenFiles(state / "auth_tokens", settings["elasticache"]["auth_hook"])
        world.tokens_changed = tokens.changed
        gateway = Gateway(world, backend, Journal(state / "calls.jsonl"), Faults())

        def prepare() -> None:
            make_users(world, state / "credentials")

        prepare()
        control = Control(gateway, prepare)
        addresses = [HOST, *args.listen]
        pair = certificate.make(state, addresses) if args.tls_port else None
        for address in addresses:
            serve(gateway, control, address, args.port)
            if pair:
                serve(gateway, control, address, args.tls_port, pair)
        ready = {
            "endpoint": f"http://{HOST}:{args.port}",
            "pid": os.getpid(),
            "credentials": str(state / "credentials"),
        }
        (state / "ready.json").write_text(json.dumps(ready))
        print(json.dumps(ready), flush=True)
        while not stopped.wait(0.2):
            with gateway.lock:
                world.timeline.settle()
    finally:
        (state / "ready.json").unlink(missing_ok=True)
        backend.stop()


if __name__ == "__main__":
    main()
