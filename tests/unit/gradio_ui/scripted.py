# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OpenAI-compatible service that does as it is told, and servers on loopback ports."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

WORDS = ["The", "head", "node", "may", "go", "and", "nobody", "will", "notice", "it", "at", "all"]
TOO_LONG = {"message": "512 tokens at most", "type": "invalid_request_error", "code": "context_length_exceeded"}


class ScriptedModel:
    """C(script): what the next attempts get, one word each; V(answer) when it is at its end.

    V(answer): WORDS; V(503), V(500), V(404): that status; V(die): three words, then the connection breaks; V(cut): three
    words, then a proper end without a reason; V(event): three words, then an error as an event; V(empty): no word;
    V(mute): neither answer nor error. More than C(most_messages) messages are too long for it.
    """

    def __init__(self, *script: str, most_messages: int = 1000, delay: float = 0.0) -> None:
        self.begin_anew()
        self.script += script
        self.most_messages, self.delay = most_messages, delay
        self.app = Starlette(
            routes=[
                Route("/v1/models", self.list_models),
                Route("/v1/chat/completions", self.complete, methods=["POST"]),
            ]
        )

    def begin_anew(self) -> None:
        self.script: list[str] = []
        self.words = WORDS
        self.most_messages, self.delay = 1000, 0.0
        self.asked: list[list[dict[str, str]]] = []
        self.models: list[str] = []
        self.hung_up = threading.Event()

    async def list_models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "first", "object": "model"}, {"id": "second"}]})

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body["messages"])
        self.models.append(body["model"])
        assert body["stream"] is True
        assert request.headers["connection"] == "close"
        if len(body["messages"]) > self.most_messages:
            return JSONResponse({"error": TOO_LONG}, 400)
        act = self.script.pop(0) if self.script else "answer"
        if act.isdigit():
            return JSONResponse({"error": {"message": f"scripted {act}", "type": "x", "code": None}}, int(act))
        if act == "mute":
            await asyncio.sleep(3600)
        return StreamingResponse(self.stream(act), media_type="text/event-stream")

    async def stream(self, act: str) -> AsyncIterator[str]:
        words = {"answer": self.words, "empty": []}.get(act, self.words[:3])
        try:
            for word in words:
                yield event({"choices": [{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}]})
                await asyncio.sleep(self.delay)
        except (asyncio.CancelledError, GeneratorExit):
            self.hung_up.set()
            raise
        if act == "die":
            raise ConnectionResetError("scripted")
        if act == "event":
            yield event({"error": {"message": "scripted event", "type": "server_error", "code": None}})
        if act in ("answer", "empty"):
            yield event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        yield "data: [DONE]\n\n"


def event(chunk: dict[str, Any]) -> str:
    told = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "first"} | chunk
    return f"data: {json.dumps(told)}\n\n"


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of an ASGI application that is served on a free loopback port, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive() and time.monotonic() < until, "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
