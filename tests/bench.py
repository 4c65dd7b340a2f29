# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures: the load generator's lateness, and on a cluster of its own wall time of a first and a second site.yml, and memory.

The caches have to be warm (run site.yml once before), or the first figure is the time of a build.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import multiprocessing.connection
import os
import re
import subprocess
import sys
import time

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEAD_FAILURE = os.path.join(PROJECT, "plugins/module_utils/_head_failure")
sys.path.insert(0, HEAD_FAILURE)

from generator.lines import FIELDS, unpack  # noqa: E402

#: Seconds that the same steps took by a bare script, on two cores, when nothing else ran.
BARE_SCRIPT_SECONDS = 81
VALUES = {"local_cluster_name": "bench", "local_cluster_network": "10.252.0.0/24", "head_failure_check_run": "never"}


def playbook(name: str) -> tuple[float, str]:
    """Run a playbook; returns its seconds and its output."""
    start = time.monotonic()
    result = subprocess.run(
        ["ansible-playbook", name, "--extra-vars", json.dumps(VALUES)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        sys.exit(f"{name} failed:\n{result.stdout[-5000:]}")
    return time.monotonic() - start, result.stdout


def available_memory() -> float:
    """Memory that could be used without swapping, in GB (10^9 bytes)."""
    with open("/proc/meminfo", encoding="utf-8") as file:
        return int(re.search(r"MemAvailable:\s+(\d+) kB", file.read()).group(1)) * 1024 / 1e9


class Answering(asyncio.Protocol):
    """A web server's side of a connection, as fast as Python can be."""

    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        *requests, self.data = (self.data + data).split(b"\r\n\r\n")
        for request in requests:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
            if b"Connection: close" in request:
                self.transport.close()


def serve(port: multiprocessing.connection.Connection) -> None:
    """Answer requests on a port of this machine, which is told, until the process is ended."""

    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=1024)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


def generate(port: int, rate: int, seconds: int, connection: str) -> str:
    """Run the load generator as a pod does, and say how it fared."""
    entry = {"name": "bench", "path": "/", "method": "GET", "body": None, "stream": False, "rate": rate, "users": None}
    entry |= {"think_seconds": 1, "connection": connection, "request_timeout": 5, "max_gap_seconds": 5}
    arguments = ["--url", f"http://127.0.0.1:{port}", "--seconds", str(seconds), "--load", json.dumps([entry])]
    command = [sys.executable, "-m", "generator.run", *arguments]
    output = subprocess.run(command, cwd=HEAD_FAILURE, stdout=subprocess.PIPE, check=True).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    rows = [dict(zip(FIELDS, row, strict=True)) for line in lines if "rows" in line for row in unpack(line["rows"])]
    late, cpu = sorted(row["late"] for row in rows), sorted(line["cpu"] for line in lines if "cpu" in line)
    failed = sum(row["status"] != 200 for row in rows)
    return (
        f"load generator at {rate} req/s, {connection} connections: {len(rows)} requests in {seconds} s, {failed} failed, "
        f"sent {at(late, 0.5):.2f} ms late (median), {at(late, 0.99):.2f} ms (p99); "
        f"{at(cpu, 0.5):.0%} of a processor (median), {cpu[-1]:.0%} at most"
    )


def at(ordered: list[float], share: float) -> float:
    return ordered[int(len(ordered) * share)]


def load_generator() -> None:
    """Its lateness and its processor, against a server in another process."""
    receiver, sender = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(sender,), daemon=True)
    server.start()
    port = receiver.recv()
    for rate, connection in ((50, "new"), (1000, "new"), (1000, "kept")):
        print(generate(port, rate, 10, connection), flush=True)
    print("aim: under 5 ms (p99), and half a processor at 1000 req/s", flush=True)
    server.terminate()


def main() -> None:
    load_generator()
    playbook("teardown.yml")
    before = available_memory()
    first, _output = playbook("site.yml")
    ratio = first / BARE_SCRIPT_SECONDS
    print(
        f"site.yml, warm, to serving: {first:.0f} s, {ratio:.2f} x the bare script's {BARE_SCRIPT_SECONDS} s; aim: 2.0 x"
    )
    print(f"memory of the whole stack: {before - available_memory():.1f} GB; aim: under 6 GB", flush=True)
    second, output = playbook("site.yml")
    changed = re.search(r"changed=(\d+)", output).group(1)
    print(
        f"site.yml again: changed={changed}, {second:.0f} s ({second / first:.2f} x the first run); aim: 30 s",
        flush=True,
    )
    third, _output = playbook("teardown.yml")
    print(f"teardown.yml: {third:.0f} s")


if __name__ == "__main__":
    main()
