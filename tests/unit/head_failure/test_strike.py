# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import strike
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import FAILURES, aim
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.strike import Strike
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.undo import StrikeError
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure

from .fake_world import NODE, NOTE, OPERATOR, SECRET, World


@pytest.fixture
def world():
    return World()


@pytest.fixture
def cluster(world):
    return Cluster(world, "ns", "svc")


@pytest.fixture
def strike_of(build, world, cluster):
    def make(failure, commands=None):
        before = build.snapshot(workers=())
        elsewhere = build.snapshot(heads=(build.head("h1", node="node-0"),))
        return Strike(
            failure,
            cluster,
            aim(FAILURES[failure], elsewhere if failure.startswith("worker") else before),
            commands,
            command=lambda words: world.log.append(("run", *words)),
            sleep=lambda _seconds: None,
        )

    return make


def owned(name, kind="ReplicaSet", **metadata):
    owners = [{"kind": kind, "controller": True}] if kind else []
    return {"metadata": {"namespace": "ns", "name": name, "ownerReferences": owners, **metadata}}


def test_a_drain_takes_what_kubectl_takes(world, strike_of):
    world.on_node = [
        owned("svc-head-h1", "RayCluster"),
        owned("logs", "DaemonSet"),
        owned("apiserver", "Node", annotations={"kubernetes.io/config.mirror": "x"}),
        {**owned("done", "Job"), "status": {"phase": "Succeeded"}},
        owned("load", None, labels={NOTE: "svc"}),
        owned("held"),
    ]
    world.budget = 2
    drain = strike_of("head_drained")
    drain.begin()
    assert world.log == [("node-1", {"unschedulable": True}), ("evict", "svc-head-h1"), ("evict", "held")]
    assert world.notes() == {NODE: "ns/svc"}
    assert drain.done == ["node node-1 cordoned", "pod ns/svc-head-h1 evicted", "pod ns/held evicted"]
    drain.undo()
    assert world.objects[NODE] == {"metadata": {"name": "node-1", "annotations": {}}, "spec": {}}
    drain.undo()
    assert len(world.log) == 4  # the second time there was nothing to undo


def test_a_budget_that_never_allows_it(world, strike_of):
    world.on_node, world.budget = [owned("held")], 10**6
    drain = strike_of("head_drained")
    with pytest.raises(StrikeError, match="not evicted within 120 s, as a PodDisruptionBudget forbids it: ns/held"):
        drain.begin()
    drain.undo()
    assert world.objects[NODE]["spec"] == {}


def test_what_a_drain_does_not_touch(world, strike_of):
    world.on_node = [owned("bare", None)]
    with pytest.raises(StrikeError, match="pods without a controller, which would not come back: ns/bare"):
        strike_of("head_drained").begin()
    world.objects[NODE]["spec"]["unschedulable"] = True
    with pytest.raises(StrikeError, match="node-1 is cordoned already"):
        strike_of("head_drained").begin()
    assert world.log == []


def test_the_operator_is_gone_before_the_head_is(world, strike_of):
    down = strike_of("operator_down")
    down.begin()
    assert world.log == [("operator", {"replicas": 0}), ("delete", "svc-head-h1")]
    assert world.operator_pods == []
    assert world.notes() == {OPERATOR: "ns/svc 2"}
    down.undo()
    assert world.objects[OPERATOR]["spec"]["replicas"] == 2
    assert world.notes() == {}


def test_an_operator_that_stays(world, strike_of):
    world.operator_pods = [["p1"]] * 1000
    with pytest.raises(StrikeError, match="pods of the KubeRay operator are still there after 120 s"):
        strike_of("operator_down").begin()
    del world.objects[OPERATOR]
    with pytest.raises(StrikeError, match="no namespace has a Deployment of the KubeRay operator"):
        strike_of("operator_down").begin()


COMMANDS = {"begin": ["cut", "--node={node}"], "end": ["mend", "{node}"]}


@pytest.mark.parametrize(
    ("failure", "begun", "undone"),
    [
        ("head_node_lost", ("cut", "--node=node-1"), ("mend", "node-1")),
        ("worker_node_lost", ("cut", "--node=node-1"), ("mend", "node-1")),
        ("redis_lost", ("cut", "--node="), ("mend", "")),
    ],
)
def test_commands(world, strike_of, failure, begun, undone):
    lost = strike_of(failure, COMMANDS)
    lost.begin()
    assert world.log == [("create", "Secret"), ("run", *begun)]
    noted = world.noted()
    assert len(noted.pop("signature")) == 64
    assert noted == {"failure": failure, "node": undone[1], "end": list(undone)}
    assert world.objects[SECRET]["metadata"]["labels"][NOTE] == "svc"
    # What is in a command may be secret.
    assert lost.done == ["cut with 1 argument"]
    lost.undo()
    assert world.log[2:] == [("run", *undone), ("delete", "svc-head-failure-check")]
    assert world.noted() is None


def test_what_is_not_to_be_undone_is_not_noted_down(world, strike_of):
    lost = strike_of("redis_lost", {"begin": ["restart"], "end": None})
    lost.begin()
    lost.undo()
    assert world.log == [("run", "restart")]


def test_the_load_is_not_cut_off(world, strike_of):
    world.load_pods = [{"metadata": {"namespace": "ns", "name": "load"}, "spec": {"nodeName": "node-1"}}]
    with pytest.raises(StrikeError, match="the pod that carries the load, ns/load, is on the node node-1"):
        strike_of("head_node_lost", COMMANDS).begin()
    strike_of("redis_lost", COMMANDS).begin()


def test_what_could_not_be_undone_is_tried_again(world, strike_of):
    lost = strike_of("redis_lost", COMMANDS)
    lost.begin()
    delete, failures = world.delete, [ApiFailure("no answer")]

    def flaky(path):
        if failures:
            raise failures.pop()
        delete(path)

    world.delete = flaky
    with pytest.raises(StrikeError, match="it could not be undone, which the next check tries again: no answer"):
        lost.undo()
    lost.undo()
    assert world.noted() is None


def test_a_note_whose_answer_was_lost_is_written_anew(world, strike_of):
    strike_of("redis_lost", {**COMMANDS, "end": ["old"]}).begin()
    strike_of("redis_lost", COMMANDS).begin()
    assert world.noted()["end"] == ["mend", ""]


def test_what_cannot_be_signed_is_not_begun(world, strike_of, state_home):
    (state_home / "rayops.serve_ha").touch()
    with pytest.raises(StrikeError, match=r"undo\.key, the key that signs .*, cannot be used: .*Not a directory"):
        strike_of("redis_lost", COMMANDS).begin()
    assert world.log == []


def test_what_may_not_be_noted_down_is_not_begun(world, strike_of):
    def forbidden(*_arguments, **_named):
        raise ApiFailure("secrets is forbidden", 403)

    world.create = forbidden
    lost = strike_of("redis_lost", COMMANDS)
    with pytest.raises(ApiFailure, match="secrets is forbidden"):
        lost.begin()
    lost.undo()
    assert world.log == []


def memory(limit):
    return {"containers": [{"name": "ray-head", "resources": {"limits": {"memory": limit} if limit else {}}}]}


def ended(build, reason, restarts=1):
    pod = build.pod("h1", "head", restarts=restarts)
    pod["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"reason": reason}}
    return {**pod, "spec": memory("1Gi")}


def test_out_of_memory(build, world, strike_of):
    world.head = ended(build, "OOMKilled")
    exhausted = strike_of("head_out_of_memory")
    exhausted.begin()
    assert world.log == [("execute", "svc-head-h1", "ray-head")]
    assert exhausted.done == ["container ray-head of svc-head-h1 OOMKilled"]


@pytest.mark.parametrize(
    ("reason", "restarts", "words"),
    [("Error", 1, "but as Error"), ("OOMKilled", 0, "but as None")],
    ids=["another end", "the end of an earlier time"],
)
def test_another_end_than_out_of_memory(build, world, strike_of, reason, restarts, words):
    world.head = ended(build, reason, restarts)
    with pytest.raises(StrikeError, match=words):
        strike_of("head_out_of_memory").begin()


def test_no_limit_of_memory(build, world, strike_of):
    world.head = {**build.pod("h1", "head"), "spec": memory(None)}
    with pytest.raises(StrikeError, match="ray-head of svc-head-h1 has no memory limit"):
        strike_of("head_out_of_memory").begin()
    assert world.log == []


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_the_signal_reaches_the_process_of_that_name(name):
    # A name of its own: a machine that runs the tests may run Ray too.
    unique = f"victim-{os.getpid()}-{name}"
    victim = subprocess.Popen([f"/opt/{unique}", "-c", "import time; time.sleep(60)"], executable=sys.executable)
    subprocess.run([sys.executable, "-c", strike.SIGNAL, name, unique], check=True)
    assert victim.wait(10) == -getattr(signal, name)


def test_no_process_of_that_name():
    result = subprocess.run(
        [sys.executable, "-c", strike.SIGNAL, "SIGTERM", "no-such-one"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (1, "there is no process no-such-one\n")


def test_memory_is_taken_until_there_is_none(tmp_path):
    limits = "import resource; [resource.setrlimit(kind, (1 << 29, 1 << 29)) for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE)]"
    program = [sys.executable, "-c", f"{limits}\n{strike.TAKE_MEMORY.replace('/dev/shm', str(tmp_path))}"]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    assert "MemoryError" in result.stderr
    assert list(tmp_path.iterdir()) == []
