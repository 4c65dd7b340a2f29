# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token of the Hugging Face hub in a place that is none for it: preflight hears of the place, and nothing of the token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

PLAYBOOK = Path(__file__).parents[3] / "playbooks" / "vars" / "deployment.yml"
TOKEN = "hf_" + "a1B2" * 8


def application(**said: Any) -> dict[str, Any]:
    return {"ray_service_applications": [{"import_path": "a:b", "deployments": [{"name": "x"}]} | said]}


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({}, []),
        ({"ray_service_hf_token": TOKEN}, []),
        ({"ray_service_env": {"TOKEN_OF_MINE": TOKEN}}, ["ray_service_env"]),
        ({"ray_service_env": {"A": f"--token={TOKEN}", "B": "hf_short"}}, ["ray_service_env"]),
        (application(args={"token": TOKEN}), ["ray_service_applications"]),
        (application(runtime_env={"env_vars": {"HF_TOKEN": TOKEN}}), ["ray_service_applications"]),
        ({"ray_service_gguf_url": f"https://h/m?token={TOKEN}"}, ["ray_service_gguf_url", "ray_service__profile"]),
        ({"ray_service_model": TOKEN}, ["ray_service_model", "ray_service__profile"]),
        ({"ray_service_model_source": TOKEN}, ["ray_service_model_source"]),
        ({"ray_service_head_pod": {"hostname": TOKEN}}, ["ray_service_head_pod"]),
        ({"ray_service_worker_pod": {"hostname": TOKEN}}, ["ray_service_worker_pod"]),
        ({"ray_service__profile": {"env": {"X": TOKEN}}}, ["ray_service__profile"]),
        # No reference, but the text.
        ({"ray_service__profile": {"args": {"x": TOKEN}}, "ray_service_hf_token": TOKEN}, ["ray_service__profile"]),
    ],
)
def test_preflight_hears_of_the_place_only(render: Any, given: dict[str, Any], places: list[str]) -> None:
    checked = render("ray_service__checked", **given)
    assert checked["tokens_in"] == places
    assert checked.pop("hf_token") == given.get("ray_service_hf_token", "")
    assert TOKEN not in json.dumps(checked)


@pytest.mark.parametrize("given", [{"ray_service_hf_token": TOKEN}, {}])
def test_a_reference_needs_a_token_to_refer_to(render: Any, given: dict[str, Any]) -> None:
    """Kubernetes leaves $(HF_TOKEN) as it is where there is no such variable, and programs would send it to the hub."""
    reference = {"ray_service_profile": "neuron_blueprint", "ray_service_env": {"MINE": "$(HF_TOKEN)", "NUMBER": 5}} | given
    env = render("ray_service__given_env", **reference)
    named = {"MINE", "HUGGING_FACE_HUB_TOKEN"}
    assert named & env.keys() == (named if given else set())
    assert env["NUMBER"] == 5
    # A reference is no token, and so no name is refused for it.
    assert not named & set(render("ray_service__checked", **reference)["env"])


def test_a_name_with_a_value_is_told(render: Any) -> None:
    checked = render("ray_service__checked", ray_service_env={"HUGGING_FACE_HUB_TOKEN": "x"})
    assert "HUGGING_FACE_HUB_TOKEN" in checked["env"]


def test_the_playbook_looks_at_the_same(render: Any) -> None:
    """It asks preflight before the role is there, so it has the same lists once more."""
    playbook = yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))
    assert playbook["serve_ha_token"] == render("ray_service__token")
    assert playbook["serve_ha_open"].keys() == render("ray_service__open").keys()
    handed = playbook["serve_ha_preflight_ray_service"].keys() | {"hf_token", "tokens_in"}
    assert handed == render("ray_service__checked").keys()
