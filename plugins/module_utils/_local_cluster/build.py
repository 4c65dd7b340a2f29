# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache of built things: keyed by what they are made from, filled once, by one process at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HEARTBEAT = 15.0  # seconds without a word before the user is told that it still runs
TAIL = 40  # lines of output that a failure shows


class BuildFailed(Exception):
    """A build step ended with an error; the message has the step and the end of its output."""


def key(parts: list[bytes]) -> str:
    """Twelve hexadecimal digits that stand for these inputs and their order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def tree_parts(directory: str) -> list[bytes]:
    """Everything below a directory that a build can see: relative path, whether executable, content; sorted.

    A README is for people: no build reads it.
    """
    parts = []
    for folder, names, files in os.walk(directory):
        names[:] = sorted(name for name in names if name != "__pycache__")
        for file in sorted(set(files) - {"README.md"}):
            path = os.path.join(folder, file)
            with open(path, "rb") as content:
                mode = b"x" if os.access(path, os.X_OK) else b"-"
                parts += [os.path.relpath(path, directory).encode(), mode, content.read()]
    return parts


@contextmanager
def filling(target: str) -> Iterator[str | None]:
    """Yield a temporary path beside C(target) to fill, or None when C(target) is there already.

    The block fills it; it then becomes C(target) in one step. An interrupted build leaves no C(target), and another
    process that wants the same one waits for it instead of building it too.
    """
    os.makedirs(os.path.dirname(target), exist_ok=True)
    # The lock file stays: another process may be waiting on it.
    with open(os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(target):
            yield None
            return
        work = tempfile.mkdtemp(prefix=f".{os.path.basename(target)}-", dir=os.path.dirname(target))
        try:
            product = os.path.join(work, "product")
            yield product
            os.rename(product, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def stream(
    command: list[str],
    on_line: Callable[[str], None],
    on_silence: Callable[[float], None],
    environment: dict[str, str] | None = None,
    directory: str | None = None,
) -> None:
    """Run a command, handing on each line of its output as it comes.

    Args:
        on_silence: called with the seconds since the start whenever nothing came for :data:`HEARTBEAT` seconds.

    Raises:
        BuildFailed: it could not be started or ended with an error.
    """
    start = time.monotonic()
    tail: deque[str] = deque(maxlen=TAIL)
    lines: queue.Queue[str | None] = queue.Queue()
    try:
        # Its output is handed on while it runs; run_command would wait for its end.
        # pylint: disable-next=ansible-bad-function
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise BuildFailed(f"{command[0]}: {error}") from error

    def pump() -> None:
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    try:
        while True:
            try:
                line = lines.get(timeout=HEARTBEAT)
            except queue.Empty:
                on_silence(time.monotonic() - start)
                continue
            if line is None:
                break
            tail.append(line)
            on_line(line)
    except BaseException:
        process.terminate()
        raise
    finally:
        process.wait()
    if process.returncode != 0:
        raise BuildFailed(f"{' '.join(command[:4])} … ended with {process.returncode}:\n" + "\n".join(tail))
