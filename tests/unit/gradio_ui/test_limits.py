# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario's check of hang-ups finds a service that goes on, and passes one that stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import limits
import pytest
from scripted import event, serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

#: Seconds of a token, and of one look at whether the client is still there.
TOKEN, LOOK = 0.0005, 0.005


class Replicas:
    """Two replicas that answer one request after the other. C(deaf): to which hang-ups: V(stream), V(whole), V(line)."""

    def __init__(self, *deaf: str) -> None:
        self.deaf, self.turns, self.numbers = deaf, [asyncio.Lock(), asyncio.Lock()], count()
        self.app = Starlette(routes=[Route("/v1/chat/completions", self.complete, methods=["POST"])])

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        assert len(body["messages"][0]["content"]) + body["max_tokens"] < 4096
        replica = next(self.numbers) % 2
        headers = {"x-serve-replica": str(replica)}
        if body.get("stream"):
            return StreamingResponse(self.stream(replica, body["max_tokens"]), headers=headers)
        begun = asyncio.Event()
        work = asyncio.create_task(self.work(replica, body["max_tokens"], begun))
        while not work.done():
            await asyncio.wait({work}, timeout=LOOK)
            if await request.is_disconnected():
                if ("whole" if begun.is_set() else "line") not in self.deaf:
                    work.cancel()
                return Response()
        return JSONResponse({"usage": {"completion_tokens": body["max_tokens"]}}, headers=headers)

    async def work(self, replica: int, tokens: int, begun: asyncio.Event) -> None:
        async with self.turns[replica]:
            begun.set()
            await asyncio.sleep(tokens * TOKEN)

    async def stream(self, replica: int, tokens: int) -> AsyncIterator[str]:
        begun = asyncio.Event()
        work = asyncio.create_task(self.work(replica, tokens, begun))
        try:
            await begun.wait()
            while not work.done():
                yield event({"choices": [{"index": 0, "delta": {"content": "x"}}]})
                await asyncio.sleep(LOOK)
        finally:
            if "stream" not in self.deaf:
                work.cancel()


@pytest.fixture(autouse=True)
def fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROUNDS", 2)


def check(replicas: Replicas) -> None:
    async def ask(url: str) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            await limits.hang_ups(client, "tiny")

    with serving(replicas.app) as url:
        asyncio.run(ask(url))


def test_who_stops_passes(capsys: pytest.CaptureFixture[str]) -> None:
    check(Replicas())
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == [
        "hang-ups in a stream",
        "hang-ups before a whole answer",
        "hang-ups in line",
    ]


@pytest.mark.parametrize(
    ("deaf", "name"), [("stream", "in a stream"), ("whole", "before a whole answer"), ("line", "in line")]
)
def test_who_goes_on_is_found(deaf: str, name: str) -> None:
    with pytest.raises(AssertionError, match=f"after hang-ups {name} the replicas went on"):
        check(Replicas(deaf))


def answering(content: Any, status: int = 200, replica: str = "0") -> httpx.AsyncClient:
    """A client of a service that answers everything with this."""

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=json.dumps(content), headers={"x-serve-replica": replica})

    return httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://x")


@pytest.mark.parametrize(
    ("call", "client", "said"),
    [
        (limits.whole_answer, answering({"usage": {"completion_tokens": 7}}), "expected an answer of 3000 tokens"),
        (limits.look_everywhere, answering({}, 500), "after a hang-up: 500"),
        (limits.look_everywhere, answering({}), "only 1 of 2 replicas"),
        (limits.leave_stream, answering({}, 503), "503"),
        (limits.leave_stream, answering("[DONE]"), "a stream without a piece"),
    ],
)
def test_what_is_no_measure(monkeypatch: pytest.MonkeyPatch, call: Any, client: Any, said: str) -> None:
    monkeypatch.setattr(limits, "LOOK_LIMIT", 0.1)
    with pytest.raises(AssertionError, match=said):
        asyncio.run(call(client, "tiny"))


def test_an_answer_before_the_hang_up_is_none() -> None:
    with pytest.raises(AssertionError, match="there was an answer within 9.00 s: 200"):
        asyncio.run(limits.leave_whole(answering({}), "tiny", 9.0))
