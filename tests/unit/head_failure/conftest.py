# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builders of the objects that the check reads, as short as they may be."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.evidence import Evidence, Plan, Round
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import Beat, Sample


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory, monkeypatch):
    """Where the key of this machine is kept, which is nobody's yet."""
    home = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    return home


def pod(
    uid,
    role="worker",
    ready=True,
    restarts=0,
    scheduled=True,
    started=True,
    terminating=False,
    waiting=None,
    node="node-1",
):
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
        "spec": {"nodeName": node if scheduled else None, "containers": [{"name": container, "image": "ray:1"}]},
        "status": {
            "phase": "Running" if started else "Pending",
            "podIP": f"ip-{uid}",
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
        {
            "replica_id": f"r{number}",
            "actor_id": actor,
            "state": "RUNNING",
            "pid": 10 + number,
            "node_id": f"n{number}",
            "node_ip": f"ip-w{number}",
        }
        for number, actor in enumerate(actors, 1)
    ]
    return {
        "applications": {"app": {"status": status, "deployments": {"D": {"status": deployment, "replicas": replicas}}}}
    }


def snapshot(head="h1", workers=("w1", "w2"), restarts=0, actors=("a1", "a2"), more=(), **values):
    """A Snapshot of a service in its best state, but for what is given. more: workers besides."""
    return state.Snapshot(
        **{
            "service_uid": "s1",
            "cluster_name": "svc-abcde",
            "cluster_uid": "c1",
            "heads": (state.parse_pod(pod(head, "head")),),
            "workers": (*(worker(uid, restarts=restarts) for uid in workers), *more),
            "serve": state.parse_serve(serve_answer(actors)),
            **values,
        }
    )


def head(uid, **values):
    return state.parse_pod(pod(uid, "head", **values))


def worker(uid, **values):
    return state.parse_pod(pod(uid, **values))


def entry(name="short", **values):
    """An entry of the load as the module hands it on: 10 requests a second, a new connection each."""
    return {
        "name": name,
        "path": "/infer?sentence=x",
        "method": "GET",
        "body": None,
        "headers": None,
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
    failure="head_deleted",
    failure_commands=None,
    failure_seconds=0,
    repeat=1,
    load=[entry()],
    baseline_seconds=2,
    stability_seconds=3,
    recovery_timeout=60,
    head_timeout=None,
    max_failed_requests=0,
    failed_within=None,
    max_slow_requests=None,
    max_p99_ratio=None,
)


def a_round(**values):
    """A head that was deleted at 1002 and back at 1007."""
    return Round(
        **{
            "before": snapshot(),
            "after": snapshot(head="h2"),
            "struck": 1002.0,
            "recovered": 1007.0,
            "head_back": 1006.0,
            "ended": 1010.0,
            "done": ("pod svc-head-h1 deleted",),
            "transitions": {"struck": 1002.0, "old_head_gone": 1004.0},
            **values,
        }
    )


OF_EVIDENCE = {field.name for field in fields(Evidence)} - {"before"}


def evidence(faults=None, **values):
    """Ten requests a second from 1000 to 1010, with one round. faults: number to sample values.

    values: of Evidence, and of the round; C(struck=None) for a check without a failure.
    """
    samples = tuple(sample(number, 1000 + number / 10, **(faults or {}).get(number, {})) for number in range(101))
    of_round = {name: value for name, value in values.items() if name not in OF_EVIDENCE}
    rounds = () if values.get("struck", 0) is None else (a_round(**of_round),)
    return Evidence(
        **{
            "before": values.get("before", snapshot()),
            "rounds": rounds,
            "ended": 1010.0,
            "begun": 101,
            "unknown": 0,
            "silent": 0.2,
            "samples": samples,
            "beats": tuple(beat(1000.25 + number / 2) for number in range(20)),
            **{name: value for name, value in values.items() if name in OF_EVIDENCE},
        }
    )


def starved(begin=1004.0, end=1006.0):
    """Beats of a machine without a free processor in that time."""
    ats = (1000.0 + number / 2 for number in range(1, 21))
    return tuple(beat(at, pressure=0.95 if begin < at <= end else 0.3) for at in ats)


def beat(at, cpu=0.02, lag=1.5, begun=(), pressure=0.1):
    return Beat(at, cpu, lag, begun, pressure)


@pytest.fixture
def build():
    """The builders above."""
    return SimpleNamespace(
        pod=pod,
        serve_answer=serve_answer,
        snapshot=snapshot,
        head=head,
        worker=worker,
        entry=entry,
        sample=sample,
        a_round=a_round,
        evidence=evidence,
        beat=beat,
        starved=starved,
        plan=PLAN,
    )
