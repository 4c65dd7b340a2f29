# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several failures below each other, as inline SVG: how each came back, step by step. Pure."""

from __future__ import annotations

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.plot import (
    AXIS_HEIGHT,
    COLOURS,
    back_after,
    dots,
    figure,
    scale,
    text,
    time_lines_and_labels,
)

TITLE = "Every failure, step by step"
LANE, THICK, TOP = 20, 12, 6


def lanes(document: dict) -> str:
    """A lane for each round, from its failure on: coloured by what was awaited, with its failed and slow requests."""
    rounds = document["rounds"]
    # The room at the right is for the seconds behind a lane, on a phone too.
    last = max(_extent(one) for one in rounds) * 1.2 or 1.0
    x, bottom = scale(0, last), TOP + LANE * len(rounds)
    stages = [_stages(one) for one in rounds]
    labels = list(dict.fromkeys(label for one in stages for label, _begin, _end in one))
    drawn, texts = time_lines_and_labels(0, last, x, TOP, bottom, "after the failure of the round")
    for one, parts in zip(rounds, stages, strict=True):
        middle = TOP + LANE * (one["number"] - 0.5)
        for label, begin, end in parts:
            box = f"M{x(begin):.1f} {middle - THICK / 2:g}H{x(end):.1f}v{THICK}H{x(begin):.1f}z"
            drawn.append(f'<path class="stage {_colour(labels, label)}" d="{box}"/>')
        back = back_after(one)
        texts.append(text(0, middle + 4, str(one["number"]), "axis"))
        texts.append(text(x(_extent(one)), middle + 4, "not back" if back is None else f"{back:.1f} s", "beside"))
    within = [
        (row["second"] - one["second"], row)
        for row in document["outliers"]
        for one in rounds[max(0, row["round"] - 1) : row["round"]]
    ]
    drawn += dots(
        ({**row, "second": second} for second, row in within if 0 <= second <= last),
        lambda row: x(row["second"]),
        lambda row: TOP + LANE * (row["round"] - 0.5),
    )
    legend = [(_colour(labels, label), f"until: {label}") for label in labels]
    legend += [("slow", "slow request"), ("failed", "failed request")]
    return figure(TITLE, bottom + AXIS_HEIGHT, drawn, texts, legend)


def _stages(one: dict) -> list[tuple[str, float, float]]:
    """[(what was awaited, from when, until when)]; what took no time is no stage."""
    found, begin = [], 0.0
    for entry in one["transitions"]:
        if entry["seconds"] > begin:
            found.append((entry["label"], begin, entry["seconds"]))
            begin = entry["seconds"]
    if (back := back_after(one)) is not None and back > begin:
        found.append(("All is back", begin, back))
    return found


def _colour(labels: list[str], label: str) -> str:
    return f"c{labels.index(label) % COLOURS}"


def _extent(one: dict) -> float:
    """Where a lane ends: with the last that was seen of the recovery."""
    return max([back_after(one) or 0.0, *(entry["seconds"] for entry in one["transitions"])])
