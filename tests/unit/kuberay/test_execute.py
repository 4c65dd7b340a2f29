# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in containers, over a WebSocket as the API server speaks it."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

pytest.importorskip("kubernetes")
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Api, ApiFailure

ENDED = "the command terminated with exit code 3"
SUCCESS, FAILURE = {"status": "Success"}, {"status": "Failure", "message": ENDED}


def frame(opcode: int, payload: bytes) -> bytes:
    assert len(payload) < 126
    return bytes([0x80 | opcode, len(payload)]) + payload


class Server(http.server.BaseHTTPRequestHandler):
    """Plays C(frames), [(channel, text)], to who opens a WebSocket; then closes it, or not if C(hangs)."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        if not where.path.endswith("/exec"):
            body = json.dumps({"kind": "APIGroupList", "gitVersion": "v1.35.0", "groups": []}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.server.asked = (where.path, parse_qsl(where.query), self.headers["Authorization"])
        if self.server.status != 101:
            self.send_error(self.server.status)
            return
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        for channel, text in self.server.frames:
            self.wfile.write(frame(2, bytes([channel]) + text.encode()))
        if self.server.hangs:
            time.sleep(self.server.hangs)
        self.wfile.write(frame(8, b""))
        self.close_connection = True

    def log_message(self, *_arguments: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Any]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        running.daemon_threads = True
        running.status, running.frames, running.hangs, running.asked = 101, [], 0, None
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def execute(server: Any, seconds: float = 5) -> str:
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    api = Api(lambda: get_api_client(kubeconfig=kubeconfig), sleep=lambda _seconds: None)
    return api.execute("ns", "head", "ray-head", ["python3", "-c", "print('a b')"], seconds)


def test_output_of_a_command(server: Any) -> None:
    server.frames = [(1, "one "), (2, "two"), (3, json.dumps(SUCCESS))]
    assert execute(server) == "one two"
    path, query, authorization = server.asked
    assert path == "/api/v1/namespaces/ns/pods/head/exec"
    assert [value for key, value in query if key == "command"] == ["python3", "-c", "print('a b')"]
    assert ("container", "ray-head") in query
    assert authorization == "Bearer secret"


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([(2, "no such process"), (3, json.dumps(FAILURE))], f"python3 in ns/head: {ENDED}: no such process"),
        ([(1, "so far")], "python3 in ns/head: it broke off: so far"),
    ],
    ids=["it fails", "its container dies"],
)
def test_a_command_that_fails(server: Any, frames: list[tuple[int, str]], words: str) -> None:
    server.frames = frames
    with pytest.raises(ApiFailure) as caught:
        execute(server)
    assert str(caught.value) == words


def test_a_command_that_does_not_end(server: Any) -> None:
    server.hangs = 10
    with pytest.raises(ApiFailure, match=r"it did not end within 0\.5 s"):
        execute(server, 0.5)


def test_an_account_that_may_not(server: Any) -> None:
    server.status = 403
    with pytest.raises(ApiFailure, match="403"):
        execute(server)
