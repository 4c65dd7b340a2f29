# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every wrong variable is found, all at once, with its name, its value and what was expected."""

from __future__ import annotations

from typing import Any

import pytest

GOOD: dict[str, Any] = {"ray_service_image": "ray:1", "ray_service_redis": {"address": "redis://redis.redis.svc:6379"}}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ray_service_redis": {}},
        {"ray_service_redis": {"address": "rediss://a.b:6380", "username": "", "password_secret": {}}},
        {"ray_service_redis": {}, "ray_service_num_replicas": 1, "ray_service_ray_version": "2.40.0"},
        {"ray_service_name": "a" * 47},
        {"ray_service_ray_version": "2.56.0"},
        {"ray_service_gguf_path": "/data/model.gguf"},
        {"ray_service_env": {"RAY_LOG_LEVEL": "debug"}},
    ],
)
def test_good(render: Any, given: dict[str, Any]) -> None:
    assert render("ray_service__findings", **(GOOD | given)) == []


@pytest.mark.parametrize(
    ("given", "variable", "value", "expectation"),
    [
        ({"ray_service_profile": "gpu"}, "ray_service_profile", "gpu", "vars/profiles/gpu.yml"),
        ({"ray_service_profile": "/no/such.yml"}, "ray_service_profile", "/no/such.yml", "no file /no/such.yml"),
        ({"ray_service_num_replicas": 1}, "ray_service_num_replicas", "1", "at least 2"),
        ({"ray_service_num_replicas": 0, "ray_service_redis": {}}, "ray_service_num_replicas", "0", "at least 1"),
        ({"ray_service_ray_version": "2.55.1"}, "ray_service_ray_version", "2.55.1", "at least 2.56"),
        ({"ray_service_ray_version": "nightly"}, "ray_service_ray_version", "nightly", "2.60.0"),
        ({"ray_service_redis": {"address": "redis://r"}}, "ray_service_redis.address", "redis://r", "with the port"),
        ({"ray_service_redis": {"address": "r:6379"}}, "ray_service_redis.address", "r:6379", "redis://host:port"),
        (
            {"ray_service_redis": {"address": "redis://u:s3cret@r:6379"}},
            "ray_service_redis.address",
            "redis://",
            "without user",
        ),
        ({"ray_service_redis": {"address": "redis://a:1,b:1"}}, "ray_service_redis.address", "a:1,b:1", "second"),
        ({"ray_service_redis": {"username": "x"}}, "ray_service_redis.address", "''", "redis://host:port"),
        (
            {
                "ray_service_redis_password": "s3cret",
                "ray_service_redis": {
                    "address": "redis://r:1",
                    "password_secret": {"namespace": "a", "name": "b", "key": "c"},
                },
            },
            "ray_service_redis_password",
            "password_secret",
            "one of them",
        ),
        (
            {"ray_service_redis": {"address": "redis://r:1", "password_secret": {"name": "x"}}},
            "ray_service_redis.password_secret",
            "x",
            "namespace, name and key",
        ),
        ({"ray_service_name": "a" * 48}, "ray_service_name", "48 characters", "at most 47"),
        ({"ray_service_name": "1a"}, "ray_service_name", "1a", "a letter first"),
        ({"ray_service_name": "Mistral"}, "ray_service_name", "Mistral", "lower case"),
        ({"ray_service_namespace": "a_b"}, "ray_service_namespace", "a_b", "lower case"),
        ({"ray_service_image": ""}, "ray_service_image", "empty", "llama-cpp-python"),
        ({"ray_service_gguf_path": "model.gguf"}, "ray_service_gguf_path", "model.gguf", "absolute"),
        ({"ray_service_env": {"RAY_REDIS_ADDRESS": "x"}}, "ray_service_env", "RAY_REDIS_ADDRESS", "ray_service_redis"),
    ],
)
def test_one_finding(render: Any, given: dict[str, Any], variable: str, value: str, expectation: str) -> None:
    (finding,) = render("ray_service__findings", **(GOOD | given))
    assert finding.startswith(variable)
    assert value in finding
    assert expectation in finding
    assert "s3cret" not in finding


def test_all_at_once(render: Any) -> None:
    wrong = {"ray_service_profile": "gpu", "ray_service_num_replicas": 1, "ray_service_ray_version": "2.9.0"}
    findings = render("ray_service__findings", **(GOOD | wrong | {"ray_service_image": ""}))
    assert len(findings) == 4
