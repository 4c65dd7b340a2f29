# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one HTML page: for a screen, a phone and paper, its plots inline SVG, nothing loaded from anywhere. Pure."""

from __future__ import annotations

from html import escape

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import lanes, plot, promise, tables
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.document import PHASES
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.style import STYLE
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import milliseconds

MARKS = {"kept": "✓ ", "broken": "✗ "}  # of outcomes
LONG_WORDS = {"long": 24, "mid": 14}  # letters; such a one may be broken anywhere, on a phone only if it is mid
SHORT = 9  # letters of a value that needs half a line of a card only
MOST_COLUMNS = 3  # of a table that stays one on a phone; of a wider one each line becomes a card


def page(document: dict) -> str:
    """Return the report of one check."""
    service = f"{document['namespace']}/{document['name']}"
    parts = [
        (
            f'<div class="verdict {document["verdict"]}"><h1><b>{document["verdict"]}:</b> '
            f"{escape(promise.sentence(document))}</h1>"
            f'<p class="quiet">Head failure check of RayService {escape(service)}, {tables.moment(document["started"])}, '
            f"{document['duration_seconds']:.0f} s under load.</p></div>"
        ),
        _figures(document),
    ]
    if document["reasons"]:
        parts += ["<h2>Why it failed</h2>", sentences(document["reasons"])]
    parts += ["<h2>Timeline</h2>", plot.timeline(document)]
    if len(document["rounds"]) > 1:
        parts += [f"<h2>{lanes.TITLE}</h2>", lanes.lanes(document)]
    parts += [
        *(table(of(document)) for of in (promise.criteria, tables.worst, tables.tested)),
        folded(tables.settings(document)),
        *(table(of(document)) for of in (tables.users, tables.streams, tables.rounds, tables.transitions)),
        "<h2>Latency by share of requests</h2>",
        plot.distribution(curves(document)),
        *(table(of(document)) for of in (tables.connections, tables.notes, tables.pods)),
        "<h2>Measurement</h2>",
        sentences([*tables.measurement(document), f"From {document['started']} to {document['ended']}."]),
    ]
    return frame(f"{promise.upper(document['verdict'])}: head failure check of {escape(service)}", parts)


def frame(title: str, parts: list[str]) -> str:
    """A whole page. title and parts are HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def table(content: tables.Table) -> str:
    """A headline and its table; nothing of a table without rows."""
    return f"<h2>{escape(content.title)}</h2>{_lines(content)}" if content.rows else ""


def folded(content: tables.Table) -> str:
    """The same, for those who ask for it."""
    return f"<details><summary>{escape(content.title)}</summary>{_lines(content)}</details>" if content.rows else ""


def _lines(content: tables.Table) -> str:
    cards = len(content.heads) > MOST_COLUMNS
    top = "".join(f"<th{_class(kind)}>{escape(name)}</th>" for name, kind in content.columns)
    body = "".join(
        "<tr>"
        + "".join(
            _cell(value, kind, name if cards else "") for value, (name, kind) in zip(row, content.columns, strict=True)
        )
        + "</tr>"
        for row in content.rows
    )
    kind = "cards" if cards else "facts" if len(content.heads) == 2 else ""
    return f"<table{_class(kind)}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: str, kind: str, name: str) -> str:
    """name: of the column, for where a line is a card; "" where it never is."""
    kinds = [f"outcome {value.replace(' ', '-')}" if kind == "o" else kind]
    shown = f"{MARKS.get(value, '')}{value}" if kind == "o" else value
    letters = max(map(len, value.split()), default=0)
    kinds += [kind for kind, most in LONG_WORDS.items() if letters > most][:1]
    if value in ("", tables.NOTHING):
        kinds.append("nothing")
    elif name and len(value) > SHORT:
        kinds.append("row")
    label = f' data-head="{escape(name)}"' if name else ""
    return f"<td{_class(' '.join(filter(None, kinds)))}{label}>{escape(shown)}</td>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def sentences(texts: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def curves(document: dict, prefix: str = "") -> list[tuple[str, list[list]]]:
    """The lines of the distribution: of each entry before and after the failure."""
    return [
        (
            f"{prefix}{entry['name']}, {label}",
            document["histograms"][phase].get(entry["name"], {}).get("latency_ms", []),
        )
        for entry in document["plan"]["load"]
        for phase, label in PHASES.items()
    ]


def _figures(document: dict) -> str:
    """What a reader wants first, in big: (value, what it is, whether it is bad)."""
    totals, each = document["summary"], [one["recovery_seconds"] for one in document["rounds"]]
    broken = [entry["name"] for entry in document["criteria"] if entry["outcome"] == "failed"]
    never = not each or None in each
    starved = f" ({totals['slow_starved']:,} without a free processor)" if totals["slow_starved"] else ""
    most = ", at most" if len(each) > 1 and not never else ""
    figures = (
        (f"{totals['requests']:,}", "requests", False),
        (f"{totals['failed']:,}", "failed", "requests" in broken),
        (f"{totals['slow']:,}", f"slow: 250 ms over the slowest before{starved}", "slow" in broken),
        (*_grown(document, "p99", "99 % of {} within this", "99 % of the gaps of {} within this"), False),
        (*_grown(document, "max", "slowest of {}", "longest gap of {}"), False),
        ("never" if never else f"{max(each):.1f} s", f"until all was back{most}", "recovery" in broken),
    )
    cells = "".join(
        f'<div class="figure{" off" if bad else ""}"><b>{escape(value)}</b>{escape(label)}</div>'
        for value, label, bad in figures
    )
    return f'<div class="figures">{cells}</div>'


def _grown(document: dict, quantile: str, of_requests: str, of_streams: str) -> tuple[str, str]:
    """(value after the failure, words) of the load of which it has grown most; of streams their longest gaps count."""
    found = []
    for entry in document["plan"]["load"]:
        kind, words = ("gap_ms", of_streams) if entry["stream"] else ("latency_ms", of_requests)
        before, after = (document["summary"][phase]["load"][entry["name"]][kind][quantile] for phase in PHASES)
        if before and after:
            label = f"{words.format(entry['name'])} (before: {_took(before)})"
            found.append((after / before, _took(after), label))
    _growth, value, label = max(found, default=(0.0, tables.NOTHING, of_requests.format("requests")))
    return value, label


def _took(value: float) -> str:
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{milliseconds(value)} ms"
