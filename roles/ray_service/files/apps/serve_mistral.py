# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ray Serve application: `GET /infer?sentence=…` answers a JSON list with one string, made by llama.cpp.

The response headers `x-serve-replica` and `x-serve-node` tell who answered. A request that cannot be answered gets
status 400 and `{"error": "…"}`. `GET /-/healthz` belongs to Serve's own proxy.
"""

from __future__ import annotations

import os
from typing import Any

from llama_engine import BadSentence, Engine, checked_sentence
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse


class Mistral:
    """One replica: one model."""

    def __init__(self, model_path: str, max_tokens: int, max_chars: int, context: int) -> None:
        def load() -> Any:
            # Imported where a replica starts: the head reads this module too, and needs neither library nor model.
            from llama_cpp import Llama

            return Llama(model_path=model_path, n_ctx=context, seed=0, verbose=False)

        self._engine = Engine(load, max_tokens)
        self._max_chars = max_chars
        self._headers = {
            "x-serve-replica": serve.get_replica_context().replica_tag,
            "x-serve-node": os.environ.get("NODE_NAME", ""),
        }

    async def __call__(self, request: Request) -> JSONResponse:
        if request.url.path != "/infer":
            return self._respond(404, {"error": f"there is no {request.url.path}: ask for /infer?sentence=..."})
        if request.method not in ("GET", "HEAD"):
            return self._respond(405, {"error": f"{request.method} is not possible: use GET"})
        try:
            sentence = checked_sentence(request.query_params.get("sentence"), self._max_chars)
            return self._respond(200, [await self._engine.answer(sentence)])
        except BadSentence as problem:
            return self._respond(400, {"error": str(problem)})

    def check_health(self) -> None:
        """Called by Serve now and then; an exception has the replica replaced."""
        self._engine.check()

    def _respond(self, status: int, content: Any) -> JSONResponse:
        return JSONResponse(content, status_code=status, headers=self._headers)


def build(args: dict[str, Any]) -> serve.Application:
    """The application from `args` of the Serve config: model_path; max_tokens, max_chars, context where they differ."""
    return serve.deployment(Mistral, name="Mistral").bind(
        model_path=args["model_path"],
        max_tokens=int(args.get("max_tokens", 16)),
        max_chars=int(args.get("max_chars", 2000)),
        context=int(args.get("context", 2048)),
    )
