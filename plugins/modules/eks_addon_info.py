#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eks_addon_info
short_description: Describe add-ons of an EKS cluster, and the versions to be had
version_added: 0.1.0
description:
  - Describes the managed add-ons of an EKS cluster, all or those that are named.
  - On demand, lists the versions that AWS has of them for the cluster's version of Kubernetes.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.info_module
  - rayops.serve_ha.attributes.action_group_aws
options:
  cluster_name:
    description: Name of the cluster.
    type: str
    required: true
  addon_names:
    description:
      - Names of add-ons. If this is not given, all of the cluster's.
    type: list
    elements: str
  available_versions:
    description: Whether to list versions too, also of add-ons in O(addon_names) that the cluster does not have.
    type: bool
    default: false
  kubernetes_version:
    description:
      - The version of Kubernetes that they shall fit, such as the one that the cluster is to be updated to.
      - If this is not given, the cluster's own.
    type: str
seealso:
  - module: rayops.serve_ha.eks_addon
"""

EXAMPLES = r"""
- name: Describe all add-ons
  rayops.serve_ha.eks_addon_info:
    cluster_name: mistral

- name: List the versions of one for the next Kubernetes
  rayops.serve_ha.eks_addon_info:
    cluster_name: mistral
    addon_names: [vpc-cni]
    available_versions: true
    kubernetes_version: "1.35"
"""

RETURN = r"""
addons:
  description:
    - The add-ons as M(rayops.serve_ha.eks_addon) returns them, sorted by name. Empty if the cluster has none, or does not exist.
  returned: success
  type: list
  elements: dict
  sample:
    - addon_name: coredns
      addon_version: v1.11.4-eksbuild.2
      configuration_values: {}
      status: ACTIVE
      health: {issues: []}
      tags: {rayops.serve_ha/deployment: mistral}
available_versions:
  description:
    - The versions that AWS has of each add-on, newest first. Empty for a name that AWS does not know.
  returned: with O(available_versions=true)
  type: dict
  sample:
    coredns:
      - addon_version: v1.11.4-eksbuild.2
        default: true
        requires_configuration: false
        requires_iam_permissions: false
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.addon import addon_result
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.addon_api import AddonApi
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client


def argument_spec() -> dict[str, t.Any]:
    return {
        "cluster_name": {"type": "str", "required": True},
        "addon_names": {"type": "list", "elements": "str"},
        "available_versions": {"type": "bool", "default": False},
        "kubernetes_version": {"type": "str"},
    }


def read(module: AnsibleAWSModule) -> dict[str, t.Any]:
    params = module.params
    api = AddonApi(make_client(module, "eks"), params["cluster_name"])
    names = params["addon_names"]
    names = sorted(set(api.names() if names is None else names))
    described = [addon for addon in map(api.describe, names) if addon]
    result: dict[str, t.Any] = {"changed": False, "addons": [addon_result(addon) for addon in described]}
    if params["available_versions"]:
        version = params["kubernetes_version"] or api.kubernetes_version()
        if not version:
            raise AnsibleAWSError(
                message=f"There is no EKS cluster {params['cluster_name']}, so say for which kubernetes_version"
            )
        result["available_versions"] = {name: api.offers(name, version) for name in names}
    return result


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, lambda: read(module))


if __name__ == "__main__":
    main()
