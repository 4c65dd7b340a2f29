# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application over HTTP: uvicorn, a socket and httpx."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .app_stand_ins import HEADERS, MAX_BODY, OFFER, Llama, engine, http_api, openai_api, service

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "abc"}
BODY = {"model": "org/tiny", "messages": [USER], "temperature": 0}
TEXT = {"model": "org/tiny", "prompt": "abc", "temperature": 0}


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[str, Llama]]:
    with service() as (url, llama):
        yield url, llama


@pytest.fixture
def llama(running: tuple[str, Llama]) -> Iterator[Llama]:
    yield running[1]
    running[1].seconds_a_token = 0.0
    running[1].gate.set()


@pytest.fixture
def client(running: tuple[str, Llama]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running[0], timeout=10) as made:
        yield made


def ask(question: str, **fields: Any) -> dict[str, Any]:
    return BODY | {"messages": [{"role": "user", "content": question}]} | fields


def chunks(response: httpx.Response) -> Iterator[dict[str, Any]]:
    lines = [line for line in response.iter_lines() if line]
    assert lines.pop() == "data: [DONE]"
    return (json.loads(line.removeprefix("data: ")) for line in lines)


def error(response: httpx.Response) -> dict[str, Any]:
    assert response.headers.items() >= HEADERS.items()
    assert response.json().keys() == {"error"}
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}
    return response.json()["error"]


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("sentence", "answer"), [("abc", "cba"), ("  abc ", "cba"), ("a&b+c d", "d c+b&a"), ("é日", "日é")]
)
def test_infer(client: httpx.Client, sentence: str, answer: str) -> None:
    response = client.get("/infer", params={"sentence": sentence})
    assert (response.status_code, response.json()) == (200, [answer])
    assert response.headers.items() >= HEADERS.items()


def test_infer_is_short_and_always_the_same(client: httpx.Client, llama: Llama) -> None:
    assert client.get("/infer", params={"sentence": "forever"}).json() == ["x" * 16]
    assert llama.options[-1]["temp"] == 0.0


@pytest.mark.parametrize("query", ["", "?sentence=", "?sentence=%20", "?words=abc"])
def test_infer_without_a_sentence(client: httpx.Client, query: str) -> None:
    response = client.get(f"/infer{query}")
    assert response.status_code == 400
    assert error(response)["param"] == "sentence"


def test_head(client: httpx.Client) -> None:
    response = client.head("/infer?sentence=abc")
    assert (response.status_code, response.content) == (200, b"")


def test_chat(client: httpx.Client) -> None:
    response = client.post(CHAT, json=BODY)
    assert response.status_code == 200
    assert response.headers.items() >= HEADERS.items()
    answer = response.json()
    assert answer.pop("id").startswith("chatcmpl-")
    assert abs(answer.pop("created") - time.time()) < 60
    assert answer == {
        "object": "chat.completion",
        "model": "org/tiny",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "cba"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        # <s>[INST] abc [/INST]
        "usage": {"prompt_tokens": 19, "completion_tokens": 3, "total_tokens": 22},
    }


def test_completion(client: httpx.Client) -> None:
    answer = client.post("/v1/completions", json=TEXT | {"max_tokens": 2}).json()
    assert answer.pop("id").startswith("cmpl-")
    answer.pop("created")
    assert answer == {
        "object": "text_completion",
        "model": "org/tiny",
        "choices": [{"index": 0, "text": "cb", "logprobs": None, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
    }


def test_every_answer_has_an_id_of_its_own(client: httpx.Client) -> None:
    assert len({client.post(CHAT, json=BODY).json()["id"] for _time in range(3)}) == 3


@pytest.mark.parametrize("usage", [True, False])
def test_stream(client: httpx.Client, usage: bool) -> None:
    options = {"stream": True} | ({"stream_options": {"include_usage": True}} if usage else {})
    with client.stream("POST", CHAT, json=BODY | options) as response:
        assert response.status_code == 200
        assert response.headers.items() >= HEADERS.items()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache"
        got = list(chunks(response))
    assert {chunk["object"] for chunk in got} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in got}) == 1
    if usage:
        last = got.pop()
        assert last["choices"] == []
        assert last["usage"] == {"prompt_tokens": 19, "completion_tokens": 3, "total_tokens": 22}
    assert all(("usage" in chunk) == usage and chunk.get("usage") is None for chunk in got)
    deltas = [chunk["choices"][0]["delta"] for chunk in got]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta["content"] for delta in deltas[1:-1]) == "cba"
    assert deltas[-1] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in got] == [None] * (len(got) - 1) + ["stop"]


def test_stream_of_a_completion(client: httpx.Client) -> None:
    with client.stream("POST", "/v1/completions", json=TEXT | {"stream": True}) as response:
        got = list(chunks(response))
    assert {chunk["object"] for chunk in got} == {"text_completion"}
    assert "".join(chunk["choices"][0]["text"] for chunk in got) == "cba"
    assert got[-1]["choices"][0]["finish_reason"] == "stop"


def test_characters_are_not_torn(client: httpx.Client, llama: Llama) -> None:
    llama.seconds_a_token = 0.021  # so that each token goes out by itself
    with client.stream("POST", CHAT, json=ask("日本👩‍🚀", stream=True)) as response:
        got = list(chunks(response))
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in got) == "日本👩‍🚀"[::-1]
    assert len(got) > 4


def test_stop_words(client: httpx.Client) -> None:
    answer = client.post(CHAT, json=ask("abcdef", stop=["cb", "zz"])).json()
    assert answer["choices"][0]["message"]["content"] == "fed"
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_the_first_token_comes_before_the_last_is_made(client: httpx.Client, llama: Llama) -> None:
    llama.seconds_a_token = 0.005
    with client.stream("POST", CHAT, json=ask("forever", max_tokens=400, stream=True)) as response:
        lines = response.iter_lines()
        while "content" not in (line := next(lines)) or '"content":""' in line:
            pass
        assert llama.inside == 1


def test_who_hangs_up_in_a_stream_stops_the_model(client: httpx.Client, llama: Llama) -> None:
    llama.seconds_a_token = 0.005
    before = llama.tokens_made
    with client.stream("POST", CHAT, json=ask("forever", max_tokens=400, stream=True)) as response:
        next(response.iter_lines())
    wait_until(lambda: llama.inside == 0)
    assert llama.tokens_made - before < 400
    assert client.get("/infer?sentence=abc").json() == ["cba"]


def test_other_paths_do_not_wait_for_the_model(client: httpx.Client, llama: Llama) -> None:
    llama.gate.clear()
    busy = threading.Thread(target=client.get, args=("/infer?sentence=abc",))
    busy.start()
    assert client.get("/v1/models").status_code == 200
    assert client.post(CHAT, json=BODY | {"n": 2}).status_code == 400
    assert client.post(CHAT, json=ask("x" * 600)).status_code == 400
    assert busy.is_alive()
    llama.gate.set()
    busy.join()


def test_models(client: httpx.Client) -> None:
    model = {
        "id": "org/tiny",
        "object": "model",
        "created": 1700000000,
        "owned_by": "ray_service",
        "max_model_len": 512,
    }
    assert client.get("/v1/models").json() == {"object": "list", "data": [model]}
    assert client.get("/v1/models/org/tiny").json() == model
    assert client.get("/v1/models/org%2Ftiny").json() == model
    response = client.get("/v1/models/gpt-4")
    assert response.status_code == 404
    assert error(response)["code"] == "model_not_found"


@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_longer_than_the_context(client: httpx.Client, stream: bool) -> None:
    response = client.post(CHAT, json=ask("x" * 600, stream=stream))
    assert response.status_code == 400
    assert error(response)["code"] == "context_length_exceeded"


def test_an_answer_as_long_as_the_context(client: httpx.Client) -> None:
    prompt = "x" * (OFFER.context - 400 - 1)
    answer = client.post("/v1/completions", json=TEXT | {"prompt": prompt, "max_tokens": 400}).json()
    assert answer["usage"]["prompt_tokens"] == OFFER.context - 400


def test_a_sentence_longer_than_the_context(client: httpx.Client) -> None:
    response = client.get("/infer", params={"sentence": "x" * 600})
    assert response.status_code == 400
    assert error(response)["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("GET", "/v1", 404, None),
        ("POST", "/v2/chat/completions", 404, None),
        ("POST", "/infer", 405, "GET, HEAD"),
        ("GET", CHAT, 405, "POST"),
        ("DELETE", "/v1/models/org/tiny", 405, "GET, HEAD"),
    ],
)
def test_other_paths_and_methods(client: httpx.Client, method: str, path: str, status: int, allow: str | None) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert path in error(response)["message"]
    assert ", ".join(sorted(response.headers.get("allow", "").split(", "))) == (allow or "")


def test_malformed_json(client: httpx.Client) -> None:
    response = client.post(CHAT, content=b'{"model": ')
    assert response.status_code == 400
    assert "not valid JSON" in error(response)["message"]


def test_a_body_just_short_enough(client: httpx.Client) -> None:
    body = json.dumps(BODY | {"user": ""}).encode()
    padded = json.dumps(BODY | {"user": "x" * (MAX_BODY - len(body))}).encode()
    assert len(padded) == MAX_BODY
    assert client.post(CHAT, content=padded).status_code == 200
    assert client.post(CHAT, content=padded + b" ").status_code == 413


@pytest.mark.parametrize("how", ["with its length", "in parts"])
def test_ten_megabytes(client: httpx.Client, how: str) -> None:
    size = 10_000_000
    content = b"x" * size if how == "with its length" else (b"x" * 1000 for _part in range(size // 1000))
    response = client.post(CHAT, content=content)
    assert response.status_code == 413
    assert error(response)["code"] == "request_too_large"
    assert str(MAX_BODY) in error(response)["message"]


def test_of_a_long_body_no_more_is_read_than_shows_it() -> None:
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    app = http_api.Api(engine()[0], OFFER, 16, MAX_BODY, HEADERS).application()
    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 413
    assert taken == MAX_BODY // 1000 + 1


@pytest.mark.parametrize("stream", [True, False])
def test_a_model_that_fails_at_once(client: httpx.Client, stream: bool) -> None:
    response = client.post(CHAT, json=ask("bug", stream=stream))
    assert response.status_code == 500
    assert error(response)["type"] == "server_error"
    assert error(response)["message"] == "the model failed: llama_decode returned 1"
    assert client.get("/infer?sentence=abc").status_code == 200


def test_a_bug(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "parse", None)
    response = client.post(CHAT, json=BODY)
    assert response.status_code == 500
    assert error(response)["type"] == "server_error"


def test_a_model_that_fails_half_way(client: httpx.Client, llama: Llama) -> None:
    llama.seconds_a_token = 0.021
    with client.stream("POST", CHAT, json=ask("bug later", stream=True)) as response:
        assert response.status_code == 200
        lines = [line for line in response.iter_lines() if line]
    assert json.loads(lines[-1].removeprefix("data: "))["error"]["type"] == "server_error"
    assert "abc" in "".join(json.loads(line[6:])["choices"][0]["delta"].get("content", "") for line in lines[:-1])


def test_messages_that_the_template_refuses(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(openai_api.ROLES, "system", "refused")
    response = client.post(CHAT, json=BODY | {"messages": [{"role": "system", "content": "a"}]})
    assert response.status_code == 400
    assert error(response)["param"] == "messages"
    assert "no such role" in error(response)["message"]
