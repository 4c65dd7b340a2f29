# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failure lab causes all that can be caused, with options that the check takes, and the documentation tells of all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import failures

ROOT = Path(__file__).parents[3]
DATA = yaml.safe_load((ROOT / "molecule/failures/vars/failures.yml").read_text(encoding="utf-8"))
CASES = [pytest.param(case, id=case["name"]) for group in DATA["failures"].values() for case in group]
KNOWN = {"name", "failure", "failure_commands", "failure_seconds", "repeat", "target", "head", "promise"}
DEFAULTS = {
    "failure_commands": None,
    "failure_seconds": 0,
    "repeat": 1,
    "baseline_seconds": DATA["failures_baseline_seconds"],
    "stability_seconds": 60,
}


def promised(case: dict) -> dict:
    return {**DATA["failures_promise"], **case.get("promise", {})}


def test_every_failure_is_caused_and_told_of() -> None:
    assert {case.values[0]["failure"] for case in CASES} == failures.FAILURES.keys()
    told = (ROOT / "docs/failures.md").read_text(encoding="utf-8")
    assert [name for name in failures.FAILURES if f"`{name}`" not in told] == []


def test_every_report_has_a_place_of_its_own() -> None:
    names = [case.id for case in CASES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("case", CASES)
def test_the_check_takes_its_options(case: dict) -> None:
    given = {**DEFAULTS, **case, **promised(case)}
    if commands := case.get("failure_commands"):
        end = ["command"] if "end" in commands else None
        given["failure_commands"] = {"begin": ["command"], "end": end, "effect": commands.get("effect")}
    assert failures.problem(given) == ""


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_misspelt(case: dict) -> None:
    assert case.keys() <= KNOWN
    assert case.get("head", "alone") in ("alone", "with_redis")
    assert case.get("promise", {}).keys() <= DATA["failures_promise"].keys()
