# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person does who types a line with C(kubectl port-forward)."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")


class NotForwarded(Exception):
    """kubectl ended without forwarding anything; the message has what it said."""


@contextmanager
def port_forward(line: str) -> Iterator[str]:
    """The local address to which a C(kubectl port-forward) line leads, for as long as the block lasts.

    Raises:
        NotForwarded: kubectl ended instead.
    """
    process = subprocess.Popen(shlex.split(line), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        said = ""
        for output in process.stdout:
            said += output
            if forwarding := FORWARDING.search(output):
                break
        else:
            raise NotForwarded(f"{line}: {said.strip()}")
        # It says a word about each connection, and must not wait for somebody to read it.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield f"http://127.0.0.1:{forwarding.group(1)}"
    finally:
        process.terminate()
        process.wait()
