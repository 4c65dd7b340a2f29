# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workers the guard takes out of the serve service, and puts back. How a machine is asked: with real sockets."""

from __future__ import annotations

import runpy
import socket
from pathlib import Path
from typing import Any

import pytest

WORKERS = runpy.run_path(str(Path(__file__).parents[3] / "roles" / "ray_service" / "files" / "guard" / "workers.py"))
NOW = 1000.0
ANSWERS, SILENT_ONCE, SILENT = (900.0, 0), (None, 1), (None, 2)


def worker(name: str, ready: str = "True", serves: str | None = "true", cluster: str = "c", **labels: str) -> dict[str, Any]:
    given = {"ray.io/node-type": "worker", "ray.io/cluster": cluster} | ({"ray.io/serve": serves} if serves else {}) | labels
    return {
        "metadata": {"name": name, "uid": name, "labels": given},
        "spec": {"nodeName": "n", "containers": [{"ports": [{"name": "serve", "containerPort": 8000}]}]},
        "status": {"podIP": "127.0.0.1", "conditions": [{"type": "ContainersReady", "status": "True"}, {"type": "Ready", "status": ready}]},
    }


def head() -> dict[str, Any]:
    return worker("head", **{"ray.io/node-type": "head"})


def changed(pod: dict[str, Any], part: str, **fields: Any) -> dict[str, Any]:
    return {**pod, part: {**pod[part], **fields}}


@pytest.mark.parametrize(
    ("pod", "is_one"),
    [
        (worker("w"), True),
        (worker("w", ready="False"), True),
        (head(), False),
        (changed(worker("w"), "metadata", deletionTimestamp="2026-01-02T03:04:04Z"), False),
        # Not placed yet.
        (changed(worker("w"), "status", podIP=None), False),
    ],
)
def test_workers_of(pod: dict[str, Any], is_one: bool) -> None:
    assert WORKERS["workers_of"]([pod]) == ([pod] if is_one else [])


@pytest.mark.parametrize(
    ("before", "answered", "after"),
    [
        ({}, True, {"w": (NOW, 0)}),
        # Who has never answered may be behind a network policy.
        ({}, False, {}),
        ({"w": ANSWERS}, True, {"w": ANSWERS}),
        ({"w": ANSWERS}, False, {"w": SILENT_ONCE}),
        ({"w": SILENT_ONCE}, False, {"w": SILENT}),
        ({"w": SILENT}, True, {"w": (NOW, 0)}),
    ],
)
def test_remembered(before: dict[str, Any], answered: bool, after: dict[str, Any]) -> None:
    assert WORKERS["remembered"](before, {"w": answered}, NOW) == after


def test_who_is_gone_is_forgotten() -> None:
    assert WORKERS["remembered"]({"gone": SILENT}, {}, NOW) == {}


@pytest.mark.parametrize(
    ("lost", "its", "other", "others", "out"),
    [
        (worker("lost"), SILENT, worker("other"), ANSWERS, True),
        (worker("lost"), SILENT_ONCE, worker("other"), ANSWERS, False),
        (worker("lost"), None, worker("other"), ANSWERS, False),
        # Nobody would be left, whatever is wrong.
        (worker("lost"), SILENT, worker("other"), SILENT, False),
        (worker("lost"), SILENT, worker("other"), SILENT_ONCE, False),
        (worker("lost"), SILENT, worker("other"), None, False),
        (worker("lost"), SILENT, worker("other", ready="False"), ANSWERS, False),
        (worker("lost"), SILENT, worker("other", serves="false"), ANSWERS, False),
        # The serve service is that of one cluster, of two during an upgrade.
        (worker("lost"), SILENT, worker("other", cluster="d"), ANSWERS, False),
        # Out already, by its probe or by a guard.
        (worker("lost", ready="False"), SILENT, worker("other"), ANSWERS, False),
        (worker("lost", serves="false"), SILENT, worker("other"), ANSWERS, False),
        (worker("lost", serves=None), SILENT, worker("other"), ANSWERS, False),
    ],
)
def test_to_take_out(lost: dict[str, Any], its: Any, other: dict[str, Any], others: Any, out: bool) -> None:
    memory = {name: one for name, one in (("lost", its), ("other", others)) if one}
    assert WORKERS["to_take_out"]([lost, other], memory) == ([lost] if out else [])


@pytest.mark.parametrize(
    ("pod", "its", "back"),
    [
        (worker("w", serves="false", **{WORKERS["MARK"]: "true"}), (NOW - WORKERS["BACK_SECONDS"], 0), True),
        (worker("w", serves="false", **{WORKERS["MARK"]: "true"}), (NOW - WORKERS["BACK_SECONDS"] + 1, 0), False),
        (worker("w", serves="false", **{WORKERS["MARK"]: "true"}), SILENT, False),
        (worker("w", serves="false", **{WORKERS["MARK"]: "true"}), None, False),
        (worker("w", "False", "false", **{WORKERS["MARK"]: "true"}), ANSWERS, False),
        # Somebody else has taken it out.
        (worker("w", serves="false"), ANSWERS, False),
    ],
)
def test_to_put_back(pod: dict[str, Any], its: Any, back: bool) -> None:
    assert WORKERS["to_put_back"]([pod], {"w": its} if its else {}, NOW) == ([pod] if back else [])


def at(port: int) -> dict[str, Any]:
    return changed(worker("w"), "spec", containers=[{}, {"ports": [{"name": "dashboard", "containerPort": 1}, {"name": "serve", "containerPort": port}]}])


def test_a_machine_answers_whatever_its_programs_do(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = WORKERS["answers"]
    monkeypatch.setitem(answers.__globals__, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        # Nobody accepts it, and still there is a connection.
        assert WORKERS["answers_of"]([at(port)]) == {"w": True}
        # It waits to be accepted, and there is no room for another one: the kernel is as silent as a lost one's would be.
        assert not answers(at(port))
    assert answers(at(port)), "refused, by a machine that lives"


def test_what_is_patched() -> None:
    assert WORKERS["labels"](False) == {"ray.io/serve": "false", WORKERS["MARK"]: "true"}
    assert WORKERS["labels"](True) == {"ray.io/serve": "true", WORKERS["MARK"]: None}
