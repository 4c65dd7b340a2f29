# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What redis_in_cluster sends to Kubernetes (C(UPDATE_GOLDEN=1 pytest …) writes the golden files anew), and what kuberay_operator decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
GOLDEN = Path(__file__).parent / "golden"
CASES: dict[str, dict[str, Any]] = {
    "redis_volume": {"redis_in_cluster__persistent": True},
    "redis_class": {"redis_in_cluster__persistent": True, "redis_in_cluster_storage_class": "gp3"},
    "redis_empty_dir": {"redis_in_cluster__persistent": False, "redis_in_cluster_avoid_labels": {}},
}


def template(role: str, expression: str, given: dict[str, Any]) -> Any:
    """An expression with the role's defaults and variables, and C(given) over them."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar, trust_as_template

    loader = DataLoader()
    variables: dict[str, Any] = {}
    for path in ("defaults/main.yml", "vars/main.yml"):
        variables |= loader.load_from_file(str(ROLES / role / path), trusted_as_template=True)
    variables |= {"ansible_search_path": [str(ROLES / role)], "role_path": str(ROLES / role)} | given
    return Templar(loader=loader, variables=variables).template(trust_as_template(expression))


def render(given: dict[str, Any]) -> list[dict[str, Any]]:
    lookup = "{{ lookup('ansible.builtin.template', 'objects.yml.j2') }}"
    text = template("redis_in_cluster", lookup, {"redis_in_cluster__secret_version": "7"} | given)
    return [one for one in yaml.safe_load_all(str(text)) if one]


@pytest.mark.parametrize("case", CASES)
def test_golden(golden: Any, case: str) -> None:
    golden(GOLDEN / f"{case}.yml", json.loads(json.dumps(render(CASES[case]))))


def test_the_password_shows_nowhere() -> None:
    text = json.dumps(render(CASES["redis_volume"] | {"redis_in_cluster_password": "hunter2"}))
    assert "hunter2" not in text


def cluster(name: str, **metadata: Any) -> dict[str, Any]:
    return {"kind": "RayCluster", "metadata": {"namespace": "ns", "name": name} | metadata}


def test_only_what_has_a_finalizer_holds_the_operator() -> None:
    left = [cluster("a", finalizers=["x"]), cluster("b"), cluster("c", finalizers=[])]
    found = {"kuberay_operator__found": {"results": [{"resources": left}, {"resources": []}]}}
    assert template("kuberay_operator", "{{ kuberay_operator__held }}", found) == ["RayCluster ns/a"]
    nothing = {"kuberay_operator__found": {"results": [{"resources": []}]}}
    assert template("kuberay_operator", "{{ kuberay_operator__held }}", nothing) == []


@pytest.mark.parametrize(("resources", "count"), [([], 1), ([{"metadata": {}}], 0)], ids=["missing", "there"])
def test_a_namespace_that_is_there_is_not_claimed(resources: list[Any], count: int) -> None:
    found = {"kuberay_operator__namespace": {"resources": resources}}
    assert len(template("kuberay_operator", "{{ kuberay_operator__new_namespace }}", found)) == count


def test_an_operator_of_another_namespace_is_somebody_elses() -> None:
    running = [{"metadata": {"name": "kuberay-operator", "namespace": name}} for name in ("ray", "kuberay-system", "a")]
    given = {"kuberay_operator__running": {"resources": running}}
    assert template("kuberay_operator", "{{ kuberay_operator__others }}", given) == ["a", "ray"]
    given = {"kuberay_operator__running": {"resources": running[1:2]}}
    assert template("kuberay_operator", "{{ kuberay_operator__others }}", given) == []
