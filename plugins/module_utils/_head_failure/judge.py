# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on a head failure: a pure function of what was seen. No reason means passed; nothing seen never passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.figures import by_entry, spread
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.client import OWN_SIDE
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import Beat, Sample
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import Pod, Replica, Snapshot

# Lateness adds to the measured latency, so it can make a service look worse and never better. Beyond this (99th
# percentile) the requests no longer fall where the time line says, and it is the machine that is measured.
LATENESS_LIMIT_MS = 500.0
# The generator has one thread that counts. When it uses this much of a processor for more than this share of the time,
# requests wait for it rather than for the service.
BUSY_CPU, BUSY_SHARE = 0.9, 0.1
SILENCE_LIMIT = 3.0  # seconds; the generator speaks twice a second
KINDS_OF_FAULTS = 3


@dataclass(frozen=True)
class Plan:
    """What was asked for. Times in seconds; load: the entries of the module's option."""

    name: str
    namespace: str
    method: str
    load: list[dict]
    baseline_seconds: float
    stability_seconds: float
    recovery_timeout: float
    max_failed_requests: int


@dataclass(frozen=True)
class Evidence:
    """All that the verdict rests on. Times are seconds since 1970.

    before: the RayService when the load began; after: at the end, None if it could not be read.
    deleted: when the head's deletion was asked for, None if it never was; recovered: when all was back, None if never.
    begun: requests begun from the first one until C(ended); unknown: those among them without a sample; silent: for how
    many seconds before the end the generator told nothing.
    samples: those due until C(ended), beats: what the generator told of itself until then. last_seen: what stood in the
    way of a recovery. other_clusters: RayClusters that appeared meanwhile. after_problem: why after is None.
    """

    before: Snapshot
    after: Snapshot | None
    deleted: float | None
    recovered: float | None
    ended: float
    begun: int
    unknown: int
    silent: float
    samples: tuple[Sample, ...]
    beats: tuple[Beat, ...]
    last_seen: tuple[str, ...] = ()
    other_clusters: tuple[str, ...] = ()
    after_problem: str = ""

    def phase(self, moment: float) -> str:
        """C(baseline) before the deletion, C(failure) from then on."""
        return "baseline" if self.deleted is None or moment < self.deleted else "failure"

    def samples_of(self, phase: str) -> list[Sample]:
        """Of the baseline are the requests that had ended by then: one under way, such as a stream, met the failure."""
        return [sample for sample in self.samples if self.phase(sample.ended) == phase]

    def beats_of(self, phase: str) -> list[Beat]:
        return [beat for beat in self.beats if self.phase(beat.at) == phase]


@dataclass(frozen=True)
class Criterion:
    """One thing that is asked of a service. reasons: why it was not met; None if there was nothing to judge."""

    name: str
    title: str
    reasons: list[str] | None

    @property
    def outcome(self) -> str:
        if self.reasons is None:
            return "skipped"
        return "failed" if self.reasons else "passed"


@dataclass(frozen=True)
class Verdict:
    """criteria: in the order in which a reader wants them: users, recovery, state, measurement."""

    criteria: list[Criterion]

    @property
    def reasons(self) -> list[str]:
        return [reason for criterion in self.criteria for reason in criterion.reasons or ()]

    @property
    def word(self) -> str:
        return "failed" if self.reasons else "passed"


def judge(plan: Plan, evidence: Evidence) -> Verdict:
    """Judge one check."""
    killed = evidence.deleted is not None
    before, after = evidence.before, evidence.after
    compared = killed and after is not None
    return Verdict(
        [
            Criterion("requests", _requests_title(plan), _requests(plan, evidence)),
            Criterion(
                "recovery",
                f"Everything is back within {plan.recovery_timeout:g} s",
                _recovery(plan, evidence) if killed else None,
            ),
            Criterion(
                "service", "The RayService keeps its RayCluster and is ready", _service(evidence) if killed else None
            ),
            Criterion(
                "head",
                "There is one new head, it is Ready and did not restart",
                _heads(before.heads, after.heads) if compared else None,
            ),
            Criterion(
                "workers",
                "Every worker pod stays, without a restart",
                _workers(before.workers, after.workers) if compared else None,
            ),
            Criterion(
                "replicas", "Every Serve replica stays the same process", _replicas(before, after) if compared else None
            ),
            Criterion("measurement", "The measurement can be trusted", _measurement(plan, evidence)),
        ]
    )


def baseline_problem(plan: Plan, samples: Iterable[Sample]) -> str:
    """Why the head had better be left alone, after the baseline phase; empty if the service is well."""
    chosen = list(samples)
    if missing := _missing(plan, chosen):
        return (
            f"no request of {missing} ended in the {plan.baseline_seconds:g} s of the baseline; the head was left alone"
        )
    failed = [sample for sample in chosen if sample.failed]
    if len(failed) > plan.max_failed_requests:
        return f"{len(failed)} of {len(chosen)} requests failed while nothing was wrong ({_faults(failed)}); the head was left alone"
    return ""


def _missing(plan: Plan, samples: list[Sample]) -> str:
    """The load entries without a sample, in words."""
    seen = by_entry(samples)
    return ", ".join(entry["name"] for entry in plan.load if entry["name"] not in seen)


def _faults(failed: list[Sample]) -> str:
    kinds = Counter(sample.problem for sample in failed).most_common()
    words = [f"{count} × {text}" for text, count in kinds[:KINDS_OF_FAULTS]]
    return ", ".join(words) + (", …" if len(kinds) > KINDS_OF_FAULTS else "")


def _requests_title(plan: Plan) -> str:
    return f"At most {plan.max_failed_requests} requests fail" if plan.max_failed_requests else "No request fails"


def _requests(plan: Plan, evidence: Evidence) -> list[str]:
    if evidence.deleted is None:
        return [baseline_problem(plan, evidence.samples) or "the head was not deleted"]
    failed = [sample for sample in evidence.samples if sample.failed]
    if len(failed) <= plan.max_failed_requests:
        return []
    first, last = (moment - evidence.deleted for moment in (failed[0].due, failed[-1].due))
    return [
        (
            f"{len(failed)} of {len(evidence.samples)} requests failed, {plan.max_failed_requests} allowed; "
            f"the first was due {first:+.1f} s and the last {last:+.1f} s after the deletion ({_faults(failed)})"
        )
    ]


def _recovery(plan: Plan, evidence: Evidence) -> list[str]:
    if evidence.recovered is None:
        return [
            f"not recovered within {plan.recovery_timeout:g} s ({'; '.join(evidence.last_seen) or 'nothing was seen'})"
        ]
    took = evidence.recovered - evidence.deleted
    if took > plan.recovery_timeout:
        return [f"recovery took {took:.1f} s, {plan.recovery_timeout:g} s allowed"]
    return []


def _service(evidence: Evidence) -> list[str]:
    before, after = evidence.before, evidence.after
    reasons = [f"KubeRay built another RayCluster, {name}" for name in evidence.other_clusters]
    if after is None:
        return [*reasons, f"the RayService could not be read at the end: {evidence.after_problem}"]
    if after.service_uid != before.service_uid:
        reasons.append("the RayService is not the same object any more")
    if after.cluster_name != before.cluster_name:
        reasons.append(f"the RayCluster is {after.cluster_name or 'gone'} instead of {before.cluster_name}")
    elif after.cluster_uid != before.cluster_uid:
        reasons.append(f"the RayCluster {before.cluster_name} was made anew")
    if after.service_problems:
        reasons.append(f"at the end the RayService is not ready: {'; '.join(after.service_problems)}")
    return reasons


def _heads(before: tuple[Pod, ...], after: tuple[Pod, ...]) -> list[str]:
    old = {pod.uid for pod in before}
    reasons = [f"the old head {pod.name} is still there" for pod in after if pod.uid in old]
    new = [pod for pod in after if pod.uid not in old]
    if len(new) != 1:
        reasons.append(f"there are {len(new)} new heads at the end instead of one")
    reasons += [f"the new head {pod.name} is not Ready at the end" for pod in new if not pod.ready]
    reasons += [
        f"container {name} of the new head {pod.name} restarted {count} times"
        for pod in new
        for name, count in pod.restarts.items()
        if count
    ]
    return reasons


def _workers(before: tuple[Pod, ...], after: tuple[Pod, ...]) -> list[str]:
    """Every worker of before must be there as it was. One more, from autoscaling, is no fault."""
    now = {pod.uid: pod for pod in after}
    reasons = [] if before else ["there was no worker before"]
    for pod in before:
        if pod.uid not in now:
            reasons.append(f"worker {pod.name} is gone")
            continue
        for name, count in now[pod.uid].restarts.items():
            if count != pod.restarts.get(name, 0):
                reasons.append(
                    f"container {name} of worker {pod.name} restarted ({pod.restarts.get(name, 0)} → {count} restarts)"
                )
        if not now[pod.uid].ready:
            reasons.append(f"worker {pod.name} is not Ready at the end")
    return reasons


def _replicas(before: Snapshot, after: Snapshot) -> list[str]:
    """Every replica of before must be the same process still. One more, from autoscaling, is no fault."""
    if before.serve is None or not before.serve.replicas:
        return ["the replicas before were not seen"]
    if after.serve is None:
        return ["Ray's dashboard did not answer at the end, so the replicas could not be compared"]
    now: dict[tuple, Replica] = {replica.identity: replica for replica in after.serve.replicas}
    lost = [replica for replica in before.serve.replicas if replica.identity not in now]
    reasons = []
    if lost:
        names = ", ".join(f"{replica.deployment}#{replica.replica_id}" for replica in lost)
        reasons.append(f"{len(lost)} of {len(before.serve.replicas)} replicas are not the same any more ({names})")
    if not after.serve.running:
        reasons.append(f"at the end Serve is not well: {after.serve.describe()}")
    return reasons


def _measurement(plan: Plan, evidence: Evidence) -> list[str]:
    """Whether the numbers can be believed at all."""
    reasons = []
    phases = {"baseline": "before the deletion"}
    if evidence.deleted is not None:
        phases["failure"] = "after the deletion"
    for phase, words in phases.items():
        if missing := _missing(plan, evidence.samples_of(phase)):
            reasons.append(f"no request of {missing} {words}")
    if evidence.unknown:
        reasons.append(f"the outcome of {evidence.unknown} of {evidence.begun} requests is unknown")
    if evidence.silent > SILENCE_LIMIT:
        reasons.append(f"the load generator told nothing of the last {evidence.silent:.1f} s")
    if own := [sample for sample in evidence.samples if sample.error.startswith(OWN_SIDE)]:
        reasons.append(f"{len(own)} requests failed on the load generator's own side ({_faults(own)})")
    return [f"the measurement is not trustworthy: {reason}" for reason in [*reasons, *_bottleneck(evidence)]]


def _bottleneck(evidence: Evidence) -> list[str]:
    """Whether the load generator, or its machine, was what the requests waited for."""
    busy = sum(beat.cpu >= BUSY_CPU for beat in evidence.beats) / max(1, len(evidence.beats))
    late = spread(sample.late for sample in evidence.samples)["p99"] or 0.0
    if busy > BUSY_SHARE:
        return [
            f"the load generator was the bottleneck: it used up a processor in {busy:.0%} of the time, and its requests "
            f"started {late:.0f} ms late (99th percentile); ask for fewer requests"
        ]
    if late > LATENESS_LIMIT_MS:
        return [
            f"the machine of the load generator was the bottleneck: it was kept waiting for a processor, and its requests "
            f"started {late:.0f} ms late (99th percentile; {LATENESS_LIMIT_MS:.0f} ms allowed)"
        ]
    return []
