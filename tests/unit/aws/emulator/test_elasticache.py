# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ElastiCache: states, refusals, and that the members follow their group."""

from __future__ import annotations

from typing import Any

import pytest
from emulator import models
from emulator.elasticache import families
from emulator.elasticache.changes import new_tokens

OLD, NEW = "o" * 20, "n" * 20


def create(aws: Any, **more: Any) -> dict[str, Any]:
    params = {
        "ReplicationGroupId": "M",
        "ReplicationGroupDescription": "d",
        "Engine": "valkey",
        "CacheNodeType": "cache.t4g.small",
        "NumCacheClusters": 2,
        "AutomaticFailoverEnabled": True,
        "MultiAZEnabled": True,
        "TransitEncryptionEnabled": True,
        "AuthToken": OLD,
        "SecurityGroupIds": ["sg-1"],
        **more,
    }
    return aws("elasticache", "CreateReplicationGroup", **params)["ReplicationGroup"]


def group(aws: Any) -> dict[str, Any]:
    return aws("elasticache", "DescribeReplicationGroups", ReplicationGroupId="m")["ReplicationGroups"][0]


def members(aws: Any) -> list[dict[str, Any]]:
    return aws("elasticache", "DescribeCacheClusters", ShowCacheNodeInfo=True)["CacheClusters"]


@pytest.fixture
def made(aws: Any) -> Any:
    create(aws)
    aws.pass_time(480)
    return aws


def test_creation(aws: Any) -> None:
    made = create(aws)
    assert made["Status"] == "creating" and "NodeGroups" not in made and made["MemberClusters"] == ["m-001", "m-002"]
    assert (
        aws.refused("elasticache", "DeleteReplicationGroup", ReplicationGroupId="m") == "InvalidReplicationGroupState"
    )
    assert not aws.tokens
    aws.pass_time(480)
    nodes = group(aws)["NodeGroups"][0]
    assert group(aws)["Status"] == "available" and nodes["PrimaryEndpoint"]["Port"] == 6379
    assert [node["CurrentRole"] for node in nodes["NodeGroupMembers"]] == ["primary", "replica"]
    assert [node["PreferredAvailabilityZone"] for node in members(aws)] == ["us-west-2a", "us-west-2b"]
    assert aws.tokens == [("m", [OLD])]
    aws.world.config["elasticache"] |= {"host": "redis.test", "port": 6380}
    assert group(aws)["NodeGroups"][0]["PrimaryEndpoint"] == {"Address": "redis.test", "Port": 6380}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"NumCacheClusters": 1}, "InvalidParameterCombination"),
        ({"AutomaticFailoverEnabled": False}, "InvalidParameterCombination"),
        ({"TransitEncryptionEnabled": False}, "InvalidParameterCombination"),
        ({"AuthToken": "short"}, "InvalidParameterValue"),
        ({"AuthToken": "has a space in the middle"}, "InvalidParameterValue"),
        ({"EngineVersion": "1.0"}, "InvalidParameterValue"),
        ({"CacheParameterGroupName": "nonsense"}, "CacheParameterGroupNotFound"),
        ({"CacheParameterGroupName": "default.redis7"}, "InvalidParameterCombination"),
        ({"ReplicationGroupId": "9m"}, "InvalidParameterValue"),
    ],
)
def test_what_aws_refuses(aws: Any, change: dict[str, Any], code: str) -> None:
    with pytest.raises(Exception, match=code):
        create(aws, **change)
    assert not aws.backend.interfaces


def test_codes_are_those_of_the_model() -> None:
    """As botocore's exceptions are chosen by them."""
    model = models.service_model("elasticache")
    assert model is not None
    declared = {shape.error_code for shape in model.error_shapes}
    used = {
        "CacheParameterGroupAlreadyExists",
        "CacheParameterGroupNotFound",
        "CacheSubnetGroupInUse",
        "CacheSubnetGroupNotFoundFault",
        "InvalidCacheParameterGroupState",
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "InvalidReplicationGroupState",
        "ReplicationGroupAlreadyExists",
        "ReplicationGroupNotFoundFault",
        "SubnetInUse",
    }
    assert used <= declared


def test_a_change_reaches_every_member(made: Any) -> None:
    made("elasticache", "CreateCacheParameterGroup", CacheParameterGroupName="p", CacheParameterGroupFamily="valkey8",
         Description="d")  # fmt: skip
    change = {"CacheNodeType": "cache.r7g.large", "SecurityGroupIds": ["sg-2"], "CacheParameterGroupName": "p"}
    made("elasticache", "ModifyReplicationGroup", ReplicationGroupId="m", ApplyImmediately=True, **change)
    assert group(made)["Status"] == "modifying" and members(made)[0]["CacheNodeType"] == "cache.t4g.small"
    again = {"ReplicationGroupId": "m", "ApplyImmediately": True, "SnapshotRetentionLimit": 1}
    assert made.refused("elasticache", "ModifyReplicationGroup", **again) == "InvalidReplicationGroupState"
    made.pass_time(240)
    for member in members(made):
        assert member["CacheNodeType"] == "cache.r7g.large"
        assert member["SecurityGroups"] == [{"SecurityGroupId": "sg-2", "Status": "active"}]
        assert member["CacheParameterGroup"]["CacheParameterGroupName"] == "p"
    assert {item["Groups"][0]["GroupId"] for item in made.backend.interfaces.values()} == {"sg-2"}
    assert made.refused("elasticache", "DeleteCacheParameterGroup", CacheParameterGroupName="p") == (
        "InvalidCacheParameterGroupState"
    )


def test_what_is_not_applied_immediately_waits(made: Any) -> None:
    made(
        "elasticache", "ModifyReplicationGroup", ReplicationGroupId="m", ApplyImmediately=False, CacheNodeType="cache.x"
    )
    made.pass_time(1000)
    assert group(made)["CacheNodeType"] == "cache.t4g.small"


def test_replicas(made: Any) -> None:
    count = {"ReplicationGroupId": "m", "ApplyImmediately": True}
    made("elasticache", "IncreaseReplicaCount", **count, NewReplicaCount=3)
    made.pass_time(240)
    assert [member["CacheClusterId"] for member in members(made)] == ["m-001", "m-002", "m-003", "m-004"]
    assert len(made.backend.interfaces) == 4
    made("elasticache", "DecreaseReplicaCount", **count, ReplicasToRemove=["m-003"])
    made.pass_time(240)
    assert group(made)["MemberClusters"] == ["m-001", "m-002", "m-004"]
    assert (
        made.refused("elasticache", "DecreaseReplicaCount", **count, NewReplicaCount=0) == "InvalidParameterCombination"
    )
    assert made.refused("elasticache", "IncreaseReplicaCount", **count, NewReplicaCount=2) == "InvalidParameterValue"
    made("elasticache", "TestFailover", ReplicationGroupId="m", NodeGroupId="0001")
    assert group(made)["NodeGroups"][0]["NodeGroupMembers"][0]["CacheClusterId"] == "m-002"


def test_tokens(made: Any) -> None:
    change = {"ReplicationGroupId": "m", "ApplyImmediately": True, "AuthToken": NEW}
    for token in (NEW, OLD):
        given = change | {"AuthToken": token, "AuthTokenUpdateStrategy": "SET"}
        assert made.refused("elasticache", "ModifyReplicationGroup", **given) == "InvalidParameterCombination"
    for strategy in ("ROTATE", "SET"):
        made("elasticache", "ModifyReplicationGroup", **change, AuthTokenUpdateStrategy=strategy)
        made.pass_time(240)
    assert made.tokens == [("m", [OLD]), ("m", [OLD, NEW]), ("m", [NEW])]
    assert new_tokens([OLD], "", "DELETE") == []
    assert new_tokens(["a", "b"], "c", "ROTATE") == ["b", "c"]
    assert new_tokens([], "a", "ROTATE") == ["", "a"]


def test_deletion(made: Any) -> None:
    made("elasticache", "DeleteReplicationGroup", ReplicationGroupId="m")
    assert group(made)["Status"] == "deleting"
    made.pass_time(240)
    assert made.refused("elasticache", "DescribeReplicationGroups", ReplicationGroupId="m") == (
        "ReplicationGroupNotFoundFault"
    )
    assert not made.backend.interfaces and made.tokens[-1] == ("m", [])


def test_a_failed_creation_says_why_and_can_be_deleted(aws: Any) -> None:
    aws.world.doomed["elasticache:replicationgroup"].append(("InsufficientCacheClusterCapacity", "no capacity"))
    create(aws)
    aws.pass_time(480)
    assert group(aws)["Status"] == "create-failed"
    events = aws("elasticache", "DescribeEvents", SourceType="replication-group", SourceIdentifier="m")["Events"]
    assert "no capacity" in events[-1]["Message"]
    aws("elasticache", "DeleteReplicationGroup", ReplicationGroupId="m")
    aws.pass_time(240)
    assert not aws.backend.interfaces


def test_tags_wait_for_the_group(aws: Any) -> None:
    arn = create(aws, Tags=[{"Key": "a", "Value": "b"}])["ARN"]
    new = {"ResourceName": arn, "Tags": [{"Key": "c", "Value": "d"}]}
    assert aws.refused("elasticache", "AddTagsToResource", **new) == "InvalidReplicationGroupState"
    aws.pass_time(480)
    aws("elasticache", "AddTagsToResource", **new)
    aws("elasticache", "RemoveTagsFromResource", ResourceName=arn, TagKeys=["a"])
    assert aws("elasticache", "ListTagsForResource", ResourceName=arn)["TagList"] == [{"Key": "c", "Value": "d"}]


def test_versions(made: Any) -> None:
    assert members(made)[0]["EngineVersion"] == "8.2.0"
    down = {"ReplicationGroupId": "m", "ApplyImmediately": True, "EngineVersion": "8.0"}
    assert made.refused("elasticache", "ModifyReplicationGroup", **down) == "InvalidParameterCombination"


def test_parameters(aws: Any) -> None:
    name = {"CacheParameterGroupName": "p"}
    assert aws.refused(
        "elasticache", "CreateCacheParameterGroup", **name, CacheParameterGroupFamily="x", Description="d"
    ) == ("InvalidParameterValue")
    aws("elasticache", "CreateCacheParameterGroup", **name, CacheParameterGroupFamily="valkey8", Description="d")

    def modify(key: str, value: str) -> dict[str, Any]:
        return {**name, "ParameterNameValues": [{"ParameterName": key, "ParameterValue": value}]}

    aws("elasticache", "ModifyCacheParameterGroup", **modify("maxmemory-policy", "noeviction"))
    for key, value in (("maxmemory-policy", "x"), ("nonsense", "1"), ("appendonly", "yes")):
        assert aws.refused("elasticache", "ModifyCacheParameterGroup", **modify(key, value)) == "InvalidParameterValue"
    user = aws("elasticache", "DescribeCacheParameters", **name, Source="user")["Parameters"]
    assert [(item["ParameterName"], item["ParameterValue"]) for item in user] == [("maxmemory-policy", "noeviction")]
    aws("elasticache", "ResetCacheParameterGroup", **name, ParameterNameValues=[{"ParameterName": "maxmemory-policy"}])
    assert not aws("elasticache", "DescribeCacheParameters", **name, Source="user")["Parameters"]


@pytest.mark.parametrize(
    ("allowed", "value", "expected"),
    [
        ("yes,no", "yes", True),
        ("yes,no", "maybe", False),
        ("0,20-", "10", False),
        ("0,20-", "20", True),
        ("0-100", "101", False),
        ("-", "-5", True),
        ("", "anything", True),
    ],
)
def test_allowed_values(allowed: str, value: str, expected: bool) -> None:
    assert families.allows(allowed, value) is expected
