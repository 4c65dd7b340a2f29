# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of every role."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/main.yml"))
SECRET = re.compile(r"password|passwd|token|private_key|secret_key")

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options(role: Path) -> dict[str, Any]:
    return load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def begun(role: Path) -> set[str]:
    """The further states of roles that can begin something slow without waiting for it."""
    return {state for state in ("started", "removing") if (role / f"tasks/{state}.yml").exists()}


@each_role
def test_defaults_are_those_of_the_argument_specs(role: Path) -> None:
    assert load(role / "defaults/main.yml") == {name: option.get("default") for name, option in options(role).items()}


@each_role
def test_variables_have_the_prefix_of_the_role(role: Path) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []
    assert set(options(role)[f"{role.name}_state"]["choices"]) == {"present", "absent"} | begun(role)


@each_role
def test_readme_tells_of_the_result(role: Path) -> None:
    assert f"{role.name}_result" in (role / "README.md").read_text(encoding="utf-8")


@each_role
def test_secrets_are_not_logged(role: Path) -> None:
    def bare(options: dict[str, Any], path: str = "") -> list[str]:
        found = []
        for name, option in options.items():
            if SECRET.search(name) and option.get("type", "str") == "str" and not option.get("no_log"):
                found.append(path + name)
            found += bare(option.get("options", {}), f"{path}{name}.")
        return found

    assert bare(options(role)) == []


@each_role
def test_both_ways_of_the_life_are_there(role: Path) -> None:
    assert [name for name in ("main", "present", "absent") if not (role / f"tasks/{name}.yml").exists()] == []
