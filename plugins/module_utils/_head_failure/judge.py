# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on a failure: a pure function of what was seen. No reason means passed; nothing seen never passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.evidence import Evidence, Plan, Round
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import Failure
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.figures import (
    by_entry,
    excess,
    limits,
    spread,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.client import OWN_SIDE
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.recovery import ready_workers
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import Sample
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import Pod, Replica

# Lateness adds to the measured latency, so it can make a service look worse and never better. Beyond this (99th
# percentile) the requests no longer fall where the time line says, and it is the machine that is measured.
LATENESS_LIMIT_MS = 500.0
# The generator has one thread that counts. When it uses this much of a processor for more than this share of the time,
# requests wait for it rather than for the service.
BUSY_CPU, BUSY_SHARE = 0.9, 0.1
SILENCE_LIMIT = 3.0  # seconds; the generator speaks twice a second
KINDS_OF_FAULTS = 3
HEAD_TITLES = {
    "replaced": "There is one new head, it is Ready and did not restart",
    "restarted": "The head stays, and its container restarted once",
    "kept": "The head stays, without a restart",
    "any": "There is one head, and it is Ready",
}


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
    promise = plan.promise
    loses = promise.workers_lost != 0
    criteria = [
        Criterion("requests", _requests_title(plan), _requests(plan, evidence)),
        Criterion("recovery", f"Everything is back within {plan.recovery_timeout:g} s", _recovery(plan, evidence)),
        Criterion("service", "The RayService keeps its RayCluster and is ready", _each(evidence, _service)),
        Criterion("head", HEAD_TITLES[promise.head], _compared(evidence, lambda one: _heads(promise, one))),
        Criterion(
            "workers",
            "Every worker pod stays, without a restart" + (", but for those that the failure takes" if loses else ""),
            _compared(evidence, _workers),
        ),
        Criterion(
            "replicas",
            "Every Serve replica stays the same process" + (", but for those on lost workers" if loses else ""),
            _compared(evidence, _replicas),
        ),
        Criterion("measurement", "The measurement can be trusted", _measurement(plan, evidence)),
    ]
    if plan.max_slow_requests is not None:
        criteria.insert(1, Criterion("slow", _slow_title(plan), _slow(plan, evidence) if evidence.rounds else None))
    return Verdict(criteria)


def baseline_problem(plan: Plan, samples: Iterable[Sample]) -> str:
    """Why the service had better be left alone, after the baseline phase; empty if it is well."""
    chosen = list(samples)
    if missing := _missing(plan, chosen):
        return (
            f"no request of {missing} ended in the {plan.baseline_seconds:g} s of the baseline; no failure was caused"
        )
    failed = [sample for sample in chosen if sample.failed]
    if len(failed) > plan.max_failed_requests:
        return f"{len(failed)} of {len(chosen)} requests failed while nothing was wrong ({_faults(failed)}); no failure was caused"
    return ""


def _missing(plan: Plan, samples: list[Sample]) -> str:
    """The load entries without a sample, in words."""
    seen = by_entry(samples)
    return ", ".join(entry["name"] for entry in plan.load if entry["name"] not in seen)


def _faults(failed: list[Sample]) -> str:
    kinds = Counter(sample.problem for sample in failed).most_common()
    words = [f"{count} × {text}" for text, count in kinds[:KINDS_OF_FAULTS]]
    return ", ".join(words) + (", …" if len(kinds) > KINDS_OF_FAULTS else "")


def _each(evidence: Evidence, reasons_of: Callable[[Round], list[str]]) -> list[str] | None:
    """The reasons of all rounds, with their numbers if there are several; None without a round."""
    if not evidence.rounds:
        return None
    several = len(evidence.rounds) > 1
    return [
        f"round {number}: {reason}" if several else reason
        for number, one in enumerate(evidence.rounds, 1)
        for reason in reasons_of(one)
    ]


def _compared(evidence: Evidence, reasons_of: Callable[[Round], list[str]]) -> list[str] | None:
    """As C(_each), of what can only be told by before and after; None if there is no after at all."""
    if not any(one.after for one in evidence.rounds):
        return None
    return _each(evidence, lambda one: reasons_of(one) if one.after else [])


def _requests_title(plan: Plan) -> str:
    return f"At most {plan.max_failed_requests} requests fail" if plan.max_failed_requests else "No request fails"


def _slow_title(plan: Plan) -> str:
    return f"At most {plan.max_slow_requests} requests are slow" if plan.max_slow_requests else "No request is slow"


def _when(evidence: Evidence, samples: list[Sample]) -> str:
    """When these requests were due, each after the failure before it (those of the baseline: before the first)."""
    words = []
    for sample in (samples[0], samples[-1]):
        number = max(1, evidence.round_at(sample.due))
        after = f" of round {number}" if len(evidence.rounds) > 1 else ""
        words.append(f"{sample.due - evidence.rounds[number - 1].struck:+.1f} s after the failure{after}")
    return f"the first was due {words[0]}, the last {words[1]}"


def _requests(plan: Plan, evidence: Evidence) -> list[str]:
    if not evidence.rounds:
        return [baseline_problem(plan, evidence.samples) or "no failure was caused"]
    failed = [sample for sample in evidence.samples if sample.failed]
    if len(failed) <= plan.max_failed_requests:
        return []
    return [
        (
            f"{len(failed)} of {len(evidence.samples)} requests failed, {plan.max_failed_requests} allowed; "
            f"{_when(evidence, failed)} ({_faults(failed)})"
        )
    ]


def _slow(plan: Plan, evidence: Evidence) -> list[str]:
    limit = limits(evidence.samples_of("baseline"))
    slow = [sample for sample in evidence.samples if excess(sample, limit)]
    if len(slow) <= plan.max_slow_requests:
        return []
    worst = max(max(excess(sample, limit).values()) for sample in slow)
    return [
        (
            f"{len(slow)} of {len(evidence.samples)} requests were slow, {plan.max_slow_requests} allowed; "
            f"{_when(evidence, slow)}; the slowest took {worst:.0f} ms more than it may"
        )
    ]


def _recovery(plan: Plan, evidence: Evidence) -> list[str] | None:
    def late(one: Round) -> list[str]:
        if one.took is None:
            seen = "; ".join(one.last_seen) or "nothing was seen"
            return [f"not recovered within {plan.recovery_timeout:g} s ({seen})"]
        if one.took > plan.recovery_timeout:
            return [f"recovery took {one.took:.1f} s, {plan.recovery_timeout:g} s allowed"]
        return []

    reasons = _each(evidence, late)
    if evidence.obstacle:
        reasons.append(f"only {len(evidence.rounds)} of {plan.repeat} failures could be caused: {evidence.obstacle}")
    return reasons


def _service(one: Round) -> list[str]:
    before, after = one.before, one.after
    reasons = [f"KubeRay built another RayCluster, {name}" for name in one.other_clusters]
    if after is None:
        return [*reasons, f"the RayService could not be read at the end: {one.after_problem}"]
    if after.service_uid != before.service_uid:
        reasons.append("the RayService is not the same object any more")
    if after.cluster_name != before.cluster_name:
        reasons.append(f"the RayCluster is {after.cluster_name or 'gone'} instead of {before.cluster_name}")
    elif after.cluster_uid != before.cluster_uid:
        reasons.append(f"the RayCluster {before.cluster_name} was made anew")
    if after.service_problems:
        reasons.append(f"at the end the RayService is not ready: {'; '.join(after.service_problems)}")
    return reasons


def _heads(promise: Failure, one: Round) -> list[str]:
    old, after = one.before.heads[0], one.after.heads
    if len(after) != 1:
        return [
            f"there are {len(after)} heads at the end instead of one: {', '.join(pod.name for pod in after) or 'none'}"
        ]
    head = after[0]
    reasons = [] if head.ready else [f"the head {head.name} is not Ready at the end"]
    replaced = head.uid != old.uid
    if promise.head == "replaced" and not replaced:
        return [*reasons, f"the old head {head.name} is still there"]
    if promise.head in ("restarted", "kept") and replaced:
        return [*reasons, f"the head {old.name} was replaced, by {head.name}"]
    for name, count in head.restarts.items():
        restarts = count - (0 if replaced else old.restarts.get(name, 0))
        if promise.head == "restarted" and name == head.container:
            if restarts != 1:
                reasons.append(f"container {name} of the head {head.name} restarted {restarts} times, expected once")
        elif promise.head in ("replaced", "kept") and restarts:
            reasons.append(f"container {name} of the head {head.name} restarted {restarts} times")
    return reasons


def _leaving(one: Round) -> list[Pod]:
    """The workers of before that may go: those that the failure takes, and those that were on their way out already."""
    return [pod for pod in one.before.workers if pod.uid in one.taken or pod.terminating]


def _workers(one: Round) -> list[str]:
    """Every worker of before must be there as it was, but for those that may go. One more, from autoscaling, is no fault."""
    now = {pod.uid: pod for pod in one.after.workers}
    reasons = [] if one.before.workers else ["there was no worker before"]
    for pod in one.before.workers:
        if pod in _leaving(one):
            continue
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
    ready, needed = ready_workers(one.after.workers), ready_workers(one.before.workers)
    if one.taken and ready < needed:
        reasons.append(f"{ready} workers are Ready at the end, {needed} were before")
    return reasons


def _replicas(one: Round) -> list[str]:
    """Every replica of before must be the same process still, but on workers that may go. One more is no fault."""
    before, after = one.before, one.after
    if before.serve is None or not before.serve.replicas:
        return ["the replicas before were not seen"]
    if after.serve is None:
        return ["Ray's dashboard did not answer at the end, so the replicas could not be compared"]
    now: dict[tuple, Replica] = {replica.identity: replica for replica in after.serve.replicas}
    places = {pod.ip for pod in _leaving(one)}
    lost = [
        replica for replica in before.serve.replicas if replica.identity not in now and replica.node_ip not in places
    ]
    reasons = []
    if lost:
        names = ", ".join(f"{replica.deployment}#{replica.replica_id}" for replica in lost)
        reasons.append(f"{len(lost)} of {len(before.serve.replicas)} replicas are not the same any more ({names})")
    if not after.serve.running:
        reasons.append(f"at the end Serve is not well: {after.serve.describe()}")
    elif after.serve.running_replicas < before.serve.running_replicas:
        reasons.append(
            f"at the end {after.serve.running_replicas} replicas run, {before.serve.running_replicas} did before"
        )
    return reasons


def _measurement(plan: Plan, evidence: Evidence) -> list[str]:
    """Whether the numbers can be believed at all."""
    reasons = []
    phases = {"baseline": "before the failure"}
    if evidence.rounds:
        phases["failure"] = "after the failure"
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
