# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of whole checks as they might have been, the same ones each time: they lie in docs/samples too."""

from __future__ import annotations

import os
import random
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import (
    comparison,
    document,
    html,
    junit,
    markdown,
    plot,
    promise,
    tables,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.evidence import Evidence, Round
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog

SCENES = ("passed", "failed", "repeated")
SAMPLES = Path(__file__).parents[3] / "docs" / "samples"
MOST_BYTES = 150_000
TARGET, IMAGE = "http://mistral-serve-svc.mistral.svc:8000", "registry.example.com/ray:2.60.0-py312"
FAULTS = ("connection refused", "timed out")
START = datetime(2026, 11, 23, 12, 30, tzinfo=UTC).timestamp()
BASELINE, STABILITY = 10.0, 20.0  # seconds
TYPICAL_MS = {"short": 22.0, "long": 160.0, "chats": 900.0}
VERSIONS = {
    "collection": "0.1.0",
    "ray": "2.60.0",
    "operator": "quay.io/kuberay/operator:v1.5.1",
    "kubernetes": "v1.34.1",
    "nodes": [{"name": f"node-{number}", "cpu": "2", "memory": "8148020Ki", "arch": "amd64"} for number in (1, 2, 3)],
}
CONFIGURATION = {
    "redis.redisAddress": "redis://redis.redis.svc:6379",
    "redis.redisPassword": "from the Secret mistral-redis, key password",
    "head.env.RAY_gcs_grpc_max_reconnect_backoff_ms": "200",
    "head.env.RAY_grpc_client_check_connection_status_interval_milliseconds": "50",
    "head.terminationGracePeriodSeconds": "2",
    "head.tolerations": '[{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "tolerationSeconds": 30}]',
    "serve.applications.mistral.deployments.Mistral.num_replicas": "2",
}
RETURN = {
    "old_head_gone": 2.3,
    "new_head_created": 2.4,
    "new_head_scheduled": 2.4,
    "new_head_started": 3.5,
    "gcs_back": 9.8,
    "head_ready": 14.2,
    "serve_controller_back": 16.9,
    "applications_running": 18.1,
}


class Scenes:
    """Checks of a service, made of the builders of conftest.py. All that varies does so by a seed."""

    def __init__(self, build) -> None:
        chat = {"path": "/v1/chat/completions", "method": "POST", "connection": "kept"}
        self.build = build
        self.load = [
            build.entry("short", rate=15.0, request_timeout=10.0),
            build.entry("long", **chat, rate=3.0, request_timeout=30.0),
            build.entry("chats", **chat, stream=True, users=2, request_timeout=60.0),
        ]
        self.plan = replace(
            build.plan,
            name="mistral",
            namespace="mistral",
            load=self.load,
            baseline_seconds=BASELINE,
            stability_seconds=STABILITY,
        )

    def passed(self) -> dict:
        """The head deleted once; a few requests meet its end and are slow."""
        return self.document(self.plan, [self.round(0)], slow={(12.6, 12.8): 420.0})

    def failed(self) -> dict:
        """Without fault tolerance: the workers restart, for 12 s nothing is answered, and the head is back too late."""
        plain = {name: value for name, value in CONFIGURATION.items() if not name.startswith("redis.")}
        one = self.round(0, pace=1.9, recovered=64.5)
        worker = one.before.workers[0].name
        notes = {3.1: f"worker {worker} is not Ready", 3.4: f"container ray-worker of worker {worker} restarted"}
        one = replace(one, after=self.service("q4j8z", restarts=1, actors=("5e0c42d1", "93b7f6aa")))
        seen = tuple((one.struck + after, text) for after, text in notes.items())
        slow = {(23.0, 26.5): 3400.0}
        whole = self.document(self.plan, [one], slow, broken=(11.2, 23.0), fault_tolerance=False, notes=seen)
        return whole | {"configuration": plain}

    def repeated(self, count: int = 20) -> dict:
        """The head deleted several times in a row; a few slow requests in every seventh round."""
        rounds = [self.round(number) for number in range(count)]
        slow = {(one.struck - START + 17.0, one.struck - START + 17.3): 380.0 for one in rounds[::7]}
        return self.document(replace(self.plan, repeat=count, load=self.load[:1]), rounds, slow)

    def document(self, plan, rounds, slow, broken=(0.0, 0.0), fault_tolerance=True, notes=()) -> dict:
        """slow: of the requests due in these seconds the ms on top; broken: from when to when nothing is answered."""
        seconds = rounds[-1].ended - START
        samples = self.samples(plan, seconds, slow, broken)
        chance = random.Random(11)
        evidence = Evidence(
            before=rounds[0].before,
            rounds=tuple(rounds),
            ended=rounds[-1].ended,
            begun=len(samples),
            unknown=0,
            silent=0.2,
            samples=samples,
            notes=notes,
            configuration=CONFIGURATION,
            beats=tuple(
                self.build.beat(START + number / 2, pressure=round(chance.uniform(0, 0.3), 3))
                for number in range(int(seconds * 2))
            ),
        )
        verdict, log = judge(plan, evidence), SampleLog(plan.load, seconds)
        whole = document.build(plan, evidence, verdict, log, TARGET, fault_tolerance)
        return whole | {"versions": VERSIONS}

    def round(self, number: int, pace: float = 1.0, recovered: float | None = None) -> Round:
        """A graceful deletion. pace: by how much all takes longer than usual; recovered: seconds, if not with the last."""
        struck = START + BASELINE + number * 48.0
        pace *= 1 + 0.25 * random.Random(number).random()
        seen = {"struck": struck, **{name: struck + after * pace for name, after in RETURN.items()}}
        back = max(seen.values()) if recovered is None else struck + recovered
        before, after = (self.service(name_of(head)) for head in (number, number + 1))
        return self.build.a_round(
            before=before,
            after=after,
            struck=struck,
            recovered=back,
            ended=back + STABILITY,
            done=(f"pod {before.heads[0].name} deleted",),
            transitions=seen,
        )

    def service(self, head: str, restarts: int = 0, actors=("0a6be75e", "f230a583")):
        plain = self.build.snapshot(head=head, workers=("5jqlz", "g8twm"), restarts=restarts, actors=actors)
        heads, workers = (
            tuple(
                replace(pod, name=f"mistral-x7k2p-{group}-{pod.uid}", node=f"node-{number}", image=IMAGE)
                for number, pod in enumerate(pods, first)
            )
            for group, first, pods in (("head", 1, plain.heads), ("workers-worker", 2, plain.workers))
        )
        return replace(plain, cluster_name="mistral-x7k2p", heads=heads, workers=workers)

    def samples(self, plan, seconds, slow, broken) -> tuple:
        chance, found = random.Random(7), []
        for entry in plan.load:
            typical = TYPICAL_MS[entry["name"]]
            rate = entry["rate"] or entry["users"] / (entry["think_seconds"] + typical / 1000)
            for number in range(int(seconds * rate)):
                at, kept = number / rate, entry["connection"] == "kept" and number > 0
                latency = typical * chance.lognormvariate(0, 0.25)
                latency += sum(ms * chance.uniform(0.85, 1) for (begin, end), ms in slow.items() if begin <= at < end)
                replica, node = chance.choice((("r1", "node-2"), ("r2", "node-3")))
                values = {"latency": round(latency, 2), "replica": replica, "node": node}
                if broken[0] <= at < broken[1]:
                    timed_out = number % 3 == 0
                    values = {"status": 0, "replica": "", "node": "", "error": FAULTS[timed_out]}
                    values["latency"] = entry["request_timeout"] * 1000 if timed_out else 3.0
                elif entry["stream"]:
                    values |= {"first": round(40 + latency / 20, 2), "gap": round(8 + latency / 100, 2)}
                values["connect"] = None if kept else round(chance.uniform(0.5, 3), 2)
                values["age"] = round(at, 1) if kept else 0.0
                values["late"] = round(chance.uniform(0.1, 2.0), 2)
                found.append(self.build.sample(number, START + at, entry=entry["name"], **values))
        return tuple(sorted(found, key=lambda sample: sample.due))


def name_of(seed: int) -> str:
    return "".join(random.Random(seed).choices("bcdfghjklmnpqrstvwxz2456789", k=5))


@pytest.fixture
def scenes(build):
    return Scenes(build)


class Page(HTMLParser):
    """Raises AssertionError where an element is not closed, or another one is. seen: [(tag, attributes)]; text: all of it."""

    VOID = ("meta",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data + "\n"

    def words(self, kind: str) -> list[str]:
        """Values of an attribute, wherever it is."""
        return [attributes[kind] for _tag, attributes in self.seen if kind in attributes]


MADE = {
    **{f"{name}.html": lambda scenes, name=name: html.page(getattr(scenes, name)()) for name in SCENES},
    "compared.html": lambda scenes: comparison.to_html([scenes.passed(), scenes.failed()]),
    "compared.md": lambda scenes: comparison.to_markdown([scenes.passed(), scenes.failed()]),
    "failed.md": lambda scenes: markdown.page(scenes.failed()),
    "failed.xml": lambda scenes: junit.suite(scenes.failed()),
}


@pytest.mark.parametrize("name", MADE)
def test_samples(scenes, name):
    """They are in the documentation; UPDATE_GOLDEN=1 writes them anew, test_page_in_browser.py the picture."""
    path, text = SAMPLES / f"head-failure-{name}", MADE[name](scenes)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES


def test_every_sample_is_told_of():
    told = (SAMPLES / "README.md").read_text(encoding="utf-8")
    found = {path.name for path in SAMPLES.iterdir()} - {"README.md"}
    assert {name for name in found if f"({name})" not in told} == set()
    assert {f"head-failure-{name}" for name in MADE} < found


@pytest.mark.parametrize("name", [name for name in MADE if name.endswith(".html")])
def test_pages_load_nothing(scenes, name):
    text = MADE[name](scenes)
    page = Page(text)
    assert page.words("src") + page.words("href") == []
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _attributes in page.seen}
    assert not re.search(r"url\(|@import|https?://(?!mistral-serve-svc)", text)


def test_the_verdict_comes_first(scenes):
    for name, sentence in (
        ("passed", "With TITLE, none of 987 requests failed, and everything was back after 21.9 s."),
        ("failed", "With TITLE, 225 of 1,799 requests failed, and everything was back only after 64.5 s, 60 s allowed"),
        ("repeated", "With TITLE 20 times in a row, none of 14,447 requests failed, and everything was back after"),
    ):
        check = getattr(scenes, name)()
        body = html.page(check).split("<body>")[1]
        first = " ".join(Page(body.removesuffix("</html>\n").removesuffix("</body>")).text.split()[:60])
        assert first.startswith(f"{check['verdict']}: {sentence.replace('TITLE', check['promise']['title'])}")


def test_promised_and_measured(scenes):
    rows = {row[0]: row[1:] for row in promise.criteria(scenes.failed()).rows}
    assert rows["No request fails"] == ["225 of 1,799 failed", "broken"]
    assert rows["Everything is back within 60 s"] == ["64.5 s", "broken"]
    assert rows["The RayService keeps its RayCluster and is ready"] == [
        "the same RayCluster, mistral-x7k2p; ready",
        "kept",
    ]
    assert rows["Every worker pod stays, without a restart"] == ["2 of 2 stayed, 2 restarts", "broken"]
    assert rows["Every Serve replica stays the same process"] == ["0 of 2 are the same", "broken"]


def test_what_could_not_be_measured(build):
    spared = build.evidence(struck=None, faults={3: {"status": 500}})
    check = document_of(build, spared)
    outcomes = {row[0]: row[1:] for row in promise.criteria(check).rows}
    assert outcomes["Everything is back within 60 s"] == ["–", "not judged"]
    assert promise.sentence(check).startswith("1 of 101 requests failed while nothing was wrong")
    never = document_of(build, build.evidence(recovered=None))
    assert promise.sentence(never).endswith("none of 101 requests failed, and not everything came back.")


def test_settings_are_there_for_those_who_unfold_them(scenes):
    page = Page(html.page(scenes.passed()))
    assert [tag for tag, _attributes in page.seen].count("details") == 1
    assert "How it was set up (7 settings)" in page.text
    assert page.text.count("RAY_gcs_grpc_max_reconnect_backoff_ms") == 1
    assert "details" not in html.page(scenes.passed() | {"configuration": {}}).split("</style>")[1]


def test_rounds(scenes):
    check = scenes.repeated()
    page = html.page(check)
    drawn = Page(page).text
    assert [row[0] for row in tables.rounds(check).rows] == [str(number) for number in range(1, 21)]
    assert "Every failure, step by step" in drawn
    for one in check["rounds"]:
        assert f"{one['recovery_seconds']:.1f} s" in drawn
    # A bar is several seconds, or a check of hours would not be drawn in any width.
    width, columns = plot.columns_of(check["per_second"], check["outliers"])
    assert (width, len(columns)) == (5, 193)
    assert sum(column["requests"] for column in columns) == 14447
    assert sum(column["slow"] for column in columns) == check["summary"]["slow"] == 15


def test_undone_later(build):
    plan = replace(build.plan, failure="head_drained", failure_seconds=2)
    check = document_of(build, build.evidence(undone=1004.0), plan)
    assert "after 3.0 s, counted from when the failure was undone" in promise.sentence(check)
    assert 'All is back<tspan class="minor"> +5.0 s<' in html.page(check)
    assert ["Undone", "after 2 s"] in tables.tested(check).rows


def test_hostile_text_stays_text(build):
    hostile = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
    names = {"name": hostile, "namespace": hostile, "load": [build.entry(hostile)]}
    faults = {number: {"error": hostile, "replica": hostile, "node": hostile} for number in range(101)}
    evidence = build.evidence(faults={number: {**values, "entry": hostile} for number, values in faults.items()})
    check = document_of(build, evidence, replace(build.plan, **names), target=hostile)
    page = Page(html.page(check | {"notes": [{"seconds": 1.0, "text": hostile}]}))
    assert not {"script", "img"} & {tag for tag, _attributes in page.seen}
    assert page.text.count(hostile) > 40


def test_the_worst_ten_in_order(build):
    faults = {number: {"status": 500, "latency": float(number)} for number in range(30, 50)}
    check = document_of(build, build.evidence(faults={**faults, 60: {"latency": 99000.0}}))
    shown = tables.worst(check)
    assert shown.title == "Failed and slow requests (the worst 10 of 21; all are in the JSON)"
    # Failed ones first, those that took longest at the top; no column for what none of them has.
    took = shown.heads.index("took, ms|n")
    assert [row[took] for row in shown.rows] == [str(number) for number in range(49, 39, -1)]
    assert "longest gap, ms|n" not in shown.heads
    assert [row[shown.heads.index("machine waited for CPU|n")] for row in shown.rows] == ["10%"] * 10


def document_of(build, evidence, plan=None, target="http://x") -> dict:
    plan = plan or build.plan
    return document.build(plan, evidence, judge(plan, evidence), SampleLog(plan.load, 10.0), target, True)
