# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A replication group as AWS describes it: in the module's options, in its result, and how ready it is. Pure.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.amazon.aws.plugins.module_utils.transformation import boto3_resource_to_ansible_dict
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import given
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen

#: Which AUTH token the group has, as far as AWS lets one know; see the option auth_token_version.
VERSION_TAG = "rayops.serve_ha/auth-token-version"
#: States that end only when the group is deleted, of the group or of a node.
FAILED = ("create-failed", "incompatible-network", "restore-failed")
NOWHERE = {"address": "", "port": 0}


@dataclass(frozen=True)
class View:
    """One look at a replication group: C(members) are its cache clusters, C(tags=None) that AWS does not show them now."""

    group: dict[str, t.Any]
    members: list[dict[str, t.Any]]
    tags: dict[str, str] | None = None

    @property
    def status(self) -> str:
        return self.group.get("Status", "")


def tls_state(enabled: bool | None, mode: str | None) -> str:
    """C(off), C(preferred) or C(required); engines too old to have modes only know the last."""
    return (mode or "required") if enabled else "off"


def log_deliveries(configurations: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """What is delivered, without its status, in one order; what is being switched off is off."""
    kept = (
        {key: entry.get(key) for key in ("LogType", "DestinationType", "DestinationDetails", "LogFormat")}
        for entry in configurations
        if entry.get("Status") != "disabling" and entry.get("Enabled", True)
    )
    return sorted((given(entry) for entry in kept), key=lambda entry: entry.get("LogType", ""))


def current_options(view: View, scheduled: bool) -> dict[str, t.Any]:
    """The group in the words of the module's options; what AWS does not show (yet) is not in it.

    C(scheduled): what is on its way, or waits for the maintenance window, counts as done.
    """
    group = view.group
    node = view.members[0] if view.members else {}
    group_pending = group.get("PendingModifiedValues", {}) if scheduled else {}
    node_pending = node.get("PendingModifiedValues", {}) if scheduled else {}

    tls = tls_state(
        group_pending.get("TransitEncryptionEnabled", group.get("TransitEncryptionEnabled")),
        group_pending.get("TransitEncryptionMode", group.get("TransitEncryptionMode")),
    )
    failover = group_pending.get("AutomaticFailoverStatus", group.get("AutomaticFailover", "disabled"))
    user_groups = set(group.get("UserGroupIds", []))
    user_groups |= set(group_pending.get("UserGroups", {}).get("UserGroupIdsToAdd", []))
    user_groups -= set(group_pending.get("UserGroups", {}).get("UserGroupIdsToRemove", []))
    topic = node.get("NotificationConfiguration", {})
    return given(
        {
            "replication_group_description": group.get("Description"),
            "engine": group.get("Engine") or node.get("Engine"),
            "engine_version": node_pending.get("EngineVersion", node.get("EngineVersion")),
            "cache_node_type": node_pending.get("CacheNodeType", group.get("CacheNodeType")),
            "num_cache_clusters": len(group.get("MemberClusters", [])) or None,
            "automatic_failover_enabled": failover in ("enabled", "enabling"),
            "multi_az_enabled": group.get("MultiAZ") == "enabled",
            "cache_subnet_group_name": node.get("CacheSubnetGroupName"),
            "security_group_ids": _security_groups(node),
            "cache_parameter_group_name": node.get("CacheParameterGroup", {}).get("CacheParameterGroupName"),
            "port": endpoint_of(group)["port"] or None,
            "transit_encryption": tls,
            "at_rest_encryption_enabled": group.get("AtRestEncryptionEnabled"),
            "kms_key_id": group.get("KmsKeyId") or "",
            "auth_token_enabled": bool(group.get("AuthTokenEnabled") or group_pending.get("AuthTokenStatus")),
            "user_group_ids": sorted(user_groups),
            "snapshot_retention_limit": group.get("SnapshotRetentionLimit"),
            "snapshot_window": group.get("SnapshotWindow") or node.get("SnapshotWindow"),
            "preferred_maintenance_window": node.get("PreferredMaintenanceWindow"),
            "auto_minor_version_upgrade": group.get("AutoMinorVersionUpgrade"),
            "notification_topic_arn": (topic.get("TopicArn", "") if topic.get("TopicStatus") == "active" else "")
            if node
            else None,
            "log_delivery_configurations": log_deliveries(
                group_pending.get("LogDeliveryConfigurations") or group.get("LogDeliveryConfigurations", [])
            ),
            "tags": view.tags,
        }
    )


def _security_groups(node: dict[str, t.Any]) -> list[str] | None:
    if "SecurityGroups" not in node:
        return None
    return sorted(each["SecurityGroupId"] for each in node["SecurityGroups"] if each.get("Status") != "removing")


def endpoint_of(group: dict[str, t.Any], kind: str = "PrimaryEndpoint") -> dict[str, t.Any]:
    """Where clients connect: the primary's (or another C(kind)'s) name, the configuration endpoint in cluster mode."""
    shards = group.get("NodeGroups") or [{}]
    found = group.get("ConfigurationEndpoint") or shards[0].get(kind) or {}
    return {"address": found.get("Address", ""), "port": found.get("Port", 0)}


def parameters_pending_reboot(view: View) -> bool:
    return any(
        node.get("CacheParameterGroup", {}).get("ParameterApplyStatus") == "pending-reboot" for node in view.members
    )


def warnings_of(view: View) -> list[str]:
    """What does not keep the group from serving and needs somebody's hand."""
    texts = [
        f"Logs of type {entry.get('LogType', '?')} are not delivered: {entry.get('Message') or 'AWS gives no reason'}"
        for entry in view.group.get("LogDeliveryConfigurations", [])
        if entry.get("Status") == "error"
    ]
    if parameters_pending_reboot(view):
        texts.append("Some cache parameters take effect only when the nodes are rebooted (pending-reboot)")
    return texts


def describe(view: View) -> dict[str, t.Any]:
    """The result: what AWS says of the group, in snake_case, and what only its nodes know."""
    options = current_options(view, scheduled=False)
    taken = ("engine", "engine_version", "cache_node_type", "num_cache_clusters", "cache_subnet_group_name")
    taken += ("security_group_ids", "cache_parameter_group_name", "preferred_maintenance_window")
    roles = {
        member["CacheClusterId"]: member.get("CurrentRole", "")
        for shard in view.group.get("NodeGroups", [])
        for member in shard.get("NodeGroupMembers", [])
    }
    return {
        **boto3_resource_to_ansible_dict(view.group, transform_tags=False),
        **{key: options.get(key, [] if key == "security_group_ids" else "") for key in taken},
        "num_cache_clusters": options.get("num_cache_clusters", 0),
        "notification_topic_arn": options.get("notification_topic_arn", ""),
        "auth_token_enabled": view.group.get("AuthTokenEnabled", False),
        "transit_encryption_enabled": view.group.get("TransitEncryptionEnabled", False),
        "primary_endpoint": endpoint_of(view.group),
        "reader_endpoint": endpoint_of(view.group, "ReaderEndpoint"),
        "endpoint": endpoint_of(view.group),
        "port": endpoint_of(view.group)["port"],
        "parameters_pending_reboot": parameters_pending_reboot(view),
        "members": [
            {
                "cache_cluster_id": node["CacheClusterId"],
                "status": node.get("CacheClusterStatus", ""),
                "role": roles.get(node["CacheClusterId"], ""),
                "availability_zone": node.get("PreferredAvailabilityZone", ""),
                "engine_version": node.get("EngineVersion", ""),
            }
            for node in sorted(view.members, key=lambda node: node["CacheClusterId"])
        ],
        "tags": view.tags or {},
    }


def predict(name: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result of a check mode that would create: every key, empty where only AWS knows the value."""
    view = View({"ReplicationGroupId": name, "ARN": "", "Status": ""}, [], options.get("tags"))
    same = ("engine", "engine_version", "cache_node_type", "num_cache_clusters", "cache_subnet_group_name")
    same += ("security_group_ids", "cache_parameter_group_name")
    return describe(view) | {key: options[key] for key in same if key in options}


def readiness(view: View | None) -> Seen:
    """Whether the group and all its nodes are available and its parameters applied; no group is one not visible yet."""
    if view is None:
        return Seen("", "not visible yet")
    states = {node["CacheClusterId"]: node.get("CacheClusterStatus", "") for node in view.members}
    wrong = [f"node {name} is {state}" for name, state in sorted(states.items()) if state != "available"]
    wrong += [f"node {name} is not visible yet" for name in view.group.get("MemberClusters", []) if name not in states]
    text = "; ".join([view.status, *wrong])
    if view.status in FAILED or any(state in FAILED for state in states.values()):
        return Seen("failed", text, view)
    if view.status == "deleting":
        return Seen("failed", "it is being deleted", view)
    if view.status != "available" or wrong or not states:
        return Seen("", text, view)
    for node in view.members:
        parameters = node.get("CacheParameterGroup", {})
        if parameters.get("ParameterApplyStatus", "in-sync") not in ("in-sync", "pending-reboot"):
            name = parameters.get("CacheParameterGroupName", "")
            return Seen("", f"parameter group {name} is {parameters['ParameterApplyStatus']}", view)
    if view.tags is None:
        return Seen("", "available, its tags cannot be read yet", view)
    return Seen("ready", "available", view)


def failure_reasons(view: View, events: list[dict[str, t.Any]]) -> str:
    """AWS' own words on this group and its nodes, since it was created."""
    name = view.group["ReplicationGroupId"]
    node = re.compile(rf"{re.escape(name)}-\d+(-\d+)?")
    since = view.group.get("ReplicationGroupCreateTime")
    texts = [
        event.get("Message", "")
        for event in events
        if (event.get("SourceIdentifier") == name or node.fullmatch(event.get("SourceIdentifier", "")))
        and not (since and event.get("Date") and event["Date"] < since)
    ]
    return "; ".join(dict.fromkeys(text for text in texts if text)) or "AWS gives no reason in its events"
