# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builders of the objects that the check reads, as short as they may be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import Evidence, Plan
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import Beat, Sample


def pod(uid, role="worker", ready=True, restarts=0, scheduled=True, started=True, terminating=False, waiting=None):
    """A Pod object of the API."""
    container = f"ray-{role}"
    running = (
        {"waiting": waiting}
        if waiting
        else {"running": {}}
        if started
        else {"waiting": {"reason": "ContainerCreating"}}
    )
    metadata = {"uid": uid, "name": f"svc-{role}-{uid}", "labels": {"ray.io/node-type": role}, "resourceVersion": "1"}
    if terminating:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {
        "metadata": metadata,
        "spec": {"nodeName": "node-1" if scheduled else None, "containers": [{"name": container, "image": "ray:1"}]},
        "status": {
            "phase": "Running" if started else "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "True" if scheduled else "False"},
                {"type": "Ready", "status": "True" if ready else "False"},
            ],
            "containerStatuses": [{"name": container, "restartCount": restarts, "state": running}] if scheduled else [],
        },
    }


def serve_answer(actors=("a1", "a2"), status="RUNNING", deployment="HEALTHY"):
    """The dashboard's answer with one application, one deployment and these actors."""
    replicas = [
        {"replica_id": f"r{number}", "actor_id": actor, "state": "RUNNING", "pid": 10 + number, "node_id": f"n{number}"}
        for number, actor in enumerate(actors, 1)
    ]
    return {
        "applications": {"app": {"status": status, "deployments": {"D": {"status": deployment, "replicas": replicas}}}}
    }


def snapshot(head="h1", workers=("w1", "w2"), restarts=0, actors=("a1", "a2"), **values):
    """A Snapshot of a service in its best state, but for what is given."""
    return state.Snapshot(
        **{
            "service_uid": "s1",
            "cluster_name": "svc-abcde",
            "cluster_uid": "c1",
            "heads": (state.parse_pod(pod(head, "head")),),
            "workers": tuple(state.parse_pod(pod(uid, restarts=restarts)) for uid in workers),
            "serve": state.parse_serve(serve_answer(actors)),
            **values,
        }
    )


def entry(name="short", **values):
    """An entry of the load as the module hands it on: 10 requests a second, a new connection each."""
    return {
        "name": name,
        "path": "/infer?sentence=x",
        "method": "GET",
        "body": None,
        "stream": False,
        "rate": None if values.get("users") else 10.0,
        "users": None,
        "think_seconds": 1.0,
        "connection": "new",
        "request_timeout": 5.0,
        "max_gap_seconds": 1.0,
        **values,
    }


def sample(number, due, **values):
    return Sample(
        **{
            "entry": "short",
            "number": number,
            "due": due,
            "late": 0.5,
            "latency": 20.0,
            "connect": 1.0,
            "age": 0.0,
            "status": 200,
            "error": "",
            "replica": "r1",
            "node": "node-1",
            "first": None,
            "gap": None,
            "repeated": False,
            **values,
        }
    )


PLAN = Plan(
    name="svc",
    namespace="ns",
    method="graceful",
    load=[entry()],
    baseline_seconds=2,
    stability_seconds=3,
    recovery_timeout=60,
    max_failed_requests=0,
)


def evidence(faults=None, **values):
    """Ten requests a second from 1000 to 1010, the head deleted at 1002, back at 1007. faults: number to sample values."""
    samples = tuple(sample(number, 1000 + number / 10, **(faults or {}).get(number, {})) for number in range(101))
    return Evidence(
        **{
            "before": snapshot(),
            "after": snapshot(head="h2"),
            "deleted": 1002.0,
            "recovered": 1007.0,
            "ended": 1010.0,
            "begun": 101,
            "unknown": 0,
            "silent": 0.2,
            "samples": samples,
            "beats": tuple(Beat(1000.25 + number / 2, 0.02, 1.5, (number * 5,)) for number in range(20)),
            **values,
        }
    )


@pytest.fixture
def build():
    """The builders above."""
    return SimpleNamespace(
        pod=pod,
        serve_answer=serve_answer,
        snapshot=snapshot,
        entry=entry,
        sample=sample,
        evidence=evidence,
        plan=PLAN,
    )
