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
    kubeconfig has to answer instead. With O(aws), it is the AWS account that is asked. With none of them, only O(ray_service)
    is looked at.
  - Names in the messages are those of the variables of the collection's roles.
  - Changes nothing.
  - The options of the connection to AWS are used with O(aws) only.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.info_module
  - rayops.serve_ha.attributes.action_group_aws
  - rayops.serve_ha.preflight_aws
options:
  kubeconfig:
    description: Path of the kubeconfig of a cluster that exists; empty for a local cluster.
    type: str
    default: ""
  redis_backend:
    description:
      - Where the state of Ray's head is kept, V(in_cluster), V(existing), V(none), or, with O(aws), V(elasticache). Fault tolerance
        is on unless it is V(none).
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
      profile_content:
        description:
          - What the file of the profile sets, its C(ray_service__profile). Without it neither this is looked at, nor what
            follows from it, such as whether there has to be a token.
        type: dict
      accept_unsupported:
        description: Whether a profile is taken that says of itself that it is not supported.
        type: bool
        default: false
      applications:
        description:
          - Applications in place of the profile's, as in a Serve config. What a deployment does not say is C(num_replicas) of
            O(ray_service.num_replicas), and C(max_replicas_per_node) of 1.
        type: list
        elements: dict
        default: []
      openai_api:
        description: Whether the O(ray_service.applications) have OpenAI's API.
        type: bool
        default: false
      num_replicas:
        description: Number of workers and of replicas of each deployment.
        type: int
        default: 2
      ray_version:
        description: Version of Ray in the image; empty for that of the profile, or the role's own.
        type: str
        default: ""
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
      redis_ca:
        description: Certificate authorities (PEM) that are trusted with a Redis over TLS; empty for those of the image.
        type: str
        default: ""
      image:
        description:
          - Image of head and workers; required, except for a cluster of O(local_cluster), which builds its own, and for a profile
            that names one.
        type: str
        default: ""
      model:
        description: Name of the model; empty for the profile's.
        type: str
        default: ""
      model_source:
        description: Where the model comes from; empty for a model of the Hugging Face hub with that name, if the profile takes it from there.
        type: str
        default: ""
      tensor_parallel_size:
        description: Number of accelerators, or their cores, over which a model is spread; V(0) for the profile's.
        type: int
        default: 0
      model_cache:
        description: Volume that keeps what is fetched, as in a pod's spec, without its name.
        type: dict
        default: {}
      compile_cache:
        description: Volume that keeps what is compiled, likewise.
        type: dict
        default: {}
      hf_token:
        description: Token of the Hugging Face hub.
        type: str
        default: ""
      hf_token_secret:
        description: The Secret with the token, its C(namespace), C(name) and C(key).
        type: dict
        default: {}
      hf_secret_token:
        description: The token in O(ray_service.hf_token_secret), for those who have read it.
        type: str
      gguf_path:
        description:
          - Path of the model's file on the nodes, or in O(ray_service.gguf_volume); empty for the one in the image. On the nodes of
            O(local_cluster) the file is looked at.
        type: str
        default: ""
      gguf_volume:
        description: Volume with the model's file, as in a pod's spec, without its name.
        type: dict
        default: {}
      gguf_url:
        description: Where the model's file is fetched from.
        type: str
        default: ""
      gguf_sha256:
        description: Its SHA-256, in hexadecimal digits.
        type: str
        default: ""
      env:
        description:
          - Names of the environment variables that head and workers are given, without those that are only a reference to the
            token, C($(HF_TOKEN)).
        type: list
        elements: str
        default: []
      tokens_in:
        description:
          - Names of the variables, but O(ray_service.hf_token), in which something looks like a token of the Hugging Face hub. Who calls
            the module looks for it, so that nothing of it is handed over.
        type: list
        elements: str
        default: []
      worker_drain_seconds:
        description: Seconds that a worker which is deleted has for the requests that it has taken.
        type: int
        default: 60
  local_cluster:
    description: The local cluster; not looked at if it is not given, or if O(kubeconfig) or O(aws) is.
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
  - boto3 and botocore, with O(aws)
notes:
  - What AWS does not tell, such as a quota that the caller may not read, is a warning and no problem.
  - The simulator of IAM knows no policies of resources and of sessions. Where it is wrong, switch O(aws.check_permissions) off.
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
      redis:
        address: redis://redis.example.com:6379
      image: registry.example.com/ray-cpu:1

- name: Look whether an AWS account can take a deployment
  rayops.serve_ha.preflight:
    region: us-west-2
    redis_backend: elasticache
    aws:
      name: mistral
      tags:
        rayops.serve_ha/deployment: mistral
      names:
        - {type: "eks:cluster", name: mistral}
        - {type: "elasticache:replicationgroup", name: mistral}
      instance_type: inf2.24xlarge
      instances:
        inf2.24xlarge: 2
        m5.2xlarge: 2
      elastic_ips: 2
      vpcs: 1
"""

RETURN = r"""
checked:
  description: What has been looked at and found good, V(kubeconfig), V(local_cluster) or V(aws), and V(ray_service).
  returned: success
  type: list
  elements: str
  sample: [local_cluster, ray_service]
aws:
  description: What the deployment on AWS needs to know; empty without O(aws).
  returned: success
  type: dict
  contains:
    account_id:
      description: Account of the caller.
      type: str
      returned: with O(aws)
      sample: "123456789012"
    caller_arn:
      description: ARN of the caller.
      type: str
      returned: with O(aws)
      sample: arn:aws:iam::123456789012:user/ops
    zones:
      description: Names of the zones to use, in the order of O(aws.zones), or else those with the accelerator first.
      type: list
      elements: str
      returned: with O(aws)
      sample: [us-west-2c, us-west-2a]
    zone_ids:
      description: Their ids, which mean the same zones in every account.
      type: list
      elements: str
      returned: with O(aws)
      sample: [usw2-az1, usw2-az2]
"""

import os
import typing as t

from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import aws_account, checks, facts, ray_service

OPTIONS = {
    "kubeconfig": {"type": "str", "default": ""},
    "redis_backend": {"type": "str"},
    "ray_service": {"type": "dict", "options": ray_service.OPTIONS},
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
    "aws": {"type": "dict", "options": aws_account.OPTIONS},
}


def find_problems(params: dict, run: facts.Run, on_aws: bool) -> dict[str, list[str]]:
    """Gather what the given parts, but AWS, need, and judge it: part -> its problems."""
    found = {}
    kubeconfig, cluster, service = params["kubeconfig"], params["local_cluster"], params["ray_service"]
    if kubeconfig:
        found["kubeconfig"] = checks.kubeconfig_problems(kubeconfig, facts.kubernetes_api(kubeconfig))
    elif cluster and not on_aws:
        machine = facts.machine(cluster, run)
        found["local_cluster"] = [
            *checks.machine_problems(machine),
            *checks.room_problems(machine, cluster),
            *checks.network_problems(machine["routes"], cluster),
        ]
    if service:
        local = bool(cluster) and not kubeconfig and not on_aws
        found["ray_service"] = ray_service.ray_service_problems(
            service, params["redis_backend"], local, os.path.isfile, facts.file_start, on_aws
        )
    return found


def main() -> None:
    # boto3 is asked for only where AWS is.
    module = AnsibleAWSModule(argument_spec=OPTIONS, supports_check_mode=True, check_boto3=False)
    values = module.params["aws"]
    on_aws = values is not None
    account: dict[str, t.Any] = {}
    found = {}
    if on_aws:
        seen, account = aws_account.look(module, values)
        found["aws"] = seen.problems
        for warning in seen.warnings:
            # Not by the module's own method: amazon.aws hands such warnings to exit_json, which ansible-core is to forbid.
            warn(warning)
    found |= find_problems(module.params, module.run_command, on_aws)
    problems = [problem for part in found.values() for problem in part]
    if problems:
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        module.fail_json(msg="\n- ".join([f"Creating nothing, because of {count}:", *problems]))
    module.exit_json(changed=False, checked=list(found), aws=account)


if __name__ == "__main__":
    main()
