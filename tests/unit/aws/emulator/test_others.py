# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters and instance types of EC2, quotas, faults, settings, the timeline, and EKS' authenticator."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import botocore.session
import pytest
from emulator import authenticator, config
from emulator.ec2 import filters, instance_types, nat
from emulator.faults import Faults, make_rule, texts
from emulator.timeline import Timeline
from emulator.wire import AwsError
from emulator.world import AMENDMENTS, Call

UTC = datetime.UTC
SECRET = "secret"


# EC2


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], True),
        ([{"Name": "vpc-id", "Values": ["vpc-1", "vpc-2"]}], True),
        ([{"Name": "vpc-id", "Values": ["vpc-2"]}], False),
        ([{"Name": "group-id", "Values": ["sg-2"]}], True),
        ([{"Name": "tag:a", "Values": ["x*"]}], True),
        ([{"Name": "tag:b", "Values": ["*"]}], False),
        ([{"Name": "tag-key", "Values": ["a"]}, {"Name": "status", "Values": ["available"]}], False),
        ([{"Name": "requester-managed", "Values": ["true"]}], True),
    ],
)
def test_filters(wanted: list[dict[str, Any]], expected: bool) -> None:
    interface = {
        "VpcId": "vpc-1",
        "Groups": [{"GroupId": "sg-1"}, {"GroupId": "sg-2"}],
        "TagSet": [{"Key": "a", "Value": "xyz"}],
        "Status": "in-use",
        "RequesterManaged": True,
    }
    assert filters.fits(filters.DESCRIPTIONS["DescribeNetworkInterfaces"], interface, wanted) is expected


def test_an_unknown_filter_is_refused(aws: Any) -> None:
    wanted = [{"Name": "nonsense", "Values": ["x"]}]
    assert aws.refused("ec2", "DescribeNetworkInterfaces", Filters=wanted) == "InvalidParameterValue"


def test_interfaces_of_a_cluster_are_in_use(cluster: Any) -> None:
    seen = cluster("ec2", "DescribeNetworkInterfaces", Filters=[{"Name": "status", "Values": ["in-use"]}])
    assert [item["Description"] for item in seen["NetworkInterfaces"]] == ["Amazon EKS m"] * 2


@pytest.mark.parametrize(
    ("name", "count"), [("inf2.24xlarge", 96), ("inf2.xlarge", 4), ("t3.medium", 2), ("trn1.32xlarge", 128)]
)
def test_vcpus(name: str, count: int) -> None:
    assert instance_types.vcpus(name) == count and instance_types.exists(name)


def test_types_are_described_by_name_and_by_family(aws: Any) -> None:
    wanted = [{"Name": "instance-type", "Values": ["inf2.*", "g5.12xlarge", "m5.2xlarge", "nonsense"]}]
    found = {item["InstanceType"]: item for item in aws("ec2", "DescribeInstanceTypes", Filters=wanted)["InstanceTypes"]}
    assert list(found) == ["inf2.xlarge", "inf2.8xlarge", "inf2.24xlarge", "inf2.48xlarge", "g5.12xlarge", "m5.2xlarge"]
    assert found["inf2.24xlarge"]["NeuronInfo"]["NeuronDevices"][0]["Count"] == 6
    assert found["g5.12xlarge"]["GpuInfo"]["Gpus"][0]["Count"] == 4
    assert found["m5.2xlarge"]["VCpuInfo"]["DefaultVCpus"] == 8
    assert found["m5.2xlarge"]["MemoryInfo"]["SizeInMiB"] == 32 * 1024
    assert aws.refused("ec2", "DescribeInstanceTypes", InstanceTypes=["nonsense"]) == "InvalidInstanceType"


def test_zones() -> None:
    zones = ["us-west-2a", "us-west-2b"]
    assert instance_types.zones_of("inf2.xlarge", {"inf2": "b"}, zones) == ["us-west-2b"]
    assert instance_types.zones_of("m5.large", {"inf2": "b"}, zones) == zones
    assert not instance_types.exists("nonsense") and not instance_types.exists("q9.large")


def test_instances_take_their_own_volumes_with_them(aws: Any) -> None:
    kept = {"VolumeId": "vol-2", "Attachments": [{"InstanceId": "i-1", "DeleteOnTermination": False}]}
    other = {"VolumeId": "vol-3", "Attachments": [{"InstanceId": "i-2", "DeleteOnTermination": True}]}
    own = {"VolumeId": "vol-1", "Attachments": [{"InstanceId": "i-1", "DeleteOnTermination": True}]}
    gone = []
    aws.backend.describe_volumes = lambda: {"Volumes": [own, kept, other]}
    aws.backend.detach_volume = lambda VolumeId: {}
    aws.backend.delete_volume = lambda VolumeId: gone.append(VolumeId) or {}
    call = Call(aws.world, "ec2", "TerminateInstances", "us-west-2", "", "", {"InstanceIds": ["i-1"]})
    assert AMENDMENTS["ec2", "TerminateInstances"](call, {}) == {}
    assert gone == ["vol-1"]


def test_a_nat_gateway_can_fail_and_holds_nothing_then(aws: Any) -> None:
    aws.world.doomed["ec2:natgateway"] = [("InsufficientFreeAddressesInSubnet", "no more")]
    address = {"AllocationId": "eipalloc-1", "PublicIp": "192.0.2.1"}
    aws.backend.describe_addresses = lambda AllocationIds: {"Addresses": [address]}
    call = Call(aws.world, "ec2", "CreateNatGateway", "us-west-2", "", "", {"AllocationId": "eipalloc-1"})
    shown = {"NatGatewayId": "nat-1"}
    made = AMENDMENTS["ec2", "CreateNatGateway"](call, {"NatGateway": shown})["NatGateway"]
    assert made["State"] == "pending" and nat.held_allocations(call) == {"eipalloc-1"}
    aws.pass_time(90)
    (failed,) = nat.describe(call, {"NatGateways": [shown]})["NatGateways"]
    assert (failed["State"], failed["FailureCode"]) == ("failed", "InsufficientFreeAddressesInSubnet")
    assert nat.held_allocations(call) == set()


def test_load_balancers_are_in_the_vpc_of_their_subnets(aws: Any) -> None:
    call = Call(aws.world, "elbv2", "DescribeLoadBalancers", "us-west-2", "", "", {})
    zones = [[{"SubnetId": "subnet-a"}], [{"SubnetId": "subnet-gone"}], []]
    found = {"LoadBalancers": [{"VpcId": "vpc-0", "AvailabilityZones": one} for one in zones]}
    shown = AMENDMENTS["elbv2", "DescribeLoadBalancers"](call, found)["LoadBalancers"]
    assert [one["VpcId"] for one in shown] == ["vpc-1", "vpc-0", "vpc-0"]


# Quotas, permissions


def test_quotas_and_permissions(aws: Any) -> None:
    assert aws("service-quotas", "GetServiceQuota", ServiceCode="ec2", QuotaCode="L-1945791B")["Quota"]["Value"] == 192
    assert (
        aws.refused("service-quotas", "GetServiceQuota", ServiceCode="ec2", QuotaCode="L-0")
        == "NoSuchResourceException"
    )
    aws.world.config["denied_actions"] = ["eks:Delete*"]
    asked = {
        "PolicySourceArn": "arn:aws:iam::123456789012:user/u",
        "ActionNames": ["eks:DeleteCluster", "eks:ListClusters"],
    }
    decisions = aws("iam", "SimulatePrincipalPolicy", **asked)["EvaluationResults"]
    assert [item["EvalDecision"] for item in decisions] == ["implicitDeny", "allowed"]


# Faults


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, "XXXXXX"),
        ({"times": 2}, "XX...."),
        ({"after": 2}, "..XXXX"),
        ({"every": 3}, "X..X.."),
        ({"every": 2, "times": 1, "after": 1}, ".X...."),
        ({"service": "ec2"}, "......"),
        ({"operation": "Describe*"}, "XXXXXX"),
    ],
)
def test_rules(rule: dict[str, Any], expected: str) -> None:
    made = make_rule(rule)
    assert "".join("X" if made.strikes("eks", "DescribeCluster") else "." for _call in range(6)) == expected


def test_the_first_call_of_each_operation() -> None:
    rule = make_rule({"times": 1, "each": True})
    assert [rule.strikes("eks", name) for name in ("A", "A", "B", "B")] == [True, False, True, False]


@pytest.mark.parametrize(
    "rule", [{"kind": "x"}, {"nonsense": 1}, {"kind": "create_failed", "resource": "x"}, {"seen": {}}]
)
def test_wrong_rules(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        make_rule(rule)


def test_throttling_has_the_services_name() -> None:
    errors = [make_rule({}).error(service) for service in ("ec2", "eks", "elasticache")]
    assert [one.code for one in errors] == ["RequestLimitExceeded", "ThrottlingException", "Throttling"]
    assert [one.status for one in errors] == [503, 400, 400]


def test_not_visible_yet(aws: Any) -> None:
    faults = Faults()
    faults.rules.append(make_rule({"kind": "not_visible", "looks": 2, "service": "ec2"}))

    def call(operation: str, **params: Any) -> Call:
        return Call(aws.world, "ec2", operation, "us-west-2", "", "", params)

    faults.created(call("CreateSubnet"), {"Subnet": {"SubnetId": "subnet-1", "VpcId": "vpc-1"}})
    for _look in range(2):
        with pytest.raises(AwsError, match=r"InvalidSubnetID\.NotFound"):
            faults.before(call("DescribeSubnets", SubnetIds=["subnet-1"]))
    faults.before(call("DescribeSubnets", SubnetIds=["subnet-1"]))
    faults.before(call("DescribeVpcs", VpcIds=["vpc-1"]))
    assert texts({"a": [{"b": "c"}]}) == [("b", "c")]


# Settings, time


def test_settings_are_merged_and_unknown_ones_refused() -> None:
    merged = config.merge(config.DEFAULTS, {"eks": {"endpoint": "https://x"}, "quotas": {"L-1": 2}})
    assert merged["eks"]["endpoint"] == "https://x" and merged["eks"]["default_version"]
    assert config.DEFAULTS["eks"]["endpoint"] == ""
    with pytest.raises(ValueError, match=r"eks\.nonsense"):
        config.merge(config.DEFAULTS, {"eks": {"nonsense": 1}})


def test_the_timeline_runs_what_is_due_in_order() -> None:
    now, done = [0.0], []
    timeline = Timeline(lambda: now[0])
    timeline.after(2, lambda: done.append("b"))
    timeline.after(1, lambda: (done.append("a"), timeline.after(0, lambda: done.append("now"))))
    timeline.settle()
    assert done == []
    now[0] = 2
    timeline.settle()
    assert done == ["a", "b", "now"]


# The authenticator


def token(cluster: str, header: str = "x-k8s-aws-id") -> str:
    """As C(aws eks get-token) makes it."""
    session = botocore.session.Session()
    client = session.create_client(
        "sts",
        "us-west-2",
        endpoint_url="http://127.0.0.1:4566",
        aws_access_key_id="OPERATOR",
        aws_secret_access_key=SECRET,
    )
    client.meta.events.register(
        "before-sign.sts.*", lambda request, **_more: request.headers.add_header(header, cluster)
    )
    url = client.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    return authenticator.PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def review(aws: Any, text: str, cluster: str = "") -> dict[str, Any]:
    return authenticator.review(aws.world, {"spec": {"token": text}}, cluster)["status"]


def test_the_creator_of_the_cluster_is_let_in(cluster: Any) -> None:
    cluster.world.secrets["OPERATOR"] = SECRET
    for name in ("", "m"):
        status = review(cluster, token("m"), name)
        assert status["authenticated"] and status["user"]["groups"] == ["system:masters"]


@pytest.mark.parametrize(
    ("make", "secret", "reason"),
    [
        (lambda: "abc", SECRET, "not one of EKS'"),
        (lambda: authenticator.PREFIX + "!!", SECRET, "not"),
        (lambda: token("other"), SECRET, "signature"),
        (lambda: token("m", "x-other"), SECRET, "does not cover"),
        (lambda: token("m"), "wrong", "signature"),
        (lambda: token("m"), None, "not known"),
    ],
)
def test_others_are_not(cluster: Any, make: Any, secret: str | None, reason: str) -> None:
    if secret:
        cluster.world.secrets["OPERATOR"] = secret
    status = review(cluster, make())
    assert not status["authenticated"] and reason in status["error"]


def test_without_an_entry_nobody_is_let_in(cluster: Any) -> None:
    cluster.world.secrets["OPERATOR"] = SECRET
    me = {"clusterName": "m", "principalArn": "arn:aws:iam::123456789012:user/operator"}
    cluster("eks", "DeleteAccessEntry", **me)
    assert "no access entry" in review(cluster, token("m"))["error"]
    cluster("eks", "CreateAccessEntry", **me, kubernetesGroups=["viewers"])
    assert review(cluster, token("m"))["user"]["groups"] == ["viewers"]


def test_a_token_grows_old() -> None:
    now = datetime.datetime.now(UTC)
    authenticator.decode(token("m"), now + datetime.timedelta(minutes=14))
    with pytest.raises(authenticator.Refused, match="too long ago"):
        authenticator.decode(token("m"), now + datetime.timedelta(minutes=16))
