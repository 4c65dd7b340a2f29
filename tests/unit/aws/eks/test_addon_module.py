# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""eks_addon and eks_addon_info: what is wanted, what is done, what is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.modules import eks_addon_info

from ..conftest import four_steps
from .fake_addons import Addons, item, runner

ROLE = "arn:aws:iam::111122223333:role/"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def eks() -> Addons:
    return Addons()


@pytest.fixture
def run(run_aws_module: Run, eks: Addons) -> Run:
    return runner(run_aws_module, eks)


def test_twelve_steps(eks: Addons, run: Run) -> None:
    first = [
        item(
            configuration_values={"replicaCount": 2},
            pod_identity_associations=[{"service_account": "sa", "role_arn": ROLE + "a"}],
        ),
        item("vpc-cni", service_account_role_arn=ROLE + "cni"),
    ]
    tags = {"tags": {"rayops.serve_ha/deployment": "mistral"}}
    assert run(first, check=True)["addons"][0]["configuration_values"] == {"replicaCount": 2}
    # An unchanged one is described, and so is the one association.
    result = four_steps(run, eks, first, writes=["create_addon"] * 2, reads=3, **tags)
    assert set(result["diff"]["after"]) == {"coredns", "vpc-cni"} and result["diff"]["before"] == {}
    assert [addon["status"] for addon in result["addons"]] == ["ACTIVE", "ACTIVE"]
    assert result["addons"][0]["tags"] == tags["tags"]
    created = result["diff"]["after"]["coredns"]
    assert created["pod_identity_associations"] == {"sa": ROLE + "a"} and created["tags"] == tags["tags"]

    second = [
        item(
            addon_version="v1.11.4-eksbuild.10",
            configuration_values={"replicaCount": 3},
            pod_identity_associations=[{"service_account": "sa", "role_arn": ROLE + "b"}],
        ),
        item("vpc-cni", configuration_values={"env": {}}),
    ]
    updates = ["update_addon", "tag_resource", "untag_resource"]
    result = four_steps(run, eks, second, writes=updates * 2, reads=3, tags={"team": "ml"})
    assert result["diff"]["before"]["coredns"] == {
        "addon_version": "v1.11.4-eksbuild.2",
        "configuration_values": {"replicaCount": 2},
        "pod_identity_associations": {"sa": ROLE + "a"},
        "tags": {"rayops.serve_ha/deployment": "mistral"},
    }
    assert result["diff"]["after"]["vpc-cni"] == {"configuration_values": {"env": {}}, "tags": {"team": "ml"}}
    assert eks.addons["vpc-cni"]["serviceAccountRoleArn"] == ROLE + "cni"
    assert result["addons"][0]["addon_version"] == "v1.11.4-eksbuild.10"

    result = four_steps(run, eks, ["coredns", "vpc-cni"], writes=["delete_addon"] * 2, reads=2, state="absent")
    assert result["diff"]["before"]["coredns"]["addon_version"] == "v1.11.4-eksbuild.10"
    assert (result["diff"]["after"], result["addons"], eks.addons) == ({}, [], {})


@pytest.mark.parametrize(
    ("asked", "has", "becomes", "calls"),
    [
        ("latest", "v1.11.4-eksbuild.10", None, 3),
        ("default", "v1.11.4-eksbuild.2", None, 3),
        ("latest", "v1.11.4-eksbuild.2", "v1.11.4-eksbuild.10", None),
        ("default", "v1.9.3-eksbuild.10", "v1.11.4-eksbuild.2", None),
        ("", "v1.9.3-eksbuild.10", None, 1),
        (None, "v1.9.3-eksbuild.10", None, 1),
    ],
)
def test_version_rules(eks: Addons, run: Run, asked: Any, has: str, becomes: str | None, calls: int | None) -> None:
    eks.add("coredns", addonVersion=has)
    result = run([item(addon_version=asked)])
    assert result["changed"] == bool(becomes)
    assert result["addons"][0]["addon_version"] == (becomes or has)
    if calls:
        assert len(eks.calls) == calls


def test_the_cluster_is_asked_for_its_version_once_at_most(eks: Addons, run: Run) -> None:
    addons = [item(name, addon_version="latest") for name in ("coredns", "vpc-cni")]
    run(addons)
    assert [name for name, _parameters in eks.calls].count("describe_cluster") == 1
    assert eks.addons["vpc-cni"]["addonVersion"] == "v1.11.4-eksbuild.10"
    run(addons, kubernetes_version="1.34")
    assert "describe_cluster" not in [name for name, _parameters in eks.calls]


def test_check_mode_without_a_cluster(eks: Addons, run: Run) -> None:
    eks.cluster = False
    result = run([item(addon_version="latest", service_account_role_arn="")], check=True)
    assert (result["failed"], result["changed"], eks.written()) == (False, True, [])
    assert result["diff"]["after"]["coredns"]["addon_version"] == "latest"
    assert run(["coredns"], state="absent")["changed"] is False


def test_nothing_given_lets_all_be(eks: Addons, run: Run) -> None:
    eks.add(
        "coredns",
        addonVersion="v1",
        configurationValues="replicaCount: 2",
        serviceAccountRoleArn=ROLE + "a",
        podIdentityAssociations=["x/a-1"],
        tags={"a": "b"},
    )
    result = run(["coredns"])
    assert (result["changed"], len(eks.calls)) == (False, 1)
    assert result["addons"][0]["configuration_values"] == "replicaCount: 2"


def test_what_is_given_empty_is_removed(eks: Addons, run: Run) -> None:
    run([item(configuration_values={"a": 1}, pod_identity_associations=[{"service_account": "sa", "role_arn": "r"}])])
    eks.addons["coredns"]["serviceAccountRoleArn"] = ROLE + "a"
    result = run([item(configuration_values={}, pod_identity_associations=[], service_account_role_arn="")])
    assert result["changed"] and not result["failed"]
    addon = eks.addons["coredns"]
    assert addon["configurationValues"] == "{}" and addon["podIdentityAssociations"] == []
    assert "serviceAccountRoleArn" not in addon


def test_tags_are_kept_without_purge(eks: Addons, run: Run) -> None:
    eks.add("coredns", tags={"a": "1", "aws:x": "y"})
    result = run(["coredns"], tags={"b": "2"}, purge_tags=False)
    assert (result["changed"], eks.written()) == (True, ["tag_resource"])
    assert result["addons"][0]["tags"] == {"a": "1", "b": "2", "aws:x": "y"}
    run(["coredns"], tags={"b": "2"})
    assert eks.addons["coredns"]["tags"] == {"b": "2", "aws:x": "y"}


def test_each_add_on_once(run: Run, eks: Addons) -> None:
    result = run(["coredns", "vpc-cni", "coredns"])
    assert result["failed"] and result["msg"] == "addons: given more than once: coredns" and eks.calls == []


def test_no_add_ons(run: Run, eks: Addons) -> None:
    result = run([])
    assert (result["changed"], result["addons"], eks.calls) == (False, [], [])


def test_info(run_aws_module: Run, eks: Addons) -> None:
    def info(**params: Any) -> dict[str, Any]:
        return run_aws_module(eks_addon_info, {"eks": eks}, {"cluster_name": "mistral"} | params)

    eks.add("vpc-cni", configurationValues='{"env": {"A_B": "c"}}')
    eks.add("coredns")
    result = info()
    assert [addon["addon_name"] for addon in result["addons"]] == ["coredns", "vpc-cni"]
    assert result["addons"][1]["configuration_values"] == {"env": {"A_B": "c"}}
    assert "available_versions" not in result and not result["changed"]

    result = info(addon_names=["coredns", "other"], available_versions=True)
    assert [addon["addon_name"] for addon in result["addons"]] == ["coredns"]
    assert list(result["available_versions"]) == ["coredns", "other"]
    assert result["available_versions"]["coredns"][1] == {
        "addon_version": "v1.11.4-eksbuild.2",
        "default": True,
        "requires_configuration": False,
        "requires_iam_permissions": False,
    }
    eks.cluster = False
    assert "say for which kubernetes_version" in info(addon_names=["coredns"], available_versions=True)["msg"]
    assert info(addon_names=["coredns"], available_versions=True, kubernetes_version="1.34")["addons"] == []
