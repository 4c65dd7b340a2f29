# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import queue
import threading
from dataclasses import replace

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import check
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.lines import FIELDS, pack
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import LoadError
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Answer, ApiFailure

SERVE_CONFIG = "applications: [{name: app, deployments: [{name: D, num_replicas: 2, max_replicas_per_node: 1}]}]"


class FakeApi:
    """A cluster in memory with one RayService. C(on_delete) tells what becomes of the head: a list of watch events."""

    def __init__(self, build):
        self.build = build
        self.pods = {uid: build.pod(uid, "head" if uid == "h1" else "worker") for uid in ("h1", "w1", "w2")}
        self.service = {"spec": {"ports": [{"name": "serve", "port": 8000}]}}
        self.rayservice = {
            "metadata": {"uid": "s1", "generation": 1, "resourceVersion": "1"},
            "spec": {
                "serveConfigV2": SERVE_CONFIG,
                "rayClusterConfig": {"gcsFaultToleranceOptions": {"redisAddress": "r:6379"}},
            },
            "status": {
                "observedGeneration": 1,
                "numServeEndpoints": 2,
                "conditions": [{"type": "Ready", "status": "True"}],
                "activeServiceStatus": {
                    "rayClusterName": "svc-abcde",
                    "applicationStatuses": {
                        "app": {"status": "RUNNING", "serveDeploymentStatuses": {"D": {"status": "HEALTHY"}}}
                    },
                },
            },
        }
        self.serve = build.serve_answer()
        self.on_delete = [("DELETED", "h1"), ("ADDED", "h2")]
        self.deleted = []
        self.events = queue.Queue()

    def find(self, path):
        name = path.rsplit("/", 1)[1]
        if "/rayservices/" in path:
            return self.rayservice
        if "/rayclusters/" in path:
            return {"metadata": {"uid": "c1"}}
        if "/services/" in path:
            return self.service if name == "svc-serve-svc" else None
        return next((pod for pod in self.pods.values() if pod["metadata"]["name"] == name), None)

    def get(self, path, **_query):
        items = (
            list(self.pods.values()) if path.endswith("/pods") else [self.rayservice] if "rayservices" in path else []
        )
        return {"metadata": {"resourceVersion": "1"}, "items": items}

    def pods_of(self, _namespace, _ray_cluster):
        return list(self.pods.values())

    def once(self, _method, path, **_named):
        return Answer(200, {}, "success" if path.endswith("gcs_healthz") else json.dumps(self.serve))

    def lines(self, path, _query, _silence):
        while path.endswith("/pods"):
            yield self.events.get()
        threading.Event().wait(5)
        raise ApiFailure("quiet")

    def delete(self, path, body=None):
        assert path == "/api/v1/namespaces/ns/pods/svc-head-h1"
        self.deleted.append(body)
        for kind, uid in self.on_delete:
            pod = self.build.pod(uid, "head")
            if kind == "DELETED":
                self.pods.pop(uid, None)
            else:
                self.pods[uid] = pod
            self.events.put(json.dumps({"type": kind, "object": pod}))


class FakeLoad:
    """Samples of a service that answers in 20 ms, made up when they are read; C(failing) tells which requests fail."""

    def __init__(self, load, clock, failing=lambda number: False, starts=True):
        self.load, self.clock, self.failing, self.starts = load, clock, failing, starts
        self.start_time = None
        self.completed_until = None

    def start(self):
        if not self.starts:
            raise LoadError("no such image")
        self.start_time = self.clock()

    @property
    def log(self):
        log, now = SampleLog(self.load, 1000.0), self.clock()
        log.feed(json.dumps({"hello": 1, "start": self.start_time}))
        begun = log.begun_until(now)
        values = {"entry": 0, "late": 1, "lat": 20, "conn": 1, "age": 0, "err": "", "replica": "", "node": ""}
        values |= {"first": None, "gap": None, "again": 0}
        rows = [
            {**values, "n": number, "due": number * 10.0, "status": 500 if self.failing(number) else 200}
            for number in range(begun[0])
        ]
        rows = pack([tuple(row[name] for name in FIELDS) for row in rows])
        log.feed(json.dumps({"at": now, "cpu": 0.1, "lag": 1.0, "begun": begun, "rows": rows}))
        return log

    def complete(self, moment, _patience):
        self.completed_until = moment


@pytest.fixture
def fake(build):
    return FakeApi(build)


@pytest.fixture
def cluster(fake):
    return Cluster(fake, "ns", "svc", patience=0)


@pytest.fixture
def plan(build):
    return replace(
        build.plan, load=[build.entry(rate=100.0)], baseline_seconds=0.3, stability_seconds=0.3, recovery_timeout=3
    )


def ready_of(cluster):
    return check.preconditions(cluster, "", "svc-serve-svc")


def run(plan, cluster, **load_values):
    clock = check.wall_clock()
    load = FakeLoad(plan.load, clock, **load_values)
    return check.Run(plan, cluster, ready_of(cluster), load, clock).execute(), load


def test_preconditions(cluster):
    ready = ready_of(cluster)
    assert ready.target == "http://svc-serve-svc.ns.svc:8000"
    assert ready.head.uid == "h1"
    assert ready.fault_tolerance is True
    assert ready.worker["metadata"]["uid"] == "w1"
    assert check.preconditions(cluster, "https://x/y", "svc-serve-svc").target == "https://x/y"


def spoil_status(fake, **values):
    fake.rayservice["status"].update(values)


REFUSALS = {
    "there is no RayService ns/svc": lambda fake: setattr(fake, "rayservice", None),
    "is not ready: ": lambda fake: spoil_status(fake, numServeEndpoints=1),
    "exactly one head pod, found 0": lambda fake: fake.pods.pop("h1"),
    "the head pod svc-head-h1 is not Ready": lambda fake: fake.pods.update(
        h1=fake.build.pod("h1", "head", ready=False)
    ),
    "there is no worker pod": lambda fake: [fake.pods.pop(uid) for uid in ("w1", "w2")],
    "worker svc-worker-w1 is not Ready": lambda fake: fake.pods.update(w1=fake.build.pod("w1", ready=False)),
    "dashboard does not answer": lambda fake: setattr(fake, "once", lambda *_, **__: Answer(200, {}, "<html>")),
    "Serve is not well: app DEPLOYING": lambda fake: setattr(
        fake, "serve", fake.build.serve_answer(status="DEPLOYING")
    ),
    "no port that serves": lambda fake: setattr(fake, "service", {"spec": {"ports": []}}),
}


@pytest.mark.parametrize(("words", "spoil"), REFUSALS.items(), ids=REFUSALS)
def test_refusals(fake, cluster, words, spoil):
    spoil(fake)
    with pytest.raises(check.Refusal) as caught:
        ready_of(cluster)
    assert words in str(caught.value)
    assert fake.deleted == []


def test_no_such_target(cluster):
    with pytest.raises(check.Refusal, match="there is no Service other"):
        check.preconditions(cluster, "", "other")


def test_without_fault_tolerance_it_goes_on(fake, cluster):
    del fake.rayservice["spec"]["rayClusterConfig"]
    assert ready_of(cluster).fault_tolerance is False


@pytest.mark.parametrize(("method", "grace"), [("graceful", {}), ("forced", {"gracePeriodSeconds": 0})])
def test_a_head_that_comes_back(fake, cluster, plan, method, grace):
    evidence, load = run(replace(plan, method=method), cluster)
    assert fake.deleted == [{"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "h1"}, **grace}]
    assert judge(plan, evidence).reasons == []
    assert evidence.after.heads[0].uid == "h2"
    assert evidence.recovered + plan.stability_seconds <= evidence.ended < evidence.recovered + 5
    assert load.completed_until == evidence.ended
    assert len(evidence.samples_of("baseline")) >= 25
    assert (evidence.unknown, evidence.silent) == (0, 0.0)


def test_a_head_that_stays_away(fake, cluster, plan):
    fake.on_delete = [("DELETED", "h1")]
    evidence, _load = run(replace(plan, recovery_timeout=1), cluster)
    assert evidence.recovered is None
    reasons = judge(plan, evidence).reasons
    assert any("no new head pod was created" in reason for reason in reasons)
    assert any("there are 0 new heads" in reason for reason in reasons)


def test_requests_that_fail_from_the_start_spare_the_head(fake, cluster, plan):
    evidence, _load = run(plan, cluster, failing=lambda number: number == 7)
    assert fake.deleted == []
    assert evidence.deleted is None
    assert "the head was left alone" in judge(plan, evidence).reasons[0]


def test_a_load_that_does_not_start_spares_the_head(fake, cluster, plan):
    with pytest.raises(LoadError, match="no such image"):
        run(plan, cluster, starts=False)
    assert fake.deleted == []
