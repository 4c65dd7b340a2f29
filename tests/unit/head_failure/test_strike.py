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
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.strike import Strike, StrikeError
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure

NOTE = "rayops.io/head-failure-check"
NODE = "/api/v1/nodes/node-1"
OPERATOR = "/apis/apps/v1/namespaces/kuberay/deployments/operator"
SERVICE = "/apis/ray.io/v1/namespaces/ns/rayservices/svc"


class World:
    """The objects of a cluster, by their paths. Merge patches change them, evictions take pods away.

    budget: how many evictions are refused before one is allowed. log: what was done, in short.
    """

    def __init__(self):
        self.objects = {
            NODE: {"metadata": {"name": "node-1"}, "spec": {}},
            OPERATOR: {
                "metadata": {"namespace": "kuberay", "name": "operator"},
                "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "operator"}}},
            },
            SERVICE: {"metadata": {"name": "svc"}},
        }
        self.on_node, self.head, self.load_pods, self.log = [], None, [], []
        self.budget = 0
        self.operator_pods = [["p1", "p2"], ["p2"], []]

    def find(self, path):
        return self.head if "/pods/" in path else self.objects.get(path)

    get = find

    def items(self, path, **query):
        if path == "/api/v1/pods":
            assert query == {"fieldSelector": "spec.nodeName=node-1"}
            return self.on_node
        return [
            thing
            for key, thing in self.objects.items()
            if key.startswith(path) or ("deployments" in path and key == OPERATOR)
        ]

    def pods(self, namespace, _selector):
        return self.load_pods if namespace == "ns" else self.operator_pods.pop(0)

    def request(self, method, path, body, content_type):
        assert (method, content_type) == ("PATCH", "application/merge-patch+json")
        for part, values in body.items():
            merge(self.objects[path].setdefault(part, {}), values)
        self.log.append((path.rpartition("/")[2], body.get("spec")))

    def once(self, method, path, body):
        assert (method, path.rpartition("/")[2], body["kind"]) == ("POST", "eviction", "Eviction")
        if path.endswith("/held/eviction") and self.budget:
            self.budget -= 1
            raise ApiFailure("the budget does not allow it", 429)
        self.log.append(("evict", body["metadata"]["name"]))

    def delete(self, path, body=None):
        self.log.append(("delete", path.rpartition("/")[2]))

    def execute(self, _namespace, pod, container, command, _seconds):
        self.log.append(("execute", pod, container, *command[3:]))
        raise ApiFailure("it broke off")

    def notes(self):
        return {
            path: note
            for path, thing in self.objects.items()
            if (note := thing["metadata"].get("annotations", {}).get(NOTE))
        }


def merge(thing, values):
    for key, value in values.items():
        if value is None:
            thing.pop(key, None)
        elif isinstance(value, dict):
            merge(thing.setdefault(key, {}), value)
        else:
            thing[key] = value


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
    assert world.log == [("svc", None), ("run", *begun)]
    assert world.notes() == {SERVICE: f"{failure} {undone[1]}"}
    lost.undo()
    assert world.log[2:] == [("run", *undone), ("svc", None)]
    assert world.notes() == {}


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
    request, failures = world.request, [ApiFailure("no answer")]

    def flaky(*arguments, **named):
        if failures:
            raise failures.pop()
        request(*arguments, **named)

    world.request = flaky
    with pytest.raises(StrikeError, match="it could not be undone, which the next check tries again: no answer"):
        lost.undo()
    lost.undo()
    assert world.notes() == {}


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


def test_repair_puts_right_what_is_ours(world, cluster):
    strangers = {
        "/api/v1/nodes/node-2": {"metadata": {"name": "node-2", "annotations": {NOTE: "ns/other"}}, "spec": {}}
    }
    world.objects.update(strangers)
    world.objects[NODE]["metadata"]["annotations"] = {NOTE: "ns/svc"}
    world.objects[OPERATOR]["metadata"]["annotations"] = {NOTE: "ns/svc 1"}
    world.objects[SERVICE]["metadata"]["annotations"] = {NOTE: "head_node_lost node-9"}
    words = strike.repair(cluster, COMMANDS, lambda words: world.log.append(tuple(words)))
    assert words == [
        "node node-1 uncordoned",
        "Deployment kuberay/operator scaled to 1",
        "failure head_node_lost of node node-9 undone",
    ]
    assert world.log == [
        *(("node-1", {"unschedulable": None}), ("operator", {"replicas": 1}), ("mend", "node-9"), ("svc", None))
    ]
    assert world.notes() == {"/api/v1/nodes/node-2": "ns/other"}
    assert strike.repair(cluster, None) == []


def test_repair_without_the_command(world, cluster):
    world.objects[SERVICE]["metadata"]["annotations"] = {NOTE: "redis_lost "}
    with pytest.raises(
        StrikeError, match="a killed check has left the failure redis_lost. Give failure_commands.end, or"
    ):
        strike.repair(cluster, None)


def test_repair_by_an_account_that_sees_little(world, cluster):
    def forbidden(*_arguments, **_query):
        raise ApiFailure("forbidden", 403)

    world.items = forbidden
    assert strike.repair(cluster, None) == []


def test_commands_of_this_machine():
    strike.run_program([sys.executable, "-c", "pass"])
    with pytest.raises(StrikeError, match="ended with 3: no such node"):
        strike.run_program([sys.executable, "-c", "import sys; sys.stderr.write('no such node'); sys.exit(3)"])
    with pytest.raises(StrikeError, match="cannot be run"):
        strike.run_program(["/no/such/program"])


def test_commands_have_their_time(monkeypatch):
    monkeypatch.setattr(strike, "STRIKE_SECONDS", 0.5)
    with pytest.raises(StrikeError, match="did not end within"):
        strike.run_program([sys.executable, "-c", "import time; time.sleep(60)"])


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
