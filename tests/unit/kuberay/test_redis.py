# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis' protocol, which keys are whose, and the script as the pod runs it, against a store of ten lines."""

from __future__ import annotations

import fnmatch
import inspect
import io
import json
import os
import runpy
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import redis_script as script
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.redis_job import job, storage_namespaces

UID = "5dd3f9a8-1c53-4b2a-9a83-b3b0a2b0c6f5"
OTHER = "0aa1f9a8-1c53-4b2a-9a83-b3b0a2b0c6f5"


@pytest.mark.parametrize(
    ("words", "wire"),
    [
        (("PING",), b"*1\r\n$4\r\nPING\r\n"),
        (("SCAN", 0), b"*2\r\n$4\r\nSCAN\r\n$1\r\n0\r\n"),
        (("AUTH", "pä ss\r\n"), b"*2\r\n$4\r\nAUTH\r\n$8\r\np\xc3\xa4 ss\r\n\r\n"),
        (("DEL", b"\xff"), b"*2\r\n$3\r\nDEL\r\n$1\r\n\xff\r\n"),
    ],
)
def test_encode(words: tuple[Any, ...], wire: bytes) -> None:
    assert script.encode(*words) == wire


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        (b"+OK\r\n", b"OK"),
        (b":42\r\n", 42),
        (b"$-1\r\n", None),
        (b"$0\r\n\r\n", b""),
        (b"$4\r\na\r\nb\r\n", b"a\r\nb"),
        (b"*-1\r\n", None),
        (b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", [b"0", [b"a", b"b"]]),
    ],
)
def test_decode(wire: bytes, value: Any) -> None:
    assert script.decode(io.BytesIO(wire)) == value


def test_decode_refuses() -> None:
    with pytest.raises(script.RedisError, match="NOAUTH"):
        script.decode(io.BytesIO(b"-NOAUTH Authentication required.\r\n"))
    for wire in (b"", b"+OK", b"$9\r\nabc", b"HTTP/1.1 400\r\n"):
        with pytest.raises(ConnectionError):
            script.decode(io.BytesIO(wire))


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("redis://redis.redis.svc:6379", ("redis.redis.svc", 6379, False)),
        ("rediss://master.x.cache.amazonaws.com:6380", ("master.x.cache.amazonaws.com", 6380, True)),
        ("redis:6379", ("redis", 6379, False)),
        ("redis://[fd00::1]:6379", ("fd00::1", 6379, False)),
    ],
)
def test_address(address: str, parts: tuple[str, int, bool]) -> None:
    assert script.split_address(address) == parts


@pytest.mark.parametrize("address", ["redis", "redis://redis", "http://redis:6379", "redis://u:p@redis:6379", "redis:6379/1", "://a:1", ""])
def test_address_refuses(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        script.split_address(address)


KEYS = [
    f"RAY{UID}@JOB",
    f"RAY{UID}@KV",
    f"RAY{UID}@JobCounter",
    f"RAY{OTHER}@JOB",
    f"RAY{UID}0@JOB",
    f"RAY{UID[:-1]}@JOB",
    f"RAY{UID}@",
    f"RAY{UID}@JOB:1",
    f"xRAY{UID}@JOB",
    "RAY@JOB",
    "RAYa@b@JOB",
    "RAY*@JOB",
    "session:RAY",
]
SELECTIONS = {
    "one": ({UID}, set(), {UID: [f"RAY{UID}@JOB", f"RAY{UID}@JobCounter", f"RAY{UID}@KV"]}),
    "none of this name": ({"nobody"}, set(), {}),
    "a glob is a name": ({"*"}, set(), {"*": ["RAY*@JOB"]}),
    "a question mark too": ({UID[:-1] + "?"}, set(), {}),
    "all but those in use": (set(), {UID, UID + "0", UID[:-1], "*"}, {OTHER: [f"RAY{OTHER}@JOB"]}),
    "in use goes first": ({UID}, {UID}, {}),
}


@pytest.mark.parametrize(("wanted", "spared", "found"), SELECTIONS.values(), ids=SELECTIONS)
def test_select(wanted: set[str], spared: set[str], found: dict[str, list[str]]) -> None:
    assert script.select(KEYS + KEYS, wanted, spared) == found


class Store(socketserver.StreamRequestHandler):
    """AUTH, SCAN (two pages) and DEL of Redis, over the keys and the password of the server."""

    def handle(self) -> None:
        open_door = not self.server.password
        while (words := self.read()) is not None:
            command, *rest = [word.decode() for word in words]
            if command == "AUTH":
                open_door = rest[-1] == self.server.password
                self.wfile.write(b"+OK\r\n" if open_door else b"-WRONGPASS invalid username-password pair\r\n")
            elif not open_door:
                self.wfile.write(b"-NOAUTH Authentication required.\r\n")
            elif command == "SCAN":
                keys = sorted(key for key in self.server.keys if fnmatch.fnmatchcase(key, rest[2]))
                half = len(keys) // 2
                cursor, page = ("7", keys[:half]) if rest[0] == "0" else ("0", keys[half:])
                self.wfile.write(b"*2\r\n" + self.bulk(cursor) + b"*%d\r\n" % len(page) + b"".join(map(self.bulk, page)))
            else:
                gone = self.server.keys & set(rest)
                self.server.keys -= gone
                self.wfile.write(b":%d\r\n" % len(gone))

    def read(self) -> list[bytes] | None:
        try:
            return script.decode(self.rfile)
        except ConnectionError:
            return None

    @staticmethod
    def bulk(text: str) -> bytes:
        return b"$%d\r\n%s\r\n" % (len(text), text.encode())


@pytest.fixture
def store() -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Store) as server:
        server.daemon_threads = True
        server.keys, server.password = set(KEYS), "s3cret"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def execute(
    store: Any, delete: bool, password: str = "s3cret", wanted: tuple[str, ...] = (UID,), address: str = "", ca: str = ""
) -> dict[str, Any]:
    """As the pod does it: the source by C(python -c), everything else by the environment."""
    environment = {
        "REDIS_ADDRESS": address or f"redis://127.0.0.1:{store.server_address[1]}",
        "REDIS_USERNAME": "",
        "REDIS_PASSWORD": password,
        "REDIS_CA": ca,
        "WANTED": json.dumps(wanted),
        "SPARED": json.dumps([OTHER]),
        "DELETE": "1" if delete else "0",
    }
    command = [sys.executable, "-I", "-c", inspect.getsource(script)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_look_leaves_everything(store: Any) -> None:
    answer = execute(store, delete=False)
    assert answer == {"keys": {UID: [f"RAY{UID}@JOB", f"RAY{UID}@JobCounter", f"RAY{UID}@KV"]}, "deleted": 0}
    assert store.keys == set(KEYS)


def test_delete_touches_nothing_else(store: Any) -> None:
    assert execute(store, delete=True)["deleted"] == 3
    assert store.keys == {key for key in KEYS if not key.startswith(f"RAY{UID}@") or key.endswith(("@", ":1"))}
    assert execute(store, delete=True) == {"keys": {}, "deleted": 0}


def test_all_but_those_in_use(store: Any) -> None:
    assert OTHER not in execute(store, delete=True, wanted=())["keys"]
    assert f"RAY{OTHER}@JOB" in store.keys


def test_a_wrong_password_is_told_from_an_absent_store(store: Any) -> None:
    answer = execute(store, delete=True, password="wrong")
    assert (answer["reached"], "WRONGPASS" in answer["error"]) == (False, True)
    assert "NOAUTH" in execute(store, delete=True, password="")["error"]
    answer = execute(store, delete=True, address="127.0.0.1:1")
    assert (answer["reached"], "refused" in answer["error"]) == (False, True)


@pytest.fixture(scope="module")
def make_certificates() -> Any:
    return runpy.run_path(str(Path(__file__).parents[3] / "molecule/aws/redis/tls_redis.py"))["make_certificates"]


@pytest.mark.parametrize(
    ("certified", "trusted", "error"),
    [
        ("127.0.0.1", True, None),
        ("127.0.0.1", False, "CERTIFICATE_VERIFY_FAILED"),
        ("192.0.2.1", True, "IP address mismatch"),
    ],
)
def test_tls(store: Any, make_certificates: Any, tmp_path: Path, certified: str, trusted: bool, error: str | None) -> None:
    """The given authority and no other is trusted, for the address that was given and no other."""
    files = make_certificates(certified, [])
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    store.socket = context.wrap_socket(store.socket, server_side=True)
    answer = execute(
        store,
        delete=False,
        address=f"rediss://127.0.0.1:{store.server_address[1]}",
        ca=files["ca.pem"].decode() if trusted else "",
    )
    if error:
        assert (answer["reached"], error in answer["error"]) == (False, True), answer
    else:
        assert list(answer["keys"]) == [UID]


def test_storage_namespaces() -> None:
    cluster = {"metadata": {"uid": UID, "annotations": {"ray.io/external-storage-namespace": "a"}}}
    assert storage_namespaces(cluster) == {UID, "a"}
    assert storage_namespaces(cluster | {"spec": {"gcsFaultToleranceOptions": {"externalStorageNamespace": "b"}}}) == {UID, "a", "b"}


def test_job_keeps_the_password_out_of_itself() -> None:
    params = {
        "namespace": "mistral",
        "image": "ray:1",
        "address": "redis:6379",
        "username": "",
        "password_secret": {"name": "redis", "key": "password"},
        "ca_config_map": {"name": "redis-ca", "key": "ca.pem"},
    }
    definition = job(params, "pass", [UID], [OTHER], True, 60)
    pod = definition["spec"]["template"]["spec"]
    environment = {one["name"]: one for one in pod["containers"][0]["env"]}
    assert environment["REDIS_PASSWORD"]["valueFrom"] == {"secretKeyRef": {"name": "redis", "key": "password"}}
    assert environment["REDIS_CA"]["valueFrom"] == {"configMapKeyRef": {"name": "redis-ca", "key": "ca.pem"}}
    assert json.loads(environment["WANTED"]["value"]) == [UID]
    assert pod["containers"][0]["command"] == ["python", "-c", "pass"]
    assert definition["spec"]["ttlSecondsAfterFinished"]
    bare = json.dumps(job(params | {"password_secret": None, "ca_config_map": None}, "pass", [], [], False, 60))
    assert "REDIS_PASSWORD" not in bare
    assert "REDIS_CA" not in bare
