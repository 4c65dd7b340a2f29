# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-ons that EKS offers here, and their versions. Pure.

Real names and real shapes; the version numbers are plausible, not a copy of AWS' list, which changes every week.
"""

from __future__ import annotations

import typing as t

#: Name -> type, versions (the default first), whether it runs on nodes (not as a DaemonSet), service account for IAM.
ADDONS: dict[str, tuple[str, list[str], bool, str]] = {
    "vpc-cni": ("networking", ["v1.21.1-eksbuild.3", "v1.20.4-eksbuild.2"], False, "aws-node"),
    "coredns": ("networking", ["v1.12.4-eksbuild.6", "v1.12.4-eksbuild.1"], True, ""),
    "kube-proxy": ("networking", ["v{kubernetes}.1-eksbuild.2", "v{kubernetes}.0-eksbuild.4"], False, ""),
    "aws-ebs-csi-driver": ("storage", ["v1.55.0-eksbuild.2", "v1.54.0-eksbuild.1"], True, "ebs-csi-controller-sa"),
    "eks-pod-identity-agent": ("security", ["v1.3.10-eksbuild.2", "v1.3.9-eksbuild.5"], False, ""),
    "metrics-server": ("observability", ["v0.8.1-eksbuild.1", "v0.8.0-eksbuild.6"], True, ""),
    "eks-node-monitoring-agent": ("observability", ["v1.5.1-eksbuild.1", "v1.4.2-eksbuild.1"], False, ""),
    "amazon-cloudwatch-observability": (
        "observability",
        ["v4.10.0-eksbuild.1", "v4.8.0-eksbuild.1"],
        True,
        "cloudwatch-agent",
    ),
}
#: Namespaces other than kube-system.
NAMESPACES = {"amazon-cloudwatch-observability": "amazon-cloudwatch"}
#: Type that a third party's add-on has, which ListAddons does not show apart.
OWNER = {"metrics-server": "community"}


def versions(name: str, kubernetes: str) -> list[str]:
    """An add-on's versions for a Kubernetes version, the default first; empty for an unknown add-on."""
    return [text.format(kubernetes=kubernetes) for text in ADDONS[name][1]] if name in ADDONS else []


def namespace(name: str) -> str:
    return NAMESPACES.get(name, "kube-system")


def needs_nodes(name: str) -> bool:
    """Whether it is a Deployment that cannot become ready without a node."""
    return ADDONS[name][2]


def describe(name: str, kubernetes: list[str]) -> dict[str, t.Any]:
    """An add-on as DescribeAddonVersions has it, for these Kubernetes versions."""
    kind, _versions, _nodes, account = ADDONS[name]
    offered: dict[str, list[dict[str, t.Any]]] = {}
    for cluster in kubernetes:
        for place, version in enumerate(versions(name, cluster)):
            fits = {"clusterVersion": cluster, "platformVersions": ["*"], "defaultVersion": place == 0}
            offered.setdefault(version, []).append(fits)
    return {
        "addonName": name,
        "type": kind,
        "publisher": "eks",
        "owner": OWNER.get(name, "aws"),
        "addonVersions": [
            {
                "addonVersion": version,
                "architecture": ["amd64", "arm64"],
                "computeTypes": ["ec2"],
                "compatibilities": compatible,
                "requiresConfiguration": False,
                "requiresIamPermissions": bool(account),
            }
            for version, compatible in offered.items()
        ],
    }
