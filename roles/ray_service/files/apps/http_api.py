# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application as HTTP: paths, bodies, status codes, streams. docs/api.md of the collection describes it.

Nothing here asks Ray for anything: requests are answered whether or not there is a head.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from llama_engine import Engine, ModelFailed, Piece
from llama_model import BadPrompt, Sampling
from openai_api import DONE, Answer, ApiError, Asked, Offer, event, model_object, parse, room_for_answer, unknown_model
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

logger = logging.getLogger("ray.serve")


class EventStream(StreamingResponse):
    """Events made of pieces of an answer; closes the pieces however it ends, so that the model stops."""

    def __init__(self, pieces: AsyncIterator[Piece], events: AsyncIterator[bytes], headers: dict[str, str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._pieces):
            await super().__call__(scope, receive, send)


class Api:
    """The paths of the application."""

    def __init__(self, engine: Engine, offer: Offer, infer_tokens: int, max_body: int, headers: dict[str, str]) -> None:
        """`infer_tokens`: length of an answer of /infer; `max_body`: bytes; `headers`: of every answer."""
        self._engine = engine
        self._offer = offer
        self._infer_tokens = infer_tokens
        self._max_body = max_body
        self._headers = headers
        self._model = model_object(offer)

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/infer", self.infer),
                Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
                Route("/v1/completions", self.completions, methods=["POST"]),
                Route("/v1/models", self.models),
                # Names of models may have slashes.
                Route("/v1/models/{name:path}", self.model),
            ],
            exception_handlers={
                ApiError: self._api_error,
                HTTPException: self._http_error,
                ModelFailed: self._model_failed,
                Exception: self._bug,
            },
        )

    async def infer(self, request: Request) -> Response:
        sentence = request.query_params.get("sentence", "").strip()
        if not sentence:
            raise ApiError(400, "sentence is missing or empty; expected: /infer?sentence=...", "sentence")
        # The most probable tokens: the same sentence has always the same answer.
        greedy = Sampling(temperature=0.0)
        asked = Asked([{"role": "user", "content": sentence}], self._infer_tokens, greedy, (), False, False)
        pieces, _tokens = await self._start(asked)
        return self._respond(200, [(await joined(pieces)).text])

    async def chat_completions(self, request: Request) -> Response:
        return await self._answer(parse(await self._body(request), self._offer, chat=True))

    async def completions(self, request: Request) -> Response:
        return await self._answer(parse(await self._body(request), self._offer, chat=False))

    async def models(self, _request: Request) -> Response:
        return self._respond(200, {"object": "list", "data": [self._model]})

    async def model(self, request: Request) -> Response:
        if request.path_params["name"] != self._offer.model:
            raise unknown_model(request.path_params["name"], self._offer)
        return self._respond(200, self._model)

    async def _body(self, request: Request) -> bytes:
        """The body. Of one that is too long, no more is read than shows it."""
        too_long = ApiError(413, f"the body has more than {self._max_body} bytes", code="request_too_large")
        if int(request.headers.get("content-length", 0)) > self._max_body:
            raise too_long
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._max_body:
                raise too_long
        return bytes(body)

    async def _start(self, asked: Asked) -> tuple[AsyncIterator[Piece], int]:
        """The pieces of the answer, and the number of tokens of the prompt."""
        try:
            tokens = await self._engine.tokens(asked.prompt)
        except BadPrompt as problem:
            raise ApiError(400, f"the model's chat template refuses the messages: {problem}", "messages") from problem
        room = room_for_answer(asked, len(tokens), self._offer)
        return self._engine.answer(tokens, room, asked.stops, asked.sampling), len(tokens)

    async def _answer(self, asked: Asked) -> Response:
        pieces, prompt_tokens = await self._start(asked)
        answer = Answer(asked, self._offer.model, prompt_tokens)
        if not asked.stream:
            whole = await joined(pieces)
            return self._respond(200, answer.whole(whole.text, whole.tokens, whole.finish_reason))
        # Awaited here: what fails before the first token is an error with a status, not a stream that breaks off.
        first = await anext(pieces)
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        return EventStream(pieces, events(answer, first, pieces), self._headers | headers)

    def _respond(self, status: int, content: Any, headers: dict[str, str] | None = None) -> Response:
        return JSONResponse(content, status_code=status, headers=self._headers | (headers or {}))

    async def _api_error(self, _request: Request, error: ApiError) -> Response:
        return self._respond(error.status, error.body)

    async def _http_error(self, request: Request, error: HTTPException) -> Response:
        """Of the router: no such path, or not by this method."""
        text = f"{request.method} {request.url.path}: {error.detail}"
        return self._respond(error.status_code, ApiError(error.status_code, text).body, error.headers)

    async def _model_failed(self, _request: Request, failure: ModelFailed) -> Response:
        logger.error("the model failed", exc_info=failure)
        return self._respond(500, ApiError(500, f"the model failed: {failure}").body)

    async def _bug(self, _request: Request, _error: Exception) -> Response:
        # Starlette raises the error again behind this answer, and Serve writes it into the replica's log.
        return self._respond(500, ApiError(500, "an error in the application; the replica's log has it").body)


async def joined(pieces: AsyncIterator[Piece]) -> Piece:
    """All pieces in one."""
    async with aclosing(pieces):
        everything = [piece async for piece in pieces]
    return Piece("".join(piece.text for piece in everything), everything[-1].tokens, everything[-1].finish_reason)


async def events(answer: Answer, first: Piece, others: AsyncIterator[Piece]) -> AsyncIterator[bytes]:
    """The server-sent events of an answer. If the model fails half-way, the last one is an error."""

    def of(piece: Piece) -> bytes:
        parts = [answer.part(piece.text)] if piece.text else []
        return b"".join(
            map(event, parts + (answer.closing(piece.tokens, piece.finish_reason) if piece.finish_reason else []))
        )

    yield b"".join(map(event, answer.opening())) + of(first)
    try:
        async for piece in others:
            yield of(piece)
    except ModelFailed as failure:
        logger.exception("the model failed in the middle of an answer")
        yield event(ApiError(500, f"the model failed in the middle of the answer: {failure}").body)
    else:
        yield DONE
