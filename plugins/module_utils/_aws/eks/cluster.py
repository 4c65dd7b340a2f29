# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is special to an EKS cluster: its options, which of them can change, and by which updates. Pure.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict, snake_dict_to_camel_dict
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import minor_version, refusal
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.lifecycle import Kind, Options, Step, tidy

#: The module's options that describe the cluster, tags aside. The last one counts at creation only: AWS does not tell it.
OPTIONS = (
    "name",
    "version",
    "role_arn",
    "resources_vpc_config",
    "kubernetes_network_config",
    "cluster_logging",
    "encryption_config",
    "access_config",
    "upgrade_policy",
    "zonal_shift_config",
    "deletion_protection",
    "bootstrap_self_managed_addons",
)
#: Those that hold others.
NESTED = (
    "resources_vpc_config",
    "kubernetes_network_config",
    "access_config",
    "upgrade_policy",
    "zonal_shift_config",
)
VPC_LISTS = ("subnet_ids", "security_group_ids", "public_access_cidrs")
ENDPOINT = ("endpoint_public_access", "endpoint_private_access", "public_access_cidrs")
#: AWS goes this way only, one step at a time.
AUTHENTICATION_MODES = ("CONFIG_MAP", "API_AND_CONFIG_MAP", "API")
NEW_CLUSTER = "that needs a new cluster"


def _in_order(options: Options) -> Options:
    """With all lists sorted whose order means nothing, so that they can be compared."""
    vpc = options.get("resources_vpc_config", {})
    vpc |= {name: sorted(vpc[name]) for name in VPC_LISTS if name in vpc}
    if "cluster_logging" in options:
        options["cluster_logging"] = sorted(options["cluster_logging"])
    for encryption in options.get("encryption_config", []):
        encryption["resources"] = sorted(encryption.get("resources", []))
    return options


def desired(params: dict[str, t.Any]) -> Options:
    """What the user gave, of OPTIONS."""
    return _in_order(tidy({name: params[name] for name in OPTIONS}))


def view(cluster: dict[str, t.Any]) -> Options:
    """The options of a cluster as C(describe_cluster) gives it, and its tags.

    Without those that AWS does not tell (C(bootstrap...)) and those that are not the module's business.
    """
    vpc, network = cluster.get("resourcesVpcConfig", {}), cluster.get("kubernetesNetworkConfig", {})
    loggings = cluster.get("logging", {}).get("clusterLogging", [])
    known = {
        "name": cluster["name"],
        "version": cluster.get("version"),
        "roleArn": cluster.get("roleArn"),
        "resourcesVpcConfig": {
            "subnetIds": vpc.get("subnetIds", []),
            "securityGroupIds": vpc.get("securityGroupIds", []),
            "endpointPublicAccess": vpc.get("endpointPublicAccess"),
            "endpointPrivateAccess": vpc.get("endpointPrivateAccess"),
            "publicAccessCidrs": vpc.get("publicAccessCidrs", []),
        },
        "kubernetesNetworkConfig": {name: network.get(name) for name in ("serviceIpv4Cidr", "ipFamily")},
        "encryptionConfig": [
            {"resources": one.get("resources", []), "provider": {"keyArn": one.get("provider", {}).get("keyArn")}}
            for one in cluster.get("encryptionConfig", [])
        ],
        "accessConfig": {"authenticationMode": cluster.get("accessConfig", {}).get("authenticationMode")},
        "upgradePolicy": {"supportType": cluster.get("upgradePolicy", {}).get("supportType")},
        "zonalShiftConfig": {"enabled": cluster.get("zonalShiftConfig", {}).get("enabled", False)},
        "deletionProtection": cluster.get("deletionProtection", False),
    }
    enabled = [kind for one in loggings if one.get("enabled") for kind in one.get("types", [])]
    rest = {"cluster_logging": enabled, "tags": cluster.get("tags", {})}
    return _in_order(camel_dict_to_snake_dict(known) | rest)


def merge(now: Options, wanted: Options) -> Options:
    """What the options shall be; what was not given stays, and what counts at creation only is left out."""
    then = {}
    for name, current in now.items():
        new = wanted.get(name, current)
        then[name] = {inner: new.get(inner, current[inner]) for inner in current} if name in NESTED else new
    vpc = then["resources_vpc_config"]
    if vpc["endpoint_public_access"] is False:
        # Without a public endpoint nobody may come in from anywhere, and AWS forgets the list.
        vpc["public_access_cidrs"] = now["resources_vpc_config"]["public_access_cidrs"]
    return then


def creation(wanted: Options) -> dict[str, t.Any]:
    """The parameters of C(create_cluster)."""
    request = snake_dict_to_camel_dict({name: value for name, value in wanted.items() if name != "cluster_logging"})
    if wanted.get("cluster_logging"):
        request["logging"] = {"clusterLogging": [{"types": wanted["cluster_logging"], "enabled": True}]}
    return request


def _check_immutable(label: str, now: Options, then: Options) -> None:
    def compare(option: str, current: t.Any, wanted: t.Any) -> None:
        if current != wanted:
            raise refusal(label, option, current, wanted, NEW_CLUSTER)

    compare("role_arn", now["role_arn"], then["role_arn"])
    for name, current in now["kubernetes_network_config"].items():
        compare(f"kubernetes_network_config.{name}", current, then["kubernetes_network_config"][name])
    if now["encryption_config"]:
        compare("encryption_config", now["encryption_config"], then["encryption_config"])


def logging_change(now: list[str], then: list[str]) -> dict[str, t.Any]:
    """The C(logging) of an update from one list of enabled types to another."""
    on, off = sorted(set(then) - set(now)), sorted(set(now) - set(then))
    changes = [{"types": kinds, "enabled": enabled} for kinds, enabled in ((on, True), (off, False)) if kinds]
    return {"clusterLogging": changes}


def modes_between(label: str, now: str | None, then: str | None) -> list[str]:
    """The authentication modes to set one after another."""
    if now == then:
        return []
    if now not in AUTHENTICATION_MODES or then not in AUTHENTICATION_MODES:
        # A mode of tomorrow: AWS knows whether it can be reached.
        return [str(then)]
    start, end = AUTHENTICATION_MODES.index(now), AUTHENTICATION_MODES.index(then)
    if end < start:
        option = "access_config.authentication_mode"
        raise refusal(label, option, now, then, "AWS does not go back from access entries to the ConfigMap")
    return list(AUTHENTICATION_MODES[start + 1 : end + 1])


def versions_between(label: str, now: str | None, then: str | None) -> list[str]:
    """The Kubernetes versions to upgrade to one after another: AWS upgrades by one minor version."""
    if now == then:
        return []
    (major, start), (new_major, end) = minor_version(now), minor_version(then)
    if (new_major, end) < (major, start) or new_major != major:
        raise refusal(label, "version", now, then, "a cluster is only ever upgraded, by minor versions")
    return [f"{major}.{minor}" for minor in range(start + 1, end + 1)]


def plan(label: str, now: Options, then: Options) -> list[Step]:
    """The updates that lead from one to the other. AWS takes one kind of change at a time.

    Raises:
        AnsibleAWSError: there is none; says which option, and what to do.
    """
    _check_immutable(label, now, then)
    name = now["name"]
    vpc, new_vpc = now["resources_vpc_config"], then["resources_vpc_config"]

    def config(what: str, **request: t.Any) -> Step:
        return Step(what, "update_cluster_config", {"name": name, **request})

    steps = []
    if now["deletion_protection"] != then["deletion_protection"]:
        steps.append(config("deletion protection", deletionProtection=then["deletion_protection"]))
    if now["encryption_config"] != then["encryption_config"]:
        encryption = snake_dict_to_camel_dict(then["encryption_config"])
        request = {"clusterName": name, "encryptionConfig": encryption}
        steps.append(Step("encryption", "associate_encryption_config", request))
    if now["cluster_logging"] != then["cluster_logging"]:
        steps.append(config("logging", logging=logging_change(now["cluster_logging"], then["cluster_logging"])))
    if any(vpc[option] != new_vpc[option] for option in ENDPOINT):
        # All of it, or AWS takes its own defaults for the rest; but no list of sources for what is closed.
        shown = [option for option in ENDPOINT if new_vpc[option] is not None]
        if new_vpc["endpoint_public_access"] is False:
            shown.remove("public_access_cidrs")
        endpoint = snake_dict_to_camel_dict({option: new_vpc[option] for option in shown})
        steps.append(config("endpoint access", resourcesVpcConfig=endpoint))
    if vpc["subnet_ids"] != new_vpc["subnet_ids"]:
        steps.append(config("subnets", resourcesVpcConfig={"subnetIds": new_vpc["subnet_ids"]}))
    if vpc["security_group_ids"] != new_vpc["security_group_ids"]:
        groups = {"securityGroupIds": new_vpc["security_group_ids"]}
        steps.append(config("security groups", resourcesVpcConfig=groups))
    mode, new_mode = (options["access_config"]["authentication_mode"] for options in (now, then))
    for next_mode in modes_between(label, mode, new_mode):
        steps.append(config(f"authentication mode ({next_mode})", accessConfig={"authenticationMode": next_mode}))
    if now["upgrade_policy"] != then["upgrade_policy"]:
        steps.append(config("upgrade policy", upgradePolicy=snake_dict_to_camel_dict(then["upgrade_policy"])))
    if now["zonal_shift_config"] != then["zonal_shift_config"]:
        steps.append(config("zonal shift", zonalShiftConfig=then["zonal_shift_config"]))
    for version in versions_between(label, now["version"], then["version"]):
        steps.append(Step(f"version ({version})", "update_cluster_version", {"name": name, "version": version}))
    return steps


CLUSTER = Kind(
    key="cluster",
    arn="arn",
    failed=("FAILED",),
    required=("role_arn", "resources_vpc_config.subnet_ids"),
    view=view,
    desired=desired,
    merge=merge,
    plan=plan,
    creation=creation,
)
