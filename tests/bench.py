# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures, on a cluster of its own: wall time of a first and a second site.yml, memory, the load generator's lateness.

The caches have to be warm (run site.yml once before), or the first figure is the time of a build.
"""

from __future__ import annotations

import asyncio
import json
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


async def answer(reader, writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
    await writer.drain()
    writer.close()


async def lateness(rate: int, seconds: int) -> tuple[float, float]:
    """Median and 99th percentile, in ms, of how late requests were really sent, against a server in this process."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    entry = {"name": "bench", "path": "/", "method": "GET", "body": None, "stream": False, "rate": rate, "users": None}
    entry |= {"think_seconds": 1, "connection": "new", "request_timeout": 5, "max_gap_seconds": 5}
    arguments = ["--url", f"http://127.0.0.1:{port}", "--seconds", str(seconds), "--load", json.dumps([entry])]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "generator.run", *arguments, cwd=HEAD_FAILURE, stdout=asyncio.subprocess.PIPE
    )
    output, _errors = await process.communicate()
    server.close()
    lines = [json.loads(line) for line in output.splitlines()]
    late = sorted(row[FIELDS.index("late")] for line in lines if "rows" in line for row in unpack(line["rows"]))
    return late[len(late) // 2], late[int(len(late) * 0.99)]


def main() -> None:
    median, p99 = asyncio.run(lateness(50, 20))
    print(
        f"load generator at 50 req/s: sends {median:.2f} ms late (median), {p99:.2f} ms (p99); aim: under 5 ms",
        flush=True,
    )

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
