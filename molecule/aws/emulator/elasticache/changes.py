# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ModifyReplicationGroup."""

from __future__ import annotations

import typing as t

from emulator.ec2.interfaces import delete_interfaces
from emulator.elasticache import groups, members, parameters
from emulator.elasticache.common import FULL_VERSIONS, Record, available_group, combination, invalid, now, record_event
from emulator.world import Call, answers

#: Parameters that are a record's members as they are.
PLAIN = {
    "ReplicationGroupDescription": "description",
    "SecurityGroupIds": "groups",
    "CacheParameterGroupName": "parameters",
    "SnapshotRetentionLimit": "retention",
    "SnapshotWindow": "snapshot_window",
    "PreferredMaintenanceWindow": "maintenance_window",
    "AutoMinorVersionUpgrade": "auto_minor",
    "NotificationTopicArn": "notification",
    "AutomaticFailoverEnabled": "failover",
    "MultiAZEnabled": "multi_az",
    "CacheNodeType": "node_type",
    "TransitEncryptionEnabled": "tls",
    "TransitEncryptionMode": "tls_mode",
    "IpDiscovery": "ip_discovery",
    "Engine": "engine",
}
#: Changes that wait for the maintenance window unless they are to be applied immediately, and how they show meanwhile.
DEFERRED = {"CacheNodeType", "EngineVersion", "Engine", "TransitEncryptionEnabled", "TransitEncryptionMode"}
#: Changes of the description only: the group stays available.
AT_ONCE = {
    "ReplicationGroupDescription",
    "PreferredMaintenanceWindow",
    "SnapshotRetentionLimit",
    "SnapshotWindow",
    "AutoMinorVersionUpgrade",
}
KNOWN = {
    *PLAIN,
    "ReplicationGroupId",
    "ApplyImmediately",
    "AuthToken",
    "AuthTokenUpdateStrategy",
    "EngineVersion",
    "LogDeliveryConfigurations",
    "UserGroupIdsToAdd",
    "UserGroupIdsToRemove",
    "RemoveUserGroups",
}


def new_tokens(before: list[str], token: str, strategy: str) -> list[str]:
    """The valid tokens after an update. Pure.

    C(ROTATE) adds one beside the last, or beside none (an empty text), C(SET) leaves only the given one, C(DELETE) leaves none.
    """
    if strategy == "DELETE":
        return []
    if strategy == "SET":
        return [token]
    return [*(before or [""])[-1:], token]


def _token_change(group: Record, params: Record) -> Record:
    strategy = params.get("AuthTokenUpdateStrategy", "ROTATE")
    if "AuthToken" not in params:
        if strategy == "DELETE" and "AuthTokenUpdateStrategy" in params:
            return {"tokens": [], "tokens_changed": now()}
        return {}
    groups.check_token(params["AuthToken"])
    if not group["tls"]:
        raise combination("AuthToken can be set only where in-transit encryption is enabled.")
    if strategy == "SET" and group["tokens"][1:] != [params["AuthToken"]]:
        raise combination("SET is allowed only after ROTATE, for the token that it has added.")
    return {"tokens": new_tokens(group["tokens"], params["AuthToken"], strategy), "tokens_changed": now()}


def _version_change(call: Call, group: Record, params: Record) -> Record:
    engine = params.get("Engine", group["engine"])
    if "EngineVersion" not in params:
        return {}
    wanted = params["EngineVersion"]
    if wanted not in call.world.config["elasticache"]["engines"].get(engine, {"versions": []})["versions"]:
        raise invalid(f"Cannot find version {wanted} for {engine}")
    full = FULL_VERSIONS.get(wanted, wanted)
    if engine == group["engine"] and _numbers(full) < _numbers(group["version"]):
        raise combination(f"Cannot downgrade from {group['version']} to {wanted}.")
    change: Record = {"version": full}
    family = parameters.family_of(engine, full)
    name = params.get("CacheParameterGroupName", group["parameters"])
    if name.startswith("default.") and "CacheParameterGroupName" not in params:
        change["parameters"] = f"default.{family}"
    elif parameters.find(call, name)["family"] != family:
        raise combination(f"Expected a parameter group of family {family} but found {name}")
    return change


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def desired(call: Call, group: Record) -> Record:
    """The record's members after this request; AwsError where AWS refuses."""
    params = call.params
    if lacking := params.keys() - KNOWN:
        raise invalid(f"the emulator does not know how to modify {sorted(lacking)}")
    after: Record = {member: params[name] for name, member in PLAIN.items() if name in params}
    groups.check_groups(call, params.get("SecurityGroupIds", []))
    groups.check_deliveries(call, params.get("LogDeliveryConfigurations", []))
    if "CacheParameterGroupName" in params:
        parameters.find(call, params["CacheParameterGroupName"].lower())
    groups.check_availability(
        len(group["members"]), after.get("failover", group["failover"]), after.get("multi_az", group["multi_az"])
    )
    if "LogDeliveryConfigurations" in params:
        kinds = {item["LogType"] for item in params["LogDeliveryConfigurations"]}
        kept = [item for item in group["deliveries"] if item["LogType"] not in kinds]
        after["deliveries"] = kept + groups.log_deliveries(params["LogDeliveryConfigurations"])
    users = [name for name in group["user_groups"] if name not in params.get("UserGroupIdsToRemove", [])]
    after["user_groups"] = [] if params.get("RemoveUserGroups") else users + params.get("UserGroupIdsToAdd", [])
    return after | _version_change(call, group, params) | _token_change(group, params)


@answers("elasticache", "ModifyReplicationGroup")
def modify(call: Call) -> Record:
    group = available_group(call)
    after = desired(call, group)
    given = call.params.keys() - {"ReplicationGroupId", "ApplyImmediately"}
    if not given:
        raise combination("No modifications were requested")
    if given & DEFERRED and not call.params.get("ApplyImmediately", False):
        for name in given & DEFERRED:
            after.pop(PLAIN.get(name, "version"), None)
        record_event(call, group["id"], "replication-group", "Changes wait for the maintenance window")
    if given <= AT_ONCE:
        group.update(after)
        return {"ReplicationGroup": groups.shown(call, group)}
    group["status"] = "modifying"
    if "AuthToken" in given:
        strategy = call.params.get("AuthTokenUpdateStrategy", "ROTATE")
        group["pending"] = {"AuthTokenStatus": "ROTATING" if strategy == "ROTATE" else "SETTING"}
    call.later("replication_group_modify", lambda: finish(call, group, after))
    return {"ReplicationGroup": groups.shown(call, group)}


def finish(call: Call, group: Record, after: Record) -> None:
    """The end of a change: all members have it."""
    if group["status"] != "modifying":
        return
    tokens, security_groups = group["tokens"], group["groups"]
    group.update(after, status="available", pending={})
    if group["groups"] != security_groups:
        _renew_interfaces(call, group)
    record_event(call, group["id"], "replication-group", f"Replication group {group['id']} modified")
    if group["tokens"] != tokens:
        call.world.tokens_changed(group["id"], group["tokens"])


def _renew_interfaces(call: Call, group: Record) -> None:
    """The members' network interfaces have the new security groups."""
    zones: list[t.Any] = [member["zone"] for member in group["members"]]
    old = group["members"]
    delete_interfaces(call, [member["interface"] for member in old])
    group["members"] = []
    for _member in old:
        members.add(call, group, zones)
    for member, before in zip(group["members"], old, strict=True):
        member.update(id=before["id"], created=before["created"])
