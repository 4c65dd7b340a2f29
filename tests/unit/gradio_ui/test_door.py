# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who comes in, and what the browser is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from door import MOST_BYTES, POLICY, Door, credentials

EXPECTED = credentials("anna", "pässwort:1")


def answer(
    door: Door, path: str, authorization: bytes | None = None, *more: tuple[bytes, bytes]
) -> tuple[int, dict[bytes, bytes]]:
    events: list[dict[str, Any]] = []

    async def send(event: dict[str, Any]) -> None:
        events.append(event)

    headers = [(b"host", b"x"), *more] + ([(b"authorization", authorization)] if authorization is not None else [])
    asyncio.run(door({"type": "http", "path": path, "headers": headers}, None, send))
    assert [one["type"] for one in events] == ["http.response.start", "http.response.body"]
    return events[0]["status"], dict(events[0]["headers"])


async def inside(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-inside", b"yes")]})
    await send({"type": "http.response.body", "body": b"page"})


def test_header() -> None:
    assert credentials("Aladdin", "open sesame") == b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    ("expected", "path", "given", "status"),
    [
        (EXPECTED, "/", None, 401),
        (EXPECTED, "/", b"", 401),
        (EXPECTED, "/", b"Basic !!!", 401),
        (EXPECTED, "/", credentials("anna", "pässwort"), 401),
        (EXPECTED, "/", credentials("Anna", "pässwort:1"), 401),
        (EXPECTED, "/gradio_api/queue/join", None, 401),
        (EXPECTED, "/", EXPECTED, 200),
        (EXPECTED, "/gradio_api/upload", EXPECTED, 404),
        (EXPECTED, "/healthz", None, 200),
        (EXPECTED, "/healthz/..", None, 401),
        (b"", "/", None, 200),
        (b"", "/gradio_api/upload_progress", None, 404),
        (b"", "/gradio_api/process_recording", None, 404),
        (b"", "/gradio_api/component_server", None, 404),
        (b"", "/gradio_api/component_server/", None, 404),
        (b"", "/gradio_api/file=/etc/passwd", None, 404),
        (b"", "/gradio_api/run/asked", None, 404),
        (b"", "/gradio_api/queue/join", None, 200),
        (b"", "/gradio_api/heartbeat/abc", None, 200),
        (b"", "//gradio_api/upload", None, 404),
        (b"", "/assets", None, 404),
        (b"", "/assets/index.js", None, 200),
    ],
)
def test_who_comes_in(expected: bytes, path: str, given: bytes | None, status: int) -> None:
    got, headers = answer(Door(inside, expected), path, given)
    came_in = status == 200 and path != "/healthz"
    assert got == status
    assert (headers.get(b"x-inside") == b"yes") is came_in
    assert (headers.get(b"content-security-policy") == POLICY) is came_in
    assert (b"www-authenticate" in headers) is (status == 401)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ((b"content-length", b"0"), 200),
        ((b"content-length", str(MOST_BYTES).encode()), 200),
        ((b"content-length", str(MOST_BYTES + 1).encode()), 413),
        ((b"transfer-encoding", b"chunked"), 411),
    ],
)
def test_a_body_has_its_limit(header: tuple[bytes, bytes], status: int) -> None:
    assert answer(Door(inside, b""), "/gradio_api/queue/join", None, header)[0] == status
    # Nobody learns of limits who may not come in.
    assert answer(Door(inside, EXPECTED), "/gradio_api/queue/join", None, header)[0] == 401


def body_routes(routes: list[Any]) -> set[str]:
    """The paths, as patterns, that take requests with a body."""
    found = set()
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        found |= body_routes(getattr(inner, "routes", None) or [])
        if {"POST", "PUT", "PATCH", "DELETE"} & set(getattr(route, "methods", None) or ()):
            found.add(route.path)
    return found


def test_of_gradio_only_what_the_page_needs_takes_bodies() -> None:
    import gradio

    with gradio.Blocks(analytics_enabled=False) as page:
        gradio.Markdown("x")
    patterns = body_routes(gradio.routes.App.create_app(page).routes)
    assert {"/gradio_api/upload", "/gradio_api/process_recording", "/gradio_api/run/{api_name}"} <= patterns
    patterns.add("/gradio_api/run/predict")
    taken = {path for path in patterns if answer(Door(inside, b""), path)[0] == 200}
    needed = {"cancel", "queue/join", "reset", "run/predict"}
    assert taken == {f"/gradio_api/{name}" for name in needed}


def test_lifespan_passes() -> None:
    seen = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(Door(app, EXPECTED)({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]
