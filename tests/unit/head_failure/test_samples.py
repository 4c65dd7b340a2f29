# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import (
    SampleLog,
    percentile,
    summarize,
)


def line(number, start=100.0, rate=10, **values):
    due = start + number / rate
    return json.dumps(
        {
            "n": number,
            "due": due,
            "late": 1,
            "lat": 20,
            "conn": 2,
            "status": 200,
            "err": "",
            "replica": "",
            "node": "",
            **values,
        }
    )


def hello(start=100.0, rate=10, count=50):
    return json.dumps({"hello": 1, "start": start, "rate": rate, "count": count})


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7], 0.99, 7), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 101)), 0.99, 99), ([3, 1, 2], 0, 1)],
)
def test_percentile(values, share, expected):
    assert percentile(values, share) == expected


def test_lines_are_counted_once_in_whatever_order_they_come():
    log = SampleLog()
    for text in (hello(), line(1), line(0), line(1), "", "Traceback", "[1]", '{"end": 2}'):
        log.feed(text)
    assert [sample.number for sample in log.samples()] == [0, 1]
    assert log.started == 100.0


@pytest.mark.parametrize(
    ("moment", "due", "unknown"), [(99.9, 0, 0), (100.0, 1, 0), (100.1, 2, 0), (100.35, 4, 1), (1e9, 50, 47)]
)
def test_what_is_due_and_what_is_missing(moment, due, unknown):
    log = SampleLog()
    for text in (hello(), line(0), line(1), line(2)):
        log.feed(text)
    assert log.due_until(moment) == due
    assert log.unknown_until(moment) == unknown


def test_nothing_is_due_before_the_generator_speaks():
    assert SampleLog().due_until(1e9) == 0


@pytest.mark.parametrize(
    ("delay", "offset"),
    [(0.01, 0.0), (0.25, 0.0), (-0.1, 0.0), (5.0, 5.0), (-3600.0, -3600.0)],
    ids=["transport", "slow transport", "a little ahead", "behind", "an hour ahead"],
)
def test_clocks(delay, offset):
    log = SampleLog()
    log.feed(hello())
    # The second line came slower: the best case counts.
    log.feed(line(0), arrived=100.02 + delay)
    log.feed(line(1), arrived=100.12 + delay + 0.4)
    assert log.offset == pytest.approx(offset)
    assert log.samples()[0].due == pytest.approx(100.0 + offset)
    assert log.started == pytest.approx(100.0 + offset)


def test_summary(build):
    samples = [
        build.sample(0, 1.0, latency=10.0),
        build.sample(1, 1.1, latency=30.0, replica="r2"),
        build.sample(2, 1.2, latency=5000.0, error="timed out", status=0, connect=None),
        build.sample(3, 1.3, status=503),
    ]
    got = summarize(samples)
    assert (got["requests"], got["failed"]) == (4, 2)
    assert got["errors"] == {"timed out": 1, "HTTP status 503": 1}
    assert got["latency_ms"] == {"p50": 10.0, "p99": 30.0, "max": 30.0}
    assert got["replicas"] == {"r1": 1, "r2": 1}
    assert summarize([])["latency_ms"] == {"p50": None, "p99": None, "max": None}
