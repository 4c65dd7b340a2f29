#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eks_nodegroup
short_description: Manage managed node groups of EKS clusters
version_added: 0.1.0
description:
  - Creates, updates, upgrades and deletes managed node groups. One that exists already is brought to what is wanted.
  - What AWS can change in place is changed. What it cannot change is refused with the current and the wanted value.
  - The wait ends at once when the node group comes to state C(CREATE_FAILED), C(DEGRADED) or C(DELETE_FAILED), or when an update of it fails,
    with the health issues or errors that AWS reports.
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
  nodegroup_name:
    description: Name of the node group.
    type: str
    required: true
  state:
    description: Whether the node group shall be there.
    type: str
    choices: [present, absent]
    default: present
  node_role:
    description:
      - ARN of the IAM role of the nodes. Needed to create a node group; cannot be changed later.
      - A role that was made a moment ago is asked for again for up to 90 s, until EKS takes it.
    type: str
  subnets:
    description: Subnets of the nodes. Needed to create a node group; cannot be changed later.
    type: list
    elements: str
  instance_types:
    description: Types of the instances, the preferred one first. Cannot be changed later, and their order is not compared.
    type: list
    elements: str
  ami_type:
    description: Family of machine images, such as V(AL2023_x86_64_STANDARD). Cannot be changed later.
    type: str
  capacity_type:
    description: How the instances are bought, such as V(ON_DEMAND) or V(SPOT). Cannot be changed later.
    type: str
  disk_size:
    description: Size of the root disk in GiB, for node groups without O(launch_template). Cannot be changed later.
    type: int
  scaling_config:
    description: How many nodes there are.
    type: dict
    suboptions:
      min_size:
        description: Smallest number of nodes.
        type: int
      max_size:
        description: Greatest number of nodes.
        type: int
      desired_size:
        description:
          - Number of nodes to have now.
          - If this is not given, a new node group starts with O(scaling_config.min_size) nodes, and an existing one keeps the number that it
            has, as an autoscaler may have chosen it, or comes as near to it as the new bounds allow.
        type: int
  labels:
    description:
      - Labels of the nodes in Kubernetes. These and no others, so V({}) removes all.
      - If this is not given, those of an existing node group are let be.
    type: dict
  taints:
    description:
      - Taints of the nodes in Kubernetes. These and no others, so V([]) removes all.
      - If this is not given, those of an existing node group are let be.
    type: list
    elements: dict
    suboptions:
      key:
        description: Key of the taint.
        type: str
        required: true
      value:
        description: Value of the taint.
        type: str
      effect:
        description: Effect of the taint as EKS spells it, such as V(NO_SCHEDULE).
        type: str
        required: true
  update_config:
    description: How many nodes may be replaced at a time by an update.
    type: dict
    suboptions:
      max_unavailable:
        description: Their number.
        type: int
      max_unavailable_percentage:
        description: Their share of all nodes, in percent.
        type: int
  launch_template:
    description:
      - Launch template of the instances. Another one, or one for a node group that has none, is refused; another version is an update.
    type: dict
    suboptions:
      id:
        description: Its id.
        type: str
      name:
        description: Its name, instead of O(launch_template.id).
        type: str
      version:
        description:
          - Number of its version.
          - If this is not given, a new node group takes the template's default, and an existing one keeps its version.
        type: str
  version:
    description:
      - Version of Kubernetes of the nodes, such as V("1.33"), in quotes. A lower one than they have is refused.
      - If this is not given, a new node group takes the cluster's, and an existing one keeps its version.
    type: str
  release_version:
    description:
      - Version of the machine image, such as V(1.33.0-20250519).
      - If this is not given, a new node group takes the newest, and an existing one keeps its version.
    type: str
  force:
    description: Whether an update of a version goes on where a pod cannot be evicted because of its disruption budget.
    type: bool
    default: false
  node_repair_config:
    description: Whether EKS replaces nodes that are not well.
    type: dict
    suboptions:
      enabled:
        description: Whether it does.
        type: bool
  remote_access:
    description: SSH to the nodes, for node groups without O(launch_template). Cannot be changed later.
    type: dict
    suboptions:
      ec2_ssh_key:
        description: Name of the key pair.
        type: str
      source_security_groups:
        description: Security groups that may connect. Everybody if there are none.
        type: list
        elements: str
  wait_timeout:
    description: Longest time to wait for the node group, for each of its updates and for its deletion, in seconds.
    type: int
    default: 1200
notes:
  - An option that is not given, or an empty string, lets the current value be.
  - An unchanged node group costs one call of the API.
  - Without O(wait) only the first of several updates is started, with a warning that names the others. A node group on which AWS is still
    at work is not touched then.
seealso:
  - module: rayops.serve_ha.eks_cluster
  - module: rayops.serve_ha.eks_addon
"""

EXAMPLES = r"""
- name: Have a node group for what runs all the time
  rayops.serve_ha.eks_nodegroup:
    cluster_name: mistral
    nodegroup_name: core
    node_role: arn:aws:iam::111122223333:role/mistral-node
    subnets: [subnet-0a1b2c3d4e5f60718, subnet-0f1e2d3c4b5a69788]
    ami_type: AL2023_x86_64_STANDARD
    instance_types: [m5.xlarge]
    scaling_config:
      min_size: 2
      max_size: 4
    launch_template:
      id: lt-0a1b2c3d4e5f60718
      version: "1"
    labels:
      workload: system
    taints:
      - key: CriticalAddonsOnly
        effect: NO_SCHEDULE
    update_config:
      max_unavailable_percentage: 33
    node_repair_config:
      enabled: true
    tags:
      rayops.serve_ha/deployment: mistral

- name: Upgrade its nodes
  rayops.serve_ha.eks_nodegroup:
    cluster_name: mistral
    nodegroup_name: core
    version: "1.34"

- name: Delete it
  rayops.serve_ha.eks_nodegroup:
    cluster_name: mistral
    nodegroup_name: core
    state: absent
"""

RETURN = r"""
nodegroup:
  description:
    - The node group as C(DescribeNodegroup) gives it, in snake_case. Empty with O(state=absent).
    - For one that would be created it is, in check mode, what was asked for.
  returned: success
  type: dict
  contains:
    nodegroup_name:
      description: Its name.
      type: str
      returned: always
      sample: core
    cluster_name:
      description: Name of its cluster.
      type: str
      returned: always
      sample: mistral
    nodegroup_arn:
      description: Its ARN.
      type: str
      returned: when it exists
      sample: arn:aws:eks:us-west-2:111122223333:nodegroup/mistral/core/1ac1b2c3-4d5e-6f70-8192-a3b4c5d6e7f8
    status:
      description: C(CREATING), C(ACTIVE), C(UPDATING), C(DELETING), C(CREATE_FAILED), C(DELETE_FAILED) or C(DEGRADED).
      type: str
      returned: when it exists
      sample: ACTIVE
    version:
      description: Version of Kubernetes of its nodes.
      type: str
      returned: when it exists
      sample: "1.33"
    release_version:
      description: Version of its machine image.
      type: str
      returned: when it exists
      sample: 1.33.0-20250519
    scaling_config:
      description: How many nodes there are.
      type: dict
      returned: when it exists
      sample: {min_size: 2, max_size: 4, desired_size: 2}
    labels:
      description: Labels of its nodes.
      type: dict
      returned: when it has any
      sample: {workload: system}
    taints:
      description: Taints of its nodes.
      type: list
      elements: dict
      returned: when it has any
      sample: [{key: CriticalAddonsOnly, effect: NO_SCHEDULE}]
    launch_template:
      description: Launch template of its instances.
      type: dict
      returned: when it has one
      sample: {id: lt-0a1b2c3d4e5f60718, name: mistral-core, version: "1"}
    resources:
      description: What EKS made for it.
      type: dict
      returned: when it exists
      sample: {auto_scaling_groups: [{name: eks-core-1ac1b2c3-4d5e-6f70-8192-a3b4c5d6e7f8}]}
    health:
      description: What is wrong with it.
      type: dict
      returned: when it exists
      sample: {issues: []}
    tags:
      description: Its tags.
      type: dict
      returned: always
      sample: {rayops.serve_ha/deployment: mistral}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.lifecycle import Resource, ensure
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.nodegroup import nodegroup_kind
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, resource_options
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def argument_spec() -> dict[str, t.Any]:
    strings = {"type": "list", "elements": "str"}
    taint = {
        "key": {"type": "str", "required": True, "no_log": False},
        "value": {"type": "str"},
        "effect": {"type": "str", "required": True},
    }
    scaling = {name: {"type": "int"} for name in ("min_size", "max_size", "desired_size")}
    update = {"max_unavailable": {"type": "int"}, "max_unavailable_percentage": {"type": "int"}}
    template = {name: {"type": "str"} for name in ("id", "name", "version")}
    remote = {"ec2_ssh_key": {"type": "str", "no_log": False}, "source_security_groups": strings}
    return {
        **resource_options(wait_timeout=1200),
        "cluster_name": {"type": "str", "required": True},
        "nodegroup_name": {"type": "str", "required": True},
        "node_role": {"type": "str"},
        "subnets": strings,
        "instance_types": strings,
        "ami_type": {"type": "str"},
        "capacity_type": {"type": "str"},
        "disk_size": {"type": "int"},
        "scaling_config": {"type": "dict", "options": scaling},
        "labels": {"type": "dict"},
        "taints": {"type": "list", "elements": "dict", "options": taint},
        "update_config": {"type": "dict", "options": update, "mutually_exclusive": [list(update)]},
        "launch_template": {"type": "dict", "options": template, "mutually_exclusive": [["id", "name"]]},
        "version": {"type": "str"},
        "release_version": {"type": "str"},
        "force": {"type": "bool", "default": False},
        "node_repair_config": {"type": "dict", "options": {"enabled": {"type": "bool"}}},
        "remote_access": {"type": "dict", "options": remote},
    }


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    cluster, name = params["cluster_name"], params["nodegroup_name"]
    nodegroup = Resource(
        make_client(module, "eks"),
        nodegroup_kind(params["force"]),
        f"EKS node group {name} of cluster {cluster}",
        {"clusterName": cluster, "nodegroupName": name},
        {"name": cluster, "nodegroupName": name},
        params,
        report,
    )
    finish(module, lambda: ensure(nodegroup, module.check_mode))


if __name__ == "__main__":
    main()
