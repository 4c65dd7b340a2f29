# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application without Ray and without llama.cpp: stand-ins take their places."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

APPS = Path(__file__).parents[3] / "roles" / "ray_service" / "files" / "apps"


class Llama:
    """Answers with the sentence backwards; notes its callers' threads and how many were inside at once."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.calls: list[dict[str, Any]] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.inside = 0
        self.most = 0

    def create_chat_completion(self, messages: list[dict[str, str]], **options: Any) -> dict[str, Any]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.calls.append(options)
        self.threads.add(threading.current_thread().name)
        try:
            assert self.gate.wait(10)
            sentence = messages[0]["content"]
            if sentence == "bug":
                raise ValueError("something else")
            if len(sentence) > 100:
                raise ValueError("Requested tokens (999) exceed context window of 512")
            return {"choices": [{"message": {"content": sentence[::-1]}}]}
        finally:
            self.inside -= 1


class Response:
    def __init__(self, content: Any, status_code: int, headers: dict[str, str]) -> None:
        self.content, self.status_code, self.headers = content, status_code, headers


class Request:
    def __init__(self, path: str, method: str = "GET", **query: str) -> None:
        self.url = types.SimpleNamespace(path=path)
        self.method = method
        self.query_params = query


class Deployment:
    def __init__(self, target: type, name: str) -> None:
        self.target, self.name = target, name

    def bind(self, **given: Any) -> tuple[type, str, dict[str, Any]]:
        return self.target, self.name, given


@pytest.fixture
def apps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules of the application, imported as on a node, with stand-ins for ray, starlette and llama_cpp."""
    serve = types.ModuleType("ray.serve")
    serve.deployment = Deployment  # type: ignore[attr-defined]
    serve.Application = object  # type: ignore[attr-defined]
    serve.get_replica_context = lambda: types.SimpleNamespace(replica_tag="replica-7")  # type: ignore[attr-defined]
    standins: dict[str, dict[str, Any]] = {
        "ray": {"serve": serve},
        "starlette": {},
        "starlette.requests": {"Request": Request},
        "starlette.responses": {"JSONResponse": Response},
        "llama_cpp": {"Llama": Llama},
    }
    for name, members in standins.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "ray.serve", serve)
    monkeypatch.syspath_prepend(str(APPS))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("llama_engine", "serve_mistral"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import llama_engine
    import serve_mistral

    yield types.SimpleNamespace(engine=llama_engine, serve=serve_mistral)
    for name in ("llama_engine", "serve_mistral"):
        sys.modules.pop(name, None)


def replica(apps: Any, monkeypatch: pytest.MonkeyPatch, **args: Any) -> Any:
    monkeypatch.setenv("NODE_NAME", "node-3")
    target, name, given = apps.serve.build({"model_path": "/m.gguf"} | args)
    assert name == "Mistral"
    return target(**given)


@pytest.mark.parametrize(
    ("request_", "status", "content"),
    [
        (Request("/infer", sentence="abc"), 200, ["cba"]),
        (Request("/infer", "HEAD", sentence="abc"), 200, ["cba"]),
        (Request("/infer", sentence="  abc "), 200, ["cba"]),
        (Request("/infer"), 400, "'sentence' is missing"),
        (Request("/infer", sentence="  "), 400, "'sentence' is missing"),
        (Request("/infer", sentence="x" * 201), 400, "201 characters, at most 200"),
        (Request("/infer", sentence="x" * 150), 400, "exceed context window"),
        (Request("/", sentence="abc"), 404, "/infer"),
        (Request("/infer", "POST", sentence="abc"), 405, "GET"),
    ],
)
def test_answers(apps: Any, monkeypatch: pytest.MonkeyPatch, request_: Request, status: int, content: Any) -> None:
    response = asyncio.run(replica(apps, monkeypatch, max_chars=200)(request_))
    assert response.status_code == status
    assert response.headers == {"x-serve-replica": "replica-7", "x-serve-node": "node-3"}
    if status == 200:
        assert response.content == content
    else:
        assert content in response.content["error"]
    json.dumps(response.content)


def test_options_reach_the_model(apps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = replica(apps, monkeypatch, max_tokens=5, context=99)
    llama = made._engine._llama
    assert llama.given == {"model_path": "/m.gguf", "n_ctx": 99, "seed": 0, "verbose": False}
    assert llama.calls == [{"max_tokens": 5, "temperature": 0.0}]  # warmed up


def test_one_at_a_time_and_the_loop_stays_free(apps: Any) -> None:
    llama = Llama()
    engine = apps.engine.Engine(lambda: llama, 16)
    llama.threads.clear()

    async def scene() -> list[str]:
        llama.gate.clear()
        answers = [asyncio.create_task(engine.answer(word)) for word in ("ab", "cd", "ef")]
        for _turn in range(20):  # the loop turns while the model is at work
            await asyncio.sleep(0.001)
        assert not any(answer.done() for answer in answers)
        llama.gate.set()
        return await asyncio.gather(*answers)

    assert asyncio.run(scene()) == ["ba", "dc", "fe"]
    assert llama.most == 1
    assert len(llama.threads) == 1
    assert threading.current_thread().name not in llama.threads


def test_only_a_stuck_model_is_unhealthy(apps: Any) -> None:
    now = [0.0]
    llama = Llama()
    engine = apps.engine.Engine(lambda: llama, 16, clock=lambda: now[0])
    now[0] = 10_000.0
    engine.check()  # idle for long

    async def scene() -> None:
        llama.gate.clear()
        answer = asyncio.create_task(engine.answer("ab"))
        while not llama.inside:
            await asyncio.sleep(0.001)
        engine.check()  # busy
        now[0] += apps.engine.STUCK_AFTER + 1
        with pytest.raises(RuntimeError, match="300 s"):
            engine.check()
        llama.gate.set()
        await answer
        engine.check()

    asyncio.run(scene())


def test_other_errors_are_no_bad_requests(apps: Any) -> None:
    engine = apps.engine.Engine(Llama, 16)
    with pytest.raises(ValueError, match="something else") as caught:
        asyncio.run(engine.answer("bug"))
    assert not isinstance(caught.value, apps.engine.BadSentence)


def test_a_missing_model_shows_at_start(apps: Any) -> None:
    def load() -> Any:
        raise ValueError("Model path does not exist: /m.gguf")

    with pytest.raises(ValueError, match=r"/m\.gguf"):
        apps.engine.Engine(load, 16)
