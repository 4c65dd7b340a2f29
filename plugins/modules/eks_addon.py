#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eks_addon
short_description: Manage add-ons of an EKS cluster
version_added: 0.1.0
description:
  - Creates, updates and deletes the managed add-ons of an EKS cluster. All add-ons of a task are started side by side and waited
    for together, so that a task takes as long as its slowest add-on.
  - Add-ons that are not listed are let be.
  - The wait ends at once when an add-on is in state C(CREATE_FAILED), C(UPDATE_FAILED), C(DELETE_FAILED) or C(DEGRADED), with the
    health issues that AWS reports. But an add-on that is C(DEGRADED) only because its replicas do not run is waited for, as that is
    what AWS says of add-ons such as V(coredns) until there are nodes.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.full
  - rayops.serve_ha.attributes.action_group_aws
  - rayops.serve_ha.attributes.progress
  - rayops.serve_ha.aws_wait
attributes:
  check_mode:
    details:
      - Does not wait. What is under way is compared as AWS describes it now.
options:
  cluster_name:
    description: Name of the cluster.
    type: str
    required: true
  addons:
    description: The add-ons. O(tags) and O(purge_tags) are for all of them.
    type: list
    elements: dict
    required: true
    suboptions:
      addon_name:
        description: Name of the add-on, such as V(coredns) or V(aws-ebs-csi-driver).
        type: str
        required: true
      addon_version:
        description:
          - A version such as V(v1.11.4-eksbuild.2), or one of two rules.
          - V(default) follows AWS' default, and V(latest) the newest version, for the cluster's version of Kubernetes. Each run looks
            it up, and updates the add-on when it has changed.
          - If this is not given, or empty, a new add-on gets AWS' default and an existing one keeps its version.
        type: str
      configuration_values:
        description:
          - The add-on's own settings. They are compared as data, and replace those that are there.
          - V({}) removes all. If this is not given, those of an existing add-on are let be.
        type: dict
      resolve_conflicts:
        description:
          - What to do with settings in the cluster that differ from the add-on's. With V(OVERWRITE) the add-on's win, with
            V(PRESERVE) those in the cluster are kept in an update, with V(NONE) the creation or update may fail.
        type: str
        choices: [NONE, OVERWRITE, PRESERVE]
        default: OVERWRITE
      service_account_role_arn:
        description:
          - ARN of the IAM role of the add-on's service account, for clusters with an OIDC provider. Empty for none.
          - If this is not given, that of an existing add-on is let be.
        type: str
      pod_identity_associations:
        description:
          - The IAM roles of the add-on's service accounts by EKS Pod Identity. They replace those that the add-on has.
          - V([]) removes all. If this is not given, those of an existing add-on are let be.
        type: list
        elements: dict
        suboptions:
          service_account:
            description: Name of the service account.
            type: str
            required: true
          role_arn:
            description: ARN of its IAM role.
            type: str
            required: true
      preserve:
        description: With O(state=absent), whether what the add-on runs in the cluster stays there.
        type: bool
        default: false
  kubernetes_version:
    description:
      - The cluster's version of Kubernetes, for the rules V(default) and V(latest) of O(addons[].addon_version).
      - If this is not given, the cluster is asked.
    type: str
  state:
    description: Whether the add-ons shall be there.
    type: str
    choices: [present, absent]
    default: present
  wait_timeout:
    description: Longest time to wait for all add-ons together, in seconds.
    type: int
    default: 900
notes:
  - An add-on in state C(CREATE_FAILED) or C(DELETE_FAILED) has to be deleted, by O(state=absent), before it can be created again. One in
    state C(UPDATE_FAILED) is updated again.
  - An unchanged add-on costs one call of the API, one more for each of its O(addons[].pod_identity_associations), and one more for a rule
    in O(addons[].addon_version).
seealso:
  - module: rayops.serve_ha.eks_addon_info
  - module: rayops.serve_ha.eks_pod_identity_association
"""

EXAMPLES = r"""
- name: Install add-ons, side by side
  rayops.serve_ha.eks_addon:
    cluster_name: mistral
    addons:
      - addon_name: eks-pod-identity-agent
      - addon_name: kube-proxy
        addon_version: default
      - addon_name: vpc-cni
        addon_version: latest
        configuration_values:
          env:
            ENABLE_PREFIX_DELEGATION: "true"
      - addon_name: aws-ebs-csi-driver
        pod_identity_associations:
          - service_account: ebs-csi-controller-sa
            role_arn: arn:aws:iam::111122223333:role/mistral-ebs-csi
    tags:
      rayops.serve_ha/deployment: mistral

- name: Remove an add-on, but not what it runs
  rayops.serve_ha.eks_addon:
    cluster_name: mistral
    addons:
      - addon_name: coredns
        preserve: true
    state: absent
"""

RETURN = r"""
addons:
  description:
    - The add-ons, in the order of O(addons), with the names of AWS' API in snake_case. Empty if they were removed.
    - One that check mode would create has only what is known of it.
  returned: success
  type: list
  elements: dict
  contains:
    addon_arn:
      description: ARN of the add-on.
      type: str
      returned: if it exists
      sample: arn:aws:eks:us-west-2:111122223333:addon/mistral/coredns/64c7a1b2-0000-0000-0000-000000000000
    addon_name:
      description: Its name.
      type: str
      returned: always
      sample: coredns
    addon_version:
      description: Its version.
      type: str
      returned: if it exists
      sample: v1.11.4-eksbuild.2
    configuration_values:
      description: Its settings; as text if they are YAML.
      type: raw
      returned: if it exists
      sample: {replicaCount: 2}
    health:
      description: What AWS has found wrong with it, under C(issues).
      type: dict
      returned: if it exists
      sample: {issues: []}
    pod_identity_associations:
      description: ARNs of its pod identity associations.
      type: list
      elements: str
      returned: if it has any
      sample: ["arn:aws:eks:us-west-2:111122223333:podidentityassociation/mistral/a-abcdefghijklmnop1"]
    service_account_role_arn:
      description: ARN of the IAM role of its service account.
      type: str
      returned: if it has one
      sample: arn:aws:iam::111122223333:role/mistral-ebs-csi
    status:
      description: Its status.
      type: str
      returned: if it exists
      sample: ACTIVE
    tags:
      description: Its tags.
      type: dict
      returned: if it exists
      sample: {rayops.serve_ha/deployment: mistral}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import make_diffs, refuse_repeated
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.addon import addon_result
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.addon_api import AddonApi
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.addon_run import (
    Absent,
    Present,
    Settings,
    settle,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, resource_options
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def argument_spec() -> dict[str, t.Any]:
    association = {
        "service_account": {"type": "str", "required": True},
        "role_arn": {"type": "str", "required": True},
    }
    addon = {
        "addon_name": {"type": "str", "required": True},
        "addon_version": {"type": "str"},
        "configuration_values": {"type": "dict"},
        "resolve_conflicts": {"type": "str", "choices": ["NONE", "OVERWRITE", "PRESERVE"], "default": "OVERWRITE"},
        "service_account_role_arn": {"type": "str"},
        "pod_identity_associations": {"type": "list", "elements": "dict", "options": association},
        "preserve": {"type": "bool", "default": False},
    }
    return {
        **resource_options(wait_timeout=900),
        "cluster_name": {"type": "str", "required": True},
        "addons": {"type": "list", "elements": "dict", "required": True, "options": addon},
        "kubernetes_version": {"type": "str"},
    }


def ensure(module: AnsibleAWSModule) -> dict[str, t.Any]:
    params = module.params
    refuse_repeated("addons", [item["addon_name"] for item in params["addons"]])
    present = params["state"] == "present"
    settings = Settings(
        api=AddonApi(make_client(module, "eks"), params["cluster_name"]),
        kubernetes_version=params["kubernetes_version"],
        tags=params["tags"],
        purge_tags=params["purge_tags"],
        check=module.check_mode,
        wait=params["wait"],
        report=report,
    )
    runs = [(Present if present else Absent)(settings, item) for item in params["addons"]]
    goal = f"add-ons of EKS cluster {params['cluster_name']} to be {'ACTIVE' if present else 'deleted'}"
    settle(runs, goal, params["wait_timeout"], params["wait_delay"])
    return {
        "changed": any(run.before or run.after for run in runs),
        "diff": make_diffs({run.name: (run.before, run.after) for run in runs}),
        "addons": [addon_result(run.addon) if run.addon else run.after for run in runs if present],
    }


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, lambda: ensure(module))


if __name__ == "__main__":
    main()
