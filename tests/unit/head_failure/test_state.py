# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state


def test_parse_pod(build):
    got = state.parse_pod(build.pod("h1", "head", restarts=2))
    assert (got.uid, got.role, got.node, got.phase) == ("h1", "head", "node-1", "Running")
    assert got.ready and got.scheduled and got.started and not got.terminating
    assert got.restarts == {"ray-head": 2}
    assert (got.image, got.dashboard_port, got.trouble) == ("ray:1", 8265, "")


def test_parse_pod_that_has_just_been_created():
    got = state.parse_pod({"metadata": {"uid": "x", "name": "x"}, "spec": {"containers": [{"name": "c"}]}})
    assert not (got.ready or got.scheduled or got.started or got.terminating)


def test_restarts_are_those_of_the_container_with_ray(build):
    pod = build.pod("h1", "head", restarts=2)
    pod["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"reason": "OOMKilled"}}
    pod["status"]["containerStatuses"].insert(0, {"name": "autoscaler", "restartCount": 7, "lastState": {}})
    got = state.parse_pod(pod)
    assert (got.container, got.restarted, got.ip) == ("ray-head", 2, "ip-h1")
    assert got.last_ends == {"ray-head": "OOMKilled"}


def test_named_dashboard_port(build):
    pod = build.pod("h1", "head")
    pod["spec"]["containers"][0]["ports"] = [
        {"name": "serve", "containerPort": 8000},
        {"name": "dashboard", "containerPort": 9},
    ]
    assert state.parse_pod(pod).dashboard_port == 9


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ({}, ""),
        ({"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        (
            {
                "containerStatuses": [
                    {"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}}
                ]
            },
            "container c waiting: CrashLoopBackOff back-off",
        ),
        (
            {"initContainerStatuses": [{"name": "i", "state": {"terminated": {"reason": "Error"}}}]},
            "container i terminated: Error",
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
                ]
            },
            "PodScheduled is False: Unschedulable 0/3 nodes",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "memory"}, "Evicted memory"),
    ],
)
def test_pod_trouble(status, trouble):
    assert state.pod_trouble({"status": status}) == trouble


@pytest.mark.parametrize(
    ("answer", "running"),
    [
        ({}, False),
        ({"applications": {}}, False),
        ({"applications": {"a": {"status": "RUNNING", "deployments": {}}}}, True),
        ({"applications": {"a": {"status": "RUNNING", "deployments": {"D": {"status": "UPDATING"}}}}}, False),
        ({"applications": {"a": {"status": "DEPLOYING", "deployments": {"D": {"status": "HEALTHY"}}}}}, False),
        ({"applications": {"a": {"status": "RUNNING"}, "b": {"status": "UNHEALTHY"}}}, False),
    ],
)
def test_serve_running(answer, running):
    assert state.parse_serve(answer).running is running


def test_replicas_are_told_apart_by_their_actor(build):
    one, other = (state.parse_serve(build.serve_answer(actors)).replicas[0].identity for actors in (("a1",), ("a2",)))
    assert one == ("app", "D", "r1", "a1")
    assert one != other


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([{"port": 8265, "name": "dashboard"}, {"port": 9000, "name": "serve"}], 9000),
        ([{"port": 80, "name": "http"}, {"port": 443, "name": "https"}], 80),
        ([{"port": 5000}], 5000),
        ([{"port": 1}, {"port": 8000}], 8000),
        ([{"port": 1}, {"port": 2}], None),
        ([], None),
    ],
)
def test_serve_port(ports, expected):
    assert state.serve_port({"spec": {"ports": ports}}) == expected


@pytest.mark.parametrize(
    ("heads", "problem"),
    [
        ([("h1", {})], ""),
        ([], "there must be exactly one head pod, found 0: none"),
        ([("h1", {}), ("h2", {})], "found 2: svc-head-h1, svc-head-h2"),
        ([("h1", {"ready": False})], "the head pod svc-head-h1 is not Ready"),
        ([("h1", {"terminating": True})], "is being deleted already"),
    ],
)
def test_head_problem(build, heads, problem):
    got = state.head_problem(tuple(state.parse_pod(build.pod(uid, "head", **values)) for uid, values in heads))
    assert problem in got
    assert bool(got) == bool(problem)


@pytest.mark.parametrize(
    ("rayservice", "expected"),
    [
        (
            {"metadata": {}, "spec": {"rayClusterConfig": {"gcsFaultToleranceOptions": {"redisAddress": "r:6379"}}}},
            True,
        ),
        ({"metadata": {"annotations": {"ray.io/ft-enabled": "true"}}, "spec": {}}, True),
        ({"metadata": {"annotations": {"ray.io/ft-enabled": "false"}}, "spec": {"rayClusterConfig": {}}}, False),
        ({"metadata": {}}, False),
    ],
)
def test_fault_tolerant(rayservice, expected):
    assert state.fault_tolerant(rayservice) is expected
