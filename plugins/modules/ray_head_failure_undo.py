#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_head_failure_undo
short_description: Undo what a killed failure check of a RayService has left
version_added: 0.1.0
description:
  - M(rayops.serve_ha.ray_head_failure_check) undoes what it does, also when it fails or is interrupted. When it is killed, that
    stays, until the next check of the RayService begins, or until this module runs.
  - Pods that carry load are deleted, nodes that were drained uncordoned, the Deployments of the KubeRay operator scaled to what
    they were, and the command C(failure_commands.end) of that check is run, if it was noted down by the user and on the machine
    that run this module.
  - Of a check that is under way it takes everything away. The RayService itself need not be there any more.
options:
  name:
    description: Name of the RayService.
    type: str
    required: true
  namespace:
    description: Namespace of the RayService.
    type: str
    required: true
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.action_group_k8s
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
notes:
  - The account needs to list and delete pods. Nodes, deployments and secrets are looked at if it may get and list them, and to put
    them right it needs to patch nodes and deployments and to delete secrets.
  - The command comes from a Secret in O(namespace), and is run only if a signature proves that the check that noted it down ran as the
    same user on the same machine. Otherwise the module undoes everything else, fails, and says what to do. The key is in
    C(rayops.serve_ha/undo.key) under E(XDG_STATE_HOME) or C(~/.local/state), where the check makes it when it is needed first.
seealso:
  - module: rayops.serve_ha.ray_head_failure_check
author:
  - The rayops.serve_ha authors (@rayops)
"""

EXAMPLES = r"""
- name: Be sure that no failure lasts
  rayops.serve_ha.ray_head_failure_undo:
    name: mistral
    namespace: mistral
"""

RETURN = r"""
undone:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample:
    - load pod mistral-head-failure-check-x7k2p deleted
    - Deployment kuberay-operator/kuberay-operator scaled to 1
"""

from copy import deepcopy

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.undo import StrikeError, left, perform
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import cluster as kuberay
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure


def main() -> None:
    module = AnsibleK8SModule(
        argument_spec={
            **deepcopy(AUTH_ARG_SPEC),
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    cluster = Cluster(kuberay.Cluster(lambda: get_api_client(module)), module.params["namespace"], module.params["name"])
    try:
        found = left(cluster)
        if not module.check_mode:
            perform(one.undo for one in found)
    except (ApiFailure, StrikeError) as error:
        module.fail_json(msg=f"What a killed check has left could not be undone: {error}")
    module.exit_json(changed=bool(found), undone=[one.words for one in found])


if __name__ == "__main__":
    main()
