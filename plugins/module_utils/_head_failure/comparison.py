# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports of several checks side by side. Pure."""

from __future__ import annotations

import json
import string
from collections.abc import Callable

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import (
    html,
    markdown,
    plot,
    promise,
    tables,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.document import FORMAT
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.tables import Table
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import seconds

TITLE = "Head failure checks compared"
OF_REPORTS = "Reports"


def read(text: str) -> dict:
    """The document of a JSON report. Raises ValueError with what the text is instead."""
    try:
        document = json.loads(text)
    except ValueError:
        raise ValueError("it is no JSON") from None
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise ValueError(f"its format is {found}; expected: a JSON report of ray_head_failure_check, format {FORMAT}")
    return document


def compare(documents: list[dict]) -> list[Table]:
    """What is to be seen of the reports side by side, which are called A, B, C …."""
    return [
        _reports(documents),
        _columns(documents, "Criteria", "criterion", _criteria, kind="|o"),
        _columns(documents, "Configuration that differs", "setting", configuration, only_different=True),
        _rows(documents, tables.users),
        _rows(documents, tables.streams),
        _columns(documents, "Transitions, s after the failure (of several the latest)", "what", _transitions),
    ]


def to_markdown(documents: list[dict]) -> str:
    lines = [f"# {TITLE}"]
    for content in compare(documents):
        lines += markdown.table(content)
    return "\n".join(lines) + "\n"


def to_html(documents: list[dict]) -> str:
    curves = [curve for label, document in _labelled(documents) for curve in html.curves(document, f"{label}: ")]
    parts = [f"<h1>{TITLE}</h1>"]
    for content in compare(documents):
        parts.append(html.table(content))
        if content.title == OF_REPORTS:
            parts += ["<h2>Latency by share of requests</h2>", plot.distribution(curves)]
    return html.frame(TITLE, parts)


def configuration(document: dict) -> dict[str, str]:
    """All that was chosen or given, by the way to it: C(plan.load.chats.rate) to C(10), C(service.head.env.RAY_x) to C(1)."""
    before = document["before"]
    chosen = {
        "target": document["target"],
        "fault tolerance": document["fault_tolerance"],
        "plan": {**document["plan"], "load": {entry["name"]: entry for entry in document["plan"]["load"]}},
        "workers": len(before["workers"]),
        "replicas": len((before["serve"] or {}).get("replicas", ())),
        "versions": tables.versions(document),
        "images": {role: sorted({pod["image"] for pod in before[role]}) for role in ("heads", "workers")},
    }
    return dict(_flat("", chosen)) | {
        f"service.{name}": value for name, value in (document.get("configuration") or {}).items()
    }


def _flat(where: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{where}.{key}" if where else key, inner)]
    if isinstance(value, list):
        return [(where, ", ".join(map(str, value)))]
    return [(where, "–" if value is None else str(value))]


def letters(number: int) -> str:
    """The name of a report, from 0 on: C(A) to C(Z), then C(AA), C(AB) and so on."""
    rest, letter = divmod(number, len(string.ascii_uppercase))
    return (letters(rest - 1) if rest else "") + string.ascii_uppercase[letter]


def _labelled(documents: list[dict]) -> list[tuple[str, dict]]:
    return [(letters(number), document) for number, document in enumerate(documents)]


def _reports(documents: list[dict]) -> Table:
    rows = []
    for label, document in _labelled(documents):
        totals = document["summary"]
        recovery = totals["recovery_seconds"]
        rows.append(
            [
                label,
                f"{document['namespace']}/{document['name']}",
                document["plan"]["failure"],
                tables.moment(document["started"]),
                document["verdict"],
                *(str(totals[key]) for key in ("requests", "failed", "slow")),
                "never" if recovery is None else f"{recovery:.1f}",
                "; ".join(document["reasons"]),
            ]
        )
    numbers = ("requests|n", "failed|n", "slow|n", "back after, s|n")
    return Table(OF_REPORTS, ("report", "RayService", "failure", "started", "verdict", *numbers, "why it failed"), rows)


def _criteria(document: dict) -> dict[str, str]:
    return {entry["title"]: promise.OUTCOMES[entry["outcome"]] for entry in document["criteria"]}


def _transitions(document: dict) -> dict[str, str]:
    latest: dict[str, float] = {}
    for one in document["rounds"]:
        for entry in one["transitions"]:
            latest[entry["label"]] = max(entry["seconds"], latest.get(entry["label"], 0.0))
    return {label: seconds(after) for label, after in latest.items()}


def _columns(
    documents: list[dict],
    title: str,
    head: str,
    of: Callable[[dict], dict[str, str]],
    only_different: bool = False,
    kind: str = "",
) -> Table:
    """A line for each name that C(of) finds in any report, a column of this kind for each report."""
    found = [of(document) for document in documents]
    rows = [
        [name, *values]
        for name in dict.fromkeys(name for values in found for name in values)
        if len(set(values := [one.get(name, tables.NOTHING) for one in found])) > 1 or not only_different
    ]
    return Table(title, (head, *(f"{label}{kind}" for label, _document in _labelled(documents))), rows)


def _rows(documents: list[dict], of: Callable[[dict], Table]) -> Table:
    """The lines of a table that begins with phase and load, those of the reports below each other."""
    contents = [(label, of(document)) for label, document in _labelled(documents)]
    title, (phase, load, *heads), _lines = contents[0][1]
    keys = dict.fromkeys(tuple(row[:2]) for _label, content in contents for row in content.rows)
    rows = [
        [*key, label, *row[2:]]
        for key in keys
        for label, content in contents
        for row in content.rows
        if tuple(row[:2]) == key
    ]
    return Table(title, (phase, load, "report", *heads), rows)
