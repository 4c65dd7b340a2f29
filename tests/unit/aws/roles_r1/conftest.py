# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of network and elasticache_redis, rendered as a play would render them, without running one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROLES = Path(__file__).parents[4] / "roles"
Render = Callable[..., Any]


@pytest.fixture(scope="session")
def render() -> Render:
    """render(role, expression, **given): with `given` over the role's defaults and variables, as plain data."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar, trust_as_template

    loader = DataLoader()

    def rendered(role: str, expression: str, **given: Any) -> Any:
        variables: dict[str, Any] = {"ansible_check_mode": False}
        for path in ("defaults/main.yml", "vars/main.yml"):
            variables |= loader.load_from_file(str(ROLES / role / path), trusted_as_template=True)
        value = Templar(loader=loader, variables=variables | given).template(
            trust_as_template(f"{{{{ {expression} }}}}")
        )
        return json.loads(json.dumps(value, default=str))

    return rendered
