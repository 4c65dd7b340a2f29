# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was asked for and what was seen. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import figures
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import FAILURES, Failure
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import Beat, Sample
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import Snapshot


@dataclass(frozen=True)
class Plan:
    """What was asked for. Times in seconds; all as in the module's options. None is for what is not to be judged."""

    name: str
    namespace: str
    failure: str
    failure_commands: dict | None
    failure_seconds: float
    repeat: int
    load: list[dict]
    baseline_seconds: float
    stability_seconds: float
    recovery_timeout: float
    head_timeout: float | None
    max_failed_requests: int
    failed_within: float | None
    max_slow_requests: int | None
    max_p99_ratio: float | None

    @property
    def promise(self) -> Failure:
        effect = (self.failure_commands or {}).get("effect")
        return replace(FAILURES[self.failure], **({"effect": effect} if effect else {}))


@dataclass(frozen=True)
class Round:
    """What belongs to one failure. Times are seconds since 1970.

    before, after: the RayService; after is None if it could not be read, and after_problem says why. struck: when the
    failure began; undone: when it was undone, None if that was not awaited; head_back: since when one head was Ready,
    recovered: since when all was back, each None if it was not; ended: when its stability window did. taken: UIDs of the
    workers that the failure may take. done: what was done, in words. unseen: as in Timeline. last_seen: what stood in the way
    of a recovery. other_clusters: RayClusters, new_heads: names of head pods, that appeared meanwhile. transitions: as in
    Timeline.
    """

    before: Snapshot
    after: Snapshot | None
    struck: float
    recovered: float | None
    ended: float
    head_back: float | None = None
    undone: float | None = None
    taken: frozenset[str] = frozenset()
    done: tuple[str, ...] = ()
    unseen: str = ""
    last_seen: tuple[str, ...] = ()
    other_clusters: tuple[str, ...] = ()
    new_heads: tuple[str, ...] = ()
    after_problem: str = ""
    transitions: dict[str, float] = field(default_factory=dict)

    @property
    def took(self) -> float | None:
        """Seconds from the failure, or from its undoing where that was awaited, until all was back for good."""
        return (
            None if self.recovered is None else self.recovered - (self.struck if self.undone is None else self.undone)
        )


@dataclass(frozen=True)
class Evidence:
    """All that the verdict rests on. Times are seconds since 1970.

    before: the RayService when the load began. rounds: one for each failure that was caused; obstacle: why there are
    fewer than were asked for, if the last one is not the reason.
    begun: requests begun from the first one until C(ended); unknown: those among them without a sample; silent: for how
    many seconds before the end the generator told nothing.
    samples: those due until C(ended), beats: what the generator told of itself until then. notes, events: as in Timeline.
    versions: as in Cluster. configuration: as configuration.read has it.
    """

    before: Snapshot
    rounds: tuple[Round, ...]
    ended: float
    begun: int
    unknown: int
    silent: float
    samples: tuple[Sample, ...]
    beats: tuple[Beat, ...]
    notes: tuple[tuple[float, str], ...] = ()
    events: tuple[tuple[float, str], ...] = ()
    obstacle: str = ""
    versions: dict = field(default_factory=dict)
    configuration: dict = field(default_factory=dict)

    @property
    def struck(self) -> float | None:
        """When the first failure began."""
        return self.rounds[0].struck if self.rounds else None

    @cached_property
    def starvation(self) -> list[tuple[float, float]]:
        """When the generator's machine was starved of processors, see figures."""
        return figures.starvation(self.beats)

    def round_at(self, moment: float) -> int:
        """The number of the round, from 1 on; 0 before the first failure."""
        return sum(moment >= one.struck for one in self.rounds)

    def phase(self, moment: float) -> str:
        """C(baseline) before the first failure, C(failure) from then on."""
        return "failure" if self.round_at(moment) else "baseline"

    def samples_of(self, phase: str) -> list[Sample]:
        """Of the baseline are the requests that had ended by then: one under way, such as a stream, met the failure."""
        return [sample for sample in self.samples if self.phase(sample.ended) == phase]

    def beats_of(self, phase: str) -> list[Beat]:
        return [beat for beat in self.beats if self.phase(beat.at) == phase]
