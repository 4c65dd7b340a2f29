# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP/1.1 client that does as users' clients do, and tells what each request met on its way."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import ssl
import time
from urllib.parse import urlsplit

# Relative, as these files are run without the collection around them.
from .answer import Answer, Broken, Stream, plain

RESOLVE_SECONDS = 2.0  # how often the name is looked up; a lookup is no part of any request's latency
RESOLVE_TIMEOUT = 10.0
MOST_IDLE = 100  # connections that a pool keeps
FAREWELL_SECONDS = 1.0
REPEATABLE = ("GET",)
# What this machine runs out of, and no server can be blamed for.
OWN_FAULTS = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS)
OWN_SIDE = "load generator: "


class Target:
    """Where to connect: the URL's host, looked up again and again in the background, its addresses used in turn."""

    def __init__(self, url):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http or https URL: " + url)
        self.host = parts.hostname
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None
        self.port = parts.port or (443 if self.tls else 80)
        self._host_header = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._addresses = []
        self._turn = 0

    def request(self, entry):
        """The bytes of a request of a load entry."""
        headers = {
            "Host": self._host_header,
            "User-Agent": "rayops-serve-ha-head-failure-check",
            "Accept": "text/event-stream" if entry["stream"] else "*/*",
        }
        body = b""
        if entry["body"] is not None:
            body = json.dumps(entry["body"]).encode()
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        if entry["connection"] == "new":
            headers["Connection"] = "close"
        given = entry.get("headers", {})
        replaced = {name.lower() for name in given}
        headers = {name: value for name, value in headers.items() if name.lower() not in replaced}
        first = entry["method"] + " " + self._prefix + entry["path"] + " HTTP/1.1"
        lines = [first, *(name + ": " + str(value) for name, value in [*headers.items(), *given.items()])]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body

    async def resolve(self):
        loop = asyncio.get_running_loop()
        found = await asyncio.wait_for(
            loop.getaddrinfo(self.host, self.port, type=1), RESOLVE_TIMEOUT
        )  # 1: a TCP stream
        # An answer without addresses (a headless service without a ready pod) changes nothing.
        self._addresses = sorted({entry[4][0] for entry in found}) or self._addresses

    async def keep_resolved(self):
        while True:
            await asyncio.sleep(RESOLVE_SECONDS)
            try:
                await self.resolve()
            except (asyncio.TimeoutError, OSError):  # noqa: UP041 (two classes before Python 3.11)
                pass  # the addresses known so far are the best guess; wrong ones show as failed requests

    def next_address(self):
        if not self._addresses:
            raise OSError("no address known for " + self.host)
        self._turn += 1
        return self._addresses[self._turn % len(self._addresses)]

    async def connect(self):
        _transport, connection = await asyncio.get_running_loop().create_connection(
            Connection,
            self.next_address(),
            self.port,
            ssl=self.tls,
            server_hostname=self.host if self.tls else None,
        )
        return connection


class Connection(asyncio.Protocol):
    """One connection, for one request after the other. born: when it was made; closed: it is of no use any more."""

    def __init__(self):
        self.born = time.monotonic()
        self.closed = False
        self._transport = None
        self._answer = None
        self._waiter = None

    async def ask(self, request, answer):
        """Send a request and return when its answer is complete. Raises Broken, OSError; is closed then."""
        self._answer, self._waiter = answer, asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            await self._waiter
        except BaseException:
            self._transport.abort()
            raise
        finally:
            self._answer = self._waiter = None

    def leave(self):
        """Be done with it. The server is left to close first: who does cannot use the port again for a minute."""
        if not self.closed:
            asyncio.get_running_loop().call_later(FAREWELL_SECONDS, self._transport.abort)

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        if self._answer is None:
            self.closed = True  # nobody asked
            self._transport.abort()
            return
        try:
            self._answer.feed(data)
        except Broken as problem:
            self._settle(problem)
        else:
            if self._answer.complete:
                self._settle(None)

    def connection_lost(self, exc):
        self.closed = True
        if self._answer is None:
            return
        try:
            if exc is None:
                self._answer.end()
        except Broken as problem:
            exc = problem
        self._settle(exc)

    def _settle(self, error):
        if self._waiter.done():
            return
        if error is None:
            self._waiter.set_result(None)
        else:
            self._waiter.set_exception(error)


class Pool:
    """Connections of one client. keep: use them again, the latest first; else each request has its own."""

    def __init__(self, target, keep):
        self._target = target
        self._keep = keep
        self._idle = []

    async def take(self, fresh):
        """Return (connection, whether it was made just now). A kept one that the server has closed is not used."""
        while self._idle and not fresh:
            connection = self._idle.pop()
            if not connection.closed:
                return connection, False
        return await self._target.connect(), True

    def give_back(self, connection, reusable):
        if self._keep and reusable and len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.leave()


class Exchange:
    """One request as it goes on, to be read when a time limit strikes too.

    connect: seconds to connect, None on a kept connection or without one; age: seconds for which the connection has
    been there; repeated: it was sent again on a new connection, as a kept one turned out to be closed.
    """

    __slots__ = ("age", "answer", "connect", "repeated", "stream")

    def __init__(self):
        self.connect = None
        self.age = 0.0
        self.repeated = False
        self.answer = self.stream = None

    async def run(self, pool, entry, request):
        """Raises Broken, OSError.

        A kept connection may be closed by the server in the moment in which the request is on its way. When not a
        byte of an answer has come, clients send a request that changes nothing once more on a new connection (RFC 9110,
        section 9.2.2), and so do we. They cannot know that of a POST, so there it is a failed request.
        """
        for fresh in (False, True):
            self.stream = Stream(time.monotonic) if entry["stream"] else None
            self.answer = Answer(self.stream.feed if self.stream else None)
            began = time.monotonic()
            connection, made = await pool.take(fresh)
            now = time.monotonic()
            self.connect = now - began if made else None
            self.age = 0.0 if made else now - connection.born
            try:
                await connection.ask(request, self.answer)
            except (Broken, OSError):
                if made or self.answer.began or entry["method"] not in REPEATABLE:
                    raise
                self.repeated = True
                continue
            pool.give_back(connection, self.answer.reusable)
            return

    def problem(self):
        """What is wrong with a complete answer, beside its status; empty if nothing is."""
        if self.stream is None or not 200 <= self.answer.status <= 299:
            return ""
        if not self.answer.headers.get("content-type", "").lower().startswith("text/event-stream"):
            return "the answer is no stream of events"
        return self.stream.problem()


def error_text(error):
    """A fault in words without addresses and ports, which differ from one request to the next: one fault, one text."""
    number = getattr(error, "errno", None)
    text = os.strerror(number) if number else str(error) or type(error).__name__
    return plain((OWN_SIDE if number in OWN_FAULTS else "") + text)
