# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plots of a report, as inline SVG. Pure.

An SVG here is as wide as its page and some pixels high: what is drawn is stretched to the width, while texts, placed in
per cent of it, keep their size. So the same page does on a phone, on a screen and on paper. The classes are those of style.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import seconds

WIDE = 1000  # what is stretched is this wide
TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)  # seconds between marks of a time axis
MOST_TICKS, MOST_ON_PHONE = 14, 6
MOST_BARS = 240  # in the timeline; beyond, several seconds share one
LABEL_HEIGHT = 15
RATE_HEIGHT, BETWEEN, LATENCY_HEIGHT, AXIS_HEIGHT = 90, 30, 180, 34
SPREAD_HEIGHT = 190
RARITIES = ((0, "0 %"), (1, "90 %"), (2, "99 %"), (3, "99.9 %"), (4, "99.99 %"), (5, "99.999 %"))
COLOURS = 9  # of style.py

Scale = Callable[[float], float]


def timeline(document: dict) -> str:
    """Requests by second above, latency below (median and slowest, logarithmic), what happened as labelled lines."""
    if not document["per_second"]:
        return '<p class="quiet">There is no sample to draw.</p>'
    width, columns = columns_of(document["per_second"], document["outliers"])
    first, last = columns[0]["second"], columns[-1]["second"] + width
    x = scale(first, last)
    rounds = document["rounds"]
    marks, single = _marks(rounds), len(rounds) == 1
    spans = [(one["second"], one["second"] + back) for one in rounds if (back := back_after(one)) is not None]
    rate_top = LABEL_HEIGHT * (1 + max((row for _at, _label, row in marks), default=0)) + 24
    latency_top = rate_top + RATE_HEIGHT + BETWEEN
    bottom = latency_top + LATENCY_HEIGHT
    time_axis = time_lines_and_labels(first, last, x, rate_top, bottom, "after the failure")
    y, latency_axis = _latency_axis(
        [column[key] for column in columns for key in ("p50", "max") if column[key]], latency_top, LATENCY_HEIGHT
    )
    most = max(column["requests"] for column in columns)
    drawn = [
        *(
            f'<rect class="span" x="{x(begin):.1f}" y="{rate_top}" width="{x(end) - x(begin):.1f}" height="{bottom - rate_top}"/>'
            for begin, end in spans
        ),
        *time_axis[0],
        *latency_axis[0],
        *_rate(columns, width, x, rate_top + RATE_HEIGHT, RATE_HEIGHT / most),
        *_latency(columns, width, x, y),
        *dots(document["outliers"], lambda row: x(row["second"]), lambda row: y(row["latency_ms"])),
    ]
    texts = [
        *time_axis[1],
        *latency_axis[1],
        text(0, rate_top - 6, "requests a second", "start label"),
        text(0, rate_top + 8, f"{most / width:.3g}", "axis"),
        text(0, rate_top + RATE_HEIGHT, "0", "axis"),
        text(0, latency_top - 6, "latency, failed requests included", "start label"),
    ]
    for at, label, row in marks:
        if first <= at <= last:
            top = LABEL_HEIGHT * (row + 1)
            drawn.append(f'<path class="mark" d="M{x(at):.1f} {top - 8 if single else top + 3}V{bottom}"/>')
            beside = f"{seconds(at)} s" if at else ""
            texts.append(_beside(x(at), top, label, beside) if single else text(x(at), top, label, "middle label"))
    legend = [("load", "answered"), ("slow", "slow"), ("failed", "failed"), ("half", "median"), ("most", "slowest")]
    if width > 1:
        legend.append(("", f"Each bar and each point: {width} s (the median: that of the medians of its seconds)."))
    return figure("Requests and latency over time", bottom + AXIS_HEIGHT, drawn, texts, legend)


def columns_of(per_second: Sequence[dict], outliers: Sequence[dict]) -> tuple[int, list[dict]]:
    """(seconds of a bar, [{second, requests, failed, slow, p50, max}] by its first second)."""
    span = per_second[-1]["second"] - per_second[0]["second"] + 1
    width = next((tick for tick in TICKS if span / tick <= MOST_BARS), TICKS[-1])
    grouped: dict[int, list[dict]] = {}
    for row in per_second:
        grouped.setdefault(row["second"] // width * width, []).append(row)
    slow: dict[int, int] = {}
    for row in outliers:
        if not row["error"]:
            second = int(row["second"] // width) * width
            slow[second] = slow.get(second, 0) + 1
    columns = [
        {
            "second": second,
            **{key: sum(row[key] for row in rows) for key in ("requests", "failed")},
            "slow": slow.get(second, 0),
            "p50": sorted(row["p50"] for row in rows)[len(rows) // 2],
            "max": max(row["max"] for row in rows),
        }
        for second, rows in sorted(grouped.items())
    ]
    return width, columns


def scale(first: float, last: float) -> Scale:
    return lambda value: WIDE * (value - first) / (last - first)


def text(at: float, y: float, words: str, kind: str = "middle") -> str:
    """at: across, of WIDE. kind: a class that says where it is anchored."""
    return f'<text class="{kind}" x="{at / WIDE:.2%}" y="{y:.1f}">{escape(words)}</text>'


def figure(
    title: str, height: float, drawn: Iterable[str], texts: Iterable[str], legend: Iterable[tuple[str, str]]
) -> str:
    """drawn: what is stretched. legend: (class, "" for a remark; words)."""
    keys = "".join(
        f'<span><i class="{kind}"></i>{escape(words)}</span>' if kind else f"<span>{escape(words)}</span>"
        for kind, words in legend
    )
    return (
        f'<figure><svg width="100%" height="{height:g}" role="img" aria-label="{title}">'
        f'<svg width="100%" height="{height:g}" viewBox="0 0 {WIDE} {height:g}" preserveAspectRatio="none">'
        + "".join(drawn)
        + "</svg>"
        + "".join(texts)
        + f"</svg><figcaption>{keys}</figcaption></figure>"
    )


def time_lines_and_labels(
    first: float, last: float, x: Scale, top: float, bottom: float, words: str
) -> tuple[list[str], list[str]]:
    ticks = time_ticks(first, last)
    lines = [f'<path class="faint" d="M{x(second):.1f} {top}V{bottom}"/>' for second, _label, _minor in ticks]
    labels = [
        text(x(second), bottom + 16, label, "middle minor" if minor else "middle") for second, label, minor in ticks
    ]
    return lines, [*labels, text(WIDE, bottom + 31, words, "end")]


def time_ticks(first: float, last: float) -> list[tuple[int, str, bool]]:
    """(second, C(-5 s) or C(2 min), whether a phone has no room for it)."""
    step = next((tick for tick in TICKS if (last - first) / tick <= MOST_TICKS), TICKS[-1])
    unit, name = (60, "min") if step % 60 == 0 else (1, "s")
    every = math.ceil((last - first) / step / MOST_ON_PHONE)
    numbers = range(math.ceil(first / step), math.floor(last / step) + 1)
    return [
        (number * step, f"{number * step // unit} {name}" if number else "0", number % every > 0) for number in numbers
    ]


def _marks(rounds: list[dict]) -> list[tuple[float, str, int]]:
    """[(second, label, row of the label)].

    Of one failure each transition has a row of its own, so that no label meets another. Of several the numbers stand in
    two rows in turn; what happened in each is drawn by lanes.
    """
    if len(rounds) != 1:
        return [(one["second"], str(one["number"]), one["number"] % 2) for one in rounds]
    seen = [(entry["seconds"], entry["label"]) for entry in rounds[0]["transitions"]]
    if (back := back_after(rounds[0])) is not None:
        seen.append((back, "All is back"))
    return [(at, label, row) for row, (at, label) in enumerate(sorted(seen, key=lambda entry: entry[0]))]


def back_after(one: dict) -> float | None:
    """Seconds from a round's failure until all was back; None if it never was."""
    if one["recovery_seconds"] is None:
        return None
    return one["recovery_seconds"] + (one["undone_seconds"] or 0.0)


def _beside(at: float, y: float, label: str, after: str) -> str:
    """A label beside its line, on the side on which a phone too has room for it; without the time there."""
    kind, shift = ("start", 4) if at < 0.42 * WIDE else ("end", -4)
    return (
        f'<text class="{kind} label" x="{at / WIDE:.2%}" dx="{shift}" y="{y:.1f}">'
        f'{escape(label)}<tspan class="minor"> {after}</tspan></text>'
    )


def _rate(columns: list[dict], width: int, x: Scale, base: float, each: float) -> list[str]:
    """Failed requests at the foot of a bar, slow ones on them; neither is ever too small to be seen."""
    paths: dict[str, list[str]] = {"load": [], "failed": [], "slow": []}
    wide = 0.88 * (x(width) - x(0))
    for column in columns:
        left, foot = x(column["second"]), base
        paths["load"].append(f"M{left:.1f} {base}v{-each * column['requests']:.1f}h{wide:.2f}V{base}z")
        for kind in ("failed", "slow"):
            if column[kind]:
                tall = max(2.5, each * column[kind])
                paths[kind].append(f"M{left:.1f} {foot:.1f}v{-tall:.1f}h{wide:.2f}v{tall:.1f}z")
                foot -= tall
    return [f'<path class="bar {kind}" d="{"".join(steps)}"/>' for kind, steps in paths.items() if steps]


def _latency(columns: list[dict], width: int, x: Scale, y: Scale) -> list[str]:
    """Two lines, each broken where a time has no request."""
    lines = []
    for key, kind in (("max", "most"), ("p50", "half")):
        points, expected = [], None
        for column in columns:
            step = "L" if column["second"] == expected else "M"
            points.append(f"{step}{x(column['second'] + width / 2):.1f} {y(column[key]):.1f}")
            expected = column["second"] + width
        lines.append(f'<path class="line {kind}" d="{"".join(points)}"/>')
    return lines


def dots(outliers: Iterable[dict], x: Callable[[dict], float], y: Callable[[dict], float]) -> list[str]:
    """A dot for every slow and every failed request; those at the same place are one."""
    places: dict[str, dict[str, None]] = {"slow": {}, "failed": {}}
    for row in outliers:
        places["failed" if row["error"] else "slow"][f"M{x(row):.0f} {y(row):.0f}h0"] = None
    return [
        f'<path class="dot {kind}" d="{"".join(found)}"/>'
        for colour, found in places.items()
        if found
        for kind in ("halo", colour)
    ]


def _latency_axis(values: Iterable[float], top: float, height: float) -> tuple[Scale, tuple[list[str], list[str]]]:
    """A logarithmic axis for C(values), in ms: (ms to y, (its lines, its labels))."""
    values = list(values)
    low = math.floor(math.log10(max(0.1, min(values, default=1.0))))
    high = max(low + 1, math.ceil(math.log10(max(values, default=10.0))))
    base = top + height

    def y(value: float) -> float:
        return base - height * (math.log10(max(value, 10.0**low)) - low) / (high - low)

    # Of few powers of ten the steps between are named as well.
    within = (1, 2, 5) if high - low <= 3 else (1,)
    levels = [10.0**power * step for power in range(low, high) for step in within] + [10.0**high]
    lines = [f'<path class="faint" d="M0 {y(level):.1f}H{WIDE}"/>' for level in levels]
    labels = [
        text(0, y(level) + 4, f"{level:g} ms" if level < 1000 else f"{level / 1000:g} s", "axis") for level in levels
    ]
    return y, (lines, labels)


def distribution(lines: list[tuple[str, list[list]]]) -> str:
    """How long all but the slowest 10 %, 1 %, 0.1 % … took. lines: (name, histogram of ms), before and after in turn."""
    curves = [(number, name, list(_curve(rows))) for number, (name, rows) in enumerate(lines) if rows]
    if not curves:
        return '<p class="quiet">There is nothing to draw.</p>'
    top = 10
    y, (drawn, texts) = _latency_axis(
        (value for _number, _name, curve in curves for _rarity, value in curve if value), top, SPREAD_HEIGHT
    )
    rarest = max(1.0, *(rarity for _number, _name, curve in curves for rarity, _value in curve))
    x, base, legend = scale(0, rarest), top + SPREAD_HEIGHT, []
    for rarity, label in RARITIES:
        if rarity <= rarest:
            drawn.append(f'<path class="faint" d="M{x(rarity):.1f} {top}V{base}"/>')
            texts.append(text(x(rarity), base + 16, label))
    for number, name, curve in curves:
        kind = f"c{number // 2 % COLOURS}" + ("" if number % 2 else " dashed")
        points = "L".join(f"{x(rarity):.1f} {y(value):.1f}" for rarity, value in curve)
        drawn.append(f'<path class="line {kind}" d="M{points}"/>')
        legend.append((f"{kind} thin", name))
    texts.append(text(WIDE, base + 31, "share of the requests", "end"))
    return figure("Latency by share of requests", base + AXIS_HEIGHT, drawn, texts, legend)


def _curve(rows: list[list]) -> Iterable[tuple[float, float]]:
    """(how rare, ms) of each bucket: 1 for what one of ten requests reaches, 2 for one of a hundred."""
    total, passed = sum(count for _least, count in rows), 0
    yield 0.0, rows[0][0]
    for least, count in rows:
        passed += count
        # The slowest of n stands in the middle of the last n-th part.
        yield -math.log10(1 - (passed - 0.5) / total), least
