# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a removal knows: the UIDs whose keys to look for in Redis, and the pods that nobody will ever end."""

from __future__ import annotations

from typing import Any

import pytest


def cluster(uid: str, **options: Any) -> dict[str, Any]:
    volumes = [
        {"name": "app", "configMap": {"name": "app"}},
        {"name": "redis-ca", "configMap": {"name": "mistral-redis-ca-0123456789"}},
    ]
    head = {"template": {"spec": {"containers": [{"image": "ray:1"}], "volumes": volumes}}}
    spec = {"headGroupSpec": head} | ({"gcsFaultToleranceOptions": options} if options else {})
    return {"metadata": {"uid": uid, "name": f"mistral-{uid}"}, "spec": spec}


def node(name: str, ready: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def pod(name: str, on: str | None) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"nodeName": on} if on else {}}


PASSWORD = {"valueFrom": {"secretKeyRef": {"name": "mistral-redis", "key": "password"}}}
FOUND = [
    cluster("b", redisAddress="redis://r:1", redisPassword=PASSWORD, redisUsername={"value": "ray"}),
    cluster("c"),
]


def test_note_of_what_is_there(render: Any) -> None:
    found = {"ray_service__clusters_info": {"resources": FOUND}, "ray_service__note_info": {"resources": []}}
    note = render("ray_service__note_object", **found)["data"]
    assert note == {
        "uids": "b",
        "address": "redis://r:1",
        "username": "ray",
        "secret": "mistral-redis",
        "ca": "mistral-redis-ca-0123456789",
        "image": "ray:1",
    }
    assert render("ray_service__redis_look", **found) == note


def test_interrupted_removal_remembers(render: Any) -> None:
    note = {"data": {"uids": "a b", "address": "redis://r:1", "username": "", "secret": "", "image": "ray:1"}}
    found = {"ray_service__clusters_info": {"resources": FOUND}, "ray_service__note_info": {"resources": [note]}}
    assert render("ray_service__uids", **found) == ["a", "b"]
    assert render("ray_service__uids_gone", **found) == ["a", "b"]
    assert render("ray_service__uids_gone", **found, ansible_check_mode=True) == ["a"]
    gone = found | {"ray_service__clusters_info": {"resources": []}}
    assert render("ray_service__uids", **gone) == ["a", "b"]
    assert render("ray_service__redis_look", **gone) == note["data"]


def test_without_fault_tolerance_there_is_nothing_to_look_for(render: Any) -> None:
    found = {"ray_service__clusters_info": {"resources": [cluster("c")]}, "ray_service__note_info": {"resources": []}}
    assert render("ray_service__uids", **found) == []


def test_lost_pods(render: Any) -> None:
    nodes = [node("alive", "True"), node("sick", "False"), node("silent", "Unknown")]
    pods = [pod("a", "alive"), pod("b", "sick"), pod("c", "silent"), pod("d", "gone"), pod("e", None)]
    lost = render(
        "ray_service__lost_pods",
        ray_service__nodes_info={"resources": nodes},
        ray_service__pods_info={"resources": pods},
    )
    assert [p["metadata"]["name"] for p in lost] == ["c", "d"]


REFERENCE = {"valueFrom": {"secretKeyRef": {"name": "mistral-hf-token", "key": "token"}}}
SECRETS = {"resources": [{"metadata": {"name": name}} for name in ("mistral-redis", "mistral-hf-token", "mistral-other")]}
REDIS = {"address": "redis://r:1"}


@pytest.mark.parametrize(
    ("given", "dropped"),
    [
        ({}, ["mistral-redis", "mistral-hf-token"]),
        ({"ray_service_redis": REDIS, "ray_service_redis_password": "x"}, ["mistral-hf-token"]),
        # Without fault tolerance no password is used.
        ({"ray_service_redis_password": "x", "ray_service_hf_token": "x"}, ["mistral-redis"]),
        ({"ray_service_redis": REDIS | {"password_secret": {"name": "x"}}, "ray_service_hf_token_secret": {"name": "x"}}, []),
    ],
)
def test_secrets_of_before(render: Any, given: dict[str, Any], dropped: list[str]) -> None:
    objects = render("ray_service__secrets_not_asked_for", ray_service__secrets_info=SECRETS, **given)
    assert [one["metadata"] for one in objects] == [{"namespace": "mistral", "name": name} for name in dropped]
    assert render("ray_service__secrets_not_asked_for", ray_service__secrets_info={"resources": []}, **given) == []


@pytest.mark.parametrize(
    ("clusters", "in_use"),
    [
        ([], []),
        # The authorities of Redis have a name that begins like its password's.
        ([cluster("a", redisAddress="redis://r:1")], []),
        ([cluster("a", redisAddress="redis://r:1", redisPassword=PASSWORD), cluster("b")], ['"mistral-redis"']),
        ([cluster("a", env=[REFERENCE])], ['"mistral-hf-token"']),
    ],
)
def test_secrets_that_an_old_cluster_uses(render: Any, clusters: list[Any], in_use: list[str]) -> None:
    found = {"ray_service__secrets_info": SECRETS, "ray_service__clusters_info": {"resources": clusters}}
    assert render("ray_service__secrets_in_use", **found) == in_use
