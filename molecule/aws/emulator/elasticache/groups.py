# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication groups: creation, look, deletion. Cluster mode disabled, as a GCS needs it."""

from __future__ import annotations

import re

from emulator.ec2.interfaces import delete_interfaces
from emulator.elasticache import members, parameters
from emulator.elasticache.common import (
    FULL_VERSIONS,
    Record,
    arn,
    available_group,
    combination,
    endpoint,
    get_group,
    invalid,
    now,
    page,
    record_event,
)
from emulator.wire import AwsError
from emulator.world import Call, answers

TOKEN = re.compile(r"[!#-.0-?A-~]{16,128}")
#: Smaller nodes cannot have automatic failover, says AWS.
NO_FAILOVER = ("cache.t1.", "cache.m1.")


def check_token(token: str) -> None:
    if not TOKEN.fullmatch(token):
        raise invalid("Invalid AuthToken provided.")


def check_availability(count: int, failover: bool, multi_az: bool) -> None:
    """Raise what AWS refuses of these together."""
    if failover and count < 2:
        raise combination("Replication group with automatic failover must have at least one read replica.")
    if multi_az and not failover:
        raise combination("Multi-AZ can only be enabled with automatic failover.")


def log_deliveries(given: list[Record]) -> list[Record]:
    """The deliveries that are on, as the API shows them."""
    return [
        {key: value for key, value in item.items() if key != "Enabled"} | {"Status": "active"}
        for item in given
        if item.get("Enabled", True)
    ]


def check_deliveries(call: Call, given: list[Record]) -> None:
    for item in given:
        name = item.get("DestinationDetails", {}).get("CloudWatchLogsDetails", {}).get("LogGroup")
        if item.get("Enabled", True) and name:
            groups = call.ask("logs", "describe_log_groups", logGroupNamePrefix=name)["logGroups"]
            if name not in [group["logGroupName"] for group in groups]:
                raise invalid(f"The log delivery destination {name} does not exist.")


def check_groups(call: Call, groups: list[str]) -> None:
    if groups and call.found("ec2", "describe_security_groups", GroupIds=groups) is None:
        raise invalid(f"Some security group(s) are invalid: {', '.join(groups)}")


def _subnets(call: Call, name: str) -> list[tuple[str, str]]:
    """Id and zone of each subnet of a subnet group."""
    answer = call.found("elasticache", "describe_cache_subnet_groups", CacheSubnetGroupName=name)
    if answer is None:
        raise AwsError("CacheSubnetGroupNotFoundFault", f"Cache Subnet Group {name} does not exist.")
    subnets = answer["CacheSubnetGroups"][0]["Subnets"]
    return [(subnet["SubnetIdentifier"], subnet["SubnetAvailabilityZone"]["Name"]) for subnet in subnets]


def _engine(call: Call) -> tuple[str, str]:
    """Engine and full version of a creation."""
    engine = call.params.get("Engine", "redis")
    engines = call.world.config["elasticache"]["engines"]
    if engine not in engines:
        raise invalid(f"Invalid Engine: {engine}")
    wanted = call.params.get("EngineVersion", engines[engine]["versions"][-1])
    if wanted not in engines[engine]["versions"]:
        raise invalid(f"Cannot find version {wanted} for {engine}")
    return engine, FULL_VERSIONS.get(wanted, wanted)


@answers("elasticache", "CreateReplicationGroup")
def create(call: Call) -> Record:
    params = call.params
    name = params["ReplicationGroupId"].lower()
    if name in call.store("replication_groups"):
        raise AwsError("ReplicationGroupAlreadyExists", f"Replication group {name} already exists.")
    if not re.fullmatch(r"[a-z](?!.*--)[a-z0-9-]{0,39}(?<!-)", name):
        raise invalid(f"The parameter ReplicationGroupIdentifier must be a valid identifier: {name}")
    if params.get("NumNodeGroups", 1) != 1 or params.get("ClusterMode", "disabled") != "disabled":
        raise AwsError("EmulatorLacks", "replication groups with cluster mode enabled", 501)
    if "CacheNodeType" not in params or not params["CacheNodeType"].startswith("cache."):
        raise invalid(f"Invalid Cache Node Type: {params.get('CacheNodeType')}")
    engine, version = _engine(call)
    family = parameters.family_of(engine, version)
    parameter_group = params.get("CacheParameterGroupName", f"default.{family}")
    if parameters.find(call, parameter_group.lower())["family"] != family:
        raise combination(f"Expected a parameter group of family {family} but found {parameter_group}")
    count = params.get("NumCacheClusters", params.get("ReplicasPerNodeGroup", 0) + 1)
    failover, multi_az = params.get("AutomaticFailoverEnabled", False), params.get("MultiAZEnabled", False)
    check_availability(count, failover, multi_az)
    tls = params.get("TransitEncryptionEnabled", engine == "valkey")
    token = params.get("AuthToken")
    if token is not None:
        check_token(token)
        if not tls:
            raise combination("AuthToken requires TransitEncryptionEnabled.")
    check_groups(call, params.get("SecurityGroupIds", []))
    check_deliveries(call, params.get("LogDeliveryConfigurations", []))
    subnets = _subnets(call, params.get("CacheSubnetGroupName", "default"))
    group = {
        "id": name,
        "arn": arn(call, "replicationgroup", name),
        "description": params["ReplicationGroupDescription"],
        "status": "creating",
        "engine": engine,
        "version": version,
        "node_type": params["CacheNodeType"],
        "port": params.get("Port", 6379),
        "failover": failover,
        "multi_az": multi_az,
        "tls": tls,
        "tls_mode": params.get("TransitEncryptionMode", "required"),
        "at_rest": params.get("AtRestEncryptionEnabled", engine == "valkey"),
        "kms_key": params.get("KmsKeyId", ""),
        "tokens": [token] if token is not None else [],
        "tokens_changed": now(),
        "user_groups": params.get("UserGroupIds", []),
        "groups": params.get("SecurityGroupIds", []),
        "subnet_group": params.get("CacheSubnetGroupName", "default"),
        "subnets": subnets,
        "parameters": parameter_group.lower(),
        "retention": params.get("SnapshotRetentionLimit", 0),
        "snapshot_window": params.get("SnapshotWindow", "05:30-06:30"),
        "maintenance_window": params.get("PreferredMaintenanceWindow", "sun:07:00-sun:08:00"),
        "auto_minor": params.get("AutoMinorVersionUpgrade", True),
        "notification": params.get("NotificationTopicArn", ""),
        "deliveries": log_deliveries(params.get("LogDeliveryConfigurations", [])),
        "network_type": params.get("NetworkType", "ipv4"),
        "ip_discovery": params.get("IpDiscovery", "ipv4"),
        "tags": {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", [])},
        "created": now(),
        "pending": {},
        "members": [],
        "made": False,
    }
    zones = params.get("PreferredCacheClusterAZs", [])
    for _place in range(count):
        members.add(call, group, zones)
    call.store("replication_groups")[name] = group
    record_event(call, name, "replication-group", f"Replication group {name} is being created")
    failure = call.doom("elasticache:replicationgroup")
    call.later("replication_group_create", lambda: _created(call, group, failure))
    return {"ReplicationGroup": shown(call, group)}


def _created(call: Call, group: Record, failure: tuple[str, str] | None) -> None:
    if group["status"] != "creating":
        return
    if failure:
        group["status"] = "create-failed"
        record_event(call, group["id"], "replication-group", f"Replication group creation failed: {failure[1]}")
        return
    group["status"] = "available"
    group["made"] = True
    record_event(call, group["id"], "replication-group", f"Replication group {group['id']} created")
    call.world.tokens_changed(group["id"], group["tokens"])


def shown(call: Call, group: Record) -> Record:
    """A replication group as the API shows it now."""
    node_group: Record = {"NodeGroupId": "0001", "Status": group["status"]}
    if group["made"]:
        node_group |= {
            "PrimaryEndpoint": endpoint(call, "master", group),
            "ReaderEndpoint": endpoint(call, "replica", group),
            "NodeGroupMembers": [members.in_node_group(call, group, member) for member in group["members"]],
        }
    change: Record = {
        "Description": group["description"],
        "ReplicationGroupId": group["id"],
        "Status": group["status"],
        "PendingModifiedValues": group["pending"],
        "MemberClusters": [member["id"] for member in group["members"]],
        "AutomaticFailover": "enabled" if group["failover"] else "disabled",
        "MultiAZ": "enabled" if group["multi_az"] else "disabled",
        "SnapshotRetentionLimit": group["retention"],
        "SnapshotWindow": group["snapshot_window"],
        "ClusterEnabled": False,
        "CacheNodeType": group["node_type"],
        "AuthTokenEnabled": bool(group["tokens"]),
        "TransitEncryptionEnabled": group["tls"],
        "AtRestEncryptionEnabled": group["at_rest"],
        "ARN": group["arn"],
        "UserGroupIds": group["user_groups"],
        "LogDeliveryConfigurations": group["deliveries"],
        "ReplicationGroupCreateTime": group["created"],
        "DataTiering": "disabled",
        "AutoMinorVersionUpgrade": group["auto_minor"],
        "NetworkType": group["network_type"],
        "IpDiscovery": group["ip_discovery"],
        "ClusterMode": "disabled",
        "Engine": group["engine"],
    }
    if group["tokens"]:
        change["AuthTokenLastModifiedDate"] = group["tokens_changed"]
    if group["kms_key"]:
        change["KmsKeyId"] = group["kms_key"]
    if group["tls"]:
        change["TransitEncryptionMode"] = group["tls_mode"]
    if group["status"] not in ("creating", "create-failed"):
        change["NodeGroups"] = [node_group]
    return change


@answers("elasticache", "DescribeReplicationGroups")
def describe(call: Call) -> Record:
    if name := call.params.get("ReplicationGroupId"):
        return {"ReplicationGroups": [shown(call, get_group(call, name))]}
    found, marker = page(call, [shown(call, group) for group in call.store("replication_groups").values()])
    return {"ReplicationGroups": found, "Marker": marker}


@answers("elasticache", "DeleteReplicationGroup")
def delete(call: Call) -> Record:
    group = get_group(call, call.params["ReplicationGroupId"])
    if group["status"] != "create-failed":
        group = available_group(call)
    if final := call.params.get("FinalSnapshotIdentifier"):
        call.store("final_snapshots")[final] = group["id"]
    group["status"] = "deleting"
    record_event(call, group["id"], "replication-group", f"Replication group {group['id']} is being deleted")
    call.later("replication_group_delete", lambda: _deleted(call, group))
    return {"ReplicationGroup": shown(call, group)}


def _deleted(call: Call, group: Record) -> None:
    if call.store("replication_groups").get(group["id"]) is group:
        delete_interfaces(call, [member["interface"] for member in group["members"]])
        del call.store("replication_groups")[group["id"]]
        record_event(call, group["id"], "replication-group", f"Replication group {group['id']} deleted")
        call.world.tokens_changed(group["id"], [])
