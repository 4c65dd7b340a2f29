# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API client: what it tries again, and credentials that run out in the middle."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("kubernetes")
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.exceptions import CoreException
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import RETRY_PAUSES, Api, ApiFailure
from kubernetes.client.rest import ApiException
from urllib3.exceptions import ProtocolError

LOST = ProtocolError("connection reset")


class Script:
    """kubernetes.core's K8SClient, as far as it is used: plays statuses; 200 answers with an empty object."""

    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps
        self.client = self
        self.asked: list[str] = []

    def request(self, method: str, _path: str, **_parameters: Any) -> Any:
        self.asked.append(method)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        if step != 200:
            error = ApiException(status=step, reason="because")
            error.body, error.headers = json.dumps({"message": f"said {step}"}), {"Retry-After": "3"}
            raise error
        return SimpleNamespace(status=200, headers={}, data=b"{}")


def play(steps: list[Any], **options: Any) -> tuple[Api, list[Script], list[float]]:
    """An Api that has answered once if the script begins with a 200; the clients it made, and its pauses."""
    made: list[Script] = []
    slept: list[float] = []

    def connect() -> Script:
        made.append(Script(steps))
        return made[-1]

    return Api(connect, sleep=slept.append, **options), made, slept


@pytest.mark.parametrize(
    ("steps", "connects"),
    [
        ([200], 1),
        ([429, 503, 200], 1),
        ([200, 401, 200], 2),
        ([200, 401, 401, 200], 3),
        ([200, LOST, OSError("no route"), 200], 1),
    ],
)
def test_requests_ride_out_what_passes(steps: list[Any], connects: int) -> None:
    api, made, _slept = play(steps)
    while steps:
        assert api.get("/x") == {}
    assert len(made) == connects


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([403], 403),
        ([404], 404),
        ([409], 409),
        ([500] * (len(RETRY_PAUSES) + 1), 500),
        # Before the first answer these tell of a wrong setting.
        ([401], 401),
        ([LOST], None),
        ([CoreException("no such kubeconfig")], None),
    ],
)
def test_requests_end_at_what_stays(steps: list[Any], status: int | None) -> None:
    api, _made, _slept = play(steps)
    with pytest.raises(ApiFailure) as caught:
        api.get("/x")
    assert caught.value.status == status
    assert (f"said {status}" in str(caught.value)) is (status is not None)
    assert steps == []


def test_the_server_says_how_long_to_wait() -> None:
    api, _made, slept = play([429] * 6 + [200])
    api.get("/x")
    assert slept == [3.0, 3.0, 3.0, 3.0, 4.0, 8.0]


def test_a_caller_with_a_loop_of_its_own() -> None:
    api, made, slept = play([200, 503, 401, 200], pauses=())
    api.get("/x")
    for status in (503, 401):
        with pytest.raises(ApiFailure) as caught:
            api.get("/x")
        assert caught.value.status == status
    assert api.get("/x") == {}
    assert (len(made), slept) == (2, [])


def test_nothing_is_there() -> None:
    api, _made, _slept = play([404, 404, 404])
    assert api.find("/x") is None
    assert api.items("/x") == []
    api.delete("/x")


class Server(http.server.BaseHTTPRequestHandler):
    """An API server that takes only the token of the newest serial number, and notes every token it is shown."""

    def do_GET(self) -> None:
        token = self.headers["Authorization"]
        self.server.seen.append(token)
        good = token == f"Bearer token-{self.server.serial}"
        # With what a new client asks for: the server's version, and which groups there are.
        answer = {"kind": "APIGroupList", "gitVersion": "v1.35.0", "groups": [], "path": self.path}
        body = json.dumps(answer if good else {"message": "Unauthorized"}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Any]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        running.serial, running.seen = 1, []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


EXEC = """
import json, pathlib
file = pathlib.Path({file!r})
serial = int(file.read_text()) + 1
file.write_text(str(serial))
status = {{"token": f"token-{{serial}}", "expirationTimestamp": "2999-01-01T00:00:00Z"}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": status}}))
"""


def test_an_exec_credential_that_is_refused_is_made_anew(server: Any, tmp_path: Path) -> None:
    """As with EKS: the program of the kubeconfig runs once, and again when its token is refused, expired or not."""
    serial = tmp_path / "serial"
    serial.write_text("0")
    command = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": sys.executable}
    command |= {"args": ["-I", "-c", EXEC.format(file=str(serial))], "interactiveMode": "Never"}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        "users": [{"name": "u", "user": {"exec": command}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    api = Api(lambda: get_api_client(kubeconfig=str(path)), sleep=lambda _seconds: None)
    assert [api.get(path)["path"] for path in ("/a", "/b")] == ["/a", "/b"]
    assert serial.read_text() == "1"
    server.serial = 2
    assert api.get("/c")["path"] == "/c"
    assert serial.read_text() == "2"
    assert (server.seen[0], server.seen[-1]) == ("Bearer token-1", "Bearer token-2")
