# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of one check as one document of plain values, from which all its files are made. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import figures
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.evidence import Evidence, Plan, Round
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import Verdict
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import (
    CLOCK_TOLERANCE,
    Sample,
    SampleLog,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import TRANSITIONS
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.undo import described

FORMAT = 2  # of the JSON; another one is not compared
COLLECTION = "0.1.0"  # the version in galaxy.yml, which a module on its way does not have with it
COUNTS = ("requests", "failed", "slow", "slow_starved", "repeated")
PHASES = {"baseline": "before", "failure": "after"}  # the first failure
SAMPLE_FIELDS = [
    "load",
    "number",
    "second",
    "latency_ms",
    "late_ms",
    "connect_ms",
    "connection_age_seconds",
    "status",
    "error",
    "replica",
    "node",
    "first_token_ms",
    "gap_ms",
    "repeated",
]


def build(
    plan: Plan,
    evidence: Evidence,
    verdict: Verdict,
    log: SampleLog,
    target: str,
    fault_tolerance: bool,
) -> dict:
    """Return the report; its shape is documented by the module's RETURN and by the keys below.

    Every C(second) and C(seconds) is relative to the first failure (to the start, if there was none), but those
    within a round, which are relative to its own.
    """
    samples = evidence.samples
    started = samples[0].due if samples else evidence.ended
    zero = started if evidence.struck is None else evidence.struck
    limit = figures.limits(evidence.samples_of("baseline"))
    after = evidence.rounds[-1].after if evidence.rounds else None
    return {
        "format": FORMAT,
        "name": plan.name,
        "namespace": plan.namespace,
        "verdict": verdict.word,
        "reasons": verdict.reasons,
        "criteria": [{**asdict(criterion), "outcome": criterion.outcome} for criterion in verdict.criteria],
        "target": target,
        "fault_tolerance": fault_tolerance,
        "versions": {"collection": COLLECTION, **evidence.versions},
        "configuration": evidence.configuration,
        "plan": asked_for(plan),
        "promise": {key: getattr(plan.promise, key) for key in ("title", "head", "workers_lost")},
        "started": timestamp(started),
        "struck": None if evidence.struck is None else timestamp(evidence.struck),
        "ended": timestamp(evidence.ended),
        "duration_seconds": round(evidence.ended - started, 3),
        "clock": clock(log),
        "summary": summary(plan, evidence, limit),
        "rounds": rounds(evidence, limit),
        "slow_over": {
            entry: {figures.MEASURES[name]: most for name, most in named.items()} for entry, named in limit.items()
        },
        "outliers": [row for sample in samples if (row := outlier(sample, evidence, limit, zero))],
        "histograms": {phase: figures.histograms(evidence.samples_of(phase)) for phase in PHASES},
        "notes": [{"seconds": round(at - zero, 3), "text": text} for at, text in evidence.notes],
        "events": [{"seconds": round(at - zero, 3), "text": text} for at, text in evidence.events],
        "before": evidence.before.as_dict(),
        "after": after.as_dict() if after else None,
        "per_second": per_second(samples, zero),
        "sample_fields": SAMPLE_FIELDS,
        "samples": [sample_row(sample, zero) for sample in samples],
    }


def asked_for(plan: Plan) -> dict:
    """The plan without what may be secret: a report is handed on."""
    commands = plan.failure_commands
    if commands:
        shown = {key: commands[key] and described(commands[key]) for key in ("begin", "end")}
        commands = {**shown, "effect": commands["effect"]}
    load = [{**entry, "headers": entry["headers"] and sorted(entry["headers"])} for entry in plan.load]
    return {**asdict(plan), "failure_commands": commands, "load": load}


def summary(plan: Plan, evidence: Evidence, limit: dict) -> dict:
    """The part of the report that the module returns and a reader wants first."""
    phases = {phase: _phase(plan, evidence, phase, limit) for phase in PHASES}
    took = [None if one.took is None else round(one.took, 3) for one in evidence.rounds]
    return {
        **{key: sum(part[key] for part in phases.values()) for key in COUNTS},
        "unknown": evidence.unknown,
        "lateness_ms": figures.spread(sample.late for sample in evidence.samples),
        "generator": figures.generator(evidence.beats),
        **phases,
        "recovery_seconds": None if None in took else max(took, default=None),
        "recovery_seconds_each": took,
    }


def rounds(evidence: Evidence, limit: dict) -> list[dict]:
    """What belongs to each failure; a request belongs to the one before its end."""
    parts: dict[int, list[Sample]] = {}
    for sample in evidence.samples:
        parts.setdefault(evidence.round_at(sample.ended), []).append(sample)
    return [
        {
            "number": number,
            "struck": timestamp(one.struck),
            "second": round(one.struck - evidence.struck, 3),
            "undone_seconds": None if one.undone is None else round(one.undone - one.struck, 3),
            "head_seconds": None if one.head_back is None else round(one.head_back - one.struck, 3),
            "recovery_seconds": None if one.took is None else round(one.took, 3),
            "ended_seconds": round(one.ended - one.struck, 3),
            "done": list(one.done),
            "requests": len(parts.get(number, ())),
            "failed": sum(sample.failed for sample in parts.get(number, ())),
            "slow": sum(bool(figures.excess(sample, limit)) for sample in parts.get(number, ())),
            "head": head(one),
            "under_way": under_way(evidence.samples, one.struck),
            "transitions": transitions(one),
        }
        for number, one in enumerate(evidence.rounds, 1)
    ]


def head(one: Round) -> str | None:
    """What became of the head: C(replaced), C(restarted) or C(kept); None where there was no one head to be seen."""
    if one.after is None or len(one.after.heads) != 1:
        return None
    old, new = one.before.heads[0], one.after.heads[0]
    if new.uid != old.uid:
        return "replaced"
    return "restarted" if new.restarted > old.restarted else "kept"


def under_way(samples: Sequence[Sample], moment: float) -> dict[str, int]:
    """How many requests of each entry that moment met, a stream after its first token; entries without one are left out."""
    return dict(
        Counter(sample.entry for sample in samples if sample.due + (sample.first or 0) / 1000 <= moment < sample.ended)
    )


def transitions(one: Round) -> list[dict]:
    """In the order in which they came; those of the same moment in their usual one."""
    return [
        {"name": name, "label": label, "seconds": round(one.transitions[name] - one.struck, 3)}
        for name, label in sorted(TRANSITIONS.items(), key=lambda entry: one.transitions.get(entry[0], 0.0))
        if name in one.transitions
    ]


def _phase(plan: Plan, evidence: Evidence, phase: str, limit: dict) -> dict:
    samples = evidence.samples_of(phase)
    parts = figures.by_entry(samples)
    return {
        **figures.summarize(samples, limit, evidence.starvation),
        "generator": figures.generator(evidence.beats_of(phase)),
        "load": {
            entry["name"]: figures.summarize(parts.get(entry["name"], []), limit, evidence.starvation)
            for entry in plan.load
        },
    }


def clock(log: SampleLog) -> dict:
    """How the generator's clock was brought together with ours: {offset_seconds, transit_seconds, note}."""
    if log.transit is None:
        note = "no line was read live, so the two clocks were taken for one"
    elif log.offset:
        note = f"the generator's clock was moved by {log.offset:+.3f} s, the shortest way of a line from there to here"
    else:
        note = (
            f"one clock for both: the shortest way of a line from the generator to here took {log.transit:+.3f} s, "
            f"and up to {CLOCK_TOLERANCE:g} s are taken for transport"
        )
    return {
        "offset_seconds": round(log.offset, 3),
        "transit_seconds": log.transit and round(log.transit, 3),
        "note": note,
    }


def per_second(samples: Sequence[Sample], zero: float) -> list[dict]:
    """Samples by the second in which they were due: [{second, requests, failed, p50, max}], latencies in ms."""
    buckets: dict[int, list[Sample]] = {}
    for sample in samples:
        buckets.setdefault(int((sample.due - zero) // 1), []).append(sample)
    rows = []
    for second, chosen in sorted(buckets.items()):
        latency = figures.spread(sample.latency for sample in chosen)
        rows.append(
            {
                "second": second,
                "requests": len(chosen),
                "failed": sum(sample.failed for sample in chosen),
                "p50": latency["p50"],
                "max": latency["max"],
            }
        )
    return rows


def sample_row(sample: Sample, zero: float) -> list:
    return [
        sample.entry,
        sample.number,
        round(sample.due - zero, 3),
        sample.latency,
        sample.late,
        sample.connect,
        sample.age,
        sample.status,
        sample.problem,
        sample.replica,
        sample.node,
        sample.first,
        sample.gap,
        sample.repeated,
    ]


def outlier(sample: Sample, evidence: Evidence, limit: dict, zero: float) -> dict | None:
    """A failed or a slow request with all that is known of it; None for any other.

    Shape: SAMPLE_FIELDS, phase, round (0 before the first failure), pressure (see figures), slow_by: {latency_ms |
    first_token_ms | gap_ms: ms over what it may take}, and starved: slow for that reason only, see figures.is_excused.
    """
    over = figures.excess(sample, limit)
    if not sample.failed and not over:
        return None
    return {
        **dict(zip(SAMPLE_FIELDS, sample_row(sample, zero), strict=True)),
        "phase": evidence.phase(sample.ended),
        "round": evidence.round_at(sample.ended),
        "pressure": figures.pressure(sample, evidence.beats),
        "slow_by": {figures.MEASURES[name]: value for name, value in over.items()},
        "starved": bool(over) and figures.is_excused(sample, over, evidence.starvation),
    }


def timestamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=UTC).isoformat(timespec="milliseconds")
