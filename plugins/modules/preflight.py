#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Find everything that would stop a deployment, before anything is created
version_added: 0.1.0
author:
  - The rayops.serve_ha authors (@rayops)
description:
  - Looks at the variables of a deployment and at what it is to be built on, and fails with all problems in one message. Each
    problem names the variable, its value, what was expected, and the way out.
  - With O(local_cluster) it is this machine that is looked at, for a local cluster. With O(kubeconfig), the cluster of that
    kubeconfig has to answer instead. With neither, only O(ray_service) is looked at.
  - Names in the messages are those of the variables of the collection's roles.
  - Changes nothing.
extends_documentation_fragment:
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.info_module
options:
  kubeconfig:
    description: Path of the kubeconfig of a cluster that exists; empty for a local cluster.
    type: str
    default: ""
  redis_backend:
    description:
      - Where the state of Ray's head is kept, V(in_cluster), V(existing) or V(none). Fault tolerance is on unless it is V(none).
      - If it is not given, fault tolerance is on if O(ray_service.redis) is not empty, as in the role P(rayops.serve_ha.ray_service#role).
    type: str
  ray_service:
    description: The Ray service; not looked at if it is not given.
    type: dict
    suboptions:
      name:
        description: Name of the RayService.
        type: str
        required: true
      namespace:
        description: Its namespace.
        type: str
        required: true
      profile:
        description: Name of a profile, or the path of a profile's file.
        type: str
        default: cpu
      profiles:
        description: Names of the profiles that there are.
        type: list
        elements: str
        default: [cpu]
      num_replicas:
        description: Number of workers and of replicas of each deployment.
        type: int
        default: 2
      ray_version:
        description: Version of Ray in the image.
        type: str
        required: true
      redis:
        description:
          - The Redis that keeps the head's state, with C(address), C(username), and C(password_secret) of C(namespace), C(name) and
            C(key). Looked at with O(redis_backend=existing), or without O(redis_backend).
        type: dict
        default: {}
      redis_password_given:
        description: Whether the password of the Redis is given by itself, which excludes a C(password_secret).
        type: bool
        default: false
      image:
        description: Image of head and workers; required, except for a cluster of O(local_cluster), which builds its own.
        type: str
        default: ""
      image_needs:
        description: What the profile needs the image to hold; shown when there is no image.
        type: str
        default: ""
      gguf_path:
        description:
          - Path of the model's file on the nodes; empty for the one in the image. With O(local_cluster) the file is looked at.
        type: str
        default: ""
      env:
        description: Names of the environment variables that head and workers are given.
        type: list
        elements: str
        default: []
  local_cluster:
    description: The local cluster; not looked at if it is not given, or if O(kubeconfig) is.
    type: dict
    suboptions:
      name:
        description: Name of the cluster.
        type: str
        required: true
      nodes:
        description: Number of nodes.
        type: int
        default: 3
      network:
        description: Network that joins the nodes.
        type: str
        required: true
      pod_network:
        description: Network of the pods.
        type: str
        required: true
      service_network:
        description: Network of the services.
        type: str
        required: true
      state_dir:
        description: Directory of what the cluster writes.
        type: path
        required: true
      cache_dir:
        description: Directory of programs and images.
        type: path
        required: true
      memory_mb_needed:
        description: Memory that has to be available before the cluster runs, in MB.
        type: int
        default: 5000
requirements:
  - kubernetes, with O(kubeconfig)
"""

EXAMPLES = r"""
- name: Look whether this machine can run a cluster
  rayops.serve_ha.preflight:
    local_cluster:
      name: serve-ha
      network: 10.250.0.0/24
      pod_network: 10.244.0.0/16
      service_network: 10.96.0.0/16
      state_dir: /var/lib/rayops/serve-ha
      cache_dir: ~/.cache/rayops.serve_ha

- name: Look whether a Ray service can be created on a cluster that exists
  rayops.serve_ha.preflight:
    kubeconfig: ~/.kube/config
    redis_backend: existing
    ray_service:
      name: mistral
      namespace: mistral
      ray_version: 2.60.0
      redis:
        address: redis://redis.example.com:6379
      image: registry.example.com/ray-cpu:1
"""

RETURN = r"""
checked:
  description: What has been looked at and found good, V(kubeconfig) or V(local_cluster), and V(ray_service).
  returned: success
  type: list
  elements: str
  sample: [local_cluster, ray_service]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import checks, facts
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.ray_service import ray_service_problems

OPTIONS = {
    "kubeconfig": {"type": "str", "default": ""},
    "redis_backend": {"type": "str"},
    "ray_service": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "profile": {"type": "str", "default": "cpu"},
            "profiles": {"type": "list", "elements": "str", "default": ["cpu"]},
            "num_replicas": {"type": "int", "default": 2},
            "ray_version": {"type": "str", "required": True},
            "redis": {"type": "dict", "default": {}},
            # Not the password, only whether there is one.
            "redis_password_given": {"type": "bool", "default": False, "no_log": False},
            "image": {"type": "str", "default": ""},
            "image_needs": {"type": "str", "default": ""},
            "gguf_path": {"type": "str", "default": ""},
            "env": {"type": "list", "elements": "str", "default": []},
        },
    },
    "local_cluster": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "nodes": {"type": "int", "default": 3},
            "network": {"type": "str", "required": True},
            "pod_network": {"type": "str", "required": True},
            "service_network": {"type": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
            "cache_dir": {"type": "path", "required": True},
            "memory_mb_needed": {"type": "int", "default": 5000},
        },
    },
}


def find_problems(params: dict, run: facts.Run) -> dict[str, list[str]]:
    """Gather what the given parts need, and judge it: part -> its problems."""
    found = {}
    kubeconfig, cluster, service = params["kubeconfig"], params["local_cluster"], params["ray_service"]
    if kubeconfig:
        found["kubeconfig"] = checks.kubeconfig_problems(kubeconfig, facts.kubernetes_api(kubeconfig))
    elif cluster:
        machine = facts.machine(cluster, run)
        found["local_cluster"] = [
            *checks.machine_problems(machine),
            *checks.room_problems(machine, cluster),
            *checks.network_problems(machine["routes"], cluster),
        ]
    if service:
        local = bool(cluster) and not kubeconfig
        found["ray_service"] = ray_service_problems(
            service, params["redis_backend"], local, os.path.isfile, facts.file_start
        )
    return found


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    found = find_problems(module.params, module.run_command)
    problems = [problem for part in found.values() for problem in part]
    if problems:
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        module.fail_json(msg="\n- ".join([f"Creating nothing, because of {count}:", *problems]))
    module.exit_json(changed=False, checked=list(found))


if __name__ == "__main__":
    main()
