# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ElastiCache that takes its time, refuses what AWS refuses, and keeps what AWS shows of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from ..conftest import FakeService, aws_error

ARN = "arn:aws:elasticache:us-west-2:123456789012"
#: ModifyReplicationGroup's parameters that every node shows.
OF_NODES = {
    "EngineVersion": "EngineVersion",
    "CacheNodeType": "CacheNodeType",
    "PreferredMaintenanceWindow": "PreferredMaintenanceWindow",
}
OF_GROUP = {
    "ReplicationGroupDescription": "Description",
    "CacheNodeType": "CacheNodeType",
    "Engine": "Engine",
    "SnapshotRetentionLimit": "SnapshotRetentionLimit",
    "SnapshotWindow": "SnapshotWindow",
    "AutoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "TransitEncryptionEnabled": "TransitEncryptionEnabled",
    "TransitEncryptionMode": "TransitEncryptionMode",
    "AtRestEncryptionEnabled": "AtRestEncryptionEnabled",
    "KmsKeyId": "KmsKeyId",
}


def onoff(value: bool) -> str:
    return "enabled" if value else "disabled"


def as_dict(tags: Iterable[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


class FakeElastiCache(FakeService):
    """A change of a replication group takes C(slow) looks at it. C(tokens) are the AUTH tokens that its servers take."""

    service = "elasticache"

    def __init__(self, slow: int = 3) -> None:
        super().__init__()
        self.slow = slow
        self.groups: dict[str, dict[str, Any]] = {}
        self.nodes: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.tokens: list[str] = []
        self.events: list[dict[str, Any]] = []
        #: For so many looks nothing is to be seen.
        self.invisible = 0
        self.create_fails = False
        self._work: dict[str, list[Any]] = {}
        self.parameter_groups: dict[str, dict[str, Any]] = {}
        self.parameters: dict[str, dict[str, dict[str, Any]]] = {}
        self.subnet_groups: dict[str, dict[str, Any]] = {}
        #: For so many tries of its deletion a parameter or subnet group is in use.
        self.users = 0

    def _hide(self, code: str) -> None:
        if self.invisible:
            self.invisible -= 1
            raise aws_error(code)

    # -- replication groups --

    def describe_replication_groups(self, ReplicationGroupId: str = "", **_rest: Any) -> dict[str, Any]:
        if not ReplicationGroupId:
            return {"ReplicationGroups": list(self.groups.values())}
        self._hide("ReplicationGroupNotFoundFault")
        self._tick(ReplicationGroupId)
        return {"ReplicationGroups": [copy.deepcopy(self._group(ReplicationGroupId))]}

    def describe_cache_clusters(self, **_rest: Any) -> dict[str, Any]:
        return {"CacheClusters": list(self.nodes.values())}

    def describe_events(self, **_rest: Any) -> dict[str, Any]:
        return {"Events": self.events}

    def create_replication_group(self, ReplicationGroupId: str, **request: Any) -> dict[str, Any]:
        name = ReplicationGroupId
        if name in self.groups:
            raise aws_error("ReplicationGroupAlreadyExists")
        self._check(request)
        group = self.groups[name] = {
            "ReplicationGroupId": name,
            "ARN": f"{ARN}:replicationgroup:{name}",
            "Status": "creating",
            "MemberClusters": [],
            "NodeGroups": [],
            "AutomaticFailover": "disabled",
            "MultiAZ": "disabled",
            "SnapshotRetentionLimit": 0,
            "AuthTokenEnabled": False,
            "UserGroupIds": request.get("UserGroupIds", []),
            "LogDeliveryConfigurations": [],
            "PendingModifiedValues": {},
        }
        self.tags[group["ARN"]] = as_dict(request.pop("Tags", []))
        if request.get("TransitEncryptionEnabled"):
            request.setdefault("TransitEncryptionMode", "required")
        template = {
            "Engine": request.get("Engine", "redis"),
            "CacheSubnetGroupName": request.get("CacheSubnetGroupName", "default").lower(),
            "SecurityGroups": [],
            "NotificationConfiguration": {},
        }

        def done() -> None:
            self._resize(name, request.get("NumCacheClusters", 1), template, request.get("Port", 6379))
            self._apply(name, request)
            if self.create_fails:
                group["Status"] = "create-failed"

        self._begin(name, "creating", done)
        return {"ReplicationGroup": group}

    def modify_replication_group(self, ReplicationGroupId: str, **request: Any) -> None:
        group = self._available(ReplicationGroupId)
        now = "required" if group.get("TransitEncryptionMode") == "required" else "preferred"
        now = now if group.get("TransitEncryptionEnabled") else "off"
        if request.get("TransitEncryptionMode") == "required" and now == "off":
            raise aws_error("InvalidParameterCombination", "first preferred, then required")
        if request.get("TransitEncryptionEnabled") is False and now == "required":
            raise aws_error("InvalidParameterCombination", "first preferred, then none")
        if "AuthToken" in request and now != "required":
            raise aws_error("InvalidParameterValue", "AUTH needs encryption in transit")
        if request.get("AuthTokenUpdateStrategy") == "SET" and self.tokens[1:] != [request["AuthToken"]]:
            raise aws_error("InvalidParameterCombination", "SET is for the token that ROTATE has added")
        if request.get("SnapshotRetentionLimit") and not group["SnapshotRetentionLimit"]:
            if request.get("SnapshottingClusterId") not in group["MemberClusters"]:
                raise aws_error("InvalidParameterCombination", "SnapshottingClusterId is needed")
        if request.get("UserGroupIdsToAdd") and group["AuthTokenEnabled"]:
            if request.get("AuthTokenUpdateStrategy") != "DELETE":
                raise aws_error("InvalidParameterCombination", "Pass AuthStrategy delete to proceed")
        self._check({"NumCacheClusters": len(group["MemberClusters"]), **request})
        if not request["ApplyImmediately"]:
            for node in self.nodes.values():
                node["PendingModifiedValues"] = {key: request.pop(key) for key in ("CacheNodeType",) if key in request}
        self._begin(ReplicationGroupId, "modifying", lambda: self._apply(ReplicationGroupId, request))

    def increase_replica_count(self, ReplicationGroupId: str, NewReplicaCount: int, ApplyImmediately: bool) -> None:
        assert ApplyImmediately, "AWS supports nothing else"
        group = self._available(ReplicationGroupId)
        if NewReplicaCount + 1 <= len(group["MemberClusters"]):
            raise aws_error("InvalidParameterValue", "not more than there are")
        self._begin(ReplicationGroupId, "modifying", lambda: self._resize(ReplicationGroupId, NewReplicaCount + 1))

    def decrease_replica_count(self, ReplicationGroupId: str, NewReplicaCount: int, ApplyImmediately: bool) -> None:
        assert ApplyImmediately, "AWS supports nothing else"
        group = self._available(ReplicationGroupId)
        if NewReplicaCount < 1 and group["AutomaticFailover"] == "enabled":
            raise aws_error("InvalidParameterValue", "Must have at least 1 replica with auto failover enabled")
        self._begin(ReplicationGroupId, "modifying", lambda: self._resize(ReplicationGroupId, NewReplicaCount + 1))

    def delete_replication_group(self, ReplicationGroupId: str, **_rest: Any) -> None:
        if self._group(ReplicationGroupId)["Status"] not in ("available", "create-failed"):
            raise aws_error("InvalidReplicationGroupState", "not in a valid state to be deleted")

        def gone() -> None:
            del self.groups[ReplicationGroupId]
            self.nodes = {}

        self._begin(ReplicationGroupId, "deleting", gone)

    def list_tags_for_resource(self, ResourceName: str) -> dict[str, Any]:
        if "replicationgroup" in ResourceName:
            self._available(ResourceName.rpartition(":")[2])
        return {"TagList": [{"Key": key, "Value": value} for key, value in self.tags[ResourceName].items()]}

    def add_tags_to_resource(self, ResourceName: str, Tags: list[dict[str, str]]) -> None:
        self._tag(ResourceName, as_dict(Tags))

    def remove_tags_from_resource(self, ResourceName: str, TagKeys: list[str]) -> None:
        self._tag(ResourceName, dict.fromkeys(TagKeys))

    def _tag(self, arn: str, values: dict[str, str | None]) -> None:
        def done() -> None:
            tags = {**self.tags[arn], **values}
            self.tags[arn] = {key: value for key, value in tags.items() if value is not None}

        if "replicationgroup" in arn:
            # AWS copies the tags to every node.
            self._available(arn.rpartition(":")[2])
            self._begin(arn.rpartition(":")[2], "modifying", done)
        else:
            done()

    def _group(self, name: str) -> dict[str, Any]:
        if name not in self.groups:
            raise aws_error("ReplicationGroupNotFoundFault")
        return self.groups[name]

    def _available(self, name: str) -> dict[str, Any]:
        if self._group(name)["Status"] != "available":
            raise aws_error("InvalidReplicationGroupState", "Cluster not in available state")
        return self.groups[name]

    def _check(self, request: dict[str, Any]) -> None:
        if request.get("AutomaticFailoverEnabled") and request.get("NumCacheClusters", 1) < 2:
            raise aws_error("InvalidParameterCombination", "Automatic failover needs a replica")

    def _begin(self, name: str, status: str, done: Callable[[], None]) -> None:
        self.groups[name]["Status"] = status
        self._work[name] = [self.slow, done]

    def _tick(self, name: str) -> None:
        if name not in self._work:
            return
        self._work[name][0] -= 1
        if self._work[name][0] <= 0:
            _left, done = self._work.pop(name)
            self.groups[name]["Status"] = "available"
            done()

    def _resize(self, name: str, count: int, template: dict[str, Any] | None = None, port: int = 0) -> None:
        group = self.groups[name]
        members = [f"{name}-{number:03d}" for number in range(1, count + 1)]
        template = template or copy.deepcopy(self.nodes[members[0]])
        shared = {"CacheClusterStatus": "available", "ReplicationGroupId": name}
        old, self.nodes = self.nodes, {}
        for member in members:
            self.nodes[member] = {**(old.get(member) or copy.deepcopy(template)), **shared, "CacheClusterId": member}
        group["MemberClusters"] = members
        port = port or group["NodeGroups"][0]["PrimaryEndpoint"]["Port"]
        roles = [
            {"CacheClusterId": one, "CurrentRole": "replica" if index else "primary"}
            for index, one in enumerate(members)
        ]
        group["NodeGroups"] = [
            {"PrimaryEndpoint": {"Address": f"master.{name}", "Port": port}, "NodeGroupMembers": roles}
        ]

    def _apply(self, name: str, request: dict[str, Any]) -> None:
        group = self.groups[name]
        group.update({OF_GROUP[key]: value for key, value in request.items() if key in OF_GROUP})
        if request.get("TransitEncryptionEnabled") is False:
            group.pop("TransitEncryptionMode", None)
        for key, shown in (("AutomaticFailoverEnabled", "AutomaticFailover"), ("MultiAZEnabled", "MultiAZ")):
            if key in request:
                group[shown] = onoff(request[key])
        deliveries = {entry["LogType"]: entry for entry in group["LogDeliveryConfigurations"]}
        deliveries |= {entry["LogType"]: entry for entry in request.get("LogDeliveryConfigurations", [])}
        kept = (entry for entry in deliveries.values() if entry.get("Enabled", True))
        group["LogDeliveryConfigurations"] = [{**entry, "Status": "active"} for entry in kept]
        groups = set(group["UserGroupIds"]) | set(request.get("UserGroupIdsToAdd", []))
        groups -= set(request.get("UserGroupIdsToRemove", []))
        group["UserGroupIds"] = [] if request.get("RemoveUserGroups") else sorted(groups)
        if request.get("AuthTokenUpdateStrategy") == "DELETE":
            self.tokens = []
        elif "AuthToken" in request:
            # Without a token before, a connection without one is taken still.
            kept = (self.tokens or [""])[-1:] if request.get("AuthTokenUpdateStrategy") == "ROTATE" else []
            self.tokens = [*kept, request["AuthToken"]]
        group["AuthTokenEnabled"] = bool(self.tokens) and "" not in self.tokens
        for node in self.nodes.values():
            if request.get("ApplyImmediately"):
                node.pop("PendingModifiedValues", None)
            node.update({OF_NODES[key]: value for key, value in request.items() if key in OF_NODES})
            if "SecurityGroupIds" in request:
                node["SecurityGroups"] = [{"SecurityGroupId": one} for one in request["SecurityGroupIds"]]
            if "CacheParameterGroupName" in request:
                node["CacheParameterGroup"] = {
                    "CacheParameterGroupName": request["CacheParameterGroupName"],
                    "ParameterApplyStatus": "in-sync",
                }

    # -- parameter groups --

    def describe_cache_parameter_groups(self, CacheParameterGroupName: str) -> dict[str, Any]:
        self._hide("CacheParameterGroupNotFound")
        return {"CacheParameterGroups": [self._parameter_group(CacheParameterGroupName)]}

    def describe_cache_parameters(self, CacheParameterGroupName: str) -> dict[str, Any]:
        self._parameter_group(CacheParameterGroupName)
        return {"Parameters": list(self.parameters[CacheParameterGroupName].values())}

    def create_cache_parameter_group(self, CacheParameterGroupName: str, Tags: Any = (), **rest: Any) -> dict[str, Any]:
        if CacheParameterGroupName in self.parameter_groups:
            raise aws_error("CacheParameterGroupAlreadyExists")
        arn = f"{ARN}:parametergroup:{CacheParameterGroupName}"
        group = {"CacheParameterGroupName": CacheParameterGroupName, "ARN": arn, **rest}
        self.parameter_groups[CacheParameterGroupName] = group
        self.parameters[CacheParameterGroupName] = self._defaults()
        self.tags[arn] = as_dict(Tags)
        return {"CacheParameterGroup": group}

    def modify_cache_parameter_group(self, CacheParameterGroupName: str, ParameterNameValues: Any) -> None:
        assert 0 < len(ParameterNameValues) <= 20
        for pair in ParameterNameValues:
            entry = self.parameters[CacheParameterGroupName][pair["ParameterName"]]
            if pair["ParameterValue"] not in entry["AllowedValues"].split(","):
                raise aws_error("InvalidParameterValue", f"not allowed: {pair['ParameterValue']}")
            entry.update(ParameterValue=pair["ParameterValue"], Source="user")

    def reset_cache_parameter_group(self, CacheParameterGroupName: str, ParameterNameValues: Any) -> None:
        assert 0 < len(ParameterNameValues) <= 20
        for pair in ParameterNameValues:
            name = pair["ParameterName"]
            self.parameters[CacheParameterGroupName][name] = self._defaults()[name]

    def delete_cache_parameter_group(self, CacheParameterGroupName: str) -> None:
        self._parameter_group(CacheParameterGroupName)
        if self.users:
            self.users -= 1
            raise aws_error("InvalidCacheParameterGroupState", "cache clusters are still members of this group")
        del self.parameter_groups[CacheParameterGroupName]

    def _parameter_group(self, name: str) -> dict[str, Any]:
        if name not in self.parameter_groups:
            raise aws_error("CacheParameterGroupNotFound")
        return self.parameter_groups[name]

    def _defaults(self) -> dict[str, dict[str, Any]]:
        values = {
            "maxmemory-policy": ("volatile-lru", "volatile-lru,noeviction", True),
            "latency-tracking": ("no", "yes,no", True),
            "timeout": ("0", "0,300", True),
            "databases": ("16", "1-1200000", False),
        }
        values |= {f"many-{number}": ("no", "yes,no", True) for number in range(25)}
        return {
            name: {
                "ParameterName": name,
                "ParameterValue": value,
                "AllowedValues": allowed,
                "IsModifiable": modifiable,
                "Source": "system",
            }
            for name, (value, allowed, modifiable) in values.items()
        }

    # -- subnet groups --

    def describe_cache_subnet_groups(self, CacheSubnetGroupName: str) -> dict[str, Any]:
        self._hide("CacheSubnetGroupNotFoundFault")
        if CacheSubnetGroupName not in self.subnet_groups:
            raise aws_error("CacheSubnetGroupNotFoundFault")
        return {"CacheSubnetGroups": [self.subnet_groups[CacheSubnetGroupName]]}

    def create_cache_subnet_group(self, CacheSubnetGroupName: str, Tags: Any = (), **values: Any) -> dict[str, Any]:
        if CacheSubnetGroupName in self.subnet_groups:
            raise aws_error("CacheSubnetGroupAlreadyExists")
        arn = f"{ARN}:subnetgroup:{CacheSubnetGroupName}"
        group = {"CacheSubnetGroupName": CacheSubnetGroupName, "ARN": arn, "VpcId": "vpc-1"}
        self.subnet_groups[CacheSubnetGroupName] = group
        self.tags[arn] = as_dict(Tags)
        self.modify_cache_subnet_group(CacheSubnetGroupName, **values)
        return {"CacheSubnetGroup": group}

    def modify_cache_subnet_group(self, CacheSubnetGroupName: str, SubnetIds: Any = None, **values: str) -> None:
        if SubnetIds:
            values |= {"Subnets": [{"SubnetIdentifier": one} for one in SubnetIds]}
        self.subnet_groups[CacheSubnetGroupName] |= values

    def delete_cache_subnet_group(self, CacheSubnetGroupName: str) -> None:
        if self.users:
            self.users -= 1
            raise aws_error("CacheSubnetGroupInUse", "in use by a cache cluster")
        del self.subnet_groups[CacheSubnetGroupName]
