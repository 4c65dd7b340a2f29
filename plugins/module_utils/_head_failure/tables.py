# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables and sentences of a report, the same for Markdown and HTML. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterator
from statistics import median

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.document import PHASES
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.entries import describe
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import milliseconds, seconds

WORST = 10
NOTHING, UNKNOWN = "–", "not known"
KINDS = ("head", "worker", "replica")
QUANTILES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9", "max": "max"}
OVER = {"latency_ms": "slower by", "first_token_ms": "first token later by", "gap_ms": "gap longer by"}


class Table(t.NamedTuple):
    """heads: one that ends in C(|n) makes its column one of numbers, one in C(|o) one of outcomes."""

    title: str
    heads: tuple[str, ...]
    rows: list[list[str]]

    @property
    def columns(self) -> list[tuple[str, str]]:
        """[(name, C(n), C(o) or nothing)]."""
        return [head.partition("|")[::2] for head in self.heads]


def tested(document: dict) -> Table:
    """What was tested, and with what."""
    plan, before = document["plan"], document["before"]
    replicas = (before["serve"] or {}).get("replicas", ())
    tolerance = "on" if document["fault_tolerance"] else "off"
    often = f", {plan['repeat']} times" if plan["repeat"] > 1 else ""
    slow = "any number of" if plan["max_slow_requests"] is None else plan["max_slow_requests"]
    images = {role: ", ".join(sorted({pod["image"] for pod in before[f"{role}s"]})) for role in ("head", "worker")}
    times = {
        "before the failure": "baseline_seconds",
        "at most to recover": "recovery_timeout",
        "of stability": "stability_seconds",
    }
    rows = [
        ["RayService", f"{document['namespace']}/{document['name']}, fault tolerance {tolerance}"],
        ["Size", f"{many(len(before['workers']), 'worker pod')}, {many(len(replicas), 'Serve replica')}"],
        ["Failure", f"{document['promise']['title']} ({plan['failure']}){often}"],
        *([["Undone", f"after {plan['failure_seconds']:g} s"]] if plan["failure_seconds"] else []),
        ["Load on", document["target"]],
        *(
            [f"Load {entry['name']}", f"{describe(entry)}, at most {entry['request_timeout']:g} s each"]
            for entry in plan["load"]
        ),
        ["Allowed", f"{plan['max_failed_requests']} failed requests, {slow} slow ones"],
        ["Times", ", ".join(f"{plan[key]:g} s {words}" for words, key in times.items())],
        *([f"Image of the {role}", image] for role, image in images.items()),
        *map(list, versions(document).items()),
    ]
    return Table("What was tested", ("what", "value"), rows)


def settings(document: dict) -> Table:
    """How the RayService is set up, setting by setting. Reports of before had none."""
    found = document.get("configuration") or {}
    return Table(
        f"How it was set up ({many(len(found), 'setting')})",
        ("setting", "value"),
        [list(pair) for pair in found.items()],
    )


def versions(document: dict) -> dict[str, str]:
    """Of the software and the machines. What the account may not read is not known."""
    found = document.get("versions") or {}
    named = {"Ray": "ray", "KubeRay operator": "operator", "Kubernetes": "kubernetes", "rayops.serve_ha": "collection"}
    return {label: found.get(key) or UNKNOWN for label, key in named.items()} | {"Nodes": _nodes(found.get("nodes"))}


def _nodes(found: list[dict] | None) -> str:
    """C(3 nodes: 2 with 4 CPU amd64, 1 with 2 CPU arm64)."""
    if not found:
        return UNKNOWN
    kinds = Counter(f"{node['cpu']} CPU {node['arch']}" for node in found).most_common()
    if len(kinds) == 1:
        return f"{many(len(found), 'node')} with {kinds[0][0]}"
    return f"{len(found)} nodes: " + ", ".join(f"{count} with {kind}" for kind, count in kinds)


def users(document: dict) -> Table:
    """What users saw: a line for all, and one for each entry if there are several."""
    rows = [
        [
            label,
            name,
            *(str(part[key]) for key in ("requests", "failed", "slow")),
            *(milliseconds(part["latency_ms"][key]) for key in QUANTILES),
        ]
        for label, name, part in _parts(document, whole=True)
    ]
    numbers = (*("requests|n", "failed|n", "slow|n"), *(f"{label} ms|n" for label in QUANTILES.values()))
    return Table("What users saw, before and after the failure", ("phase", "load", *numbers), rows)


def streams(document: dict) -> Table:
    rows = []
    for label, name, part in _parts(document, whole=False):
        if part["first_token_ms"]["max"] is not None:
            measured = [part[kind][key] for kind in ("first_token_ms", "gap_ms") for key in ("p50", "p99", "max")]
            rows.append([label, name, str(part["requests"]), *map(milliseconds, measured)])
    numbers = [f"{kind}, {key} ms|n" for kind in ("first token", "longest gap") for key in ("p50", "p99", "max")]
    return Table("Streams", ("phase", "load", "streams|n", *numbers), rows)


def connections(document: dict) -> Table:
    rows = [
        [label, name, *(milliseconds(part["connect_ms"][key]) for key in ("p50", "p99", "max")), str(part["repeated"])]
        for label, name, part in _parts(document, whole=False)
    ]
    heads = ("phase", "load", "connecting, p50 ms|n", "p99 ms|n", "max ms|n", "sent twice|n")
    return Table("Connections", heads, rows)


def transitions(document: dict) -> Table:
    """Of one failure when each was, of several how long each took."""
    rounds = document["rounds"]
    if len(rounds) == 1:
        rows = [[seconds(entry["seconds"]), entry["label"]] for entry in rounds[0]["transitions"]]
        return Table("Transitions", ("s after the failure|n", "what"), rows)
    seen: dict[str, list[float]] = {}
    for one in rounds:
        for entry in one["transitions"]:
            seen.setdefault(entry["label"], []).append(entry["seconds"])
    rows = [[label, str(len(took)), *(seconds(of(took)) for of in (min, median, max))] for label, took in seen.items()]
    heads = ("what", "seen in rounds|n", "earliest|n", "median|n", "latest|n")
    return Table("Transitions, s after the failure of each round", heads, rows)


def rounds(document: dict) -> Table:
    """A line for each of several failures."""
    found = document["rounds"] if len(document["rounds"]) > 1 else []
    rows = [
        [
            str(one["number"]),
            f"{one['second']:.0f}",
            *(str(one[key]) for key in ("requests", "failed", "slow")),
            "never" if one["recovery_seconds"] is None else f"{one['recovery_seconds']:.1f}",
            "; ".join(one["done"]),
        ]
        for one in found
    ]
    heads = ("round|n", "begins at, s|n", "requests|n", "failed|n", "slow|n", "back after, s|n", "what was done")
    return Table("Round by round", heads, rows)


def worst(document: dict) -> Table:
    """The worst of the failed and the slow requests: failed ones first, each kind by how long it took.

    A column in which no request has a value is left out.
    """
    ordered = sorted(
        document["outliers"],
        key=lambda row: (not row["error"], -max(row["slow_by"].values(), default=row["latency_ms"])),
    )[:WORST]
    several = len(document["rounds"]) > 1
    columns = {
        "due, s|n": [seconds(row["second"]) for row in ordered],
        "phase": [_phase_of(row, several) for row in ordered],
        "load": [row["load"] for row in ordered],
        "what": [
            row["error"] or ", ".join(f"{OVER[kind]} {value:.0f} ms" for kind, value in row["slow_by"].items())
            for row in ordered
        ],
        "took, ms|n": [milliseconds(row["latency_ms"]) for row in ordered],
        "begun late, ms|n": [milliseconds(row["late_ms"]) for row in ordered],
        "connection's age, s|n": [f"{row['connection_age_seconds']:g}" for row in ordered],
        "first token, ms|n": [milliseconds(row["first_token_ms"]) for row in ordered],
        "longest gap, ms|n": [milliseconds(row["gap_ms"]) for row in ordered],
        "machine waited for CPU|n": [percent(row["pressure"]) for row in ordered],
        "replica": [row["replica"] or NOTHING for row in ordered],
        "node": [row["node"] or NOTHING for row in ordered],
    }
    kept = {head: values for head, values in columns.items() if set(values) != {NOTHING}}
    count = len(document["outliers"])
    title = "Failed and slow requests" + (
        f" (the worst {WORST} of {count:,}; all are in the JSON)" if count > WORST else ""
    )
    return Table(title, tuple(kept), [list(row) for row in zip(*kept.values(), strict=True)])


def pods(document: dict) -> Table:
    """Pods and replicas before and after, those that stayed in one line."""
    moments = [_things(document[moment]) for moment in ("before", "after")]
    things = sorted(moments[0] | moments[1], key=lambda thing: KINDS.index(thing[0]))
    rows = [[*thing, *(found.get(thing, NOTHING) for found in moments)] for thing in things]
    return Table("Pods and replicas", ("what", "name", "UID, or actor", "node, or process", "before", "after"), rows)


def _things(snapshot: dict | None) -> dict[tuple[str, ...], str]:
    """{(what, name, identity, node): state}."""
    if snapshot is None:
        return {}
    found = {}
    for pod in (*snapshot["heads"], *snapshot["workers"]):
        ready = "Ready" if pod["ready"] else "not Ready"
        restarts = many(sum(pod["restarts"].values()), "restart")
        found[pod["role"], pod["name"], pod["uid"], pod["node"]] = f"{ready}, {restarts}"
    for replica in (snapshot["serve"] or {}).get("replicas", ()):
        name = f"{replica['deployment']}#{replica['replica_id']}"
        found["replica", name, replica["actor_id"], f"pid {replica['pid']}"] = replica["state"]
    return found


def _phase_of(row: dict, several: bool) -> str:
    return f"round {row['round']}" if several and row["round"] else PHASES[row["phase"]]


def moment(timestamp: str) -> str:
    """C(2026-11-23 20:28:55 UTC), of a time as the document has it."""
    return f"{timestamp[:10]} {timestamp[11:19]} UTC"


def many(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def notes(document: dict) -> Table:
    return Table("Notes", ("s|n", "what"), [[seconds(note["seconds"]), note["text"]] for note in document["notes"]])


def measurement(document: dict) -> list[str]:
    """How it was measured, and how well, in sentences."""
    totals = document["summary"]
    late, own = totals["lateness_ms"], totals["generator"]
    waited = own["cpu_pressure"]["p99"]
    return [
        (
            "Latency counts from when a request was due: at a rate, each goes out at its time, whatever became of the "
            "earlier ones; a user asks again some time after an answer."
        ),
        (
            f"The load generator began its requests late by {milliseconds(late['p99'])} ms (99th percentile), "
            f"{milliseconds(late['max'])} ms at most."
        ),
        (
            f"It used {percent(own['cpu']['p50'])} of a processor (median), and its event loop woke up late by "
            f"{milliseconds(own['lag_ms']['p99'])} ms (99th percentile), {milliseconds(own['lag_ms']['max'])} ms at most."
        ),
        "How much its machine kept tasks waiting for a processor is not known."
        if waited is None
        else f"Some task of its machine waited for a processor for {percent(waited)} of the time (99th percentile of half seconds).",
        (
            f"Of {many(totals['slow'], 'slow request')} {totals['slow_starved']} would have been in time but for the half seconds in "
            "which its machine had no free processor."
        ),
        *_under_way(document),
        f"Requests of unknown outcome: {totals['unknown']}. Sent again, as a kept connection was closed: {totals['repeated']}.",
        (
            "A request is slow when it takes 250 ms more than the slowest of its kind before the failure, a stream when its "
            "first token or its longest gap does."
        ),
        f"Clocks: {document['clock']['note']}.",
    ]


def _under_way(document: dict) -> list[str]:
    """How many requests met the failure on their way; of several failures the least and the most."""
    words = []
    for entry in document["plan"]["load"]:
        counts = [one["under_way"].get(entry["name"], 0) for one in document["rounds"]]
        if counts:
            least, most = min(counts), max(counts)
            words.append(f"{least if least == most else f'{least} to {most}'} of {entry['name']}")
    return [f"Under way when the failure began: {', '.join(words)}."] if words else []


def percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.0%}"


def _parts(document: dict, whole: bool) -> Iterator[tuple[str, str, dict]]:
    """(phase, load, figures) of every phase and entry; C(whole): of all entries together, too, if there are several."""
    for phase, label in PHASES.items():
        part = document["summary"][phase]
        if whole and len(part["load"]) > 1:
            yield label, "all", part
        for name, figures in part["load"].items():
            yield label, name, figures
