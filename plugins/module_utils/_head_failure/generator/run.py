# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP load as users make it: requests at a rate (open loop), and users who wait for answers and think (closed loop).

These files are a program of their own: their source is handed to a bare C(python3 -c) in a pod, so they need Python 3.9
and the standard library, and import nothing else.

Open loop means that request I(n) is due at C(start + n / rate), however the earlier ones fare, and that its latency is
counted from when it was due. A server that stalls for two seconds is then seen by every request of these two seconds,
as its users would see it, instead of by one (coordinated omission). A user of a closed loop asks, waits, thinks, asks
again: a stall is seen once by each.

Lines on stdout: first C({"hello": 1, "start": wall clock}), then twice a second C({"at": wall clock, "cpu": processors
used by this program since the line before, "lag": how late its event loop woke up, at most, ms, "pressure": share of the
time since then in which some task of the machine waited for a processor, or null, "begun": [requests begun so far, for each
entry], "rows": the requests that ended since, see lines.py}). Wall clock times are seconds since 1970,
taken once and moved on with the monotonic clock, so that a clock that is set meanwhile cannot bend the time line.
It stops by itself: after C(seconds), on SIGTERM, when who started it is gone (life.py), and at a hard time limit even when nobody
reads its output.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import os
import random
import resource
import signal
import sys
import threading
import time

from .answer import Broken
from .client import RESOLVE_TIMEOUT, Exchange, Pool, Target, error_text
from .life import end_with_stdin, end_without_calls
from .lines import EXIT_GRACE, Writer

START_DELAY = 0.5  # the first requests are due this long after the set-up, so that they do not start late
TICK_SECONDS = 0.05
TICKS_A_LINE = 10
HEADERS_VARIABLE = "RAYOPS_LOAD_HEADERS"  # as a command line is seen by many, and they may be secret
PRESSURE = "/proc/pressure/cpu"  # its first line is of some task, its second of all


class Run:
    """One run of the load. start: when the first requests are due, by the monotonic clock; wall: the same by the wall clock."""

    def __init__(self, target, load, seconds, writer):
        self._load = load
        self._target = target
        self._requests = [target.request(entry) for entry in load]
        self._writer = writer
        self._rows = []
        self._begun = [0] * len(load)
        self._running = set()
        self._start = time.monotonic() + START_DELAY
        self._wall = time.time() + START_DELAY
        self._seconds = seconds
        self._over = False

    async def run(self):
        self._writer.put({"hello": 1, "start": round(self._wall, 4)})
        reports = asyncio.ensure_future(self._report())
        await asyncio.gather(
            *(self._rate(index) if entry["rate"] else self._users(index) for index, entry in enumerate(self._load))
        )
        if self._running:
            await asyncio.wait(self._running)
        # The next line has the last requests.
        self._over = True
        await reports

    async def _rate(self, index):
        entry = self._load[index]
        pool = Pool(self._target, entry["connection"] == "kept")
        for number in range(math.ceil(self._seconds * entry["rate"])):
            due = self._start + number / entry["rate"]
            await until(due)
            task = asyncio.ensure_future(self._request(index, due, pool))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _users(self, index):
        await asyncio.gather(*(self._user(index, number) for number in range(self._load[index]["users"])))

    async def _user(self, index, number):
        """One user, with connections of their own. They begin one after the other and think as long as they like."""
        entry = self._load[index]
        pool = Pool(self._target, entry["connection"] == "kept")
        mood = random.Random(f"{index} {number}")
        due = self._start + entry["think_seconds"] * number / entry["users"]
        while due < self._start + self._seconds:
            await until(due)
            await self._request(index, due, pool)
            due = time.monotonic() + entry["think_seconds"] * mood.uniform(0.5, 1.5)

    async def _request(self, index, due, pool):
        began = time.monotonic()
        entry, number = self._load[index], self._begun[index]
        self._begun[index] += 1
        exchange = Exchange()
        error = await limited(exchange, pool, entry, self._requests[index], due)
        ended = time.monotonic()
        answer, stream = exchange.answer, exchange.stream
        headers = answer.headers if answer else {}
        self._rows.append(
            (
                index,
                number,
                ms(due - self._start),
                ms(began - due),
                ms(ended - due),
                ms(exchange.connect),
                round(exchange.age, 1),
                answer.status if answer and answer.complete else 0,
                error,
                headers.get("x-serve-replica", ""),
                headers.get("x-serve-node", ""),
                ms(stream.first - due) if stream and stream.first else None,
                ms(stream.gap) if stream else None,
                int(exchange.repeated),
            )
        )

    async def _report(self):
        """Write a line twice a second, and a last one after the end."""
        last = time.monotonic(), time.process_time(), waited()
        while True:
            lag = 0.0
            for _tick in range(TICKS_A_LINE):
                planned = time.monotonic() + TICK_SECONDS
                await asyncio.sleep(TICK_SECONDS)
                lag = max(lag, time.monotonic() - planned)
            over = self._over
            now = time.monotonic(), time.process_time(), waited()
            rows, self._rows = self._rows, []
            line = {
                "at": round(self._wall + now[0] - self._start, 4),
                "cpu": round((now[1] - last[1]) / (now[0] - last[0]), 3),
                "lag": ms(lag),
                "pressure": None if now[2] is None else round((now[2] - last[2]) / (now[0] - last[0]), 3),
                "begun": list(self._begun),
            }
            self._writer.put(line, rows)
            last = now
            if over:
                return


async def until(moment):
    """Sleep until then, and before those who sleep until later: a pause from now on is measured anew for each, a few
    microseconds or, on a busy machine, milliseconds later, and may change their order."""
    loop = asyncio.get_running_loop()
    if moment > loop.time():
        reached = loop.create_future()
        # The loop's own clock is the monotonic one.
        timer = loop.call_at(moment, reached.set_result, None)
        try:
            await reached
        finally:
            timer.cancel()


async def limited(exchange, pool, entry, request, due):
    """Run the exchange within the limits of its entry; return what went wrong, empty if nothing did."""
    loop, task, reasons = asyncio.get_running_loop(), asyncio.current_task(), []

    def cut(reason):
        reasons.append(reason)
        task.cancel()

    def look(limit):
        silence = exchange.stream.silence() if exchange.stream else None
        if silence is None or silence < limit:
            timers[1] = loop.call_later(limit - (silence or 0.0), look, limit)
        else:
            exchange.stream.cut()
            cut("stalled: no event for " + format(limit, "g") + " s")

    timers = [loop.call_at(due + entry["request_timeout"], cut, "timed out")]
    if entry["stream"]:
        timers.append(loop.call_later(entry["max_gap_seconds"], look, entry["max_gap_seconds"]))
    try:
        await exchange.run(pool, entry, request)
        return exchange.problem()
    except asyncio.CancelledError:
        return reasons[0]
    except (Broken, OSError) as error:
        return error_text(error)
    finally:
        for timer in timers:
            timer.cancel()


def waited():
    """For how many seconds some task of this machine has waited for a processor since it started; None if nobody counts."""
    try:
        with open(PRESSURE) as stream:
            return int(stream.readline().rpartition("total=")[2]) / 1e6
    except OSError:
        return None


def ms(seconds):
    return None if seconds is None else round(seconds * 1000, 2)


async def generate(options, load, writer):
    target = Target(options.url)
    deadline = time.monotonic() + options.resolve_within
    while True:
        try:
            await target.resolve()
            break
        except (asyncio.TimeoutError, OSError) as error:  # noqa: UP041 (two classes before Python 3.11)
            if time.monotonic() > deadline:
                raise SystemExit("cannot look up " + target.host + ": " + str(error)) from error
            await asyncio.sleep(1)
    background = [asyncio.ensure_future(target.keep_resolved())]
    if options.end_without_calls:
        background.append(await end_without_calls(options.end_without_calls))
    await Run(target, load, options.seconds, writer).run()
    for task in background:
        task.cancel()


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True, help="what the paths of the load are appended to")
    parser.add_argument("--load", type=json.loads, required=True, help="the module's option of that name, as JSON")
    parser.add_argument("--seconds", type=float, required=True, help="how long requests are begun")
    parser.add_argument("--resolve-within", type=float, default=30.0, help="seconds for the first lookup of the name")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input does")
    parser.add_argument("--end-without-calls", type=int, metavar="PORT", help="end when no HTTP call comes to this port any more")
    options = parser.parse_args(arguments)

    # In a stall each request of its time has its connection.
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    # As process 1 of a container Python would ignore SIGTERM, and a pod would take its whole grace period to go.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    given = json.loads(os.environ.get(HEADERS_VARIABLE, "{}"))
    for entry in options.load:
        entry["headers"] = given.get(entry["name"], {})
    if options.end_with_stdin:
        end_with_stdin()
    # The hard limit works whatever the event loop or the reader of stdout does.
    longest = max(entry["request_timeout"] for entry in options.load)
    limit = options.resolve_within + RESOLVE_TIMEOUT + options.seconds + longest + 2 * EXIT_GRACE
    alarm = threading.Timer(limit, os._exit, args=(3,))
    alarm.daemon = True
    alarm.start()

    writer = Writer(sys.stdout)
    # What is loaded now is never garbage: collections in the middle of the run stay short.
    gc.collect()
    gc.freeze()
    asyncio.run(generate(options, options.load, writer))
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1:])
