#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticache_replication_group_info
short_description: Describe ElastiCache replication groups with their nodes and tags
version_added: 0.1.0
description:
  - Describes one replication group or all of the region, together with what AWS tells only of their nodes, such as security
    groups, subnet group, parameter group, engine version and maintenance window.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.info_module
  - rayops.serve_ha.attributes.action_group_aws
options:
  replication_group_id:
    description: Name of one replication group. Without, all are described.
    type: str
notes:
  - The tags of a group are read only while it is available, as AWS refuses to show them in other states. They are empty then.
seealso:
  - module: rayops.serve_ha.elasticache_replication_group
"""

EXAMPLES = r"""
- name: Describe one replication group
  rayops.serve_ha.elasticache_replication_group_info:
    replication_group_id: mistral
  register: redis

- name: Show where it listens
  ansible.builtin.debug:
    msg: "{{ redis.replication_groups | map(attribute='endpoint') | first }}"

- name: Describe all
  rayops.serve_ha.elasticache_replication_group_info:
    region: us-west-2
"""

RETURN = r"""
replication_groups:
  description:
    - Each group as C(DescribeReplicationGroups) describes it, in snake case, and what only its nodes know.
    - An empty list if there is none.
  returned: always
  type: list
  elements: dict
  contains:
    replication_group_id:
      description: Its name.
      type: str
      returned: always
      sample: mistral
    arn:
      description: Its ARN.
      type: str
      returned: always
      sample: arn:aws:elasticache:us-west-2:123456789012:replicationgroup:mistral
    status:
      description: What AWS is doing with it.
      type: str
      returned: always
      sample: available
    engine:
      description: V(redis) or V(valkey).
      type: str
      returned: always
      sample: valkey
    engine_version:
      description: Its full version.
      type: str
      returned: always
      sample: 8.0.1
    endpoint:
      description: Where clients connect. The primary's name, or the configuration endpoint in cluster mode.
      type: dict
      returned: always
      sample: {address: master.mistral.abc123.usw2.cache.amazonaws.com, port: 6379}
    reader_endpoint:
      description: Where clients may read from replicas.
      type: dict
      returned: always
      sample: {address: replica.mistral.abc123.usw2.cache.amazonaws.com, port: 6379}
    security_group_ids:
      description: Security groups of its nodes.
      type: list
      elements: str
      returned: always
      sample: [sg-0123456789abcdef0]
    auth_token_enabled:
      description: Whether clients need a password.
      type: bool
      returned: always
      sample: true
    transit_encryption_enabled:
      description: Whether clients connect with TLS.
      type: bool
      returned: always
      sample: true
    members:
      description: Its nodes.
      type: list
      elements: dict
      returned: always
      sample:
        - cache_cluster_id: mistral-001
          status: available
          role: primary
          availability_zone: us-west-2a
          engine_version: 8.0.1
    tags:
      description: Its tags.
      type: dict
      returned: always
      sample: {team: serving}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache import api
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.group import View, describe
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client


def read(client: t.Any, name: str | None) -> list[View]:
    if not name:
        return api.join(client, api.describe_groups(client))
    view = api.read_view(client, name)
    return [view] if view else []


def main() -> None:
    module = AnsibleAWSModule(argument_spec={"replication_group_id": {"type": "str"}}, supports_check_mode=True)
    client = make_client(module, "elasticache")
    finish(
        module,
        lambda: {
            "changed": False,
            "replication_groups": [describe(view) for view in read(client, module.params["replication_group_id"])],
        },
    )


if __name__ == "__main__":
    main()
