# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A GGUF file on the nodes, in a volume, or fetched: the init container's command runs in a real shell against a web server."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("given", "path", "source"),
    [
        ({"gguf_path": "/data/m.gguf"}, "/models/user.gguf", {"hostPath": {"path": "/data/m.gguf", "type": "File"}}),
        (
            {"gguf_path": "/a/m.gguf", "gguf_volume": {"persistentVolumeClaim": {"claimName": "models"}}},
            "/models/user/a/m.gguf",
            {"persistentVolumeClaim": {"claimName": "models"}},
        ),
        (
            {"gguf_url": "https://example.org/x/m.gguf?a=b", "gguf_sha256": "A" * 64},
            "/models/user/model.gguf",
            {"emptyDir": {}},
        ),
    ],
)
def test_a_model_file_of_ones_own(render: Any, given: dict[str, Any], path: str, source: dict[str, Any]) -> None:
    variables = {f"ray_service_{name}": value for name, value in given.items()}
    args = render("ray_service__profile", **variables)["args"]
    assert args["model_path"] == path
    assert args["model"] == "m"
    config = render("ray_service__rayservice_object", **variables)["spec"]["rayClusterConfig"]
    spec = config["workerGroupSpecs"][0]["template"]["spec"]
    (volume,) = [one for one in spec["volumes"] if one["name"] == "model"]
    assert volume == {"name": "model"} | source
    (mount,) = [one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "model"]
    assert path.startswith(mount["mountPath"]) and mount["readOnly"]
    assert ("initContainers" in spec) == ("gguf_url" in given)
    head = config["headGroupSpec"]["template"]["spec"]
    assert "model" not in {one["name"] for one in head["volumes"]} and "initContainers" not in head


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A web server with one file, and the paths that it has been asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path == "/m.gguf" else 404)
            self.end_headers()
            self.wfile.write(b"GGUF and more")

        def log_message(self, *_args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


def fetch(render: Any, url: str, digest: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """The init container's own command, in a directory of this machine."""
    init = render("ray_service__gguf_fetch", ray_service_gguf_url=url, ray_service_gguf_sha256=digest)
    env = {one["name"]: one["value"] for one in init["env"]} | {"PATH": "/usr/bin:/bin"}
    (mount,) = init["volumeMounts"]
    command = [word.replace(mount["mountPath"], str(directory)) for word in init["command"]]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_a_model_is_fetched_once_and_checked(render: Any, web: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = web
    digest = hashlib.sha256(b"GGUF and more").hexdigest()
    for _start in range(2):
        done = fetch(render, f"{url}/m.gguf", digest.upper(), tmp_path)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "model.gguf").read_bytes() == b"GGUF and more"
    assert asked == ["/m.gguf"]
    # A broken file is replaced, or told.
    (tmp_path / "model.gguf").write_bytes(b"GG")
    assert fetch(render, f"{url}/m.gguf", digest, tmp_path).returncode == 0
    assert len(asked) == 2
    done = fetch(render, f"{url}/m.gguf", "0" * 64, tmp_path)
    assert done.returncode != 0
    assert "FAILED" in done.stdout
    done = fetch(render, f"{url}/other.gguf", "0" * 64, tmp_path)
    assert done.returncode != 0
    assert "404" in done.stderr
