# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The samples of the load generator: from lines to values, and what they add up to. No I/O."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

# The best case between a line's birth in the pod and its arrival here is a few ms; what exceeds this is taken for a
# difference of clocks rather than for transport.
CLOCK_TOLERANCE = 0.25


@dataclass(frozen=True)
class Sample:
    """One request. due: seconds since 1970 by the clock of the machine that judges; all else in ms."""

    number: int
    due: float
    late: float
    latency: float
    connect: float | None
    status: int
    error: str
    replica: str
    node: str

    @property
    def failed(self) -> bool:
        """Whether a user would have gone without an answer: no answer in time, or a status outside 200–299."""
        return bool(self.error) or not 200 <= self.status <= 299

    @property
    def problem(self) -> str:
        """What went wrong, in words that are the same for the same fault; empty for an answered request."""
        if self.error:
            return self.error
        return f"HTTP status {self.status}" if self.failed else ""

    @property
    def ended(self) -> float:
        return self.due + self.latency / 1000


@dataclass
class SampleLog:
    """Collects the generator's lines in any order, any number of times: a log is followed, then read again.

    One thread may feed while others read.

    hello: the generator's first line (start, rate, count) or None as long as it was not seen.
    transit: the shortest time seen from a sample's end, by the generator's clock, to its arrival, by ours.
    """

    hello: dict | None = None
    transit: float | None = None
    _raw: dict[int, dict] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def feed(self, line: str, arrived: float | None = None) -> None:
        """Take one line; C(arrived) is given for lines that are followed live. Foreign lines are passed over."""
        try:
            value = json.loads(line)
        except ValueError:
            return
        if not isinstance(value, dict):
            return
        if "hello" in value:
            self.hello = value
        elif "n" in value and "lat" in value:
            with self._lock:
                self._raw[value["n"]] = value
            if arrived is not None:
                transit = arrived - (value["due"] + value["lat"] / 1000)
                self.transit = transit if self.transit is None else min(self.transit, transit)

    @property
    def offset(self) -> float:
        """Seconds to add to the generator's clock to get ours."""
        if self.transit is None or abs(self.transit) <= CLOCK_TOLERANCE:
            return 0.0
        return self.transit

    @property
    def started(self) -> float | None:
        """When request 0 was due, by our clock."""
        return None if self.hello is None else self.hello["start"] + self.offset

    def samples(self) -> list[Sample]:
        """All samples in order of their number, by our clock."""
        offset = self.offset
        with self._lock:
            rows = sorted(self._raw.items())
        return [
            Sample(
                number=raw["n"],
                due=raw["due"] + offset,
                late=raw["late"],
                latency=raw["lat"],
                connect=raw["conn"],
                status=raw["status"],
                error=raw["err"],
                replica=raw["replica"],
                node=raw["node"],
            )
            for _number, raw in rows
        ]

    def due_until(self, moment: float) -> int:
        """How many requests were due from the start until C(moment), answered or not."""
        if self.started is None or self.hello is None or moment < self.started:
            return 0
        return min(self.hello["count"], math.floor((moment - self.started) * self.hello["rate"] + 1e-6) + 1)

    def unknown_until(self, moment: float) -> int:
        """How many requests due until C(moment) have no sample (yet)."""
        due = self.due_until(moment)
        with self._lock:
            return due - sum(1 for number in self._raw if number < due)


def percentile(values: list[float], share: float) -> float | None:
    """The nearest-rank percentile of C(values), None of nothing. C(share) lies in 0–1."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: list[float]) -> dict[str, float | None]:
    """Return {p50, p99, max} of milliseconds, each None of nothing."""
    return {
        "p50": percentile(values, 0.50),
        "p99": percentile(values, 0.99),
        "max": max(values) if values else None,
    }


def summarize(samples: Iterable[Sample]) -> dict:
    """Return what the samples of one phase add up to.

    Shape: {requests, failed, errors: {text: count}, latency_ms, connect_ms, lateness_ms: each {p50, p99, max},
    replicas: {id: answers}, nodes: {name: answers}}. Latencies are those of answered requests: a failed one has no answer.
    """
    chosen = list(samples)
    answered = [sample for sample in chosen if not sample.failed]
    return {
        "requests": len(chosen),
        "failed": len(chosen) - len(answered),
        "errors": dict(Counter(sample.problem for sample in chosen if sample.failed).most_common()),
        "latency_ms": spread([sample.latency for sample in answered]),
        "connect_ms": spread([sample.connect for sample in chosen if sample.connect is not None]),
        "lateness_ms": spread([sample.late for sample in chosen]),
        "replicas": dict(sorted(Counter(sample.replica for sample in answered if sample.replica).items())),
        "nodes": dict(sorted(Counter(sample.node for sample in answered if sample.node).items())),
    }
