# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service in memory, and load on it, for the tests of a check."""

from __future__ import annotations

import json
import queue
import threading
from base64 import b64encode

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.lines import FIELDS, pack
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import LoadError
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Answer, ApiFailure

SERVE_CONFIG = "applications: [{name: app, deployments: [{name: D, num_replicas: 2, max_replicas_per_node: 1}]}]"


class FakeApi:
    """A cluster in memory with one RayService, whose pods come back under other names.

    A deleted head is gone and another one there at once; C(heads_left): for so many times. What a program in a pod does is
    to restart its container. redis: whether it answers; changes: what was done, (method, path, body).
    """

    def __init__(self, build):
        self.build = build
        self.pods_now = {uid: build.pod(uid, "head" if uid == "h1" else "worker") for uid in ("h1", "w1", "w2")}
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
        self.heads_left = 100
        self.redis = True
        self.secret = None
        self.nodes = []
        self.changes = []
        self.deployment = {
            "metadata": {"namespace": "kuberay", "name": "operator"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "operator"}},
                "template": {"spec": {"containers": [{"image": "operator:v1"}]}},
            },
        }
        self.events = queue.Queue()

    def find(self, path):
        name = path.rsplit("/", 1)[1]
        if "/secrets/" in path:
            return self.secret if path.endswith("-check") else None
        if "/rayservices/" in path:
            return self.rayservice
        if "/rayclusters/" in path:
            return {"metadata": {"uid": "c1"}}
        if "/services/" in path:
            return self.service if name == "svc-serve-svc" else None
        return next((pod for pod in self.pods_now.values() if pod["metadata"]["name"] == name), None)

    def get(self, path, **_query):
        items = (
            list(self.pods_now.values())
            if path.endswith("/pods")
            else [self.rayservice]
            if "rayservices" in path
            else []
        )
        return {"metadata": {"resourceVersion": "1"}, "items": items, "gitVersion": "v1.35.0"}

    def pods_of(self, _namespace, _ray_cluster):
        return list(self.pods_now.values())

    def once(self, _method, path, **_named):
        if path.endswith("api/jobs/") and not self.redis:
            raise ApiFailure("timed out")
        return Answer(
            200, {}, "success" if path.endswith("gcs_healthz") else json.dumps({**self.serve, "ray_version": "2.60.0"})
        )

    def lines(self, path, _query, _silence):
        while path.endswith("/pods"):
            yield self.events.get()
        threading.Event().wait(5)
        raise ApiFailure("quiet")

    def delete(self, path, body=None):
        if "/secrets/" in path:
            self.secret = None
            return
        self.changes.append(("DELETE", path, body))
        pod = next(pod for pod in self.pods_now.values() if path.endswith(pod["metadata"]["name"]))
        uid, role = pod["metadata"]["uid"], pod["metadata"]["labels"]["ray.io/node-type"]
        assert body["preconditions"] == {"uid": uid}
        self.happen("DELETED", uid, role)
        if role == "worker":
            self.serve = self.build.serve_answer(("a1", "a2", "a3"))
            self.happen("ADDED", "w3", role)
        elif self.heads_left:
            self.heads_left -= 1
            self.happen("ADDED", f"h{int(uid[1:]) + 1}", role)

    def execute(self, _namespace, pod, container, command, _seconds):
        assert (pod, container, command[:2]) == ("svc-head-h1", "ray-head", ["python3", "-c"])
        self.changes.append(("EXEC", pod, command[3:]))
        self.happen("MODIFIED", "h1", "head", restarts=1)

    def request(self, method, path, body, content_type=None):
        if path.endswith("/secrets"):
            self.secret = {"data": {key: b64encode(text.encode()) for key, text in body["stringData"].items()}}
            return
        assert (method, content_type) == ("PATCH", "application/merge-patch+json")
        self.changes.append((method, path, body))

    def pods(self, _namespace, _selector):
        return []

    def items(self, path, **_query):
        if path == "/api/v1/nodes" and not self.nodes:
            raise ApiFailure("forbidden", 403)
        return [self.deployment] if path.endswith("/deployments") else self.nodes

    def happen(self, kind, uid, role, **values):
        pod = self.build.pod(uid, role, **values)
        if kind == "DELETED":
            self.pods_now.pop(uid)
        else:
            self.pods_now[uid] = pod
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
        log.feed(json.dumps({"at": now, "cpu": 0.1, "lag": 1.0, "pressure": None, "begun": begun, "rows": rows}))
        return log

    def complete(self, moment, _patience):
        self.completed_until = moment
