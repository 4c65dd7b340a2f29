# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS clusters."""

from __future__ import annotations

import base64
import typing as t
import uuid
from pathlib import Path

from emulator.ec2.interfaces import delete_interfaces, make_interface
from emulator.eks import access, security_group
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
    start_update,
)
from emulator.wire import AwsError
from emulator.world import Call, World, answers

LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def certificate_authority(config: Record) -> str:
    """Base64 of the CA behind every cluster; empty if the configuration has none."""
    path = config["eks"]["certificate_authority_file"]
    if path and Path(path).is_file():
        return base64.b64encode(Path(path).read_bytes()).decode()
    return config["eks"]["certificate_authority"]


def shown(world: World, record: Record) -> Record:
    """A cluster as DescribeCluster shows it now."""
    cluster = public(record)
    vpc = dict(cluster["resourcesVpcConfig"])
    if record["_made"]:
        endpoint = world.config["eks"]["endpoint"]
        cluster["endpoint"] = endpoint or f"https://{record['_id']}.gr7.{record['_region']}.eks.amazonaws.com"
        cluster["certificateAuthority"] = {"data": certificate_authority(world.config)}
        issuer = f"https://oidc.eks.{record['_region']}.amazonaws.com/id/{record['_id']}"
        cluster["identity"] = {"oidc": {"issuer": issuer}}
    else:
        cluster["certificateAuthority"] = {}
        vpc.pop("clusterSecurityGroupId", None)
    return cluster | {"resourcesVpcConfig": vpc}


def logging_of(enabled: list[str]) -> Record:
    """The C(logging) member for these enabled types."""
    off = [name for name in LOG_TYPES if name not in enabled]
    setups = [{"types": sorted(names), "enabled": on} for names, on in ((enabled, True), (off, False)) if names]
    return {"clusterLogging": setups}


def enabled_logs(logging: Record, before: list[str]) -> list[str]:
    """The enabled types after a request's C(logging)."""
    enabled = set(before)
    for setup in logging.get("clusterLogging", []):
        types = set(setup.get("types", []))
        enabled = enabled | types if setup.get("enabled") else enabled - types
    return sorted(enabled)


def _vpc_of(call: Call, config: Record) -> str:
    """The VPC of the subnets, which have to lie in one VPC and two zones."""
    answer = call.found("ec2", "describe_subnets", SubnetIds=config.get("subnetIds", []))
    if not config.get("subnetIds") or answer is None:
        raise invalid(f"The subnet ID '{', '.join(config.get('subnetIds', []))}' does not exist")
    subnets = answer["Subnets"]
    if len({subnet["VpcId"] for subnet in subnets}) != 1:
        raise invalid("Subnets specified must be in the same VPC")
    if len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:
        raise invalid("Subnets specified must be in at least two different AZs")
    groups = config.get("securityGroupIds", [])
    if groups and call.found("ec2", "describe_security_groups", GroupIds=groups) is None:
        raise invalid(f"The security group '{', '.join(groups)}' does not exist")
    return subnets[0]["VpcId"]


def _check_version(call: Call, version: str) -> None:
    if version not in call.world.config["eks"]["versions"]:
        raise invalid(f"unsupported Kubernetes version {version}")


@answers("eks", "CreateCluster")
def create_cluster(call: Call) -> Record:
    params = call.params
    name = params["name"]
    if name in call.store("clusters"):
        raise in_use(f"Cluster already exists with name: {name}")
    version = params.get("version", call.world.config["eks"]["default_version"])
    _check_version(call, version)
    if not role_trusts(call, params["roleArn"], "eks.amazonaws.com"):
        raise invalid(
            f"Role with arn: {params['roleArn']}, could not be assumed because it does not exist or the trusted entity is"
            " not correct"
        )
    given = params["resourcesVpcConfig"]
    vpc_id = _vpc_of(call, given)
    for encrypted in params.get("encryptionConfig", []):
        if call.found("kms", "describe_key", KeyId=encrypted["provider"]["keyArn"]) is None:
            raise invalid(f"Invalid keyArn: {encrypted['provider']['keyArn']}")
    tags = params.get("tags", {})
    group = security_group.make(call, name, vpc_id, tags)
    groups = [group, *given.get("securityGroupIds", [])]
    mode = params.get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP")
    record = {
        "name": name,
        "arn": f"arn:aws:eks:{call.region}:{call.account}:cluster/{name}",
        "createdAt": now(),
        "version": version,
        "roleArn": params["roleArn"],
        "resourcesVpcConfig": {
            "subnetIds": given["subnetIds"],
            "securityGroupIds": given.get("securityGroupIds", []),
            "clusterSecurityGroupId": group,
            "vpcId": vpc_id,
            "endpointPublicAccess": given.get("endpointPublicAccess", True),
            "endpointPrivateAccess": given.get("endpointPrivateAccess", False),
            "publicAccessCidrs": given.get("publicAccessCidrs", ["0.0.0.0/0"]),
        },
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": params.get("kubernetesNetworkConfig", {}).get("serviceIpv4Cidr", "172.20.0.0/16"),
            "ipFamily": params.get("kubernetesNetworkConfig", {}).get("ipFamily", "ipv4"),
        },
        "logging": logging_of(enabled_logs(params.get("logging", {}), [])),
        "status": "CREATING",
        "platformVersion": "eks.1",
        "tags": dict(tags),
        "encryptionConfig": params.get("encryptionConfig", []),
        "health": {"issues": []},
        "accessConfig": {"authenticationMode": mode},
        "upgradePolicy": {"supportType": params.get("upgradePolicy", {}).get("supportType", "EXTENDED")},
        "deletionProtection": params.get("deletionProtection", False),
        "zonalShiftConfig": params.get("zonalShiftConfig", {"enabled": False}),
        "_made": False,
        "_id": uuid.uuid4().hex.upper(),
        "_region": call.region,
        "_interfaces": [
            make_interface(call, subnet, groups, f"Amazon EKS {name}") for subnet in given["subnetIds"][:2]
        ],
    }
    call.store("clusters")[name] = record
    if params.get("accessConfig", {}).get("bootstrapClusterCreatorAdminPermissions", True):
        access.admit_creator(call, name)
    failure = call.doom("eks:cluster")
    call.later("cluster_create", lambda: _created(record, failure))
    return {"cluster": shown(call.world, record)}


def _created(record: Record, failure: tuple[str, str] | None) -> None:
    if record["status"] != "CREATING":
        return
    if failure:
        code, message = failure
        record["status"] = "FAILED"
        record["health"] = {"issues": [{"code": code, "message": message, "resourceIds": [record["name"]]}]}
        return
    record["status"] = "ACTIVE"
    record["_made"] = True


@answers("eks", "DescribeCluster")
def describe_cluster(call: Call) -> Record:
    return {"cluster": shown(call.world, get_cluster(call, call.params["name"]))}


@answers("eks", "ListClusters")
def list_clusters(call: Call) -> Record:
    names, token = page(call, sorted(call.store("clusters")))
    return {"clusters": names, "nextToken": token}


@answers("eks", "DescribeClusterVersions")
def describe_cluster_versions(call: Call) -> Record:
    config = call.world.config["eks"]
    wanted = call.params.get("clusterVersions") or config["versions"]
    if call.params.get("defaultOnly"):
        wanted = [config["default_version"]]
    newest, retired = config["versions"][-3:], config["retired_versions"]
    if call.params.get("includeAll"):
        wanted = [*retired, *wanted]
    versions = []
    for version in reversed([*retired, *config["versions"]]):
        state = "STANDARD_SUPPORT" if version in newest else "UNSUPPORTED" if version in retired else "EXTENDED_SUPPORT"
        described = {
            "clusterVersion": version,
            "clusterType": "eks",
            "defaultVersion": version == config["default_version"],
            "status": state.lower().replace("_", "-"),
            "versionStatus": state,
        }
        versions += [described] if version in wanted else []
    return {"clusterVersions": versions}


@answers("eks", "DeleteCluster")
def delete_cluster(call: Call) -> Record:
    name = call.params["name"]
    record = get_cluster(call, name)
    if of_cluster(call, "nodegroups", name):
        raise in_use("Cluster has nodegroups attached")
    if record["status"] in ("CREATING", "UPDATING", "DELETING"):
        raise in_use(f"Cannot delete because cluster {name} currently has an operation in progress: {record['status']}")
    if record["deletionProtection"]:
        raise AwsError("InvalidRequestException", f"Cluster {name} has deletion protection enabled")
    record["status"] = "DELETING"
    call.later("cluster_delete", lambda: _deleted(call, record))
    return {"cluster": shown(call.world, record)}


def _deleted(call: Call, record: Record) -> None:
    name = record["name"]
    if call.store("clusters").get(name) is not record:
        return
    delete_interfaces(call, record["_interfaces"])
    security_group.delete(call, record["resourcesVpcConfig"]["clusterSecurityGroupId"])
    for store in ("addons", "access_entries", "pod_identities"):
        for key in of_cluster(call, store, name):
            del call.store(store)[key]
    del call.store("clusters")[name]


@answers("eks", "UpdateClusterVersion")
def update_cluster_version(call: Call) -> Record:
    record = _updatable(call)
    wanted = call.params["version"]
    _check_version(call, wanted)
    minor = int(wanted.partition(".")[2]) - int(record["version"].partition(".")[2])
    if minor == 0:
        raise invalid(f"Cluster is already at version {wanted}")
    if minor != 1:
        raise invalid(f"Unsupported Kubernetes minor version update from {record['version']} to {wanted}")
    params = {"Version": wanted, "PlatformVersion": "eks.1"}
    return start_update(
        call, record, {"name": record["name"]}, "VersionUpdate", params, "cluster_upgrade",
        lambda: record.update(version=wanted),
    )  # fmt: skip


def _updatable(call: Call) -> Record:
    record = get_cluster(call, call.params["name"])
    if record["status"] != "ACTIVE":
        raise in_use(f"Cannot update because cluster {record['name']} is {record['status']}")
    return record


@answers("eks", "UpdateClusterConfig")
def update_cluster_config(call: Call) -> Record:
    """One kind of change a call, as AWS has it; one that changes nothing is refused."""
    record = _updatable(call)
    given = {name: value for name, value in call.params.items() if name not in ("name", "clientRequestToken")}
    if len(given) != 1:
        raise invalid("Exactly one type of update is allowed per call")
    member, value = next(iter(given.items()))
    if member not in CHANGES:
        raise AwsError("EmulatorLacks", f"UpdateClusterConfig of {member}", 501)
    kind, after = CHANGES[member](record, value)
    if all(record.get(name) == changed for name, changed in after.items()):
        raise invalid(f"No changes needed for the {member} config provided")
    return start_update(
        call, record, {"name": record["name"]}, kind, {member: value}, "cluster_update",
        lambda: record.update(after),
    )  # fmt: skip


def _vpc_change(record: Record, value: Record) -> tuple[str, Record]:
    endpoint = {"endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"}
    if value.keys() & endpoint and value.keys() - endpoint:
        raise invalid("Endpoint access and subnets or security groups cannot be updated in one call")
    kind = "EndpointAccessUpdate" if value.keys() & endpoint else "VpcConfigUpdate"
    return kind, {"resourcesVpcConfig": record["resourcesVpcConfig"] | value}


def _logging_change(record: Record, value: Record) -> tuple[str, Record]:
    before = enabled_logs(record["logging"], [])
    return "LoggingUpdate", {"logging": logging_of(enabled_logs(value, before))}


def _access_change(record: Record, value: Record) -> tuple[str, Record]:
    order = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]
    now_at, wanted = record["accessConfig"]["authenticationMode"], value["authenticationMode"]
    if order.index(wanted) < order.index(now_at):
        raise invalid(f"Unsupported authentication mode update from {now_at} to {wanted}")
    return "AccessConfigUpdate", {"accessConfig": {"authenticationMode": wanted}}


CHANGES: dict[str, t.Callable[[Record, t.Any], tuple[str, Record]]] = {
    "resourcesVpcConfig": _vpc_change,
    "logging": _logging_change,
    "accessConfig": _access_change,
    "upgradePolicy": lambda record, value: ("UpgradePolicyUpdate", {"upgradePolicy": value}),
    "zonalShiftConfig": lambda record, value: ("ZonalShiftConfigUpdate", {"zonalShiftConfig": value}),
    "deletionProtection": lambda record, value: ("DeletionProtectionUpdate", {"deletionProtection": value}),
}


@answers("eks", "AssociateEncryptionConfig")
def associate_encryption_config(call: Call) -> Record:
    record = get_cluster(call, call.params["clusterName"])
    if record["encryptionConfig"]:
        raise invalid("The cluster already has an encryption configuration")
    after = call.params["encryptionConfig"]
    return start_update(
        call, record, {"name": record["name"]}, "AssociateEncryptionConfig", {"EncryptionConfig": after},
        "cluster_update", lambda: record.update(encryptionConfig=after),
    )  # fmt: skip


def find_by_arn(call: Call, arn: str) -> Record:
    """Any taggable record of EKS by its ARN."""
    for store, key in (
        ("clusters", "arn"),
        ("nodegroups", "nodegroupArn"),
        ("addons", "addonArn"),
        ("access_entries", "accessEntryArn"),
        ("pod_identities", "associationArn"),
    ):
        for record in call.store(store).values():
            if record[key] == arn:
                return record
    raise not_found(f"Resource not found: {arn}")
