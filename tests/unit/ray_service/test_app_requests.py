# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenAI's API as data: what is taken, what is refused and with which words, what answers look like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .app_stand_ins import OFFER, llama_model, openai_api

ApiError = openai_api.ApiError
USER = {"role": "user", "content": "hi"}
CHAT = {"model": "org/tiny", "messages": [USER]}
TEXT = {"model": "org/tiny", "prompt": "hi"}


def parse(fields: Any, chat: bool = True) -> openai_api.Asked:
    return openai_api.parse(fields if isinstance(fields, bytes) else json.dumps(fields).encode(), OFFER, chat)


def refused(fields: Any, chat: bool = True) -> tuple[int, str | None, str | None, str]:
    with pytest.raises(ApiError) as caught:
        parse(fields, chat)
    error = caught.value.body["error"]
    assert error["type"] == "invalid_request_error"
    assert str(caught.value) == error["message"]
    # It has to go into an answer, whatever was in the request.
    json.dumps(error, ensure_ascii=False).encode()
    return caught.value.status, error["param"], error["code"], error["message"]


def test_defaults() -> None:
    assert parse(CHAT) == openai_api.Asked(
        prompt=[USER],
        max_tokens=None,
        sampling=llama_model.Sampling(1.0, 1.0, 0.0, 0.0, None),
        stops=(),
        stream=False,
        include_usage=False,
    )
    assert parse(TEXT, chat=False).prompt == "hi"


def test_everything() -> None:
    sampling = {"temperature": 0, "top_p": 0.5, "presence_penalty": -2, "frequency_penalty": 2.0, "seed": -7}
    asked = parse(
        CHAT
        | sampling
        | {"max_tokens": 5, "stop": ["a", "b"], "stream": True, "stream_options": {"include_usage": True}}
    )
    assert asked.sampling == llama_model.Sampling(0.0, 0.5, -2.0, 2.0, -7)
    assert (asked.max_tokens, asked.stops, asked.stream, asked.include_usage) == (5, ("a", "b"), True, True)


def test_null_is_as_good_as_nothing() -> None:
    names = ["max_tokens", "max_completion_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty"]
    names += ["seed", "stop", "stream", "stream_options", "n", *openai_api.UNSUPPORTED]
    assert parse(CHAT | dict.fromkeys(names)) == parse(CHAT)


def test_what_asks_for_nothing_may_be_said() -> None:
    assert parse(CHAT | openai_api.UNSUPPORTED | {"stop": [], "user": "me", "store": False, "metadata": {}}) == parse(
        CHAT
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 400}, 400),
    ],
)
def test_length(fields: dict[str, Any], expected: int) -> None:
    assert parse(CHAT | fields).max_tokens == expected


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([USER], [USER]),
        (
            [{"role": "developer", "content": "a"}, USER, {"role": "assistant", "content": ""}, USER],
            [{"role": "system", "content": "a"}, USER, {"role": "assistant", "content": ""}, USER],
        ),
        ([USER | {"name": "me"}], [USER]),
        ([{"role": "user", "content": [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]}], [USER]),
    ],
)
def test_messages(messages: list[Any], expected: list[Any]) -> None:
    assert parse(CHAT | {"messages": messages}).prompt == expected


@pytest.mark.parametrize("prompt", ["hi", ["hi"]])
def test_prompts(prompt: Any) -> None:
    assert parse(TEXT | {"prompt": prompt}, chat=False).prompt == "hi"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON: Expecting property name"),
        (b'{"model": "\xff"}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"n": 1' + b"0" * 5000 + b"}", "not valid JSON"),
        (b"[]", "the body is []; expected: a JSON object"),
        (b'"text"', 'the body is "text"'),
        (b"null", "the body is null"),
    ],
)
def test_bodies(body: bytes, words: str) -> None:
    status, param, code, message = refused(body)
    assert (status, param, code) == (400, None, None)
    assert words in message


@pytest.mark.parametrize("depth", range(100, 1100, 50))
def test_nesting(depth: int) -> None:
    body = json.dumps(CHAT).encode()[:-1] + b', "stop": ' + b"[" * depth + b"]" * depth + b"}"
    assert refused(body)[0] == 400


@pytest.mark.parametrize("model", ["tiny", "org/tiny ", "", "\ud800"])
def test_unknown_models(model: str) -> None:
    status, param, code, message = refused(CHAT | {"model": model})
    assert (status, param, code) == (404, "model", "model_not_found")
    assert '"org/tiny"' in message


WRONG: list[tuple[str, Any, str]] = [
    ("model", None, "the name of a model"),
    ("model", 7, "model is 7"),
    ("messages", None, "messages is null; expected: a list"),
    ("messages", [], "at least one"),
    ("messages", "hi", 'messages is "hi"'),
    ("messages[0]", ["hi"], "an object with role and content"),
    ("messages[0].role", [{"content": "hi"}], "one of system, developer, user, assistant"),
    ("messages[0].role", [{"role": ["user"], "content": "hi"}], "one of"),
    ("messages[1].role", [USER, {"role": "tool", "content": "hi"}], 'messages[1].role is "tool"'),
    ("messages[0].content", [{"role": "user"}], "a string, or a list of parts"),
    ("messages[0].content", [{"role": "assistant", "content": None}], "is null"),
    ("messages[0].content", [{"role": "user", "content": {"text": "hi"}}], "a string, or a list of parts"),
    ("messages[0].content", [{"role": "user", "content": "a\ud800"}], "valid Unicode"),
    ("messages[0].content[0]", [{"role": "user", "content": ["hi"]}], "a part of type text"),
    (
        "messages[0].content[1]",
        [{"role": "user", "content": [{"type": "text", "text": ""}, {"type": "image_url"}]}],
        "text",
    ),
    (
        "messages[0].content[0].text",
        [{"role": "user", "content": [{"type": "text", "text": 7}]}],
        "is 7; expected: a string",
    ),
    ("max_tokens", 0, "a whole number from 1 to 400"),
    ("max_tokens", 401, "max_tokens is 401"),
    ("max_tokens", 1.5, "a whole number"),
    ("max_tokens", "5", 'max_tokens is "5"'),
    ("max_tokens", True, "max_tokens is true"),
    ("max_completion_tokens", 0, "max_completion_tokens is 0"),
    ("temperature", -0.1, "a number from 0 to 2"),
    ("temperature", 2.1, "2.1"),
    ("temperature", float("nan"), "NaN"),
    ("temperature", float("inf"), "Infinity"),
    ("temperature", "hot", "hot"),
    ("temperature", True, "true"),
    ("top_p", 1.1, "a number from 0 to 1"),
    ("presence_penalty", 3, "a number from -2 to 2"),
    ("frequency_penalty", -3, "a number from -2 to 2"),
    ("seed", 1.0, "a whole number"),
    ("seed", 2**63, "a whole number"),
    ("n", 2, "n is 2; expected: 1"),
    ("n", "1", "n is"),
    ("best_of", 2, "does not support it"),
    ("logprobs", True, "does not support it"),
    ("logprobs", 0, "does not support it"),
    ("echo", True, "does not support it"),
    ("suffix", "end", "does not support it"),
    ("tools", [{"type": "function"}], "does not support it"),
    ("functions", [{}], "does not support it"),
    ("logit_bias", {"7": 1}, "does not support it"),
    ("response_format", {"type": "json_object"}, "does not support it"),
    ("stop", "", "of 1 to 256 characters"),
    ("stop", ["a"] * 5, "at most 4"),
    ("stop", ["a", 7], "stop is 7"),
    ("stop", "a" * 257, "of 1 to 256 characters"),
    ("stop", "\ud800", "valid Unicode"),
    ("stream", "yes", "true or false"),
    ("stream", 1, "true or false"),
    ("stream_options", {"include_usage": True}, "only with stream: true"),
]


@pytest.mark.parametrize(("param", "value", "words"), WRONG)
def test_wrong_fields(param: str, value: Any, words: str) -> None:
    status, told, code, message = refused(CHAT | {param.partition("[")[0]: value})
    assert (status, told, code) == (400, param, None)
    assert message.startswith(f"{param} is ")
    assert words in message
    assert len(message) < 250


@pytest.mark.parametrize("prompt", [None, "", [], [""], ["a", "b"], [1, 2], 7, "\ud800"])
def test_wrong_prompts(prompt: Any) -> None:
    assert refused(TEXT | {"prompt": prompt}, chat=False)[:2] == (400, "prompt")


@pytest.mark.parametrize("options", ["yes", [], 7])
def test_wrong_stream_options(options: Any) -> None:
    assert refused(CHAT | {"stream": True, "stream_options": options})[1] == "stream_options"
    assert refused(CHAT | {"stream": True, "stream_options": {"include_usage": options}})[1] == "include_usage"


@pytest.mark.parametrize(
    ("max_tokens", "prompt_tokens", "expected"),
    [(None, 10, 100), (None, 500, 12), (None, 511, 1), (400, 112, 400), (1, 511, 1)],
)
def test_room(max_tokens: int | None, prompt_tokens: int, expected: int) -> None:
    asked = parse(CHAT | {"max_tokens": max_tokens})
    assert openai_api.room_for_answer(asked, prompt_tokens, OFFER) == expected


@pytest.mark.parametrize(("max_tokens", "prompt_tokens"), [(None, 512), (None, 10_000), (400, 113), (1, 512)])
@pytest.mark.parametrize("chat", [True, False])
def test_no_room(max_tokens: int | None, prompt_tokens: int, chat: bool) -> None:
    asked = parse((CHAT if chat else TEXT) | {"max_tokens": max_tokens}, chat)
    with pytest.raises(ApiError) as caught:
        openai_api.room_for_answer(asked, prompt_tokens, OFFER)
    assert caught.value.status == 400
    assert caught.value.body["error"]["code"] == "context_length_exceeded"
    assert caught.value.body["error"]["param"] == ("messages" if chat else "prompt")
    assert "512 tokens" in str(caught.value)
    assert str(prompt_tokens) in str(caught.value)


def test_events_are_lines_of_ascii() -> None:
    data = openai_api.event({"text": "a\nb\u2028日"})
    assert data.isascii()
    assert data.endswith(b"\n\n")
    assert data.count(b"\n") == 2
    assert json.loads(data.removeprefix(b"data: ")) == {"text": "a\nb\u2028日"}


def test_errors_of_the_server_are_called_so() -> None:
    assert ApiError(500, "no").body["error"]["type"] == "server_error"
