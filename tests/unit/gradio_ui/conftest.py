# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app as its pods see it, the scenario's browser, and the role's variables rendered as a play would render them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles" / "gradio_ui"
APP = ROLE / "files" / "app"
Render = Callable[..., Any]

# The app's modules, the scenario's and this directory's own, by their bare names.
sys.path[:0] = [str(APP), str(ROOT / "molecule" / "chat"), str(Path(__file__).parent)]
sys.dont_write_bytecode = True


@pytest.fixture(scope="session")
def render() -> Render:
    """render(name, **given): the role's variable C(name), with C(given) over its defaults."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    loader = DataLoader()

    def rendered(name: str, **given: Any) -> Any:
        variables: dict[str, Any] = {"role_path": str(ROLE), "ansible_check_mode": False}
        for path in [ROLE / "defaults/main.yml", *sorted((ROLE / "vars/main").glob("*.yml"))]:
            variables |= loader.load_from_file(str(path), trusted_as_template=True)
        value = Templar(loader=loader, variables=variables | given).template(variables[name])
        # As it would go to the API server, without Ansible's tagged types.
        return json.loads(json.dumps(value))

    return rendered
