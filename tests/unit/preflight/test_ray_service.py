# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each wrong value gives one problem, which names variable, value and expectation."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.ray_service import ray_service_problems

GOOD: dict[str, Any] = {
    "name": "mistral",
    "namespace": "mistral",
    "profile": "cpu",
    "profiles": ["cpu"],
    "num_replicas": 2,
    "ray_version": "2.60.0",
    "redis_address": "",
    "image": "",
    "gguf_path": "",
}
FILES = {"/model.gguf": b"GGUF", "/text": b"Once", "/profile.yml": b"---\n"}


def problems(values: dict[str, Any], backend: str = "in_cluster", local: bool = True) -> list[str]:
    return ray_service_problems(GOOD | values, backend, local, FILES.__contains__, FILES.get)


@pytest.mark.parametrize(
    ("values", "backend", "local"),
    [
        ({}, "in_cluster", True),
        ({"name": "a" * 47}, "in_cluster", True),
        ({"profile": "/profile.yml"}, "in_cluster", True),
        ({"ray_version": "2.56.0"}, "in_cluster", True),
        ({"ray_version": "3.0"}, "in_cluster", True),
        ({"ray_version": "2.40.0", "num_replicas": 1}, "none", True),
        ({"redis_address": "redis://redis:6379"}, "existing", True),
        ({"redis_address": "rediss://a.b.c:6380"}, "existing", True),
        ({"redis_address": "not looked at"}, "in_cluster", True),
        ({"gguf_path": "/model.gguf"}, "in_cluster", True),
        ({"gguf_path": "/only/on/the/nodes", "image": "r/ray:1"}, "in_cluster", False),
    ],
)
def test_good(values: dict[str, Any], backend: str, local: bool) -> None:
    assert problems(values, backend, local) == []


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
        ({}, "memcached", True, "redis_backend is 'memcached'", "one of in_cluster, existing, none"),
        ({}, "existing", True, "redis_existing.address is ''", "with the port"),
        ({"redis_address": "redis://a"}, "existing", True, "redis_existing.address is 'redis://a'", "with the port"),
        ({"redis_address": "a:1"}, "existing", True, "redis_existing.address is 'a:1'", "redis://host:port"),
        ({"redis_address": "redis://a:1,b:2"}, "existing", True, "redis_existing.address is", "second address"),
        (
            {"redis_address": "redis://u:s3cret@a:1"},
            "existing",
            True,
            "redis_existing.address is 'redis://***@a:1'",
            "without user",
        ),
        ({"num_replicas": 1}, "in_cluster", True, "ray_service_num_replicas is 1", "at least 2"),
        ({"num_replicas": 0}, "none", True, "ray_service_num_replicas is 0", "at least 1"),
        ({"ray_version": "2.55.1"}, "in_cluster", True, "ray_service_ray_version is '2.55.1'", "at least 2.56"),
        ({"ray_version": "1.99"}, "in_cluster", True, "ray_service_ray_version is '1.99'", "at least 2.56"),
        ({"ray_version": "nightly"}, "none", True, "ray_service_ray_version is 'nightly'", "2.60.0"),
        ({}, "in_cluster", False, "ray_service_image is ''", "local_cluster_kubeconfig can pull"),
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


def test_all_at_once() -> None:
    assert (
        len(problems({"name": "", "num_replicas": 1, "ray_version": "2.0", "gguf_path": "x"}, "in_cluster", False)) == 5
    )
