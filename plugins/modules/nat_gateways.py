#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nat_gateways
short_description: All NAT gateways of a VPC, with their addresses
version_added: 0.1.0
description:
  - Creates public NAT gateways with an Elastic IP address each. All are started, then one wait lasts until all are available.
  - Deletes them, waits until they are gone, and then releases their addresses.
  - A run that was stopped anywhere is finished by the next one. What it has made bears the O(owner_tags) from its first moment.
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
options:
  state:
    description:
      - V(present) sees to it that each of the O(gateways) is there. Others are not touched, see RV(unused).
      - V(absent) deletes all gateways with the O(owner_tags) but those to O(keep), and releases all other addresses with them.
    type: str
    choices: [present, absent]
    default: present
  owner_tags:
    description:
      - Tags by which the module tells its own gateways and addresses from all others. What it makes gets them.
      - A gateway without them is never deleted, and one that stands where one of the O(gateways) is wanted ends the task.
    type: dict
    required: true
  vpc_id:
    description: The VPC of the O(gateways). Required with O(state=present).
    type: str
  gateways:
    description:
      - The gateways to have, at most one in a subnet. Required with O(state=present).
      - A gateway is found by its subnet.
    type: list
    elements: dict
    suboptions:
      name:
        description: Its tag C(Name), and that of its address.
        type: str
        required: true
      subnet_id:
        description: Its public subnet. May be empty in check mode, for a subnet that is not there yet.
        type: str
        required: true
  keep:
    description: With O(state=absent), ids of gateways that stay, with their addresses.
    type: list
    elements: str
    default: []
  wait:
    description:
      - Whether to wait until the gateways are available. A gateway that fails ends the wait at once, with AWS' own reason.
      - Deletion always waits, as an address cannot be released before.
    type: bool
    default: true
  wait_timeout:
    description: Longest time to wait, in seconds. AWS takes one to three minutes.
    type: int
    default: 600
requirements:
  - python >= 3.11
seealso:
  - module: amazon.aws.ec2_vpc_nat_gateway
"""

EXAMPLES = r"""
- name: One gateway in each zone
  rayops.serve_ha.nat_gateways:
    vpc_id: vpc-0123456789abcdef0
    owner_tags: {"rayops.serve_ha/deployment": mistral}
    gateways:
      - name: mistral-nat-us-west-2a
        subnet_id: subnet-0aaaaaaaaaaaaaaaa
      - name: mistral-nat-us-west-2b
        subnet_id: subnet-0bbbbbbbbbbbbbbbb
  register: nat

- name: Remove those that are no longer used
  rayops.serve_ha.nat_gateways:
    state: absent
    owner_tags: {"rayops.serve_ha/deployment": mistral}
    keep: "{{ nat.gateways | map(attribute='nat_gateway_id') }}"
  when: nat.unused | length > 0

- name: Remove all
  rayops.serve_ha.nat_gateways:
    state: absent
    owner_tags: {"rayops.serve_ha/deployment": mistral}
"""

RETURN = r"""
gateways:
  description: The gateways of O(gateways), in that order; with O(state=absent) those that stay.
  returned: success
  type: list
  elements: dict
  sample:
    - name: mistral-nat-us-west-2a
      subnet_id: subnet-0aaaaaaaaaaaaaaaa
      nat_gateway_id: nat-0123456789abcdef0
      state: available
      public_ip: 192.0.2.10
      allocation_ids: [eipalloc-0123456789abcdef0]
unused:
  description: Ids of the owner's other gateways in the VPC. Each costs money by the hour.
  returned: success
  type: list
  elements: str
  sample: []
last_seen:
  description: What the wait saw last.
  returned: when the wait failed
  type: str
  sample: nat-0123456789abcdef0 pending
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, resource_options
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.nat.api import PASSING_CODES, NatApi
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.nat.ensure import NatGateways
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **resource_options(wait_timeout=600),
            "owner_tags": {"type": "dict", "required": True},
            "vpc_id": {"type": "str"},
            "gateways": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "subnet_id": {"type": "str", "required": True},
                },
            },
            "keep": {"type": "list", "elements": "str", "default": []},
        },
        required_if=[("state", "present", ("vpc_id", "gateways"))],
        supports_check_mode=True,
    )
    ensure = NatGateways(NatApi(make_client(module, "ec2", PASSING_CODES)), module.params, module.check_mode, report)
    finish(module, ensure.present if module.params["state"] == "present" else ensure.absent)


if __name__ == "__main__":
    main()
