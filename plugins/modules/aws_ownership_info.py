#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_ownership_info
short_description: Tell whether names in an AWS account are ours, somebody else's, or free
version_added: 0.1.0
description:
  - Looks up resources by type and name, and sorts them by their tags. What carries all of O(tags) is owned, what exists without
    them is foreign, and what does not exist is missing.
  - So that a deployment never adopts silently, and never deletes, what only happens to have a name that it uses.
  - Makes one call a resource, or two where AWS tells the tags by a call of their own.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.info_module
  - rayops.serve_ha.attributes.action_group_aws
  - rayops.serve_ha.attributes.progress
  - rayops.serve_ha.aws_resources
options:
  resources:
    description: What to look up.
    required: true
  wait:
    description:
      - ElastiCache does not tell the tags of a replication group that is being created, changed or deleted.
      - With V(true) they are awaited, with V(false) the group is returned in RV(unknown).
    type: bool
    default: true
  wait_timeout:
    description: Longest wait for tags, in seconds.
    type: int
    default: 2400
  wait_delay:
    description: Seconds between two looks of that wait.
    type: int
    default: 10
notes:
  - A policy is looked up at the path C(/), and a rule on the default event bus.
"""

EXAMPLES = r"""
- name: Look whose the names are
  rayops.serve_ha.aws_ownership_info:
    tags:
      rayops.serve_ha/deployment: mistral
    resources:
      - {type: "eks:cluster", name: mistral}
      - {type: "iam:role", name: mistral-eks-cluster}
  register: names

- name: Touch nothing that is not ours
  ansible.builtin.assert:
    that: names.foreign | length == 0
    fail_msg: "{{ names.foreign_text }}"
"""

RETURN = r"""
owned:
  description: Exist and carry all of the tags.
  returned: success
  type: list
  elements: dict
  contains: &resource
    type:
      description: Its type.
      type: str
      returned: always
      sample: eks:cluster
    name:
      description: Its name.
      type: str
      returned: always
      sample: mistral
    arn:
      description: Its ARN, for an alias that of its key; empty if it is missing, or where AWS does not tell it.
      type: str
      returned: always
      sample: arn:aws:eks:us-west-2:123456789012:cluster/mistral
foreign:
  description: Exist without the tags.
  returned: success
  type: list
  elements: dict
  contains: *resource
missing:
  description: Do not exist.
  returned: success
  type: list
  elements: dict
  contains: *resource
unknown:
  description: Exist, and AWS does not tell their tags at present; only with O(wait=false).
  returned: success
  type: list
  elements: dict
  contains: *resource
foreign_text:
  description: One line that names what is foreign, for messages; empty if nothing is.
  returned: success
  type: str
  sample: iam:role 'mistral-eks-cluster' exists without the tag rayops.serve_ha/deployment=mistral, so not of this deployment
"""

import functools
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils import _progress
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import ownership
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, wait_options
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, wait_until


def argument_spec() -> dict[str, t.Any]:
    return {
        **wait_options(2400),
        "tags": {"type": "dict", "required": True},
        "resources": {"type": "list", "elements": "dict", "required": True, "options": ownership.RESOURCE_SPEC},
    }


def look(clients: ownership.Clients, params: dict[str, t.Any]) -> dict[str, t.Any]:
    tags = {key: str(value) for key, value in params["tags"].items()}
    looked = ownership.look(clients, params["resources"], tags)
    if looked["unknown"] and params["wait"]:
        unknown = looked.pop("unknown")

        def once_more() -> Seen:
            again = ownership.look(clients, unknown, tags)
            return Seen("" if again["unknown"] else "ready", "not told yet", again)

        goal = f"the tags of {ownership.name_all(unknown)}"
        later = wait_until(goal, once_more, params["wait_timeout"], params["wait_delay"], report=_progress.report)
        looked = {place: looked.get(place, []) + later[place] for place in later}
    return {"changed": False, **looked, "foreign_text": ownership.foreign_text(looked["foreign"], tags)}


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    if not module.params["tags"]:
        module.fail_json(msg="tags is empty: expected at least one tag, or everything would count as owned")
    clients = functools.cache(lambda service: make_client(module, service))
    finish(module, lambda: look(clients, module.params))


if __name__ == "__main__":
    main()
