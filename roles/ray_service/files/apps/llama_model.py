# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A GGUF model on llama.cpp: tokens of a prompt, tokens of an answer. The only module that knows llama_cpp."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import getrandbits
from typing import Any

# A prompt is read in pieces of so many tokens: between two of them its reader can be told to stop.
PROMPT_STEP = 128
# llama.cpp takes 32 bits, and the highest value as "any".
SEEDS = 2**32 - 1
# A conversation, as dictionaries with role and content, or the text that the model shall go on with.
Prompt = str | list[dict[str, str]]


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. With a temperature of 0 it is the most probable one, whatever the rest says."""

    temperature: float = 1.0
    top_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None


class BadPrompt(ValueError):
    """The model's chat template refuses the conversation; the text says why."""


class LlamaModel:
    """One model in memory. `tokens` may be called from any thread, `generate` from one at a time."""

    def __init__(self, path: str, context: int, threads: int) -> None:
        """`context` is in tokens, of prompt and answer together. Raises ValueError if `path` is no GGUF file."""
        # Imported where a replica starts: the head reads this module too, and needs neither library nor model.
        import llama_cpp
        from llama_cpp import llama_chat_format

        self._llama = llama_cpp.Llama(
            model_path=path,
            n_ctx=context,
            n_threads=threads,
            # The default is all cores: they wait for each other in busy loops, and Serve waits for all of them.
            n_threads_batch=threads,
            # The penalties look at the whole answer, as OpenAI's do.
            last_n_tokens_size=context,
            verbose=False,
        )
        vocabulary = llama_cpp.llama_model_get_vocab(self._llama.model)
        self._is_end: Callable[[int], bool] = lambda token: llama_cpp.llama_vocab_is_eog(vocabulary, token)

        def name(token: int) -> str:
            return llama_cpp.llama_vocab_get_text(vocabulary, token).decode() if token >= 0 else ""

        self._chat = llama_chat_format.Jinja2ChatFormatter(
            # Old files of Mistral's models bring no template.
            template=self._llama.metadata.get(
                "tokenizer.chat_template", llama_chat_format.MISTRAL_INSTRUCT_CHAT_TEMPLATE
            ),
            bos_token=name(self._llama.token_bos()),
            eos_token=name(self._llama.token_eos()),
        )

    def tokens(self, prompt: Prompt) -> list[int]:
        """The tokens of `prompt`. Raises BadPrompt if the chat template refuses the conversation."""
        if isinstance(prompt, str):
            return self._llama.tokenize(prompt.encode(), add_bos=True, special=True)
        try:
            text = self._chat(messages=prompt).prompt
        # Not only what the template says itself: what it takes for granted and the conversation does not have, raises anything.
        except Exception as problem:
            raise BadPrompt(str(problem)) from problem
        # The template has written the token that begins a text.
        return self._llama.tokenize(text.encode(), add_bos=False, special=True)

    def generate(self, prompt: list[int], sampling: Sampling, proceed: Callable[[], bool]) -> Iterator[bytes]:
        """The text of one token after the other, until the model ends its answer or `proceed` says no.

        `proceed` is asked before each step, a piece of the prompt or a token. Characters of several bytes may be
        spread over several tokens. Whoever asks for more tokens than the context has room for gets a RuntimeError.
        """
        for step in self._steps(prompt):
            if not proceed():
                return
            self._llama.eval(step)
        self._llama.set_seed((getrandbits(32) if sampling.seed is None else sampling.seed) % SEEDS)
        tokens = self._llama.generate(
            prompt,
            temp=sampling.temperature,
            top_p=sampling.top_p,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            # Not in the API, so they must not have a say.
            top_k=0,
            min_p=0.0,
        )
        while proceed():
            token = next(tokens, None)
            if token is None or self._is_end(token):
                return
            yield self._llama.detokenize([token])

    def _steps(self, prompt: list[int]) -> Iterator[Any]:
        """What of the prompt is still to be read: it often begins as the one before, whose tokens are in memory."""
        known = self._llama.longest_token_prefix(self._llama.eval_tokens, prompt)
        # The last token has to be read again for what follows from it.
        self._llama.n_tokens = min(known, len(prompt) - 1)
        for start in range(self._llama.n_tokens, len(prompt), PROMPT_STEP):
            yield prompt[start : start + PROMPT_STEP]
