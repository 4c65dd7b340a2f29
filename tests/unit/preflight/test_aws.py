# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account that can take the deployment has no problems; each thing that stops it gives one line."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import aws, aws_names, aws_permissions
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import Unread

REFUSED = Unread("the credentials lack the permission x:Y")
INF = "inf2.24xlarge"
VALUES: dict[str, Any] = {
    "instance_type": INF,
    "instances": {INF: 2, "m5.2xlarge": 2},
    "zones": [],
    "elastic_ips": 2,
    "vpcs": 1,
    "pool_vcpus": {},
    "vpc_id": "",
    "subnet_ids": [],
    "adopted_cluster": "",
    "access_entries": False,
    "kubernetes_version": "",
    "redis_vpc_id": "",
    "redis_peered": False,
}
# Names are not in the order of ids.
ZONES = [{"id": f"usw2-az{number}", "name": f"us-west-2{letter}"} for number, letter in ((3, "a"), (1, "c"), (2, "b"))]
EVERYWHERE = ["usw2-az1", "usw2-az2", "usw2-az3"]
FACTS: dict[str, Any] = {
    "identity": {"account_id": "123456789012", "arn": "arn:aws:iam::123456789012:user/ops"},
    "zones": ZONES,
    "offerings": {INF: EVERYWHERE, "m5.2xlarge": EVERYWHERE, "dl1.large": EVERYWHERE},
    "vcpus": {INF: 96, "m5.2xlarge": 8},
    "quotas": {("ec2", aws.INF): 192.0, ("ec2", aws.STANDARD): 16.0, aws.ELASTIC_IPS: 5.0, aws.VPCS: 5.0},
    "addresses": {"used": 3, "own": 0},
    "vpcs": {"used": 4, "own": 0},
    "vpc_ids": ["vpc-1", "vpc-2"],
    "subnets": {f"subnet-{number}": f"usw2-az{number}" for number in (1, 2, 3)},
    "cluster": None,
    "versions": {"1.34": "EXTENDED_SUPPORT", "1.35": "STANDARD_SUPPORT"},
    "simulated": [{"action": "eks:CreateCluster", "allowed": True, "missing": []}],
    "foreign_text": "",
}


IN_TWO = ["subnet-3", "subnet-1"]
ADOPTED = {"adopted_cluster": "theirs", "access_entries": True, "vpc_id": "vpc-1", "subnet_ids": IN_TWO}
CLUSTER = {
    "status": "ACTIVE",
    "version": "1.35",
    "resourcesVpcConfig": {"vpcId": "vpc-1"},
    "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
}


def judge(facts: dict[str, Any], values: dict[str, Any]) -> aws.Findings:
    return aws.judge(FACTS | facts, VALUES | values)


def only_inf(*zones: str) -> dict[str, Any]:
    return {"offerings": {INF: list(zones), "m5.2xlarge": EVERYWHERE}}


@pytest.mark.parametrize(
    ("facts", "values", "zones"),
    [
        ({}, {}, ["usw2-az1", "usw2-az2"]),
        (only_inf("usw2-az3", "usw2-az2"), {}, ["usw2-az2", "usw2-az3"]),
        ({}, {"zones": ["usw2-az3", "us-west-2c"]}, ["usw2-az3", "usw2-az1"]),
        ({}, {"zones": ["us-west-2a", "us-west-2b", "us-west-2c"]}, ["usw2-az3", "usw2-az2", "usw2-az1"]),
        ({}, {"instance_type": ""}, ["usw2-az1", "usw2-az2"]),
        # What the deployment has already needs no room.
        ({"addresses": {"used": 5, "own": 2}, "vpcs": {"used": 5, "own": 1}}, {}, ["usw2-az1", "usw2-az2"]),
        ({"addresses": {"used": 9, "own": 0}}, {"elastic_ips": 0}, ["usw2-az1", "usw2-az2"]),
        ({}, {"vpc_id": "vpc-1", "subnet_ids": IN_TWO, "redis_vpc_id": "vpc-1"}, ["usw2-az3", "usw2-az1"]),
        (
            {},
            {"vpc_id": "vpc-1", "subnet_ids": IN_TWO, "redis_vpc_id": "vpc-2", "redis_peered": True},
            ["usw2-az3", "usw2-az1"],
        ),
        ({}, {"pool_vcpus": {"pool head": 0}}, ["usw2-az1", "usw2-az2"]),
        # Spot instances have other quotas, but zones.
        ({"vcpus": {INF: 96, "m5.2xlarge": 8}}, {"instances": {INF: 0}}, ["usw2-az1", "usw2-az2"]),
        ({}, {"kubernetes_version": "1.35"}, ["usw2-az1", "usw2-az2"]),
        ({"cluster": CLUSTER}, ADOPTED, ["usw2-az3", "usw2-az1"]),
        # Some of EKS' zones are none.
        (
            {
                "zones": [{"id": f"cac1-az{n}", "name": f"ca-central-1{n}"} for n in (4, 3, 1)],
                **only_inf("cac1-az1", "cac1-az3", "cac1-az4"),
            },
            {},
            ["cac1-az1", "cac1-az4"],
        ),
    ],
)
def test_good(facts: dict[str, Any], values: dict[str, Any], zones: list[str]) -> None:
    found = judge(facts, values)
    assert (found.problems, found.warnings) == ([], [])
    assert [zone["id"] for zone in found.zones] == zones


@pytest.mark.parametrize(
    ("facts", "values", "texts"),
    [
        (only_inf(), {}, [f"instance type is '{INF}'", "one that the region's zones offer"]),
        ({"offerings": {INF: EVERYWHERE}}, {}, ["instance type is 'm5.2xlarge'"]),
        ({"zones": ZONES[:1]}, {}, ["network_zones is ['usw2-az3']", "at least 2 zones"]),
        ({}, {"zones": ["us-west-2a"]}, ["network_zones is ['usw2-az3']", "at least 2 zones"]),
        ({}, {"zones": ["us-west-2a", "us-west-2a"]}, ["at least 2 zones"]),
        (only_inf("usw2-az2"), {"zones": ["us-west-2a", "us-west-2c"]}, ["one zone at least that offers", "offered in usw2-az2"]),
        ({}, {"zones": ["us-west-2a", "us-west-2b", "us-east-1a"]}, ["network_zones is", "of usw2-az1 (us-west-2c)"]),
        ({"quotas": FACTS["quotas"] | {("ec2", aws.INF): 191.0}}, {}, ["191 vCPUs of the family of inf2.24xlarge", "at least 192", aws.INF]),
        ({"addresses": {"used": 4, "own": 0}}, {}, ["4 of 5 elastic IPs", "room for 2 more", "L-0263D0A3"]),
        ({"vpcs": {"used": 5, "own": 0}}, {}, ["5 of 5 VPCs", "room for 1 more"]),
        ({"simulated": [{"action": "a:B", "allowed": False, "missing": []}]}, {}, ["user/ops may not a:B", "check_permissions"]),
        ({}, {"vpc_id": "vpc-9"}, ["network_vpc_id is 'vpc-9'", "of this account and region"]),
        ({}, {"vpc_id": "vpc-1"}, ["network_pod_subnet_ids is []", "subnets of vpc-1 in 2 zones"]),
        ({}, {"vpc_id": "vpc-1", "subnet_ids": [*IN_TWO, "subnet-9"]}, ["network_pod_subnet_ids is ['subnet-9']", "subnets of vpc-1"]),
        ({}, {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1"]}, ["network_pod_subnet_ids is ['usw2-az1']", "at least 2 zones"]),
        (only_inf("usw2-az2"), {"vpc_id": "vpc-1", "subnet_ids": IN_TWO}, ["network_pod_subnet_ids is", "one zone at least that offers"]),
        ({}, {"pool_vcpus": {"pool head": 4}}, ["16 vCPUs of the family of m5.2xlarge, pool head", "at least 20", aws.STANDARD]),
        ({"cluster": CLUSTER | {"resourcesVpcConfig": {"vpcId": "vpc-2"}}}, ADOPTED, ["network_vpc_id is 'vpc-1': expected vpc-2"]),
        ({"cluster": CLUSTER | {"status": "DELETING"}}, ADOPTED, ["The EKS cluster theirs is DELETING"]),
        ({"cluster": CLUSTER | {"accessConfig": {"authenticationMode": "CONFIG_MAP"}}}, ADOPTED, ["mode CONFIG_MAP", "eks_addons_karpenter: false"]),
        ({}, ADOPTED, ["eks_cluster_name is 'theirs'"]),
        ({}, {"kubernetes_version": "1.30"}, ["eks_cluster_version is '1.30'", "one of 1.34, 1.35"]),
        ({}, {"vpc_id": "vpc-1", "subnet_ids": IN_TWO, "redis_vpc_id": "vpc-2"}, ["elasticache_redis_vpc_id is 'vpc-2'", "the cluster's, vpc-1", "peered"]),
        ({}, {"redis_vpc_id": "vpc-2"}, ["elasticache_redis_vpc_id is 'vpc-2'", "expected empty"]),
        ({"foreign_text": "iam:role 'x' exists"}, {}, ["iam:role 'x' exists; choose another deployment_name"]),
        ({"foreign_text": REFUSED}, {}, ["Whether the names are free", "lack the permission"]),
    ],
)  # fmt: skip
def test_each_problem_is_one_line(facts: dict[str, Any], values: dict[str, Any], texts: list[str]) -> None:
    (one,) = judge(facts, values).problems
    assert [text for text in texts if text not in one] == []
    assert "\n" not in one


@pytest.mark.parametrize(
    ("facts", "values", "texts"),
    [
        (only_inf("usw2-az2"), {}, ["only usw2-az2 offers inf2.24xlarge"]),
        (only_inf("usw2-az2"), {"zones": ["us-west-2a", "us-west-2b"]}, ["only usw2-az2 offers inf2.24xlarge"]),
        ({"zones": REFUSED}, {}, ["The zones of the region were not looked at: the credentials lack"]),
        ({"offerings": REFUSED}, {}, ["Which zones offer the instance types was not looked at"]),
        ({"vcpus": {"m5.2xlarge": 8}}, {}, ["may run 2 inf2.24xlarge was not looked at"]),
        ({"quotas": FACTS["quotas"] | {("ec2", aws.INF): REFUSED}}, {}, ["may run 192 vCPUs of inf2.24xlarge was not looked at"]),
        ({"quotas": FACTS["quotas"] | {aws.ELASTIC_IPS: REFUSED}}, {}, ["2 more elastic IPs was not looked at"]),
        ({"addresses": REFUSED}, {}, ["2 more elastic IPs was not looked at"]),
        ({"simulated": REFUSED}, {}, ["The permissions of the caller were not looked at"]),
        ({"simulated": [{"action": "a:B", "allowed": False, "missing": ["aws:x"]}]}, {}, ["may perhaps not a:B"]),
        ({"vpcs": REFUSED, "vpc_ids": REFUSED}, {"vpc_id": "vpc-9", "subnet_ids": IN_TWO}, ["1 more VPCs was not looked at"]),
        ({"subnets": REFUSED}, {"vpc_id": "vpc-1", "subnet_ids": IN_TWO}, ["The zones of the subnets were not looked at"]),
        ({"cluster": REFUSED}, ADOPTED, ["The EKS cluster theirs was not looked at"]),
        ({"versions": REFUSED}, {"kubernetes_version": "1.30"}, ["Whether EKS supports Kubernetes 1.30 was not looked at"]),
        ({}, {"kubernetes_version": "1.34"}, ["1.34 is in extended support: the control plane costs 0.60 $"]),
        ({"cluster": CLUSTER | {"version": "1.34"}}, ADOPTED, ["1.34 is in extended support"]),
        ({"cluster": CLUSTER | {"version": "1.30"}}, ADOPTED, ["1.30 of the EKS cluster theirs is no version that EKS supports"]),
        ({}, {"instance_type": "", "instances": {"m5.2xlarge": 2, "dl1.large": 1}}, ["the quota of its family is not known"]),
    ],
)  # fmt: skip
def test_what_is_not_told_is_a_warning(facts: dict[str, Any], values: dict[str, Any], texts: list[str]) -> None:
    found = judge(facts, values)
    assert found.problems == []
    assert [text for text in texts if not any(text in line for line in found.warnings)] == []
    assert len(found.warnings) == len(texts)


def test_all_at_once() -> None:
    found = judge(
        only_inf() | {"foreign_text": "taken"}, {"redis_vpc_id": "vpc-9", "redis_peered": True, "elastic_ips": 9}
    )
    assert len(found.problems) == 4


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("inf2.24xlarge", "L-1945791B"),
        ("trn1n.32xlarge", "L-2C3B7624"),
        ("g5g.xlarge", "L-DB2E81BA"),
        ("vt1.3xlarge", "L-DB2E81BA"),
        ("p4d.24xlarge", "L-417A185B"),
        ("m5.2xlarge", "L-1216C47A"),
        ("im4gn.large", "L-1216C47A"),
        ("mac2.metal", ""),
        ("", ""),
    ],
)
def test_quota_of_a_family(name: str, code: str) -> None:
    assert aws.quota_code(name) == code


def test_the_accelerator_counts_once_if_no_number_is_given() -> None:
    assert aws.instances_of({"instances": {}, "instance_type": INF}) == {INF: 1}
    assert aws.instances_of({"instances": {INF: "2"}, "instance_type": INF}) == {INF: 2}


@pytest.mark.parametrize(
    ("boto3", "region", "profile", "texts"),
    [
        (True, "us-west-2", None, []),
        (True, "us-west-2", "ops", []),
        (False, "", "odd", ["lacks boto3"]),
        (True, "", None, ["aws_region is empty"]),
        (
            True,
            "",
            "odd",
            ["aws_region is empty", "aws_profile is 'odd': expected one of AWS' configuration files (ops)"],
        ),
    ],
)
def test_what_keeps_aws_from_being_asked(boto3: bool, region: str, profile: str | None, texts: list[str]) -> None:
    found = aws.way_problems(boto3, region, ["ops"], profile)
    assert len(found) == len(texts)
    assert all(text in line for text, line in zip(texts, found, strict=True))


def test_a_region_that_does_not_exist_is_named() -> None:
    (known,) = aws.identity_problems(Unread("no route"), "us-west-2", ["us-west-2"])
    (unknown,) = aws.identity_problems(Unread("no route"), "us-wset-2", ["us-west-2"])
    assert "aws_region" not in known
    assert "aws_region is 'us-wset-2'" in unknown


def test_missing_programs_are_named() -> None:
    assert aws.tool_problems([]) == []
    (found,) = aws.tool_problems(["aws", "helm"])
    assert found.startswith("These programs are missing: aws, helm")


def named(name: str) -> list[dict[str, str]]:
    return [
        {"type": "eks:cluster", "name": name},
        {"type": "iam:role", "name": f"{name}-eks-cluster"},
        {"type": "elasticache:replicationgroup", "name": name},
        {"type": "secretsmanager:secret", "name": f"{name}/redis-auth"},
        {"type": "logs:log-group", "name": f"/aws/eks/{name}/cluster"},
        {"type": "ec2:launch-template", "name": f"{name}-core"},
        {"type": "kms:alias", "name": f"{name}-eks"},
        {"type": "sqs:queue", "name": f"{name}-karpenter"},
    ]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("mistral-7b", []),
        ("a" * 40, []),
        ("a" * 41, ["'elasticache:replicationgroup", "of 41 characters", "a name of at most 40"]),
        ("a" * 53, ["elasticache:replicationgroup", "a name of at most 40"]),
        ("mistral--7b", ["elasticache:replicationgroup 'mistral--7b'", "single hyphens"]),
        ("Mistral", ["elasticache:replicationgroup 'Mistral'", "lower case"]),
        ("7b", ["elasticache:replicationgroup '7b'", "a letter first"]),
        ("mistral-", ["elasticache:replicationgroup 'mistral-'", "no hyphen last"]),
    ],
)
def test_names(name: str, texts: list[str]) -> None:
    found = aws_names.name_problems(name, named(name))
    assert len(found) == bool(texts)
    assert all(text.strip("'") in found[0] for text in texts)
    assert all(f"deployment_name is {name!r}" in line for line in found)


def test_each_kind_of_odd_characters_is_one_line() -> None:
    found = aws_names.name_problems("mein name", named("mein name"))
    assert len(found) == 8


def test_the_length_that_is_left_for_the_name() -> None:
    roles = [{"type": "iam:role", "name": f"{'a' * 60}-{suffix}"} for suffix in ("node", "load-balancer")]
    (one,) = aws_names.name_problems("a" * 60, roles)
    assert "of 74 characters" in one
    assert "a name of at most 50 characters" in one


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:iam::1:root", ("root", "")),
        ("arn:aws:iam::1:user/team/ops", ("user", "arn:aws:iam::1:user/team/ops")),
        ("arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_1/ops@example.com", ("role", "AWSReservedSSO_Admin_1")),
        ("arn:aws:sts::1:federated-user/ops", ("other", "")),
    ],
)
def test_whose_policies_count(arn: str, expected: tuple[str, str]) -> None:
    assert aws_permissions.principal(arn) == expected


def test_questions_are_about_the_deployments_own_resources() -> None:
    asked = aws_permissions.questions("arn:aws-cn:iam::1:user/ops", "cn-north-1", "mistral", {"team": "ml"})
    resources = [arn for question in asked for arn in question["ResourceArns"]]
    assert "arn:aws-cn:eks:cn-north-1:1:cluster/mistral" in resources
    assert "arn:aws-cn:iam::1:role/mistral-eks-cluster" in resources
    assert all(arn.startswith("arn:aws-cn:") and "{" not in arn for arn in resources)
    context = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in asked[0]["ContextEntries"]}
    assert context["aws:RequestTag/team"] == context["aws:ResourceTag/team"] == ["ml"]
