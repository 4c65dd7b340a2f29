# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plots of a report, as inline SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from html import escape

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import seconds

# The timeline, in its own units: two panels over one time axis.
WIDTH, LEFT, RIGHT = 960, 60, 12
MARK_DISTANCE = 14
RATE_TOP, RATE_HEIGHT = 46, 110
LATENCY_TOP, LATENCY_HEIGHT = 196, 190
HEIGHT = 420
TICKS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200)  # seconds between marks of the time axis
MOST_TICKS = 14
# The distribution: latency over how rare it is, a power of ten for each nine.
SPREAD_TOP, SPREAD_HEIGHT = 10, 190
LINE_COLOURS = ("#1f5f99", "#b5651d", "#1a7f4b", "#7a4ea3", "#c0362c", "#66727f")
RARITIES = ((0, "0 %"), (1, "90 %"), (2, "99 %"), (3, "99.9 %"), (4, "99.99 %"), (5, "99.999 %"))


def timeline(per_second: list[dict], transitions: list[dict]) -> str:
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
    y, parts = _latency_axis(values, LATENCY_TOP, LATENCY_HEIGHT)
    for key, colour, width in (("max", "#b5651d", 1.2), ("p50", "#1f5f99", 1.8)):
        points = " ".join(
            f"{x(entry['second'] + 0.5):.1f},{y(entry[key]):.1f}" for entry in per_second if entry[key] is not None
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
    parts.append(
        f'<text x="{LEFT}" y="{LATENCY_TOP + LATENCY_HEIGHT + 30}">latency in each second, failed requests included: '
        '<tspan fill="#1f5f99">half</tspan>, <tspan fill="#b5651d">slowest</tspan></text>'
    )
    return parts


def _latency_axis(values: Iterable[float], top: int, height: int) -> tuple[Callable[[float], float], list[str]]:
    """A logarithmic axis for C(values), in ms: (ms to y, its lines and labels)."""
    values = list(values)
    low = math.floor(math.log10(max(0.1, min(values, default=1.0))))
    high = max(low + 1, math.ceil(math.log10(max(values, default=10.0))))
    base = top + height

    def y(value: float) -> float:
        return base - height * (math.log10(max(value, 10.0**low)) - low) / (high - low)

    parts = []
    for power in range(low, high + 1):
        level = y(10.0**power)
        label = f"{10.0**power:g} ms" if power < 3 else f"{10.0 ** (power - 3):g} s"
        parts.append(f'<line x1="{LEFT}" y1="{level:.1f}" x2="{WIDTH - RIGHT}" y2="{level:.1f}" stroke="#dfe4ea"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{level + 4:.1f}" text-anchor="end">{label}</text>')
    return y, parts


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


def distribution(lines: list[tuple[str, list[list]]]) -> str:
    """The inline SVG: how long all but the slowest 10 %, 1 %, 0.1 % … took. lines: (name, histogram of ms)."""
    lines = [(name, rows) for name, rows in lines if rows]
    if not lines:
        return '<p class="quiet">There is nothing to draw.</p>'
    curves = [(name, list(_curve(rows))) for name, rows in lines]
    y, parts = _latency_axis(
        (value for _name, curve in curves for _rarity, value in curve if value), SPREAD_TOP, SPREAD_HEIGHT
    )
    rarest = max(rarity for _name, curve in curves for rarity, _value in curve)
    scale = (WIDTH - LEFT - RIGHT) / max(1.0, rarest)
    base = SPREAD_TOP + SPREAD_HEIGHT
    for rarity, label in RARITIES:
        if rarity <= max(1.0, rarest):
            at = LEFT + rarity * scale
            parts.append(f'<line x1="{at:.1f}" y1="{SPREAD_TOP}" x2="{at:.1f}" y2="{base}" stroke="#f0f2f5"/>')
            parts.append(f'<text x="{at:.1f}" y="{base + 16}" text-anchor="middle">{label}</text>')
    for number, (name, curve) in enumerate(curves):
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        points = " ".join(f"{LEFT + rarity * scale:.1f},{y(value):.1f}" for rarity, value in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        at = base + 36 + 16 * number
        parts.append(f'<text x="{LEFT}" y="{at}" style="fill:{colour}">{escape(name)}</text>')
    tall = base + 36 + 16 * len(curves)
    label = "Latency by share of requests"
    return "\n".join([f'<svg viewBox="0 0 {WIDTH} {tall}" role="img" aria-label="{label}">', *parts, "</svg>"])


def _curve(rows: list[list]) -> Iterable[tuple[float, float]]:
    """(how rare, ms) of each bucket: 1 for what one of ten requests reaches, 2 for one of a hundred."""
    total, passed = sum(count for _least, count in rows), 0
    yield 0.0, rows[0][0]
    for least, count in rows:
        passed += count
        # The slowest of n stands in the middle of the last n-th part.
        yield -math.log10(1 - (passed - 0.5) / total), least
