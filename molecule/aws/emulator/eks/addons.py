# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS add-ons."""

from __future__ import annotations

import json
import uuid

import yaml

from emulator.eks import catalog
from emulator.eks.common import (
    Record,
    active_cluster,
    get_cluster,
    in_use,
    invalid,
    not_found,
    now,
    of_cluster,
    page,
    public,
    start_update,
)
from emulator.eks.pod_identity import add_association
from emulator.world import Call, answers

NO_NODES = {
    "code": "InsufficientNumberOfReplicas",
    "message": "The add-on is unhealthy because it doesn't have the desired number of replicas.",
}


def _get(call: Call) -> Record:
    get_cluster(call, call.params["clusterName"])
    found = call.store("addons").get((call.params["clusterName"], call.params["addonName"]))
    if found is None:
        raise not_found(f"No addon: {call.params['addonName']} found in cluster: {call.params['clusterName']}")
    return found


def _shown(call: Call, record: Record) -> Record:
    """The add-on now: what needs nodes is DEGRADED while there are none."""
    groups = of_cluster(call, "nodegroups", record["clusterName"]).values()
    lacks_nodes = catalog.needs_nodes(record["addonName"]) and not any(
        group["status"] in ("ACTIVE", "UPDATING") for group in groups
    )
    shown = public(record)
    if record["status"] == "ACTIVE" and lacks_nodes:
        shown |= {"status": "DEGRADED", "health": {"issues": [NO_NODES]}}
    return shown


def _check_version(cluster: Record, name: str, version: str) -> None:
    if version not in catalog.versions(name, cluster["version"]):
        raise invalid("Addon version specified is not supported")


def _check_configuration(text: str) -> None:
    try:
        values = yaml.safe_load(text or "{}")
    except yaml.YAMLError as error:
        raise invalid(f"ConfigurationValue provided in request is not supported: {error}") from error
    if values is not None and not isinstance(values, dict):
        raise invalid("ConfigurationValue provided in request is not supported: not an object")


def _associate(call: Call, record: Record, wanted: list[Record]) -> list[str]:
    """Replace the add-on's pod identity associations; their ARNs."""
    owned = of_cluster(call, "pod_identities", record["clusterName"])
    for key, association in owned.items():
        if association.get("ownerArn") == record["addonArn"]:
            del call.store("pod_identities")[key]
    return [
        add_association(
            call,
            record["clusterName"],
            catalog.namespace(record["addonName"]),
            entry["serviceAccount"],
            entry["roleArn"],
            ownerArn=record["addonArn"],
        )["associationArn"]
        for entry in wanted
    ]


@answers("eks", "CreateAddon")
def create_addon(call: Call) -> Record:
    params = call.params
    cluster = active_cluster(call, params["clusterName"])
    name = params["addonName"]
    if (cluster["name"], name) in call.store("addons"):
        raise in_use("Addon already exists.")
    if name not in catalog.ADDONS:
        raise invalid(f"Addon {name} specified is not supported in {cluster['version']} kubernetes version")
    version = params.get("addonVersion", catalog.versions(name, cluster["version"])[0])
    _check_version(cluster, name, version)
    _check_configuration(params.get("configurationValues", ""))
    record = {
        "addonName": name,
        "clusterName": cluster["name"],
        "status": "CREATING",
        "addonVersion": version,
        "health": {"issues": []},
        "addonArn": f"arn:aws:eks:{call.region}:{call.account}:addon/{cluster['name']}/{name}/{uuid.uuid4()}",
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": params.get("tags", {}),
        "namespaceConfig": {"namespace": params.get("namespaceConfig", {}).get("namespace", catalog.namespace(name))},
    }
    for member in ("serviceAccountRoleArn", "configurationValues"):
        if member in params:
            record[member] = params[member]
    record["podIdentityAssociations"] = _associate(call, record, params.get("podIdentityAssociations", []))
    call.store("addons")[cluster["name"], name] = record
    failure = call.doom("eks:addon")
    call.later("addon_create", lambda: _created(record, failure))
    return {"addon": _shown(call, record)}


def _created(record: Record, failure: tuple[str, str] | None) -> None:
    if record["status"] != "CREATING":
        return
    record["status"] = "CREATE_FAILED" if failure else "ACTIVE"
    if failure:
        record["health"] = {"issues": [{"code": failure[0], "message": failure[1]}]}


@answers("eks", "DescribeAddon")
def describe_addon(call: Call) -> Record:
    return {"addon": _shown(call, _get(call))}


@answers("eks", "ListAddons")
def list_addons(call: Call) -> Record:
    get_cluster(call, call.params["clusterName"])
    found, token = page(call, sorted(key[1] for key in of_cluster(call, "addons", call.params["clusterName"])))
    return {"addons": found, "nextToken": token}


@answers("eks", "UpdateAddon")
def update_addon(call: Call) -> Record:
    record, params = _get(call), call.params
    cluster = get_cluster(call, record["clusterName"])
    if record["status"] not in ("ACTIVE", "DEGRADED", "UPDATE_FAILED"):
        raise in_use(f"Addon {record['addonName']} cannot be updated as it is currently in {record['status']} state")
    after = {
        name: params[name]
        for name in ("addonVersion", "serviceAccountRoleArn", "configurationValues")
        if name in params
    }
    if "addonVersion" in after:
        _check_version(cluster, record["addonName"], after["addonVersion"])
    _check_configuration(after.get("configurationValues", ""))
    if "podIdentityAssociations" in params:
        after["podIdentityAssociations"] = _associate(call, record, params["podIdentityAssociations"])
    where = {"name": record["clusterName"], "addonName": record["addonName"]}
    return start_update(
        call, record, where, "AddonUpdate", {key: json.dumps(value) for key, value in after.items()}, "addon_update",
        lambda: record.update(after, modifiedAt=now(), health={"issues": []}),
    )  # fmt: skip


@answers("eks", "DeleteAddon")
def delete_addon(call: Call) -> Record:
    record = _get(call)
    if record["status"] == "DELETING":
        raise in_use(f"Addon {record['addonName']} is already being deleted")
    record["status"] = "DELETING"

    def gone() -> None:
        key = (record["clusterName"], record["addonName"])
        if call.store("addons").get(key) is record:
            _associate(call, record, [])
            del call.store("addons")[key]

    call.later("addon_delete", gone)
    return {"addon": _shown(call, record)}


@answers("eks", "DescribeAddonVersions")
def describe_addon_versions(call: Call) -> Record:
    params = call.params
    name = params.get("addonName")
    if name and name not in catalog.ADDONS:
        raise not_found(f"Addon {name} not found")
    wanted = [params["kubernetesVersion"]] if "kubernetesVersion" in params else call.world.config["eks"]["versions"]
    described = [catalog.describe(addon, wanted) for addon in ([name] if name else sorted(catalog.ADDONS))]
    for key, member in (("types", "type"), ("owners", "owner"), ("publishers", "publisher")):
        if key in params:
            described = [addon for addon in described if addon[member] in params[key]]
    found, token = page(call, described)
    return {"addons": found, "nextToken": token}


@answers("eks", "DescribeAddonConfiguration")
def describe_addon_configuration(call: Call) -> Record:
    name = call.params["addonName"]
    if name not in catalog.ADDONS:
        raise not_found(f"Addon {name} not found")
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": True}
    account = catalog.ADDONS[name][3]
    accounts = [{"serviceAccount": account, "recommendedManagedPolicies": []}] if account else []
    return {
        "addonName": name,
        "addonVersion": call.params["addonVersion"],
        "configurationSchema": json.dumps(schema),
        "podIdentityConfiguration": accounts,
    }
