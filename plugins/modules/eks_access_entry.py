#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eks_access_entry
short_description: Manage who may access an EKS cluster
version_added: 0.1.0
description:
  - Creates, updates and deletes access entries of an EKS cluster, with their access policies. An entry tells Kubernetes who an IAM
    role or user is.
  - Entries that are not listed are let be, whatever the options.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.full
  - rayops.serve_ha.attributes.action_group_aws
options:
  cluster_name:
    description: Name of the cluster. Its authentication mode has to be V(API) or V(API_AND_CONFIG_MAP).
    type: str
    required: true
  access_entries:
    description: The entries, one for each principal.
    type: list
    elements: dict
    required: true
    suboptions:
      principal_arn:
        description:
          - ARN of the IAM role or user. It cannot be changed.
          - The ARN of a session (C(arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION)), as M(amazon.aws.aws_caller_info) returns it, is taken for
            its role. As such an ARN does not tell the role's path, the role is looked up by C(iam:GetRole); where that is not allowed,
            its path is taken for C(/), with a warning.
        type: str
        required: true
      type:
        description:
          - Type of the entry, such as V(STANDARD) or, for nodes, V(EC2_LINUX). It cannot be changed.
          - If this is not given, a new entry gets AWS' default, V(STANDARD).
        type: str
      kubernetes_groups:
        description:
          - The groups that the principal is a member of in Kubernetes; their order means nothing. V([]) for none.
          - If this is not given, those of an existing entry are let be.
        type: list
        elements: str
      username:
        description: Name of the user in Kubernetes. If this is not given, that of an existing entry is let be, and a new one gets AWS' default.
        type: str
      access_policies:
        description:
          - The access policies of the principal. If this is not given, those of an existing entry are let be.
        type: list
        elements: dict
        suboptions:
          policy_arn:
            description: ARN of the policy, such as V(arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy).
            type: str
            required: true
          access_scope:
            description: Where it holds. The whole cluster, if this is not given.
            type: dict
            default: {}
            suboptions:
              type:
                description: Whether it holds in the whole cluster, or in namespaces.
                type: str
                choices: [cluster, namespace]
                default: cluster
              namespaces:
                description: The namespaces, with O(access_entries[].access_policies[].access_scope.type=namespace).
                type: list
                elements: str
      tags:
        description: Tags of this entry, on top of O(tags).
        type: dict
  purge_access_policies:
    description: Whether policies that an entry has, and its O(access_entries[].access_policies) do not list, are disassociated.
    type: bool
    default: true
  state:
    description: Whether the entries shall be there.
    type: str
    choices: [present, absent]
    default: present
notes:
  - AWS refuses a principal that does not exist. Since one that was made a moment ago is refused too, creation is tried again for a minute.
  - AWS ties an entry to the very role or user that it was made for. When a role is deleted and made again, its entry has to be as well.
  - An unchanged entry costs two calls of the API, and one more for the ARN of a session.
seealso:
  - module: rayops.serve_ha.eks_cluster
  - module: amazon.aws.aws_caller_info
"""

EXAMPLES = r"""
- name: Look up who runs this
  amazon.aws.aws_caller_info:
  register: caller

- name: Make who runs this administrator of the cluster
  rayops.serve_ha.eks_access_entry:
    cluster_name: mistral
    access_entries:
      - principal_arn: "{{ caller.arn }}"
        access_policies:
          - policy_arn: arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy

- name: Let nodes join, and a team see its namespace
  rayops.serve_ha.eks_access_entry:
    cluster_name: mistral
    access_entries:
      - principal_arn: arn:aws:iam::111122223333:role/mistral-karpenter-node
        type: EC2_LINUX
      - principal_arn: arn:aws:iam::111122223333:role/team
        access_policies:
          - policy_arn: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy
            access_scope:
              type: namespace
              namespaces: [mistral]
    tags:
      rayops.serve_ha/deployment: mistral

- name: Take it back
  rayops.serve_ha.eks_access_entry:
    cluster_name: mistral
    access_entries:
      - principal_arn: arn:aws:iam::111122223333:role/team
    state: absent
"""

RETURN = r"""
access_entries:
  description:
    - The entries, in the order of O(access_entries), with the names of AWS' API in snake_case. Empty if they were deleted.
    - One that check mode would create has only what is known of it.
  returned: success
  type: list
  elements: dict
  sample:
    - access_entry_arn: arn:aws:eks:us-west-2:111122223333:access-entry/mistral/role/111122223333/team/64c7a1b2-0000-0000-0000-000000000000
      access_policies:
        - policy_arn: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy
          access_scope: {type: namespace, namespaces: [mistral]}
      cluster_name: mistral
      kubernetes_groups: []
      principal_arn: arn:aws:iam::111122223333:role/team
      tags: {rayops.serve_ha/deployment: mistral}
      type: STANDARD
      username: arn:aws:sts::111122223333:assumed-role/team/{{SessionName}}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import refuse_repeated
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.access_entry import (
    AccessApi,
    apply_plan,
    entry_result,
    plan_entry,
    role_arn_of_caller,
    session_role,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.plan import Plan, carry_out
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import (
    error_code,
    finish,
    make_client,
    resource_options,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def argument_spec() -> dict[str, t.Any]:
    scope = {
        "type": {"type": "str", "choices": ["cluster", "namespace"], "default": "cluster"},
        "namespaces": {"type": "list", "elements": "str"},
    }
    policy = {
        "policy_arn": {"type": "str", "required": True},
        "access_scope": {"type": "dict", "default": {}, "options": scope},
    }
    entry = {
        "principal_arn": {"type": "str", "required": True},
        "type": {"type": "str"},
        "kubernetes_groups": {"type": "list", "elements": "str"},
        "username": {"type": "str"},
        "access_policies": {"type": "list", "elements": "dict", "options": policy},
        "tags": {"type": "dict"},
    }
    return {
        **resource_options(),
        "cluster_name": {"type": "str", "required": True},
        "access_entries": {"type": "list", "elements": "dict", "required": True, "options": entry},
        "purge_access_policies": {"type": "bool", "default": True},
    }


def principal(module: AnsibleAWSModule, arn: str) -> str:
    """The ARN itself; that of the role for the ARN of a session."""
    name = session_role(arn)
    if not name:
        return arn
    ask = AWSErrorHandler.common_error_handler(f"look up the role of {arn}")(make_client(module, "iam").get_role)
    try:
        return ask(RoleName=name, aws_retry=True)["Role"]["Arn"]
    except AnsibleAWSError as error:
        if error_code(error.exception) not in ("AccessDenied", "AccessDeniedException"):
            raise
    guess = role_arn_of_caller(arn)
    module.warn(f"{arn} is taken for {guess}, as iam:GetRole is not allowed. If the role has a path, give its ARN.")
    return guess


def ensure_present(module: AnsibleAWSModule, api: AccessApi, options: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    params = module.params
    plans = []
    for option in options:
        tags = params["tags"] if option["tags"] is None else (params["tags"] or {}) | option["tags"]
        plans.append(plan_entry(api, option, params["purge_access_policies"], tags, params["purge_tags"]))
    done = carry_out(plans, lambda plan: apply_plan(api, plan), module.check_mode)
    return done | {"access_entries": [entry_result(plan) for plan in plans]}


def ensure_absent(module: AnsibleAWSModule, api: AccessApi, options: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    found = {option["principal_arn"]: api.describe(option["principal_arn"]) for option in options}
    plans = [Plan(arn, entry, {"type": entry.get("type")}, {}) for arn, entry in found.items() if entry]
    return carry_out(plans, lambda plan: api.delete(plan.name), module.check_mode) | {"access_entries": []}


def ensure(module: AnsibleAWSModule) -> dict[str, t.Any]:
    params = module.params
    options = [item | {"principal_arn": principal(module, item["principal_arn"])} for item in params["access_entries"]]
    refuse_repeated("access_entries", [item["principal_arn"] for item in options])
    api = AccessApi(make_client(module, "eks"), params["cluster_name"], report)
    return (ensure_present if params["state"] == "present" else ensure_absent)(module, api, options)


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, lambda: ensure(module))


if __name__ == "__main__":
    main()
