# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ray Serve application: the OpenAI API of a vLLM server, one beside each replica.

`ray.serve.llm` would be less, but each Ray knows one vLLM only (Ray 2.60: 0.29), and for Inferentia there is none newer than
0.16. So replica and vLLM are two processes, each with the Python packages it wants, and what joins them is `vllm serve` and HTTP.

The replica starts the server, waits until it is healthy, hands requests below /v1/ to it and its answers back, piece by piece.
A client that hangs up ends the request to the server, and so the making of the answer. The headers `x-serve-replica` and
`x-serve-node` tell who answered.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

# Seconds that the server may take to say that it is healthy.
HEALTH_TIMEOUT = 10.0


class Server:
    """One replica: one vLLM server."""

    async def __init__(self, command: list[str], directory: str) -> None:
        """Start `command` (`vllm serve` with its arguments) in `directory`, where it may write.

        Returns when it is healthy: models have been fetched and compiled then, which takes minutes. Raises RuntimeError if it
        ends before.
        """
        Path(directory).mkdir(parents=True, exist_ok=True)
        # Kept, for it is removed with the object.
        self._place = tempfile.TemporaryDirectory()
        socket = str(Path(self._place.name) / "vllm.sock")
        # The server must not outlive the replica, however that ends: it holds the accelerator that the next one needs.
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *command, "--uds", socket], cwd=directory
        )
        self._session = aiohttp.ClientSession(
            "http://vllm", connector=aiohttp.UnixConnector(socket, limit=0), timeout=aiohttp.ClientTimeout(total=None)
        )
        self._headers = {
            "x-serve-replica": serve.get_replica_context().replica_tag,
            "x-serve-node": os.environ.get("NODE_NAME", ""),
        }
        while not await self._healthy():
            self._require_running()
            await asyncio.sleep(1)

    async def __call__(self, request: Request) -> Response:
        path = request.url.path
        if not path.startswith("/v1/"):
            return self._error(
                404, "invalid_request_error", f"there is no {path}: ask for /v1/chat/completions or /v1/models"
            )
        try:
            answer = await self._session.request(
                request.method,
                path,
                params=request.query_params.multi_items(),
                data=await request.body(),
                headers={"content-type": request.headers.get("content-type", "application/json")},
            )
        except aiohttp.ClientError as problem:
            # Serve's health check is about to replace the replica.
            return self._error(503, "server_error", f"the model does not answer: {problem}")
        return StreamingResponse(
            pieces(answer),
            answer.status,
            headers=self._headers | {"content-type": answer.headers.get("content-type", "text/plain")},
        )

    async def check_health(self) -> None:
        """Called by Serve now and then; an exception has the replica replaced."""
        self._require_running()
        if not await self._healthy():
            raise RuntimeError(f"vLLM has not said within {HEALTH_TIMEOUT:.0f} s that it is healthy")

    def _require_running(self) -> None:
        status = self._process.poll()
        if status is not None:
            raise RuntimeError(f"vLLM has ended with status {status}; its last words are in the replica's log")

    async def _healthy(self) -> bool:
        try:
            async with self._session.get("/health", timeout=aiohttp.ClientTimeout(total=HEALTH_TIMEOUT)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _error(self, status: int, kind: str, message: str) -> Response:
        """As OpenAI tells errors."""
        error = {"message": message, "type": kind, "param": None, "code": None}
        return JSONResponse({"error": error}, status, self._headers)


async def pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The answer's body as it comes. Whoever stops listening ends the connection, by which vLLM knows that nobody listens."""
    try:
        async for piece in answer.content.iter_any():
            yield piece
    finally:
        answer.close()


def build(args: dict[str, Any]) -> serve.Application:
    """The application from `args` of the Serve config: command (list of text) and directory."""
    return serve.deployment(Server, name="Server").bind(
        command=[str(word) for word in args["command"]], directory=args["directory"]
    )
