#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticache_subnet_group
short_description: Manage ElastiCache subnet groups with their tags
version_added: 0.1.0
description:
  - Creates, changes and deletes cache subnet groups. One that exists already is compared and changed, whoever made it.
  - Unlike M(community.aws.elasticache_subnet_group) it knows tags, so that it can be told whose a group is, and shows its diff.
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
options:
  cache_subnet_group_name:
    description: Name of the subnet group. AWS keeps it in lower case.
    type: str
    required: true
  state:
    description: Whether it should exist.
    type: str
    choices: [present, absent]
    default: present
  cache_subnet_group_description:
    description: Text for humans. A new group without one has its name here.
    type: str
  subnet_ids:
    description:
      - Ids of the subnets, all of one VPC. Needed to create a group, except in check mode.
      - Subnets that are not named are taken out of the group. AWS refuses that while a node lives there.
    type: list
    elements: str
seealso:
  - module: rayops.serve_ha.elasticache_replication_group
"""

EXAMPLES = r"""
- name: Subnets for a replication group
  rayops.serve_ha.elasticache_subnet_group:
    cache_subnet_group_name: mistral
    subnet_ids: [subnet-0aaaaaaaaaaaaaaaa, subnet-0bbbbbbbbbbbbbbbb]
    tags: {team: serving}

- name: Remove the group
  rayops.serve_ha.elasticache_subnet_group:
    cache_subnet_group_name: mistral
    state: absent
"""

RETURN = r"""
cache_subnet_group:
  description: The group. Empty if it is absent. In check mode, of a group that would be created, what only AWS knows is empty.
  returned: always
  type: dict
  sample:
    cache_subnet_group_name: mistral
    cache_subnet_group_description: mistral
    arn: arn:aws:elasticache:us-west-2:123456789012:subnetgroup:mistral
    vpc_id: vpc-0123456789abcdef0
    subnet_ids: [subnet-0aaaaaaaaaaaaaaaa, subnet-0bbbbbbbbbbbbbbbb]
    tags: {team: serving}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.subnet_group import SubnetGroup
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, resource_options
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def argument_spec() -> dict[str, t.Any]:
    return {
        **resource_options(wait_timeout=180),
        "cache_subnet_group_name": {"type": "str", "required": True},
        "cache_subnet_group_description": {"type": "str"},
        "subnet_ids": {"type": "list", "elements": "str"},
    }


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    group = SubnetGroup(make_client(module, "elasticache"), module.params, module.check_mode, report=report)
    finish(module, group.present if module.params["state"] == "present" else group.absent)


if __name__ == "__main__":
    main()
