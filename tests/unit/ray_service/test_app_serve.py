# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application as Ray Serve runs it: its own Ray, one replica without a cluster."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray.cloudpickle
import yaml

from .app_stand_ins import APPS, HEADERS, llama_cpp, llama_engine, served

# Ray's own.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CPU = APPS.parents[1] / "vars" / "profiles" / "cpu.yml"


@pytest.fixture
def serve_mistral(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import serve_mistral

    for name, module in llama_cpp().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(
        serve_mistral.serve, "get_replica_context", lambda: types.SimpleNamespace(replica_tag="replica-7")
    )
    monkeypatch.setenv("NODE_NAME", "node-3")
    return serve_mistral


@pytest.fixture
def replica(serve_mistral: Any, tmp_path: Path) -> Callable[..., Any]:
    """A replica with these arguments, made as Serve makes one: of what came over the wire."""

    def made(**args: Any) -> Any:
        (tmp_path / "m.gguf").write_bytes(b"")
        os.utime(tmp_path / "m.gguf", (1700000000, 1700000000))
        args = {"model_path": f"{tmp_path}/m.gguf", "model": "org/tiny", "context": 512} | args
        deployment = serve_mistral.build(args)._bound_deployment
        assert deployment.name == "Mistral"
        target = ray.cloudpickle.loads(ray.cloudpickle.dumps(deployment.func_or_class))
        # A coroutine, which nobody but Serve awaits.
        target.__del__ = lambda self: None
        instance = target.__new__(target)
        asyncio.run(instance.__init__())
        return instance

    return made


def test_it_answers(replica: Callable[..., Any]) -> None:
    with served(replica().app) as url:
        response = httpx.get(f"{url}/infer", params={"sentence": "abc"})
        assert (response.status_code, response.json()) == (200, ["cba"])
        assert response.headers.items() >= HEADERS.items()
        (model,) = httpx.get(f"{url}/v1/models").json()["data"]
        assert (model["id"], model["created"], model["max_model_len"]) == ("org/tiny", 1700000000, 512)


def test_arguments_arrive(replica: Callable[..., Any]) -> None:
    with served(replica(max_tokens=7, default_max_tokens=5, infer_tokens=3, max_body=100).app) as url:

        def said(**fields: Any) -> httpx.Response:
            return httpx.post(f"{url}/v1/completions", json={"model": "org/tiny", "prompt": "x" * 20} | fields)

        assert said().json()["usage"]["completion_tokens"] == 5
        assert "from 1 to 7" in said(max_tokens=8).json()["error"]["message"]
        assert said(user="x" * 100).status_code == 413
        assert httpx.get(f"{url}/infer?sentence=forever").json() == ["xxx"]


def test_an_answer_may_fill_the_context(replica: Callable[..., Any]) -> None:
    with served(replica().app) as url:
        asked = {"model": "org/tiny", "prompt": "forever", "max_tokens": 504}
        answer = httpx.post(f"{url}/v1/completions", json=asked).json()
        assert answer["usage"] == {"prompt_tokens": 8, "completion_tokens": 504, "total_tokens": 512}
        refused = httpx.post(f"{url}/v1/completions", json=asked | {"max_tokens": 505})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
        assert "from 1 to 512" in httpx.post(f"{url}/v1/completions", json=asked | {"max_tokens": 513}).json()["error"]["message"]


@pytest.mark.parametrize(("threads", "cores", "expected"), [(3, 8, 3), (0, 8, 4), (0, 1, 1)])
def test_threads(
    replica: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, threads: int, cores: int, expected: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert replica(threads=threads).app.state.engine._model._llama.given["n_threads"] == expected


def test_health(replica: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    made = replica()
    made.check_health()
    monkeypatch.setattr(made.app.state.engine, "_last_step", -llama_engine.STUCK_AFTER)
    with pytest.raises(RuntimeError, match="has not made a step"):
        made.check_health()


def test_an_unknown_argument_is_told_before_anything_is_deployed(serve_mistral: Any) -> None:
    with pytest.raises(TypeError, match="max_chars"):
        serve_mistral.build({"model_path": "/m.gguf", "model": "m", "context": 512, "max_chars": 7})


def test_the_profile_brings_what_it_takes(tmp_path: Path) -> None:
    profile = yaml.safe_load(CPU.read_text(encoding="utf-8"))["ray_service__profile"]
    for name in profile["files"]:
        shutil.copy(APPS / name, tmp_path)
    module, builder = profile["import_path"].split(":")
    # With nothing else on the path, and without llama_cpp: the head builds the application, and has no model.
    code = f"import json, sys, {module}; {module}.{builder}(json.loads(sys.argv[1]))"
    result = subprocess.run(
        [sys.executable, "-B", "-c", code, json.dumps(profile["args"])],
        env={"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
