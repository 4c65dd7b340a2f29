# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one HTML page: light, printable, its plot an inline SVG, nothing loaded from anywhere. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from html import escape

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import milliseconds, seconds

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
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 600; }
td.n, th.n { text-align: right; white-space: nowrap; }
code { font-size: .9em; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--quiet); }
@media print { body { padding: 0; max-width: none; font-size: 12px; } h2 { break-after: avoid; } svg, tr { break-inside: avoid; } }
"""

# The plot, in its own units: two panels over one time axis.
WIDTH, LEFT, RIGHT = 960, 60, 12
MARK_DISTANCE = 14
RATE_TOP, RATE_HEIGHT = 46, 110
LATENCY_TOP, LATENCY_HEIGHT = 196, 190
HEIGHT = 420
TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200)  # seconds between marks of the time axis
MOST_TICKS = 14


def page(document: dict, failed: list[list]) -> str:
    """Return the page. failed: rows of (seconds after the deletion, ms, what went wrong)."""
    plan, totals = document["plan"], document["summary"]
    where = escape(f"{document['namespace']}/{document['name']}")
    deleted = escape(document["deleted"] or "not at all")
    parts = [
        f'<h1>Head failure check of {where} <span class="verdict {document["verdict"]}">{document["verdict"]}</span></h1>',
        (
            f'<p class="quiet">{plan["rate"]:g} requests a second to <code>{escape(document["target"])}</code>. '
            f"Head deleted ({escape(plan['method'])}): {deleted}. "
            f"Fault tolerance {'on' if document['fault_tolerance'] else 'off'}.</p>"
        ),
        _reasons(document["reasons"]),
        _figures(document),
        "<h2>Timeline</h2>",
        plot(document["per_second"], totals["transitions"]),
        "<h2>What users saw</h2>",
        _phases(totals),
        "<h2>Transitions</h2>",
        _table(
            ("#|n", "s after the deletion|n", "what"),
            (
                [str(number), seconds(entry["seconds"]), entry["label"]]
                for number, entry in enumerate(totals["transitions"], 1)
            ),
        ),
    ]
    if failed:
        title = f"Failed requests ({totals['failed']}" + (
            f", first {len(failed)})" if totals["failed"] > len(failed) else ")"
        )
        rows = ([seconds(due), milliseconds(latency), problem] for due, latency, problem in failed)
        parts += [f"<h2>{title}</h2>", _table(("due, s|n", "given up after, ms|n", "why"), rows)]
    if document["notes"]:
        rows = ([seconds(note["seconds"]), note["text"]] for note in document["notes"])
        parts += ["<h2>Notes</h2>", _table(("s|n", "what"), rows)]
    parts += ["<h2>Pods and replicas</h2>", _state(document), "<h2>Measurement</h2>", _measurement(document)]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Head failure check of {where}: {document['verdict']}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _reasons(reasons: list[str]) -> str:
    if not reasons:
        return ""
    return "<h2>Why it failed</h2><ul>" + "".join(f"<li>{escape(reason)}</li>" for reason in reasons) + "</ul>"


def _figures(document: dict) -> str:
    totals = document["summary"]
    recovery = totals["recovery_seconds"]
    figures = (
        (str(totals["requests"]), "requests"),
        (str(totals["failed"]), "failed"),
        (f"{milliseconds(totals['failure']['latency_ms']['p99'])} ms", "99 % answered within, from the deletion on"),
        (f"{milliseconds(totals['failure']['latency_ms']['max'])} ms", "slowest answer"),
        ("never" if recovery is None else f"{recovery:.1f} s", "until all was back"),
    )
    cells = "".join(f'<div class="figure"><b>{escape(value)}</b>{escape(label)}</div>' for value, label in figures)
    return f'<div class="figures">{cells}</div>'


def _phases(totals: dict) -> str:
    rows = []
    for phase, label in (("baseline", "before"), ("failure", "from the deletion on")):
        part = totals[phase]
        latency = [milliseconds(part["latency_ms"][key]) for key in ("p50", "p99", "max")]
        connect = [milliseconds(part["connect_ms"][key]) for key in ("p50", "p99", "max")]
        rows.append([label, str(part["requests"]), str(part["failed"]), *latency, " / ".join(connect)])
    return _table(
        ("phase", "requests|n", "failed|n", "p50 ms|n", "p99 ms|n", "max ms|n", "connecting, p50 / p99 / max ms|n"),
        rows,
    )


def _state(document: dict) -> str:
    rows = []
    for moment in ("before", "after"):
        snapshot = document[moment] or {"heads": (), "workers": (), "serve": None}
        for pod in (*snapshot["heads"], *snapshot["workers"]):
            restarts = ", ".join(f"{name} {count}" for name, count in pod["restarts"].items())
            rows.append([moment, pod["role"], pod["name"], pod["uid"], pod["node"], restarts])
        for replica in (snapshot["serve"] or {}).get("replicas", ()):
            name = f"{replica['deployment']}#{replica['replica_id']}"
            rows.append([moment, "replica", name, replica["actor_id"], f"pid {replica['pid']}", replica["state"]])
    return _table(("when", "what", "name", "UID, or actor", "node", "restarts, or state"), rows)


def _measurement(document: dict) -> str:
    totals = document["summary"]
    late = totals["lateness_ms"]
    texts = (
        (
            "Open loop: each request goes out at its time, whatever became of the earlier ones, on a new connection; "
            "its latency counts from when it was due."
        ),
        (
            f"The load generator started its requests late by {milliseconds(late['p99'])} ms (99th percentile), "
            f"{milliseconds(late['max'])} ms at most."
        ),
        f"Requests of unknown outcome: {totals['unknown']}.",
        f"Clocks: {document['clock']['note']}.",
        f"From {document['started']} to {document['ended']}.",
    )
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; a head that ends in C(|n) makes its column one of numbers."""
    columns = [(head.removesuffix("|n"), ' class="n"' if head.endswith("|n") else "") for head in heads]
    top = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(value)}</td>" for value, (_name, kind) in zip(row, columns, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def plot(per_second: list[dict], transitions: list[dict]) -> str:
    """The inline SVG: requests and failures by second above, latency (p50 and max, logarithmic) below."""
    if not per_second:
        return '<p class="quiet">There is no sample to draw.</p>'
    first, last = per_second[0]["second"], per_second[-1]["second"] + 1
    scale = (WIDTH - LEFT - RIGHT) / (last - first)

    def x(second: float) -> float:
        return LEFT + (second - first) * scale

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Requests and latency over time">',
        *_time_axis(first, last, x),
        *_rate_panel(per_second, scale, x),
        *_latency_panel(per_second, x),
        *_marks(transitions, first, last, x),
        "</svg>",
    ]
    return "\n".join(parts)


def _time_axis(first: int, last: int, x: Callable[[float], float]) -> list[str]:
    step = next((tick for tick in TICKS if (last - first) / tick <= MOST_TICKS), TICKS[-1])
    bottom = LATENCY_TOP + LATENCY_HEIGHT
    parts = []
    for second in range(math.ceil(first / step) * step, last + 1, step):
        parts.append(
            f'<line x1="{x(second):.1f}" y1="{RATE_TOP}" x2="{x(second):.1f}" y2="{bottom}" stroke="#f0f2f5"/>'
        )
        parts.append(f'<text x="{x(second):.1f}" y="{bottom + 16}" text-anchor="middle">{second}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{bottom + 30}" text-anchor="end">seconds after the deletion</text>')
    return parts


def _rate_panel(per_second: list[dict], scale: float, x: Callable[[float], float]) -> list[str]:
    most = max(entry["requests"] for entry in per_second)
    base = RATE_TOP + RATE_HEIGHT
    width = max(0.6, scale * 0.86)
    parts = [
        f'<text x="{LEFT - 6}" y="{RATE_TOP + 8}" text-anchor="end">{most}</text>',
        f'<text x="{LEFT - 6}" y="{base}" text-anchor="end">0</text>',
        (
            f'<text x="{LEFT}" y="{base + 14}">requests due in each second: <tspan fill="#5d7fa8">answered</tspan>, '
            '<tspan fill="#c0362c">failed</tspan></text>'
        ),
    ]
    for entry in per_second:
        tall = RATE_HEIGHT * entry["requests"] / most
        left = x(entry["second"])
        parts.append(
            f'<rect x="{left:.1f}" y="{base - tall:.1f}" width="{width:.1f}" height="{tall:.1f}" fill="#9db8d9"/>'
        )
        if entry["failed"]:
            bad = max(2.0, RATE_HEIGHT * entry["failed"] / most)
            parts.append(
                f'<rect x="{left:.1f}" y="{base - bad:.1f}" width="{width:.1f}" height="{bad:.1f}" fill="#c0362c"/>'
            )
    return parts


def _latency_panel(per_second: list[dict], x: Callable[[float], float]) -> list[str]:
    values = [entry[key] for entry in per_second for key in ("p50", "max") if entry[key]]
    low = math.floor(math.log10(max(0.1, min(values, default=1.0))))
    high = max(low + 1, math.ceil(math.log10(max(values, default=10.0))))
    base = LATENCY_TOP + LATENCY_HEIGHT

    def y(value: float) -> float:
        return base - LATENCY_HEIGHT * (math.log10(max(value, 10.0**low)) - low) / (high - low)

    parts = []
    for power in range(low, high + 1):
        level = y(10.0**power)
        label = f"{10.0**power:g} ms" if power < 3 else f"{10.0 ** (power - 3):g} s"
        parts.append(f'<line x1="{LEFT}" y1="{level:.1f}" x2="{WIDTH - RIGHT}" y2="{level:.1f}" stroke="#dfe4ea"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{label}</text>')
    for key, colour, width in (("max", "#b5651d", 1.2), ("p50", "#1f5f99", 1.8)):
        points = " ".join(
            f"{x(entry['second'] + 0.5):.1f},{y(entry[key]):.1f}" for entry in per_second if entry[key] is not None
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
    parts.append(
        f'<text x="{LEFT}" y="{base + 30}">latency in each second, failed requests included: <tspan fill="#1f5f99">half</tspan>, '
        '<tspan fill="#b5651d">slowest</tspan></text>'
    )
    return parts


def _marks(transitions: list[dict], first: int, last: int, x: Callable[[float], float]) -> list[str]:
    """A numbered line for each transition; the numbers are those of the table, set apart where the lines are close."""
    parts, label = [], -math.inf
    for number, entry in enumerate(transitions, 1):
        if not first <= entry["seconds"] <= last:
            continue
        at = x(entry["seconds"])
        label = max(at, label + MARK_DISTANCE)
        points = f"{label:.1f},16 {at:.1f},{RATE_TOP - 6} {at:.1f},{LATENCY_TOP + LATENCY_HEIGHT}"
        parts.append(
            f"<g><title>{escape(entry['label'])}, {seconds(entry['seconds'])} s</title>"
            f'<polyline points="{points}" fill="none" stroke="#1f2933" stroke-opacity=".45" stroke-dasharray="3 3"/>'
            f'<text x="{label:.1f}" y="12" text-anchor="middle" style="fill:#1f2933;font-weight:600">{number}</text></g>'
        )
    return parts
