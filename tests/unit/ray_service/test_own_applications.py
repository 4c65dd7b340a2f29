# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications of the user's: what they say is kept, what they do not say is told to Ray, whatever their code says."""

from __future__ import annotations

from typing import Any

import pytest

SCALING = {"autoscaling_config": {"min_replicas": 2, "max_replicas": 2}}
APPLICATION = {"import_path": "shop:app", "deployments": [{"name": "Till"}]}
CUSTOM: dict[str, Any] = {
    "ray_service_profile": "custom",
    "ray_service_image": "r/shop:1",
    "ray_service_applications": [APPLICATION],
}

# Ray's own, at its import.
pytestmark = pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`")


@pytest.mark.parametrize(
    ("said", "replicas"), [({}, 2), ({"num_replicas": 2}, 2), ({"autoscaling_config": None}, 2), (SCALING, None)]
)
def test_the_number_of_replicas_is_not_that_of_the_code(render: Any, said: dict[str, Any], replicas: int | None) -> None:
    """What Ray's controller makes of the config, as KubeRay sends it, beside a decorator such as the blueprint's."""
    from ray import serve
    from ray.serve._private.application_state import override_deployment_info
    from ray.serve._private.deployment_info import DeploymentInfo
    from ray.serve.schema import ServeDeploySchema

    @serve.deployment(autoscaling_config={"min_replicas": 0, "max_replicas": 6})
    class Shelf:
        pass

    own = {"import_path": "shop:app", "deployments": [{"name": "Shelf"} | said]}
    config = ServeDeploySchema.model_validate(render("ray_service__serve_config", **CUSTOM | {"ray_service_applications": [own]}))
    code = DeploymentInfo(Shelf._deployment_config, Shelf._replica_config, 0, "job")
    made = override_deployment_info({"Shelf": code}, config.applications[0])["Shelf"].deployment_config
    if replicas is None:
        assert made.autoscaling_config.min_replicas == made.autoscaling_config.max_replicas == 2
    else:
        assert (made.num_replicas, made.autoscaling_config) == (replicas, None)


def test_application_of_ones_own_keeps_what_it_says(render: Any) -> None:
    own = {
        "name": "x",
        "import_path": "a:b",
        "deployments": [
            {"name": "d", "num_replicas": 3},
            {"name": "e", "max_replicas_per_node": 2, "graceful_shutdown_timeout_s": 7},
        ],
        "runtime_env": {"a": 1},
    }
    given = {"ray_service_applications": [own], "ray_service_num_replicas": 4}
    fixed = {"autoscaling_config": None}
    (made,) = render("ray_service__applications", **(CUSTOM | given))
    assert made == own | {
        "route_prefix": "/",
        "deployments": [
            fixed | {"name": "d", "num_replicas": 3, "max_replicas_per_node": 1, "graceful_shutdown_timeout_s": 50},
            fixed | {"name": "e", "num_replicas": 4, "max_replicas_per_node": 2, "graceful_shutdown_timeout_s": 7},
        ],
    }


@pytest.mark.parametrize(
    ("given", "path", "openai_api", "model"),
    [
        ({}, "/v1/models", True, "mistralai/Mistral-7B-Instruct-v0.2"),
        ({"ray_service_applications": [APPLICATION]}, "/-/healthz", False, ""),
        (
            {
                "ray_service_applications": [APPLICATION],
                "ray_service_openai_api": True,
                "ray_service_model": "m",
                "ray_service_request_path": "/v1/models",
            },
            "/v1/models",
            True,
            "m",
        ),
    ],
)
def test_application_of_ones_own_on_the_workers_of_gpu(
    render: Any, given: dict[str, Any], path: str, openai_api: bool, model: str
) -> None:
    address = render("ray_service__address", ray_service_profile="gpu", **given)
    assert (address["request_path"], address["openai_api"], address["model"]) == (path, openai_api, model)


def test_profile_without_an_application_speaks_of_the_users(render: Any) -> None:
    own = render("ray_service__profile", ray_service_profile="custom") | {"request_path": "/till", "openai_api": True}
    address = render("ray_service__address", **CUSTOM, ray_service__profile=own)
    assert (address["request_path"], address["openai_api"]) == ("/till", True)
