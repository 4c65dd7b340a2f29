# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenario chat is made of, without a cluster and without a browser."""

from __future__ import annotations

import stat
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import browser as scenario
import pytest
from chat_browser import Answer
from head_phases import (
    BACK,
    GONE,
    LEAVING,
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
from kubernetes.client import ApiClient
from port_forward import NotForwarded, port_forward
from stage import Stage

OLD, OLD_LEAVING = Head("old", False, True), Head("old", True, True)
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
        (pod("old", True, deleting=True), OLD_LEAVING),
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
        ([OLD_LEAVING], LEAVING),
        ([], GONE),
        ([OLD_LEAVING, NEW], LEAVING),
        ([NEW], STARTING),
        ([READY], BACK),
        ([OLD_LEAVING, READY], LEAVING),
        ([Head("new", True, True)], LEAVING),
        ([Head("new", True, True), Head("newer", False, False)], LEAVING),
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
        watch.wait_for(LEAVING, 5)
        with pytest.raises(PhaseMissed, match=r"in \['leaving', 'there'\]: there after 0.0 s, leaving after"):
            watch.require(LEAVING, began, time.time())
        play.pods = []
        watch.wait_for(GONE, 5)
        with pytest.raises(PhaseMissed, match=r"not seen starting within 0 s, but there after 0\.0 s, leaving.*, gone"):
            watch.wait_for(STARTING, 0.3)
        play.pods = [pod("error", True)]
        with pytest.raises(ConnectionError):
            watch.wait_for(BACK, 5)
        with pytest.raises(ConnectionError):
            watch.require(GONE, time.time(), time.time() + 1)


class Reader:
    """A page whose answers take their time. C(answer_seconds): how long."""

    def __init__(self, answer_seconds: float) -> None:
        self.answer_seconds, self.asked = answer_seconds, []

    def type(self, question: str) -> None:
        self.question = question

    def send(self) -> None:
        self.asked_at = time.time(), time.time()

    def answer(self, seconds: float) -> Answer:
        time.sleep(self.answer_seconds)
        self.asked.append(self.question)
        now = time.time()
        return Answer(self.question, "text", self.asked_at, now, now, [])

    def ask(self, question: str, seconds: float) -> Answer:
        self.type(question)
        self.send()
        return self.answer(seconds)


def test_a_question_in_each_phase() -> None:
    stage, reader, noted = Stage(), Reader(0.3), []

    def note(phase: str, answer: Answer) -> None:
        noted.append((phase, stage.operator))
        stage.noted(phase)

    phases = scenario.converse(reader, stage, note)
    assert [phase for _at, phase in phases] == [THERE, LEAVING, GONE, STARTING, BACK]
    assert reader.asked == list(scenario.QUESTIONS.values())
    # Without a head until the answer is there and its picture taken.
    assert noted == [(THERE, True), (GONE, False), (STARTING, True), (BACK, True)]


def test_an_answer_that_ends_when_the_next_head_is_there_is_none() -> None:
    stage = Stage(hurried=True)
    with pytest.raises(PhaseMissed, match=r"meant for the phase gone was asked or answered in \['gone', 'starting'\]"):
        scenario.converse(Reader(0.5), stage, lambda phase, answer: None)
    assert stage.operator


class Kubernetes:
    """What the scenario asks of the API server. C(pods): how many the operator has, at each look once it is scaled to 0."""

    def __init__(self, *pods: int, operators: int = 1) -> None:
        self.pods, self.operators, self.calls = list(pods), operators, []

    def list_deployment_for_all_namespaces(self, **given: Any) -> Any:
        assert given["label_selector"] == "app.kubernetes.io/component=kuberay-operator"
        operator = SimpleNamespace(
            metadata=SimpleNamespace(name="kuberay-operator", namespace="kuberay-system"),
            spec=SimpleNamespace(replicas=2, selector=SimpleNamespace(match_labels={"a": "b", "c": "d"})),
        )
        return SimpleNamespace(items=[operator] * self.operators)

    def list_namespaced_pod(self, namespace: str, **given: Any) -> Any:
        assert (namespace, given["label_selector"]) == ("kuberay-system", "a=b,c=d")
        return SimpleNamespace(items=["pod"] * (self.pods.pop(0) if len(self.pods) > 1 else self.pods[0]))

    def patch_namespaced_deployment_scale(self, name: str, namespace: str, body: Any) -> None:
        self.calls.append((namespace, name, body["spec"]["replicas"]))


@pytest.fixture
def cluster_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(kubernetes: Kubernetes) -> scenario.Cluster:
        monkeypatch.setattr(scenario, "OPERATOR_PERIOD", 0.01)
        cluster = scenario.Cluster(ApiClient(), "mistral")
        cluster.core = cluster.apps = kubernetes
        return cluster

    return made


DOWN, UP = ("kuberay-system", "kuberay-operator", 0), ("kuberay-system", "kuberay-operator", 2)


def test_the_operator_is_away_while_the_block_lasts(cluster_of: Any) -> None:
    kubernetes = Kubernetes(1, 1, 0)
    with cluster_of(kubernetes).without_operator():
        assert (kubernetes.calls, kubernetes.pods) == ([DOWN], [0])
    assert kubernetes.calls == [DOWN, UP]


def test_the_operator_comes_back_whatever_happens(cluster_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kubernetes = Kubernetes(0)
    with pytest.raises(KeyboardInterrupt), cluster_of(kubernetes).without_operator():
        raise KeyboardInterrupt
    assert kubernetes.calls == [DOWN, UP]

    monkeypatch.setattr(scenario, "OPERATOR_LIMIT", 0.05)
    stays = Kubernetes(1)
    with pytest.raises(scenario.Wrong, match="still there"), cluster_of(stays).without_operator():
        raise AssertionError("it was taken for gone")
    assert stays.calls == [DOWN, UP]


def test_no_operator_is_found(cluster_of: Any) -> None:
    nobody = Kubernetes(0, operators=0)
    with pytest.raises(scenario.Wrong, match="expected one Deployment"), cluster_of(nobody).without_operator():
        raise AssertionError("it was taken for gone")
    assert nobody.calls == []


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
