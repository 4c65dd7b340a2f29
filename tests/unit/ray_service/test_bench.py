# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of tests/bench_serve.py: what they say of the limits, and that no request is lost on the way to them."""

from __future__ import annotations

import importlib.util
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("bench_serve", Path(__file__).parents[2] / "bench_serve.py")
bench = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bench)


@pytest.mark.parametrize(
    ("served", "met", "said"),
    [
        ([0.016, 0.0149, 0.9], False, "16.0 ms through Serve, 5.0 ms directly: +11.0 ms; limit 10 ms: NOT MET"),
        ([0.014, 0.0149, 0.001], True, "14.0 ms through Serve, 5.0 ms directly: +9.0 ms; limit 10 ms: met"),
    ],
)
def test_overhead(served: list[float], met: bool, said: str) -> None:
    assert bench.overhead(served, [0.004, 0.005, 0.006]) == (f"time to first token: {said}", met)


@pytest.mark.parametrize(
    ("served", "met", "said"),
    [
        ([95.0, 85.0, 178.0], False, "95 tokens/s through Serve, 100 directly: 0.89 x; limit 0.90 x: NOT MET"),
        ([95.0, 85.0, 182.0], True, "95 tokens/s through Serve, 100 directly: 0.91 x; limit 0.90 x: met"),
    ],
)
def test_share_of_each_round(served: list[float], met: bool, said: str) -> None:
    assert bench.share(4, served, [100.0, 100.0, 200.0]) == (f"4 streams at once: {said}", met)


@pytest.mark.parametrize(("kept", "code"), [((True, True), None), ((True, False), 1), ((False, True), 1)])
def test_a_limit_that_is_not_met_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, kept: tuple[bool, bool], code: int | None
) -> None:
    @contextmanager
    def service(deployments: list[dict], model_path: str, replicas: int) -> Iterator[int]:
        yield 8000

    asked = []
    monkeypatch.setattr(bench, "service", service)
    monkeypatch.setattr(bench, "first_token", lambda direct, port: kept[0])
    monkeypatch.setattr(bench, "throughput", lambda direct, port, streams: kept[1])
    monkeypatch.setattr(bench, "requests", lambda port, replicas, streams: asked.append((replicas, streams)))
    monkeypatch.setattr(bench, "Direct", lambda path: None)
    if code:
        with pytest.raises(SystemExit, match="more than it may"):
            bench.inside([{"max_ongoing_requests": 4}])
    else:
        bench.inside([{"max_ongoing_requests": 4}])
    # All figures are there, whatever they are.
    assert asked == [(2, 4), (4, 4)]


def test_all_at_once() -> None:
    barrier = threading.Barrier(4)
    assert bench.together(4, lambda number: barrier.wait(5)) < 5


class Busy(BaseHTTPRequestHandler):
    """Answers 200 to three GETs; 503 to what comes then, and to every POST."""

    answered = 0

    def do_GET(self) -> None:
        type(self).answered += 1
        self.respond(200 if self.answered <= 3 else 503)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.respond(503)

    def respond(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.write(b"busy")

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[int]:
    """The port of a service that refuses."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_refusal_is_no_figure(busy: int) -> None:
    with pytest.raises(urllib.error.HTTPError, match="503"):
        bench.requests(busy, 1, 2, seconds=0.5)
    with pytest.raises(SystemExit, match="503: busy"):
        bench.together(2, lambda number: bench.by_serve(busy, "x", 5))
    with pytest.raises(SystemExit, match="503 instead of 404: busy"):
        bench.without_model(busy)
