# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP/1.1 answer, and what a stream of events in it showed, out of bytes as they arrive. No I/O."""

from __future__ import annotations

import json

HEAD_LIMIT = 64 * 1024  # bytes
TEXT_LIMIT = 200  # characters of a server's own words
DONE = b"[DONE]"


class Broken(Exception):
    """What came is not a whole HTTP answer."""


class Answer:
    """Fed with bytes until it is C(complete).

    status: 0 until the head is there; headers: names in lower case; began: a byte has come; reusable: another request
    may follow on the connection. body: takes each piece of the body as it comes.
    """

    def __init__(self, body=None):
        self.status = 0
        self.headers = {}
        self.began = False
        self.complete = False
        self.reusable = False
        self._body = body or (lambda piece: None)
        self._buffer = b""
        self._left = 0
        self._until_closed = False
        self._step = self._head

    def feed(self, data):
        """Take what has arrived. Raises Broken."""
        self.began = True
        self._buffer += data
        while not self.complete and self._step():
            pass
        if self.complete and self._buffer:
            self.reusable = False  # more than was asked for: what comes next is nobody's answer

    def end(self):
        """The connection was closed. Raises Broken unless that is how this answer ends."""
        if self._until_closed:
            self.complete = True
        elif not self.began:
            raise Broken("closed without an answer")
        elif not self.complete:
            raise Broken("closed in the middle of the " + ("answer" if self.status else "headers"))

    # Each step returns whether it got on; if not, it needs more bytes.

    def _head(self):
        if self._buffer[:5] != b"HTTP/"[: len(self._buffer)]:
            raise Broken("not an HTTP answer")
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            if len(self._buffer) > HEAD_LIMIT:
                raise Broken("headers without an end")
            return False
        self._buffer = rest
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status = (first.split(None, 2) + ["", ""])[:2]
        if not status.isdigit():
            raise Broken("not an HTTP answer")
        if 100 <= int(status) < 200:
            return True  # an interim answer; the real one follows
        self.status = int(status)
        for line in lines:
            key, _colon, value = line.partition(":")
            self.headers[key.strip().lower()] = value.strip()
        self._frame()
        self.reusable = (
            version == "HTTP/1.1" and not self._until_closed and self.headers.get("connection", "").lower() != "close"
        )
        return True

    def _frame(self):
        """How the body's end is known."""
        if self.status in (204, 304):
            self.complete = True
        elif self.headers.get("transfer-encoding", "").lower() == "chunked":
            self._step = self._chunk_size
        elif "content-length" in self.headers:
            self._left = self._number(self.headers["content-length"], 10)
            self._step = self._sized
            self.complete = self._left == 0
        else:
            self._until_closed = True
            self._step = self._unsized

    @staticmethod
    def _number(text, base):
        try:
            return int(text, base)
        except ValueError:
            raise Broken("not an HTTP answer") from None

    def _take(self):
        """Hand on what there is of C(_left) bytes; return whether these are all."""
        piece, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(piece)
        if piece:
            self._body(piece)
        return self._left == 0

    def _sized(self):
        self.complete = self._take()
        return False

    def _unsized(self):
        self._left = len(self._buffer)
        self._take()
        return False

    def _line(self):
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return None
        self._buffer = rest
        return line

    def _chunk_size(self):
        line = self._line()
        if line is None:
            return False
        self._left = self._number(line.split(b";")[0], 16)
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self):
        if not self._take():
            return False
        self._step = self._chunk_end
        return True

    def _chunk_end(self):
        if self._line() is None:
            return False
        self._step = self._chunk_size
        return True

    def _trailer(self):
        line = self._line()
        self.complete = line == b""
        return bool(line)


class Stream:
    """What a stream of server-sent events showed its user. Fed with the pieces of the body.

    first: when the first token came; last: when the latest event came; both by C(clock), None before. gap: the longest
    time in seconds between two events from the first token on, None with fewer than two. done: it ended as OpenAI's
    streams do. error: what an error event in it said.
    """

    def __init__(self, clock):
        self.first = self.last = self.gap = None
        self.done = False
        self.error = ""
        self._clock = clock
        self._buffer = b""
        self._data = []
        self._kind = b""

    def feed(self, piece):
        *lines, self._buffer = (self._buffer + piece).split(b"\n")
        for line in lines:
            field, _colon, value = line.rstrip(b"\r").partition(b":")
            if field == b"data":
                self._data.append(value[1:] if value[:1] == b" " else value)
            elif field == b"event":
                self._kind = value.strip()
            elif (
                not field and not value
            ):  # an empty line ends an event; C(: text) is a comment that keeps a connection warm
                if self._data:
                    self._event(self._kind, b"\n".join(self._data))
                self._data, self._kind = [], b""

    def silence(self):
        """Seconds since the latest event, None before the first token."""
        return None if self.first is None else self._clock() - self.last

    def cut(self):
        """The stream was given up: the silence it was given up for is a gap too."""
        if self.first is not None:
            self.gap = max(self.gap or 0.0, self.silence())

    def problem(self):
        """Why a stream that has ended is not what its user wanted; empty if it is."""
        if self.error:
            return self.error
        return "" if self.done else "stream ended without [DONE]"

    def _event(self, kind, data):
        now = self._clock()
        if self.first is not None:
            self.gap = max(self.gap or 0.0, now - self.last)
        self.last = now
        if data.strip() == DONE:
            self.done = True
            return
        # Most events are neither the first nor an error, and need not be understood.
        if self.first is None or kind == b"error" or b'"error"' in data:
            value = decoded(data)
            self.error = self.error or error_of(kind, value)
            if self.first is None and has_text(value):
                self.first = now


def decoded(data):
    """An event's data as JSON, or else as text."""
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def error_of(kind, value):
    """The error that an event tells of, as C(event: error) or in OpenAI's shape; empty for any other event."""
    error = value.get("error") if isinstance(value, dict) else None
    if not error and kind != b"error":
        return ""
    text = error.get("message") if isinstance(error, dict) else error or value
    return plain("error in the stream: " + str(text))


def has_text(value):
    """Whether an event carries something for the user to read: OpenAI's first chunk, with the role only, does not."""
    if not isinstance(value, dict) or "choices" not in value:
        return True
    for choice in value["choices"]:
        delta = choice.get("delta") or {}
        if choice.get("text") or any(content for key, content in delta.items() if key != "role"):
            return True
    return False


def plain(text):
    """A server's own words on one line, fit for any file."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))[:TEXT_LIMIT]
