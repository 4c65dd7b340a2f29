# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command and kill it, with everything that it has started and that has not detached itself.

Usage: killed_run.py [--at REGULAR_EXPRESSION] [--count N] [--seconds S] [--interrupt | --alone] COMMAND...

It is killed S seconds (0) after the N-th (first) line of its output that matches (the header of a task). With --interrupt it
is sent a SIGINT instead, and has to end by itself, with all that it has started. With --alone nothing but itself is killed, and what
it has started has to end by itself. Ends with 0 when it was killed there, with 2 when it ended well before, with 1 when it failed
before.
"""

from __future__ import annotations

import argparse
import glob
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

TASK_HEADER = r"^TASK \["
GONE_SECONDS = 10.0
# For what is interrupted to clean up.
END_SECONDS = 60.0


def parse_stat(text: str) -> tuple[int, str, int]:
    """(process id, state, parent's process id) of a line of /proc/PID/stat; a program's name may hold spaces and brackets."""
    pid, rest = text.split(" (", 1)
    state, parent = rest.rsplit(") ", 1)[1].split()[:2]
    return int(pid), state, int(parent)


def living() -> dict[int, int]:
    """Process id → parent's process id of every process that has not ended."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                pid, state, parent = parse_stat(file.read())
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
        if state not in "ZX":
            found[pid] = parent
    return found


def tree(root: int, parents: dict[int, int]) -> set[int]:
    """C(root) and all its descendants; C(parents) as of :func:`living`."""
    found = {root} & parents.keys()
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # ended by itself


def kill_tree(root: int) -> set[int]:
    """Kill a process and its descendants, in whatever sessions they are; return them when they are gone.

    They are stopped first, until no new one is found: a child whose parent dies is nobody's descendant any more.

    Raises:
        TimeoutError: one does not end (it is stuck in the kernel).
    """
    stopped: set[int] = set()
    while new := tree(root, living()) - stopped:
        send(new, signal.SIGSTOP)
        stopped |= new
    send(stopped, signal.SIGKILL)
    await_end(stopped, GONE_SECONDS)
    return stopped


def end_one(process: subprocess.Popen, number: signal.Signals) -> set[int]:
    """Send a signal to this process alone, as who stops a job does; return it and its descendants when they have ended.

    Raises:
        TimeoutError: one goes on.
    """
    pids = tree(process.pid, living())
    process.send_signal(number)
    # What it still says must not fill the pipe and so keep it from ending.
    threading.Thread(target=process.stdout.read, daemon=True).start()
    await_end(pids, END_SECONDS)
    return pids


def await_end(pids: set[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := pids & living().keys():
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes that do not end: {sorted(left)}")
        time.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", default=TASK_HEADER)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--interrupt", dest="number", action="store_const", const=signal.SIGINT)
    how.add_argument("--alone", dest="number", action="store_const", const=signal.SIGKILL)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    # A job in the background ignores SIGINT, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(given.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen, matches = [], 0
    for line in process.stdout:
        seen.append(line)
        matches += bool(re.search(given.at, line))
        if matches == given.count:
            time.sleep(given.seconds)
            if process.poll() is not None:
                break
            ended = end_one(process, given.number) if given.number else kill_tree(process.pid)
            how = "interrupted" if given.number == signal.SIGINT else "killed"
            print(f"{len(ended)} processes {how} {given.seconds:g} s after: {line.strip()}")
            return 0
    code = process.wait()
    where = f"match {given.count} of /{given.at}/ ({matches} were seen)"
    print(f"ended with {code} before it could be killed at {where}:\n{''.join(seen[-40:])}")
    return 1 if code else 2


if __name__ == "__main__":
    sys.exit(main())
