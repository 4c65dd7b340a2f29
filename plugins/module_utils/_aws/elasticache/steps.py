# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what a replication group is to what it should be: the requests, in the order AWS takes them. Pure.

While a group is being modified AWS refuses further requests, so each change is a step of its own:

1. more replicas, before anything that needs them (automatic failover, Multi-AZ),
2. all that one ModifyReplicationGroup takes,
3. the way back from encryption in transit only after access control is gone, the way to it before access control is set:
   C(off), C(preferred) and C(required) lie on one line, and AWS goes it one stop at a time,
4. fewer replicas, after what needed them has been switched off,
5. tags, which AWS copies to every node.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.dict_transformations import snake_dict_to_camel_dict
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changed_tags, changes, given
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.group import (
    VERSION_TAG,
    View,
    log_deliveries,
    tls_state,
)

#: Option -> request parameter where that is not just its CamelCase.
SPELT = {"multi_az_enabled": "MultiAZEnabled", "preferred_cache_cluster_azs": "PreferredCacheClusterAZs"}
#: What only CreateReplicationGroup takes.
IMMUTABLE = ("cache_subnet_group_name", "port", "at_rest_encryption_enabled", "kms_key_id")
#: What one ModifyReplicationGroup takes together.
MODIFIABLE = (
    "replication_group_description",
    "engine",
    "engine_version",
    "cache_node_type",
    "automatic_failover_enabled",
    "multi_az_enabled",
    "security_group_ids",
    "cache_parameter_group_name",
    "snapshot_retention_limit",
    "snapshot_window",
    "preferred_maintenance_window",
    "auto_minor_version_upgrade",
    "notification_topic_arn",
    "log_delivery_configurations",
)
#: AWS keeps these in lower case, however they are written.
LOWER_CASE = (
    "cache_subnet_group_name",
    "cache_parameter_group_name",
    "preferred_maintenance_window",
    "snapshot_window",
)
#: An empty text is a value of these; of all others it means not given.
EMPTY_HAS_MEANING = ("notification_topic_arn", "replication_group_description")
WAY_TO_TLS = ("off", "preferred", "required")


@dataclass(frozen=True)
class Step:
    """One request. C(options) is what the group shows when it is done; C(operation) is the client's method.

    The operation C(tags) stands for the two of tags, its request is C(to_set) and C(to_remove).
    C(needs_wait): must not be the last thing a task does, as another step belongs to it.
    """

    operation: str
    request: dict[str, t.Any] = field(repr=False)
    options: dict[str, t.Any]
    needs_wait: bool = False


def desired_options(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the user gave, as current_options() spells it; what was not given is not in it."""
    names = (*IMMUTABLE, *MODIFIABLE, "num_cache_clusters", "user_group_ids")
    wanted = given({name: params.get(name) for name in names})
    wanted = {key: value for key, value in wanted.items() if value != "" or key in EMPTY_HAS_MEANING}
    for key in LOWER_CASE:
        if key in wanted:
            wanted[key] = wanted[key].lower()
    groups = sorted(name for name in wanted.pop("security_group_ids", []) if name)
    if groups:
        wanted["security_group_ids"] = groups
    if "user_group_ids" in wanted:
        wanted["user_group_ids"] = sorted(name.lower() for name in wanted["user_group_ids"])
    if "log_delivery_configurations" in wanted:
        wanted["log_delivery_configurations"] = log_deliveries(
            [_camel(entry) for entry in wanted["log_delivery_configurations"]]
        )
    return wanted


def _camel(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    details = given(entry.get("destination_details") or {})
    return snake_dict_to_camel_dict({**given(entry), "destination_details": details}, capitalize_first=True)


def create_request(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Parameters of CreateReplicationGroup."""
    wanted = desired_options(params)
    wanted.setdefault("replication_group_description", params["replication_group_id"])
    if not wanted.get("notification_topic_arn"):
        wanted.pop("notification_topic_arn", None)
    wanted |= {key: params[key] for key in ("auth_token", "preferred_cache_cluster_azs") if params.get(key)}
    if created_tls(params) != "off":
        # The mode only if given: engines before 7.0.5 know none.
        mode = params.get("transit_encryption_mode")
        wanted |= given({"transit_encryption_enabled": True, "transit_encryption_mode": mode})
    tags = wanted_tags(params, {})
    request = {_spelt(key): value for key, value in wanted.items() if value != []}
    request |= {"ReplicationGroupId": params["replication_group_id"]}
    return request | ({"Tags": ansible_dict_to_boto3_tag_list(tags)} if tags else {})


def created_options(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a creation brings about, for the diff: no secret is in it."""
    return {
        "replication_group_description": params["replication_group_id"],
        **desired_options(params),
        "transit_encryption": created_tls(params),
        "auth_token_enabled": bool(params.get("auth_token")),
        "tags": wanted_tags(params, {}),
    }


def _spelt(option: str) -> str:
    return SPELT.get(option) or "".join(word.capitalize() for word in option.split("_"))


def aligned(wanted: dict[str, t.Any], current: dict[str, t.Any]) -> dict[str, t.Any]:
    """C(wanted) without what is not known of the group, and with the group's own spelling where both mean the same."""
    result = {key: value for key, value in wanted.items() if key in current}
    for key, same in (("engine_version", same_version), ("kms_key_id", same_key)):
        if key in result and same(result[key], current[key]):
            result[key] = current[key]
    return result


def same_version(wanted: str, actual: str) -> bool:
    """C(7.1) is met by C(7.1.0), C(6.x) by C(6.2.6)."""
    pairs = zip(wanted.split("."), actual.split("."), strict=False)
    return all(one in (other, "x") for one, other in pairs)


def same_key(wanted: str, actual: str) -> bool:
    """A KMS key by its id or ARN. AWS shows the key, never the alias by which it was chosen."""
    return bool(actual) and (wanted == actual or actual.endswith(f"/{wanted}") or "alias/" in wanted)


def wanted_tags(params: dict[str, t.Any], current: dict[str, str]) -> dict[str, str]:
    """All tags the group should have. The module's own is never purged."""
    foreign = {key: value for key, value in current.items() if key != VERSION_TAG}
    to_set, to_remove, _after = changed_tags(foreign, params.get("tags"), params.get("purge_tags", True))
    version = {VERSION_TAG: params["auth_token_version"]} if params.get("auth_token_version") else {}
    kept = {key: value for key, value in current.items() if key not in to_remove}
    return kept | {key: str(value) for key, value in to_set.items()} | version


def created_tls(params: dict[str, t.Any]) -> str:
    enabled, mode = params.get("transit_encryption_enabled"), params.get("transit_encryption_mode")
    return tls_state(bool(mode) if enabled is None else enabled, mode)


def wanted_tls(params: dict[str, t.Any], current: str) -> str:
    """What an existing group should come to. Without a mode, connections without encryption are not cut off."""
    enabled, mode = params.get("transit_encryption_enabled"), params.get("transit_encryption_mode")
    if enabled is False:
        return "off"
    if mode:
        return mode
    if not enabled:
        return current
    # AWS has no access control while connections without encryption are taken too.
    return "required" if params.get("auth_token") else (current if current != "off" else "preferred")


def refusals(params: dict[str, t.Any], current: dict[str, t.Any], view: View | None = None) -> list[str]:
    """Why AWS cannot make C(current) (empty if there is no group yet) what is wanted; each with the way out."""
    wanted = aligned(desired_options(params), current) if current else desired_options(params)
    result = [
        f"{key} is {current[key]!r} and {wanted[key]!r} is wanted: AWS cannot change it."
        f" Let it be {current[key]!r}, or make another replication group"
        for key in IMMUTABLE
        if key in wanted and current and wanted[key] != current[key]
    ]
    future = {**current, **wanted}
    clustered = bool(view and view.group.get("ClusterEnabled"))
    if clustered and "num_cache_clusters" in changes(current, wanted):
        result.append("num_cache_clusters is for groups with cluster mode disabled, and this one's is enabled")
    if future.get("automatic_failover_enabled") and future.get("num_cache_clusters", 1) < 2:
        result.append(
            "automatic_failover_enabled needs a replica: set num_cache_clusters to 2 or more, or"
            " automatic_failover_enabled and multi_az_enabled to false"
        )
    if params.get("auth_token"):
        if params.get("user_group_ids"):
            result.append("auth_token and user_group_ids exclude each other: give one of them")
        elif current.get("user_group_ids") and params.get("user_group_ids") is None:
            result.append("the group has user groups: to go over to auth_token, set user_group_ids to []")
        tls = wanted_tls(params, current["transit_encryption"]) if current else created_tls(params)
        if tls != "required":
            result.append("auth_token needs transit_encryption_enabled=true and transit_encryption_mode=required")
    return result


def plan(params: dict[str, t.Any], current: dict[str, t.Any], view: View) -> list[Step]:
    """The steps from C(current) to what is wanted; none if all is well."""
    wanted = aligned(desired_options(params), current)
    todo = changes(current, wanted)
    nodes = todo.get("num_cache_clusters", 0)
    tls = _tls_steps(current["transit_encryption"], wanted_tls(params, current["transit_encryption"]))
    access = _access_steps(params, current, todo)
    return [
        *([_replicas("increase_replica_count", nodes)] if nodes > current.get("num_cache_clusters", 0) else []),
        *_general_steps(params, current, todo, view),
        *(access + tls if tls and tls[-1].options["transit_encryption"] == "off" else tls + access),
        *([_replicas("decrease_replica_count", nodes)] if 0 < nodes < current["num_cache_clusters"] else []),
        *_tag_steps(params, current),
    ]


def _replicas(operation: str, nodes: int) -> Step:
    # Only True is supported by AWS, whatever the option says.
    return Step(operation, {"NewReplicaCount": nodes - 1, "ApplyImmediately": True}, {"num_cache_clusters": nodes})


def _general_steps(
    params: dict[str, t.Any], current: dict[str, t.Any], todo: dict[str, t.Any], view: View
) -> list[Step]:
    options = {key: todo[key] for key in MODIFIABLE if key in todo}
    if not options:
        return []
    request = {_spelt(key): value for key, value in options.items()}
    if "engine_version" in options and params.get("engine"):
        # A new version of another engine than the present one is meant only if that is named too.
        request["Engine"] = params["engine"]
    if "notification_topic_arn" in options:
        request["NotificationTopicStatus"] = "active" if options["notification_topic_arn"] else "inactive"
        if not options["notification_topic_arn"]:
            del request["NotificationTopicArn"]
    if "log_delivery_configurations" in options:
        kept = {entry["LogType"] for entry in options["log_delivery_configurations"]}
        request["LogDeliveryConfigurations"] = options["log_delivery_configurations"] + [
            {"LogType": entry["LogType"], "Enabled": False}
            for entry in current["log_delivery_configurations"]
            if entry["LogType"] not in kept
        ]
    if options.get("snapshot_retention_limit") and not current.get("snapshot_retention_limit"):
        if not view.group.get("ClusterEnabled"):
            # Without cluster mode AWS wants to be told which node the snapshots are taken of.
            request["SnapshottingClusterId"] = sorted(view.group["MemberClusters"])[0]
    request["ApplyImmediately"] = params.get("apply_immediately", True)
    return [Step("modify_replication_group", request, options)]


def _tls_steps(current: str, wanted: str) -> list[Step]:
    here, there = WAY_TO_TLS.index(current), WAY_TO_TLS.index(wanted)
    stops = range(here + 1, there + 1) if there > here else range(here - 1, there - 1, -1)
    steps = []
    for stop in (WAY_TO_TLS[index] for index in stops):
        request: dict[str, t.Any] = {"TransitEncryptionEnabled": stop != "off", "ApplyImmediately": True}
        if stop != "off":
            request["TransitEncryptionMode"] = stop
        steps.append(Step("modify_replication_group", request, {"transit_encryption": stop}))
    return steps


def _access_steps(params: dict[str, t.Any], current: dict[str, t.Any], todo: dict[str, t.Any]) -> list[Step]:
    token, version = params.get("auth_token"), params.get("auth_token_version")
    request: dict[str, t.Any] = {}
    options: dict[str, t.Any] = {}
    if "user_group_ids" in todo:
        options["user_group_ids"] = todo["user_group_ids"]
        add = sorted(set(todo["user_group_ids"]) - set(current["user_group_ids"]))
        remove = sorted(set(current["user_group_ids"]) - set(todo["user_group_ids"]))
        request |= {"UserGroupIdsToAdd": add} if add else {}
        request |= {"UserGroupIdsToRemove": remove} if remove and not token else {}
        request |= {"RemoveUserGroups": True} if remove and token else {}
        if add and current["auth_token_enabled"]:
            request["AuthTokenUpdateStrategy"] = "DELETE"
            options["auth_token_enabled"] = False
    if token and not current["auth_token_enabled"]:
        # After ROTATE connections without a token are taken still; SET ends that, and is taken only after ROTATE.
        added = {"AuthToken": token, "ApplyImmediately": True}
        return [
            Step("modify_replication_group", request | added | {"AuthTokenUpdateStrategy": "ROTATE"}, options, True),
            Step(
                "modify_replication_group",
                added | {"AuthTokenUpdateStrategy": "SET"},
                {"auth_token_enabled": True},
                needs_wait=bool(version),
            ),
        ]
    if token and version and "tags" in current and current["tags"].get(VERSION_TAG) != version:
        request |= {"AuthToken": token, "AuthTokenUpdateStrategy": params.get("auth_token_update_strategy", "ROTATE")}
        options["auth_token_version"] = version
    if not request:
        return []
    # The version is kept in a tag, and tags cannot be set before the token is.
    needs_wait = "AuthToken" in request
    return [Step("modify_replication_group", request | {"ApplyImmediately": True}, options, needs_wait)]


def _tag_steps(params: dict[str, t.Any], current: dict[str, t.Any]) -> list[Step]:
    if "tags" not in current:
        return []
    tags = wanted_tags(params, current["tags"])
    kept = {key: value for key, value in current["tags"].items() if key in tags}
    to_set = {key: value for key, value in tags.items() if kept.get(key) != value}
    to_remove = [key for key in current["tags"] if key not in tags]
    # Each sends the group through modifying, while AWS copies the tags to its nodes.
    removal = [Step("tags", {"to_set": {}, "to_remove": to_remove}, {"tags": kept})] if to_remove else []
    return removal + ([Step("tags", {"to_set": to_set, "to_remove": []}, {"tags": tags})] if to_set else [])
