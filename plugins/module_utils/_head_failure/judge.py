# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on a head failure: a pure function of what was seen. No reason means passed; nothing seen never passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import Sample, percentile
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import Pod, Replica, Snapshot

# Lateness adds to the measured latency, so it can make a service look worse and never better. Beyond this (99th
# percentile) the requests no longer fall where the time line says, and it is the machine that is measured.
LATENESS_LIMIT_MS = 500.0
KINDS_OF_FAULTS = 3


@dataclass(frozen=True)
class Plan:
    """What was asked for. Times in seconds; rate in requests per second."""

    name: str
    namespace: str
    method: str
    rate: float
    baseline_seconds: float
    stability_seconds: float
    recovery_timeout: float
    request_timeout: float
    max_failed_requests: int


@dataclass(frozen=True)
class Evidence:
    """All that the verdict rests on. Times are seconds since 1970.

    before: the RayService when the load began; after: at the end, None if it could not be read.
    deleted: when the head's deletion was asked for, None if it never was; recovered: when all was back, None if never.
    expected: requests due from the first one until C(ended); unknown: those among them without a sample.
    samples: those due until C(ended). last_seen: what stood in the way of a recovery. other_clusters: RayClusters that
    appeared meanwhile. after_problem: why after is None.
    """

    before: Snapshot
    after: Snapshot | None
    deleted: float | None
    recovered: float | None
    ended: float
    expected: int
    unknown: int
    samples: tuple[Sample, ...]
    last_seen: tuple[str, ...] = ()
    other_clusters: tuple[str, ...] = ()
    after_problem: str = ""

    @property
    def baseline(self) -> tuple[Sample, ...]:
        """Samples of requests due before the deletion."""
        return tuple(sample for sample in self.samples if self.deleted is None or sample.due < self.deleted)

    @property
    def failure(self) -> tuple[Sample, ...]:
        """Samples of requests due from the deletion on."""
        return tuple(sample for sample in self.samples if self.deleted is not None and sample.due >= self.deleted)


@dataclass(frozen=True)
class Verdict:
    reasons: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.reasons

    @property
    def word(self) -> str:
        return "passed" if self.passed else "failed"


def judge(plan: Plan, evidence: Evidence) -> Verdict:
    """Judge one check. Reasons come in the order in which a reader wants them: users, recovery, state, measurement."""
    return Verdict(
        [
            *_requests(plan, evidence),
            *_recovery(plan, evidence),
            *_state(evidence),
            *_measurement(evidence),
        ]
    )


def baseline_problem(plan: Plan, samples: Iterable[Sample]) -> str:
    """Why the head had better be left alone, after the baseline phase; empty if the service is well."""
    chosen = list(samples)
    if not chosen:
        return "no request was made before the head's end"
    failed = [sample for sample in chosen if sample.failed]
    if len(failed) > plan.max_failed_requests:
        return f"{len(failed)} of {len(chosen)} requests failed while nothing was wrong ({_faults(failed)}); the head was left alone"
    return ""


def _faults(failed: list[Sample]) -> str:
    kinds = Counter(sample.problem for sample in failed).most_common()
    words = [f"{count} × {text}" for text, count in kinds[:KINDS_OF_FAULTS]]
    return ", ".join(words) + (", …" if len(kinds) > KINDS_OF_FAULTS else "")


def _requests(plan: Plan, evidence: Evidence) -> list[str]:
    if evidence.deleted is None:
        return [baseline_problem(plan, evidence.baseline) or "the head was not deleted"]
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
    if evidence.deleted is None:
        return []
    if evidence.recovered is None:
        return [
            f"not recovered within {plan.recovery_timeout:g} s ({'; '.join(evidence.last_seen) or 'nothing was seen'})"
        ]
    took = evidence.recovered - evidence.deleted
    if took > plan.recovery_timeout:
        return [f"recovery took {took:.1f} s, {plan.recovery_timeout:g} s allowed"]
    return []


def _state(evidence: Evidence) -> list[str]:
    if evidence.deleted is None:
        return []
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
    reasons += _heads(before.heads, after.heads)
    reasons += _workers(before.workers, after.workers)
    reasons += _replicas(before, after)
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


def _measurement(evidence: Evidence) -> list[str]:
    """Whether the numbers can be believed at all."""
    reasons = []
    if not evidence.baseline:
        reasons.append("the measurement is not trustworthy: no request before the deletion")
    if evidence.deleted is not None and not evidence.failure:
        reasons.append("the measurement is not trustworthy: no request after the deletion")
    if evidence.unknown:
        reasons.append(
            f"the measurement is not trustworthy: the outcome of {evidence.unknown} of {evidence.expected} requests is unknown"
        )
    late = percentile([sample.late for sample in evidence.samples], 0.99)
    if late is not None and late > LATENESS_LIMIT_MS:
        reasons.append(
            f"the measurement is not trustworthy: the load generator did not keep up, its requests started "
            f"{late:.0f} ms late (99th percentile; {LATENESS_LIMIT_MS:.0f} ms allowed)"
        )
    return reasons
