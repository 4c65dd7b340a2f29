# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of promises: kept, or broken and why; one table and one JUnit file of all."""

from __future__ import annotations

import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

MODULE = runpy.run_path(str(Path(__file__).parents[3] / "molecule" / "failures" / "filter_plugins" / "promises.py"))
FILTERS = MODULE["FilterModule"]().filters()
outcome, record, table = (FILTERS[name] for name in ("promise_outcome", "promise_record", "promises_table"))
REASONS = "84 of 900 requests failed, 0 allowed; worker w1 is gone"
PROMISE = {"verdict": "passed", "criteria": [], "reasons": [], "head": "any", "under_way": {}, "gap_growth_ms": {}}


def check(verdict: str = "passed", **values: object) -> dict:
    """What the module returns."""
    part = {"latency_ms": {"p99": 44.0, "max": 191.0}, "generator": {"cpu_pressure": {"p50": 0.1}}}
    numbers = {"requests": 900, "failed": 0, "slow": 2, "slow_starved": 1, "recovery_seconds": 18.8}
    return {
        "verdict": verdict,
        "reasons": [] if verdict == "passed" else REASONS.split("; "),
        "criteria": [{"name": "requests", "outcome": verdict}, {"name": "measurement", "outcome": "passed"}],
        "rounds": [{"head": "replaced", "under_way": {"streams": 1}}, {"head": "replaced", "under_way": {}}],
        "summary": {**numbers, "baseline": part, "failure": part},
        "report": {"json": "/reports/a.json"},
        **values,
    }


UNMADE = {"failed": True, "msg": "The check could not be made: no answer from the API server"}


def streamed(before: float | None, after: float | None) -> dict:
    """A check of streams with these longest gaps."""
    gaps = {"baseline": before, "failure": after}
    phases = {phase: {"load": {"streams": {"gap_ms": {"max": gap}}}} for phase, gap in gaps.items()}
    return check(summary=check()["summary"] | phases)


@pytest.mark.parametrize(
    ("seen", "promise"),
    [
        (check(), {}),
        (check(), {"head": "replaced"}),
        (check(), {"under_way": {"streams": 1}}),
        (
            check("failed"),
            {"verdict": "failed", "criteria": ["measurement"], "reasons": ["requests failed", "worker \\S+"]},
        ),
        (streamed(20.0, 270.0), {"gap_growth_ms": {"streams": 250}}),
        (UNMADE, {"verdict": "none", "reasons": ["no answer"]}),
    ],
    ids=["passed", "head", "under way", "failed as promised", "gap", "not made as promised"],
)
def test_kept(seen: dict, promise: dict) -> None:
    assert outcome(seen, "a", PROMISE | promise)["why"] == []


@pytest.mark.parametrize(
    ("seen", "promise", "why"),
    [
        (check("failed"), {}, [f"the verdict is failed instead of passed: {REASONS}"]),
        (check(), {"verdict": "failed"}, ["the verdict is passed instead of failed: no reason"]),
        (check("failed"), {"verdict": "failed", "criteria": ["requests", "measurement"]}, ["not met: requests"]),
        (
            check("failed"),
            {"verdict": "failed", "reasons": ["not recovered"]},
            [f"no reason says not recovered: {REASONS}"],
        ),
        (
            check(),
            {"head": "kept"},
            [f"the head was replaced instead of kept (round {number})" for number in (1, 2)],
        ),
        (
            check(),
            {"under_way": {"streams": 2, "long": 1}},
            ["the failure met 1 of streams instead of 2", "the failure met 0 of long instead of 1"],
        ),
        (
            streamed(20.0, 270.1),
            {"gap_growth_ms": {"streams": 250}},
            ["the longest gap of streams was 20.0 ms before and 270.1 ms after the failure, more than 250 ms apart"],
        ),
        (
            streamed(20.0, None),
            {"gap_growth_ms": {"streams": 250}},
            ["the longest gap of streams was 20.0 ms before and – ms after the failure, more than 250 ms apart"],
        ),
        (UNMADE, {}, [f"the verdict is none instead of passed: {UNMADE['msg']}"]),
    ],
    ids=["failed", "passed", "criterion", "reason", "head", "under way", "gap", "no gap", "not made"],
)
def test_broken(seen: dict, promise: dict, why: list[str]) -> None:
    got = outcome(seen, "a", PROMISE | promise)
    assert (got["promise"], got["why"]) == ("broken", why)


RECORDS = [
    outcome(check(), "head_deleted", PROMISE),
    outcome(UNMADE, "gcs_killed", PROMISE),
    record("crosscheck", []),
    outcome(check(summary={**check()["summary"], "recovery_seconds": None}), "one_replica", PROMISE),
]


def test_the_table_has_all_and_names_the_broken() -> None:
    heads, *lines = table(RECORDS)
    assert heads.split()[:3] == ["failure", "promise", "verdict"]
    assert lines[0].split() == [
        "head_deleted",
        "kept",
        "passed",
        "900",
        "0",
        "2",
        "1",
        "44.0",
        "→",
        "44.0",
        "191.0",
        "18.8",
        "0.1",
    ]
    assert lines[1].split() == ["gcs_killed", "broken", "none"]
    assert lines[2].split() == ["crosscheck", "kept", "–"]
    assert lines[3].split()[-2:] == ["never", "0.1"]
    assert lines[4:] == [f"broken: gcs_killed: the verdict is none instead of passed: {UNMADE['msg']}"]
    assert FILTERS["promises_broken"](RECORDS) == [lines[4].removeprefix("broken: ")]


def test_junit() -> None:
    root = ElementTree.fromstring(FILTERS["promises_junit"](RECORDS))
    assert (root.get("tests"), root.get("failures")) == ("4", "1")
    cases = {case.get("name"): case.find("failure") for case in root.iter("testcase")}
    assert list(cases) == ["head_deleted", "gcs_killed", "crosscheck", "one_replica"]
    assert cases["gcs_killed"].get("message").endswith("no answer from the API server")
    assert [name for name, failure in cases.items() if failure is not None] == ["gcs_killed"]


def test_what_is_recorded_tells_where_its_report_is() -> None:
    assert [one["report"] for one in RECORDS] == ["/reports/a.json", "", "", "/reports/a.json"]


STRUCK = 1764244800.0  # the time below
ROUND = {"struck": "2025-11-27T12:00:00.000+00:00", "recovery_seconds": 20.0, "ended_seconds": 50.0}
THEIRS = {
    "began": STRUCK - 20,
    "ended": STRUCK + 80,
    "requests": 2000,
    "failed": 0,
    "p50": 14.0,
    "p90": 30.0,
    "p99": 60.0,
}


NOT_SPANNED = "wrk did not measure from before the failure until all was back"


def measured(failed: int = 0, **values: float) -> dict:
    part = {"requests": 1000, "failed": failed, "latency_ms": {"p50": 14.0, "p90": 30.0, "p99": 60.0, **values}}
    return check(rounds=[ROUND], summary={"failure": part})


@pytest.mark.parametrize(
    ("theirs", "ours", "why"),
    [
        ({}, measured(), []),
        ({"p50": 20.9, "requests": 2190}, measured(p90=59.0), []),
        ({"failed": 3}, measured(failed=2), ["wrk saw 3 failed", "check saw 2 failed"]),
        ({"ended": STRUCK + 15, "requests": 700}, measured(), [NOT_SPANNED]),
        ({"began": STRUCK + 1, "requests": 1580}, measured(), [NOT_SPANNED]),
        ({"requests": 1500}, measured(), ["requests a second: 15.0 by wrk, 20.0 by check"]),
        ({"p50": 22.0}, measured(), ["p50 is 22.0 ms by wrk and 14.0 ms by the check, more than 1.5 times apart"]),
        ({}, measured(p99=181.0), ["p99 is 60.0 ms by wrk and 181.0 ms by the check, more than 3 times apart"]),
        ({}, UNMADE, [f"there is nothing to compare: {UNMADE['msg']}"]),
        ({}, check("failed", rounds=[], reasons=["a", "b"]), ["there is nothing to compare: a; b"]),
    ],
    ids=["same", "near", "failed", "too short", "too late", "rate", "median", "99th", "not made", "not struck"],
)
def test_crosscheck(theirs: dict, ours: dict, why: list[str]) -> None:
    assert FILTERS["crosscheck_differences"](THEIRS | theirs, ours, {"p50": 1.5, "p90": 2, "p99": 3}) == why


def test_a_crosscheck_without_a_recovery_measured_nothing() -> None:
    never = {**measured(), "rounds": [{**ROUND, "recovery_seconds": None}]}
    assert FILTERS["crosscheck_differences"](THEIRS, never, {}) == [NOT_SPANNED]
