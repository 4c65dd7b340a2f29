# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions about add-ons, by tables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks import addon


def option(**values: Any) -> dict[str, Any]:
    return {
        "addon_version": None,
        "configuration_values": None,
        "service_account_role_arn": None,
        "pod_identity_associations": None,
        "resolve_conflicts": "OVERWRITE",
    } | values


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (None, {}),
        ("", {}),
        ('{"replicaCount": 2}', {"replicaCount": 2}),
        ('{"a": {"b": ["c"]}}', {"a": {"b": ["c"]}}),
        ("replicaCount: 2", "replicaCount: 2"),
    ],
)
def test_configuration_is_data(text: str | None, data: Any) -> None:
    assert addon.configuration(text) == data


def test_values_of_a_description() -> None:
    described = {
        "addonName": "vpc-cni",
        "addonVersion": "v1.20.0-eksbuild.1",
        "configurationValues": '{"env": {}}',
        "podIdentityAssociations": ["arn:..."],
    }
    assert addon.values_of(described, {"aws-node": "arn:role"}) == {
        "addon_version": "v1.20.0-eksbuild.1",
        "configuration_values": {"env": {}},
        "service_account_role_arn": "",
        "pod_identity_associations": {"aws-node": "arn:role"},
    }


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, None),
        ({"pod_identity_associations": []}, {}),
        ({"pod_identity_associations": [{"service_account": "a", "role_arn": "r"}]}, {"a": "r"}),
    ],
)
def test_wanted_associations(given: dict[str, Any], wanted: Any) -> None:
    assert addon.wanted_values(option(**given), None)["pod_identity_associations"] == wanted


@pytest.mark.parametrize(
    ("values", "request_"),
    [
        ({}, {}),
        ({"addon_version": "v1"}, {"addonVersion": "v1"}),
        ({"configuration_values": {}}, {"configurationValues": "{}"}),
        ({"configuration_values": {"b": 1, "a": True}}, {"configurationValues": '{"a": true, "b": 1}'}),
        ({"service_account_role_arn": "arn:role"}, {"serviceAccountRoleArn": "arn:role"}),
        ({"service_account_role_arn": ""}, {}),
        ({"pod_identity_associations": {}}, {"podIdentityAssociations": []}),
        (
            {"pod_identity_associations": {"a": "r"}},
            {"podIdentityAssociations": [{"serviceAccount": "a", "roleArn": "r"}]},
        ),
    ],
)
def test_request(values: dict[str, Any], request_: dict[str, Any]) -> None:
    assert addon.request(values, "NONE") == request_ | {"resolveConflicts": "NONE"}


@pytest.mark.parametrize(
    ("current_role", "changed", "sent"),
    [
        ("arn:old", {"addon_version": "v2"}, "arn:old"),
        ("arn:old", {"service_account_role_arn": "arn:new"}, "arn:new"),
        ("arn:old", {"service_account_role_arn": ""}, ""),
        ("", {"addon_version": "v2"}, ""),
    ],
)
def test_the_service_account_role_goes_with_every_update(current_role: str, changed: dict[str, Any], sent: str) -> None:
    assert addon.update_values({"service_account_role_arn": current_role}, changed) == changed | {
        "service_account_role_arn": sent
    }


@pytest.mark.parametrize(
    ("status", "codes", "end"),
    [
        ("CREATING", [], ""),
        ("CREATING", ["AccessDenied"], ""),
        ("UPDATING", [], ""),
        ("DELETING", [], ""),
        ("ACTIVE", [], "ready"),
        ("CREATE_FAILED", [], "failed"),
        ("UPDATE_FAILED", [], "failed"),
        ("DELETE_FAILED", [], "failed"),
        ("DEGRADED", [], "failed"),
        ("DEGRADED", ["AccessDenied"], "failed"),
        ("DEGRADED", ["InsufficientNumberOfReplicas"], ""),
        ("DEGRADED", ["InsufficientNumberOfReplicas", "InsufficientNumberOfReplicas"], ""),
        ("DEGRADED", ["InsufficientNumberOfReplicas", "AccessDenied"], "failed"),
        ("SOMETHING_NEW", [], "failed"),
    ],
)
def test_judge(status: str, codes: list[str], end: str) -> None:
    issues = [{"code": code, "message": "why"} for code in codes]
    seen = addon.judge({"status": status, "health": {"issues": issues}})
    assert seen.end == end
    assert seen.text.startswith(status)
    assert all(f"{code}: why" in seen.text for code in codes)
    assert ("state absent" in seen.text) == (status in ("CREATE_FAILED", "DELETE_FAILED"))


def version(name: str, **default: bool) -> dict[str, Any]:
    """A version for the Kubernetes versions in C(default); the value says whether it is the default there."""
    return {
        "addonVersion": name,
        "compatibilities": [
            {"clusterVersion": kubernetes.replace("k", "1."), "defaultVersion": value}
            for kubernetes, value in default.items()
        ],
    }


OFFERED = [
    {
        "addonName": "coredns",
        "addonVersions": [
            version("v1.9.3-eksbuild.10", k33=False, k34=False),
            version("v1.11.4-eksbuild.2", k33=True, k34=False),
            version("v1.11.4-eksbuild.10", k34=True),
            version("v1.12.0-eksbuild.1", k35=True),
        ],
    }
]


def test_offers_are_those_for_that_kubernetes_newest_first() -> None:
    offered = [(offer["addon_version"], offer["default"]) for offer in addon.offers(OFFERED, "1.34")]
    assert offered == [("v1.11.4-eksbuild.10", True), ("v1.11.4-eksbuild.2", False), ("v1.9.3-eksbuild.10", False)]
    assert addon.offers([], "1.34") == addon.offers(OFFERED, "1.20") == []


@pytest.mark.parametrize(
    ("rule", "kubernetes", "chosen"),
    [
        ("latest", "1.33", "v1.11.4-eksbuild.2"),
        ("default", "1.33", "v1.11.4-eksbuild.2"),
        ("latest", "1.34", "v1.11.4-eksbuild.10"),
        ("latest", "1.35", "v1.12.0-eksbuild.1"),
    ],
)
def test_choose(rule: str, kubernetes: str, chosen: str) -> None:
    assert addon.choose(rule, "coredns", kubernetes, addon.offers(OFFERED, kubernetes)) == chosen


def test_choose_says_what_aws_does_not_have() -> None:
    with pytest.raises(AnsibleAWSError, match="no latest version of add-on coredn for Kubernetes 1.34"):
        addon.choose("latest", "coredn", "1.34", [])


def test_result_keeps_the_words_of_configuration_and_tags() -> None:
    described = {
        "addonName": "vpc-cni",
        "configurationValues": '{"enableNetworkPolicy": "true"}',
        "tags": {"MyTeam": "A"},
        "health": {"issues": []},
    }
    assert addon.addon_result(described) == {
        "addon_name": "vpc-cni",
        "configuration_values": {"enableNetworkPolicy": "true"},
        "tags": {"MyTeam": "A"},
        "health": {"issues": []},
    }
