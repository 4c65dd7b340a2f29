# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of the profile cpu, as clients meet them: bodies, hang-ups, and more requests than there is room for.

Ends with an error at the first limit that is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter

import httpx
from port_forward import port_forward

MEBIBYTE = 1 << 20
#: The longest answer that may be asked for; it takes a tenth of a second or more.
LONG = 1024
HANG_UPS = 60
#: Seconds for a short answer after them. Had the model gone on with each, it would take much longer.
AFTER_HANG_UPS = 2.0
#: More than both replicas (4 each) and the queue of one proxy (32) have room for.
AT_ONCE = 120


def question(model: str, **more: object) -> dict:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "temperature": 0} | more


async def bodies(client: httpx.AsyncClient, model: str) -> None:
    for content, status in ((b"x" * 10 * MEBIBYTE, 413), (b'{"model": ', 400), (b"[]", 400)):
        answer = await client.post("/v1/chat/completions", content=content)
        assert answer.status_code == status, (status, answer.status_code, answer.text[:200])
        assert answer.json()["error"]["message"], answer.text[:200]


async def hang_ups(client: httpx.AsyncClient, model: str) -> None:
    """Clients that leave after the first piece: the replica they had is free again."""

    async def look_and_leave() -> None:
        asked = question(model, max_tokens=LONG, stream=True)
        async with client.stream("POST", "/v1/chat/completions", json=asked) as answer:
            async for line in answer.aiter_lines():
                if line:
                    return
            raise AssertionError(f"{answer.status_code}: no first piece")

    for _turn in range(HANG_UPS // 4):
        await asyncio.gather(*(look_and_leave() for _client in range(4)))
    began = time.monotonic()
    answer = await client.get("/infer", params={"sentence": "Hello"})
    took = time.monotonic() - began
    assert answer.status_code == 200 and took < AFTER_HANG_UPS, (answer.status_code, took)


async def crowd(client: httpx.AsyncClient, model: str) -> None:
    """Nothing but answers and a clear refusal, and all is well afterwards."""
    asked = question(model, max_tokens=LONG)
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
    parser.add_argument(
        "--port-forward", required=True, help="line with kubectl port-forward that leads to the service"
    )
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    with port_forward(options.port_forward) as url:
        asyncio.run(check_all(url, options.model))


if __name__ == "__main__":
    main()
