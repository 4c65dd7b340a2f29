# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done with a cache parameter group. Pure.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import difflib
import typing as t

#: ModifyCacheParameterGroup and ResetCacheParameterGroup take no more at once.
BATCH = 20


def as_text(value: t.Any) -> str:
    """A value as ElastiCache writes it. YAML has already made a boolean of yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def desired_parameters(parameters: dict[str, t.Any] | None) -> dict[str, str] | None:
    """Name -> value as text; None if no parameters were given, and so none are to be looked at."""
    if parameters is None:
        return None
    return {name: as_text(value) for name, value in parameters.items() if value is not None}


def user_values(parameters: list[dict[str, t.Any]]) -> dict[str, str]:
    """What differs from the family's defaults by somebody's doing."""
    return {
        entry["ParameterName"]: entry.get("ParameterValue", "") for entry in parameters if entry.get("Source") == "user"
    }


def changed_parameters(
    parameters: list[dict[str, t.Any]], wanted: dict[str, str] | None, purge: bool
) -> tuple[dict[str, str], list[str]]:
    """Values to set, and names to reset to the family's default."""
    if wanted is None:
        return {}, []
    current = {entry["ParameterName"]: entry.get("ParameterValue", "") for entry in parameters}
    to_set = {name: value for name, value in wanted.items() if current.get(name) != value}
    to_reset = sorted(user_values(parameters).keys() - wanted.keys()) if purge else []
    return to_set, to_reset


def refusals(parameters: list[dict[str, t.Any]], to_set: dict[str, str], family: str) -> list[str]:
    """Why AWS would not take C(to_set), each naming the parameter."""
    known = {entry["ParameterName"]: entry for entry in parameters}
    texts = []
    for name in sorted(to_set):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            texts.append(f"family {family} has no parameter {name}" + (f" (is {near[0]} meant?)" if near else ""))
        elif not known[name].get("IsModifiable", True):
            value = known[name].get("ParameterValue", "")
            texts.append(f"parameter {name} cannot be changed, it is {value!r} in family {family}")
    return texts


def allowed(parameters: list[dict[str, t.Any]], names: t.Iterable[str]) -> str:
    """For a message: what AWS allows for these."""
    known = {entry["ParameterName"]: entry.get("AllowedValues", "") for entry in parameters}
    return "; ".join(f"{name} takes {known[name]}" for name in sorted(names) if known.get(name))


def batches(names: t.Iterable[str]) -> list[list[str]]:
    ordered = sorted(names)
    return [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
