# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module preflight asks AWS, and what it makes of answers and of silence. It never writes."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils import modules
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import ownership
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import aws_account, aws_facts, aws_names
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import Unread
from ansible_collections.rayops.serve_ha.plugins.modules import preflight
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from ..conftest import FakeService, aws_error

TAGS = {"rayops.serve_ha/deployment": "mistral"}
Run = Callable[..., dict[str, Any]]


class Sts(FakeService):
    service = "sts"
    arn = "arn:aws:sts::123456789012:assumed-role/ops/me"

    def get_caller_identity(self) -> dict[str, Any]:
        return {"Account": "123456789012", "Arn": self.arn}


class Iam(FakeService):
    service = "iam"

    def __init__(self) -> None:
        super().__init__()
        self.denied: set[str] = set()

    def get_role(self, RoleName: str) -> dict[str, Any]:
        if RoleName != "ops":
            raise aws_error("NoSuchEntity")
        return {"Role": {"Arn": "arn:aws:iam::123456789012:role/team/ops"}}

    def simulate_principal_policy(self, PolicySourceArn: str, ActionNames: list[str], **_more: Any) -> dict[str, Any]:
        assert PolicySourceArn == "arn:aws:iam::123456789012:role/team/ops"
        return {
            "EvaluationResults": [
                {"EvalActionName": name, "EvalDecision": "implicitDeny" if name in self.denied else "allowed"}
                for name in ActionNames
            ]
        }


class Ec2(FakeService):
    service = "ec2"

    def describe_availability_zones(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        zones = [
            {"ZoneId": f"usw2-az{number}", "ZoneName": f"us-west-2{letter}"} for number, letter in ((2, "a"), (1, "b"))
        ]
        return {"AvailabilityZones": [*zones, {"ZoneId": "usw2-lax1", "ZoneName": "l", "ZoneType": "local-zone"}]}

    def describe_instance_type_offerings(self, LocationType: str, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        assert LocationType == "availability-zone-id"
        (types,) = (one["Values"] for one in Filters if one["Name"] == "instance-type")
        found = [
            {"InstanceType": name, "Location": f"usw2-az{number}"}
            for name in types
            for number in (1, 2)
            if name[0] != "x"
        ]
        return {"InstanceTypeOfferings": found}

    def describe_instance_types(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        (wanted,) = (one["Values"] for one in Filters if one["Name"] == "instance-type")
        found = []
        for name, vcpus, devices in (("inf2.xlarge", 4, 1), ("inf2.24xlarge", 96, 6)):
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted):
                neuron = {"NeuronDevices": [{"Count": devices}]}
                memory = {"SizeInMiB": vcpus * 4096}
                found.append(
                    {
                        "InstanceType": name,
                        "VCpuInfo": {"DefaultVCpus": vcpus},
                        "MemoryInfo": memory,
                        "NeuronInfo": neuron,
                    }
                )
        return {"InstanceTypes": found}

    def describe_subnets(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        asked = {one["Name"]: one["Values"] for one in Filters}
        assert asked["vpc-id"] == ["vpc-1"]
        zones = {"subnet-1": "usw2-az1", "subnet-2": "usw2-az2"}
        found = [{"SubnetId": one, "AvailabilityZoneId": zones[one]} for one in asked["subnet-id"] if one in zones]
        return {"Subnets": found}

    def describe_addresses(self) -> dict[str, Any]:
        return {"Addresses": [{"Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()]}, {}]}

    def describe_vpcs(self) -> dict[str, Any]:
        return {"Vpcs": [{"VpcId": "vpc-1"}]}


class Quotas(FakeService):
    service = "service-quotas"

    def get_service_quota(self, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:
        if QuotaCode == "L-1945791B":
            return {"Quota": {"Value": 8.0}}
        raise aws_error("NoSuchResourceException")

    def get_aws_default_service_quota(self, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:
        return {"Quota": {"Value": 5.0}}


class Eks(FakeService):
    service = "eks"

    def describe_cluster(self, name: str) -> dict[str, Any]:
        if name == "theirs":
            return {"cluster": {"arn": "arn:theirs", "tags": {}}}
        if name == "adopted":
            vpc = {"vpcId": "vpc-1"}
            return {"cluster": {"name": name, "status": "ACTIVE", "version": "1.33", "resourcesVpcConfig": vpc}}
        raise aws_error("ResourceNotFoundException")

    def describe_cluster_versions(self, includeAll: bool) -> dict[str, Any]:
        states = {"1.29": "UNSUPPORTED", "1.33": "EXTENDED_SUPPORT", "1.35": "STANDARD_SUPPORT"}
        return {"clusterVersions": [{"clusterVersion": one, "versionStatus": states[one]} for one in states]}


VALUES: dict[str, Any] = {
    "name": "mistral",
    "tags": TAGS,
    "names": [{"type": "eks:cluster", "name": "mistral"}, {"type": "iam:role", "name": "mistral-eks-cluster"}],
    "instance_type": "inf2.xlarge",
    "instances": {"inf2.xlarge": 2},
    "elastic_ips": 2,
    "vpcs": 1,
    "tools": [],
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return {one.service: one() for one in (Sts, Iam, Ec2, Quotas, Eks)}


@pytest.fixture
def look(run_aws_module: Run, account: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Run:
    """look(values of aws, other options) -> the result, with the warnings."""

    def run(values: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
        warnings: list[str] = []
        monkeypatch.setattr(preflight, "warn", warnings.append)
        result = run_aws_module(preflight, account, {"aws": VALUES | (values or {}), **params})
        assert [name for service in account.values() for name in service.written() if name[:8] != "simulate"] == []
        return result | {"warnings": warnings}

    return run


def test_a_good_account(look: Run, account: dict[str, Any]) -> None:
    result = look()
    assert not result["failed"], result
    assert result["warnings"] == []
    assert result["checked"] == ["aws"]
    assert result["aws"] == {
        "account_id": "123456789012",
        "caller_arn": Sts.arn,
        "zones": ["us-west-2b", "us-west-2a"],
        "zone_ids": ["usw2-az1", "usw2-az2"],
    }


def test_all_findings_at_once(look: Run, account: dict[str, Any]) -> None:
    account["iam"].denied = {"eks:CreateCluster", "iam:PassRole"}
    ray_service = {"name": "9", "namespace": "a", "ray_version": "2.60.0", "image": "ray:1"}
    values = {
        "names": [{"type": "eks:cluster", "name": "theirs"}],
        "name": "theirs",
        "instances": {"inf2.xlarge": 3, "x1.large": 1},
        "tools": ["no-such-program"],
        "redis_vpc_id": "vpc-9",
    }
    result = look(values, redis_backend="memorydb", ray_service=ray_service)
    assert result["failed"]
    first, *problems = result["msg"].split("\n- ")
    assert first == "Creating nothing, because of 9 problems:"
    for text, problem in zip(
        (
            "instance type is 'x1.large'",
            "8 vCPUs of the family of inf2.xlarge: expected at least 12",
            "may not iam:PassRole, eks:CreateCluster",
            "elasticache_redis_vpc_id is 'vpc-9': expected a VPC",
            "elasticache_redis_vpc_id is 'vpc-9': expected empty",
            "eks:cluster 'theirs' exists without the tag",
            "These programs are missing: no-such-program",
            "ray_service_name is '9'",
            "redis_backend is 'memorydb': expected one of elasticache",
        ),
        problems,
        strict=True,
    ):
        assert text in problem


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NoCredentialsError(), "Unable to locate credentials"),
        (aws_error("ExpiredToken", "The security token included in the request is expired"), "renew the credentials"),
        (aws_error("InvalidClientTokenId"), "renew the credentials"),
        (EndpointConnectionError(endpoint_url="http://localhost:1"), "http://localhost:1"),
    ],
)
def test_without_a_caller_nothing_else_is_asked(
    look: Run, account: dict[str, Any], error: Exception, text: str
) -> None:
    account["sts"].errors["get_caller_identity"] = [error]
    result = look({"name": "Mistral", "names": [{"type": "elasticache:replicationgroup", "name": "Mistral"}]})
    first, stranger, name = result["msg"].split("\n- ")
    assert first == "Creating nothing, because of 2 problems:"
    assert stranger.startswith("AWS cannot be asked with these credentials")
    assert text in stranger
    assert name.startswith("deployment_name is 'Mistral'")
    assert [name for name, service in account.items() if service.calls] == ["sts"]


def test_no_region(look: Run, monkeypatch: pytest.MonkeyPatch, account: dict[str, Any]) -> None:
    monkeypatch.setattr(modules.AnsibleAWSModule, "region", None)
    assert "aws_region is empty" in look()["msg"]
    assert all(service.calls == [] for service in account.values())


def test_the_region_of_the_deployment_wins(look: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    monkeypatch.setattr(aws_facts, "identity", lambda clients: used.append(clients) or Unread("stop here"))
    text = look({"region": "us-wset-2"})["msg"]
    assert "aws_region is 'us-wset-2', which is no region that boto3 knows" in text
    assert len(used) == 1


def test_a_profile_that_does_not_exist(look: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_facts, "profiles", lambda: ["ops"])
    assert "aws_profile is 'odd': expected one of AWS' configuration files (ops)" in look(profile="odd")["msg"]


def test_without_boto3(look: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_account, "HAS_BOTO3", False)
    assert "lacks boto3" in look()["msg"]


def test_what_the_caller_may_not_read_is_a_warning(look: Run, account: dict[str, Any]) -> None:
    def denied(operation: str) -> list[Exception | None]:
        return [aws_error("AccessDeniedException", "no", operation)] * 9

    account["service-quotas"].errors["get_service_quota"] = denied("GetServiceQuota")
    account["ec2"].errors["describe_instance_type_offerings"] = denied("DescribeInstanceTypeOfferings")
    account["iam"].errors["simulate_principal_policy"] = denied("SimulatePrincipalPolicy")
    result = look()
    assert not result["failed"], result
    text = "\n".join(result["warnings"])
    assert len(result["warnings"]) == 5
    for permission in (
        "servicequotas:GetServiceQuota",
        "ec2:DescribeInstanceTypeOfferings",
        "iam:SimulatePrincipalPolicy",
    ):
        assert f"the credentials lack the permission {permission}" in text
    assert result["aws"]["zone_ids"] == ["usw2-az1", "usw2-az2"]


def test_names_that_cannot_be_looked_at_are_a_problem(look: Run, account: dict[str, Any]) -> None:
    account["eks"].errors["describe_cluster"] = [aws_error("AccessDeniedException", "no", "DescribeCluster")]
    assert "lack the permission eks:DescribeCluster" in look()["msg"]


@pytest.mark.parametrize(
    ("arn", "warned"),
    [("arn:aws:iam::123456789012:root", False), ("arn:aws:sts::123456789012:federated-user/me", True)],
)
def test_callers_that_cannot_be_simulated(look: Run, account: dict[str, Any], arn: str, warned: bool) -> None:
    account["sts"].arn = arn
    result = look()
    assert not result["failed"]
    assert any("cannot simulate" in line for line in result["warnings"]) == warned


def test_the_simulator_can_be_left_alone(look: Run, account: dict[str, Any]) -> None:
    account["iam"].denied = {"eks:CreateCluster"}
    assert not look({"check_permissions": False})["failed"]
    assert [name for name, _parameters in account["iam"].calls] == ["get_role"]


def test_without_aws_no_client_is_made(run_aws_module: Run) -> None:
    ray_service = {"name": "a", "namespace": "a", "ray_version": "2.60.0", "image": "ray:1"}
    result = run_aws_module(preflight, {}, {"redis_backend": "elasticache", "ray_service": ray_service})
    assert "of the inventory's group aws" in result["msg"]
    result = run_aws_module(preflight, {}, {"redis_backend": "none", "ray_service": ray_service})
    assert (result["failed"], result["checked"], result["aws"]) == (False, ["ray_service"], {})


def test_names_have_a_rule_where_they_can_be_looked_up() -> None:
    assert set(aws_names.RULES) == set(ownership.KINDS)


def test_programs_beside_python_are_found() -> None:
    assert aws_facts.missing_tools(["python3", "no-such-program"]) == ["no-such-program"]


def test_an_adopted_cluster_and_its_vpc(look: Run, account: dict[str, Any]) -> None:
    values = {
        "adopted_cluster": "adopted",
        "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-2", "subnet-1"],
        "vpcs": 0,
        "elastic_ips": 0,
    }
    result = look(values)
    assert not result["failed"], result
    assert result["aws"]["zone_ids"] == ["usw2-az2", "usw2-az1"]
    (warning,) = result["warnings"]
    assert warning.startswith("Kubernetes 1.33 is in extended support")
    refused = look(values | {"vpc_id": "", "subnet_ids": [], "access_entries": True})["msg"].split("\n- ")
    assert [text.partition(":")[0] for text in refused[1:]] == [
        "network_vpc_id is ''",
        "The EKS cluster adopted has the authentication mode CONFIG_MAP",
    ]


def test_a_cluster_that_is_not_there_cannot_be_adopted(look: Run) -> None:
    assert "eks_cluster_name is 'none': expected an EKS cluster" in look({"adopted_cluster": "none"})["msg"]


@pytest.mark.parametrize("version", ["1.29", "1.99"])
def test_a_version_that_eks_does_not_support(look: Run, version: str) -> None:
    assert (
        f"eks_cluster_version is '{version}': expected a version that EKS supports, one of 1.33, 1.35"
        in look({"kubernetes_version": version})["msg"]
    )


def test_versions_are_asked_for_only_where_there_is_one(look: Run, account: dict[str, Any]) -> None:
    account["eks"].errors["describe_cluster_versions"] = [
        aws_error("AccessDeniedException", "no", "DescribeClusterVersions")
    ]
    assert look()["warnings"] == []
    (warning,) = look({"kubernetes_version": "1.35"})["warnings"]
    assert "the credentials lack the permission eks:DescribeClusterVersions" in warning


def test_machines_follow_from_pools_and_pods(look: Run) -> None:
    pool = {"name": "neuron", "instance_families": ["inf2"], "taints": []}
    pod = {"name": "worker", "count": 2, "pool": "neuron", "accelerator": "neuron", "devices": 4, "cpu": "8"}
    values = {"instances": {}, "instance_type": "", "pools": [pool], "pods": [pod]}
    assert "8 vCPUs of the family of inf2.24xlarge: expected at least 192" in look(values)["msg"]
    pod["accelerator"] = "gpu"
    assert (
        "eks_addons_node_pools, pool neuron, is ['inf2.*']: expected an instance type with 4 GPUs"
        in look(values)["msg"]
    )
