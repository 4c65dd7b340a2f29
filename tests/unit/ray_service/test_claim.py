# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's fence: who claims, who is refused, whose connections are ended, and that Ray starts in one of the cases only."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import redis_script

CLAIM = Path(__file__).parents[3] / "roles" / "ray_service" / "files" / "guard" / "claim.py"
NAMESPACE = "5dd3f9a8-1c53-4b2a-9a83-b3b0a2b0c6f5"
KEY = f"RAY{NAMESPACE}@rayops_head"
GIVEN = {"RAY_external_storage_namespace": NAMESPACE, "POD_UID": "new", "POD_IPS": "10.244.2.7"}


@pytest.fixture(name="script")
def fixture_script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(sys.modules, "redis_script", redis_script)
    spec = importlib.util.spec_from_file_location("claim", CLAIM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Store:
    """As much of Redis as the script asks for. clients: {id: address with port}; the script's own one is 9."""

    def __init__(self, script: Any, clients: dict[int, str], forbidden: str = "") -> None:
        self.script, self.clients, self.forbidden = script, clients, forbidden
        self.record: dict[bytes, bytes] = {}
        self.now = 1000
        self.sent: list[tuple[Any, ...]] = []

    def send(self, *words: Any) -> Any:
        self.sent.append(words)
        if self.forbidden and " ".join(map(str, words)).startswith(self.forbidden):
            raise redis_script.RedisError(f"NOPERM this user has no permissions to run the '{words[0].lower()}' command")
        if words == ("CLIENT", "ID"):
            return 9
        if words == ("CLIENT", "LIST"):
            return "".join(f"id={id_} addr={address} laddr=10.0.0.1:6379 name= age=1\n" for id_, address in self.clients.items()).encode()
        if words[0] == "HDEL":
            assert words[1] == KEY
            return len([self.record.pop(field) for field in words[2:]])
        if words[:3] == ("CLIENT", "KILL", "ID"):
            return 0 if words[4:] == ("SKIPME", "yes") and words[3] == 9 else int(self.clients.pop(words[3], None) is not None)
        assert words[:4] == ("EVAL", self.script.CLAIM, 1, KEY)
        return self.claim(*(word.encode() for word in words[4:]))

    def claim(self, uid: bytes, address: bytes) -> Any:
        if b"fenced:" + uid in self.record:
            return None
        now = b"%d" % self.now
        if self.record.get(b"holder", uid) != uid:
            before = self.record[b"holder"]
            self.record |= {b"fenced:" + before: now, b"pending:" + before: self.record[b"at"] + b" " + self.record[b"address"]}
        self.record |= {b"holder": uid, b"at": now, b"address": address}
        return [now, [part for item in self.record.items() for part in item]]


@pytest.fixture(name="connected")
def fixture_connected(script: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """connected(clients, forbidden=""): the store that the script finds then."""

    def make(clients: dict[int, str], forbidden: str = "") -> Store:
        store = Store(script, clients, forbidden)
        monkeypatch.setattr(script, "session", lambda _environment: contextlib.nullcontext(store.send))
        return store

    return make


def pods(old: str = "10.244.1.5", new: str = "10.244.2.7") -> dict[int, str]:
    return {3: f"{old}:50000", 4: f"{old}:50001", 5: "10.244.1.55:50000", 9: f"{new}:40000"}


def test_a_new_head_fences_the_one_before(script: Any) -> None:
    store = Store(script, {9: "10.244.1.5:1"})
    assert script.claim(store.send, KEY, "old", ["10.244.1.5"]) == {}
    store.now += 500
    assert script.claim(store.send, KEY, "old", ["10.244.1.5"]) == {}, "a container that restarts"
    store.clients = pods()
    store.now += 50
    heads = script.claim(store.send, KEY, "new", ["10.244.2.7"])
    assert heads == {b"pending:old": (script.START_SECONDS - 50, "10.244.1.5")}, "from its last claim on"
    script.end(store.send, heads)
    assert sorted(store.clients) == [5, 9], "the address as a whole, and nobody else's"
    store.clients = {9: "10.244.1.5:1"}
    with pytest.raises(script.Refused, match="taken over"):
        script.claim(store.send, KEY, "old", ["10.244.1.5"])
    assert store.record[b"holder"] == b"new"


def test_what_was_not_done_is_pending_for_the_next_one(script: Any) -> None:
    store = Store(script, {9: "10.244.1.5:1"})
    script.claim(store.send, KEY, "a", ["10.244.1.5"])
    store.clients = {9: "10.244.2.7:1"}
    script.claim(store.send, KEY, "b", ["10.244.2.7"])
    store.now += 1000
    assert script.claim(store.send, KEY, "b", ["10.244.2.7"]).keys() == {b"pending:a"}, "a container that restarts"
    store.clients = {9: "10.244.3.9:1"}
    assert script.claim(store.send, KEY, "c", ["10.244.3.9"]).keys() == {b"pending:a", b"pending:b"}


def test_a_head_with_the_address_of_the_one_before_does_not_end_itself(script: Any) -> None:
    store = Store(script, {9: "10.244.1.5:1"})
    script.claim(store.send, KEY, "old", ["10.244.1.5"])
    heads = script.claim(store.send, KEY, "new", ["10.244.1.5"])
    script.end(store.send, heads)
    assert list(store.clients) == [9]


def test_the_watch_ends_who_comes_late_and_writes_down_that_it_is_over(script: Any, connected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = connected({9: "10.244.1.5:1"})
    script.claim(store.send, KEY, "old", ["10.244.1.5"])
    store.clients = pods()
    heads = script.claim(store.send, KEY, "new", ["10.244.2.7"])
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        store.clients[10 + len(slept)] = "10.244.1.5:50002"

    monkeypatch.setattr(script.time, "sleep", sleep)
    monkeypatch.setattr(script.time, "monotonic", lambda: sum(slept))
    script.watch(GIVEN, heads)
    assert sum(slept) == pytest.approx(script.START_SECONDS, abs=1)
    assert sorted(store.clients) == [5, 9]
    assert (b"pending:old" in store.record, b"fenced:old" in store.record) == (False, True)


@pytest.mark.parametrize(
    ("seen", "own", "refused"),
    [
        ("10.0.0.11:5", ["10.244.2.7"], True),
        ("10.244.2.7:5", ["10.244.2.7", "fd00::7"], False),
        ("[fd00::7]:5", ["10.244.2.7", "fd00:0::7"], False),
        ("[fd00::8]:5", ["10.244.2.7", "fd00::7"], True),
    ],
)
def test_translated_addresses_are_refused_before_anything_is_written(script: Any, seen: str, own: list[str], refused: bool) -> None:
    store = Store(script, {9: seen})
    if refused:
        with pytest.raises(script.Refused, match="sees this pod.*ray_service_head_guard: false"):
            script.claim(store.send, KEY, "new", own)
    else:
        assert script.claim(store.send, KEY, "new", own) == {}
    assert bool(store.record) != refused


@pytest.mark.parametrize("forbidden", ["CLIENT ID", "CLIENT LIST", "CLIENT KILL", "EVAL"])
def test_what_redis_does_not_allow_is_named(script: Any, connected: Any, forbidden: str) -> None:
    store = connected({9: "10.244.2.7:1"}, forbidden)
    with pytest.raises(SystemExit, match="allow CLIENT and EVAL, .*: NOPERM .*ray_service_head_guard: false"):
        script.main(GIVEN)
    assert store.record == {}


def test_the_record_goes_with_rays_keys() -> None:
    assert redis_script.select([KEY], {NAMESPACE}, set()) == {NAMESPACE: [KEY]}


@pytest.mark.parametrize(("code", "started"), [(0, True), (1, False)])
def test_ray_starts_only_after_a_claim(render: Any, tmp_path: Path, code: int, started: bool) -> None:
    """The command as KubeRay builds it (common/pod.go, BuildPod and convertCmdToString)."""
    container = render("ray_service__claim_container", ray_service_redis={"address": "redis://redis:6379"})
    generated = "ulimit -n 1024; ray start --head"
    line = "".join(f" {word} " for word in container["command"]) + f" && {generated}"
    for name, text in (("python", f"exit {code}"), ("ray", "echo started")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/bash", "-c", "--", line],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=False, timeout=20,
    )
    assert (done.returncode, done.stdout) == (code, "started\n" if started else "")


@pytest.fixture(name="redis")
def fixture_redis(tmp_path: Path) -> Iterator[int]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if not program:
        pytest.skip("no redis-server here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([program, "--port", str(port), "--save", "", "--requirepass", "secret", "--dir", str(tmp_path)]) as server:
        yield port
        server.terminate()


@pytest.fixture(name="groups")
def fixture_groups() -> Iterator[list[int]]:
    """Process groups of the test's programs, of which nothing outlives it."""
    groups: list[int] = []
    yield groups
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def test_with_a_real_redis(redis: int, tmp_path: Path, groups: list[int]) -> None:
    """As the container runs it. All addresses of 127.0.0.0/8 are this machine's: .2 is the old head, .3 the new one."""
    shutil.copy(CLAIM, tmp_path)
    shutil.copy(redis_script.__file__, tmp_path)
    environment = {
        "PYTHONPATH": str(tmp_path),
        "RAY_REDIS_ADDRESS": f"redis://127.0.0.1:{redis}",
        "REDIS_PASSWORD": "secret",
        "RAY_external_storage_namespace": NAMESPACE,
    }
    # A connection comes from the address it is bound to; the program binds none.
    run = "import socket, sys, runpy; make = socket.create_connection; own = (sys.argv[2], 0); \
socket.create_connection = lambda there, patience: make(there, patience, own); runpy.run_path(sys.argv[1], run_name='__main__')"

    def head(uid: str, address: str) -> tuple[int, str]:
        """Exit code and output. The watch, a child, goes on."""
        with (tmp_path / "log").open("w+") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", run, str(tmp_path / "claim.py"), address],
                env=environment | {"POD_UID": uid, "POD_IPS": address},
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            groups.append(process.pid)
            code = process.wait(30)
            log.seek(0)
            return code, log.read()

    def gcs(address: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", redis), 5, (address, 0))
        connection.sendall(b"AUTH secret\r\n")
        assert connection.recv(100) == b"+OK\r\n"
        return connection

    assert head("old", "127.0.0.2") == (0, "This pod is the head that Redis serves\n")
    with gcs("127.0.0.2") as old, gcs("127.0.0.4") as other:
        # It does not wait for the watch either.
        code, said = head("new", "127.0.0.3")
        assert code == 0, said
        assert old.recv(100) == b""
        with gcs("127.0.0.2") as late:
            assert late.recv(100) == b""
        other.sendall(b"PING\r\n")
        assert other.recv(100) == b"+PONG\r\n"
    code, said = head("old", "127.0.0.2")
    assert code == 1
    assert "taken over" in said
