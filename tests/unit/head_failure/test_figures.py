# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
import random

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import figures


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7], 0.99, 7), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 101)), 0.99, 99), ([1, 2, 3], 0, 1)],
)
def test_percentile(values, share, expected):
    assert figures.percentile(values, share) == expected


def test_spread_is_exact():
    values = [float(value) for value in range(1, 2001)]
    random.Random(1).shuffle(values)
    assert figures.spread([*values, None]) == {"p50": 1000, "p90": 1800, "p99": 1980, "p999": 1998, "max": 2000}
    assert figures.spread([]) == {"p50": None, "p90": None, "p99": None, "p999": None, "max": None}


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0, 5000.0], ids=lambda scale: f"about {scale:g} ms")
def test_a_histogram_knows_every_percentile_to_a_hundredth(scale):
    chance = random.Random(7)
    values = sorted(round(chance.lognormvariate(math.log(scale), 1.5), 3) for _number in range(5000))
    rows = figures.histogram(values)
    assert sum(count for _least, count in rows) == 5000
    assert rows == sorted(rows)
    told = [least for least, count in rows for _one in range(count)]
    for share in (0.0, 0.5, 0.9, 0.99, 0.999, 1.0):
        exact, least = figures.percentile(values, share), figures.percentile(told, share)
        # A thousandth of a ms is what is counted in.
        assert exact / 1.008 - 0.0011 <= least <= exact + 1e-9, share


def test_a_histogram_stays_small():
    rows = figures.histogram(number / 1000 for number in range(100_000))
    # 128 for each power of two, from 128 microseconds to 100 ms.
    assert len(rows) < 128 * 11
    assert figures.histogram([]) == []


def test_histograms_can_be_added():
    assert figures.histogram([44.31, 44.32, 1.0]) == [[1.0, 1], [44.288, 2]]


def test_summary(build):
    samples = [
        build.sample(0, 1.0, latency=10.0),
        build.sample(1, 1.1, latency=30.0, replica="r2", repeated=True),
        build.sample(2, 1.2, latency=5000.0, error="timed out", status=0, connect=None),
        build.sample(3, 1.3, status=503),
    ]
    got = figures.summarize(samples, {"short": {"latency": 20.0}}, [])
    assert [got[key] for key in ("requests", "failed", "slow", "slow_starved", "repeated")] == [4, 2, 1, 0, 1]
    assert got["errors"] == {"timed out": 1, "HTTP status 503": 1}
    assert got["latency_ms"] == {"p50": 10.0, "p90": 30.0, "p99": 30.0, "p999": 30.0, "max": 30.0}
    assert got["first_token_ms"]["max"] is None
    assert got["replicas"] == {"r1": 1, "r2": 1}


def test_what_is_slow(build):
    limit = figures.limits(
        [
            build.sample(0, 1.0, latency=40.0),
            build.sample(1, 1.1, latency=60.0),
            build.sample(2, 1.2, latency=900.0, status=500),
            build.sample(0, 1.3, entry="chats", latency=3000.0, first=30.0, gap=12.0),
        ]
    )
    # Without the half of a ms that the generator was late; a gap has none of it.
    assert limit == {"short": {"latency": 309.5}, "chats": {"first": 279.5, "gap": 262.0}}
    assert figures.excess(build.sample(3, 2.0, latency=309.5), limit) == {}
    assert figures.excess(build.sample(3, 2.0, latency=330.5), limit) == {"latency": 21.0}
    assert figures.excess(build.sample(3, 2.0, latency=5000.0, error="timed out"), limit) == {}
    # A long answer is no slow one, a silent one is.
    stream = {"entry": "chats", "latency": 9000.0}
    assert figures.excess(build.sample(1, 2.0, **stream, first=50.0, gap=20.0), limit) == {}
    assert figures.excess(build.sample(1, 2.0, **stream, first=50.0, gap=300.0), limit) == {"gap": 38.0}
    # Without a baseline there is nothing to be slower than.
    assert figures.excess(build.sample(1, 2.0, entry="other", latency=9000.0), limit) == {}


def test_histograms_of_what_was_answered(build):
    got = figures.histograms(
        [
            build.sample(0, 1.0),
            build.sample(1, 1.1, status=500),
            build.sample(0, 1.0, entry="chats", first=1.0, gap=2.0),
        ]
    )
    assert set(got["short"]) == {"latency_ms"}
    assert sum(count for _least, count in got["short"]["latency_ms"]) == 1
    assert set(got["chats"]) == {"latency_ms", "first_token_ms", "gap_ms"}


def test_generator(build):
    got = figures.generator([build.beat(1.0, 0.2, 3.0, pressure=None), build.beat(1.5, 0.4, 1.0, pressure=0.3)])
    assert (got["cpu"]["max"], got["lag_ms"]["p50"], got["cpu_pressure"]["max"]) == (0.4, 1.0, 0.3)


@pytest.mark.parametrize(
    ("due", "latency", "pressure"),
    [
        (10.1, 100.0, 0.2),  # within one half second
        (10.4, 300.0, 0.9),  # in two, and the worse one counts
        (9.0, 100.0, None),  # before anything was told
        (11.1, 100.0, None),  # nobody counted
        (10.9, 500.0, 0.9),
    ],
)
def test_pressure_while_a_request_was_under_way(build, due, latency, pressure):
    beats = [build.beat(10.5, pressure=0.2), build.beat(11.0, pressure=0.9), build.beat(11.5, pressure=None)]
    assert figures.pressure(build.sample(0, due, latency=latency), beats) == pressure


def test_starvation(build):
    pressures = [0.9, 0.2, 0.8, 1.0, None, 0.79]
    beats = [build.beat(10.5 + number / 2, pressure=pressure) for number, pressure in enumerate(pressures)]
    # A beat that came late tells of all the time since the one before.
    assert figures.starvation([*beats, build.beat(14.2, pressure=1.0)]) == [(10.0, 10.5), (11.0, 12.0), (13.0, 14.2)]
    assert figures.starvation([]) == []


SPANS = [(10.0, 10.5), (11.0, 12.0)]


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (9.0, 10.0, 0),  # up to it
        (10.5, 11.0, 0),  # between
        (12.0, 13.0, 0),
        (10.2, 10.3, 100),  # within
        (9.0, 10.1, 100),
        (10.4, 11.2, 300),  # from the one into the next
        (9.0, 99.0, 1500),
    ],
)
def test_for_how_long_it_was_starved(begin, end, expected):
    assert figures.starved_ms(begin, end, SPANS) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "over", "excused"),
    [
        ({"latency": 900.0}, {"latency": 99.0}, True),
        ({"latency": 900.0}, {"latency": 101.0}, False),
        # The first token was there before the machine was starved, what was slow later was not.
        ({"latency": 900.0, "first": 500.0, "gap": 300.0}, {"first": 1.0}, False),
        ({"latency": 900.0, "first": 500.0, "gap": 300.0}, {"gap": 50.0}, True),
        ({"latency": 900.0, "first": 500.0, "gap": 300.0}, {"first": 1.0, "gap": 50.0}, False),
    ],
)
def test_what_excuses_a_slow_request(build, values, over, excused):
    """It is under way until 11.1, and the machine is starved from 11.0 on."""
    sample = build.sample(0, 10.2, **values)
    assert figures.is_excused(sample, over, SPANS[1:]) is excused


def test_for_which_part_of_a_request_processors_were_free(build):
    sample = build.sample(0, 10.8)
    assert figures.is_free(sample, 399.0, SPANS) is True
    assert figures.is_free(sample, 401.0, SPANS) is False
    assert figures.is_free(build.sample(0, 10.4), 0.5, SPANS) is False
    assert figures.is_free(build.sample(0, 10.4), 0.0, SPANS) is True
