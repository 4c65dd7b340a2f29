# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables, rendered as a play would render them, without running one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROLE = Path(__file__).parents[3] / "roles" / "ray_service"
Render = Callable[..., Any]


@pytest.fixture(scope="session")
def render() -> Render:
    """render(name, **given): the role's variable `name`, with `given` over its defaults, and the profile loaded."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    loader = DataLoader()

    def read(path: Path) -> dict[str, Any]:
        return loader.load_from_file(str(path), trusted_as_template=True)

    def rendered(name: str, **given: Any) -> Any:
        variables: dict[str, Any] = read(ROLE / "defaults" / "main.yml")
        for path in sorted((ROLE / "vars" / "main").glob("*.yml")):
            variables |= read(path)
        variables |= {"role_path": str(ROLE), "ansible_check_mode": False} | given
        profile = ROLE / "vars" / "profiles" / f"{variables['ray_service_profile']}.yml"
        if profile.exists():
            variables |= read(profile)
        value = Templar(loader=loader, variables=variables).template(variables[name])
        # As it would go to the API server, without Ansible's tagged types.
        return json.loads(json.dumps(value))

    return rendered
