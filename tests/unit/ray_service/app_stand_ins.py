# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application of the `cpu` profile on a stand-in for llama_cpp: everything else, Starlette, uvicorn and sockets, is real."""

from __future__ import annotations

import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
import uvicorn

APPS = Path(__file__).parents[3] / "roles" / "ray_service" / "files" / "apps"
BOS, EOS, FIRST_BYTE = 1, 2, 3
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'refused' %}{{ raise_exception('no such role') }}{% endif %}"
    "{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]{% else %}<{{ m['role'] }}>{{ m['content'] }}{% endif %}"
    "{% endfor %}"
)
HEADERS = {"x-serve-replica": "replica-7", "x-serve-node": "node-3"}

sys.path.insert(0, str(APPS))
write_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
import http_api  # noqa: E402
import llama_engine  # noqa: E402
import llama_model  # noqa: E402
import openai_api  # noqa: E402

sys.dont_write_bytecode = write_bytecode


class Llama:
    """As llama_cpp.Llama, with a token for each byte. Says the last question, or the whole prompt, backwards.

    Special questions: "bug" fails before the first token, "bug later" after three, "forever" is answered with endless x.
    """

    template: str | None = TEMPLATE
    model = "the model"

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.metadata = {"tokenizer.chat_template": self.template} if self.template else {}
        self.gate = threading.Event()
        self.gate.set()
        # A test that slows it down sees tokens one by one.
        self.seconds_a_token = 0.0
        self.options: list[dict[str, Any]] = []
        self.seeds: list[int] = []
        self.steps: list[int] = []
        self.threads: set[str] = set()
        self.prompts: list[str] = []
        self.tokens_made = 0
        self.inside = 0
        self.most_inside = 0
        self._read: list[int] = []

    # What it was asked to read and has in memory.
    @property
    def eval_tokens(self) -> list[int]:
        return self._read

    @property
    def n_tokens(self) -> int:
        return len(self._read)

    @n_tokens.setter
    def n_tokens(self, count: int) -> None:
        del self._read[count:]

    def eval(self, tokens: list[int]) -> None:
        assert self.gate.wait(10)
        self.steps.append(len(tokens))
        self._read += tokens
        assert len(self._read) <= self.given["n_ctx"]

    @staticmethod
    def longest_token_prefix(one: list[int], other: list[int]) -> int:
        return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))

    def token_bos(self) -> int:
        return BOS

    def token_eos(self) -> int:
        return EOS

    def set_seed(self, seed: int) -> None:
        assert 0 <= seed < 2**32 - 1
        self.seeds.append(seed)

    def tokenize(self, text: bytes, add_bos: bool, special: bool) -> list[int]:
        assert special
        head = [BOS] if add_bos or text.startswith(b"<s>") else []
        return head + [byte + FIRST_BYTE for byte in text.removeprefix(b"<s>")]

    def detokenize(self, tokens: list[int]) -> bytes:
        assert BOS not in tokens and EOS not in tokens
        return bytes(token - FIRST_BYTE for token in tokens)

    def generate(self, prompt: list[int], **options: Any) -> Iterator[int]:
        assert self._read == prompt, "a prompt has to be read before"
        self.options.append(options)
        self.threads.add(threading.current_thread().name)
        text = self.detokenize([token for token in prompt if token != BOS]).decode()
        self.prompts.append(text)
        question = text.rpartition("[INST] ")[2].removesuffix(" [/INST]")
        said = {"bug": "", "bug later": "abc", "forever": "x" * 10**6}.get(question, question[::-1])
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            for byte in said.encode():
                time.sleep(self.seconds_a_token)
                assert self.gate.wait(10)
                self.tokens_made += 1
                self._read.append(byte + FIRST_BYTE)
                yield byte + FIRST_BYTE
            if question.startswith("bug"):
                raise RuntimeError("llama_decode returned 1")
            yield EOS
        finally:
            self.inside -= 1


class Jinja2ChatFormatter:
    """As llama_cpp.llama_chat_format.Jinja2ChatFormatter."""

    def __init__(self, template: str, eos_token: str, bos_token: str) -> None:
        self.template = template
        self.known = {"eos_token": eos_token, "bos_token": bos_token, "raise_exception": self.refuse}

    def refuse(self, message: str) -> None:
        raise ValueError(message)

    def __call__(self, messages: list[dict[str, str]]) -> Any:
        prompt = jinja2.Environment().from_string(self.template).render(messages=messages, **self.known)
        return types.SimpleNamespace(prompt=prompt)


def llama_cpp() -> dict[str, types.ModuleType]:
    """The stand-ins by their names in sys.modules."""
    top, chat = types.ModuleType("llama_cpp"), types.ModuleType("llama_cpp.llama_chat_format")
    vars(chat).update(
        Jinja2ChatFormatter=Jinja2ChatFormatter, MISTRAL_INSTRUCT_CHAT_TEMPLATE="{{ bos_token }}of Mistral"
    )
    vars(top).update(
        Llama=Llama,
        llama_chat_format=chat,
        llama_model_get_vocab=lambda model: f"words of {model}",
        llama_vocab_is_eog=lambda words, token: words == "words of the model" and token == EOS,
        llama_vocab_get_text=lambda words, token: {BOS: b"<s>", EOS: b"</s>"}[token],
    )
    return {"llama_cpp": top, "llama_cpp.llama_chat_format": chat}


def model(context: int = 512) -> llama_model.LlamaModel:
    """A model on the stand-in. Its `_llama` is a Llama, see there."""
    before = {name: sys.modules.get(name) for name in llama_cpp()}
    sys.modules.update(llama_cpp())
    try:
        return llama_model.LlamaModel("/m.gguf", context, 2)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def engine(clock: Callable[[], float] = time.monotonic) -> tuple[llama_engine.Engine, Llama]:
    made = model()
    return llama_engine.Engine(lambda: made, clock), made._llama


OFFER = openai_api.Offer(model="org/tiny", created=1700000000, context=512, max_tokens=400, default_max_tokens=100)
MAX_BODY = 10_000


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The URL of `app` on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.001)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def service() -> Iterator[tuple[str, Llama]]:
    """The application over HTTP: its URL, and the stand-in below it."""
    made, llama = engine()
    with served(http_api.Api(made, OFFER, infer_tokens=16, max_body=MAX_BODY, headers=HEADERS).application()) as url:
        try:
            yield url, llama
        finally:
            llama.gate.set()
