# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failure lab causes all that can be caused, with options that the check takes, and the documentation tells of all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import entries, failures

ROOT = Path(__file__).parents[3]
LAB = ROOT / "molecule/failures"
DATA = yaml.safe_load((LAB / "vars/failures.yml").read_text(encoding="utf-8"))
CASES = [pytest.param(case, id=case["name"]) for group in DATA["failures"].values() for case in group]
KNOWN = {"name", "failure", "failure_commands", "failure_seconds", "repeat", "target", "head", "promise"}
KNOWN |= {"load", "baseline_seconds"}
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
    assert case.get("head", "alone") in ("alone", "with_worker", "with_redis")
    promise = DATA["failures_promise"] | case.get("promise", {})
    assert promise.keys() <= DATA["failures_promise"].keys()
    assert promise["verdict"] in ("passed", "failed", "none")
    assert promise["head"] in ("any", "kept", "restarted", "replaced")


@pytest.mark.parametrize("case", CASES)
def test_a_head_is_promised_only_where_the_check_takes_any(case: dict) -> None:
    assert "head" not in case.get("promise", {}) or failures.FAILURES[case["failure"]].head == "any"


def test_the_long_load() -> None:
    load = DATA["failures_long_load"]
    shape = entries.ARGUMENT_SPEC["options"]
    defaults = {name: option.get("default") for name, option in shape.items()}
    assert entries.problem([defaults | entry for entry in load], None) == ""
    for case in CASES:
        promise = promised(case.values[0])
        assert {*promise["under_way"], *promise["gap_growth_ms"]} <= {entry["name"] for entry in load}
    # A stream, and a long answer that is none.
    assert {entry.get("stream", False) for entry in load if "body" in entry} == {True, False}


def test_there_is_room_for_long_answers() -> None:
    text = (LAB / "streams.yml").read_text(encoding="utf-8")
    pattern, new = re.search(r"regex_replace\('([^']+)', '([^']+)'\)", text).groups()
    profile, count = re.subn(
        pattern, new, (ROOT / "roles/ray_service/vars/profiles/cpu.yml").read_text(encoding="utf-8")
    )
    assert count == 1
    room = yaml.safe_load(profile)["ray_service__profile"]["args"]["context"]
    assert max(entry["body"]["max_tokens"] for entry in DATA["failures_long_load"] if "body" in entry) < room - 1000


def test_the_lab_causes_everything_and_ends_with_the_table() -> None:
    *steps, table, last = yaml.safe_load((LAB / "molecule.yml").read_text(encoding="utf-8"))["scenario"][
        "test_sequence"
    ]
    assert (table, last) == ("verify table.yml", "destroy")
    assert steps.index("prepare") < steps.index("converge")
    playbooks = {step.removeprefix("verify ") if " " in step else f"{step}.yml" for step in steps if "verify" in step}
    texts = {name: (LAB / name).read_text(encoding="utf-8") for name in playbooks}
    told = " ".join(texts.values())
    assert [group for group in DATA["failures"] if not re.search(rf"failures[._](group[:=] ?)?{group}\b", told)] == []
    # Each holds its promises in the end, for those who run it by itself. One has none, but counts.
    judges = ("tasks/held.yml", "cause.yml", "workers.yml")
    assert [name for name, text in texts.items() if not any(judge in text for judge in judges)] == []
