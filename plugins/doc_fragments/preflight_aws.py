# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # What the module preflight is told of a deployment on AWS
    DOCUMENTATION = r"""
options:
  aws:
    description: The deployment on AWS; not looked at if it is not given.
    type: dict
    suboptions:
      name:
        description: Name of the deployment, which its resources' names are made from.
        type: str
        required: true
      region:
        description: Its region, if it is not the one of the connection.
        type: str
        default: ""
      tags:
        description: Tags that all of its resources carry; what has one of O(aws.names) without them is somebody else's.
        type: dict
        required: true
      names:
        description: What will be made, by type and name. Each name has to be one that AWS takes, and free or the deployment's.
        type: list
        elements: dict
        default: []
        suboptions:
          type:
            description: Its type, as in M(rayops.serve_ha.aws_ownership_info).
            type: str
            required: true
            choices:
              - ec2:launch-template
              - eks:cluster
              - elasticache:parametergroup
              - elasticache:replicationgroup
              - elasticache:subnetgroup
              - events:rule
              - iam:policy
              - iam:role
              - kms:alias
              - logs:log-group
              - secretsmanager:secret
              - sqs:queue
          name:
            description: Its name.
            type: str
            required: true
      zones:
        description: Zones to use, by id or name. Empty for two that offer O(aws.instance_type), the first ones by their ids.
        type: list
        elements: str
        default: []
      instance_type:
        description: Type of the instances with the accelerator; empty if there are none.
        type: str
        default: ""
      instances:
        description: Instance types that the complete deployment runs, and how many of each, to compare with the quotas.
        type: dict
        default: {}
      elastic_ips:
        description: Number of elastic IPs that the complete deployment has, to compare with the quota; 0 if it makes none.
        type: int
        default: 0
      vpcs:
        description: Number of VPCs that the deployment makes, likewise.
        type: int
        default: 0
      vpc_id:
        description: VPC of the cluster, if it exists already.
        type: str
        default: ""
      redis_vpc_id:
        description: VPC of the ElastiCache; empty for that of the cluster.
        type: str
        default: ""
      redis_peered:
        description: Whether these two VPCs are joined, so that they may differ.
        type: bool
        default: false
      tools:
        description: Programs that have to be there.
        type: list
        elements: str
        default: [aws]
      check_permissions:
        description: Whether to ask IAM's simulator what the caller may do.
        type: bool
        default: true
"""
