# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS says of a replication group: how ready it is, what is on its way, why it failed."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.group import (
    View,
    current_options,
    describe,
    endpoint_of,
    failure_reasons,
    readiness,
    warnings_of,
)

GROUP = {
    "ReplicationGroupId": "mistral",
    "Status": "available",
    "Description": "d",
    "CacheNodeType": "cache.t4g.small",
    "MemberClusters": ["mistral-001", "mistral-002"],
    "NodeGroups": [{"PrimaryEndpoint": {"Address": "master.mistral", "Port": 6379}}],
    "AutomaticFailover": "enabling",
    "MultiAZ": "enabled",
    "TransitEncryptionEnabled": True,
    "AuthTokenEnabled": True,
    "UserGroupIds": [],
}
NODE = {
    "CacheClusterId": "mistral-001",
    "CacheClusterStatus": "available",
    "EngineVersion": "7.0.7",
    "CacheParameterGroup": {"CacheParameterGroupName": "mistral", "ParameterApplyStatus": "in-sync"},
    "SecurityGroups": [
        {"SecurityGroupId": "sg-new", "Status": "adding"},
        {"SecurityGroupId": "sg-old", "Status": "removing"},
    ],
    "NotificationConfiguration": {"TopicArn": "arn:topic", "TopicStatus": "inactive"},
}


def view(group: dict[str, Any] | None = None, tags: dict[str, str] | None = None, **second: Any) -> View:
    """Two nodes; C(second) is what is special with the second one."""
    return View({**GROUP, **(group or {})}, [NODE, {**NODE, "CacheClusterId": "mistral-002", **second}], tags or {})


APPLYING = {"CacheParameterGroup": {"CacheParameterGroupName": "mistral", "ParameterApplyStatus": "applying"}}
REBOOT = {"CacheParameterGroup": {"CacheParameterGroupName": "mistral", "ParameterApplyStatus": "pending-reboot"}}


@pytest.mark.parametrize(
    ("seen", "end", "text"),
    [
        (None, "", "not visible yet"),
        (view(), "ready", "available"),
        (view(**REBOOT), "ready", "available"),
        (view({"Status": "creating"}), "", "creating"),
        (view({"Status": "snapshotting"}), "", "snapshotting"),
        (view({"Status": "modifying"}, CacheClusterStatus="creating"), "", "modifying; node mistral-002 is creating"),
        (view(CacheClusterStatus="modifying"), "", "available; node mistral-002 is modifying"),
        (view(**APPLYING), "", "parameter group mistral is applying"),
        (View(GROUP, [NODE], {}), "", "available; node mistral-002 is not visible yet"),
        (View({**GROUP, "MemberClusters": []}, [], {}), "", "available"),
        (View(GROUP, view().members, None), "", "available, its tags cannot be read yet"),
        (view({"Status": "create-failed"}), "failed", "create-failed"),
        (
            view(CacheClusterStatus="incompatible-network"),
            "failed",
            "available; node mistral-002 is incompatible-network",
        ),
        (view({"Status": "deleting"}), "failed", "it is being deleted"),
    ],
)
def test_readiness(seen: View | None, end: str, text: str) -> None:
    result = readiness(seen)
    assert (result.end, result.text) == (end, text)


def test_options() -> None:
    options = current_options(view(tags={"a": "b"}), scheduled=False)
    assert options["automatic_failover_enabled"] is True
    assert options["transit_encryption"] == "required", "engines before 7.0.5 show no mode"
    assert options["security_group_ids"] == ["sg-new"]
    assert options["notification_topic_arn"] == ""
    assert options["num_cache_clusters"] == 2
    assert options["kms_key_id"] == ""
    assert options["tags"] == {"a": "b"}
    assert "snapshot_window" not in options, "AWS does not show it"
    unknown = current_options(View({**GROUP, "MemberClusters": [], "NodeGroups": []}, [], None), scheduled=False)
    nodes_know = {"engine_version", "security_group_ids", "cache_parameter_group_name", "notification_topic_arn"}
    assert not unknown.keys() & (nodes_know | {"tags", "port", "num_cache_clusters"})


@pytest.mark.parametrize(
    ("group_pending", "node_pending", "expected"),
    [
        ({"AutomaticFailoverStatus": "disabled"}, {}, {"automatic_failover_enabled": False}),
        ({"TransitEncryptionMode": "preferred"}, {}, {"transit_encryption": "preferred"}),
        ({"TransitEncryptionEnabled": False}, {}, {"transit_encryption": "off"}),
        ({"UserGroups": {"UserGroupIdsToAdd": ["u"]}}, {}, {"user_group_ids": ["u"]}),
        (
            {"LogDeliveryConfigurations": [{"LogType": "slow-log"}]},
            {},
            {"log_delivery_configurations": [{"LogType": "slow-log"}]},
        ),
        ({}, {"EngineVersion": "7.1.0"}, {"engine_version": "7.1.0"}),
        ({}, {"CacheNodeType": "cache.r7g.large"}, {"cache_node_type": "cache.r7g.large"}),
    ],
)
def test_what_is_scheduled(group_pending: Any, node_pending: Any, expected: dict[str, Any]) -> None:
    group = {**GROUP, "PendingModifiedValues": group_pending}
    seen = View(group, [{**NODE, "PendingModifiedValues": node_pending}], {})
    now, then = (current_options(seen, scheduled=scheduled) for scheduled in (False, True))
    assert {key: then[key] for key in then if then[key] != now[key]} == expected


def test_endpoints() -> None:
    cluster_mode = {"ConfigurationEndpoint": {"Address": "clustercfg.x", "Port": 6380}}
    assert endpoint_of({**GROUP, **cluster_mode}) == {"address": "clustercfg.x", "port": 6380}
    assert endpoint_of(GROUP, "ReaderEndpoint") == {"address": "", "port": 0}
    assert describe(view())["port"] == 6379


def test_warnings() -> None:
    broken = {"LogDeliveryConfigurations": [{"LogType": "slow-log", "Status": "error", "Message": "no log group"}]}
    assert warnings_of(view()) == []
    log, reboot = warnings_of(view(broken, **REBOOT))
    assert log == "Logs of type slow-log are not delivered: no log group"
    assert "pending-reboot" in reboot


def test_failure_reasons() -> None:
    def event(source: str, message: str, hour: int) -> dict[str, Any]:
        return {"SourceIdentifier": source, "Message": message, "Date": datetime.datetime(2026, 1, 1, hour)}

    events = [
        event("mistral", "of the one before", 1),
        event("mistral-0001-002", "no capacity", 5),
        event("mistral-big", "another one", 5),
        event("mistral-big-001", "its node", 5),
        event("mistral", "failed to create", 6),
        event("mistral", "failed to create", 7),
    ]
    failed = view({"ReplicationGroupCreateTime": datetime.datetime(2026, 1, 1, 4)})
    assert failure_reasons(failed, events) == "no capacity; failed to create"
    assert "no reason" in failure_reasons(failed, [])
