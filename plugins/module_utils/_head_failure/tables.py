# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables and sentences of a report, the same for Markdown and HTML. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.document import PHASES
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.entries import describe
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import milliseconds, seconds

WORST = 10
QUANTILES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9", "max": "max"}
OVER = {"latency_ms": "slower by", "first_token_ms": "first token later by", "gap_ms": "gap longer by"}


class Table(t.NamedTuple):
    """heads: one that ends in C(|n) makes its column one of numbers."""

    title: str
    heads: tuple[str, ...]
    rows: list[list[str]]


def load(document: dict) -> Table:
    rows = [[entry["name"], describe(entry), f"{entry['request_timeout']:g} s"] for entry in document["plan"]["load"]]
    return Table("Load", ("load", "what", "time limit|n"), rows)


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
    return Table("What users saw, before and after the deletion", ("phase", "load", *numbers), rows)


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
    rows = [
        [str(number), seconds(entry["seconds"]), entry["label"]]
        for number, entry in enumerate(document["summary"]["transitions"], 1)
    ]
    return Table("Transitions", ("#|n", "s after the deletion|n", "what"), rows)


def worst(document: dict) -> Table:
    """The worst of the failed and the slow requests: failed ones first, each kind by how long it took."""
    ordered = sorted(
        document["outliers"],
        key=lambda row: (not row["error"], -max(row["slow_by"].values(), default=row["latency_ms"])),
    )
    rows = [
        [
            seconds(row["second"]),
            PHASES[row["phase"]],
            row["load"],
            row["error"] or ", ".join(f"{OVER[kind]} {value:.0f} ms" for kind, value in row["slow_by"].items()),
            milliseconds(row["latency_ms"]),
            milliseconds(row["late_ms"]),
            f"{row['connection_age_seconds']:g}",
            *map(milliseconds, (row["first_token_ms"], row["gap_ms"])),
            row["replica"],
            row["node"],
        ]
        for row in ordered[:WORST]
    ]
    count = len(document["outliers"])
    title = "Failed and slow requests" + (
        f" (the worst {WORST} of {count}; all are in the JSON)" if count > WORST else ""
    )
    heads = ("due, s|n", "phase", "load", "what", "took, ms|n", "begun late, ms|n", "connection's age, s|n")
    return Table(title, (*heads, "first token, ms|n", "longest gap, ms|n", "replica", "node"), rows)


def notes(document: dict) -> Table:
    return Table("Notes", ("s|n", "what"), [[seconds(note["seconds"]), note["text"]] for note in document["notes"]])


def measurement(document: dict) -> list[str]:
    """How it was measured, and how well, in sentences."""
    totals = document["summary"]
    late, own = totals["lateness_ms"], totals["generator"]
    cpu = own["cpu"]["p50"]
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
            f"It used {'–' if cpu is None else f'{cpu:.0%}'} of a processor (median), and its event loop woke up late by "
            f"{milliseconds(own['lag_ms']['p99'])} ms (99th percentile), {milliseconds(own['lag_ms']['max'])} ms at most."
        ),
        f"Requests of unknown outcome: {totals['unknown']}. Sent again, as a kept connection was closed: {totals['repeated']}.",
        (
            "A request is slow when it takes 250 ms more than the slowest of its kind before the deletion, a stream when its "
            "first token or its longest gap does."
        ),
        f"Clocks: {document['clock']['note']}.",
    ]


def _parts(document: dict, whole: bool) -> Iterator[tuple[str, str, dict]]:
    """(phase, load, figures) of every phase and entry; C(whole): of all entries together, too, if there are several."""
    for phase, label in PHASES.items():
        part = document["summary"][phase]
        if whole and len(part["load"]) > 1:
            yield label, "all", part
        for name, figures in part["load"].items():
            yield label, name, figures
