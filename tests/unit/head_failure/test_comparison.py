# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import comparison, document
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog
from ansible_collections.rayops.serve_ha.plugins.modules import ray_head_failure_report


def document_of(plan, evidence):
    log = SampleLog(plan.load, 10.0)
    return document.build(plan, evidence, judge(plan, evidence), log, "http://x", True) | {"versions": None}


@pytest.fixture
def pair(build):
    """A check that passed, and one of another load, with forced deletion, in which a request failed."""
    first = document_of(build.plan, build.evidence())
    plan = replace(
        build.plan, failure="head_forced", load=[build.entry(connection="kept"), build.entry("chats", users=1)]
    )
    faults = {30: {"status": 500}, 40: {"latency": 800.0}}
    return [first, document_of(plan, build.evidence(faults=faults, recovered=None))]


def rows_of(documents, title):
    return next(table.rows for table in comparison.compare(documents) if table.title.startswith(title))


def test_verdicts(pair):
    first, second = rows_of(pair, "Reports")
    assert first[:5] == ["A", "ns/svc", "head_deleted", "1970-01-01 00:16:40 UTC", "passed"]
    assert first[5:9] == ["101", "0", "0", "5.0"]
    assert second[4:9] == ["failed", "101", "1", "1", "never"]
    assert "1 of 101 requests failed" in second[9]
    assert ["No request fails", "kept", "broken"] in rows_of(pair, "Criteria")


def test_only_what_differs_of_the_configuration(pair):
    rows = rows_of(pair, "Configuration")
    assert rows[:2] == [["plan.failure", "head_deleted", "head_forced"], ["plan.load.short.connection", "new", "kept"]]
    assert ["plan.load.chats.users", "–", "1"] in rows
    assert all(row[0].startswith("plan.load.chats.") for row in rows[2:])
    assert rows_of([pair[0], pair[0]], "Configuration") == []


def test_settings_of_the_service_that_differ(build):
    """With and without the settings of how Ray connects again."""
    backoff = {"head.env.RAY_gcs_grpc_max_reconnect_backoff_ms": "200", "head.terminationGracePeriodSeconds": "2"}
    plain = {"head.terminationGracePeriodSeconds": "2"}
    pair = [document_of(build.plan, build.evidence(configuration=found)) for found in (backoff, plain)]
    assert rows_of(pair, "Configuration") == [["service.head.env.RAY_gcs_grpc_max_reconnect_backoff_ms", "200", "–"]]


def test_a_report_from_before_settings_were_kept(pair):
    del pair[0]["configuration"]
    assert rows_of([pair[0], pair[0]], "Configuration") == []


def test_figures_are_below_each_other(pair):
    rows = rows_of(pair, "What users saw")
    assert [row[:3] for row in rows] == [
        ["before", "short", "A"],
        ["before", "short", "B"],
        ["after", "short", "A"],
        ["after", "short", "B"],
        ["before", "all", "B"],
        ["before", "chats", "B"],
        ["after", "all", "B"],
        ["after", "chats", "B"],
    ]
    assert [row[5] for row in rows[:4]] == ["0", "0", "0", "1"]


def test_more_than_two(pair):
    documents = [*pair, pair[0]]
    assert [row[0] for row in rows_of(documents, "Reports")] == ["A", "B", "C"]
    assert "C: short, before" in comparison.to_html(documents)


def test_more_than_there_are_letters(pair):
    labels = [row[0] for row in rows_of(pair * 14, "Reports")]
    assert labels[24:] == ["Y", "Z", "AA", "AB"]
    assert comparison.letters(26 * 27) == "AAA"


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "it is no JSON"), ("[]", "its format is None; expected"), ('{"format": 99}', "its format is 99; expected")],
)
def test_what_is_no_report(text, words):
    with pytest.raises(ValueError, match=words):
        comparison.read(text)


@pytest.fixture
def run(capsys):
    """run(**arguments): what the module says."""

    def call(**arguments):
        with patch_module_args(arguments), pytest.raises(SystemExit):
            ray_head_failure_report.main()
        return json.loads(capsys.readouterr().out)

    return call


def test_the_module(run, pair, tmp_path):
    paths = [str(tmp_path / f"{number}.json") for number in range(2)]
    for path, content in zip(paths, pair, strict=True):
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
    dest = str(tmp_path / "new" / "comparison")
    assert run(reports=paths, dest=dest, _ansible_check_mode=True)["changed"] is True
    assert not (tmp_path / "new").exists()
    first = run(reports=paths, dest=dest)
    assert (first["changed"], first["verdicts"]) == (True, ["passed", "failed"])
    assert (tmp_path / "new" / "comparison.md").read_text(encoding="utf-8") == comparison.to_markdown(pair)
    assert first["report"]["html"] == f"{dest}.html"
    assert run(reports=paths, dest=dest)["changed"] is False
    assert "reports has 1 entries; expected: at least 2" in run(reports=paths[:1], dest=dest)["msg"]
    assert f"{tmp_path}/none cannot be compared" in run(reports=[paths[0], f"{tmp_path}/none"], dest=dest)["msg"]
