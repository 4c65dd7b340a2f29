#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_ownership_info
short_description: Tell whether objects in a cluster are ours or somebody else's
version_added: 0.1.0
description:
  - Looks up objects by kind and name, or all of a kind, and sorts them by their labels. What carries all of O(labels) is owned, what
    exists without them is foreign.
  - So that a deployment never takes over silently, and never deletes, what only happens to have a name that it uses.
  - Makes one request for each of O(resources).
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.info_module
  - rayops.serve_ha.attributes.action_group_k8s
options:
  labels:
    description:
      - What is ours carries all of these labels, by itself or on the pods that it makes.
    type: dict
    required: true
  resources:
    description: What to look up. A kind that the cluster does not know has no objects.
    type: list
    elements: dict
    required: true
    suboptions:
      api_version:
        description: Its API, such as V(storage.k8s.io/v1).
        type: str
        required: true
      kind:
        description: Its kind.
        type: str
        required: true
      name:
        description: Its name. Empty for all objects of the kind.
        type: str
        default: ""
      namespace:
        description: Its namespace. Empty for what is in none, and, without a name, for those of all namespaces.
        type: str
        default: ""
      label_selectors:
        description: Without a name, only the objects that all of these select.
        type: list
        elements: str
        default: []
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
"""

EXAMPLES = r"""
- name: Look whose they are
  rayops.serve_ha.k8s_ownership_info:
    labels:
      rayops.serve-ha/deployment: mistral
    resources:
      - {api_version: storage.k8s.io/v1, kind: StorageClass, name: gp3}
      - {api_version: karpenter.sh/v1, kind: NodePool}
      - {api_version: apps/v1, kind: Deployment, label_selectors: [app.kubernetes.io/name=karpenter]}
  register: found

- name: Touch nothing that is not ours
  ansible.builtin.assert:
    that: found.foreign | length == 0
"""

RETURN = r"""
owned:
  description: Exist and carry all of the labels, in the order of O(resources).
  returned: success
  type: list
  elements: dict
  contains: &object
    apiVersion:
      description: Its API.
      type: str
      returned: always
      sample: karpenter.sh/v1
    kind:
      description: Its kind.
      type: str
      returned: always
      sample: NodePool
    metadata:
      description: Its C(name), C(namespace) if it is in one, C(annotations), and C(labels), with those of the pods that it makes.
      type: dict
      returned: always
      sample: {name: head, labels: {rayops.serve-ha/deployment: mistral}, annotations: {}}
foreign:
  description: Exist without the labels.
  returned: success
  type: list
  elements: dict
  contains: *object
"""

import copy
import typing as t

from ansible_collections.kubernetes.core.plugins.module_utils.ansiblemodule import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import ownership
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Api, ApiFailure


def argument_spec() -> dict[str, t.Any]:
    resource = {
        "api_version": {"type": "str", "required": True},
        "kind": {"type": "str", "required": True},
        "name": {"type": "str", "default": ""},
        "namespace": {"type": "str", "default": ""},
        "label_selectors": {"type": "list", "elements": "str", "default": []},
    }
    return copy.deepcopy(AUTH_ARG_SPEC) | {
        "labels": {"type": "dict", "required": True},
        "resources": {"type": "list", "elements": "dict", "required": True, "options": resource},
    }


def main() -> None:
    module = AnsibleK8SModule(module_class=AnsibleModule, argument_spec=argument_spec(), supports_check_mode=True)
    labels = {key: str(value) for key, value in module.params["labels"].items()}
    if not labels:
        module.fail_json(msg="labels is empty: expected at least one label, or everything would count as owned")
    try:
        found = ownership.look(Api(lambda: get_api_client(module)), module.params["resources"], labels)
    except ApiFailure as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
