# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a replication group is to what it should be: which requests, in which order, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.group import VERSION_TAG, View
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.steps import (
    create_request,
    created_options,
    desired_options,
    plan,
    refusals,
    same_key,
    same_version,
    wanted_tags,
    wanted_tls,
)

NOW = {
    "engine": "redis",
    "engine_version": "7.1.0",
    "cache_node_type": "cache.t4g.small",
    "num_cache_clusters": 2,
    "automatic_failover_enabled": True,
    "multi_az_enabled": False,
    "security_group_ids": ["sg-a"],
    "cache_subnet_group_name": "mistral",
    "port": 6379,
    "transit_encryption": "required",
    "kms_key_id": "",
    "at_rest_encryption_enabled": True,
    "auth_token_enabled": True,
    "user_group_ids": [],
    "snapshot_retention_limit": 0,
    "notification_topic_arn": "arn:topic",
    "log_delivery_configurations": [{"LogType": "slow-log", "LogFormat": "json"}],
    "tags": {"a": "1", VERSION_TAG: "v1"},
}
VIEW = View({"MemberClusters": ["mistral-002", "mistral-001"]}, [], {})
LOG = {
    "log_type": "engine-log",
    "destination_type": "kinesis-firehose",
    "destination_details": {"kinesis_firehose_details": {"delivery_stream": "s"}, "cloud_watch_logs_details": None},
    "log_format": "text",
}
LOG_REQUEST = {
    "LogType": "engine-log",
    "DestinationType": "kinesis-firehose",
    "DestinationDetails": {"KinesisFirehoseDetails": {"DeliveryStream": "s"}},
    "LogFormat": "text",
}
MODIFY = "modify_replication_group"
SET = {"AuthToken": "t", "AuthTokenUpdateStrategy": "SET"}


def requests(params: dict[str, Any], **now: Any) -> list[tuple[str, dict[str, Any]]]:
    """Operations and their requests, without what all have."""
    steps = plan({"replication_group_id": "mistral", **params}, {**NOW, **now}, VIEW)
    unused = ("ApplyImmediately",)
    return [(s.operation, {key: value for key, value in s.request.items() if key not in unused}) for s in steps]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, []),
        ({"engine_version": "7.1", "security_group_ids": ["sg-a", ""], "kms_key_id": ""}, []),
        ({"cache_subnet_group_name": "Mistral", "security_group_ids": []}, []),
        ({"security_group_ids": ["sg-c", "sg-b"]}, [(MODIFY, {"SecurityGroupIds": ["sg-b", "sg-c"]})]),
        ({"engine_version": "7.2"}, [(MODIFY, {"EngineVersion": "7.2"})]),
        (
            {"engine": "valkey", "engine_version": "8.0", "cache_node_type": "cache.r7g.large"},
            [(MODIFY, {"Engine": "valkey", "EngineVersion": "8.0", "CacheNodeType": "cache.r7g.large"})],
        ),
        ({"engine": "redis", "engine_version": "7.2"}, [(MODIFY, {"Engine": "redis", "EngineVersion": "7.2"})]),
        ({"notification_topic_arn": ""}, [(MODIFY, {"NotificationTopicStatus": "inactive"})]),
        (
            {"notification_topic_arn": "arn:2"},
            [(MODIFY, {"NotificationTopicArn": "arn:2", "NotificationTopicStatus": "active"})],
        ),
        (
            {"snapshot_retention_limit": 5},
            [(MODIFY, {"SnapshotRetentionLimit": 5, "SnapshottingClusterId": "mistral-001"})],
        ),
        (
            {"log_delivery_configurations": [LOG]},
            [(MODIFY, {"LogDeliveryConfigurations": [LOG_REQUEST, {"LogType": "slow-log", "Enabled": False}]})],
        ),
        ({"num_cache_clusters": 4}, [("increase_replica_count", {"NewReplicaCount": 3})]),
        (
            {"num_cache_clusters": 1, "automatic_failover_enabled": False},
            [(MODIFY, {"AutomaticFailoverEnabled": False}), ("decrease_replica_count", {"NewReplicaCount": 0})],
        ),
        (
            {"num_cache_clusters": 3, "multi_az_enabled": True},
            [("increase_replica_count", {"NewReplicaCount": 2}), (MODIFY, {"MultiAZEnabled": True})],
        ),
        (
            {"tags": {"b": 2}},
            [("tags", {"to_set": {}, "to_remove": ["a"]}), ("tags", {"to_set": {"b": "2"}, "to_remove": []})],
        ),
        ({"tags": {"b": "2"}, "purge_tags": False}, [("tags", {"to_set": {"b": "2"}, "to_remove": []})]),
        ({"auth_token": "t"}, []),
        (
            {"auth_token": "t", "auth_token_version": "v2"},
            [
                (MODIFY, {"AuthToken": "t", "AuthTokenUpdateStrategy": "ROTATE"}),
                ("tags", {"to_set": {VERSION_TAG: "v2"}, "to_remove": []}),
            ],
        ),
        ({"user_group_ids": ["U"]}, [(MODIFY, {"UserGroupIdsToAdd": ["u"], "AuthTokenUpdateStrategy": "DELETE"})]),
    ],
)
def test_plan(params: dict[str, Any], expected: list[Any]) -> None:
    assert requests(params) == expected


def test_plan_user_groups() -> None:
    now = {"auth_token_enabled": False, "user_group_ids": ["a"]}
    swapped = {"UserGroupIdsToAdd": ["b"], "UserGroupIdsToRemove": ["a"]}
    assert requests({"user_group_ids": ["b"]}, **now) == [(MODIFY, swapped)]
    assert requests({"user_group_ids": []}, **now) == [(MODIFY, {"UserGroupIdsToRemove": ["a"]})]
    rotate = {"RemoveUserGroups": True, "AuthToken": "t", "AuthTokenUpdateStrategy": "ROTATE"}
    assert requests({"user_group_ids": [], "auth_token": "t"}, **now) == [(MODIFY, rotate), (MODIFY, SET)]


def test_a_first_token_is_added_and_then_required() -> None:
    params = {"replication_group_id": "mistral", "auth_token": "t", "auth_token_version": "v1"}
    steps = plan(params, {**NOW, "auth_token_enabled": False, "tags": {}}, VIEW)
    assert [step.request.get("AuthTokenUpdateStrategy") for step in steps] == ["ROTATE", "SET", None]
    assert [step.needs_wait for step in steps] == [True, True, False]
    assert [step.options for step in steps] == [{}, {"auth_token_enabled": True}, {"tags": {VERSION_TAG: "v1"}}]


@pytest.mark.parametrize(
    ("params", "now", "stops"),
    [
        ({"transit_encryption_enabled": True}, "off", ["preferred"]),
        ({"transit_encryption_enabled": True, "transit_encryption_mode": "required"}, "off", ["preferred", "required"]),
        ({"transit_encryption_mode": "required"}, "preferred", ["required"]),
        ({"transit_encryption_enabled": True}, "preferred", []),
        ({"transit_encryption_enabled": False}, "required", ["preferred", None]),
        ({"transit_encryption_enabled": False, "transit_encryption_mode": "required"}, "off", []),
        ({}, "preferred", []),
    ],
)
def test_way_to_tls(params: dict[str, Any], now: str, stops: list[str | None]) -> None:
    made = requests(params, transit_encryption=now, auth_token_enabled=False)
    assert [request.get("TransitEncryptionMode") for _operation, request in made] == stops
    assert [request["TransitEncryptionEnabled"] for _operation, request in made] == [stop is not None for stop in stops]


def test_tls_before_a_token_and_after_user_groups() -> None:
    plain = {"transit_encryption": "off", "auth_token_enabled": False}
    made = requests({"transit_encryption_enabled": True, "auth_token": "t"}, **plain)
    assert [next(iter(request)) for _operation, request in made] == [
        "TransitEncryptionEnabled",
        "TransitEncryptionEnabled",
        "AuthToken",
        "AuthToken",
    ]
    params = {"transit_encryption_enabled": False, "user_group_ids": []}
    made = requests(params, auth_token_enabled=False, user_group_ids=["a"])
    assert [next(iter(request)) for _operation, request in made] == [
        "UserGroupIdsToRemove",
        "TransitEncryptionEnabled",
        "TransitEncryptionEnabled",
    ]


def test_apply_immediately() -> None:
    params = {"cache_node_type": "x", "num_cache_clusters": 3, "apply_immediately": False}
    made = plan(params, NOW, VIEW)
    assert [step.request["ApplyImmediately"] for step in made] == [True, False]


def test_secrets_are_not_shown() -> None:
    assert "secret" not in str(plan({"auth_token": "secret", "auth_token_version": "v2"}, NOW, VIEW))
    assert "secret" not in str(created_options({"replication_group_id": "x", "auth_token": "secret"}))


def test_without_tags_there_is_no_rotation() -> None:
    """AWS does not show the tags now: the version is not known, and so not different."""
    now = {key: value for key, value in NOW.items() if key != "tags"}
    assert plan({"auth_token": "t", "auth_token_version": "v2", "tags": {}}, now, VIEW) == []


@pytest.mark.parametrize(
    ("params", "now", "text"),
    [
        ({"port": 6380}, NOW, "port is 6379 and 6380 is wanted"),
        ({"kms_key_id": "k"}, NOW, "kms_key_id is '' and 'k' is wanted"),
        ({"num_cache_clusters": 1}, NOW, "set num_cache_clusters to 2 or more"),
        ({"automatic_failover_enabled": True}, {}, "set num_cache_clusters to 2 or more"),
        ({"auth_token": "t"}, {}, "auth_token needs transit_encryption_enabled"),
        (
            {"auth_token": "t", "transit_encryption_enabled": True, "transit_encryption_mode": "preferred"},
            {},
            "auth_token needs transit_encryption_enabled",
        ),
        ({"auth_token": "t", "transit_encryption_enabled": False}, NOW, "auth_token needs"),
        ({"auth_token": "t", "transit_encryption_enabled": True, "user_group_ids": ["u"]}, {}, "exclude each other"),
        ({"auth_token": "t"}, {**NOW, "user_group_ids": ["u"]}, "set user_group_ids to []"),
        ({"auth_token": "t"}, NOW, ""),
        ({"auth_token": "t", "transit_encryption_enabled": True}, {}, ""),
        ({"num_cache_clusters": 1, "automatic_failover_enabled": False}, NOW, ""),
        ({"cache_subnet_group_name": "MISTRAL", "at_rest_encryption_enabled": True}, NOW, ""),
    ],
)
def test_refusals(params: dict[str, Any], now: dict[str, Any], text: str) -> None:
    result = refusals(params, now)
    assert len(result) == (1 if text else 0)
    assert text in "".join(result)


def test_cluster_mode_is_refused_only_where_it_matters() -> None:
    clustered = View({"ClusterEnabled": True, "MemberClusters": []}, [], {})
    assert "cluster mode" in refusals({"num_cache_clusters": 3}, NOW, clustered)[0]
    assert refusals({"num_cache_clusters": 2, "cache_node_type": "x"}, NOW, clustered) == []


def test_create_request() -> None:
    request = create_request(
        {
            "replication_group_id": "mistral",
            "engine": "valkey",
            "num_cache_clusters": 2,
            "multi_az_enabled": True,
            "security_group_ids": ["sg-b", "", "sg-a"],
            "user_group_ids": [],
            "transit_encryption_enabled": True,
            "auth_token": "t",
            "auth_token_version": "v1",
            "kms_key_id": "",
            "notification_topic_arn": "",
            "preferred_cache_cluster_azs": ["a", "b"],
            "log_delivery_configurations": [LOG],
            "tags": {"x": True},
        }
    )
    assert request == {
        "ReplicationGroupId": "mistral",
        "ReplicationGroupDescription": "mistral",
        "Engine": "valkey",
        "NumCacheClusters": 2,
        "MultiAZEnabled": True,
        "SecurityGroupIds": ["sg-a", "sg-b"],
        "TransitEncryptionEnabled": True,
        "AuthToken": "t",
        "PreferredCacheClusterAZs": ["a", "b"],
        "LogDeliveryConfigurations": [LOG_REQUEST],
        "Tags": [{"Key": "x", "Value": "True"}, {"Key": VERSION_TAG, "Value": "v1"}],
    }


def test_plain_create_request_asks_for_no_tls() -> None:
    nothing = {"transit_encryption_enabled": False, "auth_token": "", "auth_token_version": ""}
    request = create_request({"replication_group_id": "mistral", **nothing})
    assert request == {"ReplicationGroupId": "mistral", "ReplicationGroupDescription": "mistral"}


def test_tags_of_the_module_are_not_purged() -> None:
    assert wanted_tags({"tags": {}}, {"a": "1", VERSION_TAG: "v1"}) == {VERSION_TAG: "v1"}
    assert wanted_tags({}, {"a": "1"}) == {"a": "1"}


@pytest.mark.parametrize(
    ("wanted", "actual", "same"),
    [
        ("7.1", "7.1.0", True),
        ("7.1.0", "7.1.0", True),
        ("7", "7.1.0", True),
        ("6.x", "6.2.6", True),
        ("7.1", "7.0.7", False),
        ("7.1", "7.10.0", False),
        ("8.0", "7.8.0", False),
    ],
)
def test_same_version(wanted: str, actual: str, same: bool) -> None:
    assert same_version(wanted, actual) is same


def test_same_key() -> None:
    arn = "arn:aws:kms:us-west-2:1:key/abc"
    assert same_key(arn, arn) and same_key("abc", arn) and same_key("alias/redis", arn)
    assert not same_key("bc", arn) and not same_key("abc", "")


def test_details_of_wishes() -> None:
    assert wanted_tls({"transit_encryption_enabled": True, "auth_token": "t"}, "preferred") == "required"
    assert desired_options({"snapshot_window": "05:00-06:00", "port": None}) == {"snapshot_window": "05:00-06:00"}
