# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests are read as boto3 wrote them, and results are written so that boto3 reads them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from botocore.awsrequest import prepare_request_dict
from botocore.serialize import create_serializer
from emulator import models, reading, writing
from emulator.journal import without_secrets
from emulator.wire import AwsError, Request, Response

SIGNING = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas", "resourcegroupstaggingapi": "tagging"}


def model_of(service: str, operation: str) -> Any:
    found = models.service_model(service)
    assert found is not None
    return found.operation_model(operation)


def request_of(service: str, operation: str, params: dict[str, Any]) -> Request:
    """What botocore sends for it, signature aside."""
    model = model_of(service, operation)
    sent = create_serializer(models.protocol(model)).serialize_to_request(params, model)
    prepare_request_dict(sent, "http://127.0.0.1:4566", context={})
    body = sent["body"]
    if isinstance(body, dict):
        from urllib.parse import urlencode

        body = urlencode(body)
    scope = f"AKIA/20260101/us-east-2/{SIGNING.get(service, service)}/aws4_request"
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    target = sent["url"].removeprefix("http://127.0.0.1:4566")
    return Request(sent["method"], target, headers, body.encode() if isinstance(body, str) else body)


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("ec2", "DescribeVpcs", {"VpcIds": ["vpc-1"], "Filters": [{"Name": "tag:a", "Values": ["x", "y"]}]}),
    ("ec2", "DescribeNatGateways", {"Filter": [{"Name": "state", "Values": ["available"]}]}),
    ("ec2", "CreateLaunchTemplate", {
        "LaunchTemplateName": "one", "LaunchTemplateData": {
            "SecurityGroupIds": ["sg-1"], "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 100, "Encrypted": True}}]},
        "TagSpecifications": [{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}]}),
    ("ec2", "ModifyVpcAttribute", {"VpcId": "vpc-1", "EnableDnsHostnames": {"Value": True}}),
    ("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1", "IpPermissions": [
        {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379, "UserIdGroupPairs": [{"GroupId": "sg-2"}]}]}),
    ("iam", "SimulatePrincipalPolicy", {"PolicySourceArn": "arn:aws:iam::123456789012:user/u", "ActionNames": ["a:B"]}),
    ("sts", "GetCallerIdentity", {}),
    ("elasticache", "CreateReplicationGroup", {
        "ReplicationGroupId": "m", "ReplicationGroupDescription": "a&b=c", "NumCacheClusters": 2, "MultiAZEnabled": True,
        "SecurityGroupIds": ["sg-1", "sg-2"], "Tags": [{"Key": "a", "Value": ""}], "PreferredCacheClusterAZs": ["us-west-2a"],
        "LogDeliveryConfigurations": [{"LogType": "slow-log", "DestinationType": "cloudwatch-logs", "LogFormat": "json",
                                       "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": "/a"}}, "Enabled": True}]}),
    ("elasticache", "ModifyCacheParameterGroup", {"CacheParameterGroupName": "m", "ParameterNameValues": [
        {"ParameterName": "timeout", "ParameterValue": "0"}]}),
    ("elbv2", "DescribeTags", {"ResourceArns": ["arn:a", "arn:b"]}),
    ("logs", "CreateLogGroup", {"logGroupName": "/aws/eks/m/cluster", "tags": {"rayops.serve_ha/deployment": "m"}}),
    ("kms", "CreateKey", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
    ("service-quotas", "GetServiceQuota", {"ServiceCode": "ec2", "QuotaCode": "L-1945791B"}),
    ("resourcegroupstaggingapi", "GetResources", {"TagFilters": [{"Key": "a", "Values": ["b"]}]}),
    ("sqs", "CreateQueue", {"QueueName": "m", "Attributes": {"MessageRetentionPeriod": "300"}}),
    ("eks", "CreateCluster", {"name": "m", "roleArn": "arn:role", "resourcesVpcConfig": {"subnetIds": ["subnet-1"]},
                              "clientRequestToken": "t"}),
    ("eks", "DescribeCluster", {"name": "m"}),
    ("eks", "DescribeUpdate", {"name": "m", "updateId": "u", "nodegroupName": "n"}),
    ("eks", "DescribeAddonVersions", {"addonName": "coredns", "maxResults": 10, "types": ["networking", "storage"]}),
    ("eks", "ListAccessEntries", {"clusterName": "m"}),
    ("eks", "DescribeAccessEntry", {"clusterName": "m", "principalArn": "arn:aws:iam::123456789012:role/a/b"}),
    ("eks", "DeletePodIdentityAssociation", {"clusterName": "m", "associationId": "a-1"}),
    ("eks", "UntagResource", {"resourceArn": "arn:aws:eks:us-west-2:123456789012:cluster/m", "tagKeys": ["a", "b"]}),
    ("eks", "UpdateAddon", {"clusterName": "m", "addonName": "coredns", "podIdentityAssociations": [],
                            "clientRequestToken": "t"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "operation", "params"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_read_is_the_reverse_of_botocore(service: str, operation: str, params: dict[str, Any]) -> None:
    request = request_of(service, operation, params)
    identity = models.identify(request, "us-west-2")
    assert (identity.service, identity.operation, identity.region) == (service, operation, "us-east-2")
    assert identity.model is not None
    assert reading.read(identity.model, request) == params


@pytest.mark.parametrize(
    ("service", "operation", "params", "body"),
    [
        ("ec2", "DescribeVpcs", {}, b"&VpcName.1=x"),
        ("ec2", "DescribeVpcs", {}, b"&Filter.1.Nane=x"),
        ("elasticache", "DescribeReplicationGroups", {}, b"&ReplicationGroup=x"),
        ("elasticache", "DescribeReplicationGroups", {}, b"&MaxRecords=many"),
    ],
)
def test_unknown_names_are_refused(service: str, operation: str, params: dict[str, Any], body: bytes) -> None:
    request = request_of(service, operation, params)
    wrong = Request(request.method, request.target, request.headers, request.body + body)
    with pytest.raises(AwsError) as error:
        reading.read(model_of(service, operation), wrong)
    assert error.value.status == 400


def test_unknown_and_missing_members_of_json_are_refused() -> None:
    model = model_of("eks", "CreateNodegroup")
    for body in (
        b'{"nodeGroupName": "n"}',
        b"{}",
        b'{"nodegroupName": "n", "subnets": "s", "nodeRole": "r"}',
        b"[]",
        b"{",
    ):
        with pytest.raises(AwsError):
            reading.read(model, Request("POST", "/clusters/m/node-groups", {}, body))
    with pytest.raises(AwsError):
        reading.read(model_of("eks", "DescribeCluster"), Request("GET", "/clusters/m?what=1", {}))


RESULTS: list[tuple[str, str, dict[str, Any]]] = [
    ("ec2", "DescribeVpcs", {"Vpcs": [{"VpcId": "vpc-1", "IsDefault": False, "Tags": [{"Key": "<a>", "Value": "&"}]}]}),
    ("ec2", "DescribeInstanceTypeOfferings", {"InstanceTypeOfferings": [{"InstanceType": "inf2.xlarge", "Location": "a"}]}),
    ("elasticache", "DescribeReplicationGroups", {"ReplicationGroups": [
        {"ReplicationGroupId": "m", "MemberClusters": ["m-001", "m-002"], "SnapshotRetentionLimit": 1, "ClusterEnabled": False,
         "NodeGroups": [{"NodeGroupId": "0001", "NodeGroupMembers": [{"CacheClusterId": "m-001"}]}]}]}),
    ("iam", "SimulatePrincipalPolicy", {"EvaluationResults": [
        {"EvalActionName": "a:B", "EvalDecision": "allowed"}], "IsTruncated": False}),
    ("eks", "DescribeCluster", {"cluster": {"name": "m", "tags": {"a": "b"}, "deletionProtection": False}}),
    ("service-quotas", "GetServiceQuota", {"Quota": {"QuotaCode": "L-1", "Value": 5.0}}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "result"), RESULTS)
def test_parse_is_the_reverse_of_write(service: str, operation: str, result: dict[str, Any]) -> None:
    model = model_of(service, operation)
    assert writing.parse(model, writing.write(model, result)) == result


def test_dates_and_unknown_members() -> None:
    date = datetime.datetime(2026, 11, 1, 12, 30, tzinfo=datetime.UTC)
    for service, operation, outer, member in (
        ("eks", "DescribeCluster", "cluster", "createdAt"),
        ("elasticache", "DescribeEvents", "Events", "Date"),
    ):
        model = model_of(service, operation)
        value: Any = {member: date} if service == "eks" else [{member: date}]
        parsed = writing.parse(model, writing.write(model, {outer: value}))[outer]
        assert (parsed if service == "eks" else parsed[0])[member] == date
        with pytest.raises(AssertionError, match="nonsense"):
            writing.write(model, {"nonsense": 1})


@pytest.mark.parametrize("service", ["ec2", "elasticache", "eks", "kms"])
def test_errors_are_read_by_botocore(service: str) -> None:
    operation = {"ec2": "DescribeVpcs", "elasticache": "DescribeEvents", "eks": "ListClusters", "kms": "ListKeys"}[
        service
    ]
    model = model_of(service, operation)
    response = writing.write_error(model, AwsError("SomeFault", "a <b> & c", 409))
    parsed = writing.parse(model, Response(response.status, response.body, response.headers))
    assert parsed["Error"]["Code"] == "SomeFault"
    assert parsed["Error"]["Message"] == "a <b> & c"


def test_secrets_stay_out_of_the_journal() -> None:
    shape = model_of("elasticache", "CreateReplicationGroup").input_shape
    shown = without_secrets(shape, {"ReplicationGroupId": "m", "AuthToken": "very secret", "Tags": [{"Key": "a"}]})
    assert shown == {"ReplicationGroupId": "m", "AuthToken": "***", "Tags": [{"Key": "a"}]}
    shape = model_of("secretsmanager", "CreateSecret").input_shape
    assert without_secrets(shape, {"Name": "n", "SecretString": "s"})["SecretString"] == "***"
