# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: one thing at a time, the event loop stays free, whoever hangs up stops the model."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from .app_stand_ins import engine, llama_engine, llama_model

Piece, TextStream = llama_engine.Piece, llama_engine.TextStream
GREEDY = llama_model.Sampling(temperature=0.0)


async def pieces(
    made: llama_engine.Engine, question: str, max_tokens: int = 1000, stops: tuple[str, ...] = ()
) -> list[Any]:
    prompt = await made.tokens([{"role": "user", "content": question}])
    async with aclosing(made.answer(prompt, max_tokens, stops, GREEDY)) as answer:
        return [piece async for piece in answer]


async def said(made: llama_engine.Engine, question: str, *given: Any) -> tuple[str, int, str]:
    got = await pieces(made, question, *given)
    assert [piece.finish_reason for piece in got[:-1]] == [None] * (len(got) - 1)
    assert all(one.tokens < other.tokens or other.finish_reason for one, other in pairwise(got))
    return "".join(piece.text for piece in got), got[-1].tokens, got[-1].finish_reason


async def until(condition: Any) -> None:
    for _turn in range(5000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come about")


TEXT = "Ω, naïve 日本語, 👩‍🚀 and the end"


@pytest.mark.parametrize("length", [1, 2, 3, 5, 100])
def test_characters_stay_whole(length: int) -> None:
    stream, data = TextStream(()), TEXT.encode()
    parts = [stream.feed(data[start : start + length]) for start in range(0, len(data), length)]
    assert "".join(parts) == TEXT
    assert "\ufffd" not in "".join(parts)


def test_half_a_character_at_the_end_is_left_out() -> None:
    stream = TextStream(())
    assert stream.feed("a日".encode()[:-1]) + stream.rest() == "a"


def test_bytes_that_are_no_text() -> None:
    stream = TextStream(())
    assert stream.feed(b"a\xff") + stream.feed(b"b") == "a\ufffdb"


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("one two three", ("two",), "one "),
        ("one two three", ("three", "two"), "one "),
        ("one two three", ("four",), None),
        ("one tw", ("two",), None),  # only the beginning of one
        ("one ttwo", ("two",), "one t"),
        ("aaab", ("aab",), "a"),
        ("one", ("o",), ""),
        ("日本語", ("本",), "日"),
        ("a\n\nb", ("\n\n",), "a"),
    ],
)
@pytest.mark.parametrize("length", [1, 2, 100])
def test_stop_words(text: str, stops: tuple[str, ...], expected: str | None, length: int) -> None:
    stream, data, got = TextStream(stops), text.encode(), ""
    for start in range(0, len(data), length):
        got += stream.feed(data[start : start + length])
        # What has been said cannot be taken back.
        assert (text if expected is None else expected).startswith(got)
        if stream.stopped:
            break
    assert stream.stopped == (expected is not None)
    assert got + stream.rest() == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("question", "given", "expected"),
    [
        ("abc", (), ("cba", 3, "stop")),
        ("abc", (3,), ("cba", 3, "length")),
        ("abc", (2,), ("cb", 2, "length")),
        ("abcdef", (100, ("cb",)), ("fed", 5, "stop")),
        ("abc", (3, ("ax",)), ("cba", 3, "length")),  # held back, and said in the end
        ("日本", (), ("本日", 6, "stop")),
        ("日本", (4,), ("本", 4, "length")),
        ("", (), ("", 0, "stop")),
    ],
)
def test_answers(question: str, given: tuple[Any, ...], expected: tuple[str, int, str]) -> None:
    made, _llama = engine()
    assert asyncio.run(said(made, question, *given)) == expected


def test_it_is_warm_when_it_starts() -> None:
    _made, llama = engine()
    assert llama.prompts == ["Hello"]


def test_the_first_text_comes_at_once_and_the_rest_in_pieces() -> None:
    now = [0.0]
    made, llama = engine(clock=lambda: now[0])

    async def scene() -> None:
        llama.gate.clear()
        prompt = await made.tokens("abcdefgh")
        async with aclosing(made.answer(prompt, 100, (), GREEDY)) as answer:
            first = asyncio.ensure_future(anext(answer))
            await asyncio.sleep(0.01)
            assert not first.done()
            llama.gate.set()
            assert await first == Piece("h", 1)
            # No time has passed since: the others go together.
            assert await anext(answer) == Piece("gfedcba", 8, "stop")

    asyncio.run(scene())


def test_a_slow_model_is_heard_token_by_token() -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += llama_engine.PACE
        return now[0]

    made, _llama = engine(clock)
    got = asyncio.run(pieces(made, "abc"))
    assert got == [Piece("c", 1), Piece("b", 2), Piece("a", 3), Piece("", 3, "stop")]


def test_one_at_a_time_in_order_and_the_loop_stays_free() -> None:
    made, llama = engine()
    llama.threads.clear()

    async def scene() -> list[tuple[str, int, str]]:
        llama.gate.clear()
        answers = []
        for word in ("ab", "cd", "ef"):
            answers.append(asyncio.create_task(said(made, word)))
            await asyncio.sleep(0.01)  # the loop turns while the model is at work
        # Tokens of another prompt do not wait for it.
        assert len(await made.tokens("abc")) == 4
        assert not any(answer.done() for answer in answers)
        llama.gate.set()
        return await asyncio.gather(*answers)

    assert asyncio.run(scene()) == [("ba", 2, "stop"), ("dc", 2, "stop"), ("fe", 2, "stop")]
    assert llama.prompts[1:] == [f"[INST] {word} [/INST]" for word in ("ab", "cd", "ef")]
    assert llama.most_inside == 1
    assert len(llama.threads) == 1
    assert threading.current_thread().name not in llama.threads


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_whoever_hangs_up_stops_the_model(how: str) -> None:
    made, llama = engine()
    llama.seconds_a_token = 0.001

    async def scene() -> None:
        prompt = await made.tokens([{"role": "user", "content": "forever"}])
        answer = made.answer(prompt, 400, (), GREEDY)
        if how == "close":
            await anext(answer)
            await answer.aclose()
        else:
            task = asyncio.create_task(pieces(made, "forever", 400))
            await until(lambda: llama.tokens_made > 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await until(lambda: llama.inside == 0)
        assert llama.tokens_made < 400
        assert await said(made, "next") == ("txen", 4, "stop")

    asyncio.run(scene())


def test_who_hangs_up_while_waiting_is_never_answered() -> None:
    made, llama = engine()

    async def scene() -> None:
        llama.gate.clear()
        first = asyncio.create_task(said(made, "first"))
        await asyncio.sleep(0.01)
        second, third = asyncio.create_task(said(made, "second")), asyncio.create_task(said(made, "third"))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0.01)
        llama.gate.set()
        assert await asyncio.gather(first, third) == [("tsrif", 5, "stop"), ("driht", 5, "stop")]
        assert second.cancelled()

    asyncio.run(scene())
    assert llama.prompts[1:] == ["[INST] first [/INST]", "[INST] third [/INST]"]


def test_only_a_stuck_model_is_unhealthy() -> None:
    now = [0.0]
    made, llama = engine(clock=lambda: now[0])
    now[0] = 10_000.0
    made.check()  # idle for long

    async def scene() -> None:
        # A long answer: each token is a step.
        llama.seconds_a_token = 0.0001
        answer = asyncio.create_task(said(made, "forever", 50))
        while not answer.done():
            now[0] += llama_engine.STUCK_AFTER / 10
            made.check()
            await asyncio.sleep(0.001)
        llama.gate.clear()
        answer = asyncio.create_task(said(made, "ab"))
        await until(lambda: made._last_step is not None)
        made.check()
        now[0] += llama_engine.STUCK_AFTER + 1
        with pytest.raises(RuntimeError, match="300 s"):
            made.check()
        llama.gate.set()
        await answer
        await until(lambda: made._last_step is None)
        made.check()

    asyncio.run(scene())


@pytest.mark.parametrize(("question", "before"), [("bug", ""), ("bug later", "abc")])
def test_what_goes_wrong_is_told_and_the_next_is_answered(question: str, before: str) -> None:
    made, _llama = engine()

    async def scene() -> None:
        heard = ""
        prompt = await made.tokens([{"role": "user", "content": question}])
        with pytest.raises(llama_engine.ModelFailed, match="llama_decode"):
            async for piece in made.answer(prompt, 10, (), GREEDY):
                heard += piece.text
        assert before.startswith(heard)
        assert await said(made, "ab") == ("ba", 2, "stop")

    asyncio.run(scene())


def test_a_missing_model_shows_at_start() -> None:
    def load() -> Any:
        raise ValueError("Model path does not exist: /m.gguf")

    with pytest.raises(ValueError, match=r"/m\.gguf"):
        llama_engine.Engine(load)
