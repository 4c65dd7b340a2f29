#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rayservice_wait
short_description: Wait until a RayService really serves
version_added: 0.1.0
description:
  - Waits until the operator has acted on the present spec, no upgrade is under way, every application is RUNNING and every
    deployment HEALTHY, as many serve endpoints are ready as the deployments need nodes, the head pod is ready, and each
    deployment has as many running replicas as C(serveConfigV2) says. The last it asks the head's dashboard, through the API
    server (C(pods/proxy)).
  - Stops at once when that cannot come any more, with the operator's, the application's, the registry's or the head's own
    message. Such are a spec that the operator refuses, an application that fails to deploy, an image that does not exist, a
    Secret that is missing, a head that ends again and again.
  - When the time is up it fails with what it saw last, the pods' reasons and the newest Warning events of the namespace.
  - An API server that refuses requests for a moment, restarts or cuts connections does not end the wait, nor does a
    token that has to be renewed.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.info_module
  - rayops.serve_ha.attributes.action_group_k8s
  - rayops.serve_ha.attributes.progress
options:
  name:
    description: Name of the RayService.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  timeout:
    description: Longest time to wait, in seconds.
    type: int
    default: 600
  request_path:
    description:
      - When the RayService is ready, send a GET request with this path (and query) to its serve service, on port 8000, through
        the API server's proxy. It has to be answered with a status of 2xx, within a minute.
      - No request is sent if this is not given.
    type: str
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
seealso:
  - module: rayops.serve_ha.rayservice_info
"""

EXAMPLES = r"""
- name: Wait until the RayService serves
  rayops.serve_ha.rayservice_wait:
    name: mistral
    namespace: mistral

- name: Wait until it answers a request
  rayops.serve_ha.rayservice_wait:
    name: mistral
    namespace: mistral
    timeout: 900
    request_path: /infer?sentence=hello
  register: served

- name: Show the answer
  ansible.builtin.debug:
    msg: "{{ served.response.body }}"
"""

RETURN = r"""
rayservice:
  description: The RayService as rayops.serve_ha.rayservice_info returns it; empty if there is none. Also returned on failure.
  returned: always
  type: dict
  sample:
    name: mistral
    namespace: mistral
    ready: true
    terminal: false
    reasons: []
    applications: {mistral: RUNNING}
    ray_cluster: mistral-kqz7w
    pending_ray_cluster: ""
    serve_endpoints: 2
    serve_service: mistral-serve-svc
    nodes: [node-1, node-2, node-3]
waited_seconds:
  description: For how long it waited.
  returned: always
  type: float
  sample: 31.2
response:
  description: The answer to O(request_path).
  returned: when O(request_path) was sent
  type: dict
  contains:
    status:
      description: HTTP status.
      type: int
      returned: always
      sample: 200
    headers:
      description: Headers of the answer, names in lower case.
      type: dict
      returned: always
      sample: {content-type: application/json}
    body:
      description: The first 2000 characters of the body.
      type: str
      returned: always
      sample: '["hello you"]'
terminal:
  description: Whether waiting longer could not have helped.
  returned: on failure
  type: bool
  sample: false
reasons:
  description: What kept it from being ready.
  returned: on failure
  type: list
  elements: str
  sample: [RayCluster mistral-kqz7w is pending, 0 of at least 2 serve endpoints are ready]
events:
  description: The newest Warning events of the namespace, when the time was up.
  returned: on failure
  type: list
  elements: str
  sample: ["Pod mistral-kqz7w-head-x2x4f: FailedScheduling: 0/3 nodes are available: 3 Insufficient memory."]
"""

import copy
import typing as t

from ansible_collections.kubernetes.core.plugins.module_utils.ansiblemodule import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.cluster import Cluster, RayServiceReader
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.summary import summarize
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.wait import Outcome, Wait
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def argument_spec() -> dict[str, t.Any]:
    return copy.deepcopy(AUTH_ARG_SPEC) | {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "timeout": {"type": "int", "default": 600},
        "request_path": {"type": "str"},
    }


def result_of(outcome: Outcome) -> dict[str, t.Any]:
    """What the module returns, whether it fails or not."""
    result: dict[str, t.Any] = {
        "changed": False,
        "rayservice": summarize(outcome.rayservice, outcome.pods) if outcome.rayservice else {},
        "waited_seconds": outcome.seconds,
    }
    if outcome.response:
        result["response"] = outcome.response.excerpt()
    if outcome.end != "ready":
        result |= {"terminal": outcome.end == "terminal", "reasons": outcome.reasons, "events": outcome.events}
    return result


def main() -> None:
    module = AnsibleK8SModule(module_class=AnsibleModule, argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    label = f"{params['namespace']}/{params['name']}"
    # No pauses: the wait itself looks again.
    cluster = Cluster(lambda: get_api_client(module), pauses=())
    reader = RayServiceReader(cluster, params["namespace"], params["name"])
    outcome = Wait(reader, label, params["timeout"], params["request_path"], report=report).run()
    result = result_of(outcome)
    if outcome.end != "ready":
        module.fail_json(msg=f"RayService {label}: {outcome.message}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
