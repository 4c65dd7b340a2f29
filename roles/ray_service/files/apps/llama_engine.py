# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a llama.cpp model, without Ray: the model, the one thread that may touch it, the limits of a request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# An answer that takes longer than this, in seconds, is taken for stuck: the replica says so and is replaced.
STUCK_AFTER = 300.0


class BadSentence(ValueError):
    """The request cannot be answered as it is; the text says why."""


def checked_sentence(sentence: str | None, max_chars: int) -> str:
    """The sentence without blanks around it.

    Raises BadSentence if there is none, or if it is longer than `max_chars` characters.
    """
    sentence = (sentence or "").strip()
    if not sentence:
        raise BadSentence("the query parameter 'sentence' is missing or empty: ask for /infer?sentence=...")
    if len(sentence) > max_chars:
        raise BadSentence(f"the sentence has {len(sentence)} characters, at most {max_chars} are allowed")
    return sentence


class Engine:
    """A llama.cpp model behind one thread: it can do one thing at a time, and the event loop must not wait for it."""

    def __init__(self, load: Callable[[], Any], max_tokens: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`load` returns a `llama_cpp.Llama` or its like; it is called here, so that a bad file shows at start."""
        self._llama = load()
        self._max_tokens = max_tokens
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llama")
        self._busy_since: float | None = None
        # The first answer takes a second longer than all others: no user shall wait for it.
        self._generate("Hello")

    async def answer(self, sentence: str) -> str:
        """What the model says to `sentence`: always the same (temperature 0). Raises BadSentence if it is too long."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._generate, sentence)

    def check(self) -> None:
        """Raises RuntimeError if the model is stuck; being busy is no fault."""
        since = self._busy_since
        if since is not None and self._clock() - since > STUCK_AFTER:
            raise RuntimeError(f"one answer has been in the making for more than {STUCK_AFTER:.0f} s")

    def _generate(self, sentence: str) -> str:
        self._busy_since = self._clock()
        try:
            # The model file brings its own chat template, Mistral's [INST] … [/INST].
            completion = self._llama.create_chat_completion(
                messages=[{"role": "user", "content": sentence}],
                max_tokens=self._max_tokens,
                temperature=0.0,
            )
        except ValueError as problem:
            # llama_cpp tells an overlong prompt by no other type or code.
            if "context window" in str(problem):
                raise BadSentence(f"the sentence is too long for the model: {problem}") from problem
            raise
        finally:
            self._busy_since = None
        return completion["choices"][0]["message"]["content"]
