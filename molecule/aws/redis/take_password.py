# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the Redis the AUTH tokens of the emulated replication group: the emulator's hook.

Usage: take_password.py DIRECTORY ADDRESS PORT TOKENS_FILE

TOKENS_FILE is {"replication_group": ..., "tokens": [...]}: two tokens after a rotation, and both are good, as at ElastiCache;
an empty one where connections without any are good too; none where there is no group any more, and the Redis keeps its password.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def main(directory: Path, address: str, port: str, tokens_file: Path) -> None:
    tokens = json.loads(tokens_file.read_text())["tokens"]
    if not tokens:
        return
    password = directory / "password"
    good = "nopass" if "" in tokens else " ".join(f">{token}" for token in tokens)
    # By standard input and environment: no password is on a command line.
    subprocess.run(
        ["redis-cli", "--tls", "--cacert", str(directory / "ca.pem"), "-h", address, "-p", port, "-e"],
        input=f"ACL SETUSER default resetpass {good}\n",
        env={**os.environ, "REDISCLI_AUTH": password.read_text().strip()},
        text=True,
        check=True,
    )
    password.write_text(tokens[-1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:4], Path(sys.argv[4]))
