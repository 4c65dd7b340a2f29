# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of every module."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = Path(__file__).parents[3]
NAMES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))
GROUPS = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]
CONNECTIONS = {"aws": {"region", "profile", "access_key"}, "k8s": {"kubeconfig", "context", "host", "api_key"}}

each_module = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def documentation() -> dict[str, Any]:
    """Name -> what ansible-doc says of the module, with all fragments."""
    argv = ["ansible-doc", "--json", "--type", "module", *(f"rayops.serve_ha.{name}" for name in NAMES)]
    output = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {name.rpartition(".")[2]: doc for name, doc in json.loads(output).items()}


def argument_spec(options: dict[str, Any]) -> dict[str, Any]:
    spec = {}
    for name, option in options.items():
        spec[name] = {
            key: option[key] for key in ("type", "elements", "choices", "required", "aliases") if key in option
        }
        if option.get("suboptions"):
            spec[name]["options"] = argument_spec(option["suboptions"])
    return spec


def tasks_of(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks of examples that are tasks, blocks or plays."""
    tasks = []
    for entry in entries:
        inner = [task for key in ("tasks", "pre_tasks", "block", "rescue", "always") for task in entry.get(key, [])]
        tasks += tasks_of(inner) if inner else [entry]
    return tasks


@each_module
def test_examples_are_valid(name: str, documentation: dict[str, Any]) -> None:
    tasks = tasks_of(yaml.safe_load(documentation[name]["examples"]))
    uses = [task[f"rayops.serve_ha.{name}"] or {} for task in tasks if f"rayops.serve_ha.{name}" in task]
    assert uses, "no example uses the module by its full name"
    for values in uses:
        # What a template gives is known only when it runs.
        known = {key: value for key, value in values.items() if "{{" not in json.dumps(value)}
        spec = argument_spec(documentation[name]["doc"]["options"])
        for key in values.keys() - known.keys():
            assert key in spec
            spec[key]["required"] = False
        assert ArgumentSpecValidator(spec).validate(known).error_messages == []


@each_module
def test_connection_options_and_action_group_go_together(name: str, documentation: dict[str, Any]) -> None:
    doc = documentation[name]["doc"]
    membership = doc["attributes"].get("action_group", {}).get("membership", [])
    for group, connection in CONNECTIONS.items():
        takes_connection = connection <= set(doc["options"])
        assert (name in GROUPS[group]) == takes_connection
        assert (f"rayops.serve_ha.{group}" in membership) == takes_connection


@each_module
def test_attributes_are_given(name: str, documentation: dict[str, Any]) -> None:
    attributes = documentation[name]["doc"]["attributes"]
    assert [
        wanted for wanted in ("check_mode", "diff_mode", "idempotent") if "support" not in attributes.get(wanted, {})
    ] == []
    shows_progress = (ROOT / f"plugins/action/{name}.py").exists()
    assert ("progress" in attributes) == shows_progress


def test_groups_extend_those_of_the_dependencies_and_name_only_modules_that_exist() -> None:
    for group, parents in (("aws", ["amazon.aws.aws", "community.aws.aws"]), ("k8s", ["kubernetes.core.k8s"])):
        metadata, *members = GROUPS[group]
        assert metadata == {"metadata": {"extend_group": parents}}
        assert members == sorted(set(members) & set(NAMES))
