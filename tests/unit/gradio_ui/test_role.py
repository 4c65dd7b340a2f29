# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role sends to Kubernetes, what it refuses, and what it says when the page does not come up.

`UPDATE_GOLDEN=1 pytest tests/unit/gradio_ui` writes the golden files anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLE = Path(__file__).parents[3] / "roles" / "gradio_ui"
GOLDEN = Path(__file__).parent / "golden"
GIVEN = {
    "gradio_ui_image": "registry.example/gradio-ui:1",
    "gradio_ui_backend_url": "http://mistral-serve-svc.mistral.svc:8000",
    "gradio_ui__namespace_info": {"resources": []},
    "gradio_ui__secret_applied": {"skipped": True},
}
AUTH = {"username": "anna", "password": "hunter2"}
# As README.md has them.
NGINX = {
    "enabled": True,
    "class_name": "nginx",
    "host": "chat.example.org",
    "tls": [{"hosts": ["chat.example.org"], "secretName": "chat-tls"}],
    "annotations": {
        "nginx.ingress.kubernetes.io/affinity": "cookie",
        "nginx.ingress.kubernetes.io/proxy-buffering": "off",
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
    },
}
ALB = {
    "enabled": True,
    "authenticated": True,
    "class_name": "alb",
    "host": "chat.example.org",
    "tls": [{"hosts": ["chat.example.org"]}],
    "annotations": {
        "alb.ingress.kubernetes.io/target-type": "ip",
        "alb.ingress.kubernetes.io/listen-ports": '[{"HTTPS": 443}]',
        "alb.ingress.kubernetes.io/healthcheck-path": "/healthz",
        "alb.ingress.kubernetes.io/target-group-attributes": "stickiness.enabled=true,stickiness.type=lb_cookie",
        "alb.ingress.kubernetes.io/auth-type": "oidc",
        "alb.ingress.kubernetes.io/auth-idp-oidc": '{"issuer": "https://id.example.org", …, "secretName": "chat-oidc"}',
    },
}
CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "nginx": {"gradio_ui_auth": AUTH, "gradio_ui_ingress": NGINX, "gradio_ui__secret_applied": {"result": {}}},
    "alb": {"gradio_ui_ingress": ALB, "gradio_ui_num_replicas": 3, "gradio_ui_model": "mistral-7b"},
}


def objects_of(render: Any, case: str) -> list[dict[str, Any]]:
    return render("gradio_ui__objects", **(GIVEN | CASES[case]))


def the(kind: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


@pytest.mark.parametrize("case", CASES)
def test_golden(render: Any, golden: Any, case: str) -> None:
    objects = objects_of(render, case)
    config_map = the("ConfigMap", objects)
    digest = config_map["metadata"]["name"].rpartition("-")[2]
    config_map["data"] = dict.fromkeys(config_map["data"], "…")
    # The application's own changes are no changes of the manifest.
    golden(GOLDEN / f"{case}.yml", json.loads(json.dumps(objects).replace(digest, "0123456789")))


def test_examples_of_the_readme() -> None:
    text = (ROLE / "README.md").read_text(encoding="utf-8")
    examples = [block.split("```")[0] for block in text.split("```yaml\n") if block.startswith("gradio_ui_ingress:")]
    assert [yaml.safe_load(one)["gradio_ui_ingress"] for one in examples] == [NGINX, ALB]


def test_the_whole_application_is_there(render: Any) -> None:
    config_map = the("ConfigMap", objects_of(render, "default"))
    assert set(config_map["data"]) == {path.name for path in (ROLE / "files" / "app").glob("*.py")}
    assert config_map["immutable"] is True
    for name, text in config_map["data"].items():
        assert text == (ROLE / "files" / "app" / name).read_text(encoding="utf-8")


def test_the_page_gets_what_it_reads(render: Any) -> None:
    """Every variable that the application looks up is set, and nothing else of its own."""
    read = set(re.findall(r'environment(?:\.get\(|\[)"(CHAT_\w+)"', (ROLE / "files/app/chat_server.py").read_text()))
    read |= set(re.findall(r'os\.environ\["(CHAT_\w+)"', (ROLE / "files/app/chat_server.py").read_text()))
    container = the("Deployment", objects_of(render, "nginx"))["spec"]["template"]["spec"]["containers"][0]
    assert {one["name"] for one in container["env"]} == read | {"HOME"}
    assert all(isinstance(one.get("value", ""), str) for one in container["env"])


@pytest.mark.parametrize("case", CASES)
def test_selectors_find_the_pods(render: Any, case: str) -> None:
    objects = objects_of(render, case)
    spec = the("Deployment", objects)["spec"]
    labels = spec["template"]["metadata"]["labels"]
    for selector in (
        spec["selector"]["matchLabels"],
        the("Service", objects)["spec"]["selector"],
        the("PodDisruptionBudget", objects)["spec"]["selector"]["matchLabels"],
        *(one["labelSelector"]["matchLabels"] for one in spec["template"]["spec"]["topologySpreadConstraints"]),
    ):
        assert selector.items() <= labels.items()
    volumes = {one["name"] for one in spec["template"]["spec"]["volumes"]}
    assert {one["name"] for one in spec["template"]["spec"]["containers"][0]["volumeMounts"]} == volumes


def test_the_password_is_in_the_secret_only(render: Any) -> None:
    given = GIVEN | CASES["nginx"]
    everything = json.dumps([objects_of(render, "nginx"), render("gradio_ui__problems", **given)])
    assert "hunter2" not in everything
    assert "aHVudGVyMg==" not in everything
    (secret,) = render("gradio_ui__secret_objects", **given)
    assert secret["data"] == {"username": "YW5uYQ==", "password": "aHVudGVyMg=="}
    assert secret["metadata"]["name"] == "mistral-chat-auth"


@pytest.mark.parametrize(
    ("applied", "version"),
    [
        ({"result": {"kind": "Secret", "metadata": {"resourceVersion": "7"}}}, "7"),
        (
            {
                "result": {
                    "results": [
                        {"result": {"kind": "Namespace", "metadata": {"resourceVersion": "1"}}},
                        {"result": {"kind": "Secret", "metadata": {"resourceVersion": "8"}}},
                    ]
                }
            },
            "8",
        ),
        ({"skipped": True}, ""),
    ],
)
def test_another_password_is_another_pod(render: Any, applied: dict[str, Any], version: str) -> None:
    given = GIVEN | {"gradio_ui_auth": AUTH, "gradio_ui__secret_applied": applied}
    template = render("gradio_ui__deployment_object", **given)["spec"]["template"]
    assert template["metadata"]["annotations"] == {"rayops.serve-ha/auth": version}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, None),
        ({"gradio_ui_name": "Chat"}, "gradio_ui_name is 'Chat'; expected"),
        ({"gradio_ui_name": "a" * 53}, "at most 52"),
        ({"gradio_ui_namespace": "my_chat"}, "gradio_ui_namespace is 'my_chat'"),
        ({"gradio_ui_backend_url": ""}, "gradio_ui_backend_url is ''; expected http://host:port"),
        ({"gradio_ui_backend_url": "mistral:8000"}, "gradio_ui_backend_url is 'mistral:8000'"),
        ({"gradio_ui_backend_url": "http://mistral:8000/v1/"}, "without /v1"),
        ({"gradio_ui_backend_url": "https://api.example.org/llm"}, None),
        ({"gradio_ui_backend_timeout": 0}, "gradio_ui_backend_timeout is 0; expected at least 1"),
        ({"gradio_ui_num_replicas": 1}, "gradio_ui_num_replicas is 1; expected at least 2"),
        ({"gradio_ui_auth": AUTH}, None),
        ({"gradio_ui_auth": {"username": "anna"}}, "gradio_ui_auth lacks"),
        ({"gradio_ui_auth": {"username": "", "password": "hunter2"}}, "gradio_ui_auth lacks"),
        ({"gradio_ui_auth": {"username": "a:b", "password": "hunter2"}}, "its username has a colon"),
        ({"gradio_ui_ingress": {"enabled": True}}, "nothing asks who comes in"),
        ({"gradio_ui_ingress": {"enabled": True}, "gradio_ui_auth": AUTH}, "enabled without encryption"),
        ({"gradio_ui_ingress": {"enabled": False}, "gradio_ui_auth": AUTH}, None),
        ({"gradio_ui_ingress": NGINX, "gradio_ui_auth": AUTH}, None),
        ({"gradio_ui_ingress": {"enabled": True, "authenticated": True}}, None),
        ({"gradio_ui_ingress": {"enabled": False}}, None),
    ],
)
def test_wrong_input(render: Any, given: dict[str, Any], problem: str | None) -> None:
    problems = render("gradio_ui__problems", **(GIVEN | given))
    assert "hunter2" not in str(problems)
    if problem is None:
        assert problems == []
    else:
        (said,) = problems
        assert problem in said


HOST = {"enabled": True, "authenticated": True, "host": "chat.example.org"}
LISTEN = "alb.ingress.kubernetes.io/listen-ports"


@pytest.mark.parametrize(
    ("ingress", "encrypted", "url"),
    [
        ({}, False, ""),
        (HOST, False, "http://chat.example.org"),
        (HOST | {"enabled": False, "encrypted": True}, True, ""),
        ({"enabled": True, "encrypted": True}, True, ""),
        (HOST | {"encrypted": True}, True, "https://chat.example.org"),
        (HOST | {"tls": [{"hosts": ["chat.example.org"]}]}, True, "https://chat.example.org"),
        (HOST | {"tls": [], "annotations": None}, False, "http://chat.example.org"),
        (HOST | {"annotations": {LISTEN: '[{"HTTP": 80}]'}}, False, "http://chat.example.org"),
        (HOST | {"annotations": {LISTEN: '[{"HTTP": 80}, {"HTTPS": 443}]'}}, True, "https://chat.example.org"),
        (
            HOST | {"annotations": {"alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:x"}},
            True,
            "https://chat.example.org",
        ),
    ],
)
def test_the_address_of_the_ingress(render: Any, ingress: dict[str, Any], encrypted: bool, url: str) -> None:
    given = GIVEN | {"gradio_ui_ingress": ingress, "gradio_ui_auth": AUTH}
    assert render("gradio_ui__ingress_encrypted", **given) is encrypted
    assert render("gradio_ui__ingress_url", **given) == url
    refused = bool(render("gradio_ui__problems", **given))
    assert refused is (ingress.get("enabled", False) and not encrypted)


def test_all_that_is_wrong_is_told_at_once(render: Any) -> None:
    assert len(render("gradio_ui__problems", **(GIVEN | {"gradio_ui_name": "A", "gradio_ui_num_replicas": 0}))) == 2


@pytest.mark.parametrize(
    ("namespace", "check", "kinds"),
    [
        ([], True, []),
        ([{"metadata": {}}], True, ["Secret", "ConfigMap", "Service", "PodDisruptionBudget", "Deployment"]),
        ([], False, ["Secret", "ConfigMap", "Service", "PodDisruptionBudget", "Deployment"]),
    ],
)
def test_dry_run_leaves_out_what_the_server_would_refuse(
    render: Any, namespace: list[Any], check: bool, kinds: list[str]
) -> None:
    given = GIVEN | {
        "gradio_ui_auth": AUTH,
        "ansible_check_mode": check,
        "gradio_ui__namespace_info": {"resources": namespace},
    }
    objects = render("gradio_ui__secret_objects", **given) + render("gradio_ui__applicable_objects", **given)
    assert [one["kind"] for one in objects] == kinds


@pytest.mark.parametrize(
    ("resources", "ours", "made"),
    [
        ([], False, ["Namespace"]),
        ([{"metadata": {"name": "mistral-chat"}}], False, []),
        ([{"metadata": {"labels": {"rayops.serve-ha/chat": "other"}}}], False, []),
        ([{"metadata": {"labels": {"rayops.serve-ha/chat": "mistral-chat"}}}], True, ["Namespace"]),
    ],
)
def test_namespace_of_somebody_else_is_let_alone(
    render: Any, resources: list[Any], ours: bool, made: list[str]
) -> None:
    given = GIVEN | {"gradio_ui__namespace_info": {"resources": resources}}
    assert render("gradio_ui__namespace_ours", **given) is ours
    assert [one["kind"] for one in render("gradio_ui__namespace_objects", **given)] == made


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, [("Ingress", "mistral-chat"), ("Secret", "mistral-chat-auth")]),
        ({"gradio_ui_auth": AUTH}, [("Ingress", "mistral-chat")]),
        ({"gradio_ui_ingress": ALB}, [("Secret", "mistral-chat-auth")]),
        ({"gradio_ui_auth": AUTH, "gradio_ui_ingress": NGINX}, []),
    ],
)
def test_what_is_not_asked_for_goes(render: Any, given: dict[str, Any], names: list[Any]) -> None:
    gone = render("gradio_ui__not_asked_for", **(GIVEN | given))
    assert [(one["kind"], one["metadata"]["name"]) for one in gone] == names


def test_everything_that_is_made_is_removed(render: Any) -> None:
    made = {one["kind"] for case in CASES for one in objects_of(render, case)} | {"Secret", "ReplicaSet", "Pod"}
    removed = render("gradio_ui__removed", **GIVEN)
    assert {one["kind"] for one in removed} == made
    assert all(one["metadata"] == {"namespace": "mistral-chat"} for one in removed)


def pod(
    name: str, phase: str, conditions: list[dict[str, str]], waiting: dict[str, str] | None = None
) -> dict[str, Any]:
    status: dict[str, Any] = {"phase": phase, "conditions": conditions}
    if waiting is not None:
        status["containerStatuses"] = [{"state": {"waiting": waiting}}]
    return {"metadata": {"name": name}, "status": status}


def test_reasons(render: Any) -> None:
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    unready = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    pods = [
        pod("good", "Running", [{"type": "Ready", "status": "True"}]),
        pod("no-image", "Pending", [unready], {"reason": "ImagePullBackOff", "message": "not found"}),
        pod("no-node", "Pending", [unscheduled]),
        pod("slow", "Running", [unready]),
        pod("new", "Pending", []),
    ]
    said = render("gradio_ui__pods_unready", **GIVEN, gradio_ui__pods_info={"resources": pods})
    assert said.split("; ") == [
        "no-image (Pending): ImagePullBackOff, not found",
        "no-node (Pending): Unschedulable, 0/3 nodes",
        "slow (Running): ContainersNotReady",
        "new (Pending): ",
        "",
    ]
    assert not render("gradio_ui__pods_unready", **GIVEN, gradio_ui__pods_info={"resources": []})
    events = [{"message": f"event {number // 2}"} for number in range(20)]
    warnings = render("gradio_ui__warnings", **GIVEN, gradio_ui__events_info={"resources": events})
    assert warnings == [f"event {number}" for number in range(5, 10)]
