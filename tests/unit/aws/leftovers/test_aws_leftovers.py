# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that is left is missed, and nothing that is somebody's is deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers.listing import KINDS
from ansible_collections.rayops.serve_ha.plugins.modules import aws_leftovers

from ..conftest import aws_error
from .conftest import ARN, TAGS, as_list

Run = Callable[..., dict[str, Any]]
ELB = {"elbv2.k8s.aws/cluster": "mistral"}
OWNED = {"kubernetes.io/cluster/mistral": "owned"}
KARPENTER = {"karpenter.sh/nodepool": "head", "eks:eks-cluster-name": "mistral", **OWNED}
PARAMS = {"tags": TAGS, "cluster_name": "mistral", "vpc_id": "vpc-1"}


def fill(account: dict[str, Any]) -> None:
    """Something of each kind, with something of another cluster beside it."""
    other = {"elbv2.k8s.aws/cluster": "mistral-2", "kubernetes.io/cluster/mistral-2": "owned"}
    elb, ec2 = account["elbv2"], account["ec2"]
    elb.balancers = {"lb/a": ELB, "lb/b": other}
    elb.groups = {"tg/a": ELB, "tg/b": other}
    account["iam"].profiles = {
        ("/karpenter/us-west-2/mistral/1/", "mistral_1"): ["node"],
        ("/karpenter/us-west-2/mistral-2/1/", "mistral-2_1"): ["node"],
    }
    account["logs"].groups = ["/aws/eks/mistral/cluster", "/aws/eks/mistral-2/cluster"]
    ec2.items = {
        "Vpcs": [{"VpcId": "vpc-1", "Tags": as_list(TAGS)}],
        "Instances": [
            {"InstanceId": "i-karpenter", "State": {"Name": "running"}, "Tags": as_list(KARPENTER)},
            {"InstanceId": "i-core", "State": {"Name": "running"}, "Tags": as_list(OWNED)},
            {"InstanceId": "i-ended", "State": {"Name": "terminated"}, "Tags": as_list(KARPENTER)},
        ],
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": "eni-1",
                "VpcId": "vpc-1",
                "Status": "available",
                "Groups": [{"GroupId": "sg-node"}],
            },
            {"NetworkInterfaceId": "eni-2", "VpcId": "vpc-1", "Status": "in-use"},
        ],
        "SecurityGroups": [
            {
                "GroupId": "sg-node",
                "VpcId": "vpc-1",
                "Tags": as_list(TAGS),
                "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-k8s"}]}],
            },
            {"GroupId": "sg-k8s", "VpcId": "vpc-1", "Tags": as_list(ELB)},
            {"GroupId": "sg-other", "VpcId": "vpc-1", "Tags": as_list(other)},
        ],
        "Volumes": [{"VolumeId": "vol-1", "State": "available", "Tags": as_list(OWNED)}],
        "LaunchTemplates": [
            {
                "LaunchTemplateId": f"lt-{name}",
                "LaunchTemplateName": name,
                "Tags": as_list({"karpenter.k8s.aws/cluster": name}),
            }
            for name in ("mistral", "mistral-2")
        ],
        "Tags": [],
    }


ALL = {
    "load_balancer": "lb/a",
    "target_group": "tg/a",
    "karpenter_instance": "i-karpenter",
    "instance": "i-core",
    "network_interface": "eni-1",
    "security_group": "sg-k8s",
    "volume": "vol-1",
    "launch_template": "lt-mistral",
    "instance_profile": "arn:mistral_1",
    "log_group": ARN.format(service="logs") + "log-group:/aws/eks/mistral/cluster",
}


@pytest.mark.parametrize("check", [True, False])
def test_a_look_sees_all_and_changes_nothing(run_aws_module: Run, account: dict[str, Any], check: bool) -> None:
    fill(account)
    result = run_aws_module(aws_leftovers, account, PARAMS | {"wait": False}, check=check)
    assert {one["kind"]: one["id"] for one in result["leftovers"]} == ALL
    assert not result["changed"]
    assert [name for service in account.values() for name in service.written()] == []


def test_with_the_cluster_gone_all_that_is_its_own_goes(
    run_aws_module: Run, account: dict[str, Any], clock: Any
) -> None:
    fill(account)
    del account["ec2"].items["Instances"][1]
    result = run_aws_module(aws_leftovers, account, PARAMS | {"state": "absent"})
    assert not result["failed"]
    assert result["leftovers"] == []
    assert {one["kind"]: one["id"] for one in result["deleted"]} == {
        kind: identity for kind, identity in ALL.items() if kind != "instance"
    }
    assert list(result["diff"]["before"]) == [one["id"] for one in result["deleted"]]
    # What is another's is there still.
    assert (list(account["elbv2"].balancers), list(account["elbv2"].groups)) == (["lb/b"], ["tg/b"])
    assert [group["GroupId"] for group in account["ec2"].items["SecurityGroups"]] == ["sg-node", "sg-other"]
    assert account["logs"].groups == ["/aws/eks/mistral-2/cluster"]
    assert len(account["iam"].profiles) == 1
    again = run_aws_module(aws_leftovers, account, PARAMS | {"state": "absent"})
    assert not again["changed"]


def test_check_mode_tells_what_would_go(run_aws_module: Run, account: dict[str, Any]) -> None:
    fill(account)
    result = run_aws_module(aws_leftovers, account, PARAMS | {"state": "absent"}, check=True)
    assert result["changed"]
    # The target group is used by the load balancer still.
    assert {one["kind"] for one in result["deleted"]} == set(ALL) - {"instance", "target_group"}
    assert [name for service in account.values() for name in service.written()] == []


def test_as_long_as_the_cluster_is_there_nothing_is_deleted(run_aws_module: Run, account: dict[str, Any]) -> None:
    fill(account)
    account["eks"].tags = TAGS
    result = run_aws_module(aws_leftovers, account, PARAMS | {"state": "absent", "wait_timeout": 30})
    assert result["failed"]
    assert result["deleted"] == []
    assert "Waited 30 s for nothing to be left of the cluster mistral" in result["msg"]
    assert "load_balancer a (lb/a): elbv2.k8s.aws/cluster=mistral" in result["msg"]
    assert {one["kind"]: one["id"] for one in result["leftovers"]} == ALL


def test_a_foreign_cluster_of_the_same_name_is_let_be(run_aws_module: Run, account: dict[str, Any]) -> None:
    fill(account)
    account["eks"].tags = {"rayops.serve_ha/deployment": "other"}
    result = run_aws_module(aws_leftovers, account, PARAMS | {"state": "absent", "kinds": [*ALL][5:]})
    assert (result["failed"], result["changed"], result["leftovers"]) == (False, False, [])


def test_what_is_in_another_vpc_is_let_be(run_aws_module: Run, account: dict[str, Any]) -> None:
    fill(account)
    ec2, elb = account["ec2"], account["elbv2"]
    elb.balancers["lb/c"], elb.vpcs = ELB, {"lb/c": "vpc-2"}
    here = {"State": {"Name": "running"}, "Tags": as_list(KARPENTER)}
    ec2.items["Instances"] = [{"InstanceId": f"i-{vpc}", "VpcId": vpc, **here} for vpc in ("vpc-1", "vpc-2")]
    ec2.items["SecurityGroups"].append({"GroupId": "sg-far", "VpcId": "vpc-2", "Tags": as_list(ELB)})
    kinds = ["load_balancer", "karpenter_instance", "security_group"]
    result = run_aws_module(aws_leftovers, account, PARAMS | {"state": "absent", "kinds": kinds})
    assert [one["id"] for one in result["deleted"]] == ["lb/a", "i-vpc-1", "sg-k8s"]
    # Without the VPC it is the name alone that counts.
    look = run_aws_module(aws_leftovers, account, PARAMS | {"vpc_id": "", "kinds": kinds, "wait": False})
    assert [one["id"] for one in look["leftovers"]] == ["lb/c", "i-vpc-2", "sg-far"]


def test_load_balancers_that_go_while_they_are_looked_at(run_aws_module: Run, account: dict[str, Any]) -> None:
    fill(account)
    elb = account["elbv2"]
    elb.balancers |= {f"lb/{number}": ELB for number in range(5)}
    elb.going = {"lb/1", "lb/3", "tg/b"}
    params = PARAMS | {"kinds": ["load_balancer", "target_group"], "wait": False}
    result = run_aws_module(aws_leftovers, account, params)
    assert [one["id"] for one in result["leftovers"]] == ["lb/a", "lb/0", "lb/2", "lb/4", "tg/a"]


def test_another_error_of_the_tags_is_told(run_aws_module: Run, account: dict[str, Any]) -> None:
    fill(account)
    account["elbv2"].errors["describe_tags"] = [aws_error("ValidationError", "no")]
    result = run_aws_module(aws_leftovers, account, PARAMS | {"kinds": ["load_balancer"]})
    assert result["failed"] and "ValidationError" in result["msg"]


def test_it_waits_for_what_controllers_delete(run_aws_module: Run, account: dict[str, Any], clock: Any) -> None:
    fill(account)
    account["eks"].tags = TAGS
    instance = account["ec2"].items["Instances"][0]
    sleep = clock.sleep

    def pass_time(seconds: float) -> None:
        sleep(seconds)
        instance["State"] = {"Name": "shutting-down" if clock.seconds < 40 else "terminated"}

    clock.sleep = pass_time
    result = run_aws_module(aws_leftovers, account, PARAMS | {"kinds": ["karpenter_instance"]})
    assert (result["failed"], result["leftovers"], clock.seconds) == (False, [], 40)


def test_what_is_in_use_is_tried_again_and_named(run_aws_module: Run, account: dict[str, Any]) -> None:
    fill(account)
    account["ec2"].in_use = {"vol-1"}
    result = run_aws_module(
        aws_leftovers, account, PARAMS | {"state": "absent", "kinds": ["volume"], "wait_timeout": 30}
    )
    assert result["failed"]
    assert "volume vol-1" in result["msg"]
    assert "not deleted: DependencyViolation: has a dependent object" in result["msg"]
    assert account["ec2"].written() == ["delete_volume"] * 4


@pytest.mark.parametrize(
    ("vpc_tags", "seen"),
    [(TAGS, ["eni-1", "eni-3"]), ({}, ["eni-1"])],
)
def test_free_interfaces_of_a_vpc_of_the_user_are_let_be(
    run_aws_module: Run, account: dict[str, Any], vpc_tags: dict[str, str], seen: list[str]
) -> None:
    fill(account)
    items = account["ec2"].items
    items["Vpcs"] = [{"VpcId": "vpc-1", "Tags": as_list(vpc_tags)}]
    items["NetworkInterfaces"].append({"NetworkInterfaceId": "eni-3", "VpcId": "vpc-1", "Status": "available"})
    params = PARAMS | {"state": "absent", "kinds": ["network_interface"], "wait": False}
    result = run_aws_module(aws_leftovers, account, params)
    assert [one["id"] for one in result["leftovers"]] == seen
    assert [one["id"] for one in result["deleted"]] == ["eni-1"]


def test_what_carries_the_tags_and_exists(run_aws_module: Run, account: dict[str, Any]) -> None:
    ec2, tagging = account["ec2"], account["resourcegroupstaggingapi"]
    tag = {"Key": "rayops.serve_ha/deployment", "Value": "mistral"}
    kinds = {"vpc-1": "vpc", "i-ended": "instance", "nat-ended": "natgateway", "nat-1": "natgateway", "f-1": "fleet"}
    ec2.items = {
        "Tags": [{"ResourceId": identity, "ResourceType": kind, **tag} for identity, kind in kinds.items()],
        "Instances": [{"InstanceId": "i-ended", "State": {"Name": "terminated"}, "Tags": []}],
        "NatGateways": [
            {"NatGatewayId": "nat-ended", "State": "deleted"},
            {"NatGatewayId": "nat-1", "State": "deleting"},
        ],
    }
    account["logs"].groups = ["/mistral/redis"]
    there = [
        ARN.format(service="kms") + "key/there",
        ARN.format(service="logs") + "log-group:/mistral/redis",
        ARN.format(service="odd") + "thing/1",
        ARN.format(service="secretsmanager") + "secret:there-abcdef",
    ]
    tagging.arns = [
        *there,
        # EC2 is asked itself.
        ARN.format(service="ec2") + "instance/i-gone",
        ARN.format(service="kms") + "key/gone",
        ARN.format(service="secretsmanager") + "secret:gone-abcdef",
        ARN.format(service="eks") + "cluster/mistral",
        ARN.format(service="eks") + "addon/mistral/coredns/8ac",
        ARN.format(service="logs") + "log-group:/mistral/gone",
        ARN.format(service="elasticloadbalancing") + "loadbalancer/app/k8s-a/1",
    ]
    result = run_aws_module(aws_leftovers, account, {"tags": TAGS, "state": "absent", "wait": False})
    assert [one["id"] for one in result["leftovers"]] == ["vpc-1", "nat-1", *there]
    assert {one["kind"] for one in result["leftovers"]} == {"tagged"}
    assert result["deleted"] == []


def test_what_is_known_by_name_only(run_aws_module: Run, account: dict[str, Any]) -> None:
    account["eks"].tags = TAGS
    resources = [{"type": "iam:role", "name": "mistral"}, {"type": "eks:cluster", "name": "mistral"}]
    params = {"tags": TAGS, "resources": resources, "kinds": ["named"], "wait": False}
    result = run_aws_module(aws_leftovers, account, params)
    assert [one["name"] for one in result["leftovers"]] == ["eks:cluster mistral"]


def test_a_missing_permission_is_named(run_aws_module: Run, account: dict[str, Any]) -> None:
    denied = aws_error("AccessDeniedException", "no", "GetResources")
    account["resourcegroupstaggingapi"].errors["get_resources"] = [denied]
    result = run_aws_module(aws_leftovers, account, {"tags": TAGS, "kinds": ["tagged"]})
    assert result["failed"]
    assert "lack the permission tag:GetResources" in result["msg"]


def test_without_tags_nothing_can_be_told_apart(run_aws_module: Run, account: dict[str, Any]) -> None:
    assert "tags is empty" in run_aws_module(aws_leftovers, account, {"tags": {}})["msg"]


def test_kinds_of_the_documentation() -> None:
    import yaml

    documented = yaml.safe_load(aws_leftovers.DOCUMENTATION)["options"]["kinds"]["choices"]
    assert documented == list(KINDS)
