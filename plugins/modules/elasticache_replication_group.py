#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: elasticache_replication_group
short_description: Manage ElastiCache replication groups with cluster mode disabled
version_added: 0.1.0
description:
  - Creates, changes in place and deletes a replication group of Redis OSS or Valkey, from a single node to several in several
    availability zones. One that exists already is compared and changed, whoever made it.
  - What AWS takes one after another only (replicas, encryption in transit, access control, tags) is asked for one after
    another, with a wait in between.
  - What AWS cannot change is refused with the present and the wanted value, before anything is changed.
  - The wait ends at once when AWS gives up, with the reason from AWS' events.
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
  - rayops.serve_ha.aws_wait
attributes:
  diff_mode:
    details:
      - C(transit_encryption) in the diff is V(off), V(preferred) or V(required). Secrets are not in it.
options:
  replication_group_id:
    description: Name of the replication group. AWS keeps it in lower case.
    type: str
    required: true
  state:
    description: Whether it should exist.
    type: str
    choices: [present, absent]
    default: present
  replication_group_description:
    description: Text for humans. A new group without one has its name here.
    type: str
  engine:
    description: V(redis) or V(valkey). An existing group can go from Redis OSS to Valkey, with O(engine_version).
    type: str
  engine_version:
    description: V(7.1) is met by V(7.1.0). A higher one upgrades in place. AWS does not go back.
    type: str
  cache_node_type:
    description: For example V(cache.t4g.small).
    type: str
  num_cache_clusters:
    description:
      - Number of nodes, the primary included.
      - When it shrinks AWS chooses which replicas go.
    type: int
  automatic_failover_enabled:
    description: Whether a replica becomes the primary when the primary fails. Needs O(num_cache_clusters) of 2 or more.
    type: bool
  multi_az_enabled:
    description: Whether the nodes are kept in different availability zones. Needs O(automatic_failover_enabled=true).
    type: bool
  preferred_cache_cluster_azs:
    description: Availability zones of the nodes of a new group, the primary's first. Not looked at afterwards.
    type: list
    elements: str
  cache_subnet_group_name:
    description: Where the nodes live. Cannot be changed.
    type: str
  security_group_ids:
    description: Ids of VPC security groups. An empty list lets them be, as AWS wants at least one.
    type: list
    elements: str
  cache_parameter_group_name:
    description: See M(rayops.serve_ha.elasticache_parameter_group).
    type: str
  port:
    description: Cannot be changed. AWS' default is 6379.
    type: int
  transit_encryption_enabled:
    description:
      - Whether clients connect with TLS.
      - An existing group without comes to V(preferred), where both kinds of clients are served, and with
        O(transit_encryption_mode=required) from there to V(required). Going back takes the same stops.
    type: bool
  transit_encryption_mode:
    description:
      - V(required), as of new groups with TLS, or V(preferred) that serves clients without TLS too.
      - If this is not given, an existing group keeps its mode, except that O(auth_token) needs V(required).
    type: str
    choices: [preferred, required]
  at_rest_encryption_enabled:
    description: Whether data on disk is encrypted. Cannot be changed.
    type: bool
  kms_key_id:
    description:
      - Id or ARN of the KMS key for data on disk. Cannot be changed.
      - An alias is taken for a new group, and cannot be compared with what an existing one has.
    type: str
  auth_token:
    description:
      - The password of the default user, 16 to 128 characters. Needs TLS.
      - AWS never shows it, so a change of it goes unnoticed without O(auth_token_version).
      - An existing group without a password gets it in two steps, and takes no connections without it after the second.
    type: str
  auth_token_version:
    description:
      - Any text that changes when O(auth_token) does, such as the version id of the secret in Secrets Manager.
      - It is kept in the tag C(rayops.serve_ha/auth-token-version), which O(purge_tags) never removes. If that differs (or is
        missing), the group is given O(auth_token) by O(auth_token_update_strategy).
      - With O(wait=false) this change is only reported in RV(pending), because the tag can be written only afterwards.
    type: str
  auth_token_update_strategy:
    description:
      - V(ROTATE) takes the new and the last token, so that clients can change over.
      - V(SET) takes only the new one from then on. To drop the old one after a rotation, give the same O(auth_token), V(SET)
        and another O(auth_token_version).
    type: str
    choices: [ROTATE, SET]
    default: ROTATE
  user_group_ids:
    description:
      - Ids of user groups, the other kind of access control. All that are not named are removed.
      - From O(auth_token) to user groups and, with an empty list and O(auth_token), back again AWS goes in place.
    type: list
    elements: str
  snapshot_retention_limit:
    description: Days for which daily snapshots are kept; V(0) takes none.
    type: int
  snapshot_window:
    description: Daily time of the snapshot in UTC, such as V(05:00-06:00).
    type: str
  preferred_maintenance_window:
    description: Weekly time of maintenance in UTC, such as V(sun:23:00-mon:01:30).
    type: str
  auto_minor_version_upgrade:
    description: Whether AWS may upgrade to a new minor version by itself.
    type: bool
  notification_topic_arn:
    description: ARN of the SNS topic for events of the group. An empty text switches notifications off.
    type: str
  log_delivery_configurations:
    description: Where logs are delivered to. Logs of a type that is not named are not delivered any more.
    type: list
    elements: dict
    suboptions:
      log_type:
        description: V(slow-log) or V(engine-log).
        type: str
        required: true
      destination_type:
        description: V(cloudwatch-logs) or V(kinesis-firehose).
        type: str
        required: true
      destination_details:
        description: The destination itself, one of the two.
        type: dict
        required: true
        suboptions:
          cloud_watch_logs_details:
            description: A log group of CloudWatch.
            type: dict
            suboptions:
              log_group:
                description: Its name.
                type: str
                required: true
          kinesis_firehose_details:
            description: A stream of Data Firehose.
            type: dict
            suboptions:
              delivery_stream:
                description: Its name.
                type: str
                required: true
      log_format:
        description: V(json) or V(text).
        type: str
        required: true
  apply_immediately:
    description:
      - With V(false) a new engine, version or node type waits for the maintenance window, and counts as done meanwhile.
      - AWS knows no waiting for the number of nodes. It is not used for encryption in transit and access control either.
    type: bool
    default: true
  final_snapshot_identifier:
    description: With O(state=absent), name of a snapshot to take before the group is deleted.
    type: str
  retain_primary_cluster:
    description: With O(state=absent), keep the primary node as a cache cluster of its own.
    type: bool
    default: false
  wait_timeout:
    description: Longest time in seconds for the creation, for each change and for the deletion.
    type: int
    default: 1800
notes:
  - A cache cluster of one plain node, as C(CreateCacheCluster) makes it, is a replication group with O(num_cache_clusters=1),
    O(automatic_failover_enabled=false) and O(transit_encryption_enabled=false) here. Unlike that it can grow later.
  - While a group of the same name is being deleted, its end is awaited before a new one is made, with O(wait=false) too.
  - A run that is ended between the change of an AUTH token and its note in the tag leaves the next run to change it again, to the
    same token.
  - Tags can be read and written only while the group is available. Until then they are not compared.
seealso:
  - module: rayops.serve_ha.elasticache_replication_group_info
  - module: rayops.serve_ha.elasticache_parameter_group
  - module: community.aws.elasticache_subnet_group
"""

EXAMPLES = r"""
- name: Two nodes in two zones, with TLS and a password
  rayops.serve_ha.elasticache_replication_group:
    replication_group_id: mistral
    engine: valkey
    engine_version: "8.0"
    cache_node_type: cache.t4g.small
    num_cache_clusters: 2
    automatic_failover_enabled: true
    multi_az_enabled: true
    cache_subnet_group_name: mistral
    cache_parameter_group_name: mistral
    security_group_ids: [sg-0123456789abcdef0]
    transit_encryption_enabled: true
    at_rest_encryption_enabled: true
    auth_token: "{{ redis_password }}"
    auth_token_version: "{{ redis_password_version }}"
    tags: {team: serving}

- name: A single plain node, and do not wait for it here
  rayops.serve_ha.elasticache_replication_group:
    replication_group_id: mistral
    engine: redis
    engine_version: "7.1"
    cache_node_type: cache.t4g.small
    num_cache_clusters: 1
    automatic_failover_enabled: false
    transit_encryption_enabled: false
    cache_subnet_group_name: mistral
    log_delivery_configurations:
      - log_type: slow-log
        destination_type: cloudwatch-logs
        destination_details: {cloud_watch_logs_details: {log_group: /aws/elasticache/mistral}}
        log_format: json
    wait: false

- name: Remove it, and keep a snapshot
  rayops.serve_ha.elasticache_replication_group:
    replication_group_id: mistral
    state: absent
    final_snapshot_identifier: mistral-last
"""

RETURN = r"""
replication_group:
  description:
    - The group as C(DescribeReplicationGroups) describes it, in snake case, and what only its nodes know.
    - Empty if it is absent. In check mode, of a group that would be created, what only AWS knows is empty.
  returned: always
  type: dict
  sample:
    replication_group_id: mistral
    arn: arn:aws:elasticache:us-west-2:123456789012:replicationgroup:mistral
    status: available
    engine: valkey
    engine_version: 8.0.1
    cache_node_type: cache.t4g.small
    num_cache_clusters: 2
    automatic_failover: enabled
    multi_az: enabled
    transit_encryption_enabled: true
    transit_encryption_mode: required
    auth_token_enabled: true
    endpoint: {address: master.mistral.abc123.usw2.cache.amazonaws.com, port: 6379}
    primary_endpoint: {address: master.mistral.abc123.usw2.cache.amazonaws.com, port: 6379}
    reader_endpoint: {address: replica.mistral.abc123.usw2.cache.amazonaws.com, port: 6379}
    port: 6379
    security_group_ids: [sg-0123456789abcdef0]
    cache_subnet_group_name: mistral
    cache_parameter_group_name: mistral
    parameters_pending_reboot: false
    preferred_maintenance_window: sun:23:00-mon:01:30
    notification_topic_arn: ""
    members:
      - cache_cluster_id: mistral-001
        status: available
        role: primary
        availability_zone: us-west-2a
        engine_version: 8.0.1
    tags: {team: serving}
pending:
  description: With O(wait=false), what is wanted and could not be asked for yet. Run the task again when the group is available.
  returned: always
  type: list
  elements: str
  sample: [num_cache_clusters, tags]
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.replication_group import (
    ReplicationGroup,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, resource_options
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def log_delivery_spec() -> dict[str, t.Any]:
    """Suboptions of log_delivery_configurations."""
    log_group = {"log_group": {"type": "str", "required": True}}
    stream = {"delivery_stream": {"type": "str", "required": True}}
    details = {
        "cloud_watch_logs_details": {"type": "dict", "options": log_group},
        "kinesis_firehose_details": {"type": "dict", "options": stream},
    }
    return {
        "log_type": {"type": "str", "required": True},
        "destination_type": {"type": "str", "required": True},
        "destination_details": {"type": "dict", "required": True, "options": details},
        "log_format": {"type": "str", "required": True},
    }


def argument_spec() -> dict[str, t.Any]:
    return {
        **resource_options(wait_timeout=1800),
        "replication_group_id": {"type": "str", "required": True},
        "replication_group_description": {"type": "str"},
        "engine": {"type": "str"},
        "engine_version": {"type": "str"},
        "cache_node_type": {"type": "str"},
        "num_cache_clusters": {"type": "int"},
        "automatic_failover_enabled": {"type": "bool"},
        "multi_az_enabled": {"type": "bool"},
        "preferred_cache_cluster_azs": {"type": "list", "elements": "str"},
        "cache_subnet_group_name": {"type": "str"},
        "security_group_ids": {"type": "list", "elements": "str"},
        "cache_parameter_group_name": {"type": "str"},
        "port": {"type": "int"},
        "transit_encryption_enabled": {"type": "bool"},
        "transit_encryption_mode": {"type": "str", "choices": ["preferred", "required"]},
        "at_rest_encryption_enabled": {"type": "bool"},
        "kms_key_id": {"type": "str", "no_log": False},
        "auth_token": {"type": "str", "no_log": True},
        "auth_token_version": {"type": "str", "no_log": False},
        "auth_token_update_strategy": {
            "type": "str",
            "choices": ["ROTATE", "SET"],
            "default": "ROTATE",
            "no_log": False,
        },
        "user_group_ids": {"type": "list", "elements": "str"},
        "snapshot_retention_limit": {"type": "int"},
        "snapshot_window": {"type": "str"},
        "preferred_maintenance_window": {"type": "str"},
        "auto_minor_version_upgrade": {"type": "bool"},
        "notification_topic_arn": {"type": "str"},
        "log_delivery_configurations": {"type": "list", "elements": "dict", "options": log_delivery_spec()},
        "apply_immediately": {"type": "bool", "default": True},
        "final_snapshot_identifier": {"type": "str"},
        "retain_primary_cluster": {"type": "bool", "default": False},
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec=argument_spec(),
        required_by={"auth_token_version": ["auth_token"]},
        supports_check_mode=True,
    )
    group = ReplicationGroup(
        make_client(module, "elasticache"), module.params, module.check_mode, report=report, warn=module.warn
    )
    finish(module, group.present if module.params["state"] == "present" else group.absent)


if __name__ == "__main__":
    main()
