# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open-loop HTTP load: GET one URL at a constant rate, one new connection a request, one JSON line a sample.

This file is a program of its own: its source is handed to a bare C(python3 -c) in a pod, so it needs Python 3.9 and the
standard library, and imports nothing else.

Open loop means that request I(n) is due at C(start + n / rate), however the earlier ones fare, and that its latency is
counted from when it was due. A server that stalls for two seconds is then seen by every request of these two seconds,
as its users would see it, instead of by one (coordinated omission).

Lines on stdout: first C({"hello": 1, "start": wall clock of request 0, "rate": …, "count": …}), then a sample for each
request as it ends, see C(sample_line), and C({"end": number of samples}) last. Wall clock times are seconds since 1970,
taken once and moved on with the monotonic clock, so that a clock that is set meanwhile cannot bend the time line.
It stops by itself: after C(count) requests, on SIGTERM, and at a hard time limit even when nobody reads its output.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import queue
import signal
import ssl
import sys
import threading
import time
from urllib.parse import urlsplit

RESOLVE_SECONDS = 2.0  # how often the name is looked up; a lookup is no part of any request's latency
RESOLVE_TIMEOUT = 10.0
START_DELAY = 0.5  # request 0 is due this long after the set-up, so that the first ones do not start late
HEADER_LIMIT = 64 * 1024  # bytes of one line of the answer's head
ERROR_TEXT_LIMIT = 200
EXIT_GRACE = 10.0  # seconds that the writer gets at the end, when a reader is slow


class Writer:
    """Writes lines to stdout in a thread: a reader that is slow, or gone, must not delay a request."""

    def __init__(self, stream):
        self._stream = stream
        self._lines = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, value):
        self._lines.put(json.dumps(value, separators=(",", ":")))

    def close(self):
        self._lines.put(None)
        self._thread.join(EXIT_GRACE)

    def _run(self):
        for line in iter(self._lines.get, None):
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except OSError:
                return


class Target:
    """Where to connect: the URL's host, looked up again and again in the background, its addresses used in turn."""

    def __init__(self, url):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http or https URL: " + url)
        self.host = parts.hostname
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None
        self.port = parts.port or (443 if self.tls else 80)
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        self.request = (
            "GET " + path + " HTTP/1.1\r\nHost: " + parts.netloc.rpartition("@")[2] + "\r\n"
            "User-Agent: rayops-serve-ha-head-failure-check\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        ).encode("ascii")
        self._addresses = []
        self._turn = 0

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
            except (TimeoutError, OSError):
                pass  # the addresses known so far are the best guess; wrong ones show as failed requests

    def next_address(self):
        if not self._addresses:
            raise OSError("no address known for " + self.host)
        self._turn += 1
        return self._addresses[self._turn % len(self._addresses)]


async def read_answer(reader):
    """Read one HTTP/1.1 answer to its end and return (status, headers in lower case)."""
    status_line = await reader.readline()
    fields = status_line.split(None, 2)
    if len(fields) < 2 or not fields[0].startswith(b"HTTP/") or not fields[1].isdigit():
        raise ConnectionError("closed without an answer" if not status_line else "not an HTTP answer")
    headers = {}
    while True:
        line = await reader.readline()
        if line in (b"\r\n", b"\n"):
            break
        if not line:
            raise ConnectionError("closed in the middle of the headers")
        key, _colon, value = line.decode("latin-1").partition(":")
        headers[key.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            await reader.readexactly(size + 2)
            if size == 0:
                break
    elif "content-length" in headers:
        await reader.readexactly(int(headers["content-length"]))
    else:
        await reader.read(-1)
    return int(fields[1]), headers


async def one_request(target, seen):
    """Connect, ask, read to the end. C(seen) takes what is known when a time limit strikes: connected, status, headers."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(
        target.next_address(),
        target.port,
        ssl=target.tls,
        server_hostname=target.host if target.tls else None,
        limit=HEADER_LIMIT,
    )
    try:
        seen["connect"] = time.perf_counter() - began
        writer.write(target.request)
        seen["status"], seen["headers"] = await read_answer(reader)
    finally:
        # No wait for the peer's farewell: the answer is complete or the request has failed.
        writer.transport.abort()


def error_text(error):
    if isinstance(error, asyncio.TimeoutError):
        return "timed out"
    # Without addresses and ports, which differ from one request to the next: one fault, one text.
    text = os.strerror(error.errno) if getattr(error, "errno", None) else str(error) or type(error).__name__
    if isinstance(error, asyncio.IncompleteReadError):
        text = "closed in the middle of the answer"
    return " ".join(text.split())[:ERROR_TEXT_LIMIT]


def sample_line(number, due, late, latency, seen, error):
    """The shape of a sample.

    n: number; due: wall clock, s; late: start after due, ms; lat: end after due, ms; conn: time to connect, ms or null;
    status: HTTP status, 0 without an answer; err: "" or what went wrong; replica, node: who answered, by its headers.
    """
    headers = seen.get("headers", {})
    return {
        "n": number,
        "due": round(due, 4),
        "late": round(late * 1000, 2),
        "lat": round(latency * 1000, 2),
        "conn": round(seen["connect"] * 1000, 2) if "connect" in seen else None,
        "status": seen.get("status", 0),
        "err": error,
        "replica": headers.get("x-serve-replica", ""),
        "node": headers.get("x-serve-node", ""),
    }


async def generate(options, writer):
    target = Target(options.url)
    deadline = time.monotonic() + options.resolve_within
    while True:
        try:
            await target.resolve()
            break
        except (TimeoutError, OSError) as error:
            if time.monotonic() > deadline:
                raise SystemExit("cannot look up " + target.host + ": " + str(error)) from error
            await asyncio.sleep(1)

    background = asyncio.ensure_future(target.keep_resolved())
    start = time.perf_counter() + START_DELAY
    wall = time.time() + START_DELAY
    writer.put({"hello": 1, "start": round(wall, 4), "rate": options.rate, "count": options.count})

    async def run(number, due):
        late = time.perf_counter() - due
        seen, error = {}, ""
        try:
            await asyncio.wait_for(one_request(target, seen), max(0.001, options.timeout - late))
        except (TimeoutError, OSError, EOFError, ValueError) as problem:
            error = error_text(problem)
            seen.pop("status", None)
        latency = time.perf_counter() - due
        writer.put(sample_line(number, wall + (due - start), late, latency, seen, error))

    running = set()
    for number in range(options.count):
        due = start + number / options.rate
        pause = due - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        task = asyncio.ensure_future(run(number, due))
        running.add(task)
        task.add_done_callback(running.discard)
    if running:
        await asyncio.wait(running)
    background.cancel()
    writer.put({"end": options.count})


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, required=True, help="requests per second")
    parser.add_argument("--count", type=int, required=True, help="requests in all")
    parser.add_argument("--timeout", type=float, required=True, help="seconds per request, from when it was due")
    parser.add_argument("--resolve-within", type=float, default=30.0, help="seconds for the first lookup of the name")
    options = parser.parse_args(arguments)

    # As process 1 of a container Python would ignore SIGTERM, and a pod would take its whole grace period to go.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    # The hard limit works whatever the event loop or the reader of stdout does.
    limit = options.resolve_within + RESOLVE_TIMEOUT + options.count / options.rate + options.timeout + 2 * EXIT_GRACE
    alarm = threading.Timer(limit, os._exit, args=(3,))
    alarm.daemon = True
    alarm.start()

    writer = Writer(sys.stdout)
    # What is loaded now is never garbage: collections in the middle of the run stay short.
    gc.collect()
    gc.freeze()
    asyncio.run(generate(options, writer))
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1:])
