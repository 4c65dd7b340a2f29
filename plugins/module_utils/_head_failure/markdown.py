# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report for a terminal, a ticket or a merge request. Pure."""

from __future__ import annotations

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import promise, tables
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import cell

TABLES = (
    promise.criteria,
    tables.worst,
    tables.tested,
    tables.users,
    tables.streams,
    tables.rounds,
    tables.transitions,
    tables.connections,
    tables.notes,
    tables.settings,
)


def page(document: dict) -> str:
    """Return the report of one check."""
    lines = [
        f"# {promise.upper(document['verdict'])}: {promise.sentence(document)}",
        "",
        f"Head failure check of RayService {document['namespace']}/{document['name']}, begun at {tables.moment(document['started'])}.",
    ]
    if document["reasons"]:
        lines += ["", "## Why it failed", "", *(f"- {reason}" for reason in document["reasons"])]
    for of in TABLES:
        lines += table(of(document))
    lines += ["", "## Measurement", "", *(f"- {text}" for text in tables.measurement(document))]
    return "\n".join(lines) + "\n"


def table(content: tables.Table) -> list[str]:
    """A headline and its table; nothing of a table without rows."""
    if not content.rows:
        return []
    return [
        "",
        f"## {content.title}",
        "",
        _row([name for name, _kind in content.columns]),
        _row(["---:" if kind == "n" else "---" for _name, kind in content.columns]),
        *map(_row, content.rows),
    ]


def _row(values: list[str]) -> str:
    return "| " + " | ".join(map(cell, values)) + " |"
