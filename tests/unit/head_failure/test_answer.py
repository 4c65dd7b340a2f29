# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.answer import (
    Answer,
    Broken,
    Stream,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Serve-Replica: r1\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
WHOLE = {
    "sized": (HEAD + b"Content-Length: 5\r\n\r\nabcde", True),
    "chunked": (CHUNKED, True),
    "interim answers first": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HEAD + b"Content-Length: 5\r\n\r\nabcde",
        True,
    ),
    "closing": (HEAD + b"Connection: Close\r\nContent-Length: 5\r\n\r\nabcde", False),
    "of an old server": (HEAD.replace(b"1.1", b"1.0") + b"Content-Length: 5\r\n\r\nabcde", False),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000], ids=lambda size: f"pieces of {size}")
@pytest.mark.parametrize(("data", "reusable"), WHOLE.values(), ids=WHOLE)
def test_a_whole_answer_in_whatever_pieces(data, reusable, size):
    body = []
    answer = Answer(body.append)
    for start in range(0, len(data), size):
        assert not answer.complete
        answer.feed(data[start : start + size])
    assert (answer.complete, answer.status, b"".join(body)) == (True, 200, b"abcde")
    assert answer.headers["x-serve-replica"] == "r1"
    assert answer.reusable is reusable
    answer.end()


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"])
def test_nothing_to_read(head):
    answer = Answer()
    answer.feed(head)
    assert (answer.complete, answer.reusable) == (True, True)


def test_until_closed():
    answer = Answer()
    answer.feed(HEAD + b"\r\nabc")
    assert not answer.complete
    answer.end()
    assert (answer.complete, answer.reusable) == (True, False)


def test_more_than_was_asked_for_makes_the_connection_useless():
    answer = Answer()
    answer.feed(HEAD + b"Content-Length: 1\r\n\r\nabc")
    assert (answer.complete, answer.reusable) == (True, False)


BROKEN = {
    "closed without an answer": b"",
    "closed in the middle of the headers": HEAD,
    "closed in the middle of the answer": HEAD + b"Content-Length: 9\r\n\r\nabc",
    "not an HTTP answer": b"SSH-2.0-x\r\n",
    "headers without an end": HEAD + b"x" * 70_000,
}


@pytest.mark.parametrize(("words", "data"), BROKEN.items(), ids=BROKEN)
def test_broken_answers(words, data):
    answer = Answer()
    with pytest.raises(Broken, match=words):
        if data:
            answer.feed(data)
        answer.end()


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 abc\r\n\r\n", HEAD + b"Content-Length: x\r\n\r\n", CHUNKED.replace(b"3\r\n", b"z\r\n", 1)]
)
def test_numbers_that_are_none(data):
    with pytest.raises(Broken, match="not an HTTP answer"):
        Answer().feed(data)


ROLE = b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n'
TOKEN = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def watched(*events):
    """A stream of (seconds, piece)."""
    clock = Clock()
    stream = Stream(clock)
    for clock.now, piece in events:
        stream.feed(piece)
    return stream, clock


def test_a_stream():
    stream, _clock = watched((1, ROLE), (2, TOKEN), (2.1, TOKEN), (2.6, TOKEN), (2.7, b": warm\n\n"), (2.8, DONE))
    assert (stream.first, stream.last, stream.problem()) == (2, 2.8, "")
    # A comment is no event: the user sees nothing of it.
    assert stream.gap == pytest.approx(0.5)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_events_in_whatever_pieces(size):
    data = (ROLE + TOKEN + b"event: note\ndata: two\ndata: lines\n\n" + DONE).replace(b"\n", b"\r\n")
    stream, _clock = watched(*((start, data[start : start + size]) for start in range(0, len(data), size)))
    assert (stream.done, stream.problem()) == (True, "")
    assert stream.first is not None


def test_completions_and_streams_of_other_kinds_have_a_first_token_too():
    for data in (b'data: {"choices": [{"text": "a"}]}\n\n', b"data: plain words\n\n", b'data: {"token": 1}\n\n'):
        assert watched((3, data))[0].first == 3
    assert watched((3, b'data: {"choices": [{"text": ""}]}\n\n'))[0].first is None
    assert watched((3, b'data: {"choices": [{"delta": {"tool_calls": [{}]}}]}\n\n'))[0].first == 3


PROBLEMS = {
    "stream ended without [DONE]": (ROLE, TOKEN),
    "error in the stream: the model failed": (TOKEN, b'data: {"error": {"message": "the  model\\nfailed"}}\n\n', DONE),
    "error in the stream: no more": (TOKEN, b'data: {"error": "no more"}\n\n'),
    "error in the stream: gone?": (b"event: error\ndata: gone\x07\n\n", DONE),
    "": (TOKEN, b'data: {"choices": [{"delta": {"content": "the \\"error\\""}}]}\n\n', DONE),
}


@pytest.mark.parametrize(("words", "pieces"), PROBLEMS.items(), ids=PROBLEMS)
def test_what_is_wrong_with_a_stream(words, pieces):
    assert watched(*enumerate(pieces))[0].problem() == words


def test_a_stream_that_is_given_up_has_a_gap_for_it():
    stream, clock = watched((1, TOKEN))
    clock.now = 4.0
    assert stream.silence() == 3.0
    stream.cut()
    assert stream.gap == 3.0
    silent, _clock = watched((1, ROLE))
    silent.cut()
    assert (silent.silence(), silent.gap) == (None, None)
