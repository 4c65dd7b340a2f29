# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import (
    document,
    html,
    junit,
    markdown,
    plot,
    report,
    tables,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import Timeline

GOLDEN = Path(__file__).parent / "golden"


def chat(build, number, due, **values):
    return build.sample(number, due, **{"entry": "chats", "latency": 1500.0, "first": 30.0, "gap": 10.0, **values})


@pytest.fixture
def mixed(build):
    """A plan of two kinds of requests, and what was seen of them: two failed, two slow."""
    plan = replace(build.plan, load=[build.entry(), build.entry("chats", stream=True, users=1, connection="kept")])
    evidence = build.evidence(
        faults={
            30: {"status": 0, "error": "a | b", "latency": 5000.0, "replica": ""},
            31: {"status": 503},
            40: {"latency": 900.0, "replica": "r2", "late": 12.0},
        }
    )
    chats = (
        chat(build, 0, 1000.0),
        chat(build, 1, 1001.5, connect=None, age=1.5),
        chat(build, 2, 1004.0, connect=None, age=4.0, gap=1400.0, latency=2900.0, repeated=True),
    )
    samples = tuple(sorted((*evidence.samples, *chats), key=lambda sample: sample.due))
    return plan, replace(evidence, samples=samples)


def document_of(build, plan, evidence, target="http://x/<a>"):
    timeline = Timeline(evidence.before)
    if evidence.deleted:
        timeline.deletion_requested(evidence.deleted)
        timeline.pod("DELETED", build.pod("h1", "head"), 1004.0)
    verdict = judge(plan, evidence)
    return document.build(plan, evidence, verdict, timeline, SampleLog(plan.load, 10.0), target, True)


@pytest.fixture
def whole(build, mixed):
    return document_of(build, *mixed)


@pytest.mark.parametrize(
    ("name", "text"), [("report.md", markdown.page), ("report.html", html.page), ("report.xml", junit.suite)]
)
def test_golden(whole, name, text):
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text(whole), encoding="utf-8")
    assert text(whole) == (GOLDEN / name).read_text(encoding="utf-8")


def test_summary(whole):
    totals = whole["summary"]
    assert (totals["requests"], totals["failed"], totals["slow"], totals["repeated"]) == (104, 2, 2, 1)
    # The chat that was due before the deletion and ended after it met the failure.
    assert totals["baseline"]["load"]["chats"]["requests"] == 1
    assert totals["failure"]["load"]["chats"]["requests"] == 2
    assert totals["failure"]["load"]["short"]["latency_ms"]["max"] == 900.0
    assert totals["generator"]["cpu"]["max"] == 0.02
    assert whole["slow_over"] == {"short": {"latency_ms": 270.0}, "chats": {"first_token_ms": 280.0, "gap_ms": 260.0}}


def test_every_failed_or_slow_request_is_there_with_all_that_is_known(whole):
    assert [(row["load"], row["number"]) for row in whole["outliers"]] == [
        ("short", 30),
        ("short", 31),
        ("short", 40),
        ("chats", 2),
    ]
    assert whole["outliers"][2] == {
        **{"load": "short", "number": 40, "second": 2.0, "phase": "failure", "status": 200, "error": ""},
        **{"latency_ms": 900.0, "late_ms": 12.0, "connect_ms": 1.0, "connection_age_seconds": 0.0, "repeated": False},
        **{"replica": "r2", "node": "node-1", "first_token_ms": None, "gap_ms": None, "slow_by": {"latency_ms": 630.0}},
    }


def test_the_worst_ones(build):
    faults = {number: {"status": 500, "latency": float(number)} for number in range(30, 50)}
    shown = tables.worst(document_of(build, build.plan, build.evidence(faults={**faults, 60: {"latency": 99000.0}})))
    assert shown.title == "Failed and slow requests (the worst 10 of 21; all are in the JSON)"
    # Failed ones first, those that took longest at the top.
    assert [row[4] for row in shown.rows] == [str(number) for number in range(49, 39, -1)]


def test_per_second(whole):
    rows = whole["per_second"]
    assert [row["second"] for row in rows] == list(range(-2, 9))
    assert rows[3] == {"second": 1, "requests": 10, "failed": 2, "p50": 20.0, "max": 5000.0}


def test_written_files(whole, tmp_path):
    paths = report.write(whole, str(tmp_path / "new" / "directory"))
    stem = "head-failure-ns-svc-19700101T001640Z"
    assert {kind: path.rsplit("/", 1)[1] for kind, path in paths.items()} == {
        **{"json": f"{stem}.json", "markdown": f"{stem}.md", "html": f"{stem}.html", "junit": f"{stem}.xml"}
    }
    read = json.loads(Path(paths["json"]).read_text(encoding="utf-8"))
    assert read["verdict"] == "failed"
    assert len(read["samples"]) == 104
    rows = [dict(zip(read["sample_fields"], row, strict=True)) for row in read["samples"]]
    assert [row["error"] for row in rows if row["number"] == 31] == ["HTTP status 503"]
    # The histograms hold every answered request.
    counted = [
        count for part in read["histograms"].values() for rows in part.values() for _least, count in rows["latency_ms"]
    ]
    assert sum(counted) == 102


def test_page_stands_alone_and_escapes(whole):
    page = html.page(whole)
    assert not re.search(r"""(src|href)=|url\(|@import|<script|<link""", page)
    assert "<code>http://x/&lt;a&gt;</code>" in page
    assert "<a>" not in page
    assert '<span class="verdict failed">failed</span>' in page


def test_timeline_is_well_formed(whole):
    root = ElementTree.fromstring(plot.timeline(whole["per_second"], whole["summary"]["transitions"]))
    fills = [element.get("fill") for element in root if element.tag == "rect"]
    assert fills.count("#9db8d9") == 11
    assert fills.count("#c0362c") == 1
    assert [element.text for element in root.iter("title")] == ["Deletion requested, 0.0 s", "Old head gone, +2.0 s"]


def test_distribution_is_well_formed(whole):
    root = ElementTree.fromstring(plot.distribution(html.curves(whole)))
    curves = [element.get("points").split(" ") for element in root if element.tag == "polyline"]
    assert len(curves) == 4
    for points in curves:
        across = [float(point.split(",")[0]) for point in points]
        assert across == sorted(across)
        assert all(plot.LEFT <= value <= plot.WIDTH - plot.RIGHT + 0.1 for value in across)


def test_nothing_to_draw():
    assert "no sample" in plot.timeline([], [])
    assert "nothing to draw" in plot.distribution([("a", [])])


def test_junit(build, whole):
    root = ElementTree.fromstring(junit.suite(whole))
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        **{"tests": "7", "failures": "1", "errors": "0", "skipped": "0"}
    }
    cases = {case.get("classname"): case for case in root.iter("testcase")}
    failure = cases["head_failure.ns.svc.requests"].find("failure")
    assert failure.get("message").startswith("2 of 104 requests failed")
    assert all(case.find("failure") is None for name, case in cases.items() if not name.endswith(".requests"))
    spared = document_of(build, build.plan, build.evidence(deleted=None, recovered=None))
    root = ElementTree.fromstring(junit.suite(spared))
    assert len(list(root.iter("skipped"))) == int(root.get("skipped")) == 5


@pytest.mark.parametrize(
    "changes", [{"samples": ()}, {"deleted": None, "recovered": None}, {"after": None}, {"beats": ()}]
)
def test_half_a_check_has_a_report_too(build, changes):
    half = document_of(build, build.plan, build.evidence(**changes))
    for text in (markdown.page(half), html.page(half), junit.suite(half)):
        assert "svc" in text
