# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tells that something belongs to a cluster, and whether it may be deleted. Pure.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import has_tags

#: Set by Karpenter on what it launches for a node pool.
KARPENTER = "karpenter.sh/nodepool"
#: Set by the EBS CSI driver, with the value "true": it says nothing of the cluster.
EBS_CSI = "ebs.csi.aws.com/cluster"


@dataclass(frozen=True)
class Leftover:
    """Something that is still there. C(removable): it is nobody's but the cluster's, and nothing uses it."""

    kind: str
    id: str
    name: str
    why: str
    removable: bool = False

    @property
    def text(self) -> str:
        label = f"{self.name} ({self.id})" if self.name and self.name != self.id else self.id
        return f"{self.kind} {label}: {self.why}"

    def as_result(self) -> dict[str, str]:
        return {"kind": self.kind, "id": self.id, "name": self.name, "why": self.why}

    def blocked(self, reason: str) -> Leftover:
        return replace(self, why=f"{self.why}; not deleted: {reason}")


def cluster_tags(cluster: str) -> dict[str, str]:
    """Tags of which each one alone proves that something was made for this cluster.

    Set by: the AWS Load Balancer Controller (elbv2), the controllers and EKS (kubernetes.io/cluster, never "shared", which is
    on what clusters have in common), the VPC CNI and its resource controller (cluster.k8s, eks:cluster-name), Karpenter
    (karpenter.k8s, eks:eks-cluster-name), EKS on its security group (aws:eks).
    """
    return {
        "elbv2.k8s.aws/cluster": cluster,
        f"kubernetes.io/cluster/{cluster}": "owned",
        "cluster.k8s.amazonaws.com/name": cluster,
        "eks:cluster-name": cluster,
        "eks:eks-cluster-name": cluster,
        "karpenter.k8s.aws/cluster": cluster,
        "aws:eks:cluster-name": cluster,
    }


def cluster_mark(tags: dict[str, str], cluster: str) -> str:
    """The first tag that proves it, as C(key=value); empty if there is none."""
    for key, value in cluster_tags(cluster).items():
        if cluster and tags.get(key) == value:
            return f"{key}={value}"
    return ""


def tags_of(item: dict[str, t.Any], key: str = "Tags") -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in item.get(key) or []}


def judge_balancer(
    kind: str, arn: str, name: str, tags: dict[str, str], users: list[str], cluster: str
) -> Leftover | None:
    """A load balancer or target group; C(users) are the load balancers of a target group, which cannot go before them."""
    mark = cluster_mark(tags, cluster)
    return Leftover(kind, arn, name, mark, not users) if mark else None


def judge_instance(instance: dict[str, t.Any], cluster: str) -> Leftover | None:
    """An instance; Karpenter's are a kind of their own, since they have to go while the core nodes still run."""
    tags = tags_of(instance)
    mark = cluster_mark(tags, cluster)
    if not mark:
        return None
    state = instance["State"]["Name"]
    kind = "karpenter_instance" if KARPENTER in tags else "instance"
    removable = kind == "karpenter_instance" and state not in ("shutting-down", "terminated")
    return Leftover(kind, instance["InstanceId"], tags.get("Name", ""), f"{mark}, {state}", removable)


def judge_interface(
    interface: dict[str, t.Any], cluster: str, cluster_groups: dict[str, str], own_groups: set[str], vpc_is_ours: bool
) -> Leftover | None:
    """A network interface of the cluster, by its tags or its security groups, or one that nobody uses.

    Args:
        cluster_groups: id of each security group that is the cluster's -> the mark that tells.
        own_groups: ids of those with the deployment's tags. What is in use and has one may be a Redis that stays.
    """
    groups = [group["GroupId"] for group in interface.get("Groups", [])]
    status, free = interface["Status"], interface["Status"] == "available"
    marks = [cluster_mark(tags_of(interface, "TagSet"), cluster)]
    marks += [f"security group {group} ({cluster_groups[group]})" for group in groups if group in cluster_groups]
    marks += [f"security group {group} of the deployment" for group in groups if free and group in own_groups]
    identity = ("network_interface", interface["NetworkInterfaceId"], interface.get("Description", ""))
    if any(marks):
        mark = next(mark for mark in marks if mark)
        return Leftover(*identity, f"{mark}, {status}", free and not interface.get("RequesterManaged", False))
    if free and vpc_is_ours:
        return Leftover(*identity, "not in use, in the deployment's VPC")
    return None


def judge_group(group: dict[str, t.Any], cluster: str) -> Leftover | None:
    """A security group that a controller, or EKS, made; those of the roles carry no mark of the cluster."""
    mark = cluster_mark(tags_of(group), cluster)
    return Leftover("security_group", group["GroupId"], group.get("GroupName", ""), mark, True) if mark else None


def judge_volume(volume: dict[str, t.Any], cluster: str, tags: dict[str, str]) -> Leftover | None:
    own = tags_of(volume)
    mark = cluster_mark(own, cluster)
    if not mark and EBS_CSI in own and has_tags(own, tags):
        mark = f"{EBS_CSI}, and the deployment's tags"
    if not mark:
        return None
    state = volume["State"]
    name = own.get("kubernetes.io/created-for/pvc/name") or own.get("Name", "")
    return Leftover("volume", volume["VolumeId"], name, f"{mark}, {state}", state in ("available", "error"))


def without_doubles(leftovers: list[Leftover]) -> list[Leftover]:
    """One entry for each id: the first one."""
    found: dict[str, Leftover] = {}
    for one in leftovers:
        found.setdefault(one.id, one)
    return list(found.values())
