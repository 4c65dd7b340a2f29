#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eks_cluster_info
short_description: Describe an EKS cluster
version_added: 0.1.0
description:
  - Describes an EKS cluster in whatever state it is.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.info_module
  - rayops.serve_ha.attributes.action_group_aws
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
seealso:
  - module: rayops.serve_ha.eks_cluster
"""

EXAMPLES = r"""
- name: Describe the cluster
  rayops.serve_ha.eks_cluster_info:
    name: mistral
"""

RETURN = r"""
clusters:
  description: The cluster as M(rayops.serve_ha.eks_cluster) returns it, in a list. Empty if there is none of this name.
  returned: success
  type: list
  elements: dict
  sample:
    - name: mistral
      arn: arn:aws:eks:us-west-2:111122223333:cluster/mistral
      status: ACTIVE
      version: "1.35"
      health: {issues: []}
      tags: {rayops.serve_ha/deployment: mistral}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import EksErrors, to_result
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client


@EksErrors.list_error_handler("describe the EKS cluster", default_value=None)
def describe(client: t.Any, name: str) -> dict[str, t.Any] | None:
    return client.describe_cluster(name=name, aws_retry=True)["cluster"]


def read(module: AnsibleAWSModule) -> dict[str, t.Any]:
    cluster = describe(make_client(module, "eks"), module.params["name"])
    return {"changed": False, "clusters": [to_result(cluster)] if cluster else []}


def main() -> None:
    module = AnsibleAWSModule(argument_spec={"name": {"type": "str", "required": True}}, supports_check_mode=True)
    finish(module, lambda: read(module))


if __name__ == "__main__":
    main()
