# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import load_generator
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import generator_source
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.pod import generator_arguments

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Serve-Replica: r1\r\nx-serve-node: n1\r\n\r\nhi"


@contextmanager
def server(answer, hold=0.0):
    """Answer every connection with the bytes of C(answer(number)), after C(hold) seconds; yields (port, requests)."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    requests = []

    def serve(connection, number):
        with connection:
            requests.append(connection.recv(4096))
            time.sleep(hold)
            try:
                connection.sendall(answer(number))
            except OSError:
                pass

    def accept():
        number = 0
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection, number), daemon=True).start()
            number += 1

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], requests
    finally:
        listener.close()


def generate(port, rate=20, count=4, timeout=1, path="/infer?sentence=x"):
    """Run the program as a pod does, and return (hello, samples)."""
    arguments = generator_arguments(f"http://127.0.0.1:{port}{path}", rate, count, timeout)
    done = subprocess.run(
        [sys.executable, "-I", "-c", generator_source(), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    hello, *samples, end = map(json.loads, done.stdout.splitlines())
    assert end == {"end": count}
    return hello, sorted(samples, key=lambda sample: sample["n"])


def test_each_request_has_its_sample_and_its_own_connection():
    before = time.time()
    with server(lambda _number: OK) as (port, requests):
        hello, samples = generate(port)
    assert len(requests) == 4
    assert requests[0].startswith(f"GET /infer?sentence=x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode())
    assert b"Connection: close\r\n" in requests[0]
    assert hello["hello"] == 1
    assert before < hello["start"] < time.time()
    for number, sample in enumerate(samples):
        assert sample["n"] == number
        assert sample["due"] == pytest.approx(hello["start"] + number / 20, abs=1e-3)
        assert (sample["status"], sample["err"], sample["replica"], sample["node"]) == (200, "", "r1", "n1")
        assert 0 <= sample["late"] <= sample["lat"]
        assert 0 < sample["conn"] < sample["lat"]


ANSWERS = {
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, ""),
    "until closed": (b"HTTP/1.0 200 OK\r\n\r\nabc", 200, ""),
    "empty": (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, ""),
    "error": (b"HTTP/1.1 500 Internal\r\nContent-Length: 1\r\n\r\nx", 500, ""),
    "broken off": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0, "closed in the middle of the answer"),
    "chunks broken off": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab", 0, "closed in the middle"),
    "no headers' end": (b"HTTP/1.1 200 OK\r\nContent-", 0, "closed in the middle of the headers"),
    "nothing": (b"", 0, "closed without an answer"),
    "not HTTP": (b"SSH-2.0-x\r\n", 0, "not an HTTP answer"),
}


@pytest.mark.parametrize(("answer", "status", "error"), ANSWERS.values(), ids=ANSWERS)
def test_answers(answer, status, error):
    with server(lambda _number: answer) as (port, _requests):
        _hello, samples = generate(port, count=1)
    assert samples[0]["status"] == status
    assert samples[0]["err"].startswith(error)
    assert bool(samples[0]["err"]) == bool(error)


def test_refused_connections_are_samples():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    _hello, samples = generate(port, count=3)
    assert [sample["status"] for sample in samples] == [0, 0, 0]
    assert all("refused" in sample["err"].lower() for sample in samples)


def test_a_stall_is_seen_by_all_requests_of_its_time():
    with server(lambda _number: OK, hold=0.5) as (port, _requests):
        _hello, samples = generate(port, rate=20, count=10)
    # One after the other would take 5 s: open loop takes them all at once.
    assert all(500 <= sample["lat"] < 900 for sample in samples), samples
    assert samples[-1]["late"] < 100


def test_time_limit_counts_from_due():
    with server(lambda _number: OK, hold=5) as (port, _requests):
        _hello, samples = generate(port, count=2, timeout=0.4)
    assert [sample["err"] for sample in samples] == ["timed out", "timed out"]
    assert all(390 <= sample["lat"] < 700 for sample in samples)
    assert all(sample["conn"] is not None for sample in samples)


def test_sigterm_ends_it_at_once():
    with server(lambda _number: OK) as (port, _requests):
        arguments = generator_arguments(f"http://127.0.0.1:{port}/", 10, 1000, 1)
        process = subprocess.Popen([sys.executable, "-I", "-c", generator_source(), *arguments], stdout=subprocess.PIPE)
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

    writer = load_generator.Writer(Stream())
    before = time.monotonic()
    for number in range(1000):
        writer.put({"n": number})
    assert time.monotonic() - before < 5
    assert written == []
    reads.set()
    writer.close()
    assert len(written) == 1000
    assert written[0] == '{"n":0}\n'
