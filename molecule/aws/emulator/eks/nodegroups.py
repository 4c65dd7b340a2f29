# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS managed node groups. Their nodes are network interfaces only: they keep security groups and subnets in use."""

from __future__ import annotations

import typing as t
import uuid

from emulator.ec2.interfaces import delete_interfaces, make_interface
from emulator.eks import access
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
    role_trusts,
    start_update,
)
from emulator.world import Call, answers

SCALING = {"minSize": 1, "maxSize": 2, "desiredSize": 2}


def _get(call: Call) -> Record:
    get_cluster(call, call.params["clusterName"])
    found = call.store("nodegroups").get((call.params["clusterName"], call.params["nodegroupName"]))
    if found is None:
        raise not_found(f"No node group found for name: {call.params['nodegroupName']}.")
    return found


def _shown(record: Record) -> Record:
    return {"nodegroup": public(record)}


def _launch_template(call: Call, given: Record) -> tuple[Record, list[str]]:
    """The template as the node group shows it, and the security groups it gives to nodes."""
    version = given.get("version", "$Default")
    key = {"LaunchTemplateId": given["id"]} if "id" in given else {"LaunchTemplateName": given["name"]}
    answer = call.found("ec2", "describe_launch_template_versions", Versions=[str(version)], **key)
    if not answer or not answer["LaunchTemplateVersions"]:
        raise invalid(f"The specified launch template, {given}, does not exist.")
    found = answer["LaunchTemplateVersions"][0]
    data = found["LaunchTemplateData"]
    if "IamInstanceProfile" in data:
        raise invalid(
            "Launch template should not specify an instance profile. The noderole in your request will be used."
        )
    shown = {
        "id": found["LaunchTemplateId"],
        "name": found["LaunchTemplateName"],
        "version": str(found["VersionNumber"]),
    }
    return shown, data.get("SecurityGroupIds", [])


def _check_scaling(scaling: Record) -> Record:
    merged = SCALING | scaling
    if not merged["minSize"] <= merged["desiredSize"] <= merged["maxSize"]:
        raise invalid("Minimum capacity can't be greater than desired size, nor desired size than maximum capacity")
    return merged


def _release(version: str) -> str:
    return f"{version}.1-20261101"


def _nodes(call: Call, record: Record) -> None:
    """As many network interfaces as nodes."""
    delete_interfaces(call, record["_interfaces"])
    name = record["nodegroupName"]
    record["_interfaces"] = [
        make_interface(call, record["subnets"][place % len(record["subnets"])], record["_groups"], f"node of {name}")
        for place in range(record["scalingConfig"]["desiredSize"])
    ]


@answers("eks", "CreateNodegroup")
def create_nodegroup(call: Call) -> Record:
    params = call.params
    cluster = active_cluster(call, params["clusterName"])
    name = params["nodegroupName"]
    if (cluster["name"], name) in call.store("nodegroups"):
        raise in_use(f"NodeGroup already exists with name {name} and cluster name {cluster['name']}")
    if not role_trusts(call, params["nodeRole"], "ec2.amazonaws.com"):
        raise invalid(
            "Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of nodeRole"
            f" {params['nodeRole']}"
        )
    if call.found("ec2", "describe_subnets", SubnetIds=params["subnets"]) is None:
        raise invalid(f"The subnet ID '{params['subnets']}' does not exist")
    version = params.get("version", cluster["version"])
    if version > cluster["version"]:
        raise invalid(f"Requested Nodegroup version {version} is higher than the cluster's {cluster['version']}")
    groups = [cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]]
    record = {
        "nodegroupName": name,
        "nodegroupArn": f"arn:aws:eks:{call.region}:{call.account}:nodegroup/{cluster['name']}/{name}/{uuid.uuid4()}",
        "clusterName": cluster["name"],
        "version": version,
        "releaseVersion": params.get("releaseVersion", _release(version)),
        "createdAt": now(),
        "modifiedAt": now(),
        "status": "CREATING",
        "capacityType": params.get("capacityType", "ON_DEMAND"),
        "scalingConfig": _check_scaling(params.get("scalingConfig", {})),
        "instanceTypes": params.get("instanceTypes", ["t3.medium"]),
        "subnets": params["subnets"],
        "amiType": params.get("amiType", "AL2023_x86_64_STANDARD"),
        "nodeRole": params["nodeRole"],
        "labels": params.get("labels", {}),
        "taints": params.get("taints", []),
        "updateConfig": params.get("updateConfig", {"maxUnavailable": 1}),
        "health": {"issues": []},
        "tags": params.get("tags", {}),
        "_groups": groups,
        "_interfaces": [],
    }
    if "nodeRepairConfig" in params:
        record["nodeRepairConfig"] = params["nodeRepairConfig"]
    if "launchTemplate" in params:
        if "diskSize" in params or "remoteAccess" in params:
            raise invalid("Disk size and remote access must be specified within the launch template.")
        record["launchTemplate"], own = _launch_template(call, params["launchTemplate"])
        record["_groups"] = own or groups
    else:
        record["diskSize"] = params.get("diskSize", 20)
    call.store("nodegroups")[cluster["name"], name] = record
    if "API" in cluster["accessConfig"]["authenticationMode"]:
        if (cluster["name"], params["nodeRole"]) not in call.store("access_entries"):
            access.add_entry(call, cluster["name"], params["nodeRole"], "EC2_LINUX", [], {}, "")
    failure = call.doom("eks:nodegroup")
    call.later("nodegroup_create", lambda: _created(call, record, failure))
    return _shown(record)


def _created(call: Call, record: Record, failure: tuple[str, str] | None) -> None:
    if record["status"] != "CREATING":
        return
    if failure:
        code, message = failure
        record["status"] = "CREATE_FAILED"
        record["health"] = {"issues": [{"code": code, "message": message, "resourceIds": [record["nodegroupName"]]}]}
        return
    record["status"] = "ACTIVE"
    group = f"eks-{record['nodegroupName']}-{record['nodegroupArn'].rpartition('/')[2]}"
    record["resources"] = {"autoScalingGroups": [{"name": group}]}
    _nodes(call, record)


@answers("eks", "DescribeNodegroup")
def describe_nodegroup(call: Call) -> Record:
    return _shown(_get(call))


@answers("eks", "ListNodegroups")
def list_nodegroups(call: Call) -> Record:
    get_cluster(call, call.params["clusterName"])
    found, token = page(call, sorted(key[1] for key in of_cluster(call, "nodegroups", call.params["clusterName"])))
    return {"nodegroups": found, "nextToken": token}


@answers("eks", "DeleteNodegroup")
def delete_nodegroup(call: Call) -> Record:
    record = _get(call)
    if record["status"] in ("UPDATING", "DELETING"):
        raise in_use(f"Nodegroup {record['nodegroupName']} cannot be deleted while it is {record['status']}")
    record["status"] = "DELETING"

    def gone() -> None:
        delete_interfaces(call, record["_interfaces"])
        key = (record["clusterName"], record["nodegroupName"])
        if call.store("nodegroups").get(key) is record:
            del call.store("nodegroups")[key]

    call.later("nodegroup_delete", gone)
    return _shown(record)


def _updatable(call: Call) -> Record:
    record = _get(call)
    if record["status"] != "ACTIVE":
        raise in_use(f"Nodegroup cannot be updated as it is currently not in Active State, but {record['status']}")
    return record


def _update(call: Call, record: Record, kind: str, seconds: str, after: Record) -> Record:
    where = {"name": record["clusterName"], "nodegroupName": record["nodegroupName"]}

    def end() -> None:
        record.update(after, modifiedAt=now())
        _nodes(call, record)

    return start_update(call, record, where, kind, after, seconds, end)


def _taint_key(taint: Record) -> tuple[t.Any, ...]:
    return taint.get("key"), taint.get("effect")


@answers("eks", "UpdateNodegroupConfig")
def update_nodegroup_config(call: Call) -> Record:
    record, params = _updatable(call), call.params
    after: Record = {}
    if "scalingConfig" in params:
        after["scalingConfig"] = _check_scaling(record["scalingConfig"] | params["scalingConfig"])
    if "labels" in params:
        removed = params["labels"].get("removeLabels", [])
        kept = {key: value for key, value in record["labels"].items() if key not in removed}
        after["labels"] = kept | params["labels"].get("addOrUpdateLabels", {})
    if "taints" in params:
        changed = params["taints"].get("addOrUpdateTaints", [])
        away = {_taint_key(taint) for taint in params["taints"].get("removeTaints", []) + changed}
        after["taints"] = [taint for taint in record["taints"] if _taint_key(taint) not in away] + changed
    for name in ("updateConfig", "nodeRepairConfig"):
        if name in params:
            after[name] = params[name]
    if all(record.get(name) == value for name, value in after.items()):
        raise invalid("No changes needed for the node group config provided")
    return _update(call, record, "ConfigUpdate", "nodegroup_update", after)


@answers("eks", "UpdateNodegroupVersion")
def update_nodegroup_version(call: Call) -> Record:
    record, params = _updatable(call), call.params
    cluster = get_cluster(call, record["clusterName"])
    version = params.get("version", cluster["version"] if "launchTemplate" not in params else record["version"])
    if version > cluster["version"]:
        raise invalid(f"Requested Nodegroup version {version} is higher than the cluster's {cluster['version']}")
    after: Record = {"version": version, "releaseVersion": params.get("releaseVersion", _release(version))}
    if "launchTemplate" in params:
        if "launchTemplate" not in record:
            raise invalid("A node group that was made without a launch template cannot be given one")
        after["launchTemplate"], record["_groups"] = _launch_template(call, params["launchTemplate"])
        if after["launchTemplate"]["id"] != record["launchTemplate"]["id"]:
            raise invalid("The launch template of a node group cannot be replaced by another, only its version")
    return _update(call, record, "VersionUpdate", "nodegroup_update", after)
