#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticache_parameter_group
short_description: Manage ElastiCache parameter groups of any family
version_added: 0.1.0
description:
  - Creates, changes and deletes cache parameter groups, of any family that AWS knows. One that exists already is compared and
    changed, whoever made it.
  - Only parameters that differ are sent.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - amazon.aws.tags
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.full
  - rayops.serve_ha.attributes.action_group_aws
  - rayops.serve_ha.attributes.progress
  - rayops.serve_ha.aws_wait.cache_group
attributes:
  check_mode:
    details:
      - Of a group that would be created the parameters are not checked, as AWS shows them only of an existing one.
options:
  cache_parameter_group_name:
    description: Name of the parameter group. AWS keeps it in lower case.
    type: str
    required: true
  state:
    description: Whether it should exist.
    type: str
    choices: [present, absent]
    default: present
  cache_parameter_group_family:
    description: Such as V(redis7) or V(valkey8). Needed to create a group. Cannot be changed.
    type: str
  description:
    description: Text for humans. A new group without one has its name here. Cannot be changed.
    type: str
  parameters:
    description:
      - Names and values. Booleans are taken for V(yes) and V(no). A null lets the parameter be.
      - If this is not given no parameter is looked at.
    type: dict
  purge_parameters:
    description:
      - Whether parameters that are set in the group and not in O(parameters) are reset to the default of the family.
      - Only looked at with O(parameters).
    type: bool
    default: true
seealso:
  - module: rayops.serve_ha.elasticache_replication_group
"""

EXAMPLES = r"""
- name: Parameters for a store that must lose no key
  rayops.serve_ha.elasticache_parameter_group:
    cache_parameter_group_name: mistral
    cache_parameter_group_family: valkey8
    description: GCS storage of mistral
    parameters:
      maxmemory-policy: noeviction
      latency-tracking: true

- name: Remove the group
  rayops.serve_ha.elasticache_parameter_group:
    cache_parameter_group_name: mistral
    state: absent
"""

RETURN = r"""
cache_parameter_group:
  description: The group, with the parameters that are not the family's defaults. Empty if it is absent.
  returned: always
  type: dict
  sample:
    cache_parameter_group_name: mistral
    cache_parameter_group_family: valkey8
    description: GCS storage of mistral
    arn: arn:aws:elasticache:us-west-2:123456789012:parametergroup:mistral
    parameters: {latency-tracking: "yes", maxmemory-policy: noeviction}
    tags: {}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.parameter_group import ParameterGroup
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, resource_options
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def argument_spec() -> dict[str, t.Any]:
    return {
        **resource_options(wait_timeout=180),
        "cache_parameter_group_name": {"type": "str", "required": True},
        "cache_parameter_group_family": {"type": "str"},
        "description": {"type": "str"},
        "parameters": {"type": "dict"},
        "purge_parameters": {"type": "bool", "default": True},
    }


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    client = make_client(module, "elasticache")
    group = ParameterGroup(client, module.params, module.check_mode, report=report)
    finish(module, group.present if module.params["state"] == "present" else group.absent)


if __name__ == "__main__":
    main()
