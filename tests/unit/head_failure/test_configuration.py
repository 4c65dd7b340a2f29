# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report says of how a service is set up: all that decides how a failure goes, and nothing that is secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import configuration

GOLDEN = Path(__file__).parents[1] / "ray_service" / "golden" / "default.yml"


def with_env(*env, **values):
    """A RayService whose head has this environment."""
    pod = {"containers": [{"name": "ray-head", "env": list(env)}]}
    cluster = {"headGroupSpec": {"template": {"spec": pod}}, **values}
    return {"spec": {"rayClusterConfig": cluster}}


def test_the_service_of_this_collection():
    objects = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))
    found = configuration.read(next(one for one in objects if one["kind"] == "RayService"))
    assert {
        "excludeHeadPodFromServeSvc": "true",
        "redis.redisAddress": "redis://redis.redis.svc:6379",
        "redis.redisPassword": "from the Secret mistral-redis, key password",
        "head.env.RAY_gcs_grpc_max_reconnect_backoff_ms": "200",
        "head.env.RAY_SERVE_PROXY_USE_GRPC": "1",
        "head.env.NODE_NAME": "from spec.nodeName",
        "head.terminationGracePeriodSeconds": "2",
        "head.livenessProbe.failureThreshold": "3",
        "head.rayStartParams.num-cpus": "0",
        "head.resources.limits.memory": "3Gi",
        "workers.workers.env.RAY_grpc_client_keepalive_timeout_ms": "10000",
        "workers.workers.replicas": "2",
        "serve.applications.mistral.args.context": "4096",
        "serve.applications.mistral.deployments.Mistral.graceful_shutdown_timeout_s": "50",
    }.items() <= found.items()
    tolerations = json.loads(found["head.tolerations"])
    assert {one["key"] for one in tolerations} == {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
    assert all(isinstance(value, str) for value in found.values())


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ({"value": "200"}, "200"),
        ({"value": ""}, ""),
        ({"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, "from the Secret s, key k"),
        ({"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}, "from the ConfigMap c, key k"),
        ({"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, "from status.podIP"),
        ({"valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}, "from limits.cpu"),
        ({"valueFrom": {"new": {}}}, "(not shown)"),
        ({"value": "redis://joe:hunter2@redis:6379"}, "redis://…@redis:6379"),
    ],
)
def test_environment(entry, shown):
    assert configuration.read(with_env({"name": "A", **entry})) == {"head.env.A": shown}


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "token",
        "REDIS_PASSWORD",
        "passwd",
        "AWS_SECRET_ACCESS_KEY",
        "OPENAI_API_KEY",
        "apikey",
        "credentials",
    ],
)
def test_what_sounds_secret_is_not_shown(name):
    service = with_env({"name": name, "value": "hunter2"})
    service["spec"]["serveConfigV2"] = yaml.safe_dump(
        {"applications": [{"name": "a", "args": {name: "hunter2"}, "runtime_env": {"env_vars": {name: "hunter2"}}}]}
    )
    found = configuration.read(service)
    assert "hunter2" not in json.dumps(found)
    assert found[f"head.env.{name}"] == found[f"serve.applications.a.args.{name}"] == "(not shown)"


@pytest.mark.parametrize("name", ["max_tokens", "RAY_grpc_client_keepalive_timeout_ms", "tokenizer", "keys"])
def test_what_does_not_is(name):
    assert configuration.read(with_env({"name": name, "value": "7"})) == {f"head.env.{name}": "7"}


def test_a_plain_password_of_redis_is_not_shown():
    service = with_env(gcsFaultToleranceOptions={"redisAddress": "r:6379", "redisPassword": {"value": "hunter2"}})
    found = configuration.read(service)
    assert (found["redis.redisAddress"], found["redis.redisPassword"]) == ("r:6379", "(not shown)")


def test_nothing_is_set():
    assert configuration.read({"spec": {}}) == {}
