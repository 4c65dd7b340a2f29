# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of one check as one document of plain values, from which all its files are made. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import figures
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import Evidence, Plan, Verdict
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import (
    CLOCK_TOLERANCE,
    Sample,
    SampleLog,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import TRANSITIONS, Timeline

FORMAT = 1  # of the JSON; another one is not compared
PHASES = {"baseline": "before", "failure": "after"}  # the deletion
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
    timeline: Timeline,
    log: SampleLog,
    target: str,
    fault_tolerance: bool,
) -> dict:
    """Return the report; its shape is documented by the module's RETURN and by the keys below.

    Every C(second) and C(seconds) is relative to the deletion of the head (to the start, if there was none).
    """
    samples = evidence.samples
    started = samples[0].due if samples else evidence.ended
    zero = started if evidence.deleted is None else evidence.deleted
    limit = figures.limits(evidence.samples_of("baseline"))
    return {
        "format": FORMAT,
        "name": plan.name,
        "namespace": plan.namespace,
        "verdict": verdict.word,
        "reasons": verdict.reasons,
        "criteria": [{**asdict(criterion), "outcome": criterion.outcome} for criterion in verdict.criteria],
        "target": target,
        "fault_tolerance": fault_tolerance,
        "plan": asdict(plan),
        "started": timestamp(started),
        "deleted": None if evidence.deleted is None else timestamp(evidence.deleted),
        "ended": timestamp(evidence.ended),
        "duration_seconds": round(evidence.ended - started, 3),
        "clock": clock(log),
        "summary": summary(plan, evidence, timeline, limit),
        "slow_over": {
            entry: {figures.MEASURES[name]: most for name, most in named.items()} for entry, named in limit.items()
        },
        "outliers": [row for sample in samples if (row := outlier(sample, evidence, limit, zero))],
        "histograms": {phase: figures.histograms(evidence.samples_of(phase)) for phase in PHASES},
        "notes": [{"seconds": round(at - zero, 3), "text": text} for at, text in timeline.notes],
        "events": [{"seconds": round(at - zero, 3), "text": text} for at, text in timeline.events],
        "before": evidence.before.as_dict(),
        "after": None if evidence.after is None else evidence.after.as_dict(),
        "per_second": per_second(samples, zero),
        "sample_fields": SAMPLE_FIELDS,
        "samples": [sample_row(sample, zero) for sample in samples],
    }


def summary(plan: Plan, evidence: Evidence, timeline: Timeline, limit: dict) -> dict:
    """The part of the report that the module returns and a reader wants first."""
    zero = evidence.deleted
    phases = {phase: _phase(plan, evidence, phase, limit) for phase in PHASES}
    return {
        **{key: sum(part[key] for part in phases.values()) for key in ("requests", "failed", "slow", "repeated")},
        "unknown": evidence.unknown,
        "lateness_ms": figures.spread(sample.late for sample in evidence.samples),
        "generator": figures.generator(evidence.beats),
        **phases,
        "recovery_seconds": None if evidence.recovered is None or zero is None else round(evidence.recovered - zero, 3),
        "transitions": []
        if zero is None
        else [
            {"name": name, "label": label, "seconds": round(timeline.transitions[name] - zero, 3)}
            for name, label in sorted(TRANSITIONS.items(), key=lambda entry: timeline.transitions.get(entry[0], 0.0))
            if name in timeline.transitions
        ],
    }


def _phase(plan: Plan, evidence: Evidence, phase: str, limit: dict) -> dict:
    samples = evidence.samples_of(phase)
    parts = figures.by_entry(samples)
    return {
        **figures.summarize(samples, limit),
        "generator": figures.generator(evidence.beats_of(phase)),
        "load": {entry["name"]: figures.summarize(parts.get(entry["name"], []), limit) for entry in plan.load},
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

    Shape: SAMPLE_FIELDS, phase, and slow_by: {latency_ms | first_token_ms | gap_ms: ms over what it may take}.
    """
    over = figures.excess(sample, limit)
    if not sample.failed and not over:
        return None
    return {
        **dict(zip(SAMPLE_FIELDS, sample_row(sample, zero), strict=True)),
        "phase": evidence.phase(sample.ended),
        "slow_by": {figures.MEASURES[name]: value for name, value in over.items()},
    }


def timestamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=UTC).isoformat(timespec="milliseconds")
