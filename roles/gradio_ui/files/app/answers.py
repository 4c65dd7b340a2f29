# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to an OpenAI-compatible service, and what to do when it does not answer them."""

from __future__ import annotations

import asyncio
import enum
import re
import textwrap
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import openai
from conversation import Reply, Turn, newer_half, prompt

#: Seconds to connect; an address without a pod behind it is refused or silent.
CONNECT_TIMEOUT = 5.0
#: Seconds between the two attempts: time for a replica that is gone to be taken off the service.
PAUSE = 1.0
#: Characters of the service's own words that the user is shown.
DETAIL = 300
#: How vLLM and llama.cpp say it; the API of this collection gives the code.
TOO_LONG = re.compile(r"context[ _](length|window)|maximum model length", re.IGNORECASE)


class Kind(enum.Enum):
    """What went wrong, as the user is told."""

    TOO_LONG = "The question is too long for the model."
    REFUSED = "The model refused the question."
    BUSY = "The model is busy with other questions."
    SILENT = "The model does not answer."
    FAILED = "The model answered with an error."
    BROKEN = "The answer broke off."


class Trouble(Exception):
    """A question that was not answered to its end. C(detail): what the service itself said."""

    def __init__(self, kind: Kind, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


class Step(enum.Enum):
    SHORTEN = "shorten"
    AGAIN = "again"
    GIVE_UP = "give up"


def trouble_of(error: Exception, begun: bool) -> Trouble:
    """The trouble behind an error of the client. C(begun): whether a part of the answer had come."""
    body = getattr(error, "body", None)
    body = body if isinstance(body, dict) else {}
    said = textwrap.shorten(str(body.get("message") or getattr(error, "message", "")), DETAIL)
    status = error.status_code if isinstance(error, openai.APIStatusError) else None
    # 413: more bytes than it reads, however many tokens they would be.
    if (
        status == 413
        or body.get("code") == "context_length_exceeded"
        or (status in (400, 422) and TOO_LONG.search(said))
    ):
        return Trouble(Kind.TOO_LONG, said)
    if begun:
        return Trouble(Kind.BROKEN, said)
    if status in (429, 503):
        return Trouble(Kind.BUSY, said)
    if status is not None:
        return Trouble(Kind.REFUSED if status < 500 else Kind.FAILED, said)
    return Trouble(Kind.SILENT if isinstance(error, openai.APIConnectionError) else Kind.FAILED, said)


def next_step(kind: Kind, asked_again: bool, turns: int) -> Step:
    """What follows a failed attempt. Shortening is no second attempt; another attempt at what was refused is none either."""
    if kind is Kind.TOO_LONG:
        return Step.SHORTEN if turns else Step.GIVE_UP
    if kind is Kind.REFUSED or asked_again:
        return Step.GIVE_UP
    return Step.AGAIN


class Backend:
    """The service at C(url), such as V(http://mistral-serve-svc.mistral.svc:8000).

    C(model): name of the model, empty for the first that the service names. C(timeout): seconds of silence, before the
    answer and within it, after which the service counts as not answering.
    """

    def __init__(self, url: str, model: str, timeout: float) -> None:
        self.model = model
        self.client = openai.AsyncOpenAI(
            base_url=f"{url.rstrip('/')}/v1",
            api_key="none",
            max_retries=0,
            timeout=openai.Timeout(timeout, connect=CONNECT_TIMEOUT),
            # A connection for every question: kept ones would tie the page to one worker, and break with it.
            default_headers={"Connection": "close"},
        )

    async def ask(self, messages: list[dict[str, str]]) -> AsyncGenerator[str]:
        """The answer, piece by piece.

        Raises:
            Trouble: it did not come, or not to its end.
        """
        begun = finished = False
        try:
            model = self.model or (await self.client.models.list()).data[0].id
            stream = await self.client.chat.completions.create(model=model, messages=messages, stream=True)
            async with stream:
                async for chunk in stream:
                    for choice in chunk.choices:
                        finished = finished or choice.finish_reason is not None
                        if choice.delta.content:
                            begun = True
                            yield choice.delta.content
        # ValueError, LookupError: what came is not what the API promises.
        except (openai.APIError, ValueError, LookupError) as error:
            raise trouble_of(error, begun) from error
        if not finished:
            raise Trouble(Kind.BROKEN)


Ask = Callable[[list[dict[str, str]]], AsyncGenerator[str]]


def left_out(count: int) -> str:
    if not count:
        return ""
    what = "oldest question and its answer were" if count == 1 else f"{count} oldest questions and their answers were"
    return f"*The conversation is too long for the model: the {what} left out.*"


async def replies(ask: Ask, turns: list[Turn], question: str, pause: float = PAUSE) -> AsyncGenerator[Reply]:
    """How the answer comes about: each Reply replaces the one before, the last is done or failed.

    Too long a conversation is shortened until the model takes it. Once, an attempt that failed is made again.
    """
    kept, asked_again = turns, False
    while True:
        text, note = "", left_out(len(turns) - len(kept))
        try:
            yield Reply(text, note)
            # Closed with this generator: a user who goes stops the model too.
            async with aclosing(ask(prompt(kept, question))) as pieces:
                async for piece in pieces:
                    text += piece
                    yield Reply(text, note)
            yield Reply(text, note, "done") if text else Reply("", "*The model gave no answer.*", "failed")
            return
        except Trouble as trouble:
            step = next_step(trouble.kind, asked_again, len(kept))
            if step is Step.GIVE_UP:
                tried = " It was asked twice." if asked_again else ""
                said = f"\n\n> {trouble.detail}" if trouble.detail else ""
                yield Reply(text, f"⚠️ **{trouble.kind.value}**{tried}{said}", "failed")
                return
            if step is Step.SHORTEN:
                kept = newer_half(kept)
            else:
                asked_again = True
                yield Reply(text, f"*{trouble.kind.value} Asking once more …*")
                await asyncio.sleep(pause)


class Writers:
    """Answers in the making, by the session that they are for: a session can stop its own."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def write(self, session: str, turns: list[Turn], question: str) -> AsyncGenerator[Reply]:
        """See C(replies). The last one is failed when the session stopped it."""
        told: asyncio.Queue[Reply | None] = asyncio.Queue()

        async def tell() -> None:
            try:
                async with aclosing(replies(self.ask, turns, question)) as answer:
                    async for reply in answer:
                        told.put_nowait(reply)
            finally:
                told.put_nowait(None)

        # A task of its own can be cancelled whatever it waits for. When Gradio cancels, the page shows an error now and then.
        task = self.tasks[session] = asyncio.create_task(tell())
        last = Reply("")
        try:
            while reply := await told.get():
                last = reply
                yield last
            await asyncio.wait({task})
            if task.cancelled():
                yield Reply(last.text, "*Stopped.*", "failed")
            else:
                task.result()
        finally:
            task.cancel()
            self.tasks.pop(session, None)

    def stop(self, session: str) -> None:
        if task := self.tasks.get(session):
            task.cancel()
