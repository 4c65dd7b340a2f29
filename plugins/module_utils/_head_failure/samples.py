# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the load generator tells: from lines to values. No I/O."""

from __future__ import annotations

import json
import math
import threading
import zlib
from dataclasses import dataclass, field, replace
from sys import intern

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.lines import FIELDS, unpack

# The best case between a line's birth in the pod and its arrival here is a few ms; what exceeds this is taken for a
# difference of clocks rather than for transport.
CLOCK_TOLERANCE = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. entry: name of its load entry; number: in that entry.

    due: seconds since 1970 by the clock of the machine that judges; age: of the connection, in seconds; all else in ms.
    connect: None on a kept connection. first, gap: first token after due and longest time between two events of a
    stream, None without. repeated: sent twice, as a kept connection turned out to be closed.
    """

    entry: str
    number: int
    due: float
    late: float
    latency: float
    connect: float | None
    age: float
    status: int
    error: str
    replica: str
    node: str
    first: float | None
    gap: float | None
    repeated: bool

    @property
    def failed(self) -> bool:
        """Whether a user would have gone without an answer: no whole one in time, or a status outside 200–299."""
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


@dataclass(frozen=True)
class Beat:
    """What the generator told of itself. at: seconds since 1970 by its clock; cpu: processors used; lag: ms.

    pressure: share of the half second before in which some task of its machine waited for a processor, if that is known.
    """

    at: float
    cpu: float
    lag: float
    begun: tuple[int, ...]
    pressure: float | None


@dataclass
class SampleLog:
    """Collects the generator's lines in any order, any number of times: a log is followed, then read again.

    One thread may feed while others read.

    load: the entries, as in the module's option; seconds: how long requests are begun.
    start: when the first requests were due by the generator's clock, None as long as it is silent.
    transit: the shortest time seen from a line's birth, by the generator's clock, to its arrival, by ours.
    """

    load: list[dict]
    seconds: float
    start: float | None = None
    transit: float | None = None
    _beats: dict[float, Beat] = field(default_factory=dict)
    _rows: dict[tuple[int, int], tuple] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def feed(self, line: str, arrived: float | None = None) -> None:
        """Take one line; C(arrived) is given for lines that are followed live. Foreign and torn lines are passed over."""
        try:
            value = json.loads(line)
            if not isinstance(value, dict):
                return
            rows = unpack(value["rows"]) if "rows" in value else []
        except (ValueError, zlib.error):
            return
        if "hello" in value:
            self.start = value["start"]
        elif "begun" in value:
            with self._lock:
                beat = Beat(value["at"], value["cpu"], value["lag"], tuple(value["begun"]), value["pressure"])
                self._beats[beat.at] = beat
                self._rows.update({row[:2]: row for row in rows})
            if arrived is not None:
                transit = arrived - beat.at
                self.transit = transit if self.transit is None else min(self.transit, transit)

    @property
    def offset(self) -> float:
        """Seconds to add to the generator's clock to get ours."""
        if self.transit is None or abs(self.transit) <= CLOCK_TOLERANCE:
            return 0.0
        return self.transit

    @property
    def started(self) -> float | None:
        """When the first requests were due, by our clock."""
        return None if self.start is None else self.start + self.offset

    def samples(self) -> list[Sample]:
        """All samples in the order in which they were due, by our clock."""
        if self.started is None:
            return []
        with self._lock:
            rows = list(self._rows.values())
        return sorted((self._sample(row) for row in rows), key=lambda sample: sample.due)

    def beats(self) -> list[Beat]:
        """What the generator told of itself, in order, by our clock."""
        with self._lock:
            beats = sorted(self._beats.items())
        return [replace(beat, at=at + self.offset) for at, beat in beats]

    def counts(self) -> tuple[int, int]:
        """(requests, failed requests) so far."""
        status, error = FIELDS.index("status"), FIELDS.index("err")
        with self._lock:
            rows = list(self._rows.values())
        return len(rows), sum(1 for row in rows if row[error] or not 200 <= row[status] <= 299)

    def silence(self, moment: float) -> float:
        """Seconds before C(moment) of which the generator has told nothing (yet)."""
        beats = self.beats()
        return max(0.0, moment - (beats[-1].at if beats else self.started or 0.0))

    def begun_until(self, moment: float) -> list[int]:
        """How many requests of each entry were begun until C(moment), answered or not.

        At a rate that is known, whatever the generator says. What users do only it knows: it is asked at the next
        chance after C(moment), so the last few may have begun after it.
        """
        if self.started is None or moment < self.started:
            return [0] * len(self.load)
        beats = self.beats()
        told = next((beat for beat in beats if beat.at >= moment), beats[-1] if beats else None)
        return [
            min(math.ceil(self.seconds * entry["rate"]), math.floor((moment - self.started) * entry["rate"] + 1e-6) + 1)
            if entry["rate"]
            else (told.begun[index] if told else 0)
            for index, entry in enumerate(self.load)
        ]

    def unknown_until(self, moment: float) -> int:
        """How many requests begun until C(moment) have no sample (yet)."""
        begun = self.begun_until(moment)
        with self._lock:
            return sum(begun) - sum(1 for entry, number in self._rows if number < begun[entry])

    def _sample(self, row: tuple) -> Sample:
        value = dict(zip(FIELDS, row, strict=True))
        return Sample(
            entry=self.load[value["entry"]]["name"],
            number=value["n"],
            due=self.started + value["due"] / 1000,
            late=value["late"],
            latency=value["lat"],
            connect=value["conn"],
            age=value["age"],
            status=value["status"],
            # A few words for hundreds of thousands of requests: each is kept once.
            error=intern(value["err"]),
            replica=intern(value["replica"]),
            node=intern(value["node"]),
            first=value["first"],
            gap=value["gap"],
            repeated=bool(value["again"]),
        )
