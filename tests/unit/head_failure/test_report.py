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
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog

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
    log = SampleLog(plan.load, 10.0)
    return document.build(plan, evidence, judge(plan, evidence), log, target, True) | {"versions": None}


@pytest.fixture
def whole(build, mixed):
    return document_of(build, *mixed)


@pytest.mark.parametrize(("name", "text"), [("report.md", markdown.page), ("report.xml", junit.suite)])
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
    assert whole["slow_over"] == {"short": {"latency_ms": 269.5}, "chats": {"first_token_ms": 279.5, "gap_ms": 260.0}}


def test_every_failed_or_slow_request_is_there_with_all_that_is_known(whole):
    assert [(row["load"], row["number"]) for row in whole["outliers"]] == [
        ("short", 30),
        ("short", 31),
        ("short", 40),
        ("chats", 2),
    ]
    assert whole["outliers"][2] == {
        **{"load": "short", "number": 40, "second": 2.0, "phase": "failure", "status": 200, "error": ""},
        **{
            "latency_ms": 900.0,
            "late_ms": 12.0,
            "round": 1,
            "pressure": 0.1,
            "connect_ms": 1.0,
            "connection_age_seconds": 0.0,
            "repeated": False,
        },
        **{"replica": "r2", "node": "node-1", "first_token_ms": None, "gap_ms": None, "slow_by": {"latency_ms": 630.5}},
        "starved": False,
    }


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


def shapes(drawn):
    """(the stretched paths by class, the texts) of a plot."""
    svg = ElementTree.fromstring(drawn).find("svg")
    paths = {element.get("class"): element.get("d") for element in svg.find("svg") if element.tag == "path"}
    return paths, ["".join(element.itertext()) for element in svg if element.tag == "text"]


def test_timeline(whole):
    paths, texts = shapes(plot.timeline(whole))
    assert paths["bar load"].count("M") == 11
    assert paths["bar failed"].count("M") == 1
    assert paths["bar slow"].count("M") == 1
    # Dots of the two failed and the two slow requests; median and slowest have a point for each second.
    assert paths["dot failed"].count("M") == paths["dot slow"].count("M") == 2
    assert len(re.findall("[ML]", paths["line half"])) == len(re.findall("[ML]", paths["line most"])) == 11
    marks = [text for text in texts if text.split(" ")[0] in ("Failure", "Old", "All")]
    assert marks == ["Failure begins ", "Old head gone +2.0 s", "All is back +5.0 s"]
    assert {"0", "5 s", "11", "1 s", "100 ms"} <= set(texts)


def test_a_line_is_broken_where_nothing_was_asked(whole):
    rows = [row for row in whole["per_second"] if row["second"] != 3]
    paths, _texts = shapes(plot.timeline(whole | {"per_second": rows}))
    assert paths["line half"].count("M") == 2


@pytest.mark.parametrize(
    ("span", "labels"),
    [((-2, 9), ["-2 s", "-1 s", "0"]), ((-10, 95), ["-10 s", "0", "10 s"]), ((0, 3000), ["0", "5 min", "10 min"])],
)
def test_time_axis(span, labels):
    ticks = plot.time_ticks(*span)
    assert [label for _second, label, _minor in ticks][: len(labels)] == labels
    assert len(ticks) <= plot.MOST_TICKS + 1
    assert 2 <= sum(not minor for _second, _label, minor in ticks) <= plot.MOST_ON_PHONE + 1


def test_distribution(whole):
    svg = ElementTree.fromstring(plot.distribution(html.curves(whole))).find("svg")
    curves = [element for element in svg.find("svg") if element.get("class", "").startswith("line")]
    # One colour for each load, dashed before the failure.
    assert [element.get("class") for element in curves] == ["line c0 dashed", "line c0", "line c1 dashed", "line c1"]
    for element in curves:
        across = [float(point.split(" ")[0]) for point in element.get("d").removeprefix("M").split("L")]
        assert across == sorted(across)
        assert all(0 <= value <= plot.WIDE + 0.1 for value in across)


def test_nothing_to_draw(whole):
    assert "no sample" in plot.timeline(whole | {"per_second": []})
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
    spared = document_of(build, build.plan, build.evidence(struck=None))
    root = ElementTree.fromstring(junit.suite(spared))
    assert len(list(root.iter("skipped"))) == int(root.get("skipped")) == 5


@pytest.mark.parametrize("changes", [{"samples": ()}, {"struck": None}, {"after": None}, {"beats": ()}])
def test_half_a_check_has_a_report_too(build, changes):
    half = document_of(build, build.plan, build.evidence(**changes))
    for text in (markdown.page(half), html.page(half), junit.suite(half)):
        assert "svc" in text
