# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role changes in a Ray cluster that is there, because KubeRay does not."""

from __future__ import annotations

from typing import Any

import pytest

TOLERATIONS = [{"key": "gpu", "operator": "Exists"}]


def spec(workers: int = 2, image: str = "ray:1", head_tolerations: Any = None, worker_tolerations: Any = None) -> dict[str, Any]:
    def template(tolerations: Any) -> dict[str, Any]:
        return {"spec": {"containers": [{"image": image}]} | ({"tolerations": tolerations} if tolerations else {})}

    numbers = {"replicas": workers, "minReplicas": workers, "maxReplicas": workers}
    return {
        "rayVersion": "2.60.0",
        "headGroupSpec": {"template": template(head_tolerations)},
        "workerGroupSpecs": [{"groupName": "workers", "template": template(worker_tolerations), **numbers}],
    }


@pytest.mark.parametrize(
    ("wanted", "there", "scaled"),
    [
        (spec(), spec(), False),
        (spec(3), spec(2), True),
        (spec(2), spec(3), True),
        (spec(head_tolerations=TOLERATIONS), spec(), True),
        (spec(), spec(worker_tolerations=TOLERATIONS), True),
        # A new cluster takes over, with the new number.
        (spec(image="ray:2"), spec(), False),
        (spec(3, image="ray:2"), spec(2), False),
    ],
)
def test_unscaled_clusters(render: Any, wanted: dict[str, Any], there: dict[str, Any], scaled: bool) -> None:
    found = {
        "ray_service__applied": {"result": {"spec": {"rayClusterConfig": wanted}}},
        "ray_service__clusters_info": {"resources": [{"metadata": {"name": "c", "namespace": "ray", "uid": "u"}, "spec": there}]},
    }
    change = {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": "c", "namespace": "ray"},
        "spec": {name: wanted[name] for name in ("headGroupSpec", "workerGroupSpecs")},
    }
    assert render("ray_service__unscaled_clusters", **found) == ([change] if scaled else [])


def test_the_first_run_finds_none(render: Any) -> None:
    found = {
        "ray_service__applied": {"result": {"spec": {"rayClusterConfig": spec()}}},
        "ray_service__clusters_info": {"resources": []},
    }
    assert render("ray_service__unscaled_clusters", **found) == []
