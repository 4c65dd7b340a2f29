# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one HTML page: light, printable, its plots inline SVG, nothing loaded from anywhere. Pure."""

from __future__ import annotations

from html import escape

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import plot, tables
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.document import PHASES
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import milliseconds

STYLE = """
:root { color-scheme: light; --ink: #1f2933; --quiet: #66727f; --line: #dfe4ea; --ok: #1a7f4b; --bad: #c0362c; --load: #9db8d9; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 62rem; background: #fff; color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; }
.quiet { color: var(--quiet); }
.verdict { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; color: #fff; font-weight: 600; }
.passed { background: var(--ok); }
.failed { background: var(--bad); }
.figures { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; }
.figure { flex: 1 1 8rem; border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.figure b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
ul { margin: .25rem 0; padding-left: 1.25rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 600; }
td.n, th.n { text-align: right; }
td.n { white-space: nowrap; }
code { font-size: .9em; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--quiet); }
@media print { body { padding: 0; max-width: none; font-size: 12px; } .wide { overflow: visible; } h2 { break-after: avoid; } svg, tr { break-inside: avoid; } }
"""


def page(document: dict) -> str:
    """Return the report of one check."""
    where = escape(f"{document['namespace']}/{document['name']}")
    deleted = escape(document["deleted"] or "not at all")
    parts = [
        f'<h1>Head failure check of {where} <span class="verdict {document["verdict"]}">{document["verdict"]}</span></h1>',
        (
            f'<p class="quiet">Head deleted ({escape(document["plan"]["method"])}): {deleted}. Load on '
            f"<code>{escape(document['target'])}</code>. "
            f"Fault tolerance {'on' if document['fault_tolerance'] else 'off'}.</p>"
        ),
    ]
    if document["reasons"]:
        parts += ["<h2>Why it failed</h2>", sentences(document["reasons"])]
    parts += [
        _figures(document),
        "<h2>Timeline</h2>",
        plot.timeline(document["per_second"], document["summary"]["transitions"]),
        *map(table, (tables.users(document), tables.streams(document))),
        "<h2>Latency by share of requests</h2>",
        plot.distribution(curves(document)),
        *(
            table(of(document))
            for of in (tables.transitions, tables.worst, tables.load, tables.connections, tables.notes, _state)
        ),
        "<h2>Measurement</h2>",
        sentences([*tables.measurement(document), f"From {document['started']} to {document['ended']}."]),
    ]
    return frame(f"Head failure check of {where}: {document['verdict']}", parts)


def frame(title: str, parts: list[str]) -> str:
    """A whole page. title and parts are HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def table(content: tables.Table) -> str:
    """A headline and its table; nothing of a table without rows."""
    if not content.rows:
        return ""
    kinds = [' class="n"' if head.endswith("|n") else "" for head in content.heads]
    top = "".join(
        f"<th{kind}>{escape(head.removesuffix('|n'))}</th>" for head, kind in zip(content.heads, kinds, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(value)}</td>" for value, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in content.rows
    )
    return (
        f"<h2>{escape(content.title)}</h2>"
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def sentences(texts: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def curves(document: dict, prefix: str = "") -> list[tuple[str, list[list]]]:
    """The lines of the distribution: of each entry before and after the deletion."""
    return [
        (
            f"{prefix}{entry['name']}, {label}",
            document["histograms"][phase].get(entry["name"], {}).get("latency_ms", []),
        )
        for entry in document["plan"]["load"]
        for phase, label in PHASES.items()
    ]


def _figures(document: dict) -> str:
    totals = document["summary"]
    recovery = totals["recovery_seconds"]
    figures = (
        (str(totals["requests"]), "requests"),
        (str(totals["failed"]), "failed"),
        (str(totals["slow"]), "slow"),
        (f"{milliseconds(totals['failure']['latency_ms']['p99'])} ms", "99 % answered within, after the deletion"),
        (f"{milliseconds(totals['failure']['latency_ms']['max'])} ms", "slowest answer"),
        ("never" if recovery is None else f"{recovery:.1f} s", "until all was back"),
    )
    cells = "".join(f'<div class="figure"><b>{escape(value)}</b>{escape(label)}</div>' for value, label in figures)
    return f'<div class="figures">{cells}</div>'


def _state(document: dict) -> tables.Table:
    rows = []
    for moment in ("before", "after"):
        snapshot = document[moment] or {"heads": (), "workers": (), "serve": None}
        for pod in (*snapshot["heads"], *snapshot["workers"]):
            restarts = ", ".join(f"{name} {count}" for name, count in pod["restarts"].items())
            rows.append([moment, pod["role"], pod["name"], pod["uid"], pod["node"], restarts])
        for replica in (snapshot["serve"] or {}).get("replicas", ()):
            name = f"{replica['deployment']}#{replica['replica_id']}"
            rows.append([moment, "replica", name, replica["actor_id"], f"pid {replica['pid']}", replica["state"]])
    return tables.Table(
        "Pods and replicas", ("when", "what", "name", "UID, or actor", "node", "restarts, or state"), rows
    )
