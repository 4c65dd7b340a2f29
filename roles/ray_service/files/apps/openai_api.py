# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenAI's API as data, without HTTP and without a model: what a request asks for, and the objects of its answer."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from llama_model import Prompt, Sampling

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
STOPS = 4
# Every token is compared with every beginning of every stop word.
STOP_CHARS = 256
# What changes an answer and is not to be had here, with the value that asks for nothing. Other fields are ignored.
UNSUPPORTED: dict[str, Any] = {
    "best_of": 1,
    "echo": False,
    "functions": [],
    "logit_bias": {},
    "logprobs": False,
    "n": 1,
    "response_format": {"type": "text"},
    "suffix": "",
    "tools": [],
}


@dataclass(frozen=True)
class Offer:
    """What the service offers: a model, and numbers of tokens."""

    model: str
    #: When the model's file was written, in seconds since 1970.
    created: int
    #: Prompt and answer together.
    context: int
    #: The longest answer that may be asked for.
    max_tokens: int
    #: The longest answer where the request does not say.
    default_max_tokens: int


@dataclass(frozen=True)
class Asked:
    """A valid request for an answer. Without `max_tokens` the answer has the default length, or what there is room for."""

    prompt: Prompt
    max_tokens: int | None
    sampling: Sampling
    stops: tuple[str, ...]
    stream: bool
    include_usage: bool

    @property
    def chat(self) -> bool:
        return not isinstance(self.prompt, str)


class ApiError(Exception):
    """An answer that is an error: an HTTP status, and the object that OpenAI's clients understand."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "error": {
                "message": message,
                "type": "invalid_request_error" if status < 500 else "server_error",
                "param": param,
                "code": code,
            }
        }


def parse(body: bytes, offer: Offer, chat: bool) -> Asked:
    """The request in `body`, of /v1/chat/completions or else /v1/completions. Raises ApiError 400 or 404."""
    fields = _fields(body)
    _check_model(fields, offer)
    for name, neutral in UNSUPPORTED.items():
        if fields.get(name) is not None and _shown(fields[name]) != _shown(neutral):
            raise _wrong(name, fields[name], f"{_shown(neutral)}, for this server does not support it")
    stream = _boolean(fields, "stream")
    name = "max_completion_tokens" if fields.get("max_completion_tokens") is not None else "max_tokens"
    return Asked(
        prompt=_messages(fields) if chat else _prompt(fields),
        max_tokens=_integer(fields, name, 1, offer.max_tokens),
        sampling=Sampling(
            temperature=_number(fields, "temperature", 1.0, 0, 2),
            top_p=_number(fields, "top_p", 1.0, 0, 1),
            presence_penalty=_number(fields, "presence_penalty", 0.0, -2, 2),
            frequency_penalty=_number(fields, "frequency_penalty", 0.0, -2, 2),
            seed=_integer(fields, "seed", -(2**63), 2**63 - 1),
        ),
        stops=_stops(fields),
        stream=stream,
        include_usage=_include_usage(fields, stream),
    )


def room_for_answer(asked: Asked, prompt_tokens: int, offer: Offer) -> int:
    """The number of tokens that the answer may have. Raises ApiError 400 if prompt and answer are more than the context."""
    room = offer.context - prompt_tokens
    if room < (asked.max_tokens or 1):
        raise ApiError(
            400,
            f"the context of {offer.model} has room for {offer.context} tokens: the prompt has {prompt_tokens}, and "
            f"{asked.max_tokens or 'at least 1'} are wanted for the answer",
            "messages" if asked.chat else "prompt",
            "context_length_exceeded",
        )
    return asked.max_tokens or min(offer.default_max_tokens, room)


def model_object(offer: Offer) -> dict[str, Any]:
    """The model as /v1/models shows it."""
    return {
        "id": offer.model,
        "object": "model",
        "created": offer.created,
        "owned_by": "ray_service",
        "max_model_len": offer.context,
    }


def unknown_model(name: Any, offer: Offer) -> ApiError:
    """The error for a model that is not served."""
    return ApiError(
        404,
        f"the model {_shown(name)} does not exist: this server has {_shown(offer.model)}",
        "model",
        "model_not_found",
    )


class Answer:
    """Makes the objects of one answer, which share id and time."""

    def __init__(self, asked: Asked, model: str, prompt_tokens: int) -> None:
        self._asked = asked
        self._prompt_tokens = prompt_tokens
        self._head = {
            "id": f"{'chatcmpl' if asked.chat else 'cmpl'}-{uuid.uuid4().hex}",
            "object": "chat.completion" if asked.chat else "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    def whole(self, text: str, tokens: int, finish_reason: str) -> dict[str, Any]:
        """The answer in one object."""
        content = {"message": {"role": "assistant", "content": text}} if self._asked.chat else {"text": text}
        return self._head | {"choices": [_choice(content, finish_reason)], "usage": self._usage(tokens)}

    def opening(self) -> list[dict[str, Any]]:
        """What a stream begins with."""
        return (
            [self._chunk([_choice({"delta": {"role": "assistant", "content": ""}}, None)])] if self._asked.chat else []
        )

    def part(self, text: str) -> dict[str, Any]:
        """A part of the text, for a stream."""
        return self._chunk([_choice({"delta": {"content": text}} if self._asked.chat else {"text": text}, None)])

    def closing(self, tokens: int, finish_reason: str) -> list[dict[str, Any]]:
        """What a stream ends with, before `DONE`."""
        end = self._chunk([_choice({"delta": {}} if self._asked.chat else {"text": ""}, finish_reason)])
        return [end, self._chunk([]) | {"usage": self._usage(tokens)}] if self._asked.include_usage else [end]

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        kind = {"object": "chat.completion.chunk"} if self._asked.chat else {}
        usage = {"usage": None} if self._asked.include_usage else {}
        return self._head | kind | {"choices": choices} | usage

    def _usage(self, tokens: int) -> dict[str, int]:
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": tokens,
            "total_tokens": self._prompt_tokens + tokens,
        }


DONE = b"data: [DONE]\n\n"


def event(content: dict[str, Any]) -> bytes:
    """`content` as a server-sent event. In ASCII: some clients take Unicode's line separators for the end of a line."""
    return f"data: {json.dumps(content, separators=(',', ':'))}\n\n".encode()


def _choice(content: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}


def _shown(value: Any) -> str:
    """`value` in a message: as it was sent, not all of it if it is long, in ASCII."""
    try:
        text = json.dumps(value)
    except RecursionError:
        return "deeply nested"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _wrong(name: str, value: Any, expected: str) -> ApiError:
    return ApiError(400, f"{name} is {_shown(value)}; expected: {expected}", name)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    # RecursionError: some ten thousand brackets.
    except (ValueError, RecursionError) as problem:
        raise ApiError(400, f"the body is not valid JSON: {problem}") from problem
    if not isinstance(fields, dict):
        raise ApiError(400, f"the body is {_shown(fields)}; expected: a JSON object")
    return fields


def _check_model(fields: dict[str, Any], offer: Offer) -> None:
    model = fields.get("model")
    if not isinstance(model, str):
        raise _wrong("model", model, f"the name of a model, such as {_shown(offer.model)}")
    if model != offer.model:
        raise unknown_model(model, offer)


def _text(name: str, value: Any, expected: str) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, expected)
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise _wrong(name, value, "text of valid Unicode characters") from problem
    return value


def _messages(fields: dict[str, Any]) -> list[dict[str, str]]:
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _wrong("messages", messages, "a list of at least one message")
    return [_message(f"messages[{index}]", message) for index, message in enumerate(messages)]


def _message(name: str, message: Any) -> dict[str, str]:
    if not isinstance(message, dict):
        raise _wrong(name, message, "an object with role and content")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise _wrong(f"{name}.role", role, f"one of {', '.join(ROLES)}")
    return {"role": ROLES[role], "content": _content(f"{name}.content", message.get("content"))}


def _content(name: str, content: Any) -> str:
    expected = "a string, or a list of parts of type text"
    if not isinstance(content, list):
        return _text(name, content, expected)
    for index, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text":
            raise _wrong(f"{name}[{index}]", part, "a part of type text")
    return "".join(_text(f"{name}[{index}].text", part.get("text"), "a string") for index, part in enumerate(content))


def _prompt(fields: dict[str, Any]) -> str:
    prompt = fields.get("prompt")
    expected = "a string that is not empty, or a list of one such string"
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not _text("prompt", prompt, expected):
        raise _wrong("prompt", prompt, expected)
    return prompt


def _stops(fields: dict[str, Any]) -> tuple[str, ...]:
    stop = fields.get("stop")
    if stop is None:
        return ()
    stops = stop if isinstance(stop, list) else [stop]
    expected = f"a string of 1 to {STOP_CHARS} characters, or a list of at most {STOPS} such strings"
    if len(stops) > STOPS or not all(1 <= len(_text("stop", each, expected)) <= STOP_CHARS for each in stops):
        raise _wrong("stop", stop, expected)
    return tuple(stops)


def _include_usage(fields: dict[str, Any], stream: bool) -> bool:
    options = fields.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict) or not stream:
        raise _wrong("stream_options", options, "an object, and only with stream: true")
    return _boolean(options, "include_usage")


def _boolean(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return bool(value)


def _number(fields: dict[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = fields.get(name)
    if value is None:
        return default
    # True is an int in Python. NaN, which Python's JSON takes, is in no range.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _wrong(name, value, f"a number from {low} to {high}")
    return float(value)


def _integer(fields: dict[str, Any], name: str, low: int, high: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _wrong(name, value, f"a whole number from {low} to {high}")
    return value
