# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks work out from the inventory and from the roles' results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SERVICE = {"namespace": "mistral", "serve_service": "mistral-serve-svc", "openai_api": True}
IMAGE = {"gradio_ui_image": "registry.example/gradio-ui:1"}
CLUSTER = {"serve_ha_cluster": {"kubeconfig": "k"}, "eks_cluster_result": {"configure_kubectl": "aws eks"}}
BACKEND = {"gradio_ui_backend_url": "http://elsewhere:8000"}


def rendered(name: str, host: dict[str, Any], **given: Any) -> Any:
    """The variable C(name) for a host of the group aws with these variables. C(given): results of roles."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    loader = DataLoader()
    variables = loader.load_from_file(str(ROOT / "playbooks/vars/deployment.yml"), trusted_as_template=True)
    variables |= {"inventory_hostname": "there", "group_names": ["aws"], "hostvars": {"there": host}}
    return Templar(loader=loader, variables=variables | host | given).template(variables[name])


@pytest.mark.parametrize(
    ("host", "openai_api", "state"),
    [
        ({}, True, "absent"),
        (IMAGE, True, "present"),
        (IMAGE, False, "absent"),
        (IMAGE | BACKEND, False, "present"),
        (BACKEND, True, "absent"),
        (IMAGE | {"gradio_ui_state": "absent"}, True, "absent"),
        (IMAGE | {"gradio_ui_state": "present"}, False, "present"),
    ],
)
def test_a_chat_page_where_there_is_something_to_chat_with(host: dict[str, Any], openai_api: bool, state: str) -> None:
    assert rendered("serve_ha_chat_state", host, ray_service_result=SERVICE | {"openai_api": openai_api}) == state


@pytest.mark.parametrize(
    ("page", "url"),
    [
        ({}, ""),
        # After its removal.
        ({"gradio_ui_result": {"name": "mistral-chat", "namespace": "mistral-chat"}}, ""),
        ({"gradio_ui_result": {"local_url": "http://localhost:7860", "ingress_url": ""}}, "http://localhost:7860"),
        ({"gradio_ui_result": {"local_url": "http://localhost:7860", "ingress_url": "http://chat"}}, "http://chat"),
    ],
)
def test_the_address_of_the_page(page: dict[str, Any], url: str) -> None:
    assert rendered("serve_ha_outputs", {}, **CLUSTER, **page)["chat_url"] == url


@pytest.mark.parametrize(
    ("service", "line"),
    [
        ({}, ""),
        ({"ray_service_result": SERVICE}, "kubectl --namespace mistral port-forward service/mistral-serve-svc 8000"),
    ],
)
def test_the_way_to_the_api(service: dict[str, Any], line: str) -> None:
    outputs = rendered("serve_ha_outputs", {}, **CLUSTER, **service)
    assert outputs["api_port_forward"] == line
