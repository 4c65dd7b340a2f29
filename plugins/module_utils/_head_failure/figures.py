# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What samples add up to: percentiles, histograms, phases, and which requests were slow. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import Beat, Sample

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
# What is measured of each request, and the name under which it is reported.
MEASURES = {"latency": "latency_ms", "first": "first_token_ms", "gap": "gap_ms"}
SLOW_MS = 250.0  # over the slowest of the baseline
BEAT_SECONDS = 0.5  # what a beat tells of is the time before it
# From this pressure on the machine counts as starved: while some task waits for a processor nearly all of the time, none is
# free for a request that comes. A service that stalls leaves the pressure where it was before.
STARVED = 0.8
# Of fewer requests the 99th percentile is the slowest of them, and a single one would decide.
LEAST_FOR_P99 = 100
SLICES = 128  # of each power of two in a histogram
MICROSECONDS = 1000


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of sorted values, None of nothing. C(share) lies in 0–1."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def spread(values: Iterable[float | None]) -> dict[str, float | None]:
    """Return {p50, p90, p99, p999, max}, exact, each None of nothing. A None among the values is no value."""
    ordered = sorted(value for value in values if value is not None)
    return {name: percentile(ordered, share) for name, share in PERCENTILES.items()} | {
        "max": ordered[-1] if ordered else None
    }


def histogram(values: Iterable[float]) -> list[list]:
    """Return [[least value of the bucket, count]] of milliseconds, in order, empty buckets left out.

    As in HDR histograms each power of two, in microseconds, is cut into 128 buckets of the same width: every value is
    known to 0.8 %, from a microsecond to hours, and histograms of several runs can be added.
    """
    buckets: Counter[int] = Counter()
    for value in values:
        whole = int(value * MICROSECONDS)
        drop = max(0, whole.bit_length() - SLICES.bit_length())
        buckets[whole >> drop << drop] += 1
    return [[bucket / MICROSECONDS, count] for bucket, count in sorted(buckets.items())]


def by_entry(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    chosen: dict[str, list[Sample]] = {}
    for sample in samples:
        chosen.setdefault(sample.entry, []).append(sample)
    return chosen


def punctual(sample: Sample, name: str) -> float | None:
    """What was measured of a request, without the generator's own lateness. A gap has none in it."""
    value = getattr(sample, name)
    return value if value is None or name == "gap" else value - sample.late


def limits(baseline: Iterable[Sample]) -> dict[str, dict[str, float]]:
    """What a request of each entry may take, in ms: the slowest answered one of the baseline, begun in time, and 250 ms.

    Shape: {entry: {latency | first | gap: ms}}. Of a stream only the time to the first token and the longest gap
    count: how long it is depends on what the model has to say.
    """
    answered = by_entry(sample for sample in baseline if not sample.failed)
    return {
        entry: {
            name: round(max(values) + SLOW_MS, 2)
            for name in (("first", "gap") if any(sample.first for sample in chosen) else ("latency",))
            if (values := [value for sample in chosen if (value := punctual(sample, name)) is not None])
        }
        for entry, chosen in answered.items()
    }


def excess(sample: Sample, limit: dict[str, dict[str, float]]) -> dict[str, float]:
    """By how many ms an answered request was slower than it may be: {latency | first | gap: ms}; empty if it was not."""
    if sample.failed:
        return {}
    return {
        name: round(value - most, 2)
        for name, most in limit.get(sample.entry, {}).items()
        if (value := getattr(sample, name)) is not None and value > most
    }


def is_starved(beat: Beat) -> bool:
    """Whether the machine was in the time before; where nobody counts, it never is, and nothing is excused."""
    return beat.pressure is not None and beat.pressure >= STARVED


def starvation(beats: Iterable[Beat]) -> list[tuple[float, float]]:
    """[(begin, end)] of the time in which the generator's machine was starved of processors, in order, each apart."""
    spans: list[tuple[float, float]] = []
    last = None
    for beat in beats:
        if is_starved(beat):
            # Starved itself, the generator tells of more than half a second.
            begin = beat.at - BEAT_SECONDS if last is None else last
            if spans and spans[-1][1] == begin:
                begin = spans.pop()[0]
            spans.append((begin, beat.at))
        last = beat.at
    return spans


def starved_ms(begin: float, end: float, spans: Sequence[tuple[float, float]]) -> float:
    """For how much of that time the machine was starved. spans: see starvation."""
    total = 0.0
    for position in range(bisect_right(spans, begin, key=lambda span: span[1]), len(spans)):
        if spans[position][0] >= end:
            break
        total += min(end, spans[position][1]) - max(begin, spans[position][0])
    return total * 1000


def is_free(sample: Sample, ms: float, spans: Sequence[tuple[float, float]]) -> bool:
    """Whether the machine was starved for at most half of the first so many ms of a request.

    A long one is not left out because of a short moment in it, which would leave out a service's own stalls.
    """
    return starved_ms(sample.due, sample.due + ms / 1000, spans) <= ms / 2


def is_excused(sample: Sample, over: dict[str, float], spans: Sequence[tuple[float, float]]) -> bool:
    """Whether a slow request would have been in time without the time in which the machine was starved meanwhile.

    over: see excess. Where in a stream its longest gap was nobody knows, so starvation anywhere in it counts.
    """
    ends = {"first": sample.due + (sample.first or 0.0) / 1000}
    return all(ms <= starved_ms(sample.due, ends.get(name, sample.ended), spans) for name, ms in over.items())


def summarize(
    samples: Iterable[Sample], limit: dict[str, dict[str, float]], spans: Sequence[tuple[float, float]]
) -> dict:
    """Return what the samples of one phase add up to.

    Shape: {requests, failed, slow, slow_starved: the excused ones of these, repeated, errors: {text: count}; latency_ms,
    first_token_ms, gap_ms, connect_ms, lateness_ms: each {p50, p90, p99, p999, max}; replicas: {id: answers}, nodes: {name:
    answers}}. Latencies are those of answered requests: a failed one has no answer.
    """
    chosen = list(samples)
    answered = [sample for sample in chosen if not sample.failed]
    slow = [(sample, over) for sample in answered if (over := excess(sample, limit))]
    return {
        "requests": len(chosen),
        "failed": len(chosen) - len(answered),
        "slow": len(slow),
        "slow_starved": sum(is_excused(sample, over, spans) for sample, over in slow),
        "repeated": sum(sample.repeated for sample in chosen),
        "errors": dict(Counter(sample.problem for sample in chosen if sample.failed).most_common()),
        **{label: spread(getattr(sample, name) for sample in answered) for name, label in MEASURES.items()},
        "connect_ms": spread(sample.connect for sample in chosen),
        "lateness_ms": spread(sample.late for sample in chosen),
        "replicas": dict(sorted(Counter(sample.replica for sample in answered if sample.replica).items())),
        "nodes": dict(sorted(Counter(sample.node for sample in answered if sample.node).items())),
    }


def histograms(samples: Iterable[Sample]) -> dict[str, dict[str, list[list]]]:
    """Of the answered requests of each entry: {entry: {latency_ms | first_token_ms | gap_ms: histogram}}."""
    return {
        entry: {
            label: rows
            for name, label in MEASURES.items()
            if (rows := histogram(value for sample in chosen if (value := getattr(sample, name)) is not None))
        }
        for entry, chosen in by_entry(sample for sample in samples if not sample.failed).items()
    }


def generator(beats: Iterable[Beat]) -> dict:
    """How the load generator fared: {cpu: processors used, lag_ms: of its event loop, cpu_pressure: share of the time in
    which its machine had too few processors}, each {p50, p90, p99, p999, max}."""
    chosen = list(beats)
    measured = {"cpu": "cpu", "lag": "lag_ms", "pressure": "cpu_pressure"}
    return {label: spread(getattr(beat, name) for beat in chosen) for name, label in measured.items()}


def pressure(sample: Sample, beats: Iterable[Beat]) -> float | None:
    """The highest pressure while that request was under way; None where none is known.

    Tells a machine without a free processor from a service that stalls.
    """
    return max(
        (
            beat.pressure
            for beat in beats
            if beat.pressure is not None and sample.due < beat.at < sample.ended + BEAT_SECONDS
        ),
        default=None,
    )
