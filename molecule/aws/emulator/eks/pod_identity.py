# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS Pod Identity associations."""

from __future__ import annotations

import uuid

from emulator.eks.common import (
    Record,
    get_cluster,
    in_use,
    invalid,
    not_found,
    now,
    of_cluster,
    page,
    public,
    role_trusts,
)
from emulator.world import Call, answers

PODS = "pods.eks.amazonaws.com"
SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn")


def add_association(call: Call, cluster: str, namespace: str, account: str, role: str, **more: object) -> Record:
    """Make an association; C(more) may be tags, ownerArn, targetRoleArn."""
    for (_cluster, _id), other in of_cluster(call, "pod_identities", cluster).items():
        if (other["namespace"], other["serviceAccount"]) == (namespace, account):
            raise in_use(f"Association already exists: {other['associationId']}")
    _check_role(call, role)
    name = f"a-{uuid.uuid4().hex[:17]}"
    association = {
        "clusterName": cluster,
        "namespace": namespace,
        "serviceAccount": account,
        "roleArn": role,
        "associationArn": f"arn:aws:eks:{call.region}:{call.account}:podidentityassociation/{cluster}/{name}",
        "associationId": name,
        "tags": {},
        "createdAt": now(),
        "modifiedAt": now(),
        "disableSessionTags": False,
        **more,
    }
    call.store("pod_identities")[cluster, name] = association
    return association


def _check_role(call: Call, role: str) -> None:
    if not role_trusts(call, role, PODS):
        raise invalid(f"Trust policy of the provided role must allow {PODS} to assume it: {role}")


def _association(call: Call) -> Record:
    get_cluster(call, call.params["clusterName"])
    found = call.store("pod_identities").get((call.params["clusterName"], call.params["associationId"]))
    if found is None:
        raise not_found(f"Association {call.params['associationId']} not found")
    return found


@answers("eks", "CreatePodIdentityAssociation")
def create(call: Call) -> Record:
    params = call.params
    get_cluster(call, params["clusterName"])
    more = {key: params[key] for key in ("tags", "disableSessionTags", "targetRoleArn") if key in params}
    made = add_association(
        call, params["clusterName"], params["namespace"], params["serviceAccount"], params["roleArn"], **more
    )
    return {"association": public(made)}


@answers("eks", "DescribePodIdentityAssociation")
def describe(call: Call) -> Record:
    return {"association": public(_association(call))}


@answers("eks", "ListPodIdentityAssociations")
def list_associations(call: Call) -> Record:
    params = call.params
    get_cluster(call, params["clusterName"])
    wanted = {key: params[key] for key in ("namespace", "serviceAccount") if key in params}
    fitting = [
        {key: record[key] for key in SUMMARY if key in record}
        for record in of_cluster(call, "pod_identities", params["clusterName"]).values()
        if wanted.items() <= record.items()
    ]
    found, token = page(call, fitting)
    return {"associations": found, "nextToken": token}


@answers("eks", "UpdatePodIdentityAssociation")
def update(call: Call) -> Record:
    association = _association(call)
    if "roleArn" in call.params:
        _check_role(call, call.params["roleArn"])
    for key in ("roleArn", "disableSessionTags", "targetRoleArn"):
        if key in call.params:
            association[key] = call.params[key]
    association["modifiedAt"] = now()
    return {"association": public(association)}


@answers("eks", "DeletePodIdentityAssociation")
def delete(call: Call) -> Record:
    association = _association(call)
    if association.get("ownerArn"):
        raise in_use(f"Association {association['associationId']} is owned by {association['ownerArn']}")
    del call.store("pod_identities")[association["clusterName"], association["associationId"]]
    return {"association": public(association)}
