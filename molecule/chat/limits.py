# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of the profile cpu, as clients meet them: bodies, hang-ups, and more requests than there is room for.

Ends with an error at the first limit that is not kept. Runs beside the service, in a node's network: kubectl port-forward takes an answer
to its end whether somebody listens or not, so that no hang-up would arrive.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx

MEBIBYTE = 1 << 20
#: Tokens of a long answer, which takes a second and more.
LONG = 3000
#: As many letters, and so tokens of the tiny model, as leave room for that answer. The prompt itself is read once by each replica, and
#: then known to it.
LETTERS = "word " * 190
REPLICAS, PLACES = 2, 4
#: How often each kind of hang-up is tried.
ROUNDS = 5
#: Tokens of an answer that asks whether a replica is free. So many, that one replica cannot answer all of them at once.
LOOK = 32
#: Seconds for all replicas to answer such a one.
LOOK_LIMIT = 60.0
#: More than both replicas (4 each) and the queue of one proxy (32) have room for.
AT_ONCE = 120
#: Tokens of each of these answers: long enough that no places to speak of get free while the others come, and so short that all who
#: have a place (72) are answered within the client's time, on a machine that is busy with other things too.
ONE_OF_MANY = 800


def question(model: str, text: str = "Hello", **more: object) -> dict:
    return {"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0} | more


async def bodies(client: httpx.AsyncClient, model: str) -> None:
    for content, status in ((b"x" * 10 * MEBIBYTE, 413), (b'{"model": ', 400), (b"[]", 400)):
        answer = await client.post("/v1/chat/completions", content=content)
        assert answer.status_code == status, (status, answer.status_code, answer.text[:200])
        assert answer.json()["error"]["message"], answer.text[:200]


async def hang_ups(client: httpx.AsyncClient, model: str) -> None:
    """Clients that leave: the replica that they had is free again. Had it gone on, the next would wait for all of the answer."""
    await look_everywhere(client, model)
    whole = statistics.median([await timed(whole_answer(client, model)) for _time in range(3)])
    idle = statistics.median([await timed(look_everywhere(client, model)) for _time in range(ROUNDS)])

    async def one() -> None:
        await leave_whole(client, model, whole / 10)

    async def in_line() -> None:
        # All places are taken: in each replica one is answered, and the others wait.
        await asyncio.gather(*(leave_whole(client, model, whole / 4) for _client in range(REPLICAS * PLACES)))

    async def left(leave: Callable[[], Awaitable[None]]) -> None:
        await leave()
        await look_everywhere(client, model)

    kinds: list[tuple[str, Callable[[], Awaitable[None]], int]] = [
        ("in a stream", lambda: leave_stream(client, model), 1),
        ("before a whole answer", one, 1),
        ("in line", in_line, PLACES),
    ]
    for name, leave, answers in kinds:
        # Beside what the look takes on a machine like this, in the middle of the rounds: the machine may be busy with other things.
        took = statistics.median([await timed(left(leave)) for _round in range(ROUNDS)]) - idle
        unwanted = answers * whole
        print(f"hang-ups {name}: {took:.2f} s; {unwanted:.2f} s more if all were answered to the end", flush=True)
        if took > unwanted / 2:
            raise AssertionError(
                f"after hang-ups {name} the replicas went on: {took:.2f} s, where answers take {unwanted:.2f} s"
            )


async def timed(work: Awaitable[None]) -> float:
    """Seconds that it takes."""
    began = time.monotonic()
    await work
    return time.monotonic() - began


async def whole_answer(client: httpx.AsyncClient, model: str) -> None:
    """The longest answer, to its end."""
    answer = await client.post("/v1/chat/completions", json=question(model, LETTERS, max_tokens=LONG))
    if answer.status_code != 200 or answer.json()["usage"]["completion_tokens"] != LONG:
        raise AssertionError(f"expected an answer of {LONG} tokens: {answer.status_code} {answer.text[:200]}")


async def look_everywhere(client: httpx.AsyncClient, model: str) -> None:
    """Wait until every replica has answered: each does one thing after the other, so it has then nothing else left to do."""
    asked = question(model, LETTERS, max_tokens=LOOK)
    seen: set[str] = set()
    until = time.monotonic() + LOOK_LIMIT
    while len(seen) < REPLICAS:
        if time.monotonic() > until:
            raise AssertionError(f"only {len(seen)} of {REPLICAS} replicas answered within {LOOK_LIMIT:.0f} s")
        answers = await asyncio.gather(
            *(client.post("/v1/chat/completions", json=asked) for _client in range(REPLICAS * PLACES))
        )
        if wrong := [answer for answer in answers if answer.status_code != 200]:
            raise AssertionError(f"after a hang-up: {wrong[0].status_code} {wrong[0].text[:200]}")
        seen |= {answer.headers["x-serve-replica"] for answer in answers}


async def leave_stream(client: httpx.AsyncClient, model: str) -> None:
    """Leave after the first piece."""
    asked = question(model, LETTERS, max_tokens=LONG, stream=True)
    async with client.stream("POST", "/v1/chat/completions", json=asked) as answer:
        assert answer.status_code == 200, answer.status_code
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                return
    raise AssertionError("a stream without a piece")


async def leave_whole(client: httpx.AsyncClient, model: str, seconds: float) -> None:
    """Leave after so many seconds, before anything has come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            asked = question(model, LETTERS, max_tokens=LONG)
            answer = await client.post("/v1/chat/completions", json=asked)
        raise AssertionError(f"there was an answer within {seconds:.2f} s: {answer.status_code} {answer.text[:200]}")


async def crowd(client: httpx.AsyncClient, model: str) -> None:
    """Nothing but answers and a clear refusal, and all is well afterwards."""
    asked = question(model, max_tokens=ONE_OF_MANY)
    answers = await asyncio.gather(*(client.post("/v1/chat/completions", json=asked) for _client in range(AT_ONCE)))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}, statuses
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 503)
    assert (await client.get("/infer", params={"sentence": "Hello"})).status_code == 200
    print(f"{statuses[200]} of {AT_ONCE} at once were answered, the others refused", flush=True)


async def check_all(url: str, model: str) -> None:
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        for check in (bodies, hang_ups, crowd):
            await check(client, model)
            print(f"{check.__name__}: as promised", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    asyncio.run(check_all(options.url, options.model))


if __name__ == "__main__":
    main()
