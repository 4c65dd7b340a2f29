# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official OpenAI client against the service, as it comes: models, chat, completions, streams and errors.

Ends with an error at the first thing that is not as OpenAI's API promises.
"""

from __future__ import annotations

import argparse

import openai
from port_forward import port_forward

#: More than the context of the service's model has room for, and less than its limit for a body.
WORDS_TOO_MANY = 20000


def models(client: openai.OpenAI, model: str) -> None:
    assert [one.id for one in client.models.list().data] == [model]
    assert client.models.retrieve(model).id == model
    refused(openai.NotFoundError, "model_not_found", lambda: client.models.retrieve("nobody"))


def chat(client: openai.OpenAI, model: str) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    answer = client.chat.completions.create(model=model, messages=messages, max_tokens=8)  # type: ignore[arg-type]
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage and 1 <= answer.usage.completion_tokens <= 8
    stream = client.chat.completions.create(
        model=model,
        messages=messages,  # type: ignore[arg-type]
        max_tokens=64,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert len(pieces) > 1, pieces
    assert reasons in (["stop"], ["length"])
    assert chunks[-1].usage and chunks[-1].usage.completion_tokens >= 1


def completions(client: openai.OpenAI, model: str) -> None:
    answer = client.completions.create(model=model, prompt="Hello", max_tokens=8)
    assert answer.choices[0].text
    stream = client.completions.create(model=model, prompt="Hello", max_tokens=64, stream=True)
    assert "".join(choice.text for chunk in stream for choice in chunk.choices)


def errors(client: openai.OpenAI, model: str) -> None:
    def ask(**given: object) -> object:
        asked = {"model": model, "messages": [{"role": "user", "content": "Hello"}]} | given
        return client.chat.completions.create(**asked)  # type: ignore[call-overload]

    refused(openai.NotFoundError, "model_not_found", lambda: ask(model="nobody"))
    refused(openai.BadRequestError, None, lambda: ask(temperature=9))
    refused(openai.BadRequestError, None, lambda: ask(messages=[]))
    long = [{"role": "user", "content": "word " * WORDS_TOO_MANY}]
    refused(openai.BadRequestError, "context_length_exceeded", lambda: ask(messages=long))
    refused(openai.BadRequestError, "context_length_exceeded", lambda: ask(messages=long, stream=True))


def refused(kind: type[openai.APIStatusError], code: str | None, ask: object) -> None:
    """Require that this call is refused with this error, in OpenAI's shape."""
    try:
        ask()  # type: ignore[operator]
    except kind as error:
        assert error.code == code, error
        assert error.type == "invalid_request_error", error
        assert isinstance(error.body, dict) and error.body["message"], error
    else:
        raise AssertionError(f"expected {kind.__name__} {code}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--port-forward", required=True, help="line with kubectl port-forward that leads to the service"
    )
    parser.add_argument("--model", required=True, help="the model that it should have")
    options = parser.parse_args()
    with port_forward(options.port_forward) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)
        for check in (models, chat, completions, errors):
            check(client, options.model)
            print(f"{check.__name__}: as promised", flush=True)


if __name__ == "__main__":
    main()
