# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on slow requests and on percentiles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge

# How many may be slow, what was seen, and the one reason that there is, "" for none. A request may take 269.5 ms: the 20 ms of
# before, without the half that the generator was late, and 250.
SLOW = {
    "any number": (None, lambda b: {"faults": {30: {"latency": 900.0}}}, ""),
    "as many as may be": (1, lambda b: {"faults": {30: {"latency": 900.0}}}, ""),
    "one too many": (
        0,
        lambda b: {"faults": {30: {"latency": 900.0}}},
        "1 of 101 requests were slow though processors were free, 0 allowed; the first was due +1.0 s after the failure, "
        "the last +1.0 s after the failure; the slowest took 630 ms more than it may",
    ),
    "within the limit": (0, lambda b: {"faults": {30: {"latency": 269.5}}}, ""),
    "just over it": (0, lambda b: {"faults": {30: {"latency": 270.0}}}, "the slowest took 0 ms more than it may"),
    "late requests before the failure allow nothing": (
        0,
        lambda b: {"faults": {5: {"late": 99.0, "latency": 118.5}, 30: {"latency": 300.0}}},
        "the slowest took 30 ms more than it may",
    ),
    "while the machine was starved": (0, lambda b: {"faults": {41: {"latency": 900.0}}, "beats": b.starved()}, ""),
    "longer than the machine was starved": (
        0,
        lambda b: {"faults": {41: {"latency": 2900.0}}, "beats": b.starved(end=1004.5)},
        "1 of 101 requests were slow though processors were free",
    ),
    "some of them while the machine was starved": (
        0,
        lambda b: {"faults": {30: {"latency": 900.0}, 41: {"latency": 900.0}}, "beats": b.starved()},
        "the slowest took 630 ms more than it may; 1 more were slow while none was free",
    ),
    "where nobody counts how long tasks wait": (
        0,
        lambda b: {
            "faults": {41: {"latency": 900.0}},
            "beats": tuple(replace(beat, pressure=None) for beat in b.starved()),
        },
        "1 of 101 requests were slow though processors were free",
    ),
    "a machine that is always starved": (
        0,
        lambda b: {"faults": {41: {"latency": 900.0}}, "beats": b.starved(begin=1000.0, end=1010.0)},
        "had no free processor in 100% of the time before the failure, so slow requests say nothing of the service",
    ),
}


@pytest.mark.parametrize(("most", "changes", "reason"), SLOW.values(), ids=SLOW)
def test_slow_requests(build, most, changes, reason):
    verdict = judge(replace(build.plan, max_slow_requests=most), build.evidence(**changes(build)))
    assert [words in given for words, given in zip([reason], verdict.reasons, strict=bool(reason))] == [True] * bool(
        reason
    )
    assert verdict.word == ("failed" if reason else "passed")
    assert [criterion.name for criterion in verdict.criteria][1] == ("recovery" if most is None else "slow")


def streams(build, gap=10.0, first=30.0, number=50):
    """Streams under the plan's other load, one a second, of which this one has another gap or first token."""
    usual = {"entry": "chats", "latency": 900.0}
    return tuple(
        build.sample(
            n,
            1000.0 + n / 10,
            **usual,
            **({"first": first, "gap": gap} if n == number else {"first": 30.0, "gap": 10.0}),
        )
        for n in range(0, 90, 10)
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"gap": 259.0, "first": 279.0}, ""),
        ({"gap": 400.0}, "the slowest took 140 ms more than it may"),
        ({"first": 700.0}, "the slowest took 420 ms more than it may"),
    ],
)
def test_a_stream_that_stalls_is_slow(build, values, reason):
    plan = replace(build.plan, load=[build.entry(), build.entry("chats", users=1, stream=True)], max_slow_requests=0)
    evidence = build.evidence()
    verdict = judge(plan, replace(evidence, samples=(*evidence.samples, *streams(build, **values))))
    assert [criterion.name for criterion in verdict.criteria if criterion.outcome == "failed"] == ["slow"] * bool(
        reason
    )
    assert all(reason in given for given in verdict.reasons)


def many(build, faults=None, before=100, after=300, **values):
    """A load of fifty requests a second from 1000 on; the failure begins after so many of them."""
    faults = faults or {}
    struck = 1000.005 + before / 50
    samples = tuple(
        build.sample(n, 1000.0 + n / 50, **{"latency": 20.5, **faults.get(n, {})}) for n in range(before + after)
    )
    ended = struck + after / 50
    beats = tuple(build.beat(1000.0 + n / 2) for n in range(1, int((before + after) / 25)))
    times = {"struck": struck, "recovered": struck + 1, "ended": ended}
    return build.evidence(**{"samples": samples, "beats": beats, **times, **values})


SOME = {n: {"latency": 31.0} for n in range(200, 204)}
# What was seen, the outcome, and what is said.
P99 = {
    "not longer": (many, "passed", "short 20.5 ms, 20.0 ms before"),
    "one of a hundred is longer": (lambda b: many(b, {n: SOME[n] for n in (200, 201, 202)}), "passed", "short 20.5 ms"),
    "more than one of a hundred": (
        lambda b: many(b, SOME),
        "failed",
        "99 % of short took up to 31.0 ms after the failure and 20.0 ms before, 1.5 times as long allowed",
    ),
    "as long as allowed": (lambda b: many(b, {n: {"latency": 30.0} for n in SOME}), "passed", "short 30.0 ms, 20.0 ms"),
    "while the machine was starved": (
        lambda b: many(b, SOME, beats=tuple(b.beat(1004.0 + n / 2, pressure=0.9 * (n == 1)) for n in range(4))),
        "passed",
        "short 20.5 ms",
    ),
    "a stall of the service with a starved moment in it": (
        lambda b: many(
            b,
            {n: {"latency": 1500.0} for n in SOME},
            beats=tuple(b.beat(1004.0 + n / 2, pressure=0.9 * (n == 1)) for n in range(4)),
        ),
        "failed",
        "99 % of short took up to 1500.0 ms",
    ),
    "late requests before the failure allow nothing": (
        lambda b: many(b, {**SOME, **{n: {"late": 50.0, "latency": 70.0} for n in (0, 1)}}),
        "failed",
        "20.0 ms before",
    ),
    "failed requests are for another criterion": (
        lambda b: many(b, {n: {"status": 500, "latency": 5000.0} for n in SOME}),
        "passed",
        "short 20.5 ms",
    ),
    "too few before": (
        lambda b: many(b, SOME, before=99),
        "skipped",
        "short not judged: 99 answers before the failure while processors were free, 100 needed",
    ),
    "too few after": (lambda b: many(b, SOME, after=99), "skipped", "short not judged: 99 answers after the failure"),
    "no failure": (lambda b: many(b, struck=None), "skipped", "short not judged: 0 answers after the failure"),
}


@pytest.mark.parametrize(("seen", "outcome", "words"), P99.values(), ids=P99)
def test_percentiles(build, seen, outcome, words):
    verdict = judge(replace(build.plan, max_p99_ratio=1.5), seen(build))
    criterion = next(one for one in verdict.criteria if one.name == "p99")
    assert criterion.outcome == outcome
    assert words in (criterion.reasons[0] if outcome == "failed" else criterion.note)


def test_percentiles_of_each_kind(build):
    plan = replace(build.plan, load=[build.entry(), build.entry("chats", users=1, stream=True)], max_p99_ratio=1.5)
    chats = tuple(
        build.sample(n, 1000.01 + n / 50, entry="chats", latency=900.0, first=30.5 if n < 200 else 60.0, gap=10.0)
        for n in range(300)
    )
    evidence = many(build, before=100)
    verdict = judge(plan, replace(evidence, samples=(*evidence.samples, *chats)))
    # The streams that were under way at the failure met it.
    assert [criterion.note for criterion in verdict.criteria if criterion.name == "p99"] == [
        "short 20.5 ms, 20.0 ms before; the first token of chats not judged: 55 answers before the failure while processors were free, 100 needed"
    ]
    evidence = many(build, before=200)
    verdict = judge(plan, replace(evidence, samples=(*evidence.samples, *chats)))
    assert verdict.reasons == [
        "99 % of the first token of chats took up to 60.0 ms after the failure and 30.0 ms before, 1.5 times as long allowed"
    ]
