# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model's adapter: what it asks of llama_cpp."""

from __future__ import annotations

import pytest

from .app_stand_ins import BOS, FIRST_BYTE, Llama, llama_model, model

Sampling = llama_model.Sampling


def text(made: llama_model.LlamaModel, prompt: llama_model.Prompt, **sampling: float) -> bytes:
    return b"".join(made.generate(made.tokens(prompt), Sampling(**sampling), lambda: True))


def asked(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def test_prompts() -> None:
    made = model()
    assert text(made, asked("abc")) == b"cba"
    assert text(made, "abc") == b"cba"
    text(made, [{"role": "system", "content": "be kind"}, *asked("hé")])
    assert made._llama.prompts == ["[INST] abc [/INST]", "abc", "<system>be kind[INST] hé [/INST]"]
    assert made.tokens(asked("a"))[:2] == [BOS, ord("[") + FIRST_BYTE]  # one token that begins a text, not two
    assert made.tokens("a") == [BOS, ord("a") + FIRST_BYTE]


def test_a_template_that_refuses() -> None:
    with pytest.raises(llama_model.BadPrompt, match="no such role"):
        model().tokens([{"role": "refused", "content": "a"}])


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ messages[1].content.strip() }}", "has no element 1"),
        ("{{ messages[0].content + 1 }}", "concatenate"),
        ("{{ messages[0].content / 0 }}", "unsupported operand"),
        ("{{ 1 / (messages | length - 1) }}", "division by zero"),
    ],
)
def test_a_template_that_fails(monkeypatch: pytest.MonkeyPatch, template: str, words: str) -> None:
    """At messages that it did not expect: jinja2's own errors, and Python's."""
    monkeypatch.setattr(Llama, "template", template)
    with pytest.raises(llama_model.BadPrompt, match=words):
        model().tokens(asked("a"))


def test_a_model_without_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Llama, "template", None)
    assert len(model().tokens(asked("abc"))) == 1 + len("of Mistral")


def test_options_reach_llama_cpp() -> None:
    made = model(context=99)
    assert made._llama.given == {
        "model_path": "/m.gguf",
        "n_ctx": 99,
        "n_threads": 2,
        "n_threads_batch": 2,
        "last_n_tokens_size": 99,
        "verbose": False,
    }
    text(made, "a", temperature=0.5, top_p=0.9, presence_penalty=1.0, frequency_penalty=-1.0)
    assert made._llama.options == [
        {"temp": 0.5, "top_p": 0.9, "presence_penalty": 1.0, "frequency_penalty": -1.0, "top_k": 0, "min_p": 0.0}
    ]


@pytest.mark.parametrize(
    ("seed", "expected"), [(7, 7), (0, 0), (-1, 2**32 - 2), (2**32 - 1, 0), (2**63 - 1, (2**63 - 1) % (2**32 - 1))]
)
def test_seeds(seed: int, expected: int) -> None:
    made = model()
    text(made, "a", seed=seed)
    assert made._llama.seeds == [expected]


def test_without_a_seed_answers_differ() -> None:
    made = model()
    for _time in range(5):
        text(made, "a")
    assert len(set(made._llama.seeds)) > 1


def test_of_a_prompt_only_what_is_new_is_read() -> None:
    made = model()
    text(made, "a" * 200)
    assert made._llama.steps == [llama_model.PROMPT_STEP, 201 - llama_model.PROMPT_STEP]
    # Its answer, as part of a longer conversation, is known too.
    made._llama.steps.clear()
    text(made, "a" * 400 + "bc")
    assert made._llama.steps == [2]
    made._llama.steps.clear()
    text(made, "a" * 300)
    assert made._llama.steps == [1]
    made._llama.steps.clear()
    text(made, "b")
    assert made._llama.steps == [1]


def test_reading_a_prompt_can_be_stopped() -> None:
    made = model()
    allowed = iter([True, True, False])
    assert list(made.generate(made.tokens("a" * 500), Sampling(), lambda: next(allowed))) == []
    assert made._llama.steps == [llama_model.PROMPT_STEP] * 2
    assert text(made, "a" * 499 + "b") == b"b" + b"a" * 499


def test_answering_can_be_stopped() -> None:
    made = model()
    allowed = iter([True, True, True, False])
    assert list(made.generate(made.tokens("abcdef"), Sampling(), lambda: next(allowed))) == [b"f", b"e"]
    assert made._llama.tokens_made == 2
