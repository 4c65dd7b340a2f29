#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eks_pod_identity_association
short_description: Manage the IAM roles of service accounts of an EKS cluster
version_added: 0.1.0
description:
  - Creates, updates and deletes EKS Pod Identity associations. The pods of an associated service account get credentials of its IAM
    role, from the add-on V(eks-pod-identity-agent).
  - An association is found by namespace and name of its service account. Those that are not listed are let be.
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
    description: Name of the cluster.
    type: str
    required: true
  associations:
    description: The associations, one for each service account.
    type: list
    elements: dict
    required: true
    suboptions:
      namespace:
        description: Namespace of the service account. Neither it nor the service account has to exist yet.
        type: str
        required: true
      service_account:
        description: Name of the service account.
        type: str
        required: true
      role_arn:
        description:
          - ARN of the IAM role. Needed to create an association.
          - Its trust policy has to let V(pods.eks.amazonaws.com) assume it and tag the session.
        type: str
      target_role_arn:
        description:
          - ARN of a second role, that the first one assumes, such as one in another account. Empty for none.
          - If this is not given, that of an existing association is let be.
        type: str
      disable_session_tags:
        description:
          - Whether EKS leaves out the session tags (cluster, namespace, pod and so on) that it sets otherwise.
          - If this is not given, the setting of an existing association is let be, and a new one gets them.
        type: bool
  state:
    description: Whether the associations shall be there.
    type: str
    choices: [present, absent]
    default: present
notes:
  - AWS refuses a role that does not exist. Since one that was made a moment ago is refused too, that is tried again for a while.
  - An association that belongs to an add-on is not changed or deleted here, but by M(rayops.serve_ha.eks_addon).
  - An unchanged task costs one call of the API, and one more for each association.
seealso:
  - module: rayops.serve_ha.eks_addon
  - module: amazon.aws.iam_role
"""

EXAMPLES = r"""
- name: Give Karpenter its role
  rayops.serve_ha.eks_pod_identity_association:
    cluster_name: mistral
    associations:
      - namespace: kube-system
        service_account: karpenter
        role_arn: arn:aws:iam::111122223333:role/mistral-karpenter
    tags:
      rayops.serve_ha/deployment: mistral

- name: Take it back
  rayops.serve_ha.eks_pod_identity_association:
    cluster_name: mistral
    associations:
      - namespace: kube-system
        service_account: karpenter
    state: absent
"""

RETURN = r"""
associations:
  description:
    - The associations, in the order of O(associations), with the names of AWS' API in snake_case. Empty if they were deleted.
    - One that check mode would create has only what is known of it.
  returned: success
  type: list
  elements: dict
  sample:
    - association_arn: arn:aws:eks:us-west-2:111122223333:podidentityassociation/mistral/a-abcdefghijklmnop1
      association_id: a-abcdefghijklmnop1
      cluster_name: mistral
      disable_session_tags: false
      namespace: kube-system
      role_arn: arn:aws:iam::111122223333:role/mistral-karpenter
      service_account: karpenter
      tags: {rayops.serve_ha/deployment: mistral}
      target_role_arn: ""
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import refuse_repeated
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.plan import Plan, carry_out
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.pod_identity import (
    PodIdentityApi,
    apply_plan,
    association_result,
    association_values,
    label,
    plan_association,
    refuse_owned,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, resource_options
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def argument_spec() -> dict[str, t.Any]:
    association = {
        "namespace": {"type": "str", "required": True},
        "service_account": {"type": "str", "required": True},
        "role_arn": {"type": "str"},
        "target_role_arn": {"type": "str"},
        "disable_session_tags": {"type": "bool"},
    }
    return {
        **resource_options(),
        "cluster_name": {"type": "str", "required": True},
        "associations": {"type": "list", "elements": "dict", "required": True, "options": association},
    }


def ensure_present(
    module: AnsibleAWSModule, api: PodIdentityApi, found: dict[str, dict[str, t.Any] | None]
) -> dict[str, t.Any]:
    params = module.params
    plans = [
        plan_association(option, association, params["tags"], params["purge_tags"])
        for option, association in zip(params["associations"], found.values(), strict=True)
    ]
    if not module.check_mode:
        for plan in plans:
            if plan.resource is None and "role_arn" not in plan.then:
                raise AnsibleAWSError(
                    message=f"The pod identity association of {plan.name} does not exist: give role_arn"
                )
    done = carry_out(plans, lambda plan: apply_plan(api, plan), module.check_mode)
    return done | {"associations": [association_result(plan) for plan in plans]}


def ensure_absent(
    module: AnsibleAWSModule, api: PodIdentityApi, found: dict[str, dict[str, t.Any] | None]
) -> dict[str, t.Any]:
    there = {name: association for name, association in found.items() if association}
    for name, association in there.items():
        refuse_owned(name, association)
    plans = [Plan(name, association, association_values(association), {}) for name, association in there.items()]
    done = carry_out(plans, lambda plan: api.delete(plan.name, there[plan.name]["associationId"]), module.check_mode)
    return done | {"associations": []}


def ensure(module: AnsibleAWSModule) -> dict[str, t.Any]:
    params = module.params
    names = [label(item["namespace"], item["service_account"]) for item in params["associations"]]
    refuse_repeated("associations", names)
    api = PodIdentityApi(make_client(module, "eks"), params["cluster_name"], report)
    ids = api.ids() if names else {}
    found = {name: api.describe(name, ids[name]) if name in ids else None for name in names}
    return (ensure_present if params["state"] == "present" else ensure_absent)(module, api, found)


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, lambda: ensure(module))


if __name__ == "__main__":
    main()
