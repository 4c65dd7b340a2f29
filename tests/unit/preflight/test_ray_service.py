# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each wrong value gives one problem, which names variable, value and expectation."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.ray_service import ray_service_problems
from ansible_collections.rayops.serve_ha.plugins.modules import preflight

OPTIONS = preflight.OPTIONS["ray_service"]["options"]
GOOD: dict[str, Any] = {name: option.get("default") for name, option in OPTIONS.items()} | {
    "name": "mistral",
    "namespace": "mistral",
    "ray_version": "2.60.0",
}
SECRET = {"namespace": "a", "name": "b", "key": "c"}
FILES = {"/model.gguf": b"GGUF", "/text": b"Once", "/profile.yml": b"---\n"}


def problems(
    values: dict[str, Any], backend: str | None = "in_cluster", local: bool = True, on_aws: bool = False
) -> list[str]:
    return ray_service_problems(GOOD | values, backend, local, FILES.__contains__, FILES.get, on_aws)


@pytest.mark.parametrize(
    ("values", "backend", "local"),
    [
        ({}, "in_cluster", True),
        ({"name": "a" * 47}, "in_cluster", True),
        ({"profile": "/profile.yml"}, "in_cluster", True),
        ({"ray_version": "2.56.0"}, "in_cluster", True),
        ({"ray_version": "3.0"}, "in_cluster", True),
        ({"ray_version": "2.40.0", "num_replicas": 1}, "none", True),
        ({"redis": {"address": "redis://redis:6379"}}, "existing", True),
        ({"redis": {"address": "rediss://a.b.c:6380"}}, "existing", True),
        ({"redis": {"address": "redis://redis:6379", "password_secret": SECRET}}, "existing", True),
        ({"redis": {"address": "redis://redis:6379"}, "redis_password_given": True}, "existing", True),
        # Not looked at: the backend brings its own, or none.
        ({"redis": {"address": "?", "password_secret": SECRET}, "redis_password_given": True}, "in_cluster", True),
        ({"redis": {"address": "?"}, "num_replicas": 1}, "none", True),
        ({"redis_ca": "-----BEGIN CERTIFICATE-----\nMII"}, "in_cluster", True),
        ({"gguf_path": "/model.gguf"}, "in_cluster", True),
        ({"gguf_path": "/only/on/the/nodes", "image": "r/ray:1"}, "in_cluster", False),
    ],
)
def test_good(values: dict[str, Any], backend: str, local: bool) -> None:
    assert problems(values, backend, local) == []


ROLE: dict[str, Any] = {"image": "ray:1", "redis": {"address": "redis://redis.redis.svc:6379"}}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"redis": {}},
        {"redis": {"address": "rediss://a.b:6380", "username": "", "password_secret": {}}},
        {"redis": {"address": "redis://a.b:6380", "password_secret": None}},
        {"redis": {}, "num_replicas": 1, "ray_version": "2.40.0"},
        {"name": "a" * 47},
        {"ray_version": "2.56.0"},
        {"gguf_path": "/data/model.gguf"},
        {"env": ["RAY_LOG_LEVEL"]},
        {"env": ["RAY_SERVE_THROUGHPUT_OPTIMIZED", "RAY_SERVE_ENABLE_HA_PROXY"]},
        {"worker_drain_seconds": 35},
    ],
)
def test_good_for_the_role_alone(values: dict[str, Any]) -> None:
    assert problems(ROLE | values, None, False) == []


@pytest.mark.parametrize(
    ("values", "backend", "local", "start", "expectation"),
    [
        ({"name": "a" * 48}, "none", True, f"ray_service_name is '{'a' * 48}'", "at most 47"),
        ({"name": "9a"}, "none", True, "ray_service_name is '9a'", "a letter first"),
        ({"name": "a-"}, "none", True, "ray_service_name is 'a-'", "no '-' last"),
        ({"name": "a\n"}, "none", True, "ray_service_name is 'a\\n'", "lower case"),
        ({"namespace": "A"}, "none", True, "ray_service_namespace is 'A'", "lower case"),
        ({"profile": "gpu"}, "none", True, "ray_service_profile is 'gpu'", "one of cpu"),
        ({"profile": "/no"}, "none", True, "ray_service_profile is '/no'", "a file that exists"),
        ({"profile": "./profile.yml"}, "none", True, "ray_service_profile is './profile.yml'", "the absolute path"),
        ({}, "memcached", True, "redis_backend is 'memcached'", "one of in_cluster, existing, none"),
        ({}, "existing", True, "redis_existing.address is ''", "with the port"),
        (
            {"redis": {"address": "redis://a"}},
            "existing",
            True,
            "redis_existing.address is 'redis://a'",
            "with the port",
        ),
        ({"redis": {"address": "a:1"}}, "existing", True, "redis_existing.address is 'a:1'", "redis://host:port"),
        ({"redis": {"address": "redis://a:1,b:2"}}, "existing", True, "redis_existing.address is", "second address"),
        (
            {"redis": {"address": "redis://a:1", "password_secret": SECRET}, "redis_password_given": True},
            "existing",
            True,
            "redis_existing_password and redis_existing.password_secret",
            "one of them",
        ),
        (
            {"redis": {"address": "redis://u:s3cret@a:1"}},
            "existing",
            True,
            "redis_existing.address is 'redis://***@a:1'",
            "without user",
        ),
        ({"num_replicas": 1}, "in_cluster", True, "ray_service_num_replicas is 1", "at least 2"),
        ({"num_replicas": 0}, "none", True, "ray_service_num_replicas is 0", "at least 1"),
        ({"ray_version": "2.55.1"}, "in_cluster", True, "ray_service_ray_version is '2.55.1'", "redis_backend: none"),
        ({"ray_version": "1.99"}, "in_cluster", True, "ray_service_ray_version is '1.99'", "at least 2.56"),
        ({"ray_version": "nightly"}, "none", True, "ray_service_ray_version is 'nightly'", "2.60.0"),
        ({}, "in_cluster", False, "ray_service_image is ''", "that the cluster can pull"),
        ({}, "in_cluster", False, "ray_service_image is ''", "an empty local_cluster_kubeconfig"),
        (
            {"redis_ca": "/etc/ca.pem"},
            "in_cluster",
            True,
            "ray_service_redis_ca is '/etc/ca.pem'",
            "certificates in PEM",
        ),
        ({"gguf_path": "model.gguf"}, "none", True, "ray_service_gguf_path is 'model.gguf'", "an absolute path"),
        ({"gguf_path": "/no.gguf"}, "none", True, "ray_service_gguf_path is '/no.gguf'", "exists"),
        ({"gguf_path": "/text"}, "none", True, "ray_service_gguf_path is '/text'", "GGUF file"),
    ],
)
def test_one_problem(values: dict[str, Any], backend: str, local: bool, start: str, expectation: str) -> None:
    (found,) = problems(values, backend, local)
    assert found.startswith(start)
    assert expectation in found
    assert "s3cret" not in found


@pytest.mark.parametrize(
    ("values", "start", "expectation"),
    [
        ({"profile": "gpu"}, "ray_service_profile is 'gpu'", "one of cpu"),
        ({"profile": "/no/such.yml"}, "ray_service_profile is '/no/such.yml'", "a file that exists"),
        ({"num_replicas": 1}, "ray_service_num_replicas is 1", "at least 2"),
        ({"num_replicas": 0, "redis": {}}, "ray_service_num_replicas is 0", "at least 1"),
        ({"ray_version": "2.55.1"}, "ray_service_ray_version is '2.55.1'", "at least 2.56"),
        ({"ray_version": "2.55.1"}, "ray_service_ray_version is '2.55.1'", "ray_service_redis: {} switches it off"),
        ({"ray_version": "nightly"}, "ray_service_ray_version is 'nightly'", "2.60.0"),
        ({"redis": {"address": "redis://r"}}, "ray_service_redis.address is 'redis://r'", "with the port"),
        ({"redis": {"address": "r:6379"}}, "ray_service_redis.address is 'r:6379'", "redis://host:port"),
        (
            {"redis": {"address": "redis://u:s3cret@r:6379"}},
            "ray_service_redis.address is 'redis://***@r:6379'",
            "without user",
        ),
        ({"redis": {"address": "u:s3cret@r:6379"}}, "ray_service_redis.address is '***@r:6379'", "without user"),
        (
            {"redis": {"address": "redis://:s3cret//@s3cret\n@r:6379"}},
            "ray_service_redis.address is 'redis://***@r:6379'",
            "without user",
        ),
        (
            {"redis": {"address": "redis://r:6379?password=s3cret@"}},
            "ray_service_redis.address is 'redis://r:6379?***'",
            "without user",
        ),
        ({"redis": {"address": "redis://a:1,b:1"}}, "ray_service_redis.address is 'redis://a:1,b:1'", "second"),
        ({"redis": {"username": "x"}}, "ray_service_redis.address is ''", "redis://host:port"),
        ({"redis": {"address": None}}, "ray_service_redis.address is ''", "redis://host:port"),
        (
            {"redis": {"address": "redis://r:1", "password_secret": SECRET}, "redis_password_given": True},
            "ray_service_redis_password and ray_service_redis.password_secret",
            "one of them",
        ),
        (
            {"redis": {"address": "redis://r:1", "password_secret": {"name": "x"}}},
            "ray_service_redis.password_secret is {'name': 'x'}",
            "namespace, name and key",
        ),
        (
            {"redis": {"address": "redis://r:1", "password_secret": SECRET | {"key": ""}}},
            "ray_service_redis.password_secret is {",
            "namespace, name and key",
        ),
        ({"name": "a" * 48}, f"ray_service_name is '{'a' * 48}'", "at most 47"),
        ({"name": "a" * 48}, f"ray_service_name is '{'a' * 48}'", "48 characters"),
        ({"name": "1a"}, "ray_service_name is '1a'", "a letter first"),
        ({"name": "Mistral"}, "ray_service_name is 'Mistral'", "lower case"),
        ({"namespace": "a_b"}, "ray_service_namespace is 'a_b'", "lower case"),
        (
            {
                "image": "",
                "profile_content": {
                    "head": {"a": 1},
                    "worker": {"a": 1},
                    "request_path": "/",
                    "needs": "llama-cpp-python",
                },
                "applications": [{"import_path": "a:b", "deployments": [{"name": "x"}]}],
            },
            "ray_service_image is ''",
            "with llama-cpp-python",
        ),
        ({"image": ""}, "ray_service_image is ''", "what the profile needs"),
        ({"gguf_path": "model.gguf"}, "ray_service_gguf_path is 'model.gguf'", "absolute"),
        *(
            (
                {"env": ["A", name]},
                f"ray_service_env, or the profile's env, sets {name}:",
                "the role's ray_service_redis",
            )
            for name in ("RAY_REDIS_ADDRESS", "REDIS_USERNAME", "REDIS_PASSWORD", "RAY_external_storage_namespace")
        ),
        *(
            ({"env": ["A", name]}, f"ray_service_env, or the profile's env, sets {name} without", "listens on the head only")
            for name in ("RAY_SERVE_THROUGHPUT_OPTIMIZED", "RAY_SERVE_ENABLE_DIRECT_INGRESS")
        ),
        ({"worker_drain_seconds": 34}, "ray_service_worker_drain_seconds is 34", "at least 35"),
    ],
)
def test_one_problem_of_the_role_alone(values: dict[str, Any], start: str, expectation: str) -> None:
    (found,) = problems(ROLE | values, None, False)
    assert found.startswith(start)
    assert expectation in found
    assert "s3cret" not in found


def test_all_at_once() -> None:
    assert (
        len(problems({"name": "", "num_replicas": 1, "ray_version": "2.0", "gguf_path": "x"}, "in_cluster", False)) == 5
    )


def test_all_of_the_role_alone_at_once() -> None:
    wrong = {"profile": "gpu", "num_replicas": 1, "ray_version": "2.9.0", "image": ""}
    assert len(problems(ROLE | wrong, None, False)) == 4


def test_unknown_backend_by_itself() -> None:
    """What else depends on the backend is not guessed at."""
    assert len(problems({"num_replicas": 1, "ray_version": "2.9.0"}, "elsewhere")) == 1


@pytest.mark.parametrize("backend", ["elasticache", "in_cluster", "none"])
def test_backends_on_aws(backend: str) -> None:
    assert problems({"image": "ray:1", "redis": {"address": "?"}}, backend, local=False, on_aws=True) == []


def test_elasticache_is_fault_tolerant() -> None:
    (one,) = problems({"image": "ray:1", "num_replicas": 1}, "elasticache", local=False, on_aws=True)
    assert one.startswith("ray_service_num_replicas is 1: expected at least 2")


@pytest.mark.parametrize("local", [True, False])
def test_elasticache_is_for_aws(local: bool) -> None:
    (one,) = problems({"image": "ray:1"}, "elasticache", local)
    assert one == (
        "redis_backend is 'elasticache': expected one of in_cluster, existing, none;"
        " 'elasticache' is for deployments of the inventory's group aws"
    )


def test_backends_that_are_none_on_aws() -> None:
    (one,) = problems({"image": "ray:1"}, "memorydb", local=False, on_aws=True)
    assert one == "redis_backend is 'memorydb': expected one of elasticache, in_cluster, existing, none"
