# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What proves that something is the cluster's, and what may be deleted."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers import marks, removal, tagged

TAGS = {"rayops.serve_ha/deployment": "mistral"}


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.mark.parametrize(
    ("tags", "mark"),
    [
        ({"elbv2.k8s.aws/cluster": "mistral"}, "elbv2.k8s.aws/cluster=mistral"),
        ({"kubernetes.io/cluster/mistral": "owned"}, "kubernetes.io/cluster/mistral=owned"),
        ({"eks:eks-cluster-name": "mistral", "karpenter.sh/nodepool": "head"}, "eks:eks-cluster-name=mistral"),
        # Shared with other clusters, or another cluster's.
        ({"kubernetes.io/cluster/mistral": "shared"}, ""),
        ({"kubernetes.io/cluster/mistral-2": "owned"}, ""),
        ({"elbv2.k8s.aws/cluster": "mistral-2", "karpenter.sh/nodepool": "head"}, ""),
        ({"ebs.csi.aws.com/cluster": "true"}, ""),
        (TAGS, ""),
    ],
)
def test_marks_of_a_cluster(tags: dict[str, str], mark: str) -> None:
    assert marks.cluster_mark(tags, "mistral") == mark


def test_no_cluster_has_no_marks() -> None:
    assert marks.cluster_mark({"elbv2.k8s.aws/cluster": "", "kubernetes.io/cluster/": "owned"}, "") == ""


CLUSTER = {"cluster.k8s.amazonaws.com/name": "mistral"}


@pytest.mark.parametrize(
    ("interface", "groups", "ours", "expected"),
    [
        ({"TagSet": as_list(CLUSTER), "Status": "available"}, {}, False, True),
        ({"TagSet": as_list(CLUSTER), "Status": "in-use"}, {}, True, False),
        ({"TagSet": as_list(CLUSTER), "Status": "available", "RequesterManaged": True}, {}, True, False),
        # By a security group of the cluster's, such as those of a load balancer that goes.
        ({"Groups": [{"GroupId": "sg-1"}], "Status": "in-use"}, {"sg-1": "why"}, False, False),
        ({"Groups": [{"GroupId": "sg-1"}], "Status": "available"}, {"sg-1": "why"}, False, True),
        ({"Groups": [{"GroupId": "sg-1"}], "Status": "in-use"}, {"sg-2": "why"}, True, None),
        # By one of the deployment's, only if nobody uses it: a Redis may stay.
        ({"Groups": [{"GroupId": "sg-own"}], "Status": "available"}, {}, False, True),
        ({"Groups": [{"GroupId": "sg-own"}], "Status": "in-use"}, {}, True, None),
        # Nobody's: it keeps the VPC from being deleted, but nothing proves that it is the cluster's.
        ({"Status": "available"}, {}, True, False),
        ({"Status": "available"}, {}, False, None),
        ({"Status": "in-use"}, {}, True, None),
    ],
)
def test_network_interfaces(interface: dict[str, Any], groups: dict[str, str], ours: bool, expected: Any) -> None:
    interface = {"NetworkInterfaceId": "eni-1", **interface}
    found = marks.judge_interface(interface, "mistral", groups, {"sg-own"}, ours)
    assert (found.removable if found else None) == expected


@pytest.mark.parametrize(
    ("tags", "state", "kind", "removable"),
    [
        ({"karpenter.sh/nodepool": "head", "eks:eks-cluster-name": "mistral"}, "running", "karpenter_instance", True),
        (
            {"karpenter.sh/nodepool": "head", "eks:eks-cluster-name": "mistral"},
            "shutting-down",
            "karpenter_instance",
            False,
        ),
        ({"kubernetes.io/cluster/mistral": "owned"}, "running", "instance", False),
        ({"karpenter.sh/nodepool": "head", "eks:eks-cluster-name": "other"}, "running", "", None),
    ],
)
def test_instances(tags: dict[str, str], state: str, kind: str, removable: bool | None) -> None:
    instance = {"InstanceId": "i-1", "State": {"Name": state}, "Tags": as_list(tags)}
    found = marks.judge_instance(instance, "mistral")
    assert (found.kind if found else "", found.removable if found else None) == (kind, removable)


@pytest.mark.parametrize(
    ("tags", "state", "removable"),
    [
        ({"kubernetes.io/cluster/mistral": "owned"}, "available", True),
        ({"kubernetes.io/cluster/mistral": "owned"}, "in-use", False),
        ({"ebs.csi.aws.com/cluster": "true", **TAGS}, "available", True),
        ({"ebs.csi.aws.com/cluster": "true"}, "available", None),
        # Made by the deployment, but not by its cluster.
        (TAGS, "available", None),
    ],
)
def test_volumes(tags: dict[str, str], state: str, removable: bool | None) -> None:
    found = marks.judge_volume({"VolumeId": "vol-1", "State": state, "Tags": as_list(tags)}, "mistral", TAGS)
    assert (found.removable if found else None) == removable


def test_a_target_group_goes_after_its_load_balancer() -> None:
    tags = {"elbv2.k8s.aws/cluster": "mistral"}
    used = marks.judge_balancer("target_group", "arn", "k8s-a", tags, ["arn-of-balancer"], "mistral")
    free = marks.judge_balancer("target_group", "arn", "k8s-a", tags, [], "mistral")
    assert used and free
    assert (used.removable, free.removable) == (False, True)
    assert marks.judge_balancer("target_group", "arn", "mine", {}, [], "mistral") is None


def test_each_thing_is_named_once_by_its_first_kind() -> None:
    first, other = marks.Leftover("volume", "vol-1", "", "a"), marks.Leftover("volume", "vol-2", "", "a")
    again = marks.Leftover("tagged", "vol-1", "volume", "b")
    assert marks.without_doubles([first, other, again]) == [first, other]


def test_text_of_a_leftover() -> None:
    one = marks.Leftover("volume", "vol-1", "data", "tag, in-use")
    assert one.text == "volume data (vol-1): tag, in-use"
    assert one.blocked("VolumeInUse: no").text.endswith("in-use; not deleted: VolumeInUse: no")


@pytest.mark.parametrize(
    ("arn", "parts"),
    [
        ("arn:aws:eks:us-west-2:1:nodegroup/mistral/core/8ac", ("eks", "nodegroup", "mistral/core/8ac")),
        ("arn:aws:elasticache:us-west-2:1:replicationgroup:mistral", ("elasticache", "replicationgroup", "mistral")),
        ("arn:aws:logs:us-west-2:1:log-group:/aws/eks/a:b/cluster", ("logs", "log-group", "/aws/eks/a:b/cluster")),
        ("arn:aws-us-gov:sqs:us-gov-west-1:1:mistral", ("sqs", "", "mistral")),
        ("arn:aws:s3:::mistral-logs", ("s3", "", "mistral-logs")),
    ],
)
def test_parts_of_an_arn(arn: str, parts: tuple[str, str, str]) -> None:
    assert tagged.split_arn(arn) == parts


def test_only_the_part_of_a_rule_that_names_the_group_is_revoked() -> None:
    permissions = [
        {
            "IpProtocol": "tcp",
            "FromPort": 80,
            "ToPort": 80,
            "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
            "UserIdGroupPairs": [{"GroupId": "sg-1", "Description": "elbv2", "UserId": "1"}, {"GroupId": "sg-2"}],
        },
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-2"}]},
    ]
    assert removal.rules_naming(permissions, "sg-1") == [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": "sg-1"}]}
    ]
