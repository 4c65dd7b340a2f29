# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model is told of a conversation, and what the page shows of an answer."""

from __future__ import annotations

from typing import Any

import conversation as c
import pytest

Q1, A1 = c.message("user", "one?", {}), c.message("assistant", "one.", {})
Q2, A2 = c.message("user", "two?", {}), c.message("assistant", "two.", {})
NOTE = c.message("assistant", "the page says", c.NOTE)
PART = c.message("assistant", "tw", c.WRITING)


@pytest.mark.parametrize(
    ("history", "turns"),
    [
        ([], []),
        ([Q1], []),
        ([Q1, A1], [("one?", "one.")]),
        ([Q1, A1, Q2, A2], [("one?", "one."), ("two?", "two.")]),
        ([Q1, NOTE, A1], [("one?", "one.")]),
        ([Q1, NOTE, Q2, A2], [("two?", "two.")]),
        ([Q1, A1, Q2, PART], [("one?", "one.")]),
        ([Q1, Q2, A2], [("two?", "two.")]),
        ([A1], []),
    ],
)
def test_only_answered_questions_are_told(history: list[Any], turns: list[Any]) -> None:
    assert c.turns_of(history) == turns


def test_prompt() -> None:
    assert c.prompt([("one?", "one.")], "two?") == [
        {"role": "user", "content": "one?"},
        {"role": "assistant", "content": "one."},
        {"role": "user", "content": "two?"},
    ]


@pytest.mark.parametrize(("count", "steps"), [(0, []), (1, [0]), (2, [1, 0]), (3, [1, 0]), (9, [4, 2, 1, 0])])
def test_halves_keep_the_newest_and_come_to_an_end(count: int, steps: list[int]) -> None:
    turns = [(f"q{number}", "a") for number in range(count)]
    for left in steps:
        turns = c.newer_half(turns)
        assert turns == [(f"q{number}", "a") for number in range(count - left, count)]
    assert turns == []


@pytest.mark.parametrize(
    ("history", "again"),
    [
        ([], []),
        ([Q1], [Q1]),
        ([Q1, A1], [Q1]),
        ([Q1, A1, Q2, PART], [Q1, A1, Q2]),
        ([Q1, A1, Q2, c.message("assistant", "once more", c.NOTE | c.WRITING)], [Q1, A1, Q2]),
        ([Q1, NOTE], [Q1]),
        ([Q1, A1, Q2, NOTE, A2], [Q1, A1, Q2]),
    ],
)
def test_what_is_asked_again(history: list[Any], again: list[Any]) -> None:
    assert c.up_to_question(history) == again


@pytest.mark.parametrize(
    ("reply", "texts", "writing", "turns"),
    [
        (c.Reply(""), [], True, []),
        (c.Reply("tw"), ["tw"], True, []),
        (c.Reply("tw", "left out"), ["left out", "tw"], True, []),
        (c.Reply("two.", "left out", "done"), ["left out", "two."], False, [("two?", "two.")]),
        (c.Reply("two.", "", "done"), ["two."], False, [("two?", "two.")]),
        (c.Reply("tw", "broke off", "failed"), ["tw", "broke off"], False, []),
        (c.Reply("", "silent", "failed"), ["silent"], False, []),
    ],
)
def test_shown(reply: c.Reply, texts: list[str], writing: bool, turns: list[Any]) -> None:
    history = c.shown([Q2], reply)
    assert history[0] == Q2
    assert [c.text_of(one) for one in history[1:]] == texts
    assert {one["role"] for one in history[1:]} <= {"assistant"}
    # What the page looks for in a history that comes back.
    assert (history[-1]["role"] == "user" or history[-1]["metadata"].get("status") == "pending") is writing
    assert c.turns_of(history) == turns
