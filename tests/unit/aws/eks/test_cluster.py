# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of clusters: what is asked for, what can change, and by which updates."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks import cluster as rules
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.lifecycle import missing, tidy

KEY = {"resources": ["secrets"], "provider": {"keyArn": "arn:key"}}
DESCRIBED = {
    "name": "mistral",
    "version": "1.31",
    "roleArn": "arn:role",
    "resourcesVpcConfig": {
        "subnetIds": ["subnet-b", "subnet-a"],
        "securityGroupIds": [],
        "clusterSecurityGroupId": "sg-of-eks",
        "endpointPublicAccess": True,
        "endpointPrivateAccess": False,
        "publicAccessCidrs": ["0.0.0.0/0"],
    },
    "kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"},
    "logging": {
        "clusterLogging": [{"types": ["audit", "api"], "enabled": True}, {"types": ["scheduler"], "enabled": False}]
    },
    "accessConfig": {"authenticationMode": "CONFIG_MAP"},
    "upgradePolicy": {"supportType": "EXTENDED"},
    "tags": {"team": "a"},
}


def steps(described: dict[str, Any] | None = None, **given: Any) -> list[tuple[str, dict[str, Any]]]:
    """The updates for these options, each with its parameters but the name."""
    now = rules.view(described or DESCRIBED)
    wanted = rules.desired(dict.fromkeys(rules.OPTIONS) | {"name": "mistral"} | given)
    planned = rules.plan("EKS cluster mistral", now, rules.merge(now, wanted))
    return [
        (step.operation, {key: value for key, value in step.request.items() if key not in ("name", "clusterName")})
        for step in planned
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"version": "1.31", "role_arn": "arn:role"}, []),
        ({"version": "", "role_arn": "", "resources_vpc_config": {"subnet_ids": [""], "security_group_ids": [""]}}, []),
        ({"resources_vpc_config": {"subnet_ids": ["subnet-a", "subnet-b"]}}, []),
        ({"cluster_logging": ["audit", "api"]}, []),
        ({"access_config": {"bootstrap_cluster_creator_admin_permissions": True}}, []),
        ({"bootstrap_self_managed_addons": False}, []),
        ({"zonal_shift_config": {"enabled": False}, "deletion_protection": False}, []),
        ({"encryption_config": []}, []),
        (
            {"version": "1.33"},
            [("update_cluster_version", {"version": "1.32"}), ("update_cluster_version", {"version": "1.33"})],
        ),
        (
            {"cluster_logging": ["audit", "scheduler"]},
            [
                (
                    "update_cluster_config",
                    {
                        "logging": {
                            "clusterLogging": [
                                {"types": ["scheduler"], "enabled": True},
                                {"types": ["api"], "enabled": False},
                            ]
                        }
                    },
                )
            ],
        ),
        (
            {"cluster_logging": []},
            [
                (
                    "update_cluster_config",
                    {"logging": {"clusterLogging": [{"types": ["api", "audit"], "enabled": False}]}},
                )
            ],
        ),
        (
            {"resources_vpc_config": {"public_access_cidrs": ["10.0.0.0/8"]}},
            [
                (
                    "update_cluster_config",
                    {
                        "resourcesVpcConfig": {
                            "endpointPublicAccess": True,
                            "endpointPrivateAccess": False,
                            "publicAccessCidrs": ["10.0.0.0/8"],
                        }
                    },
                )
            ],
        ),
        (
            {
                "resources_vpc_config": {
                    "endpoint_public_access": False,
                    "endpoint_private_access": True,
                    "public_access_cidrs": ["10.0.0.0/8"],
                }
            },
            [
                (
                    "update_cluster_config",
                    {"resourcesVpcConfig": {"endpointPublicAccess": False, "endpointPrivateAccess": True}},
                )
            ],
        ),
        (
            {"access_config": {"authentication_mode": "API"}},
            [
                ("update_cluster_config", {"accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"}}),
                ("update_cluster_config", {"accessConfig": {"authenticationMode": "API"}}),
            ],
        ),
        (
            {"encryption_config": [{"resources": ["secrets"], "provider": {"key_arn": "arn:key"}}]},
            [("associate_encryption_config", {"encryptionConfig": [KEY]})],
        ),
        (
            {"upgrade_policy": {"support_type": "STANDARD"}},
            [("update_cluster_config", {"upgradePolicy": {"supportType": "STANDARD"}})],
        ),
        (
            {
                "deletion_protection": True,
                "zonal_shift_config": {"enabled": True},
                "resources_vpc_config": {"subnet_ids": ["subnet-c"], "security_group_ids": ["sg-2", "sg-1"]},
            },
            [
                ("update_cluster_config", {"deletionProtection": True}),
                ("update_cluster_config", {"resourcesVpcConfig": {"subnetIds": ["subnet-c"]}}),
                ("update_cluster_config", {"resourcesVpcConfig": {"securityGroupIds": ["sg-1", "sg-2"]}}),
                ("update_cluster_config", {"zonalShiftConfig": {"enabled": True}}),
            ],
        ),
    ],
)
def test_updates(given: dict[str, Any], expected: list[Any]) -> None:
    assert steps(**given) == expected


def test_a_list_of_sources_means_nothing_without_a_public_endpoint() -> None:
    closed = DESCRIBED["resourcesVpcConfig"] | {"endpointPublicAccess": False, "publicAccessCidrs": []}
    assert (
        steps(DESCRIBED | {"resourcesVpcConfig": closed}, resources_vpc_config={"public_access_cidrs": ["1.2.3.4/32"]})
        == []
    )


def test_sources_count_when_the_endpoint_is_opened() -> None:
    closed = DESCRIBED["resourcesVpcConfig"] | {"endpointPublicAccess": False, "publicAccessCidrs": []}
    given = {"endpoint_public_access": True, "public_access_cidrs": ["1.2.3.4/32"]}
    [(_operation, request)] = steps(DESCRIBED | {"resourcesVpcConfig": closed}, resources_vpc_config=given)
    assert request["resourcesVpcConfig"]["publicAccessCidrs"] == ["1.2.3.4/32"]


@pytest.mark.parametrize(
    ("current", "given", "words"),
    [
        ({}, {"version": "1.30"}, ["version is '1.31'", "'1.30'", "only ever upgraded"]),
        ({}, {"version": "2.0"}, ["version is '1.31'"]),
        ({}, {"version": "latest"}, ["'latest' is not a Kubernetes version"]),
        ({}, {"role_arn": "arn:other"}, ["role_arn is 'arn:role'", "'arn:other'", "new cluster"]),
        (
            {},
            {"kubernetes_network_config": {"service_ipv4_cidr": "10.0.0.0/16"}},
            ["kubernetes_network_config.service_ipv4_cidr is '172.20.0.0/16'"],
        ),
        (
            {"accessConfig": {"authenticationMode": "API"}},
            {"access_config": {"authentication_mode": "CONFIG_MAP"}},
            ["'API'"],
        ),
        ({"encryptionConfig": [KEY]}, {"encryption_config": []}, ["encryption_config", "arn:key"]),
        (
            {"encryptionConfig": [KEY]},
            {"encryption_config": [{"resources": ["secrets"], "provider": {"key_arn": "arn:new"}}]},
            ["arn:key", "arn:new"],
        ),
    ],
)
def test_refused(current: dict[str, Any], given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        steps(DESCRIBED | current, **given)
    for word in words:
        assert word in error.value.message


def test_creation_is_asked_for_as_boto3_has_it() -> None:
    given = {
        "name": "mistral",
        "version": "",
        "role_arn": "arn:role",
        "resources_vpc_config": {"subnet_ids": ["subnet-b", "subnet-a"], "security_group_ids": None},
        "kubernetes_network_config": {"service_ipv4_cidr": "10.100.0.0/16", "ip_family": None},
        "cluster_logging": ["audit", "api"],
        "encryption_config": [{"resources": ["secrets"], "provider": {"key_arn": "arn:key"}}],
        "access_config": {"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": False},
        "upgrade_policy": {"support_type": "STANDARD"},
        "zonal_shift_config": {"enabled": True},
        "deletion_protection": False,
        "bootstrap_self_managed_addons": False,
    }
    assert rules.creation(rules.desired(given)) == {
        "name": "mistral",
        "roleArn": "arn:role",
        "resourcesVpcConfig": {"subnetIds": ["subnet-a", "subnet-b"]},
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.100.0.0/16"},
        "logging": {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]},
        "encryptionConfig": [KEY],
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        "upgradePolicy": {"supportType": "STANDARD"},
        "zonalShiftConfig": {"enabled": True},
        "deletionProtection": False,
        "bootstrapSelfManagedAddons": False,
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": None, "b": "", "c": False, "d": 0}, {"c": False, "d": 0}),
        ({"a": {"b": None}, "c": {}}, {"c": {}}),
        ({"a": [""], "b": [], "c": ["", "x"]}, {"b": [], "c": ["x"]}),
        ({"a": None}, None),
    ],
)
def test_what_was_not_given_is_left_out(value: Any, expected: Any) -> None:
    assert tidy(value) == expected


@pytest.mark.parametrize(
    ("value", "in_check_mode", "otherwise"),
    [
        (None, ["a.b"], ["a.b"]),
        ({"b": None}, ["a.b"], ["a.b"]),
        ({"b": [""]}, [], ["a.b"]),
        ({"b": []}, [], ["a.b"]),
        ({"b": ["x"]}, [], []),
    ],
)
def test_an_empty_requirement_will_do_in_check_mode(value: Any, in_check_mode: list[str], otherwise: list[str]) -> None:
    assert missing(("a.b",), {"a": value}, check_mode=True) == in_check_mode
    assert missing(("a.b",), {"a": value}, check_mode=False) == otherwise
