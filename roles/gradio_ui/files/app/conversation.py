# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page shows and what the model is told. Pure functions of a history: the list of messages of Gradio's chatbot.

The browser keeps the history and sends it with every question, so that any replica of the page can answer the next one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

Message = dict[str, Any]
Turn = tuple[str, str]  # a question and its answer

#: Marks an answer that is still being written. When the page finds it in a history that comes back, it asks again.
WRITING = {"status": "pending"}
#: Marks what the page itself says; the model is never told.
NOTE = {"id": "note"}


@dataclasses.dataclass(frozen=True)
class Reply:
    """How far the answer to one question is: its text, a remark of the page beside it, and whether this was the last."""

    text: str
    note: str = ""
    state: str = "writing"  # or "done", "failed"


def message(role: str, text: str, metadata: dict[str, str]) -> Message:
    # Not the bare string, whose leading spaces Gradio would strip.
    return {"role": role, "content": [{"type": "text", "text": text}], "metadata": metadata}


def text_of(one: Message) -> str:
    return "".join(part["text"] for part in one["content"] if part["type"] == "text")


def marked(one: Message, mark: dict[str, str]) -> bool:
    return mark.items() <= (one.get("metadata") or {}).items()


def up_to_question(history: list[Message]) -> list[Message]:
    """The history up to its newest question, without what followed; empty if there is none."""
    asked = [number for number, one in enumerate(history) if one["role"] == "user"]
    return history[: asked[-1] + 1] if asked else []


def turns_of(history: list[Message]) -> list[Turn]:
    """The answered questions: models want questions and answers in turn, and no answer that is not theirs."""
    turns: list[Turn] = []
    question = None
    for one in history:
        if one["role"] == "user":
            question = text_of(one)
        elif question is not None and not marked(one, NOTE) and not marked(one, WRITING):
            turns.append((question, text_of(one)))
            question = None
    return turns


def newer_half(turns: list[Turn]) -> list[Turn]:
    """What is left for a model to whom all of it was too long: a few steps lead from any length to nothing."""
    return turns[(len(turns) + 1) // 2 :]


def prompt(turns: list[Turn], question: str) -> list[dict[str, str]]:
    """The messages of a chat completion."""
    roles = ("user", "assistant")
    told = [{"role": role, "content": text} for turn in turns for role, text in zip(roles, turn, strict=True)]
    return [*told, {"role": "user", "content": question}]


def shown(history: list[Message], reply: Reply) -> list[Message]:
    """The history, which ends with the question, with as much of its answer as there is."""
    unfinished = WRITING if reply.state == "writing" else {}
    notes = [message("assistant", reply.note, NOTE | unfinished)] if reply.note else []
    if reply.state == "failed":
        # What came of an answer that broke off stays to be read.
        return [*history, *([message("assistant", reply.text, NOTE)] if reply.text else []), *notes]
    # Before its first word Gradio shows that it waits.
    return [*history, *notes, *([message("assistant", reply.text, unfinished)] if reply.text else [])]
