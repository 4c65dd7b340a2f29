# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for the variables of a Ray service. Pure: values -> list of problems, each one line for the user."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import ray_applications, ray_model
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import hide_credentials, problem

# KubeRay names pods and services after the RayService and adds up to 16 characters to it; a label may have 63.
NAME_LENGTH = 47
# Before, a Serve controller that restarts can take all replicas out of service.
RAY_VERSION_WITH_FAULT_TOLERANCE = (2, 56)
REDIS_BACKENDS = ("in_cluster", "existing", "none")
REDIS_BACKENDS_ON_AWS = ("elasticache", *REDIS_BACKENDS)
# No user, no password (they have variables of their own), no second address, and the port by name.
REDIS_ADDRESS = re.compile(r"rediss?://[^@:/,\s]+:[0-9]{1,5}")
PASSWORD_SECRET_KEYS = ("namespace", "name", "key")
# A proxy that drains takes at least 30 s for it (RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S), and the controller looks every few seconds.
LEAST_WORKER_DRAIN = 35
# KubeRay sets these itself from gcsFaultToleranceOptions and refuses a RayService that sets them too; a fixed storage
# namespace would be shared by the old and the new cluster of an upgrade.
RESERVED_ENV = ("RAY_REDIS_ADDRESS", "REDIS_USERNAME", "REDIS_PASSWORD", "RAY_external_storage_namespace")
# Each of them takes the proxies off all workers, unless HAProxy stands in their place (Ray 2.60, controller.py).
PROXIES_ON_HEAD_ONLY = ("RAY_SERVE_THROUGHPUT_OPTIMIZED", "RAY_SERVE_ENABLE_DIRECT_INGRESS")
# Under these names programs look for a token. It would stand in the RayService, for all who may read that.
TOKEN_ENV = (
    "HF_TOKEN",
    "HF_API_TOKEN",
    "HF_HUB_TOKEN",
    "HUGGINGFACEHUB_API_TOKEN",
    "HUGGINGFACE_API_TOKEN",
    "HUGGINGFACE_HUB_TOKEN",
    "HUGGINGFACE_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HUGGING_FACE_TOKEN",
)
TOKEN_IS_READ = "all who may look at the RayService could read it"

OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "profile": {"type": "str", "default": "cpu"},
    "profiles": {"type": "list", "elements": "str", "default": ["cpu"]},
    "profile_content": {"type": "dict"},
    "accept_unsupported": {"type": "bool", "default": False},
    "applications": {"type": "list", "elements": "dict", "default": []},
    "openai_api": {"type": "bool", "default": False},
    "num_replicas": {"type": "int", "default": 2},
    "ray_version": {"type": "str", "default": ""},
    "redis": {"type": "dict", "default": {}},
    # Not the password, only whether there is one.
    "redis_password_given": {"type": "bool", "default": False, "no_log": False},
    "redis_ca": {"type": "str", "default": ""},
    "image": {"type": "str", "default": ""},
    "model": {"type": "str", "default": ""},
    "model_source": {"type": "str", "default": ""},
    "tensor_parallel_size": {"type": "int", "default": 0},
    "model_cache": {"type": "dict", "default": {}},
    "compile_cache": {"type": "dict", "default": {}},
    "hf_token": {"type": "str", "default": "", "no_log": True},
    # Where it is, not the token.
    "hf_token_secret": {"type": "dict", "default": {}, "no_log": False},
    "hf_secret_token": {"type": "str", "no_log": True},
    "gguf_path": {"type": "str", "default": ""},
    "gguf_volume": {"type": "dict", "default": {}},
    "gguf_url": {"type": "str", "default": ""},
    "gguf_sha256": {"type": "str", "default": ""},
    "env": {"type": "list", "elements": "str", "default": []},
    # Where, not what.
    "tokens_in": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "worker_drain_seconds": {"type": "int", "default": 60},
}


def is_fault_tolerant(backend: str | None, redis: dict[str, t.Any]) -> bool:
    """Whether the head's state outlives the head; without a C(backend), the Redis alone says it, as in the role."""
    return bool(redis) if backend is None else backend in ("elasticache", "in_cluster", "existing")


def name_problems(values: dict[str, t.Any]) -> list[str]:
    found = []
    name, namespace = values["name"], values["namespace"]
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > NAME_LENGTH:
        expectation = f"at most {NAME_LENGTH} lower case letters, digits and '-', a letter first, no '-' last"
        found.append(problem("ray_service_name", name, expectation) + f"; this has {len(name)} characters")
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", namespace) or len(namespace) > 63:
        expectation = "at most 63 lower case letters, digits and '-', no '-' first or last"
        found.append(problem("ray_service_namespace", namespace, expectation))
    return found


def redis_problems(
    backend: str | None, redis: dict[str, t.Any], password_given: bool, on_aws: bool = False
) -> list[str]:
    """Rules for the store of the head's state; C(redis) is not looked at if the backend brings its own, or none."""
    backends = REDIS_BACKENDS_ON_AWS if on_aws else REDIS_BACKENDS
    if backend is not None and backend not in backends:
        # ElastiCache has addresses in its VPC only.
        why = "; 'elasticache' is for deployments of the inventory's group aws" if backend == "elasticache" else ""
        return [problem("redis_backend", backend, f"one of {', '.join(backends)}") + why]
    if backend in ("elasticache", "in_cluster", "none") or not is_fault_tolerant(backend, redis):
        return []
    variable = "ray_service_redis" if backend is None else "redis_existing"
    found = []
    address = str(redis.get("address") or "")
    if not REDIS_ADDRESS.fullmatch(address):
        expectation = (
            "redis://host:port, or rediss://host:port for TLS,"
            " with the port and without user, password or a second address"
            + (" (redis_backend is 'existing'; 'in_cluster' brings up a Redis of its own)" if backend else "")
        )
        found.append(problem(f"{variable}.address", hide_credentials(address), expectation))
    secret = redis.get("password_secret") or {}
    if secret and not all(secret.get(key) for key in PASSWORD_SECRET_KEYS):
        found.append(problem(f"{variable}.password_secret", secret, "namespace, name and key"))
    if secret and password_given:
        found.append(f"{variable}_password and {variable}.password_secret are both set: expected one of them")
    return found


def authority_problems(text: str) -> list[str]:
    """Rules for the certificate authorities; the path of a file, the likely mistake, would stop the head."""
    if not text or "-----BEGIN CERTIFICATE-----" in text:
        return []
    return [
        problem("ray_service_redis_ca", text[:60], "certificates in PEM, by ansible.builtin.file if they are in a file")
    ]


def env_problems(names: t.Sequence[str]) -> list[str]:
    found = []
    reserved = [name for name in RESERVED_ENV if name in names]
    if reserved:
        found.append(
            f"ray_service_env, or the profile's env, sets {', '.join(reserved)}: expected none of {', '.join(RESERVED_ENV)},"
            " which follow from redis_backend, or from the role's ray_service_redis"
        )
    off = [name for name in PROXIES_ON_HEAD_ONLY if name in names and "RAY_SERVE_ENABLE_HA_PROXY" not in names]
    if off:
        found.append(
            f"ray_service_env, or the profile's env, sets {', '.join(off)} without RAY_SERVE_ENABLE_HA_PROXY: expected both or none,"
            " for without it Ray Serve listens on the head only, and nobody is answered without a head"
        )
    tokens = [name for name in TOKEN_ENV if name in names]
    if tokens:
        found.append(
            f"ray_service_env, or the profile's env, sets {', '.join(tokens)}: expected the token in ray_service_hf_token, or in a"
            " Secret, by ray_service_hf_token_secret, and at most $(HF_TOKEN) here; " + TOKEN_IS_READ
        )
    return found


def token_place_problems(places: t.Sequence[str]) -> list[str]:
    """C(places): names of variables that hold a token and are no place for one."""
    return [
        f"{place} has something in it that looks like a token of the Hugging Face hub, which is not shown: expected it in"
        f" ray_service_hf_token, or in a Secret, by ray_service_hf_token_secret, and at most $(HF_TOKEN) in an environment; {TOKEN_IS_READ}"
        for place in places
    ]


def version_problems(version: str, fault_tolerant: bool, switch: str) -> list[str]:
    """C(version) is empty for that of the role; C(switch) is the setting that switches fault tolerance off."""
    if not version:
        return []
    match = re.match(r"(\d+)\.(\d+)", version)
    if not match:
        return [problem("ray_service_ray_version", version, "a version such as 2.60.0")]
    if fault_tolerant and tuple(map(int, match.groups())) < RAY_VERSION_WITH_FAULT_TOLERANCE:
        least = ".".join(map(str, RAY_VERSION_WITH_FAULT_TOLERANCE))
        return [
            problem("ray_service_ray_version", version, f"at least {least} with fault tolerance")
            + f": before, a restarted Serve controller can take all replicas out of service ({switch} switches it off)"
        ]
    return []


def image_problems(image: str, needs: str) -> list[str]:
    """C(needs) says what the profile needs the image to hold, if that is known."""
    if image:
        return []
    expectation = f"an image that the cluster can pull, with {needs or 'what the profile needs'}"
    return [
        problem("ray_service_image", image, expectation)
        + "; images are built only for a cluster of this machine (an empty local_cluster_kubeconfig), for others"
        + " the collection's images/ have the Dockerfiles"
    ]


def ray_service_problems(
    values: dict[str, t.Any],
    redis_backend: str | None,
    local: bool,
    exists: t.Callable[[str], bool],
    read_start: t.Callable[[str], bytes | None],
    on_aws: bool = False,
) -> list[str]:
    """All problems of the variables of the Ray service.

    Args:
        values: name, namespace, profile, profiles (the known ones), profile_content (what the profile's file sets, None if
            nobody has looked), accept_unsupported, applications, openai_api, num_replicas, ray_version, redis (address, username, password_secret),
            redis_password_given, redis_ca, image, env, tokens_in (names of variables), worker_drain_seconds, model, model_source, tensor_parallel_size,
            model_cache, compile_cache, hf_token, hf_token_secret, gguf_path, gguf_volume, gguf_url, gguf_sha256.
        redis_backend: None for a role on its own, whose C(redis) says whether there is fault tolerance.
        local: whether the cluster is one of this machine, whose images are built here.
        on_aws: whether it is one of a deployment on AWS.
    """
    fault_tolerant = is_fault_tolerant(redis_backend, values["redis"])
    profile = values["profile_content"] or {}
    found = name_problems(values)
    unsound = ray_applications.profile_problems(values, local, exists)
    found += unsound
    found += redis_problems(redis_backend, values["redis"], values["redis_password_given"], on_aws)
    found += authority_problems(values["redis_ca"])
    least = 2 if fault_tolerant else 1
    if values["num_replicas"] < least:
        why = " with fault tolerance, so that one worker can be lost" if fault_tolerant else ""
        found.append(problem("ray_service_num_replicas", values["num_replicas"], f"at least {least}{why}"))
    elif profile and not unsound:
        found += ray_applications.application_problems(values, least)
    # An unsupported profile has been told already, or is accepted with its version.
    if not profile.get("unsupported"):
        switch = "ray_service_redis: {}" if redis_backend is None else "redis_backend: none"
        found += version_problems(values["ray_version"] or profile.get("ray_version", ""), fault_tolerant, switch)
    if not local:
        found += image_problems(values["image"] or profile.get("image", ""), profile.get("needs", ""))
    if values["worker_drain_seconds"] < LEAST_WORKER_DRAIN:
        expectation = f"at least {LEAST_WORKER_DRAIN}, for Serve's proxy takes 30 seconds to leave a worker"
        found.append(problem("ray_service_worker_drain_seconds", values["worker_drain_seconds"], expectation))
    found += ray_applications.api_problems(values)
    found += ray_model.unused_problems(values, profile)
    found += ray_model.model_problems(values)
    found += ray_model.token_problems(values, profile)
    found += ray_model.gguf_problems(values, local, read_start)
    return found + env_problems(values["env"]) + token_place_problems(values["tokens_in"])
