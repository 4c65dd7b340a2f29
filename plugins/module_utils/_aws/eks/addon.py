# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add-ons of EKS: what is, what is wanted, the requests between the two. Pure.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import given
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import status_text, to_result
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen

#: AWS is at work; it refuses changes until it is done.
BUSY = ("CREATING", "UPDATING", "DELETING")
#: Nothing but deletion leads out of these.
DEAD = ("CREATE_FAILED", "DELETE_FAILED")
#: The one health issue that mends itself, see judge().
SHORT_OF_NODES = "InsufficientNumberOfReplicas"
#: Values of addon_version that are rules, not versions.
RULES = ("default", "latest")


def configuration(text: str | None) -> t.Any:
    """The configuration values as data. AWS takes YAML too: such text comes back as it is, so it equals no wanted data."""
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text


def values_of(addon: dict[str, t.Any], roles: dict[str, str]) -> dict[str, t.Any]:
    """The values of a description that can be wanted otherwise.

    Args:
        addon: C(addon) of DescribeAddon.
        roles: Role ARN by service account of its pod identity associations.
    """
    return {
        "addon_version": addon.get("addonVersion"),
        "configuration_values": configuration(addon.get("configurationValues")),
        "service_account_role_arn": addon.get("serviceAccountRoleArn", ""),
        "pod_identity_associations": roles,
    }


def wanted_values(option: dict[str, t.Any], version: str | None) -> dict[str, t.Any]:
    """What an item of the option C(addons) asks for, in the shape of values_of(); None lets a value be."""
    associations = option["pod_identity_associations"]
    return {
        "addon_version": version,
        "configuration_values": option["configuration_values"],
        "service_account_role_arn": option["service_account_role_arn"],
        "pod_identity_associations": None
        if associations is None
        else {item["service_account"]: item["role_arn"] for item in associations},
    }


def request(values: dict[str, t.Any], resolve_conflicts: str) -> dict[str, t.Any]:
    """Parameters of CreateAddon or UpdateAddon for these values, in the shape of values_of(); what is not in it is let be."""
    associations = values.get("pod_identity_associations")
    configured = values.get("configuration_values")
    return given(
        {
            "addonVersion": values.get("addon_version"),
            "configurationValues": None if configured is None else json.dumps(configured, sort_keys=True),
            # EKS takes no empty ARN: none is what an add-on without role has.
            "serviceAccountRoleArn": values.get("service_account_role_arn") or None,
            "podIdentityAssociations": None
            if associations is None
            else [{"serviceAccount": account, "roleArn": role} for account, role in associations.items()],
            "resolveConflicts": resolve_conflicts,
        }
    )


def update_values(current: dict[str, t.Any], changed: dict[str, t.Any]) -> dict[str, t.Any]:
    """The values of an update.

    UpdateAddon lets be what it is not given, but for the role of the service account: without one EKS falls back to the
    node's role. So that role goes with every update.
    """
    return {"service_account_role_arn": current["service_account_role_arn"]} | changed


def judge(addon: dict[str, t.Any]) -> Seen:
    """What the status of an add-on means for the wait.

    DEGRADED is a failure, but for one case: the pods of some add-ons (coredns, the EBS driver) need nodes, and until there
    are any EKS reports the add-on as DEGRADED for want of replicas. It becomes ACTIVE by itself as soon as nodes have
    joined, so that is waited for as long as the user allows.
    """
    status, text = addon["status"], status_text(addon)
    if status == "ACTIVE":
        return Seen("ready", text, addon)
    codes = {issue.get("code") for issue in addon.get("health", {}).get("issues", [])}
    if status in BUSY or (status == "DEGRADED" and codes == {SHORT_OF_NODES}):
        return Seen("", text, addon)
    if status in DEAD:
        text += " (delete it with state absent, then run this again)"
    return Seen("failed", text, addon)


def version_key(version: str) -> list[int]:
    """Key to sort versions such as C(v1.11.4-eksbuild.2) by."""
    return [int(number) for number in re.findall(r"\d+", version)]


def offers(addons: list[dict[str, t.Any]], kubernetes_version: str) -> list[dict[str, t.Any]]:
    """The versions for that Kubernetes in C(addons) of DescribeAddonVersions, newest first.

    Returns:
        A list of {version, default, requires_configuration, requires_iam_permissions}.
    """
    found = []
    for addon in addons:
        for version in addon.get("addonVersions", []):
            fitting = [
                item for item in version.get("compatibilities", []) if item.get("clusterVersion") == kubernetes_version
            ]
            if fitting:
                found.append(
                    {
                        "addon_version": version["addonVersion"],
                        "default": any(item.get("defaultVersion") for item in fitting),
                        "requires_configuration": version.get("requiresConfiguration", False),
                        "requires_iam_permissions": version.get("requiresIamPermissions", False),
                    }
                )
    return sorted(found, key=lambda offer: version_key(offer["addon_version"]), reverse=True)


def choose(rule: str, name: str, kubernetes_version: str, offered: list[dict[str, t.Any]]) -> str:
    """The version that C(default) or C(latest) stands for, of what offers() returned.

    Raises:
        AnsibleAWSError: AWS offers none.
    """
    fitting = [offer["addon_version"] for offer in offered if rule == "latest" or offer["default"]]
    if not fitting:
        raise AnsibleAWSError(message=f"AWS has no {rule} version of add-on {name} for Kubernetes {kubernetes_version}")
    return fitting[0]


def addon_result(addon: dict[str, t.Any]) -> dict[str, t.Any]:
    """An add-on as the modules return it: configuration values as data, in the words of its own chart."""
    plain = {key: value for key, value in addon.items() if key != "configurationValues"}
    return to_result(plain) | {"configuration_values": configuration(addon.get("configurationValues"))}
