# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small EKS whose add-ons take their time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.rayops.serve_ha.plugins.modules import eks_addon

from ..conftest import aws_error
from .fake_eks import TaggedEks

ARN = "arn:aws:eks:us-west-2:111122223333"


class Addons(TaggedEks):
    """C(steps) are what the next descriptions of an add-on show: a status, values to merge, or None for gone."""

    versions = (("v1.11.4-eksbuild.10", False), ("v1.11.4-eksbuild.2", True), ("v1.9.3-eksbuild.10", False))

    def __init__(self) -> None:
        super().__init__()
        self.cluster = True
        self.addons: dict[str, dict[str, Any]] = {}
        self.steps: dict[str, list[Any]] = {}
        self.roles: dict[str, tuple[str, str]] = {}
        self.update = {"id": "u-1", "status": "InProgress"}
        self.creation: list[Any] = ["CREATING", "CREATING", "ACTIVE"]

    def resources(self) -> Iterable[dict[str, Any]]:
        return self.addons.values()

    def _associate(self, addon: dict[str, Any], associations: list[dict[str, str]] | None) -> None:
        if associations is None:
            return
        name = addon["addonName"]
        ids = {f"a-{name}-{item['serviceAccount']}": (item["serviceAccount"], item["roleArn"]) for item in associations}
        self.roles |= ids
        addon["podIdentityAssociations"] = [f"{ARN}:podidentityassociation/mistral/{id_}" for id_ in ids]

    def add(self, name: str, **values: Any) -> dict[str, Any]:
        self.addons[name] = {
            "addonName": name,
            "clusterName": "mistral",
            "addonArn": f"{ARN}:addon/mistral/{name}/1",
            "addonVersion": "v1.11.4-eksbuild.2",
            "status": "ACTIVE",
            "health": {"issues": []},
            "tags": {},
        } | values
        return self.addons[name]

    def describe_addon(self, clusterName: str, addonName: str) -> dict[str, Any]:
        steps = self.steps.get(addonName)
        if steps and addonName in self.addons:
            step = steps.pop(0)
            if step is None:
                del self.addons[addonName]
            elif step != "unseen":
                self.addons[addonName] |= {"status": step} if isinstance(step, str) else step
            if step in (None, "unseen"):
                raise aws_error("ResourceNotFoundException")
        if addonName not in self.addons or not self.cluster:
            raise aws_error("ResourceNotFoundException")
        return {"addon": self.addons[addonName]}

    def create_addon(
        self,
        clusterName: str,
        addonName: str,
        clientRequestToken: str,
        podIdentityAssociations: Any = None,
        **more: Any,
    ) -> dict[str, Any]:
        if addonName in self.addons:
            raise aws_error("ResourceInUseException", "Addon already exists.")
        more.pop("resolveConflicts")
        addon = self.add(addonName, **more, status="CREATING")
        self._associate(addon, podIdentityAssociations)
        self.steps.setdefault(addonName, list(self.creation))
        return {"addon": addon}

    def update_addon(
        self,
        clusterName: str,
        addonName: str,
        clientRequestToken: str,
        podIdentityAssociations: Any = None,
        **more: Any,
    ) -> dict[str, Any]:
        addon = self.addons[addonName]
        more.pop("resolveConflicts")
        # As EKS does: without a role it falls back to the node's.
        addon.pop("serviceAccountRoleArn", None)
        addon |= more | {"status": "UPDATING", "health": {"issues": []}}
        self._associate(addon, podIdentityAssociations)
        self.steps.setdefault(addonName, []).extend(["UPDATING", "ACTIVE"] if not self.steps.get(addonName) else [])
        return {"update": self.update}

    def delete_addon(self, clusterName: str, addonName: str, preserve: bool) -> dict[str, Any]:
        self.addons[addonName]["status"] = "DELETING"
        self.steps.setdefault(addonName, []).extend(["DELETING", None] if not self.steps.get(addonName) else [])
        return {}

    def describe_update(self, name: str, updateId: str, addonName: str) -> dict[str, Any]:
        assert updateId == self.update["id"]
        return {"update": self.update}

    def describe_pod_identity_association(self, clusterName: str, associationId: str) -> dict[str, Any]:
        account, role = self.roles[associationId]
        return {"association": {"serviceAccount": account, "roleArn": role}}

    def describe_cluster(self, name: str) -> dict[str, Any]:
        if not self.cluster:
            raise aws_error("ResourceNotFoundException")
        return {"cluster": {"version": "1.34"}}

    def describe_addon_versions(self, addonName: str, kubernetesVersion: str) -> dict[str, Any]:
        known = [
            {
                "addonVersion": name,
                "compatibilities": [{"clusterVersion": kubernetesVersion, "defaultVersion": default}],
                "requiresIamPermissions": False,
            }
            for name, default in self.versions
        ]
        return {"addons": [{"addonName": addonName, "addonVersions": known}]}

    def list_addons(self, clusterName: str) -> dict[str, Any]:
        return {"addons": list(self.addons)}


def item(name: str = "coredns", **values: Any) -> dict[str, Any]:
    return {"addon_name": name} | values


def runner(run_aws_module: Callable[..., dict[str, Any]], eks: Addons) -> Callable[..., dict[str, Any]]:
    """run(addons, check=False, **other options) -> the result of eks_addon; C(addons) are names or items."""

    def run(addons: list[Any], check: bool = False, **params: Any) -> dict[str, Any]:
        items = [item(each) if isinstance(each, str) else each for each in addons]
        return run_aws_module(eks_addon, {"eks": eks}, {"cluster_name": "mistral", "addons": items} | params, check)

    return run
