# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may enter a cluster: access entries and the access policies associated with them."""

from __future__ import annotations

import re
import uuid

from emulator.eks.common import Record, get_cluster, in_use, invalid, not_found, now, of_cluster, page, public
from emulator.world import Call, answers

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
POLICIES = [
    ADMIN,
    *(
        f"arn:aws:eks::aws:cluster-access-policy/AmazonEKS{name}Policy"
        for name in ("Admin", "AdminView", "Edit", "View", "AutoNode")
    ),
]
NODE_TYPES = {"EC2_LINUX": "system:nodes", "EC2_WINDOWS": "system:nodes", "FARGATE_LINUX": "system:nodes"}


def principal_of(caller_arn: str) -> str:
    """The IAM principal behind a caller: of an assumed role's session, the role. Pure.

    A role's path is lost in a session's ARN; EKS looks for the role by its name alone, and so do we.
    """
    match = re.fullmatch(r"arn:(aws[^:]*):sts::(\d+):assumed-role/([^/]+)/.+", caller_arn)
    return f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}" if match else caller_arn


def admit_creator(call: Call, cluster: str) -> None:
    """The entry that the cluster's creator gets."""
    principal = principal_of(call.world.backend.caller(call.access_key, call.session_token))
    entry = add_entry(call, cluster, principal, "STANDARD", [], {}, "")
    entry["_policies"] = {ADMIN: _association(ADMIN, {"type": "cluster", "namespaces": []})}


def add_entry(
    call: Call, cluster: str, principal: str, kind: str, groups: list[str], tags: dict[str, str], username: str
) -> Record:
    default_name = "system:node:{{EC2PrivateDNSName}}" if kind in NODE_TYPES else _default_username(principal)
    entry = {
        "clusterName": cluster,
        "principalArn": principal,
        "kubernetesGroups": groups or ([NODE_TYPES[kind]] if kind in NODE_TYPES else []),
        "accessEntryArn": f"arn:aws:eks:{call.region}:{call.account}:access-entry/{cluster}/"
        f"{principal.rpartition(':')[2].partition('/')[0]}/{call.account}/{principal.rpartition('/')[2]}/{uuid.uuid4()}",
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": dict(tags),
        "username": username or default_name,
        "type": kind,
        "_policies": {},
    }
    call.store("access_entries")[cluster, principal] = entry
    return entry


def _default_username(principal: str) -> str:
    """As EKS names a principal: a role's sessions each get their own name."""
    if ":role/" not in principal:
        return principal
    account, role = principal.split(":")[4], principal.rpartition("/")[2]
    return f"arn:aws:sts::{account}:assumed-role/{role}/{{{{SessionName}}}}"


def _entry(call: Call) -> Record:
    cluster, principal = call.params["clusterName"], call.params["principalArn"]
    get_cluster(call, cluster)
    entry = call.store("access_entries").get((cluster, principal))
    if entry is None:
        raise not_found("The specified principalArn could not be found. You can view your available access entries with"
                        " 'list-access-entries'.")  # fmt: skip
    return entry


@answers("eks", "CreateAccessEntry")
def create_access_entry(call: Call) -> Record:
    params = call.params
    cluster = get_cluster(call, params["clusterName"])
    principal = params["principalArn"]
    if cluster["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        raise invalid("The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this"
                      " operation.")  # fmt: skip
    if (cluster["name"], principal) in call.store("access_entries"):
        raise in_use("The specified access entry resource is already in use on this cluster.")
    if not re.fullmatch(r"arn:aws[^:]*:iam::\d{12}:(user|role)/.+", principal):
        raise invalid("The principalArn parameter format is not valid")
    kind = params.get("type", "STANDARD")
    groups = params.get("kubernetesGroups", [])
    if any(group.startswith("system:") for group in groups):
        raise invalid("The kubernetes group name starts with a reserved prefix: system:")
    if kind != "STANDARD" and (groups or params.get("username")):
        raise invalid(f"The access entry type {kind} does not take groups or a user name")
    entry = add_entry(
        call, cluster["name"], principal, kind, groups, params.get("tags", {}), params.get("username", "")
    )
    return {"accessEntry": public(entry)}


@answers("eks", "DescribeAccessEntry")
def describe_access_entry(call: Call) -> Record:
    return {"accessEntry": public(_entry(call))}


@answers("eks", "ListAccessEntries")
def list_access_entries(call: Call) -> Record:
    get_cluster(call, call.params["clusterName"])
    wanted = call.params.get("associatedPolicyArn")
    entries = of_cluster(call, "access_entries", call.params["clusterName"])
    found, token = page(
        call, sorted(key[1] for key, entry in entries.items() if not wanted or wanted in entry["_policies"])
    )
    return {"accessEntries": found, "nextToken": token}


@answers("eks", "UpdateAccessEntry")
def update_access_entry(call: Call) -> Record:
    entry = _entry(call)
    for name in ("kubernetesGroups", "username"):
        if name in call.params:
            entry[name] = call.params[name]
    entry["modifiedAt"] = now()
    return {"accessEntry": public(entry)}


@answers("eks", "DeleteAccessEntry")
def delete_access_entry(call: Call) -> None:
    entry = _entry(call)
    del call.store("access_entries")[entry["clusterName"], entry["principalArn"]]


def _association(policy: str, scope: Record) -> Record:
    return {"policyArn": policy, "accessScope": scope, "associatedAt": now(), "modifiedAt": now()}


@answers("eks", "AssociateAccessPolicy")
def associate_access_policy(call: Call) -> Record:
    entry, policy = _entry(call), call.params["policyArn"]
    if policy not in POLICIES:
        raise invalid(f"The policyArn parameter format is not valid: {policy}")
    if entry["type"] != "STANDARD":
        raise invalid(f"An access entry of type {entry['type']} takes no access policies")
    entry["_policies"][policy] = _association(policy, {"namespaces": []} | call.params["accessScope"])
    return {
        "clusterName": entry["clusterName"],
        "principalArn": entry["principalArn"],
        "associatedAccessPolicy": entry["_policies"][policy],
    }


@answers("eks", "DisassociateAccessPolicy")
def disassociate_access_policy(call: Call) -> None:
    if _entry(call)["_policies"].pop(call.params["policyArn"], None) is None:
        raise not_found(f"No associated access policy found: {call.params['policyArn']}")


@answers("eks", "ListAssociatedAccessPolicies")
def list_associated_access_policies(call: Call) -> Record:
    entry = _entry(call)
    found, token = page(call, list(entry["_policies"].values()))
    return {
        "clusterName": entry["clusterName"],
        "principalArn": entry["principalArn"],
        "associatedAccessPolicies": found,
        "nextToken": token,
    }


@answers("eks", "ListAccessPolicies")
def list_access_policies(call: Call) -> Record:
    found, token = page(call, [{"name": arn.rpartition("/")[2], "arn": arn} for arn in POLICIES])
    return {"accessPolicies": found, "nextToken": token}
