# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An EKS with clusters and node groups that takes its time and is as strict as AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..conftest import FakeService, aws_error

ARN = "arn:aws:eks:us-west-2:111122223333:"
ENDPOINT = {"endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"}


class TaggedEks(FakeService):
    """What has tags, each with its ARN under whatever key."""

    service = "eks"

    def resources(self) -> Iterable[dict[str, Any]]:
        raise NotImplementedError

    def _tags(self, arn: str) -> dict[str, str]:
        return next(one["tags"] for one in self.resources() if arn in one.values())

    def tag_resource(self, resourceArn: str, tags: dict[str, str]) -> None:
        self._tags(resourceArn).update(tags)

    def untag_resource(self, resourceArn: str, tagKeys: list[str]) -> None:
        for key in tagKeys:
            del self._tags(resourceArn)[key]


class FakeEks(TaggedEks):
    """Each status lasts for two looks (or attempts to delete)."""

    def __init__(self) -> None:
        super().__init__()
        self.clusters: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.updates: dict[str, dict[str, Any]] = {}
        #: Name -> what it becomes, and after how many looks.
        self._next: dict[str, list[Any]] = {}
        #: What the next creation or deletion ends in, and the next update's errors.
        self.ends_in: tuple[str, list[dict[str, Any]]] | None = None
        self.update_errors: list[dict[str, Any]] = []
        #: Looks until a new resource is seen at all.
        self.invisible = self._hidden = 0

    def resources(self) -> Iterable[dict[str, Any]]:
        return [*self.clusters.values(), *self.groups.values()]

    # Time

    def _become(self, name: str, resource: dict[str, Any], now: str, then: str) -> None:
        issues: list[dict[str, Any]] = []
        if self.ends_in:
            (then, issues), self.ends_in = self.ends_in, None
        resource["status"] = now
        self._next[name] = [then, 2, issues]

    def _look(self, store: dict[str, dict[str, Any]], name: str, noun: str) -> dict[str, Any]:
        if name in store and self._hidden:
            self._hidden -= 1
            raise aws_error("ResourceNotFoundException", f"No {noun} found for name: {name}.")
        if name in self._next:
            self._next[name][1] -= 1
            if self._next[name][1] < 0:
                then, _looks, issues = self._next.pop(name)
                store[name] |= {"status": then, "health": {"issues": issues}}
                if then == "GONE":
                    del store[name]
        return self._get(store, name, noun)

    @staticmethod
    def _get(store: dict[str, dict[str, Any]], name: str, noun: str) -> dict[str, Any]:
        if name not in store:
            raise aws_error("ResourceNotFoundException", f"No {noun} found for name: {name}.")
        return store[name]

    def _settled(self, store: dict[str, dict[str, Any]], name: str, noun: str) -> dict[str, Any]:
        resource = self._get(store, name, noun)
        if resource["status"] not in ("ACTIVE", "DEGRADED"):
            raise aws_error("ResourceInUseException", f"{noun} {name} is {resource['status']}")
        return resource

    # Clusters

    def create_cluster(self, name: str, clientRequestToken: str, **given: Any) -> dict[str, Any]:
        if name in self.clusters:
            raise aws_error("ResourceInUseException", f"Cluster already exists with name: {name}")
        vpc = {"securityGroupIds": [], "endpointPublicAccess": True, "endpointPrivateAccess": False, "vpcId": "vpc-1"}
        self.clusters[name] = {
            "name": name,
            "arn": f"{ARN}cluster/{name}",
            "version": "1.33",
            "kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"},
            "logging": {"clusterLogging": []},
            "upgradePolicy": {"supportType": "EXTENDED"},
            "tags": {},
            "health": {"issues": []},
            **{key: value for key, value in given.items() if key != "bootstrapSelfManagedAddons"},
            "accessConfig": {"authenticationMode": "CONFIG_MAP"} | given.get("accessConfig", {}),
            "resourcesVpcConfig": vpc | {"publicAccessCidrs": ["0.0.0.0/0"]} | given["resourcesVpcConfig"],
        }
        self._become(name, self.clusters[name], "CREATING", "ACTIVE")
        self._hidden = self.invisible
        return {"cluster": self.clusters[name]}

    def describe_cluster(self, name: str) -> dict[str, Any]:
        return {"cluster": self._look(self.clusters, name, "cluster")}

    def delete_cluster(self, name: str) -> dict[str, Any]:
        cluster = self._look(self.clusters, name, "cluster")
        if cluster["status"] in ("CREATING", "UPDATING"):
            raise aws_error("ResourceInUseException", f"Cluster {name} is {cluster['status']}")
        if cluster.get("deletionProtection"):
            raise aws_error("InvalidRequestException", "Deletion protection is enabled")
        if self.list_nodegroups(name)["nodegroups"]:
            raise aws_error("ResourceInUseException", "Cluster has nodegroups attached")
        self._become(name, cluster, "DELETING", "GONE")
        return {"cluster": cluster}

    def update_cluster_config(self, name: str, **change: Any) -> dict[str, Any]:
        cluster = self._settled(self.clusters, name, "cluster")
        vpc = set(change.get("resourcesVpcConfig", {}))
        kinds = [
            *(change.keys() - {"resourcesVpcConfig"}),
            *(vpc - ENDPOINT),
            *(["endpoint"] if vpc & ENDPOINT else []),
        ]
        if len(kinds) != 1:
            raise aws_error("InvalidParameterException", f"Only one type of update is allowed, not {kinds}")
        for option, value in change.items():
            if option == "logging":
                self._log(cluster, value["clusterLogging"])
            else:
                cluster[option] = cluster.get(option, {}) | value if isinstance(value, dict) else value
        return self._update(cluster, name)

    @staticmethod
    def _log(cluster: dict[str, Any], changes: list[dict[str, Any]]) -> None:
        old = cluster["logging"]["clusterLogging"]
        enabled = {kind for one in old if one["enabled"] for kind in one["types"]}
        for one in changes:
            enabled = enabled | set(one["types"]) if one["enabled"] else enabled - set(one["types"])
        rest = {"api", "audit", "authenticator", "controllerManager", "scheduler"} - enabled
        both = [{"types": list(enabled), "enabled": True}, {"types": list(rest), "enabled": False}]
        cluster["logging"] = {"clusterLogging": both}

    def update_cluster_version(self, name: str, version: str) -> dict[str, Any]:
        cluster = self._settled(self.clusters, name, "cluster")
        if int(version.split(".")[1]) != int(cluster["version"].split(".")[1]) + 1:
            raise aws_error("InvalidParameterException", f"Unsupported Kubernetes minor version update to {version}")
        cluster["version"] = version
        return self._update(cluster, name)

    def associate_encryption_config(self, clusterName: str, encryptionConfig: list[dict[str, Any]]) -> dict[str, Any]:
        cluster = self._settled(self.clusters, clusterName, "cluster")
        cluster["encryptionConfig"] = encryptionConfig
        return self._update(cluster, clusterName)

    # Updates

    def _update(self, resource: dict[str, Any], name: str) -> dict[str, Any]:
        self._become(name, resource, "UPDATING", "ACTIVE")
        update = {"id": f"u-{len(self.updates)}", "status": "InProgress", "errors": []}
        # The first look at it is too early.
        self.updates[update["id"]] = update | {"looks": 0, "of": name}
        return {"update": update}

    def describe_update(self, name: str, updateId: str, nodegroupName: str = "") -> dict[str, Any]:
        update = self.updates[updateId]
        assert update["of"] == (f"{name}/{nodegroupName}" if nodegroupName else name)
        update["looks"] += 1
        if update["looks"] == 1:
            raise aws_error("ResourceNotFoundException", "No update found")
        if update["looks"] > 2:
            update |= {"status": "Failed" if self.update_errors else "Successful", "errors": self.update_errors}
        return {"update": {key: update[key] for key in ("id", "status", "errors")}}

    # Node groups

    def list_nodegroups(self, clusterName: str) -> dict[str, Any]:
        return {
            "nodegroups": [one["nodegroupName"] for one in self.groups.values() if one["clusterName"] == clusterName]
        }

    def create_nodegroup(
        self, clusterName: str, nodegroupName: str, clientRequestToken: str, **given: Any
    ) -> dict[str, Any]:
        name = f"{clusterName}/{nodegroupName}"
        template = {"launchTemplate": given["launchTemplate"] | {"name": "core"}} if "launchTemplate" in given else {}
        self.groups[name] = {
            "clusterName": clusterName,
            "nodegroupName": nodegroupName,
            "nodegroupArn": f"{ARN}nodegroup/{name}/1",
            "version": "1.33",
            "releaseVersion": "1.33.0-20250519",
            "capacityType": "ON_DEMAND",
            "health": {"issues": []},
            "tags": {},
            **given,
            **template,
        }
        self._become(name, self.groups[name], "CREATING", "ACTIVE")
        self._hidden = self.invisible
        return {"nodegroup": self.groups[name]}

    def describe_nodegroup(self, clusterName: str, nodegroupName: str) -> dict[str, Any]:
        return {"nodegroup": self._look(self.groups, f"{clusterName}/{nodegroupName}", "node group")}

    def delete_nodegroup(self, clusterName: str, nodegroupName: str) -> dict[str, Any]:
        name = f"{clusterName}/{nodegroupName}"
        group = self._look(self.groups, name, "node group")
        if group["status"] == "CREATING":
            raise aws_error("ResourceInUseException", "Nodegroup is CREATING")
        self._become(name, group, "DELETING", "GONE")
        return {"nodegroup": group}

    def update_nodegroup_config(self, clusterName: str, nodegroupName: str, **change: Any) -> dict[str, Any]:
        name = f"{clusterName}/{nodegroupName}"
        group = self._settled(self.groups, name, "node group")
        labels, taints = change.pop("labels", {}), change.pop("taints", {})
        gone = {(one["key"], one["effect"]) for key in taints for one in taints[key]}
        kept = {
            key: value for key, value in group.get("labels", {}).items() if key not in labels.get("removeLabels", [])
        }
        group["labels"] = kept | labels.get("addOrUpdateLabels", {})
        stay = [one for one in group.get("taints", []) if (one["key"], one["effect"]) not in gone]
        group["taints"] = stay + taints.get("addOrUpdateTaints", [])
        group["scalingConfig"] = group["scalingConfig"] | change.pop("scalingConfig", {})
        group |= change
        return self._update(group, name)

    def update_nodegroup_version(
        self, clusterName: str, nodegroupName: str, force: bool = False, **change: Any
    ) -> dict[str, Any]:
        name = f"{clusterName}/{nodegroupName}"
        group = self._settled(self.groups, name, "node group")
        template = change.pop("launchTemplate", {})
        assert not {"id", "name"} <= template.keys()
        group |= change
        if template:
            group["launchTemplate"] |= template
        return self._update(group, name)


def runner(run_aws_module: Callable[..., dict[str, Any]], module: Any, eks: FakeEks) -> Callable[..., dict[str, Any]]:
    """run(params, check=False) -> the result of the module with the operations it called, and those that write."""

    def run(params: dict[str, Any], check: bool = False) -> dict[str, Any]:
        result = run_aws_module(module, {"eks": eks}, params, check)
        return result | {"calls": [name for name, _parameters in eks.calls], "written": eks.written()}

    return run
