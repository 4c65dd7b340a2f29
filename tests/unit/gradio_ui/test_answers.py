# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to a service that does not always answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from answers import PAUSE, Backend, Kind, Step, Trouble, Writers, left_out, next_step, replies, trouble_of
from conversation import Reply
from scripted import WORDS, ScriptedModel, serving

TURNS = [(f"q{number}", f"a{number}") for number in range(4)]
ANSWER = "".join(f"{word} " for word in WORDS)


@pytest.mark.parametrize(
    ("kind", "asked_again", "turns", "step"),
    [
        (Kind.TOO_LONG, False, 3, Step.SHORTEN),
        (Kind.TOO_LONG, True, 1, Step.SHORTEN),
        (Kind.TOO_LONG, False, 0, Step.GIVE_UP),
        (Kind.REFUSED, False, 3, Step.GIVE_UP),
        *((kind, False, 0, Step.AGAIN) for kind in (Kind.BUSY, Kind.SILENT, Kind.FAILED, Kind.BROKEN)),
        *((kind, True, 3, Step.GIVE_UP) for kind in (Kind.BUSY, Kind.SILENT, Kind.FAILED, Kind.BROKEN)),
    ],
)
def test_next_step(kind: Kind, asked_again: bool, turns: int, step: Step) -> None:
    assert next_step(kind, asked_again, turns) is step


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, ""), (1, "the oldest question and its answer were left out"), (3, "the 3 oldest questions and their answers")],
)
def test_left_out(count: int, expected: str) -> None:
    assert expected in left_out(count)
    assert bool(left_out(count)) == bool(count)


def ask_of(*attempts: list[str | Trouble]) -> Any:
    """An C(ask) whose attempts come from here, and the prompts that it got."""
    left, prompts = list(attempts), []

    async def ask(messages: list[dict[str, str]]) -> AsyncIterator[str]:
        prompts.append([one["content"] for one in messages])
        for piece in left.pop(0):
            if isinstance(piece, Trouble):
                raise piece
            yield piece

    return ask, prompts


def all_replies(ask: Any, turns: list[Any], pause: float = 0.0) -> list[Reply]:
    async def collect() -> list[Reply]:
        return [reply async for reply in replies(ask, turns, "q?", pause)]

    return asyncio.run(collect())


def test_an_answer_grows() -> None:
    ask, prompts = ask_of(["a", "b"])
    assert all_replies(ask, TURNS[:1]) == [Reply(""), Reply("a"), Reply("ab"), Reply("ab", "", "done")]
    assert prompts == [["q0", "a0", "q?"]]


def test_what_broke_off_is_replaced() -> None:
    ask, prompts = ask_of(["a", "b", Trouble(Kind.BROKEN)], ["c", "d"])
    got = all_replies(ask, [])
    note = "*The answer broke off. Asking once more …*"
    assert got[2:] == [Reply("ab"), Reply("ab", note), Reply(""), Reply("c"), Reply("cd"), Reply("cd", "", "done")]
    assert prompts == [["q?"], ["q?"]]


def test_the_second_failure_is_the_last() -> None:
    ask, prompts = ask_of([Trouble(Kind.SILENT)], ["a", Trouble(Kind.BROKEN, "reset")])
    last = all_replies(ask, [])[-1]
    assert last == Reply("a", "⚠️ **The answer broke off.** It was asked twice.\n\n> reset", "failed")
    assert len(prompts) == 2


def test_what_is_refused_is_not_asked_again() -> None:
    ask, prompts = ask_of([Trouble(Kind.REFUSED, "no such model")])
    assert all_replies(ask, TURNS)[-1] == Reply(
        "", "⚠️ **The model refused the question.**\n\n> no such model", "failed"
    )
    assert len(prompts) == 1


def test_too_long_a_conversation_is_shortened_until_it_fits() -> None:
    ask, prompts = ask_of([Trouble(Kind.TOO_LONG)], [Trouble(Kind.TOO_LONG)], ["a"])
    last = all_replies(ask, TURNS)[-1]
    assert last == Reply("a", left_out(3), "done")
    assert [len(one) for one in prompts] == [9, 5, 3]
    assert prompts[-1] == ["q3", "a3", "q?"]


def test_too_long_a_question() -> None:
    ask, prompts = ask_of(*[[Trouble(Kind.TOO_LONG, "512 at most")]] * 4)
    assert all_replies(ask, TURNS)[-1].note == "⚠️ **The question is too long for the model.**\n\n> 512 at most"
    assert [len(one) for one in prompts] == [9, 5, 3, 1]


def test_shortening_is_no_second_attempt() -> None:
    ask, _prompts = ask_of([Trouble(Kind.BUSY)], [Trouble(Kind.TOO_LONG)], ["a"])
    assert all_replies(ask, TURNS)[-1] == Reply("a", left_out(2), "done")


def test_no_words_are_no_answer() -> None:
    ask, _prompts = ask_of([])
    assert all_replies(ask, [])[-1] == Reply("", "*The model gave no answer.*", "failed")


def test_time_passes_before_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("answers.asyncio.sleep", sleep)
    ask, _prompts = ask_of([Trouble(Kind.SILENT)], ["a"])
    assert all_replies(ask, [], PAUSE)[-1].state == "done"
    assert slept == [PAUSE]


def test_a_session_stops_its_own_answer_only() -> None:
    gate = asyncio.Event()

    async def ask(messages: list[dict[str, str]]) -> AsyncIterator[str]:
        yield "a"
        await gate.wait()
        yield "b"

    async def scene() -> list[list[Reply]]:
        writers = Writers(ask)

        async def listen(session: str) -> list[Reply]:
            return [reply async for reply in writers.write(session, [], "q?")]

        listening = [asyncio.create_task(listen(session)) for session in ("one", "two")]
        while len(writers.tasks) < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        writers.stop("one")
        writers.stop("nobody")
        stopped = await listening[0]
        gate.set()
        both = [stopped, await listening[1]]
        assert writers.tasks == {}
        return both

    one, two = asyncio.run(scene())
    assert one[-1] == Reply("a", "*Stopped.*", "failed")
    assert two[-1] == Reply("ab", "", "done")


def test_a_mistake_of_ours_is_not_hidden() -> None:
    async def ask(messages: list[dict[str, str]]) -> AsyncIterator[str]:
        yield "a"
        raise ZeroDivisionError

    async def listen() -> None:
        async for _reply in Writers(ask).write("one", [], "q?"):
            pass

    with pytest.raises(ZeroDivisionError):
        asyncio.run(listen())


def through_http(scripted: ScriptedModel, turns: list[Any], **given: Any) -> list[Reply]:
    with serving(scripted.app) as url:
        return all_replies(Backend(**{"url": url, "model": "", "timeout": 10.0} | given).ask, turns)


@pytest.mark.parametrize(("named", "used"), [("", "first"), ("mine", "mine")])
def test_model(named: str, used: str) -> None:
    model = ScriptedModel()
    assert through_http(model, [], model=named)[-1] == Reply(ANSWER, "", "done")
    assert model.models == [used]


@pytest.mark.parametrize("act", ["503", "500", "429", "die", "cut", "event", "mute"])
def test_one_failure_is_made_good(act: str) -> None:
    model = ScriptedModel(act)
    got = through_http(model, TURNS, timeout=1.0)
    assert got[-1] == Reply(ANSWER, "", "done")
    assert len(model.asked) == 2
    assert sum(reply.note != "" for reply in got) == 1


@pytest.mark.parametrize(
    ("act", "note", "text"),
    [
        ("503", "The model is busy with other questions.** It was asked twice.\n\n> scripted 503", ""),
        ("500", "The model answered with an error.** It was asked twice.\n\n> scripted 500", ""),
        ("die", "The answer broke off.** It was asked twice.", "The head node "),
        ("cut", "The answer broke off.** It was asked twice.", "The head node "),
        ("event", "The answer broke off.** It was asked twice.\n\n> scripted event", "The head node "),
        ("mute", "The model does not answer.** It was asked twice.\n\n> Request timed out.", ""),
    ],
)
def test_two_failures_are_told(act: str, note: str, text: str) -> None:
    last = through_http(ScriptedModel(act, act), [], timeout=1.0)[-1]
    assert (last.state, last.text) == ("failed", text)
    assert note in last.note


def test_refused() -> None:
    model = ScriptedModel("404")
    assert "refused the question.**\n\n> scripted 404" in through_http(model, [])[-1].note
    assert len(model.asked) == 1


def test_context_length() -> None:
    model = ScriptedModel(most_messages=5)
    assert through_http(model, TURNS)[-1] == Reply(ANSWER, left_out(2), "done")
    assert [len(messages) for messages in model.asked] == [9, 5]


def test_more_bytes_than_the_service_reads() -> None:
    """A conversation is shortened as for a model with a small context; a single question is told to be too long."""
    model = ScriptedModel("413", "413")
    assert through_http(model, TURNS)[-1] == Reply(ANSWER, left_out(3), "done")
    assert [len(messages) for messages in model.asked] == [9, 5, 3]
    note = through_http(ScriptedModel("413"), [])[-1].note
    assert note == "⚠️ **The question is too long for the model.**\n\n> scripted 413"


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (413, "the body has more than 1048576 bytes", Kind.TOO_LONG),
        (413, "<html>413 Request Entity Too Large</html>", Kind.TOO_LONG),
        (400, "This model's maximum context length is 4096 tokens", Kind.TOO_LONG),
        (400, "messages[0].role is missing", Kind.REFUSED),
        (422, "exceeds the context window", Kind.TOO_LONG),
        (404, "the context length is unknown", Kind.REFUSED),
    ],
)
def test_what_is_too_long(status: int, said: str, kind: Kind) -> None:
    response = httpx.Response(status, request=httpx.Request("POST", "http://x"))
    assert trouble_of(openai.APIStatusError(said, response=response, body=None), begun=False).kind is kind


def test_nobody_there() -> None:
    with serving(ScriptedModel().app) as url:
        pass
    last = all_replies(Backend(url, "", 1.0).ask, [])[-1]
    assert last.note.startswith("⚠️ **The model does not answer.** It was asked twice.")


def test_who_stops_listening_hangs_up() -> None:
    model = ScriptedModel(delay=0.05)

    async def listen(url: str) -> None:
        answer = replies(Backend(url, "", 10.0).ask, [], "q?")
        async for reply in answer:
            if reply.text:
                break
        await answer.aclose()
        assert await asyncio.to_thread(model.hung_up.wait, 10)

    with serving(model.app) as url:
        asyncio.run(listen(url))
