# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import html, report
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import Timeline

MARKDOWN = """\
# Head failure check of ns/svc: failed

10 requests a second to `http://x/<a>`, head deleted (graceful) at 1970-01-01T00:16:42.000+00:00, fault tolerance on.

## Why it failed

- 2 of 101 requests failed, 0 allowed; the first was due +1.0 s and the last +1.1 s after the deletion (1 × a | b, 1 × HTTP status 503)

## What users saw

| phase | requests | failed | p50 ms | p99 ms | max ms |
| --- | ---: | ---: | ---: | ---: | ---: |
| before | 20 | 0 | 20 | 20 | 20 |
| from the deletion on | 81 | 2 | 20 | 20 | 20 |

## Transitions

| s after the deletion | what |
| ---: | --- |
| 0.0 | Deletion requested |
| +2.0 | Old head gone |

## Failed requests

| due, s after the deletion | given up after, ms | why |
| ---: | ---: | --- |
| +1.0 | 5000 | a \\| b |
| +1.1 | 20 | HTTP status 503 |

## Measurement

- The load generator started its requests late by 0.5 ms (99th percentile), 0.5 ms at most; latency counts from when a request was due.
- Requests of unknown outcome: 0.
- Clocks: no sample was read live, so the two clocks were taken for one.
"""


@pytest.fixture
def document(build):
    evidence = build.evidence(faults={30: {"status": 0, "error": "a | b", "latency": 5000.0}, 31: {"status": 503}})
    timeline = Timeline(evidence.before)
    timeline.deletion_requested(1002.0)
    timeline.pod("DELETED", build.pod("h1", "head"), 1004.0)
    return report.build(build.plan, evidence, judge(build.plan, evidence), timeline, SampleLog(), "http://x/<a>", True)


def test_markdown(document):
    assert report.to_markdown(document) == MARKDOWN


def test_per_second(document):
    rows = document["per_second"]
    assert [row["second"] for row in rows] == list(range(-2, 9))
    assert rows[3] == {"second": 1, "requests": 10, "failed": 2, "p50": 20.0, "p99": 5000.0, "max": 5000.0}


def test_written_files(document, tmp_path):
    paths = report.write(document, str(tmp_path / "new" / "directory"))
    assert {kind: path.rsplit("/", 1)[1] for kind, path in paths.items()} == {
        "json": "head-failure-ns-svc-19700101T001640Z.json",
        "markdown": "head-failure-ns-svc-19700101T001640Z.md",
        "html": "head-failure-ns-svc-19700101T001640Z.html",
    }
    with open(paths["json"], encoding="utf-8") as stream:
        read = json.load(stream)
    assert read["verdict"] == "failed"
    assert len(read["samples"]) == 101
    assert dict(zip(read["sample_fields"], read["samples"][31], strict=True))["error"] == "HTTP status 503"


def test_page_stands_alone_and_escapes(document):
    page = html.page(document, report.failures(document))
    assert not re.search(r"""(src|href)=|url\(|@import|<script|<link""", page)
    assert "<code>http://x/&lt;a&gt;</code>" in page
    assert "<a>" not in page
    assert '<span class="verdict failed">failed</span>' in page


def test_plot_is_well_formed(document):
    plot = html.plot(document["per_second"], document["summary"]["transitions"])
    root = ElementTree.fromstring(plot)
    fills = [element.get("fill") for element in root if element.tag == "rect"]
    assert fills.count("#9db8d9") == 11
    assert fills.count("#c0362c") == 1
    assert [element.text for element in root.iter("title")] == ["Deletion requested, 0.0 s", "Old head gone, +2.0 s"]


def test_nothing_to_draw():
    assert "no sample" in html.plot([], [])


@pytest.mark.parametrize("changes", [{"samples": ()}, {"deleted": None, "recovered": None}, {"after": None}])
def test_half_a_check_has_a_report_too(build, changes):
    evidence = build.evidence(**changes)
    timeline = Timeline(evidence.before)
    if evidence.deleted:
        timeline.deletion_requested(evidence.deleted)
    document = report.build(build.plan, evidence, judge(build.plan, evidence), timeline, SampleLog(), "http://x", False)
    assert "failed" in report.to_markdown(document)
    assert "failed" in html.page(document, report.failures(document))
