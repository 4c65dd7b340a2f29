# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines that the load generator writes, and how they are read.

A container's log is cut at 10 MiB by the kubelet's default, and who follows it would lose its beginning. So the samples
of half a second are one line: columns, deflated. That is some 20 bytes a request instead of 250, and every request is in it.
"""

from __future__ import annotations

import base64
import json
import queue
import threading
import zlib

# A sample. entry: index in the load; n: number in its entry; due: ms after the start; late: start after due, ms; lat: end
# after due, ms; conn: time to connect, ms, null on a kept connection; age: of the connection, s; status: HTTP status, 0
# without a whole answer; err: "" or what went wrong; replica, node: who answered, by the answer's headers; first: first
# token after due, ms; gap: the longest between two events of a stream, ms; again: 1 if it was sent twice.
FIELDS = (
    "entry",
    "n",
    "due",
    "late",
    "lat",
    "conn",
    "age",
    "status",
    "err",
    "replica",
    "node",
    "first",
    "gap",
    "again",
)
EXIT_GRACE = 10.0  # seconds that the writer gets at the end, when a reader is slow


def pack(rows):
    """Rows in the order of FIELDS as one word; column by column, as like comes to like."""
    columns = list(zip(*rows))  # noqa: B905 (strict came with Python 3.10)
    text = json.dumps(columns, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode())).decode()


def unpack(word):
    """The rows of C(pack). Raises ValueError, zlib.error."""
    return list(zip(*json.loads(zlib.decompress(base64.b64decode(word)))))  # noqa: B905


class Writer:
    """Writes lines to stdout in a thread: a reader that is slow, or gone, must not delay a request."""

    def __init__(self, stream):
        self._stream = stream
        self._lines = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, value, rows=()):
        """One line: C(value), and under C(rows) the samples."""
        self._lines.put((value, rows))

    def close(self):
        self._lines.put(None)
        self._thread.join(EXIT_GRACE)

    def _run(self):
        for value, rows in iter(self._lines.get, None):
            if rows:
                value = dict(value, rows=pack(rows))
            try:
                self._stream.write(json.dumps(value, separators=(",", ":")) + "\n")
                self._stream.flush()
            except OSError:
                return
