# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a model, piece by piece, without Ray and HTTP: the one thread that may touch the model, and its queue."""

from __future__ import annotations

import asyncio
import codecs
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from llama_model import LlamaModel, Prompt, Sampling

# A model that has not made a step for so many seconds is taken for stuck: the replica says so and is replaced. A step is
# one token of an answer or some of a prompt, so a long answer is no reason.
STUCK_AFTER = 300.0
# The first text goes out at once; after that, text that a fast model makes within so many seconds goes out together. A person
# sees no difference, and each piece costs Serve and Ray about as much time as a token of a small model.
PACE = 0.02


@dataclass(frozen=True)
class Piece:
    """Part of an answer. `tokens` counts those of the answer so far; the last piece says why it is the last."""

    text: str
    tokens: int
    finish_reason: str | None = None


class ModelFailed(RuntimeError):
    """The model could not make the answer, or the rest of it; its cause says why."""


class TextStream:
    """Text out of the bytes of tokens: whole characters only, and nothing of a stop word."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._stops = stops
        self._held = ""
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        """What can be said now. Sets `stopped` where a stop word begins; the text ends before it."""
        text = self._held + self._decoder.decode(piece)
        starts = [start for stop in self._stops if (start := text.find(stop)) >= 0]
        if starts:
            self.stopped, self._held = True, ""
            return text[: min(starts)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was held back in case that a stop word came of it; half a character is left out."""
        return self._held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` with which `stop` begins."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


class Engine:
    """A model behind one thread: it can do one thing at a time, and the event loop must not wait for it."""

    def __init__(self, load: Callable[[], LlamaModel], clock: Callable[[], float] = time.monotonic) -> None:
        """`load` returns the model; it is called here, so that a bad file shows at start."""
        self._model = load()
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llama")
        self._last_step: float | None = None
        # The first answer takes a second longer than all others: no user shall wait for it.
        next(self._model.generate(self._model.tokens("Hello"), Sampling(), lambda: True), None)

    async def tokens(self, prompt: Prompt) -> list[int]:
        """The tokens of `prompt`, at once, whatever the model is doing. Raises llama_model.BadPrompt."""
        return await asyncio.to_thread(self._model.tokens, prompt)

    async def answer(
        self, prompt: list[int], max_tokens: int, stops: tuple[str, ...], sampling: Sampling
    ) -> AsyncIterator[Piece]:
        """The answer to `prompt`, first come, first served; at least one piece, the last with a finish_reason.

        Close the iterator when nobody wants the rest: the model then stops after the token it is at. Raises ModelFailed.
        """
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Piece | Exception] = asyncio.Queue()
        cancelled = threading.Event()

        def deliver(item: Piece | Exception) -> None:
            loop.call_soon_threadsafe(arrived.put_nowait, item)

        pieces = self._pieces(prompt, max_tokens, stops, sampling, cancelled)
        work = self._thread.submit(self._work, pieces, deliver)
        try:
            finished = False
            while not finished:
                item = await arrived.get()
                if isinstance(item, Exception):
                    raise ModelFailed(str(item)) from item
                yield item
                finished = item.finish_reason is not None
        finally:
            cancelled.set()
            work.cancel()

    def check(self) -> None:
        """Raises RuntimeError if the model is stuck; being busy is no fault."""
        since = self._last_step
        if since is not None and self._clock() - since > STUCK_AFTER:
            raise RuntimeError(f"the model has not made a step for more than {STUCK_AFTER:.0f} s")

    def _work(self, pieces: Iterator[Piece], deliver: Callable[[Piece | Exception], None]) -> None:
        try:
            for piece in pieces:
                deliver(piece)
        except Exception as problem:
            deliver(problem)
        finally:
            self._last_step = None

    def _pieces(
        self, prompt: list[int], max_tokens: int, stops: tuple[str, ...], sampling: Sampling, cancelled: threading.Event
    ) -> Iterator[Piece]:
        def proceed() -> bool:
            self._last_step = self._clock()
            return not cancelled.is_set()

        text = TextStream(stops)
        count, said, sent = 0, "", float("-inf")
        for token in islice(self._model.generate(prompt, sampling, proceed), max_tokens):
            count += 1
            said += text.feed(token)
            if text.stopped:
                yield Piece(said, count, "stop")
                return
            if said and self._clock() - sent >= PACE:
                yield Piece(said, count)
                said, sent = "", self._clock()
        yield Piece(said + text.rest(), count, "length" if count == max_tokens else "stop")
