# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the JSON says of rounds; the rest of it is tested with the pages that show it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import (
    document,
    html,
    junit,
    promise,
    tables,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog


def document_of(plan, evidence):
    return document.build(plan, evidence, judge(plan, evidence), SampleLog(plan.load, 10.0), "http://x", True)


@pytest.fixture
def three(build):
    """Failures at 1002, at 1005, which lasted until 1006, and at 1008, which was not recovered from."""
    rounds = (
        build.a_round(),
        build.a_round(struck=1005.0, undone=1006.0, recovered=1007.5, ended=1008.0),
        build.a_round(struck=1008.0, recovered=None, ended=1010.0, after=None),
    )
    faults = {25: {"status": 500}, 55: {"latency": 900.0}, 79: {"latency": 400.0}}
    beats = tuple(build.beat(1000.25 + number / 2, pressure=number / 100) for number in range(20))
    evidence = build.evidence(rounds=rounds, faults=faults, beats=beats, notes=((1001.0, "early"), (1006.0, "late")))
    return document_of(replace(build.plan, repeat=3), evidence)


def test_rounds(three):
    assert [(one["number"], one["second"], one["undone_seconds"]) for one in three["rounds"]] == [
        *((1, 0.0, None), (2, 3.0, 1.0), (3, 6.0, None))
    ]
    assert [one["recovery_seconds"] for one in three["rounds"]] == [5.0, 1.5, None]
    assert [(one["requests"], one["failed"], one["slow"]) for one in three["rounds"]] == [
        *((30, 1, 0), (29, 0, 1), (22, 0, 1))
    ]
    assert three["rounds"][0]["struck"] == three["struck"] == "1970-01-01T00:16:42.000+00:00"
    assert three["rounds"][0]["transitions"] == [
        {"name": "struck", "label": "Failure begins", "seconds": 0.0},
        {"name": "old_head_gone", "label": "Old head gone", "seconds": 2.0},
    ]


def test_summary_of_rounds(three):
    assert (three["summary"]["recovery_seconds"], three["summary"]["recovery_seconds_each"]) == (None, [5.0, 1.5, None])
    assert three["summary"]["generator"]["cpu_pressure"]["max"] == 0.19
    assert three["after"] is None


def test_outliers_have_their_round_and_their_pressure(three):
    assert [(row["number"], row["round"], row["pressure"]) for row in three["outliers"]] == [
        *((25, 1, 0.05), (55, 2, 0.13), (79, 3, 0.17))
    ]
    assert [note["seconds"] for note in three["notes"]] == [-1.0, 4.0]


def test_no_failure_has_no_round(build):
    got = document_of(build.plan, build.evidence(struck=None))
    assert (got["struck"], got["rounds"], got["after"]) == (None, [], None)
    assert (got["summary"]["recovery_seconds"], got["summary"]["recovery_seconds_each"]) == (None, [])


def test_the_longest_recovery(build):
    rounds = (build.a_round(), build.a_round(struck=1005.0, recovered=1006.0))
    assert document_of(build.plan, build.evidence(rounds=rounds))["summary"]["recovery_seconds"] == 5.0


def test_commands_are_shown_without_their_arguments(build):
    commands = {"begin": ["cut", "--token", "s3cret"], "end": ["mend"], "effect": "head_restarted"}
    plan = replace(build.plan, failure="redis_lost", failure_commands=commands)
    got = document_of(plan, build.evidence())
    assert got["plan"]["failure_commands"] == {
        **{"begin": "cut with 2 arguments", "end": "mend with 0 arguments", "effect": "head_restarted"}
    }
    assert "s3cret" not in json.dumps(got)
    plan = replace(plan, failure_commands={**commands, "end": None})
    assert document_of(plan, build.evidence())["plan"]["failure_commands"]["end"] is None


def test_headers_are_shown_without_their_values(build):
    load = [build.entry(headers={"X-Key": "s3cret", "Accept": "a/b"})]
    got = document_of(replace(build.plan, load=load), build.evidence())
    assert got["plan"]["load"][0]["headers"] == ["Accept", "X-Key"]
    assert "s3cret" not in json.dumps(got)


def test_versions(build):
    galaxy = yaml.safe_load((Path(__file__).parents[3] / "galaxy.yml").read_text(encoding="utf-8"))
    versions = document_of(build.plan, build.evidence(versions={"ray": "2.60.0"}))["versions"]
    assert versions == {"collection": galaxy["version"], "ray": "2.60.0"}


def test_slow_requests_of_a_starved_machine_are_counted_apart(build):
    evidence = build.evidence(faults={30: {"latency": 900.0}, 41: {"latency": 900.0}}, beats=build.starved())
    got = document_of(replace(build.plan, max_slow_requests=1), evidence)
    assert [(row["number"], row["starved"]) for row in got["outliers"]] == [(30, False), (41, True)]
    totals = got["summary"]
    assert [(part["slow"], part["slow_starved"]) for part in (totals, totals["baseline"], totals["failure"])] == [
        *((2, 1), (0, 0), (2, 1))
    ]
    assert totals["failure"]["load"]["short"]["slow_starved"] == 1
    assert [
        "At most 1 requests are slow while processors are free",
        "1 of 101 slow while processors were free, 1 more while none was free",
        "kept",
    ] in promise.criteria(got).rows
    assert "slow: 250 ms over the slowest before (1 without a free processor)" in html.page(got)
    assert any(text.startswith("Of 2 slow requests 1 would have been in time") for text in tables.measurement(got))


def test_what_was_measured_of_percentiles_and_of_the_head(build):
    got = document_of(replace(build.plan, max_p99_ratio=1.5, head_timeout=60), build.evidence())
    assert [one["head_seconds"] for one in got["rounds"]] == [4.0]
    rows = promise.criteria(got).rows
    assert ["One head is Ready within 60 s", "4.0 s", "kept"] in rows
    assert [
        "99 % of each kind are answered within 1.5 times what they took before",
        "short not judged: 20 answers before the failure while processors were free, 100 needed",
        "not judged",
    ] in rows
    assert 'message="short not judged: 20 answers' in junit.suite(got)


@pytest.mark.parametrize(
    ("after", "became"),
    [
        ({"head": "h2"}, "replaced"),
        ({}, "kept"),
        ({"heads": ()}, None),
    ],
    ids=["replaced", "kept", "none"],
)
def test_what_became_of_the_head(build, after, became):
    got = document_of(build.plan, build.evidence(after=build.snapshot(**after)))
    assert [one["head"] for one in got["rounds"]] == [became]


def test_a_head_that_restarted_and_one_that_was_not_seen(build):
    restarted = build.snapshot(heads=(build.head("h1", restarts=1),))
    for after, became in ((restarted, "restarted"), (None, None)):
        assert document_of(build.plan, build.evidence(after=after))["rounds"][0]["head"] == became


def test_what_a_failure_meets(build):
    """At 1002: a stream counts from its first token on, what ends in that moment no more."""
    chats = (
        build.sample(0, 1000.0, entry="chats", latency=4000.0, first=1000.0),
        build.sample(1, 1001.0, entry="chats", latency=4000.0, first=1500.0),
        build.sample(2, 1001.0, entry="chats", latency=1000.0, first=10.0),
        build.sample(0, 1001.9, entry="long", latency=200.0),
    )
    plan = replace(build.plan, load=[build.entry(name) for name in ("long", "chats", "other")])
    got = document_of(plan, build.evidence(samples=chats))
    assert got["rounds"][0]["under_way"] == {"chats": 1, "long": 1}
    assert "Under way when the failure began: 1 of long, 1 of chats, 0 of other." in tables.measurement(got)


def test_what_several_failures_meet(three):
    three["rounds"][1]["under_way"] = {"short": 4}
    assert "Under way when the failure began: 1 to 4 of short." in tables.measurement(three)
