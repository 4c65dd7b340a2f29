# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which troubles of a pod heal by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import pods as rules


def waiting(pod: dict[str, Any], reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    pod["status"]["containerStatuses"][0] |= {"ready": False, "state": {"waiting": {"reason": reason, "message": message}}} | more
    return pod


PULL = 'failed to pull and unpack image "x": failed to resolve reference "x": '
PULLS = {
    "not found": (PULL + "docker.io/library/x:1: not found", 0.0),
    "manifest unknown": (PULL + "unexpected status: manifest unknown", 0.0),
    "private or missing": (PULL + "pull access denied, repository does not exist or may require authorization", 0.0),
    "scope": (PULL + "server message: insufficient_scope: authorization failed", 0.0),
    "no registry on this machine": (PULL + 'Head "http://localhost/v2/x": dial tcp 127.0.0.1:80: connect: connection refused', 0.0),
    "no registry on this machine, IPv6": (PULL + 'Head "https://localhost/v2/x": dial tcp [::1]:443: connect: connection refused', 0.0),
    "no such registry": (PULL + "dial tcp: lookup registry.nowhere: no such host", 0.0),
    "wrong architecture": (PULL + "no match for platform in manifest", 0.0),
    "registry restarts": (PULL + "dial tcp 10.1.2.3:443: connect: connection refused", rules.PULL_PATIENCE),
    "resolver is slow": (PULL + "lookup registry-1.docker.io on 10.0.0.2:53: read udp: i/o timeout", rules.PULL_PATIENCE),
    "rate limit": (PULL + "429 Too Many Requests - toomanyrequests", rules.PULL_PATIENCE),
    "registry is ill": (PULL + "unexpected status: 503 Service Unavailable", rules.PULL_PATIENCE),
    "no message": ("", rules.PULL_PATIENCE),
}


@pytest.mark.parametrize(("message", "patience"), PULLS.values(), ids=PULLS)
def test_image_pull(head: dict[str, Any], message: str, patience: float) -> None:
    (finding,) = rules.findings([waiting(head, "ErrImagePull", message)])
    assert finding.patience == patience
    assert message in finding.text
    (later,) = rules.findings([waiting(head, "ImagePullBackOff", "Back-off pulling image")])
    assert later.key == finding.key


OTHERS = {
    "invalid name": ("InvalidImageName", "couldn't parse image reference", 0.0),
    "never pulled": ("ErrImageNeverPull", "Container image is not present with pull policy of Never", 0.0),
    "no secret": ("CreateContainerConfigError", 'secret "redis" not found', rules.CONFIG_PATIENCE),
}


@pytest.mark.parametrize(("reason", "message", "patience"), OTHERS.values(), ids=OTHERS)
def test_container_cannot_be_created(head: dict[str, Any], reason: str, message: str, patience: float) -> None:
    (finding,) = rules.findings([waiting(head, reason, message)])
    assert (finding.patience, message in finding.text) == (patience, True)


def crash(pod: dict[str, Any], count: int, node_type: str = "head") -> rules.Finding:
    pod["metadata"]["labels"]["ray.io/node-type"] = node_type
    ended = {"lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}, "restartCount": count}
    (finding,) = rules.findings([waiting(pod, "CrashLoopBackOff", "back-off 40s", **ended)])
    return finding


@pytest.mark.parametrize(("count", "node_type", "patience"), [(2, "head", None), (3, "head", 0.0), (9, "worker", None)])
def test_crashes(head: dict[str, Any], count: int, node_type: str, patience: float | None) -> None:
    finding = crash(head, count, node_type)
    assert finding.patience == patience
    assert f"{count} restarts, last exit code 1 (Error)" in finding.text
    assert finding.crashed == "ray-head"


def test_the_count_is_not_part_of_what_a_crash_is(head: dict[str, Any]) -> None:
    assert crash(head, 2).key == crash(head, 3).key


def test_a_container_that_came_back_is_well(head: dict[str, Any]) -> None:
    head["status"]["containerStatuses"][0] |= {"restartCount": 1, "lastState": {"terminated": {"exitCode": 137}}}
    assert rules.findings([head]) == []


def test_pods_that_leave_have_no_trouble(head: dict[str, Any]) -> None:
    head["metadata"]["deletionTimestamp"] = "2026-11-23T13:00:00Z"
    assert rules.findings([waiting(head, "InvalidImageName")]) == []
    assert not rules.is_ready(head)


def test_unschedulable_can_heal(head: dict[str, Any]) -> None:
    head["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}],
    }
    (finding,) = rules.findings([head])
    assert (finding.patience, "0/3 nodes are available" in finding.text) == (None, True)


def test_the_hopeless_come_first(head: dict[str, Any]) -> None:
    other = {"metadata": {"name": "a"}, "status": {"phase": "Failed", "reason": "Evicted", "message": "disk pressure"}}
    found = rules.findings([other, waiting(head, "InvalidImageName")])
    assert [one.patience for one in found] == [0.0, None]
    assert found[1].text == "pod a has failed: Evicted disk pressure"


LOG = """
[2026-11-23 13:19:25,788 C 1 1] (ray_init) redis_store_client.cc:141: Status not OK: RedisError: WRONGPASS invalid username-password pair

/opt/ray/bin/python3(PyObject_Call+0xb1) [0x56acf1] PyObject_Call
/opt/ray/bin/python3() [0x585ab4]
"""


def test_logs() -> None:
    assert "WRONGPASS" in rules.permanent_line(LOG)
    assert rules.last_lines(LOG) == rules.permanent_line(LOG)
    assert rules.permanent_line("Connection refused") == ""
    assert rules.last_lines("a\n\nb\nc\n", 2) == "b\nc"
    assert rules.is_passing("Exception: The current node timed out during startup. This could happen because")


def test_summary(head: dict[str, Any]) -> None:
    assert rules.summarize(head) == {
        "name": "mistral-mdpr9-head-fsgf9",
        "uid": "a319a007-1fc9-414c-9a27-af5f9c861f13",
        "node_type": "head",
        "ray_cluster": "mistral-mdpr9",
        "node": "node-3",
        "ip": "10.244.3.7",
        "phase": "Running",
        "ready": True,
        "restarts": 0,
        "deleting": False,
    }
    assert rules.summarize({"metadata": {"name": "a"}})["ready"] is False
