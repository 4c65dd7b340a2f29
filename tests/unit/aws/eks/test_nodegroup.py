# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of node groups: what is asked for, what can change, and by which updates."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks import nodegroup as rules

DESCRIBED = {
    "clusterName": "mistral",
    "nodegroupName": "core",
    "version": "1.33",
    "releaseVersion": "1.33.0-20250519",
    "capacityType": "ON_DEMAND",
    "scalingConfig": {"minSize": 2, "maxSize": 6, "desiredSize": 4},
    "instanceTypes": ["m5.xlarge", "m5a.xlarge"],
    "subnets": ["subnet-b", "subnet-a"],
    "amiType": "AL2023_x86_64_STANDARD",
    "nodeRole": "arn:role",
    "labels": {"workload": "system", "NodeGroupType": "core"},
    "taints": [{"key": "b", "effect": "NO_SCHEDULE"}, {"key": "a", "value": "1", "effect": "NO_EXECUTE"}],
    "updateConfig": {"maxUnavailablePercentage": 33},
    "launchTemplate": {"id": "lt-1", "name": "core", "version": "1"},
    "tags": {},
}
OPTIONS = (*rules.OPTIONS, "labels", "taints")
LABELS = {"workload": "system", "NodeGroupType": "core"}
TAINTS = [{"key": "a", "value": "1", "effect": "NO_EXECUTE"}, {"key": "b", "value": None, "effect": "NO_SCHEDULE"}]
CONFIG, VERSION = "update_nodegroup_config", "update_nodegroup_version"


def desired(**given: Any) -> dict[str, Any]:
    return rules.desired(dict.fromkeys(OPTIONS) | {"cluster_name": "mistral", "nodegroup_name": "core"} | given)


def steps(current: dict[str, Any] | None = None, force: bool = False, **given: Any) -> list[tuple[str, dict[str, Any]]]:
    """The updates for these options, each with its parameters but those that name the node group."""
    described = {key: value for key, value in (DESCRIBED | (current or {})).items() if value is not None}
    now = rules.view(described)
    planned = rules.nodegroup_kind(force).plan("EKS node group core", now, rules.merge(now, desired(**given)))
    for step in planned:
        assert (step.request.pop("clusterName"), step.request.pop("nodegroupName")) == ("mistral", "core")
    return [(step.operation, step.request) for step in planned]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"node_role": "", "launch_template": {"id": "", "name": None, "version": ""}, "version": ""}, []),
        ({"subnets": ["subnet-a", "subnet-b"], "instance_types": ["m5a.xlarge", "m5.xlarge"]}, []),
        ({"labels": LABELS, "taints": TAINTS}, []),
        ({"taints": [TAINTS[0], TAINTS[1] | {"value": ""}]}, []),
        ({"launch_template": {"name": "core"}}, []),
        ({"scaling_config": {"min_size": 2, "max_size": 6, "desired_size": None}}, []),
        ({"node_repair_config": {"enabled": False}}, []),
        # A changed value of a label, which is what other modules do not see.
        (
            {"labels": LABELS | {"workload": "rayhead"}},
            [(CONFIG, {"labels": {"addOrUpdateLabels": {"workload": "rayhead"}}})],
        ),
        (
            {"labels": {"NodeGroupType": "core", "new": True, "number": 1, "empty": ""}},
            [
                (
                    CONFIG,
                    {
                        "labels": {
                            "addOrUpdateLabels": {"new": "true", "number": "1", "empty": ""},
                            "removeLabels": ["workload"],
                        }
                    },
                )
            ],
        ),
        ({"labels": {}}, [(CONFIG, {"labels": {"removeLabels": ["NodeGroupType", "workload"]}})]),
        (
            {"taints": []},
            [
                (
                    CONFIG,
                    {
                        "taints": {
                            "removeTaints": [
                                {"key": "a", "value": "1", "effect": "NO_EXECUTE"},
                                {"key": "b", "effect": "NO_SCHEDULE"},
                            ]
                        }
                    },
                )
            ],
        ),
        # Another value of the same taint is set; the same key with another effect is another taint.
        (
            {
                "taints": [
                    {"key": "a", "value": "2", "effect": "NO_EXECUTE"},
                    {"key": "b", "effect": "PREFER_NO_SCHEDULE"},
                ]
            },
            [
                (
                    CONFIG,
                    {
                        "taints": {
                            "addOrUpdateTaints": [
                                {"key": "a", "value": "2", "effect": "NO_EXECUTE"},
                                {"key": "b", "effect": "PREFER_NO_SCHEDULE"},
                            ],
                            "removeTaints": [{"key": "b", "effect": "NO_SCHEDULE"}],
                        }
                    },
                )
            ],
        ),
        ({"scaling_config": {"max_size": 8}}, [(CONFIG, {"scalingConfig": {"maxSize": 8}})]),
        ({"scaling_config": {"desired_size": 3}}, [(CONFIG, {"scalingConfig": {"desiredSize": 3}})]),
        # The desired size stays, but within the new bounds.
        ({"scaling_config": {"min_size": 5}}, [(CONFIG, {"scalingConfig": {"minSize": 5, "desiredSize": 5}})]),
        ({"scaling_config": {"max_size": 3}}, [(CONFIG, {"scalingConfig": {"maxSize": 3, "desiredSize": 3}})]),
        (
            {"update_config": {"max_unavailable": 1, "max_unavailable_percentage": None}},
            [(CONFIG, {"updateConfig": {"maxUnavailable": 1}})],
        ),
        ({"node_repair_config": {"enabled": True}}, [(CONFIG, {"nodeRepairConfig": {"enabled": True}})]),
        (
            {"launch_template": {"id": "lt-1", "version": "2"}},
            [(VERSION, {"launchTemplate": {"id": "lt-1", "version": "2"}})],
        ),
        (
            {"version": "1.34"},
            [(VERSION, {"version": "1.34", "launchTemplate": {"id": "lt-1", "version": "1"}})],
        ),
        (
            {"release_version": "1.33.1-20250601", "scaling_config": {"max_size": 7}},
            [
                (CONFIG, {"scalingConfig": {"maxSize": 7}}),
                (
                    VERSION,
                    {"releaseVersion": "1.33.1-20250601", "launchTemplate": {"id": "lt-1", "version": "1"}},
                ),
            ],
        ),
    ],
)
def test_updates(given: dict[str, Any], expected: list[Any]) -> None:
    assert steps(**given) == expected


def test_a_version_update_without_a_launch_template_and_by_force() -> None:
    assert steps({"launchTemplate": None}, force=True, version="1.34") == [
        (VERSION, {"version": "1.34", "force": True})
    ]


@pytest.mark.parametrize(
    "lacking", ["updateConfig", "nodeRepairConfig", "labels", "taints", "tags", "launchTemplate", "amiType"]
)
def test_what_aws_leaves_out_is_no_error(lacking: str) -> None:
    assert steps({lacking: None}) == []
    assert steps({lacking: None}, update_config={"max_unavailable": 2})[0][1]["updateConfig"] == {"maxUnavailable": 2}


@pytest.mark.parametrize(
    ("current", "given", "words"),
    [
        ({}, {"instance_types": ["m7i.xlarge"]}, ["instance_types is ['m5.xlarge', 'm5a.xlarge']", "['m7i.xlarge']"]),
        ({}, {"ami_type": "AL2023_x86_64_NVIDIA"}, ["ami_type is 'AL2023_x86_64_STANDARD'", "of another name"]),
        ({}, {"node_role": "arn:other"}, ["node_role"]),
        ({}, {"subnets": ["subnet-a"]}, ["subnets"]),
        ({}, {"capacity_type": "SPOT"}, ["capacity_type"]),
        ({}, {"disk_size": 100}, ["disk_size is None"]),
        ({}, {"remote_access": {"ec2_ssh_key": "me"}}, ["remote_access"]),
        ({}, {"launch_template": {"id": "lt-2"}}, ["launch_template.id is 'lt-1'", "'lt-2'"]),
        ({}, {"launch_template": {"name": "other"}}, ["launch_template.name is 'core'"]),
        ({"launchTemplate": None}, {"launch_template": {"id": "lt-1"}}, ["launch_template.id is None"]),
        ({}, {"version": "1.32"}, ["version is '1.33'", "only ever upgraded"]),
        ({}, {"launch_template": {"id": "lt-1", "version": "$Latest"}}, ["has to be a number"]),
    ],
)
def test_refused(current: dict[str, Any], given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(AnsibleAWSError) as error:
        steps(current, **given)
    for word in words:
        assert word in error.value.message


def test_creation_is_asked_for_as_boto3_has_it() -> None:
    wanted = desired(
        node_role="arn:role",
        subnets=["subnet-b", "subnet-a"],
        instance_types=["m5.xlarge", "c5.xlarge"],
        ami_type="AL2023_x86_64_STANDARD",
        capacity_type="",
        scaling_config={"min_size": 2, "max_size": 4, "desired_size": None},
        launch_template={"id": "lt-1", "name": None, "version": "3"},
        labels={"NodeGroupType": "core"},
        taints=TAINTS,
        update_config={"max_unavailable": None, "max_unavailable_percentage": 33},
        node_repair_config={"enabled": True},
        remote_access={"ec2_ssh_key": "me", "source_security_groups": ["sg-1"]},
    )
    assert rules.creation(wanted) == {
        "clusterName": "mistral",
        "nodegroupName": "core",
        "nodeRole": "arn:role",
        "subnets": ["subnet-b", "subnet-a"],
        "instanceTypes": ["m5.xlarge", "c5.xlarge"],
        "amiType": "AL2023_x86_64_STANDARD",
        "scalingConfig": {"minSize": 2, "maxSize": 4, "desiredSize": 2},
        "launchTemplate": {"id": "lt-1", "version": "3"},
        "labels": {"NodeGroupType": "core"},
        "taints": [{"key": "a", "value": "1", "effect": "NO_EXECUTE"}, {"key": "b", "effect": "NO_SCHEDULE"}],
        "updateConfig": {"maxUnavailablePercentage": 33},
        "nodeRepairConfig": {"enabled": True},
        "remoteAccess": {"ec2SshKey": "me", "sourceSecurityGroups": ["sg-1"]},
    }


def test_what_is_wanted_is_not_changed_by_comparing_it() -> None:
    wanted = desired(subnets=["subnet-b", "subnet-a"], remote_access={"source_security_groups": ["sg-2", "sg-1"]})
    rules.merge(rules.view(DESCRIBED), wanted)
    assert wanted["subnets"] == ["subnet-b", "subnet-a"]
    assert wanted["remote_access"] == {"source_security_groups": ["sg-2", "sg-1"]}
