#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_leftovers
short_description: Prove that nothing of a deployment is left in AWS
version_added: 0.1.0
description:
  - Looks for what the controllers of an EKS cluster have made, and for what carries the deployment's tags, and waits until
    nothing is left. If something stays, it fails and names it.
  - With O(state=absent) it also deletes what belongs to nobody any more. That is what the cluster's own marks prove to be the
    cluster's, what nothing uses, and only when the EKS cluster itself is gone, since until then its controllers do it better.
  - What is found by O(tags) alone is never deleted; the role that made it does that.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.full
  - rayops.serve_ha.attributes.action_group_aws
  - rayops.serve_ha.attributes.progress
  - rayops.serve_ha.aws_resources
options:
  cluster_name:
    description:
      - Name of the EKS cluster, which is in the marks that its controllers leave. Empty to look at nothing that is the cluster's.
      - A cluster of this name without O(tags) is not the deployment's, and nothing that is that cluster's is looked at.
    type: str
    default: ""
  vpc_id:
    description:
      - Id of the VPC of the cluster, for its network interfaces. Those that nobody uses are looked for too, if the VPC carries
        O(tags).
      - Load balancers, target groups, instances and security groups of another VPC are not looked at then. They are those of
        another cluster of the same name, which need not be one of EKS.
    type: str
    default: ""
  resources:
    description: Resources that are looked up by name too, as IAM is not searched by tags; those with O(tags) are leftovers.
    default: []
  kinds:
    description:
      - What to look for. All of them, if it is not given.
      - V(load_balancer) and V(target_group) are those of the AWS Load Balancer Controller.
      - V(karpenter_instance) are instances of Karpenter's node pools, and V(instance) all other instances of the cluster.
      - V(network_interface) are those with a tag or a security group of the cluster, and of those that nobody uses the ones with a
        security group of the deployment, or in its VPC.
      - V(security_group) are those that controllers or EKS made, and V(volume) those of the EBS CSI driver.
      - V(launch_template) and V(instance_profile) are Karpenter's.
      - V(log_group) are those below C(/aws/eks/) and C(/aws/containerinsights/) that have the cluster's name.
      - V(named) are O(resources), and V(tagged) is all that carries O(tags), but IAM's.
    type: list
    elements: str
    choices:
      - load_balancer
      - target_group
      - karpenter_instance
      - instance
      - network_interface
      - security_group
      - volume
      - launch_template
      - instance_profile
      - log_group
      - named
      - tagged
  state:
    description: Whether to delete as well, V(absent), or only to look, V(listed).
    type: str
    choices: [absent, listed]
    default: listed
  wait:
    description:
      - Whether to wait until nothing is left, and to fail if something is.
      - Without, and in check mode, one look is made, and what it finds is in RV(leftovers).
    type: bool
    default: true
  wait_timeout:
    description: Longest wait, in seconds. Network interfaces of a load balancer take minutes to go, volumes and NAT gateways too.
    type: int
    default: 900
  wait_delay:
    description: Seconds between two looks.
    type: int
    default: 10
notes:
  - Keys that KMS has scheduled for deletion, and secrets likewise, count as gone.
  - Classic load balancers, which the controller does not make, are seen by their network interfaces only.
"""

EXAMPLES = r"""
- name: Wait until the controllers have removed what they made
  rayops.serve_ha.aws_leftovers:
    tags:
      rayops.serve_ha/deployment: mistral
    cluster_name: mistral
    kinds: [load_balancer, target_group, karpenter_instance]

- name: Delete what belongs to nobody any more, before the VPC goes
  rayops.serve_ha.aws_leftovers:
    tags:
      rayops.serve_ha/deployment: mistral
    cluster_name: mistral
    vpc_id: vpc-0a1b2c3d4e5f60718
    kinds: [load_balancer, target_group, karpenter_instance, network_interface, security_group, volume]
    state: absent

- name: Prove that nothing is left
  rayops.serve_ha.aws_leftovers:
    tags:
      rayops.serve_ha/deployment: mistral
    cluster_name: mistral
    state: absent
"""

RETURN = r"""
leftovers:
  description: What was seen at the last look; without O(wait), what was deleted then is in it still.
  returned: always
  type: list
  elements: dict
  contains: &leftover
    kind:
      description: One of O(kinds).
      type: str
      returned: always
      sample: volume
    id:
      description: Its id in EC2, or its ARN.
      type: str
      returned: always
      sample: vol-0a1b2c3d4e5f60718
    name:
      description: Its name, or for V(tagged) and V(named) what it is.
      type: str
      returned: always
      sample: redis-data
    why:
      description: What tells that it is the deployment's, its state, and what kept it from being deleted.
      type: str
      returned: always
      sample: kubernetes.io/cluster/mistral=owned, available
deleted:
  description: What was deleted, or would be.
  returned: always
  type: list
  elements: dict
  contains: *leftover
"""

import functools
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils import _progress
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import ownership
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers.listing import KINDS, Scope
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers.sweep import Sweep
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, wait_options
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import WaitError


def argument_spec() -> dict[str, t.Any]:
    return {
        **wait_options(900),
        "tags": {"type": "dict", "required": True},
        "cluster_name": {"type": "str", "default": ""},
        "vpc_id": {"type": "str", "default": ""},
        "resources": {"type": "list", "elements": "dict", "default": [], "options": ownership.RESOURCE_SPEC},
        "kinds": {"type": "list", "elements": "str", "choices": list(KINDS)},
        "state": {"type": "str", "choices": ["absent", "listed"], "default": "listed"},
    }


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    if not params["tags"]:
        module.fail_json(msg="tags is empty: expected at least one tag, or nothing could be told apart")
    clients = functools.cache(lambda service: make_client(module, service))
    tags = {key: str(value) for key, value in params["tags"].items()}
    sweep = Sweep(
        Scope(clients, tags, params["cluster_name"], params["vpc_id"], params["resources"]),
        list(KINDS) if params["kinds"] is None else params["kinds"],
        delete=params["state"] == "absent",
        dry=module.check_mode,
    )

    def ensure() -> dict[str, t.Any]:
        if not params["wait"] or module.check_mode:
            sweep.look()
        else:
            try:
                sweep.wait(params["wait_timeout"], params["wait_delay"], _progress.report)
            except WaitError as error:
                module.fail_json(msg=str(error), **sweep.result())
        return sweep.result()

    finish(module, ensure)


if __name__ == "__main__":
    main()
