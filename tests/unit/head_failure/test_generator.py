# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The load generator as it is run in a pod: its sources in the command line of a bare Python."""

from __future__ import annotations

import ast
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.entries import generator_arguments, headers
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator import (
    answer,
    client,
    life,
    lines,
    run,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import LocalLoad, generator_program
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog

from .fake_server import CLOSE, OK, chunk, server

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
ROLE = b'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n'
TOKEN = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


def generate(port, *load, seconds=0.2):
    """Run the program as a pod does, and return its log."""
    program = generator_program(generator_arguments(f"http://127.0.0.1:{port}", load, seconds))
    done = subprocess.run([sys.executable, *program], capture_output=True, text=True, timeout=30, check=True)
    log = SampleLog(list(load), seconds)
    for line in done.stdout.splitlines():
        log.feed(line)
    return log


@pytest.fixture
def entry(build):
    """An entry of the load: four requests in the 0.2 s of a run."""

    def make(name="short", **values):
        return build.entry(name, **{"rate": None if values.get("users") else 20.0, "request_timeout": 1.0, **values})

    return make


def test_it_is_written_for_old_pythons():
    for module in (answer, client, life, lines, run):
        ast.parse(inspect.getsource(module), feature_version=(3, 9))


def test_each_request_has_its_sample_and_its_own_connection(entry):
    before = time.time()
    with server(lambda *_: [OK]) as there:
        log = generate(there.port, entry())
    assert [number for number, _request in there.seen] == [0, 1, 2, 3]
    request = there.seen[0][1]
    assert request.startswith(f"GET /infer?sentence=x HTTP/1.1\r\nHost: 127.0.0.1:{there.port}\r\n".encode())
    assert b"Connection: close\r\n" in request
    assert before < log.start < time.time()
    for number, sample in enumerate(log.samples()):
        assert (sample.entry, sample.number) == ("short", number)
        assert sample.due == pytest.approx(log.start + number / 20, abs=1e-3)
        assert (sample.status, sample.error, sample.replica, sample.node) == (200, "", "r1", "n1")
        assert 0 <= sample.late <= sample.latency
        assert 0 < sample.connect < sample.latency
        assert (sample.age, sample.first, sample.gap, sample.repeated) == (0.0, None, None, False)
    assert log.unknown_until(1e10) == 0
    beat = log.beats()[-1]
    assert beat.begun == (4,)
    assert 0 < beat.cpu < 2
    assert beat.lag > 0
    # A share, where the kernel of this machine counts it.
    assert beat.pressure is None if not os.path.exists(run.PRESSURE) else 0 <= beat.pressure <= 1.05


ANSWERS = {
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, ""),
    "until closed": (b"HTTP/1.0 200 OK\r\n\r\nabc", 200, ""),
    "error": (b"HTTP/1.1 500 Internal\r\nContent-Length: 1\r\n\r\nx", 500, ""),
    "broken off": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0, "closed in the middle of the answer"),
    "no headers' end": (b"HTTP/1.1 200 OK\r\nContent-", 0, "closed in the middle of the headers"),
    "nothing": (b"", 0, "closed without an answer"),
    "not HTTP": (b"SSH-2.0-x\r\n", 0, "not an HTTP answer"),
}


def test_answers(entry):
    load = [entry(str(number), path=f"/{number}") for number in range(len(ANSWERS))]
    with server(lambda _number, _turn, path: [list(ANSWERS.values())[int(path[1:])][0], CLOSE]) as there:
        samples = generate(there.port, *load, seconds=0.05).samples()
    got = {list(ANSWERS)[int(sample.entry)]: (sample.status, sample.error) for sample in samples}
    assert got == {name: (status, error) for name, (_data, status, error) in ANSWERS.items()}
    assert sum(sample.failed for sample in samples) == 5


def test_refused_connections_are_samples(entry):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    samples = generate(port, entry()).samples()
    assert [(sample.status, sample.connect) for sample in samples] == [(0, None)] * 4
    assert all(sample.error == "Connection refused" for sample in samples)


def test_a_stall_is_seen_by_all_requests_of_its_time(entry):
    with server(lambda *_: [0.5, OK]) as there:
        samples = generate(there.port, entry(), seconds=0.5).samples()
    # One after the other would take 5 s: open loop takes them all at once.
    assert len(samples) == 10
    assert all(500 <= sample.latency < 2000 for sample in samples), samples
    assert samples[-1].late < 400


def test_time_limit_counts_from_due(entry):
    with server(lambda *_: [5.0, OK]) as there:
        samples = generate(there.port, entry(request_timeout=0.4), seconds=0.1).samples()
    assert [sample.error for sample in samples] == ["timed out", "timed out"]
    assert all(390 <= sample.latency < 1000 for sample in samples)
    assert all(sample.connect is not None for sample in samples)


def test_a_body_is_sent_as_json(entry):
    body = {"model": "m", "messages": [{"content": "$(x) ä"}]}
    with server(lambda *_: [OK]) as there:
        log = generate(there.port, entry(method="POST", path="/chat", body=body), seconds=0.05)
    assert log.counts() == (1, 0)
    head, _end, sent = there.seen[0][1].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /chat HTTP/1.1\r\n")
    assert b"Content-Type: application/json" in head
    assert json.loads(sent) == body


# So that on a busy machine too each answer is there before the next request is due.
FAR_APART = {"rate": 2.0}


def test_kept_connections_are_used_again(entry):
    with server(lambda *_: [OK]) as there:
        log = generate(there.port, entry(connection="kept", **FAR_APART), seconds=1.4)
    assert {number for number, _request in there.seen} == {0}
    first, *others = log.samples()
    assert (first.connect is not None, first.age) == (True, 0.0)
    assert all(sample.connect is None for sample in others)
    assert 0.9 <= others[-1].age <= 1.2


def test_a_kept_connection_that_was_closed_meanwhile_is_not_used(entry):
    with server(lambda *_: [OK, CLOSE]) as there:
        log = generate(there.port, entry(connection="kept", **FAR_APART), seconds=0.8)
    assert log.counts() == (2, 0)
    assert [(sample.repeated, sample.connect is None) for sample in log.samples()] == [(False, False)] * 2


@pytest.mark.parametrize(("method", "failed"), [("GET", 0), ("POST", 1)])
def test_a_kept_connection_that_is_closed_under_a_request(entry, method, failed):
    # The second request on a connection is read, and the connection closed instead of an answer.
    with server(lambda _number, turn, _path: [OK] if turn == 0 else [CLOSE]) as there:
        log = generate(there.port, entry(connection="kept", method=method, **FAR_APART), seconds=0.8)
    assert log.counts() == (2, failed)
    sample = log.samples()[1]
    assert sample.repeated is (method == "GET")
    assert sample.error == ("" if method == "GET" else "closed without an answer")
    assert len(there.seen) == (3 if method == "GET" else 2)


def test_what_fails_on_a_new_connection_or_half_way_is_not_sent_again(entry):
    with server(lambda _number, turn, _path: [OK] if turn == 0 else [OK[:20], CLOSE]) as there:
        log = generate(there.port, entry(connection="kept", **FAR_APART), seconds=0.8)
    assert [sample.error for sample in log.samples()] == ["", "closed in the middle of the headers"]
    with server(lambda *_: [CLOSE]) as there:
        log = generate(there.port, entry(connection="kept"), seconds=0.05)
    assert (log.counts(), len(there.seen)) == ((1, 1), 1)


def test_users_wait_and_think_and_have_connections_of_their_own(entry):
    with server(lambda *_: [0.1, OK]) as there:
        log = generate(there.port, entry(users=3, think_seconds=0.2, connection="kept"), seconds=1.0)
    by_connection = {}
    for number, _request in there.seen:
        by_connection[number] = by_connection.get(number, 0) + 1
    assert len(by_connection) == 3
    # A round takes 0.2 to 0.4 s.
    assert all(2 <= count <= 6 for count in by_connection.values()), by_connection
    assert log.begun_until(1e10) == [len(there.seen)]
    assert [sample.number for sample in log.samples()] == list(range(len(there.seen)))


def stream_of(*steps):
    return [STREAM, *(step if isinstance(step, float) else chunk(step) for step in steps), chunk(b"")]


def test_streams_are_measured(entry):
    script = stream_of(ROLE, 0.1, TOKEN, 0.05, TOKEN, 0.2, TOKEN, DONE)
    with server(lambda *_: script) as there:
        (sample,) = generate(there.port, entry(stream=True, method="POST", body={}), seconds=0.05).samples()
    assert (sample.status, sample.error) == (200, "")
    assert 100 <= sample.first < 900
    assert 190 <= sample.gap < 1000
    assert 350 <= sample.latency < 2000
    assert b'{"stream": true}' in there.seen[0][1]


STREAMS = {
    "it breaks off": ([STREAM, chunk(TOKEN), CLOSE], "closed in the middle of the answer"),
    "it has no end": (stream_of(TOKEN), "stream ended without [DONE]"),
    "an error event": (
        stream_of(TOKEN, b'data: {"error": {"message": "out of memory"}}\n\n', DONE),
        "error in the stream: out of memory",
    ),
    "it stalls": (stream_of(TOKEN, 2.0, DONE), "stalled: no event for 0.3 s"),
    "it does not begin": (stream_of(ROLE, 2.0, DONE), "timed out"),
    "no stream": ([OK], "the answer is no stream of events"),
    "refused": ([b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nhi"], ""),
}


def test_failed_streams(entry):
    limits = {"stream": True, "max_gap_seconds": 0.3, "request_timeout": 0.8}
    load = [entry(str(number), path=f"/{number}", **limits) for number in range(len(STREAMS))]
    with server(lambda _number, _turn, path: list(STREAMS.values())[int(path[1:])][0]) as there:
        samples = generate(there.port, *load, seconds=0.05).samples()
    got = {list(STREAMS)[int(sample.entry)]: sample for sample in samples}
    assert {name: sample.error for name, sample in got.items()} == {
        name: error for name, (_script, error) in STREAMS.items()
    }
    assert all(sample.failed for sample in samples)
    assert 290 <= got["it stalls"].gap < 700


def test_a_service_that_gets_slow_and_stalls_is_judged_by_what_was_measured(build, entry):
    """As a negative control, from sockets to the verdict: answers in time at first, then not."""
    chats = {"stream": True, "path": "/chats", "max_gap_seconds": 0.5}
    load = [entry(rate=10.0, request_timeout=5.0), entry("chats", rate=4.0, **chats)]
    well = {load[0]["path"]: (10, [OK]), "/chats": (2, stream_of(TOKEN, TOKEN, DONE))}
    ill = {load[0]["path"]: [2.0, OK], "/chats": stream_of(TOKEN, 2.0, TOKEN, DONE)}
    asked = Counter()

    def script(_number, _turn, path):
        asked[path] += 1
        many, answer = well[path]
        return answer if asked[path] <= many else ill[path]

    with server(script) as there:
        log = generate(there.port, *load, seconds=1.3)
    samples = log.samples()
    # Whatever the machine of this test is busy with.
    beats = tuple(replace(beat, pressure=None) for beat in log.beats())
    struck = min(sample.due for sample in samples if sample.failed) - 0.001
    evidence = build.evidence(
        samples=tuple(samples), beats=beats, struck=struck, recovered=struck + 1, ended=struck + 9
    )
    criteria = {one.name: one for one in judge(replace(build.plan, load=load, max_slow_requests=0), evidence).criteria}
    assert "stalled: no event for 0.5 s" in criteria["requests"].reasons[0]
    assert "requests were slow though processors were free, 0 allowed" in criteria["slow"].reasons[0]


def test_kinds_at_the_same_time(entry):
    with server(lambda *_: [OK]) as there:
        log = generate(there.port, entry("a"), entry("b", users=2, think_seconds=0.1), entry("c", connection="kept"))
    counts = {name: sum(sample.entry == name for sample in log.samples()) for name in "abc"}
    assert counts["a"] == counts["c"] == 4
    assert counts["b"] >= 2
    assert log.begun_until(1e10) == list(counts.values())


def test_headers_come_by_the_environment(entry, tmp_path):
    load = [entry("a", headers={"X-Key": "s3cret", "accept": "a/b"}), entry("b", method="POST", body={})]
    with server(lambda *_: [OK]) as there:
        arguments = generator_arguments(f"http://127.0.0.1:{there.port}", load, 0.05)
        program = generator_program([*arguments, *LocalLoad.arguments])
        with LocalLoad(program, str(tmp_path), SampleLog(load, 0.05), time.time, headers(load)) as running:
            running.start()
            running.complete(running.log.started + 0.05, 5)
    first, second = sorted((request for _number, request in there.seen), key=lambda request: b"POST" in request)
    assert b"\r\nX-Key: s3cret\r\naccept: a/b\r\n\r\n" in first
    assert b"Accept: */*" not in first
    assert b"s3cret" not in second
    assert b"\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" in second


def test_sigterm_ends_it_at_once(entry):
    with server(lambda *_: [OK]) as there:
        program = generator_program(generator_arguments(f"http://127.0.0.1:{there.port}", [entry()], 100))
        process = subprocess.Popen([sys.executable, *program], stdout=subprocess.PIPE)
        assert process.stdout.readline().startswith(b'{"hello"')
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) == 0
        process.stdout.close()


def test_a_reader_that_does_not_read_delays_nothing():
    reads = threading.Event()
    written = []

    class Stream:
        def write(self, text):
            reads.wait(10)
            written.append(text)

        def flush(self):
            pass

    writer = lines.Writer(Stream())
    before = time.monotonic()
    for number in range(1000):
        writer.put({"at": number}, [(number,)])
    assert time.monotonic() - before < 5
    assert written == []
    reads.set()
    writer.close()
    assert len(written) == 1000
    assert lines.unpack(json.loads(written[7])["rows"]) == [(7,)]


def test_as_a_process_of_this_machine(entry, tmp_path):
    with server(lambda *_: [OK]) as there:
        arguments = generator_arguments(f"http://127.0.0.1:{there.port}", [entry()], 1.0)
        program = generator_program([*arguments, *LocalLoad.arguments])
        with LocalLoad(program, str(tmp_path), SampleLog([entry()], 1.0), time.time) as load:
            load.start()
            load.complete(load.log.started + 1.0, 5)
            assert load.log.unknown_until(load.log.started + 1.0) == 0
            assert load.log.counts() == (20, 0)
            # The lines were read live: a pipe's way is short.
            assert -0.01 < load.log.transit < 1.0
    assert list(tmp_path.iterdir()) == []
