# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official client, unchanged, against the application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import openai
import pytest

from .app_stand_ins import Llama, service


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[str, Llama]]:
    with service() as (url, llama):
        yield url, llama


@pytest.fixture
def client(running: tuple[str, Llama]) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running[0]}/v1", api_key="none", max_retries=0, timeout=10) as made:
        yield made


MESSAGES = [{"role": "system", "content": "backwards"}, {"role": "user", "content": "abc"}]


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["org/tiny"]
    assert client.models.retrieve("org/tiny").owned_by == "ray_service"


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="org/tiny", messages=MESSAGES, max_completion_tokens=10, temperature=0.2, top_p=0.9, seed=7, user="me"
    )
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == "cba"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 3


def test_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="org/tiny", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    got = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in got if chunk.choices) == "cba"
    assert got[-1].usage.completion_tokens == 3


def test_stream_helper(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="org/tiny", messages=MESSAGES) as stream:
        assert "".join(event.delta for event in stream if event.type == "content.delta") == "cba"
        assert stream.get_final_completion().choices[0].finish_reason == "stop"


def test_completions(client: openai.OpenAI) -> None:
    assert client.completions.create(model="org/tiny", prompt="abc").choices[0].text == "cba"
    stream = client.completions.create(model="org/tiny", prompt="abc", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "cba"


def test_the_asynchronous_client(running: tuple[str, Llama]) -> None:
    async def scene() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{running[0]}/v1", api_key="none") as client:

            async def one(question: str) -> str:
                messages = [{"role": "user", "content": question}]
                stream = await client.chat.completions.create(model="org/tiny", messages=messages, stream=True)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            return await asyncio.gather(*(one(f"question {number}") for number in range(4)))

    assert asyncio.run(scene()) == [f"question {number}"[::-1] for number in range(4)]


def test_its_errors(client: openai.OpenAI, running: tuple[str, Llama]) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError) as caught:
        create(model="gpt-4", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as caught:
        create(model="org/tiny", messages=[{"role": "user", "content": "x" * 600}], stream=True)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")
    with pytest.raises(openai.BadRequestError, match="temperature is 7") as caught:
        create(model="org/tiny", messages=MESSAGES, temperature=7)
    assert caught.value.type == "invalid_request_error"
    with pytest.raises(openai.APIStatusError, match="the body has more than") as caught:
        create(model="org/tiny", messages=[{"role": "user", "content": "x" * 10_000_000}])
    assert caught.value.status_code == 413
    with pytest.raises(openai.InternalServerError, match="the model failed"):
        create(model="org/tiny", messages=[{"role": "user", "content": "bug"}])
    running[1].seconds_a_token = 0.021
    with pytest.raises(openai.APIError, match="in the middle of the answer"):
        list(create(model="org/tiny", messages=[{"role": "user", "content": "bug later"}], stream=True))
