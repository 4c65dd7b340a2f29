# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the EKS cluster that is adopted will do, and whether EKS supports the version that is asked for. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import Findings, Unread, problem

#: Prices of a control plane, in $ an hour, in the two times of a version.
STANDARD_PRICE, EXTENDED_PRICE = "0.10", "0.60"
#: The mode of a cluster that knows no access entries, and of one that tells none.
CONFIG_MAP = "CONFIG_MAP"


def judge_cluster(facts: dict[str, t.Any], values: dict[str, t.Any]) -> Findings:
    """The adopted cluster: fact C(cluster) as EKS describes it, None if there is none, or Unread."""
    found, name, cluster = Findings(), values["adopted_cluster"], facts["cluster"]
    if not name:
        return found
    if isinstance(cluster, Unread):
        found.warnings.append(f"The EKS cluster {name} was not looked at: {cluster.reason}")
        return found
    if cluster is None:
        expectation = "an EKS cluster of this account and region, as eks_cluster_adopt is set"
        found.problems.append(problem("eks_cluster_name", name, expectation))
        return found
    if cluster["status"] not in ("ACTIVE", "UPDATING"):
        found.problems.append(f"The EKS cluster {name} is {cluster['status']}: expected ACTIVE")
    vpc = cluster.get("resourcesVpcConfig", {}).get("vpcId", "")
    if vpc != values["vpc_id"]:
        expectation = (
            f"{vpc}, the VPC of the adopted cluster {name}; set network_pod_subnet_ids to subnets of it as well"
        )
        found.problems.append(problem("network_vpc_id", values["vpc_id"], expectation))
    mode = cluster.get("accessConfig", {}).get("authenticationMode") or CONFIG_MAP
    if values["access_entries"] and mode == CONFIG_MAP:
        found.problems.append(
            f"The EKS cluster {name} has the authentication mode {mode}: expected API_AND_CONFIG_MAP or API, since Karpenter's"
            " nodes join by an access entry; change the mode, by which nobody loses access, or set eks_addons_karpenter: false"
        )
    return found


def version_of(facts: dict[str, t.Any], values: dict[str, t.Any]) -> str:
    """The version of Kubernetes that the deployment will have; empty for EKS' default."""
    cluster = facts["cluster"]
    return cluster.get("version", "") if isinstance(cluster, dict) else values["kubernetes_version"]


def judge_version(facts: dict[str, t.Any], values: dict[str, t.Any]) -> Findings:
    """The version of Kubernetes: fact C(versions) is version -> what EKS says of its support, or Unread."""
    found, version, states = Findings(), version_of(facts, values), facts["versions"]
    if not version:
        return found
    if isinstance(states, Unread):
        found.warnings.append(f"Whether EKS supports Kubernetes {version} was not looked at: {states.reason}")
        return found
    standard, extended = (
        sorted((one for one in states if states[one] == state), key=lambda one: [int(part) for part in one.split(".")])
        for state in ("STANDARD_SUPPORT", "EXTENDED_SUPPORT")
    )
    if version in extended:
        found.warnings.append(
            f"Kubernetes {version} is in extended support: the control plane costs {EXTENDED_PRICE} $ an hour instead of"
            f" {STANDARD_PRICE}; in standard support are {', '.join(standard)}"
        )
    elif version not in standard and values["adopted_cluster"]:
        found.warnings.append(
            f"Kubernetes {version} of the EKS cluster {values['adopted_cluster']} is no version that EKS supports: these are"
            f" {', '.join([*extended, *standard])}"
        )
    elif version not in standard:
        expectation = f"a version that EKS supports, one of {', '.join([*extended, *standard])}"
        found.problems.append(problem("eks_cluster_version", version, expectation))
    return found
