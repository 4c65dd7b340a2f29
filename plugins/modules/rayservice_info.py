#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rayservice_info
short_description: Tell how RayServices are doing
version_added: 0.1.0
description:
  - Lists RayServices with what decides whether they serve. That is more than their C(Ready) condition, which
    says no more than that one endpoint is ready.
  - Where KubeRay is not installed the list is empty.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.info_module
  - rayops.serve_ha.attributes.action_group_k8s
options:
  name:
    description: Name of the RayService. All of them if it is not given.
    type: str
  namespace:
    description: Namespace to look in. All of them if it is not given; required with O(name).
    type: str
  label_selectors:
    description: Only RayServices with all of these labels, each as C(key=value) or another label selector.
    type: list
    elements: str
    default: []
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
seealso:
  - module: rayops.serve_ha.rayservice_wait
"""

EXAMPLES = r"""
- name: Look at one RayService
  rayops.serve_ha.rayservice_info:
    name: mistral
    namespace: mistral
  register: mistral

- name: Show why it is not ready
  ansible.builtin.debug:
    msg: "{{ mistral.rayservices[0].reasons }}"
  when: not mistral.rayservices[0].ready

- name: Look at all RayServices of the cluster
  rayops.serve_ha.rayservice_info:
"""

RETURN = r"""
rayservices:
  description: The RayServices found.
  returned: success
  type: list
  elements: dict
  contains: &rayservice
    name:
      description: Its name.
      type: str
      returned: always
      sample: mistral
    namespace:
      description: Its namespace.
      type: str
      returned: always
      sample: mistral
    uid:
      description: Its UID.
      type: str
      returned: always
      sample: 5dd3f9a8-1c53-4b2a-9a83-b3b0a2b0c6f5
    generation:
      description: How often its spec has changed.
      type: int
      returned: always
      sample: 1
    ready:
      description:
        - Whether it serves as its spec demands. The spec has been observed, no upgrade is under way, every application is RUNNING,
          every deployment HEALTHY, and enough endpoints are ready.
      type: bool
      returned: always
      sample: true
    terminal:
      description: Whether it is in a state that it does not leave by itself.
      type: bool
      returned: always
      sample: false
    reasons:
      description: Why it is not ready, its pods' reasons included.
      type: list
      elements: str
      returned: always
      sample: []
    applications:
      description: State of each application, by name.
      type: dict
      returned: always
      sample: {mistral: RUNNING}
    ray_cluster:
      description: Name of the RayCluster that serves, empty before the first one does.
      type: str
      returned: always
      sample: mistral-kqz7w
    pending_ray_cluster:
      description: Name of the RayCluster that is about to take over, or empty.
      type: str
      returned: always
      sample: ""
    serve_endpoints:
      description: Number of pods that serve, as the operator counts them.
      type: int
      returned: always
      sample: 2
    serve_service:
      description: Name of the service to send requests to.
      type: str
      returned: always
      sample: mistral-serve-svc
    head:
      description: The head pod of the RayCluster that serves, of the same shape as an element of RV(rayservices[].pods). Empty without one.
      type: dict
      returned: always
      sample: {}
    pods:
      description: The pods of its RayClusters.
      type: list
      elements: dict
      returned: always
      sample:
        - name: mistral-kqz7w-head-x2x4f
          uid: 0a9e4a2e-5a0e-4e37-8a9a-0a9b8f4b4d58
          node_type: head
          ray_cluster: mistral-kqz7w
          node: node-1
          ip: 10.244.1.7
          phase: Running
          ready: true
          restarts: 0
          deleting: false
    nodes:
      description: Names of the nodes its pods run on.
      type: list
      elements: str
      returned: always
      sample: [node-1, node-2, node-3]
"""

import copy
import typing as t

from ansible_collections.kubernetes.core.plugins.module_utils.ansiblemodule import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.summary import summarize


def argument_spec() -> dict[str, t.Any]:
    return copy.deepcopy(AUTH_ARG_SPEC) | {
        "name": {"type": "str"},
        "namespace": {"type": "str"},
        "label_selectors": {"type": "list", "elements": "str", "default": []},
    }


def look(cluster: Cluster, params: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    query = {}
    if params["name"]:
        query["fieldSelector"] = f"metadata.name={params['name']}"
    if params["label_selectors"]:
        query["labelSelector"] = ",".join(params["label_selectors"])
    found = []
    for rayservice in cluster.rayservices(params["namespace"], **query):
        metadata = rayservice["metadata"]
        # KubeRay writes the name of the RayService that a RayCluster comes from on the cluster and on its pods.
        selector = f"ray.io/originated-from-cr-name={metadata['name']},ray.io/originated-from-crd=RayService"
        clusters = cluster.items(f"/apis/ray.io/v1/namespaces/{metadata['namespace']}/rayclusters", labelSelector=selector)
        pods = cluster.pods_of(metadata["namespace"], *(one["metadata"]["name"] for one in clusters))
        found.append(summarize(rayservice, pods))
    return found


def main() -> None:
    module = AnsibleK8SModule(
        module_class=AnsibleModule,
        argument_spec=argument_spec(),
        required_by={"name": ["namespace"]},
        supports_check_mode=True,
    )
    try:
        rayservices = look(Cluster(lambda: get_api_client(module)), module.params)
    except ApiFailure as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, rayservices=rayservices)


if __name__ == "__main__":
    main()
