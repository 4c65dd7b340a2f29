# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenario chat is made of, without a cluster and without a browser."""

from __future__ import annotations

import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from chat_browser import Answer
from head_phases import (
    BACK,
    GONE,
    STARTING,
    THERE,
    Head,
    HeadWatch,
    PhaseMissed,
    head_of,
    phase_of,
    phases_during,
    transitions,
)
from port_forward import NotForwarded, port_forward

OLD, LEAVING = Head("old", False, True), Head("old", True, True)
NEW, READY = Head("new", False, False), Head("new", False, True)


def pod(uid: str, ready: bool | None, deleting: bool = False) -> dict[str, Any]:
    """A pod object; C(ready) None is one that no kubelet has seen."""
    conditions = (
        [] if ready is None else [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": str(ready)}]
    )
    metadata = {"uid": uid, "name": uid} | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {})
    return {"metadata": metadata, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("given", "head"),
    [
        (pod("old", True), OLD),
        (pod("old", True, deleting=True), LEAVING),
        (pod("new", None), NEW),
        (pod("new", False), NEW),
        ({"metadata": {"uid": "new"}, "status": {}}, NEW),
    ],
)
def test_head_of(given: dict[str, Any], head: Head) -> None:
    assert head_of(given) == head


@pytest.mark.parametrize(
    ("heads", "phase"),
    [
        ([OLD], THERE),
        ([LEAVING], GONE),
        ([], GONE),
        ([LEAVING, NEW], STARTING),
        ([NEW], STARTING),
        ([READY], BACK),
        ([LEAVING, READY], BACK),
        ([Head("new", True, True)], GONE),
        ([Head("new", True, True), Head("newer", False, False)], STARTING),
    ],
)
def test_phase_of(heads: list[Head], phase: str) -> None:
    assert phase_of(heads, "old") == phase


SAMPLES = [(1.0, THERE), (2.0, THERE), (3.0, GONE), (4.0, STARTING), (5.0, STARTING), (6.0, BACK)]


def test_transitions() -> None:
    assert transitions(SAMPLES) == [(1.0, THERE), (3.0, GONE), (4.0, STARTING), (6.0, BACK)]
    assert transitions([]) == []


@pytest.mark.parametrize(
    ("start", "end", "phases"),
    [
        (1.1, 1.2, {THERE}),
        (2.5, 2.6, {THERE, GONE}),
        (3.0, 3.0, {GONE}),
        (3.5, 3.6, {GONE, STARTING}),
        (4.1, 4.9, {STARTING}),
        (2.5, 4.5, {THERE, GONE, STARTING}),
        (6.5, 7.0, {BACK}),
    ],
)
def test_in_doubt_it_was_both(start: float, end: float, phases: set[str]) -> None:
    assert phases_during(SAMPLES, start, end) == phases


class Play:
    """Heads that come and go as the test says."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = list(pods)

    def look(self) -> list[dict[str, Any]]:
        if not self.pods:
            return []
        if self.pods[0]["metadata"]["uid"] == "error":
            raise ConnectionError("the API server is gone")
        return self.pods


def test_watch() -> None:
    play = Play(pod("old", True))
    with HeadWatch(play.look, "old") as watch:
        watch.wait_for(THERE, 5)
        began = time.time()
        watch.require(THERE, began, time.time())
        play.pods = [pod("old", True, deleting=True)]
        watch.wait_for(GONE, 5)
        with pytest.raises(PhaseMissed, match=r"asked in \['gone', 'there'\]: there after 0.0 s, gone after"):
            watch.require(GONE, began, time.time())
        with pytest.raises(PhaseMissed, match=r"not seen starting within 0 s, but there after 0\.0 s, gone"):
            watch.wait_for(STARTING, 0.3)
        play.pods = [pod("error", True)]
        with pytest.raises(ConnectionError):
            watch.wait_for(BACK, 5)
        with pytest.raises(ConnectionError):
            watch.require(GONE, time.time(), time.time() + 1)


def test_growth_is_of_what_was_never_seen_before() -> None:
    growth = [(1.0, 5), (2.0, 9), (3.0, 2), (4.0, 9), (5.0, 12)]
    assert Answer("q", "a", (0, 0), 1.0, 5.0, growth).grew == 3
    assert Answer("q", "a", (0, 0), 1.0, 5.0, []).grew == 0


KUBECTL = """#!/bin/sh
[ "$1 $2" = "port-forward service/chat" ] || { echo "error: service $2 not found" >&2; exit 1; }
echo "Forwarding from 127.0.0.1:4321 -> 7860"
echo "Forwarding from [::1]:4321 -> 7860"
# More than a pipe holds, as after many connections.
i=0; while [ $i -lt 5000 ]; do echo "Handling connection for 4321"; i=$((i + 1)); done
touch "$0.said"
exec sleep 60
"""


@pytest.fixture
def kubectl(tmp_path: Path) -> Path:
    path = tmp_path / "kubectl"
    path.write_text(KUBECTL)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_port_forward(kubectl: Path) -> None:
    with port_forward(f"{kubectl} port-forward service/chat :7860") as url:
        assert url == "http://127.0.0.1:4321"
        until = time.monotonic() + 10
        while not Path(f"{kubectl}.said").exists():
            assert time.monotonic() < until, "what it says is not read"
            time.sleep(0.01)
    assert threading.active_count() < 20


def test_port_forward_to_nothing(kubectl: Path) -> None:
    said = "port-forward service/nothing :1: error: service service/nothing not found"
    with pytest.raises(NotForwarded, match=said), port_forward(f"{kubectl} port-forward service/nothing :1"):
        raise AssertionError("it was forwarded")
