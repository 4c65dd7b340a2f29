# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report for a terminal, a ticket or a merge request. Pure."""

from __future__ import annotations

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import tables
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import cell


def page(document: dict) -> str:
    """Return the report of one check."""
    lines = [
        f"# Head failure check of {document['namespace']}/{document['name']}: {document['verdict']}",
        "",
        (
            f"Head deleted ({document['plan']['method']}) at {document['deleted'] or 'no time'} under load on "
            f"`{document['target']}`, fault tolerance {'on' if document['fault_tolerance'] else 'off'}."
        ),
    ]
    if document["reasons"]:
        lines += ["", "## Why it failed", "", *(f"- {reason}" for reason in document["reasons"])]
    for of in (
        tables.load,
        tables.users,
        tables.streams,
        tables.transitions,
        tables.worst,
        tables.connections,
        tables.notes,
    ):
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
        _row([head.removesuffix("|n") for head in content.heads]),
        _row(["---:" if head.endswith("|n") else "---" for head in content.heads]),
        *map(_row, content.rows),
    ]


def _row(values: list[str]) -> str:
    return "| " + " | ".join(map(cell, values)) + " |"
