# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of what is ours in ElastiCache, and guards of what is ministack's."""

from __future__ import annotations

import typing as t

from emulator.elasticache.common import Record
from emulator.wire import AwsError
from emulator.world import Call, answers, guards


def _owner(call: Call) -> Record | None:
    """The record that an ARN names; a member's tags are its group's. None: it is ministack's."""
    wanted = call.params["ResourceName"]
    kind, _colon, name = wanted.partition("elasticache:")[2].partition(":")[2].partition(":")[2].partition(":")
    if kind == "cluster":
        groups = call.store("replication_groups").values()
        return next((group for group in groups if name in [member["id"] for member in group["members"]]), None)
    if kind == "replicationgroup":
        found = call.store("replication_groups").get(name)
    elif kind == "parametergroup":
        found = call.store("parameter_groups").get(name)
    else:
        return None
    if found is None or found["arn"] != wanted:
        fault = {"replicationgroup": "ReplicationGroupNotFoundFault"}.get(kind, "CacheParameterGroupNotFound")
        raise AwsError(fault, f"{wanted} not found", 404)
    return found


def _listing(tags: dict[str, str]) -> Record:
    return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _change(call: Call, apply: t.Callable[[dict[str, str]], None]) -> Record | None:
    owner = _owner(call)
    if owner is None:
        return None
    if owner.get("status", "available") != "available":
        raise AwsError("InvalidReplicationGroupState", f"Replication group {owner['id']} is not in available state.")
    apply(owner["tags"])
    return _listing(owner["tags"])


@answers("elasticache", "ListTagsForResource")
def list_tags(call: Call) -> Record:
    owner = _owner(call)
    return _listing(owner["tags"]) if owner is not None else _ministack(call, "list_tags_for_resource")


@answers("elasticache", "AddTagsToResource")
def add(call: Call) -> Record:
    given = {tag["Key"]: tag.get("Value", "") for tag in call.params["Tags"]}
    return _change(call, lambda tags: tags.update(given)) or _ministack(call, "add_tags_to_resource")


@answers("elasticache", "RemoveTagsFromResource")
def remove(call: Call) -> Record:
    def apply(tags: dict[str, str]) -> None:
        for key in call.params["TagKeys"]:
            tags.pop(key, None)

    return _change(call, apply) or _ministack(call, "remove_tags_from_resource")


def _ministack(call: Call, operation: str) -> Record:
    return {"TagList": call.ask("elasticache", operation, **call.params)["TagList"]}


@guards("elasticache", "DeleteCacheSubnetGroup")
def delete_subnet_group(call: Call) -> None:
    name = call.params["CacheSubnetGroupName"]
    users = [group["id"] for group in call.store("replication_groups").values() if group["subnet_group"] == name]
    if users:
        raise AwsError("CacheSubnetGroupInUse", f"Cache subnet group {name} is currently in use by {', '.join(users)}.")


@guards("elasticache", "ModifyCacheSubnetGroup")
def modify_subnet_group(call: Call) -> None:
    name = call.params["CacheSubnetGroupName"]
    kept = set(call.params.get("SubnetIds", []))
    for group in call.store("replication_groups").values():
        used = {subnet for subnet, zone in group["subnets"] if zone in [member["zone"] for member in group["members"]]}
        if group["subnet_group"] == name and kept and not used <= kept:
            raise AwsError("SubnetInUse", f"The subnet ID: {sorted(used - kept)[0]} is in use by {group['id']}.")
