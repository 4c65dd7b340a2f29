# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables, rendered as a play would render them, without running one."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROLES = Path(__file__).parents[3] / "roles"
Render = Callable[..., Any]
# What the cluster's other roles would say.
GIVEN: dict[str, dict[str, Any]] = {
    "ray_service": {"ansible_check_mode": False},
    "eks_addons": {
        "eks_addons_accelerator": "neuron",
        "eks_addons_cluster_name": "mistral",
        "eks_addons_cluster_security_group_id": "sg-1",
        "eks_addons_kubernetes_version": "1.35",
        "eks_addons_subnet_ids": ["subnet-1"],
        "eks_addons_tags": {"rayops.serve_ha/deployment": "mistral"},
    },
}


@functools.cache
def read(path: Path) -> dict[str, Any]:
    from ansible.parsing.dataloader import DataLoader

    return DataLoader().load_from_file(str(path), trusted_as_template=True)


def rendered(role: str, name: str, **given: Any) -> Any:
    """The variable `name` of the role, with `given` over its defaults, and the profile loaded."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    path = ROLES / role
    variables: dict[str, Any] = {}
    for file in [path / "defaults" / "main.yml", *sorted((path / "vars" / "main").glob("*.yml"))]:
        variables |= read(file)
    variables |= {"role_path": str(path), "ansible_search_path": [str(path)]} | GIVEN[role] | given
    profile = path / "vars" / "profiles" / f"{variables.get('ray_service_profile')}.yml"
    if profile.exists() and "ray_service__profile" not in given:
        variables |= read(profile)
    value = Templar(loader=DataLoader(), variables=variables).template(variables[name])
    # As it would go to the API server, without Ansible's tagged types.
    return json.loads(json.dumps(value))


@pytest.fixture(scope="session")
def render() -> Render:
    """render(name, **given): a variable of this role."""
    return functools.partial(rendered, "ray_service")


@pytest.fixture(scope="session")
def render_addons() -> Render:
    """render_addons(name, **given): a variable of the role that makes the pools of nodes."""
    return functools.partial(rendered, "eks_addons")
