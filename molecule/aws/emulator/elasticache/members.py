# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of replication groups: cache clusters of one node each."""

from __future__ import annotations

from emulator.ec2.interfaces import delete_interfaces, make_interface
from emulator.elasticache.common import Record, arn, endpoint, now, page
from emulator.wire import AwsError
from emulator.world import Call, answers


def add(call: Call, group: Record, zones: list[str]) -> None:
    """Add the next member, in the wanted zone or the one of the next subnet."""
    taken = {member["id"] for member in group["members"]}
    name = next(found for place in range(1, 100) if (found := f"{group['id']}-{place:03d}") not in taken)
    place = len(group["members"])
    subnets = group["subnets"]
    fitting = [subnet for subnet in subnets if place < len(zones) and subnet[1] == zones[place]]
    subnet, zone = (fitting or subnets)[place % len(fitting or subnets)]
    if place < len(zones) and not fitting:
        raise AwsError("InvalidParameterValue", f"The subnet group has no subnet in {zones[place]}")
    interface = make_interface(call, subnet, group["groups"], f"ElastiCache {name}")
    group["members"].append({"id": name, "zone": zone, "created": now(), "interface": interface})


def remove(call: Call, group: Record, names: list[str]) -> None:
    gone = [member for member in group["members"] if member["id"] in names]
    delete_interfaces(call, [member["interface"] for member in gone])
    group["members"] = [member for member in group["members"] if member not in gone]


def in_node_group(call: Call, group: Record, member: Record) -> Record:
    """A member as it stands in NodeGroupMembers."""
    return {
        "CacheClusterId": member["id"],
        "CacheNodeId": "0001",
        "ReadEndpoint": endpoint(call, member["id"], group),
        "PreferredAvailabilityZone": member["zone"],
        "CurrentRole": "primary" if member is group["members"][0] else "replica",
    }


def _shown(call: Call, group: Record, member: Record) -> Record:
    """A member as DescribeCacheClusters has it."""
    made = group["made"]
    status = group["status"] if group["status"] != "create-failed" else "incompatible-network"
    node = {
        "CacheNodeId": "0001",
        "CacheNodeStatus": status,
        "CacheNodeCreateTime": member["created"],
        "ParameterGroupStatus": "in-sync",
        "CustomerAvailabilityZone": member["zone"],
    }
    if made:
        node["Endpoint"] = endpoint(call, member["id"], group)
    cluster: Record = {
        "CacheClusterId": member["id"],
        "CacheNodeType": group["node_type"],
        "Engine": group["engine"],
        "EngineVersion": group["version"],
        "CacheClusterStatus": status,
        "NumCacheNodes": 1,
        "PreferredAvailabilityZone": member["zone"],
        "CacheClusterCreateTime": member["created"],
        "PreferredMaintenanceWindow": group["maintenance_window"],
        "PendingModifiedValues": {},
        "CacheParameterGroup": {
            "CacheParameterGroupName": group["parameters"],
            "ParameterApplyStatus": "in-sync",
            "CacheNodeIdsToReboot": [],
        },
        "CacheSubnetGroupName": group["subnet_group"],
        "AutoMinorVersionUpgrade": group["auto_minor"],
        "SecurityGroups": [{"SecurityGroupId": name, "Status": "active"} for name in group["groups"]],
        "ReplicationGroupId": group["id"],
        "SnapshotRetentionLimit": group["retention"] if member is group["members"][-1] else 0,
        "SnapshotWindow": group["snapshot_window"],
        "AuthTokenEnabled": bool(group["tokens"]),
        "TransitEncryptionEnabled": group["tls"],
        "AtRestEncryptionEnabled": group["at_rest"],
        "ARN": arn(call, "cluster", member["id"]),
        "ReplicationGroupLogDeliveryEnabled": bool(group["deliveries"]),
        "LogDeliveryConfigurations": group["deliveries"],
        "NetworkType": group["network_type"],
        "IpDiscovery": group["ip_discovery"],
    }
    if group["tls"]:
        cluster["TransitEncryptionMode"] = group["tls_mode"]
    if group["notification"]:
        cluster["NotificationConfiguration"] = {"TopicArn": group["notification"], "TopicStatus": "active"}
    if call.params.get("ShowCacheNodeInfo"):
        cluster["CacheNodes"] = [node]
    return cluster


@answers("elasticache", "DescribeCacheClusters")
def describe(call: Call) -> Record:
    """Members of replication groups, and ministack's stand-alone clusters."""
    wanted = call.params.get("CacheClusterId", "").lower()
    ours = [
        _shown(call, group, member)
        for group in call.store("replication_groups").values()
        for member in group["members"]
        if wanted in ("", member["id"])
    ]
    if ours and wanted:
        return {"CacheClusters": ours}
    if call.params.get("ShowCacheClustersNotInReplicationGroups"):
        ours = []
    query = {"ShowCacheNodeInfo": call.params.get("ShowCacheNodeInfo", False)}
    if wanted:
        query["CacheClusterId"] = wanted
    found, marker = page(call, ours + call.ask("elasticache", "describe_cache_clusters", **query)["CacheClusters"])
    return {"CacheClusters": found, "Marker": marker}
