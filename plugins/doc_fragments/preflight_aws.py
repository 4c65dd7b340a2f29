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
              - iam:instance-profile
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
        description:
          - Zones to use, by id or name. Empty for two that offer O(aws.instance_type), the first ones by their ids.
          - With O(aws.vpc_id) they are those of O(aws.subnet_ids).
        type: list
        elements: str
        default: []
      instance_type:
        description: Type of the instances with the accelerator; empty if there are none, or if it follows from O(aws.pods).
        type: str
        default: ""
      instances:
        description: Instance types that the complete deployment runs, and how many of each, to compare with the quotas.
        type: dict
        default: {}
      pools:
        description:
          - Pools of nodes that Karpenter has, as C(eks_addons_node_pools) of the role P(rayops.serve_ha.eks_addons#role) with all
            defaults and C(name). Empty if there are none, and then O(aws.pods) are not looked at.
        type: list
        elements: dict
        default: []
      pods:
        description:
          - Pods that each need a machine of their own. For each the smallest instance type of its pool that has room for it is compared
            with zones and quotas. Where a pool names no types, its vCPUs are.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: How they are called in messages.
            type: str
            required: true
          count:
            description: How many there are.
            type: int
            required: true
          pool:
            description:
              - Name of the pool that they are bound to. Empty for the first one with O(aws.pods[].accelerator), or without that, the one
                with their name.
            type: str
            default: ""
          cpu:
            description: What they ask for, as a quantity of Kubernetes.
            type: str
            default: ""
          memory:
            description: Likewise.
            type: str
            default: ""
          accelerator:
            description: Which accelerator they need.
            type: str
            choices: ["", neuron, gpu]
            default: ""
          devices:
            description: How many devices of it, each.
            type: int
            default: 0
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
      subnet_ids:
        description: Its subnets for nodes and pods.
        type: list
        elements: str
        default: []
      adopted_cluster:
        description: Name of the EKS cluster, if it exists already and is to be used. It has to be in O(aws.vpc_id).
        type: str
        default: ""
      access_entries:
        description: Whether access entries are made in that cluster, which not every authentication mode has.
        type: bool
        default: false
      kubernetes_version:
        description: Version of Kubernetes that is asked for; empty for EKS' default.
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
