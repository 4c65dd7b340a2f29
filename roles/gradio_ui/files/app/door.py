# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before the page: a password, if there is one, a probe, and nothing that the page does not need."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

#: The browser loads nothing from elsewhere, not even a picture that an answer names, and no other page shows this one within it.
POLICY = (
    b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'self'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
#: All that the page asks for. Gradio has much more: uploads, files, records of what was asked.
PATHS = {
    "/",
    "/config",
    "/favicon.ico",
    "/manifest.json",
    "/theme.css",
    "/gradio_api/app_id",
    "/gradio_api/cancel",
    "/gradio_api/info",
    "/gradio_api/queue/data",
    "/gradio_api/queue/join",
    "/gradio_api/reset",
    # The button that stops an answer: the only event that does not go by the queue.
    "/gradio_api/run/predict",
}
BELOW = ("/assets/", "/static/", "/gradio_api/heartbeat/")
#: Bytes of a request: the two million characters that the page keeps, in any script, and a long question.
MOST_BYTES = 8 << 20


def credentials(username: str, password: str) -> bytes:
    """The header C(Authorization) of HTTP's basic authentication."""
    return b"Basic " + base64.b64encode(f"{username}:{password}".encode())


class Door:
    """An ASGI application around another one.

    Basic authentication and no log-in form: browsers send it with every request, so that no replica has to remember who has
    logged in. C(expected): see C(credentials); empty lets everybody in.
    """

    def __init__(self, app: App, expected: bytes) -> None:
        self.app, self.expected = app, expected

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == "/healthz":
            await refuse(send, 200)
        elif self.expected and not hmac.compare_digest(given(scope), self.expected):
            await refuse(send, 401, (b"www-authenticate", b'Basic realm="chat", charset="UTF-8"'))
        elif not (scope["path"] in PATHS or scope["path"].startswith(BELOW)):
            await refuse(send, 404)
        elif status := too_large(dict(scope["headers"])):
            await refuse(send, status)
        else:
            await self.app(scope, receive, guarded(send))


def given(scope: dict[str, Any]) -> bytes:
    return dict(scope["headers"]).get(b"authorization", b"")


def too_large(headers: dict[bytes, bytes]) -> int:
    """The status that refuses the body, or 0. One whose length is not told beforehand, as browsers tell it, is refused too."""
    if b"transfer-encoding" in headers:
        return 411
    return 413 if int(headers.get(b"content-length", b"0")) > MOST_BYTES else 0


def guarded(send: Any) -> Any:
    async def with_policy(event: dict[str, Any]) -> None:
        if event["type"] == "http.response.start":
            event = event | {"headers": [*event["headers"], (b"content-security-policy", POLICY)]}
        await send(event)

    return with_policy


async def refuse(send: Any, status: int, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0"), *headers]})
    await send({"type": "http.response.body", "body": b""})
