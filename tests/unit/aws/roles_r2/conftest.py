# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of eks_cluster and eks_addons, rendered as a play would render them, without running one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROLES = Path(__file__).parents[4] / "roles"
TAGS = {"rayops.serve_ha/deployment": "mistral"}
CALLER = {"arn": "arn:aws:sts::111122223333:assumed-role/admin/me", "account": "111122223333"}
GIVEN: dict[str, dict[str, Any]] = {
    "eks_cluster": {
        "eks_cluster_name": "mistral",
        "eks_cluster_region": "us-west-2",
        "eks_cluster_vpc_id": "vpc-1",
        "eks_cluster_subnet_ids": ["subnet-1", "subnet-2"],
        "eks_cluster_tags": TAGS,
        "eks_cluster__caller": CALLER,
        "eks_cluster__names": {"owned": [], "foreign": [], "missing": [], "foreign_text": ""},
        "ansible_playbook_python": "/nowhere/bin/python",
    },
    "eks_addons": {
        "eks_addons_cluster_name": "mistral",
        "eks_addons_region": "us-west-2",
        "eks_addons_vpc_id": "vpc-1",
        "eks_addons_subnet_ids": ["subnet-1", "subnet-2"],
        "eks_addons_cluster_security_group_id": "sg-cluster",
        "eks_addons_node_security_group_id": "sg-node",
        "eks_addons_kubernetes_version": "1.34",
        "eks_addons_tags": TAGS,
        "eks_addons__caller": CALLER,
        "eks_addons__names": {"owned": [], "foreign": [], "missing": [], "foreign_text": ""},
        "eks_addons__found": {"addons": []},
    },
}
Render = Callable[..., Any]


@pytest.fixture(scope="session")
def render() -> Render:
    """render(role, name, **given): the role's variable `name`, with `given` over its defaults."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    loader = DataLoader()

    def rendered(role: str, name: str, **given: Any) -> Any:
        path = ROLES / role
        variables: dict[str, Any] = {}
        for file in [path / "defaults" / "main.yml", *sorted((path / "vars" / "main").glob("*.yml"))]:
            variables |= loader.load_from_file(str(file), trusted_as_template=True)
        variables |= {"role_path": str(path), "ansible_search_path": [str(path)]} | GIVEN[role] | given
        value = Templar(loader=loader, variables=variables).template(variables[name])
        # As it would go to a module, without Ansible's tagged types.
        return json.loads(json.dumps(value))

    return rendered
