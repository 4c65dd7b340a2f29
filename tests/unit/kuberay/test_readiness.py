# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a RayService is ready, and when it is beyond help."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.readiness import (
    Assessment,
    assess,
    cluster_of,
    missing_replicas,
    parse_serve_config,
    shorten,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.summary import summarize


def change(target: dict[str, Any], path: str, value: Any) -> None:
    """Set a value at a path of keys joined by "/"; C(None) removes it."""
    *parents, last = path.split("/")
    for key in parents:
        target = target[int(key)] if isinstance(target, list) else target.setdefault(key, {})
    if value is None:
        target.pop(last)
    else:
        target[last] = value


READY, UPGRADE = "status/conditions/0/", "status/conditions/1/"
ACTIVE = "status/activeServiceStatus/"
APP = ACTIVE + "applicationStatuses/mistral/"

NOT_READY = {
    "spec not observed": ({"metadata/generation": 5}, "generation 5, seen 4"),
    "never observed": ({"status/observedGeneration": None}, "seen none"),
    "no status at all": ({"status": {}}, "no RayCluster is active"),
    "Ready false": ({READY + "status": "False", READY + "reason": "ZeroServeEndpoints"}, "Ready is False (ZeroServeEndpoints)"),
    "an upgrade": ({UPGRADE + "status": "True", UPGRADE + "reason": "BothActivePendingClustersExist"}, "upgrade is in progress"),
    "a pending cluster": ({"status/pendingServiceStatus/rayClusterName": "mistral-zzzzz"}, "RayCluster mistral-zzzzz is pending"),
    "no active cluster": ({ACTIVE + "rayClusterName": ""}, "no RayCluster is active"),
    "no applications, as while the head is away": ({ACTIVE + "applicationStatuses": {}}, "no application is reported"),
    "another application only": ({ACTIVE + "applicationStatuses": {"other": {"status": "RUNNING"}}}, "mistral is not reported"),
    "deploying": ({APP + "status": "DEPLOYING"}, "application mistral is DEPLOYING"),
    "unhealthy heals": ({APP + "status": "UNHEALTHY"}, "application mistral is UNHEALTHY"),
    "a deployment updates": (
        {APP + "serveDeploymentStatuses": {"Mistral": {"status": "UPDATING", "message": "1 of 2"}}},
        "deployment Mistral of application mistral is UPDATING: 1 of 2",
    ),
    "one endpoint": ({"status/numServeEndpoints": 1}, "1 of at least 2 serve endpoints"),
    "no endpoints said": ({"status/numServeEndpoints": None}, "0 of at least 2 serve endpoints"),
    "on its way out": ({"metadata/deletionTimestamp": "2026-11-23T13:00:00Z"}, "being deleted"),
    "a config that is no YAML": ({"spec/serveConfigV2": "a: ["}, "serveConfigV2 is not YAML"),
}


@pytest.mark.parametrize(("changes", "reason"), NOT_READY.values(), ids=NOT_READY)
def test_not_ready(rayservice: dict[str, Any], changes: dict[str, Any], reason: str) -> None:
    for path, value in changes.items():
        change(rayservice, path, value)
    verdict = assess(rayservice)
    assert not verdict.ready
    assert not verdict.terminal
    assert reason in "\n".join(verdict.reasons)


def test_ready(rayservice: dict[str, Any]) -> None:
    assert assess(rayservice) == Assessment(ready=True, terminal=False, reasons=[])


def test_counted_endpoints_go_before_the_operators_count(rayservice: dict[str, Any]) -> None:
    assert not assess(rayservice, endpoints=1).ready
    change(rayservice, "status/numServeEndpoints", 0)
    assert assess(rayservice, endpoints=2).ready


def fail_validation(rayservice: dict[str, Any], condition: int | None, status: int | None) -> None:
    ready = rayservice["status"]["conditions"][0]
    ready |= {"status": "False", "reason": "ValidationFailed", "message": "no such field", "observedGeneration": condition}
    rayservice["status"]["observedGeneration"] = status


@pytest.mark.parametrize(
    ("condition", "status", "terminal"),
    [(4, 4, True), (None, None, True), (3, 3, True), (3, 4, False), (None, 4, False)],
    ids=["observed", "a new object", "spoilt by a new spec", "mended", "mended before anything was observed"],
)
def test_validation(rayservice: dict[str, Any], condition: int | None, status: int | None, terminal: bool) -> None:
    fail_validation(rayservice, condition, status)
    verdict = assess(rayservice)
    assert verdict.terminal is terminal
    assert not verdict.ready
    if terminal:
        assert verdict.reasons == ["ValidationFailed: no such field"]


def test_initializing_timeout_is_for_ever(rayservice: dict[str, Any]) -> None:
    fail_validation(rayservice, 3, 4)
    rayservice["status"]["conditions"][0]["reason"] = "InitializingTimeout"
    assert assess(rayservice).terminal


TRACEBACK = "Traceback (most recent call last):\n" + '  File "x.py", line 1, in f\n' * 2000 + "ModuleNotFoundError: No module named 'nowhere'"


def test_deploy_failed_keeps_the_exception(rayservice: dict[str, Any]) -> None:
    change(rayservice, APP + "status", "DEPLOY_FAILED")
    change(rayservice, APP + "message", TRACEBACK)
    verdict = assess(rayservice)
    assert verdict.terminal
    assert verdict.reasons[0].startswith("application mistral is DEPLOY_FAILED: Traceback")
    assert verdict.reasons[0].endswith("No module named 'nowhere'")
    assert len(verdict.reasons[0]) < 7000


def test_deploy_failed_without_a_message_takes_the_deployments(rayservice: dict[str, Any]) -> None:
    change(rayservice, APP + "status", "DEPLOY_FAILED")
    change(rayservice, APP + "serveDeploymentStatuses", {"Mistral": {"status": "UNHEALTHY", "message": "no memory"}})
    assert assess(rayservice).reasons == ["application mistral is DEPLOY_FAILED: Mistral: no memory"]


def test_an_old_specs_failure_is_not_the_end(rayservice: dict[str, Any]) -> None:
    change(rayservice, APP + "status", "DEPLOY_FAILED")
    change(rayservice, "metadata/generation", 5)
    assert not assess(rayservice).terminal


def test_the_frozen_applications_of_the_active_cluster_do_not_count_in_an_upgrade(rayservice: dict[str, Any]) -> None:
    change(rayservice, APP + "status", "DEPLOY_FAILED")
    pending = {"rayClusterName": "mistral-zzzzz", "applicationStatuses": {"mistral": {"status": "DEPLOYING"}}}
    change(rayservice, "status/pendingServiceStatus", pending)
    assert not assess(rayservice).terminal
    assert cluster_of(rayservice) == "mistral-zzzzz"
    pending["applicationStatuses"]["mistral"]["status"] = "DEPLOY_FAILED"
    assert assess(rayservice).terminal


CONFIGS = {
    "nothing": ("", (), 1),
    "no name": ("applications: [{import_path: a:b}]", ("default",), 1),
    "one a node": ("applications: [{name: a, deployments: [{num_replicas: 3, max_replicas_per_node: 1}, {num_replicas: 5}]}]", ("a",), 3),
    "two a node": ("applications: [{name: a, deployments: [{num_replicas: 4, max_replicas_per_node: 2}]}]", ("a",), 1),
    "auto": (
        "applications: [{name: a, deployments: [{num_replicas: auto, max_replicas_per_node: 1, autoscaling_config: {min_replicas: 2}}]}]",
        ("a",),
        2,
    ),
    "auto without numbers": ("applications: [{name: a, deployments: [{num_replicas: auto, max_replicas_per_node: 1}]}]", ("a",), 1),
    "two applications": (
        "applications: [{name: a, deployments: [{num_replicas: 2, max_replicas_per_node: 1}]}, {name: b}]",
        ("a", "b"),
        2,
    ),
}


@pytest.mark.parametrize(("text", "names", "endpoints"), CONFIGS.values(), ids=CONFIGS)
def test_serve_config(text: str, names: tuple[str, ...], endpoints: int) -> None:
    config = parse_serve_config(text)
    assert (config.applications, config.endpoints) == (names, endpoints)


@pytest.mark.parametrize(
    ("said", "states", "reason"),
    [
        ({"num_replicas": 2, "autoscaling_config": None}, ["RUNNING", "RUNNING"], None),
        ({"num_replicas": 2}, ["RUNNING", "STARTING"], "has 1 running replicas of at least 2"),
        ({"num_replicas": 1}, [], "has 0 running replicas of at least 1"),
        ({"autoscaling_config": {"min_replicas": 2}}, ["RUNNING"], "has 1 running replicas of at least 2"),
        ({"autoscaling_config": {"min_replicas": 0}}, [], None),
        ({"autoscaling_config": {}}, [], "has 0 running replicas of at least 1"),
        # Its code says it.
        ({}, [], None),
    ],
)
def test_replicas_that_run(rayservice: dict[str, Any], said: dict[str, Any], states: list[str], reason: str | None) -> None:
    config = {"applications": [{"name": "mistral", "deployments": [{"name": "Mistral"} | said]}]}
    change(rayservice, "spec/serveConfigV2", json.dumps(config))
    replicas = [{"replica_id": "x", "state": state} for state in states]
    served = {"applications": {"mistral": {"status": "RUNNING", "deployments": {"Mistral": {"replicas": replicas}}}}}
    assert missing_replicas(rayservice, served) == ([f"deployment Mistral of application mistral {reason}"] if reason else [])


@pytest.mark.parametrize("served", [{}, {"applications": {"mistral": {"status": "RUNNING"}}}])
def test_replicas_of_what_is_not_there(rayservice: dict[str, Any], served: dict[str, Any]) -> None:
    assert missing_replicas(rayservice, served) == ["deployment Mistral of application mistral has 0 running replicas of at least 2"]


@pytest.mark.parametrize("text", ["[1]", "applications: 3", "a: ["])
def test_serve_config_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="serveConfigV2"):
        parse_serve_config(text)


def test_shorten_keeps_both_ends() -> None:
    assert shorten("  abc ") == "abc"
    text = shorten("a" * 100 + "b" * 100, 40)
    assert text.startswith("a" * 10 + "\n[...]\n")
    assert text.endswith("b" * 30)


def test_summary(rayservice: dict[str, Any], head: dict[str, Any]) -> None:
    leaving = head | {"metadata": head["metadata"] | {"name": "old", "deletionTimestamp": "2026-11-23T13:00:00Z"}}
    summary = summarize(rayservice, [leaving, head])
    assert summary["ready"]
    assert summary["applications"] == {"mistral": "RUNNING"}
    assert summary["head"]["name"] == "mistral-mdpr9-head-fsgf9"
    assert [pod["ready"] for pod in summary["pods"]] == [False, True]
    assert (summary["ray_cluster"], summary["serve_service"], summary["nodes"]) == ("mistral-mdpr9", "mistral-serve-svc", ["node-3"])
