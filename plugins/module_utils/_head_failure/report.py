# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of one check: one document, as JSON, as Markdown, and (html.py) as a page. Pure but for C(write)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import html
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import Evidence, Plan, Verdict
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import (
    CLOCK_TOLERANCE,
    Sample,
    SampleLog,
    spread,
    summarize,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import TRANSITIONS, Timeline
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import cell, milliseconds, seconds

FAILURES_LISTED = 50
SAMPLE_FIELDS = ["number", "second", "latency_ms", "connect_ms", "late_ms", "status", "error", "replica", "node"]


def build(
    plan: Plan,
    evidence: Evidence,
    verdict: Verdict,
    timeline: Timeline,
    log: SampleLog,
    target: str,
    fault_tolerance: bool,
) -> dict:
    """Return the report as plain values; its shape is documented by the module's RETURN and by the keys below.

    Every C(second) and C(seconds) is relative to the deletion of the head (to the start, if there was none).
    """
    samples = evidence.samples
    started = samples[0].due if samples else evidence.ended
    zero = started if evidence.deleted is None else evidence.deleted
    return {
        "name": plan.name,
        "namespace": plan.namespace,
        "verdict": verdict.word,
        "reasons": verdict.reasons,
        "target": target,
        "fault_tolerance": fault_tolerance,
        "plan": asdict(plan),
        "started": timestamp(started),
        "deleted": None if evidence.deleted is None else timestamp(evidence.deleted),
        "ended": timestamp(evidence.ended),
        "duration_seconds": round(evidence.ended - started, 3),
        "clock": clock(log),
        "summary": summary(evidence, timeline),
        "notes": [{"seconds": round(at - zero, 3), "text": text} for at, text in timeline.notes],
        "events": [{"seconds": round(at - zero, 3), "text": text} for at, text in timeline.events],
        "before": evidence.before.as_dict(),
        "after": None if evidence.after is None else evidence.after.as_dict(),
        "per_second": per_second(samples, zero),
        "sample_fields": SAMPLE_FIELDS,
        "samples": [sample_row(sample, zero) for sample in samples],
    }


def summary(evidence: Evidence, timeline: Timeline) -> dict:
    """The part of the report that the module returns and a reader wants first."""
    zero = evidence.deleted
    whole = summarize(evidence.samples)
    return {
        "requests": whole["requests"],
        "failed": whole["failed"],
        "unknown": evidence.unknown,
        "lateness_ms": whole["lateness_ms"],
        "baseline": summarize(evidence.baseline),
        "failure": summarize(evidence.failure),
        "recovery_seconds": None if evidence.recovered is None or zero is None else round(evidence.recovered - zero, 3),
        "transitions": []
        if zero is None
        else [
            {"name": name, "label": label, "seconds": round(timeline.transitions[name] - zero, 3)}
            for name, label in sorted(TRANSITIONS.items(), key=lambda entry: timeline.transitions.get(entry[0], 0.0))
            if name in timeline.transitions
        ],
    }


def clock(log: SampleLog) -> dict:
    """How the generator's clock was brought together with ours: {offset_seconds, transit_seconds, note}."""
    if log.transit is None:
        note = "no sample was read live, so the two clocks were taken for one"
    elif log.offset:
        note = (
            f"the generator's clock was moved by {log.offset:+.3f} s, the shortest way of a sample from there to here"
        )
    else:
        note = (
            f"one clock for both: the shortest way of a sample from the generator to here took {log.transit:+.3f} s, "
            f"and up to {CLOCK_TOLERANCE:g} s are taken for transport"
        )
    return {
        "offset_seconds": round(log.offset, 3),
        "transit_seconds": log.transit and round(log.transit, 3),
        "note": note,
    }


def per_second(samples: tuple[Sample, ...], zero: float) -> list[dict]:
    """Samples by the second in which they were due: [{second, requests, failed, p50, p99, max}], latencies in ms."""
    buckets: dict[int, list[Sample]] = {}
    for sample in samples:
        buckets.setdefault(int((sample.due - zero) // 1), []).append(sample)
    return [
        {
            "second": second,
            "requests": len(chosen),
            "failed": sum(sample.failed for sample in chosen),
            **spread([sample.latency for sample in chosen]),
        }
        for second, chosen in sorted(buckets.items())
    ]


def sample_row(sample: Sample, zero: float) -> list:
    return [
        sample.number,
        round(sample.due - zero, 3),
        sample.latency,
        sample.connect,
        sample.late,
        sample.status,
        sample.problem,
        sample.replica,
        sample.node,
    ]


def failures(document: dict) -> list[list]:
    """The first failed requests as [seconds after the deletion, latency in ms, what went wrong]."""
    rows = (dict(zip(SAMPLE_FIELDS, row, strict=True)) for row in document["samples"])
    failed = [[row["second"], row["latency_ms"], row["error"]] for row in rows if row["error"]]
    return failed[:FAILURES_LISTED]


def timestamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=UTC).isoformat(timespec="milliseconds")


def to_markdown(document: dict) -> str:
    """The report for a terminal, a ticket or a merge request."""
    plan, totals = document["plan"], document["summary"]
    lines = [
        f"# Head failure check of {document['namespace']}/{document['name']}: {document['verdict']}",
        "",
        (
            f"{plan['rate']:g} requests a second to `{document['target']}`, head deleted ({plan['method']}) at "
            f"{document['deleted'] or 'no time'}, fault tolerance {'on' if document['fault_tolerance'] else 'off'}."
        ),
        "",
    ]
    if document["reasons"]:
        lines += ["## Why it failed", "", *(f"- {reason}" for reason in document["reasons"]), ""]
    lines += [
        "## What users saw",
        "",
        "| phase | requests | failed | p50 ms | p99 ms | max ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for phase, label in (("baseline", "before"), ("failure", "from the deletion on")):
        part = totals[phase]
        latency = " | ".join(milliseconds(part["latency_ms"][key]) for key in ("p50", "p99", "max"))
        lines.append(f"| {label} | {part['requests']} | {part['failed']} | {latency} |")
    lines += ["", "## Transitions", "", "| s after the deletion | what |", "| ---: | --- |"]
    lines += [f"| {seconds(entry['seconds'])} | {entry['label']} |" for entry in totals["transitions"]]
    if document["notes"]:
        lines += [
            "",
            "## Notes",
            "",
            *(f"- {seconds(note['seconds'])} s: {note['text']}" for note in document["notes"]),
        ]
    if failed := failures(document):
        lines += [
            "",
            "## Failed requests",
            "",
            "| due, s after the deletion | given up after, ms | why |",
            "| ---: | ---: | --- |",
        ]
        lines += [f"| {seconds(due)} | {milliseconds(latency)} | {cell(problem)} |" for due, latency, problem in failed]
        if totals["failed"] > len(failed):
            lines.append(f"\n… and {totals['failed'] - len(failed)} more, in the JSON report.")
    late = totals["lateness_ms"]
    lines += [
        "",
        "## Measurement",
        "",
        (
            f"- The load generator started its requests late by {milliseconds(late['p99'])} ms (99th percentile), "
            f"{milliseconds(late['max'])} ms at most; latency counts from when a request was due."
        ),
        f"- Requests of unknown outcome: {totals['unknown']}.",
        f"- Clocks: {document['clock']['note']}.",
    ]
    return "\n".join(lines) + "\n"


def write(document: dict, directory: str) -> dict[str, str]:
    """Write the three files and return {json, markdown, html: path}. Raises OSError."""
    os.makedirs(directory, exist_ok=True)
    stamp = (
        "".join(character for character in document["started"][:19] if character.isdigit() or character == "T") + "Z"
    )
    stem = os.path.join(directory, f"head-failure-{document['namespace']}-{document['name']}-{stamp}")
    texts = {
        "json": (".json", json.dumps(document, indent=None, separators=(",", ":")) + "\n"),
        "markdown": (".md", to_markdown(document)),
        "html": (".html", html.page(document, failures(document))),
    }
    paths = {}
    for kind, (suffix, text) in texts.items():
        paths[kind] = stem + suffix
        with open(paths[kind], "w", encoding="utf-8") as stream:
            stream.write(text)
    return paths
