# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application that puts a vLLM server behind a replica: real processes, sockets and streams, and a stand-in for vLLM."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

APPS = Path(__file__).parents[3] / "roles" / "ray_service" / "files" / "apps"
# Answers the address that it is asked for; counts to a thousand slowly; notes down that somebody has hung up.
VLLM = """
import asyncio, sys
from aiohttp import web

async def health(request):
    return web.Response(status=200)

async def echo(request):
    body = await request.text()
    return web.json_response({"path": request.path_qs, "method": request.method, "body": body,
                              "type": request.headers["content-type"]}, status=418)

async def count(request):
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    try:
        for number in range(1000):
            await response.write(f"data: {number}\\n\\n".encode())
            await asyncio.sleep(0.02)
    except (ConnectionError, asyncio.CancelledError):
        open("hung-up", "w").close()
        raise
    return response

app = web.Application()
app.router.add_get("/health", health)
app.router.add_post("/v1/count", count)
app.router.add_route("*", "/v1/{rest:.*}", echo)
web.run_app(app, path=sys.argv[sys.argv.index("--uds") + 1], handler_cancellation=True, print=None)
"""
COMMAND = [sys.executable, "-c", VLLM, "serve", "--served-model-name=m"]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """The module of the application, imported as on a node, with a stand-in for Ray."""
    serve = types.ModuleType("ray.serve")
    serve.get_replica_context = lambda: types.SimpleNamespace(replica_tag="replica-7")  # type: ignore[attr-defined]
    serve.Application = object  # type: ignore[attr-defined]
    ray = types.ModuleType("ray")
    ray.serve = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.serve", serve)
    monkeypatch.syspath_prepend(str(APPS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("NODE_NAME", "node-3")
    monkeypatch.delitem(sys.modules, "serve_vllm", raising=False)
    import serve_vllm

    yield serve_vllm
    sys.modules.pop("serve_vllm", None)


async def started(app: types.ModuleType, command: list[str], directory: Path) -> Any:
    """A replica as Serve makes one, whose __init__ may be async."""
    replica = app.Server.__new__(app.Server)
    await replica.__init__(command, str(directory))
    return replica


@contextlib.asynccontextmanager
async def served(app: types.ModuleType, directory: Path) -> AsyncIterator[tuple[Any, aiohttp.ClientSession]]:
    """A replica behind a real HTTP server, and a client."""
    import uvicorn
    from starlette.requests import Request

    replica = await started(app, COMMAND, directory)

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        response = await replica(Request(scope, receive))
        await response(scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(asgi, port=0, lifespan="off", log_level="error"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield replica, client
    finally:
        server.should_exit = True
        await running
        replica._process.kill()
        replica._process.wait()
        await replica._session.close()


def test_requests_and_answers_go_through(app: types.ModuleType, tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(app, tmp_path / "new" / "directory") as (replica, client):
            await replica.check_health()
            async with client.post("/v1/chat/completions?a=b%20c&a=d", data='{"x": "ü"}') as answer:
                assert answer.status == 418
                assert answer.headers["x-serve-replica"] == "replica-7"
                assert answer.headers["x-serve-node"] == "node-3"
                assert answer.content_type == "application/json"
                seen = json.loads(await answer.text())
            assert seen["method"] == "POST"
            assert seen["path"] == "/v1/chat/completions?a=b+c&a=d"
            assert seen["body"] == '{"x": "ü"}'
            async with client.get("/v1/models") as answer:
                assert json.loads(await answer.text())["method"] == "GET"
            for path in ("/metrics", "/v1", "/"):
                async with client.get(path) as answer:
                    assert answer.status == 404
                    error = (await answer.json())["error"]
                    assert set(error) == {"message", "type", "param", "code"}
                    assert path in error["message"]

    asyncio.run(scene())


def test_an_answer_streams_and_ends_with_its_listener(app: types.ModuleType, tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(app, tmp_path) as (_replica, client):
            begun = time.monotonic()
            async with client.post("/v1/count") as answer:
                assert answer.content_type == "text/event-stream"
                assert await answer.content.readline() == b"data: 0\n"
            # The whole takes 20 s.
            assert time.monotonic() - begun < 10
            async with asyncio.timeout(10):
                while not (tmp_path / "hung-up").exists():
                    await asyncio.sleep(0.02)

    asyncio.run(scene())


def test_a_dead_server_is_told_and_noticed(app: types.ModuleType, tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(app, tmp_path) as (replica, client):
            replica._process.send_signal(signal.SIGKILL)
            replica._process.wait()
            async with client.get("/v1/models") as answer:
                assert answer.status == 503
                assert (await answer.json())["error"]["type"] == "server_error"
            with pytest.raises(RuntimeError, match="status -9"):
                await replica.check_health()

    asyncio.run(scene())


def test_a_hung_server_is_unhealthy(app: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with served(app, tmp_path) as (replica, _client):
            replica._process.send_signal(signal.SIGSTOP)
            monkeypatch.setattr(app, "HEALTH_TIMEOUT", 0.3)
            with pytest.raises(RuntimeError, match="healthy"):
                await replica.check_health()

    asyncio.run(scene())


def test_a_server_that_cannot_start_is_told(app: types.ModuleType, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="status 3"):
        asyncio.run(started(app, [sys.executable, "-c", "raise SystemExit(3)"], tmp_path))


def test_the_server_does_not_outlive_the_replica(tmp_path: Path) -> None:
    """Not even one that is killed: the next replica needs the accelerator."""
    program = f"""
import asyncio, sys, types
serve = types.ModuleType("ray.serve")
serve.get_replica_context = lambda: types.SimpleNamespace(replica_tag="r")
serve.Application = object
ray = types.ModuleType("ray")
ray.serve = serve
sys.modules |= {{"ray": ray, "ray.serve": serve}}
sys.path.insert(0, {str(APPS)!r})
import serve_vllm

async def main():
    replica = serve_vllm.Server.__new__(serve_vllm.Server)
    await replica.__init__({COMMAND!r}, {str(tmp_path)!r})
    print(replica._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as replica:
        assert replica.stdout
        server = int(replica.stdout.readline())
        assert Path(f"/proc/{server}").exists()
        replica.kill()
    deadline = time.monotonic() + 10
    # As a zombie it holds nothing any more.
    while Path(f"/proc/{server}/cmdline").exists() and Path(f"/proc/{server}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_arguments_of_the_profile_fit(render: Any, app: types.ModuleType) -> None:
    """What the profile says is what the builder takes, and all of the command is text."""
    bound: dict[str, Any] = {}

    class Deployment:
        def bind(self, **given: Any) -> None:
            bound.update(given)

    app.serve.deployment = lambda target, name: Deployment()
    given = {"ray_service_profile": "neuron", "ray_service_image": "i:1", "ray_service_tensor_parallel_size": 8}
    profile = render("ray_service__profile", **given)
    app.build(profile["args"])
    assert bound["directory"] == "/cache/models"
    assert all(isinstance(word, str) for word in bound["command"])
    assert bound["command"][:3] == ["vllm", "serve", "mistralai/Mistral-7B-Instruct-v0.2"]
    assert "--tensor-parallel-size=8" in bound["command"]
    assert [one["name"] for one in profile["deployments"]] == ["Server"]
