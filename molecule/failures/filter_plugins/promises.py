# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a case's promise, and what came of all of them: a table, a JUnit file. Filters, and pure.

A record is {name, promise: kept or broken, why: [sentences], verdict, summary, report}: summary as the check returns it, null where
there is none; report: the path of its JSON, "" without one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from xml.etree import ElementTree

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.junit import fail, to_xml

SUITE = "failures"
LINE = "%-28s %-8s %-8s %8s %7s %6s %8s %16s %9s %10s %9s"
HEADS = (
    "failure",
    "promise",
    "verdict",
    "requests",
    "failed",
    "slow",
    "starved",
    "p99/ms",
    "max/ms",
    "back/s",
    "pressure",
)
NOTHING = "–"
#: The verdict of a check that could not be made.
NONE = "none"
#: Two rates of requests, as a share.
MOST_APART = 0.1


def outcome(check: dict, name: str, promise: dict) -> dict:
    """The record of a case. check: what ray_head_failure_check returned, also when it failed."""
    seen = {"verdict": NONE, "reasons": [check["msg"]]} if check.get("failed") else check
    if seen["verdict"] == promise["verdict"]:
        why = differences(seen, promise)
    else:
        why = [f"the verdict is {seen['verdict']} instead of {promise['verdict']}: {told(seen)}"]
    return record(name, why, seen["verdict"], seen.get("summary"), seen.get("report", {}).get("json", ""))


def differences(check: dict, promise: dict) -> list[str]:
    """Why a check with the verdict that was promised is not what was promised; nothing if it is."""
    rounds = check.get("rounds", [])
    met = [one["name"] for one in check.get("criteria", []) if one["outcome"] == "passed"]
    why = [f"not met: {criterion}" for criterion in promise["criteria"] if criterion not in met]
    for text in promise["reasons"]:
        if not any(re.search(text, reason) for reason in check["reasons"]):
            why.append(f"no reason says {text}: {told(check)}")
    for number, one in enumerate(rounds, 1):
        if promise["head"] not in ("any", one["head"]):
            why.append(f"the head was {one['head']} instead of {promise['head']} (round {number})")
    for entry, least in promise["under_way"].items():
        if (met_it := sum(one["under_way"].get(entry, 0) for one in rounds)) < least:
            why.append(f"the failure met {met_it} of {entry} instead of {least}")
    for entry, most in promise["gap_growth_ms"].items():
        before, after = (check["summary"][phase]["load"][entry]["gap_ms"]["max"] for phase in ("baseline", "failure"))
        if before is None or after is None or after > before + most:
            gaps = f"{shown(before)} ms before and {shown(after)} ms after the failure"
            why.append(f"the longest gap of {entry} was {gaps}, more than {most:g} ms apart")
    return why


def told(check: dict) -> str:
    return "; ".join(check["reasons"]) or "no reason"


def record(name: str, why: list[str], verdict: str = "", summary: dict | None = None, report: str = "") -> dict:
    """why: what was not as it was promised; nothing if all was."""
    promise = "broken" if why else "kept"
    return {"name": name, "promise": promise, "why": why, "verdict": verdict, "summary": summary, "report": report}


def crosscheck(theirs: dict, check: dict, factors: dict[str, float]) -> list[str]:
    """Where wrk and a check of the same users at the same time differ; nothing if they agree and neither saw a failure.

    theirs: as crosscheck.lua writes it. factors: percentile to what the two may be apart.
    """
    if not check.get("rounds"):
        return [f"there is nothing to compare: {check.get('msg') or told(check)}"]
    one, ours = check["rounds"][0], check["summary"]["failure"]
    struck = datetime.fromisoformat(one["struck"]).timestamp()
    rates = {
        "wrk": theirs["requests"] / (theirs["ended"] - theirs["began"]),
        "check": ours["requests"] / one["ended_seconds"],
    }
    why = [
        f"{who} saw {found} failed" for who, found in (("wrk", theirs["failed"]), ("check", ours["failed"])) if found
    ]
    if not theirs["began"] < struck < struck + (one["recovery_seconds"] or math.inf) < theirs["ended"]:
        why.append("wrk did not measure from before the failure until all was back")
    if abs(rates["wrk"] - rates["check"]) > MOST_APART * rates["check"]:
        why.append("requests a second: " + ", ".join(f"{rate:.1f} by {who}" for who, rate in rates.items()))
    for name, factor in factors.items():
        pair = sorted((theirs[name], ours["latency_ms"][name]))
        if pair[1] > factor * pair[0]:
            both = f"{theirs[name]} ms by wrk and {ours['latency_ms'][name]} ms by the check"
            why.append(f"{name} is {both}, more than {factor:g} times apart")
    return why


def broken(records: list[dict]) -> list[str]:
    """The broken promises, a sentence each."""
    return [f"{one['name']}: {'; '.join(one['why'])}" for one in records if one["promise"] == "broken"]


def table(records: list[dict]) -> list[str]:
    """A line for each record, and below it one for each broken promise."""
    lines = [LINE % HEADS]
    for one in records:
        lines.append(
            (LINE % (one["name"], one["promise"], one["verdict"] or NOTHING, *figures(one["summary"]))).rstrip()
        )
    return [*lines, *(f"broken: {text}" for text in broken(records))]


def figures(summary: dict | None) -> list[object]:
    """The figures of a line, nothing of a check that was not made."""
    if summary is None:
        return [""] * 8
    before, after = summary["baseline"], summary["failure"]
    p99 = " → ".join(shown(part["latency_ms"]["p99"]) for part in (before, after))
    recovery = summary["recovery_seconds"]
    return [
        *(summary[key] for key in ("requests", "failed", "slow", "slow_starved")),
        p99,
        shown(after["latency_ms"]["max"]),
        "never" if recovery is None else recovery,
        shown(after["generator"]["cpu_pressure"]["p50"]),
    ]


def shown(value: float | None) -> str:
    return NOTHING if value is None else str(value)


def junit(records: list[dict]) -> str:
    """A JUnit file with a test case for each record."""
    failures = str(len(broken(records)))
    whole = {"name": SUITE, "tests": str(len(records)), "failures": failures, "errors": "0", "skipped": "0"}
    root = ElementTree.Element("testsuites", whole)
    suite = ElementTree.SubElement(root, "testsuite", whole)
    for one in records:
        case = ElementTree.SubElement(suite, "testcase", {"classname": SUITE, "name": one["name"], "time": "0"})
        if one["why"]:
            fail(case, one["why"], "promise")
    return to_xml(root)


class FilterModule:
    """For the playbooks beside."""

    def filters(self) -> dict[str, Callable]:
        return {
            "promise_outcome": outcome,
            "promise_record": record,
            "crosscheck_differences": crosscheck,
            "promises_broken": broken,
            "promises_table": table,
            "promises_junit": junit,
        }
