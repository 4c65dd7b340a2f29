# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on a failure: a pure function of what was seen. No reason means passed; nothing seen never passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import aftermath
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.evidence import Evidence, Plan, Round
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.figures import (
    LEAST_FOR_P99,
    by_entry,
    excess,
    is_excused,
    is_free,
    is_starved,
    limits,
    punctual,
    spread,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.client import OWN_SIDE
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import Beat, Sample

# Lateness is taken off what was measured before the failure and left in what was measured after it, so it can make a
# service look worse and never better. Where processors were free, requests that begin later than this make slow ones of
# which the service knows nothing (250 ms are slow). A machine that is starved is told from the service by its pressure;
# beyond the second limit its requests no longer fall where the time line says either.
LATENESS_LIMIT_MS, LATENESS_LIMIT_STARVED_MS = 100.0, 500.0
LATE_SHARE = 0.01
# The generator has one thread that counts. When it uses this much of a processor for more than this share of a phase,
# requests wait for it rather than for the service.
BUSY_CPU, BUSY_SHARE = 0.9, 0.1
# A machine that is starved for more than this share of the time in which nothing is wrong tells nothing of slow requests.
STARVED_SHARE = 0.5
PHASES = {"baseline": "before the failure", "failure": "after the failure"}
SILENCE_LIMIT = 3.0  # seconds; the generator speaks twice a second
KINDS_OF_FAULTS = 3


@dataclass(frozen=True)
class Criterion:
    """One thing that is asked of a service. reasons: why it was not met; None if there was nothing to judge.

    note: what was measured or why there was nothing to judge, where the title does not say it.
    """

    name: str
    title: str
    reasons: list[str] | None
    note: str = ""

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
        *_latency(plan, evidence),
        *_head_ready(plan, evidence),
        Criterion("recovery", f"Everything is back within {plan.recovery_timeout:g} s", _recovery(plan, evidence)),
        Criterion("service", "The RayService keeps its RayCluster and is ready", _each(evidence, aftermath.service)),
        Criterion(
            "head",
            aftermath.HEAD_TITLES[promise.head],
            _compared(evidence, lambda one: aftermath.heads(promise, one)),
        ),
        Criterion(
            "workers",
            "Every worker pod stays, without a restart" + (", but for those that the failure takes" if loses else ""),
            _compared(evidence, aftermath.workers),
        ),
        Criterion(
            "replicas",
            "Every Serve replica stays the same process" + (", but for those on lost workers" if loses else ""),
            _compared(evidence, aftermath.replicas),
        ),
        Criterion("measurement", "The measurement can be trusted", _measurement(plan, evidence)),
    ]
    return Verdict(criteria)


def _latency(plan: Plan, evidence: Evidence) -> list[Criterion]:
    """What was asked for of it."""
    criteria = []
    if plan.max_slow_requests is not None:
        criteria.append(Criterion("slow", _slow_title(plan), _slow(plan, evidence) if evidence.rounds else None))
    if plan.max_p99_ratio is not None:
        title = f"99 % of each kind are answered within {plan.max_p99_ratio:g} times what they took before"
        criteria.append(Criterion("p99", title, *_p99(plan, evidence)))
    return criteria


def baseline_problem(plan: Plan, samples: Iterable[Sample]) -> str:
    """Why the service had better be left alone, after the baseline phase; empty if it is well."""
    chosen = list(samples)
    if missing := _missing(plan, chosen):
        return (
            f"no request of {missing} ended in the {plan.baseline_seconds:g} s of the baseline; no failure was caused"
        )
    if failed := [sample for sample in chosen if sample.failed]:
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
    if not plan.max_failed_requests:
        return "No request fails"
    within = "" if plan.failed_within is None else f" of the first {plan.failed_within:g} s"
    return f"At most {plan.max_failed_requests} requests{within} fail, and none before the failure"


def _slow_title(plan: Plan) -> str:
    most = f"At most {plan.max_slow_requests} requests are" if plan.max_slow_requests else "No request is"
    return f"{most} slow while processors are free"


def _when(evidence: Evidence, samples: list[Sample]) -> str:
    """When these requests were due, each after the failure before it (those of the baseline: before the first)."""
    words = []
    for sample in (samples[0], samples[-1]):
        after = f" of round {max(1, evidence.round_at(sample.due))}" if len(evidence.rounds) > 1 else ""
        words.append(f"{_after(evidence, sample):+.1f} s after the failure{after}")
    return f"the first was due {words[0]}, the last {words[1]}"


def _after(evidence: Evidence, sample: Sample) -> float:
    """How many seconds after the failure before it a request was due; one of the baseline before the first."""
    return sample.due - evidence.rounds[max(1, evidence.round_at(sample.due)) - 1].struck


def _requests(plan: Plan, evidence: Evidence) -> list[str]:
    if not evidence.rounds:
        return [baseline_problem(plan, evidence.samples) or "no failure was caused"]
    failed = [sample for sample in evidence.samples if sample.failed]
    reasons = []
    if len(failed) > plan.max_failed_requests:
        reasons.append(
            f"{len(failed)} of {len(evidence.samples)} requests failed, {plan.max_failed_requests} allowed; "
            f"{_when(evidence, failed)} ({_faults(failed)})"
        )
    elif early := [sample for sample in failed if evidence.phase(sample.ended) == "baseline"]:
        reasons.append(f"{len(early)} requests failed before the failure ({_faults(early)})")
    if plan.failed_within is not None:
        late = [sample for sample in failed if _after(evidence, sample) > plan.failed_within]
        if late:
            reasons.append(
                f"{len(late)} requests failed later than the {plan.failed_within:g} s after the failure in which some may; "
                f"{_when(evidence, late)} ({_faults(late)})"
            )
    return reasons


def _slow(plan: Plan, evidence: Evidence) -> list[str]:
    limit = limits(evidence.samples_of("baseline"))
    slow = [(sample, over) for sample in evidence.samples if (over := excess(sample, limit))]
    own = [(sample, over) for sample, over in slow if not is_excused(sample, over, evidence.starvation)]
    if len(own) <= plan.max_slow_requests:
        return []
    worst = max(max(over.values()) for _sample, over in own)
    starved = len(slow) - len(own)
    return [
        (
            f"{len(own)} of {len(evidence.samples)} requests were slow though processors were free, "
            f"{plan.max_slow_requests} allowed; {_when(evidence, [sample for sample, _over in own])}; the slowest took "
            f"{worst:.0f} ms more than it may" + (f"; {starved} more were slow while none was free" if starved else "")
        )
    ]


def _p99(plan: Plan, evidence: Evidence) -> tuple[list[str] | None, str]:
    """(reasons, note) on the 99th percentiles of each entry."""
    reasons, notes, judged = [], [], False
    for entry in plan.load:
        # How long a stream is depends on what the model has to say.
        name, what = ("first", "the first token of ") if entry["stream"] else ("latency", "")
        what += entry["name"]
        found = {phase: _free_answers(evidence, phase, entry["name"], name) for phase in PHASES}
        if few := [phase for phase in PHASES if len(found[phase]) < LEAST_FOR_P99]:
            notes.append(
                f"{what} not judged: {len(found[few[0]])} answers {PHASES[few[0]]} while processors were free, "
                f"{LEAST_FOR_P99} needed"
            )
            continue
        judged = True
        before = spread(punctual(sample, name) for sample in found["baseline"])["p99"]
        after = spread(getattr(sample, name) for sample in found["failure"])["p99"]
        notes.append(f"{what} {after:.1f} ms, {before:.1f} ms before")
        if after > plan.max_p99_ratio * before:
            reasons.append(
                f"99 % of {what} took up to {after:.1f} ms after the failure and {before:.1f} ms before, "
                f"{plan.max_p99_ratio:g} times as long allowed"
            )
    return reasons if judged else None, "; ".join(notes)


def _free_answers(evidence: Evidence, phase: str, entry: str, name: str) -> list[Sample]:
    """The answered requests of an entry that have that measure, and for which processors were free."""
    return [
        sample
        for sample in evidence.samples_of(phase)
        if sample.entry == entry
        and not sample.failed
        and (value := getattr(sample, name)) is not None
        and is_free(sample, value, evidence.starvation)
    ]


def _head_ready(plan: Plan, evidence: Evidence) -> list[Criterion]:
    """If it was asked for."""
    if plan.head_timeout is None:
        return []

    def late(one: Round) -> list[str]:
        if one.head_back is None:
            return [f"no head was Ready for good, {plan.head_timeout:g} s allowed"]
        if one.head_back - one.struck > plan.head_timeout:
            return [f"the head was Ready after {one.head_back - one.struck:.1f} s, {plan.head_timeout:g} s allowed"]
        return []

    return [Criterion("head_ready", f"One head is Ready within {plan.head_timeout:g} s", _each(evidence, late))]


def _recovery(plan: Plan, evidence: Evidence) -> list[str] | None:
    def late(one: Round) -> list[str]:
        if one.unseen:
            return [f"the failure had no effect that was seen; expected: {one.unseen}"]
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


def _measurement(plan: Plan, evidence: Evidence) -> list[str]:
    """Whether the numbers can be believed at all."""
    reasons = []
    phases = PHASES if evidence.rounds else {"baseline": PHASES["baseline"]}
    for phase, words in phases.items():
        if missing := _missing(plan, evidence.samples_of(phase)):
            reasons.append(f"no request of {missing} {words}")
    if evidence.unknown:
        reasons.append(f"the outcome of {evidence.unknown} of {evidence.begun} requests is unknown")
    if evidence.silent > SILENCE_LIMIT:
        reasons.append(f"the load generator told nothing of the last {evidence.silent:.1f} s")
    if own := [sample for sample in evidence.samples if sample.error.startswith(OWN_SIDE)]:
        reasons.append(f"{len(own)} requests failed on the load generator's own side ({_faults(own)})")
    for phase, words in phases.items():
        reasons += _bottleneck(evidence, phase, words)
    asked = plan.max_slow_requests is not None or plan.max_p99_ratio is not None
    if asked and (share := _share(is_starved, evidence.beats_of("baseline"))) > STARVED_SHARE:
        reasons.append(
            f"the machine of the load generator had no free processor in {share:.0%} of the time before the failure, so "
            "slow requests say nothing of the service"
        )
    return [f"the measurement is not trustworthy: {reason}" for reason in reasons]


def _bottleneck(evidence: Evidence, phase: str, words: str) -> list[str]:
    """Whether the load generator, or its machine, was what the requests of a phase waited for."""
    samples = evidence.samples_of(phase)
    busy = _share(lambda beat: beat.cpu >= BUSY_CPU, evidence.beats_of(phase))
    if busy > BUSY_SHARE:
        late = spread(sample.late for sample in samples)["p99"] or 0.0
        return [
            f"the load generator was the bottleneck {words}: it used up a processor in {busy:.0%} of the time, and its "
            f"requests started {late:.0f} ms late (99th percentile); ask for fewer requests"
        ]
    free = [sample for sample in samples if is_free(sample, sample.late, evidence.starvation)]
    for chosen, limit, kind in (
        (free, LATENESS_LIMIT_MS, " for which processors were free"),
        (samples, LATENESS_LIMIT_STARVED_MS, ""),
    ):
        late = sum(sample.late > limit for sample in chosen)
        # One of less than a hundred is more than one of a hundred.
        if late > max(1, LATE_SHARE * len(chosen)):
            return [
                f"the machine of the load generator was the bottleneck {words}: {late} of {len(chosen)} requests{kind} "
                f"started more than {limit:.0f} ms late"
            ]
    return []


def _share(is_so: Callable[[Beat], bool], beats: list[Beat]) -> float:
    return sum(map(is_so, beats)) / max(1, len(beats))
