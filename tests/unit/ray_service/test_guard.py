# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which heads' pods the guard takes away, what it asks for, and what it may."""

from __future__ import annotations

import http.server
import json
import runpy
import signal
import ssl
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[3] / "roles" / "ray_service" / "files" / "guard" / "guard.py"
HEADS = runpy.run_path(str(FILE.with_name("heads.py")))
WORKERS = runpy.run_path(str(FILE.with_name("workers.py")))
with pytest.MonkeyPatch.context() as script:
    # As beside a script.
    script.syspath_prepend(str(FILE.parent))
    GUARD = runpy.run_path(str(FILE))
NOW = 1767323045  # 2026-01-02T03:04:05Z
PASSED, AHEAD = "2026-01-02T03:04:04Z", "2026-01-02T03:04:06Z"


def pod(deleted: str = "", node: str = "lost", **labels: str) -> dict[str, Any]:
    given = {"ray.io/node-type": "head", HEADS["MARK"]: "true"} | labels
    return {
        "metadata": {"name": "head", "uid": "u-1", "labels": given} | ({"deletionTimestamp": deleted} if deleted else {}),
        "spec": {"nodeName": node} if node else {},
        "status": {"podIP": "10.0.0.1"},
    }


def worker(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": name, "labels": {"ray.io/node-type": "worker", "ray.io/cluster": "c", "ray.io/serve": "true"}},
        "spec": {"nodeName": "n", "containers": [{}]},
        "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def node(ready: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "MemoryPressure", "status": "Unknown"}, {"type": "Ready", "status": ready}]}}


@pytest.mark.parametrize(
    ("head", "its_node", "removed"),
    [
        (pod(PASSED), node("Unknown"), True),
        (pod(PASSED), None, True),
        # Its kubelet lives and will say when the pod has ended.
        (pod(PASSED), node("True"), False),
        (pod(PASSED), node("False"), False),
        (pod(PASSED), {"status": {}}, False),
        # Nobody has deleted it, or it has time left.
        (pod(), node("Unknown"), False),
        (pod(), None, False),
        (pod(AHEAD), node("Unknown"), False),
        # The API server needs no kubelet for that one.
        (pod(PASSED, node=""), None, False),
        # Another head would not put it out, or it is none.
        (pod(PASSED, **{HEADS["MARK"]: "false"}), node("Unknown"), False),
        (pod(PASSED, **{"ray.io/node-type": "worker"}), node("Unknown"), False),
    ],
)
def test_to_remove(head: dict[str, Any], its_node: dict[str, Any] | None, removed: bool) -> None:
    assert HEADS["to_remove"]([head], {"lost": its_node}, NOW) == ([head] if removed else [])


@pytest.mark.parametrize(("answer", "said"), [({"kind": "Pod"}, "Took away pod head, u-1"), (None, "Gone already: pod head, u-1")])
def test_look(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Any, said: str) -> None:
    asked = []

    def ask(method: str, path: str, body: Any = None) -> Any:
        asked.append((method, path, body))
        if method == "DELETE":
            return answer
        return node("Unknown") if "/nodes/" in path else {"items": [pod(), pod(PASSED)]}

    monkeypatch.setitem(GUARD["look"].__globals__, "ask", ask)
    assert GUARD["look"]("ray", "mistral", {}) == {}
    selector = "rayops.serve-ha/service%3Dmistral%2Cray.io/node-type"
    assert [(method, path) for method, path, _body in asked] == [
        ("GET", f"/api/v1/namespaces/ray/pods?labelSelector={selector}"),
        ("GET", "/api/v1/nodes/lost"),
        ("DELETE", "/api/v1/namespaces/ray/pods/head"),
    ]
    options = asked[-1][2]
    assert (options["gracePeriodSeconds"], options["preconditions"]) == (0, {"uid": "u-1"})
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(said)


def test_look_at_workers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A machine is lost, and comes back."""
    lost, left, clock, patches = worker("lost"), worker("left"), [100.0], []

    def ask(method: str, path: str, body: Any = None) -> Any:
        if method == "PATCH":
            assert path == "/api/v1/namespaces/ray/pods/lost"
            patches.append(body)
            lost["metadata"]["labels"] = {**lost["metadata"]["labels"], **body["metadata"]["labels"]}
            lost["metadata"]["labels"] = {name: value for name, value in lost["metadata"]["labels"].items() if value}
            return {"kind": "Pod"}
        return {"items": [pod(), lost, left]}

    there = {"lost": True, "left": True}
    monkeypatch.setitem(GUARD["look"].__globals__, "ask", ask)
    monkeypatch.setattr(GUARD["workers"], "answers", lambda one: there[one["metadata"]["name"]])
    monkeypatch.setattr(GUARD["time"], "monotonic", lambda: clock[0])
    memory: dict[str, Any] = {}
    before = lost["metadata"]["labels"]
    for answered, patched in ((True, 0), (False, 0), (False, 1), (False, 1), (True, 1)):
        there["lost"] = answered
        memory = GUARD["look"]("ray", "mistral", memory)
        assert len(patches) == patched
        clock[0] += 2
    clock[0] += WORKERS["BACK_SECONDS"]
    GUARD["look"]("ray", "mistral", memory)
    assert len(patches) == 2
    assert lost["metadata"]["labels"] == before
    out, back = capsys.readouterr().out.splitlines()
    assert out == "Pod lost on node n cannot be reached: out of the serve service"
    assert back == "Pod lost on node n answers again: back into the serve service"


@pytest.fixture(name="server")
def fixture_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str, Any]]]:
    """An API server of a few lines, and the guard's account. What it was asked: (method, token, body)."""
    asked: list[tuple[str, str, Any]] = []
    types: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((self.command, self.headers["Authorization"], json.loads(body) if body else None))
            types.append(self.headers["Content-Type"])
            text = b'{"kind": "Pod"}'
            self.send_response(int(self.path.rpartition("/")[2]))
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_DELETE = do_PATCH = answer

        def log_message(self, *_words: Any) -> None: ...

    make_certificates = runpy.run_path(str(FILE.parents[4] / "molecule/aws/redis/tls_redis.py"))["make_certificates"]
    for name, content in make_certificates("127.0.0.1", []).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "ca.pem").rename(tmp_path / "ca.crt")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    monkeypatch.setitem(GUARD["ask"].__globals__, "ACCOUNT", str(tmp_path))
    # A proxy is for other addresses.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.server_port))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield asked
        server.shutdown()
    # A patch is one of objects, to the API server.
    kinds = {"PATCH": "application/merge-patch+json"}
    assert types == [kinds.get(method, "application/json") for method, _token, _body in asked]


def test_ask(server: list[tuple[str, str, Any]], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    assert GUARD["ask"]("GET", "/200") == {"kind": "Pod"}
    (tmp_path / "token").write_text("second")
    assert GUARD["ask"]("DELETE", "/404", {"a": 1}) is None
    assert GUARD["ask"]("DELETE", "/409", {"a": 1}) is None
    with pytest.raises(urllib.error.HTTPError, match="403"):
        GUARD["ask"]("GET", "/403")
    assert GUARD["ask"]("PATCH", "/200", {"b": 2}) == {"kind": "Pod"}
    delete = ("DELETE", "Bearer second", {"a": 1})
    assert server == [("GET", "Bearer first", None), delete, delete, ("GET", "Bearer second", None), ("PATCH", "Bearer second", {"b": 2})]


def test_it_goes_on_without_an_answer_and_ends_at_once() -> None:
    given = {"NAMESPACE": "ray", "SERVICE": "mistral", "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "9"}
    with subprocess.Popen([sys.executable, str(FILE)], env=given, stdout=subprocess.PIPE, text=True) as guard:
        assert guard.stdout
        assert guard.stdout.readline().startswith("Did not look: ")
        guard.send_signal(signal.SIGTERM)
        assert guard.wait(2) == 0


def test_the_guard_finds_the_heads_that_the_role_marks(render: Any) -> None:
    given = {"ray_service_image": "ray:1", "ray_service_redis": {"address": "redis://redis:6379"}}
    for guarded in (True, False):
        groups = render("ray_service__groups", **given, ray_service_head_guard=guarded)
        marks = [group["template"]["metadata"]["labels"].get(HEADS["MARK"]) for group in (groups["headGroupSpec"], *groups["workerGroupSpecs"])]
        assert marks == ["true" if guarded else None, None], "a head that has the fence, and no other pod"


def test_it_may_what_it_does_and_no_more(render: Any) -> None:
    rules = {
        one["kind"]: one["rules"]
        for one in render("ray_service__guard_objects", ray_service_image="ray:1")
        if one["kind"] in ("Role", "ClusterRole")
    }
    assert rules == {
        "Role": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete", "patch"]}],
        "ClusterRole": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
    }


def test_its_pods_are_not_taken_for_the_services(render: Any) -> None:
    (deployment,) = [one for one in render("ray_service__guard_objects", ray_service_image="ray:1") if one["kind"] == "Deployment"]
    assert "rayops.serve-ha/service" in deployment["metadata"]["labels"], "a removal finds it"
    assert "rayops.serve-ha/service" not in deployment["spec"]["template"]["metadata"]["labels"]


def test_its_pods_get_what_they_need_to_start(render: Any) -> None:
    given = {
        "ray_service_image": "ray:1",
        "ray_service_profile": "gpu",
        "ray_service_head_pod": {"imagePullSecrets": [{"name": "pull"}], "nodeSelector": {"pool": "head"}, "volumes": [{"name": "v"}]},
        "ray_service_head_guard_image": "python:3",
        "ray_service_head_guard_pod": {"nodeSelector": {"pool": "any"}, "tolerations": [{"key": "team", "operator": "Exists"}]},
    }
    (deployment,) = [one for one in render("ray_service__guard_objects", **given) if one["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    assert (spec["imagePullSecrets"], spec["nodeSelector"]) == ([{"name": "pull"}], {"pool": "any"})
    # The image's user has a name, by which the kubelet cannot tell that it is not root.
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsNonRoot"]) == (1000, True)
    assert len(spec["volumes"]) == 1
    assert len(spec["tolerations"]) == 3
    assert spec["containers"][0]["image"] == "python:3"


def test_a_removal_needs_no_profile_to_know_what_is_in_no_namespace(render: Any) -> None:
    found = render("ray_service__guard_cluster_objects", ray_service__profile="none")
    assert [one["kind"] for one in found] == ["ClusterRole", "ClusterRoleBinding"]
    assert {one["metadata"]["name"] for one in found} == {"rayops:head-guard:mistral:mistral"}
