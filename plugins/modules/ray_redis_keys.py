#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_redis_keys
short_description: Remove what Ray left behind in Redis
version_added: 0.1.0
description:
  - A RayCluster with GCS fault tolerance keeps its state in Redis, under keys C(RAY<storage namespace>@<table>). KubeRay
    removes them by a Job when the RayCluster is deleted. When that Job fails, or never runs, nobody notices and the keys stay.
  - This module looks for such keys and deletes them. Those of a RayCluster that exists in this Kubernetes cluster are never touched.
  - Redis is reached from within the Kubernetes cluster, by a Job of one short-lived pod that is removed in any case.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.action_group_k8s
attributes:
  check_mode:
    support: full
    details:
      - The pod runs in check mode too. It then looks and deletes nothing.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  namespace:
    description: Namespace that the pod runs in. The Secret of O(password_secret) has to be there.
    type: str
    required: true
  image:
    description: Image of the pod. It needs C(python); Ray's image, which the nodes have already, is the one to take.
    type: str
    required: true
  address:
    description: Address of Redis, C(redis://host:port), C(rediss://host:port) for TLS, or C(host:port), as seen from a pod in O(namespace).
    type: str
    required: true
  username:
    description: User to log in as. Empty for the default user.
    type: str
    default: ""
  password_secret:
    description: Where the password is. No password is sent if this is not given.
    type: dict
    suboptions:
      name:
        description: Name of the Secret.
        type: str
        required: true
      key:
        description: Its key.
        type: str
        required: true
  ca_config_map:
    description:
      - Where the certificate authorities (PEM) are that are trusted with C(rediss://), a ConfigMap in O(namespace). Those of
        O(image) are trusted if this is not given.
    type: dict
    suboptions:
      name:
        description: Name of the ConfigMap.
        type: str
        required: true
      key:
        description: Its key.
        type: str
        required: true
  storage_namespaces:
    description:
      - Whose keys to look for, which is the UID of the RayCluster unless C(externalStorageNamespace) was set.
      - An empty list means those of all RayClusters that do not exist in this Kubernetes cluster. Do not use it when another
        Kubernetes cluster keeps its RayClusters' state in the same Redis.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(absent) removes the keys. To look only, run the task with C(check_mode=true).
    type: str
    choices: [absent]
    default: absent
  when_unreachable:
    description:
      - What to do when there is no Redis to look into, that is, when the namespace, the Secret or the ConfigMap is missing, its name does not
        resolve, nobody answers at its address, its certificate is not trusted, or it refuses the password.
      - V(ignore) returns RV(reached=false) with a warning, for a teardown of what is half there.
    type: str
    choices: [fail, ignore]
    default: fail
  timeout:
    description: Seconds that the pod may take, from its creation to its end.
    type: int
    default: 120
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
"""

EXAMPLES = r"""
- name: Remove the keys of a RayCluster that has been deleted
  rayops.serve_ha.ray_redis_keys:
    namespace: mistral
    image: docker.io/rayproject/ray:2.60.0
    address: redis://redis.redis.svc:6379
    password_secret:
      name: redis
      key: password
    storage_namespaces: [5dd3f9a8-1c53-4b2a-9a83-b3b0a2b0c6f5]

- name: Look whether any key was left behind
  rayops.serve_ha.ray_redis_keys:
    namespace: mistral
    image: docker.io/rayproject/ray:2.60.0
    address: rediss://master.mistral.abcdef.use1.cache.amazonaws.com:6379
    password_secret:
      name: redis
      key: password
  check_mode: true
  register: left
  failed_when: left.keys_found | length > 0
"""

RETURN = r"""
reached:
  description: Whether Redis was reached.
  returned: success
  type: bool
  sample: true
storage_namespaces:
  description: The storage namespaces of which keys were found.
  returned: success
  type: list
  elements: str
  sample: [5dd3f9a8-1c53-4b2a-9a83-b3b0a2b0c6f5]
keys_found:
  description: The keys found. Outside check mode they have been deleted.
  returned: success
  type: list
  elements: str
  sample: [RAY5dd3f9a8-1c53-4b2a-9a83-b3b0a2b0c6f5@JOB, RAY5dd3f9a8-1c53-4b2a-9a83-b3b0a2b0c6f5@KV]
"""

import copy
import inspect
import json
import signal
import time
import typing as t

from ansible_collections.kubernetes.core.plugins.module_utils.ansiblemodule import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import pods as pod_rules
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import redis_script
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.redis_job import (
    CONTAINER,
    job,
    storage_namespaces,
)

POLL_SECONDS = 0.5


class NotThere(Exception):
    """There is no store to look into."""


def argument_spec() -> dict[str, t.Any]:
    place = {"name": {"type": "str", "required": True}, "key": {"type": "str", "required": True, "no_log": False}}
    return copy.deepcopy(AUTH_ARG_SPEC) | {
        "namespace": {"type": "str", "required": True},
        "image": {"type": "str", "required": True},
        "address": {"type": "str", "required": True},
        "username": {"type": "str", "default": ""},
        "password_secret": {"type": "dict", "no_log": False, "options": place},
        "ca_config_map": {"type": "dict", "options": place},
        "storage_namespaces": {"type": "list", "elements": "str", "default": []},
        "state": {"type": "str", "choices": ["absent"], "default": "absent"},
        "when_unreachable": {"type": "str", "choices": ["fail", "ignore"], "default": "fail"},
        "timeout": {"type": "int", "default": 120},
    }


def spared_namespaces(cluster: Cluster, wanted: list[str]) -> list[str]:
    """Storage namespaces in use. Raises ValueError if one of them was asked for by name."""
    used: dict[str, str] = {}
    for raycluster in cluster.rayclusters():
        metadata = raycluster["metadata"]
        used |= dict.fromkeys(storage_namespaces(raycluster), f"{metadata['namespace']}/{metadata['name']}")
    in_use = [f"{name} (RayCluster {used[name]})" for name in wanted if name in used]
    if in_use:
        raise ValueError(f"these storage namespaces are in use, delete the RayCluster first: {', '.join(in_use)}")
    return sorted(used)


def run_in_pod(cluster: Cluster, definition: dict[str, t.Any], timeout: int) -> dict[str, t.Any]:
    """Run the Job and return the line of JSON that it writes; the Job is gone afterwards, whatever happens.

    Raises NotThere if the namespace, the Secret or the ConfigMap is missing, ApiFailure on everything else that goes wrong.
    """
    namespace = definition["metadata"]["namespace"]
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    try:
        name = cluster.request("POST", jobs, body=definition).json()["metadata"]["name"]
    except ApiFailure as failure:
        if failure.status == 404:
            raise NotThere(f"there is no namespace {namespace}") from failure
        raise
    try:
        return follow(cluster, namespace, name, timeout)
    finally:
        cluster.request("DELETE", f"{jobs}/{name}", {"propagationPolicy": "Background", "gracePeriodSeconds": "0"})


def follow(cluster: Cluster, namespace: str, name: str, timeout: int) -> dict[str, t.Any]:
    deadline = time.monotonic() + timeout
    findings: list[pod_rules.Finding] = []
    while time.monotonic() < deadline:
        pods = cluster.pods(namespace, f"batch.kubernetes.io/job-name={name}")
        if pods and (pods[0].get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return read_log(cluster, namespace, pods[0]["metadata"]["name"])
        findings = pod_rules.findings(pods)
        for finding in findings:
            if "CreateContainerConfigError" in finding.text:
                raise NotThere(finding.text)
            if finding.patience == 0.0:
                raise ApiFailure(finding.text)
        time.sleep(POLL_SECONDS)
    seen = "; ".join(finding.text for finding in findings) or "its pod did not end"
    raise ApiFailure(f"the Job {name} in namespace {namespace} took longer than {timeout} s: {seen}")


def read_log(cluster: Cluster, namespace: str, pod: str) -> dict[str, t.Any]:
    log = cluster.log(namespace, pod, CONTAINER)
    try:
        return json.loads(log.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise ApiFailure(f"pod {pod} did not say what it found: {pod_rules.last_lines(log)}") from None


def look(cluster: Cluster, params: dict[str, t.Any], delete: bool) -> dict[str, list[str]]:
    """{storage namespace: [key, …]} of what is, or was, there."""
    wanted = params["storage_namespaces"]
    spared = spared_namespaces(cluster, wanted)
    definition = job(params, inspect.getsource(redis_script), wanted, spared, delete, params["timeout"])
    answer = run_in_pod(cluster, definition, params["timeout"])
    if "error" in answer:
        raise (ApiFailure if answer["reached"] else NotThere)(f"Redis at {params['address']}: {answer['error']}")
    return answer["keys"]


def end(*dummy: t.Any) -> t.NoReturn:
    """On a signal: an end that passes through the C(finally) that removes the Job."""
    raise SystemExit(1)


def main() -> None:
    module = AnsibleK8SModule(module_class=AnsibleModule, argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    signal.signal(signal.SIGTERM, end)
    try:
        redis_script.split_address(params["address"])
        found = look(Cluster(lambda: get_api_client(module)), params, delete=not module.check_mode)
    except NotThere as error:
        if params["when_unreachable"] == "fail":
            module.fail_json(msg=str(error))
        module.warn(f"Ray's keys were not looked for: {error}")
        module.exit_json(changed=False, reached=False, storage_namespaces=[], keys_found=[])
    except (ApiFailure, ValueError) as error:
        module.fail_json(msg=str(error))
    keys = [key for some in found.values() for key in some]
    result = {"changed": bool(keys), "reached": True, "storage_namespaces": sorted(found), "keys_found": keys}
    if module._diff:
        result["diff"] = {"before": {"keys": keys}, "after": {"keys": []}}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
