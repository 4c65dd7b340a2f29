# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import signal
import threading
import time
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import check, undo, watch
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import FAILURES
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.interruption import Interrupted
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import LoadError
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Answer, ApiFailure

from .fake_service import FakeApi, FakeLoad


@pytest.fixture
def fake(build):
    return FakeApi(build)


@pytest.fixture
def cluster(fake):
    return Cluster(fake, "ns", "svc", patience=0)


@pytest.fixture
def plan(build):
    return replace(
        build.plan, load=[build.entry(rate=100.0)], baseline_seconds=0.3, stability_seconds=0.3, recovery_timeout=3
    )


def ready_of(cluster):
    return check.preconditions(cluster, "", "svc-serve-svc", FAILURES["head_deleted"])


def run(plan, cluster, **load_values):
    clock = check.wall_clock()
    load = FakeLoad(plan.load, clock, **load_values)
    ready = check.preconditions(cluster, "", "svc-serve-svc", plan.promise)
    return check.Run(plan, cluster, ready, load, clock).execute(), load


def test_preconditions(cluster):
    ready = ready_of(cluster)
    assert ready.target == "http://svc-serve-svc.ns.svc:8000"
    assert ready.aim.head.uid == "h1"
    assert ready.fault_tolerance is True
    assert ready.worker["metadata"]["uid"] == "w1"
    assert check.preconditions(cluster, "https://x/y", "", FAILURES["head_deleted"]).target == "https://x/y"


def test_versions(fake, cluster):
    fake.once = lambda _method, path, **_named: Answer(
        200, {}, '{"ray_version": "2.60.0"}' if path.endswith("api/version") else json.dumps(fake.serve)
    )
    assert ready_of(cluster).versions == {
        **{"ray": "2.60.0", "operator": "operator:v1", "kubernetes": "v1.35.0", "nodes": None}
    }
    capacity, info = {"cpu": "4", "memory": "8Gi", "pods": "110"}, {"architecture": "arm64"}
    fake.nodes = [{"metadata": {"name": "n1"}, "status": {"capacity": capacity, "nodeInfo": info}}]
    assert ready_of(cluster).versions["nodes"] == [{"name": "n1", "cpu": "4", "memory": "8Gi", "arch": "arm64"}]


def test_configuration(cluster):
    found = ready_of(cluster).configuration
    assert (found["redis.redisAddress"], found["serve.applications.app.deployments.D.num_replicas"]) == ("r:6379", "2")


def spoil_status(fake, **values):
    fake.rayservice["status"].update(values)


REFUSALS = {
    "there is no RayService ns/svc": lambda fake: setattr(fake, "rayservice", None),
    "is not ready: ": lambda fake: spoil_status(fake, numServeEndpoints=1),
    "exactly one head pod, found 0": lambda fake: fake.pods_now.pop("h1"),
    "the head pod svc-head-h1 is not Ready": lambda fake: fake.pods_now.update(
        h1=fake.build.pod("h1", "head", ready=False)
    ),
    "there is no worker pod": lambda fake: [fake.pods_now.pop(uid) for uid in ("w1", "w2")],
    "worker svc-worker-w1 is not Ready": lambda fake: fake.pods_now.update(w1=fake.build.pod("w1", ready=False)),
    "dashboard does not answer": lambda fake: setattr(fake, "once", lambda *_, **__: Answer(200, {}, "<html>")),
    "Serve is not well: app DEPLOYING": lambda fake: setattr(
        fake, "serve", fake.build.serve_answer(status="DEPLOYING")
    ),
    "no port that serves": lambda fake: setattr(fake, "service", {"spec": {"ports": []}}),
}


@pytest.mark.parametrize(("words", "spoil"), REFUSALS.items(), ids=REFUSALS)
def test_refusals(fake, cluster, words, spoil):
    spoil(fake)
    with pytest.raises(check.Refusal) as caught:
        ready_of(cluster)
    assert words in str(caught.value)
    assert fake.changes == []


def test_no_such_target(cluster):
    with pytest.raises(check.Refusal, match="there is no Service other"):
        check.preconditions(cluster, "", "other", FAILURES["head_deleted"])


def test_without_fault_tolerance_it_goes_on(fake, cluster):
    del fake.rayservice["spec"]["rayClusterConfig"]
    assert ready_of(cluster).fault_tolerance is False


def test_a_service_that_was_put_right_is_waited_for(fake, cluster):
    fake.rayservice["status"]["numServeEndpoints"] = 1
    threading.Timer(0.5, lambda: spoil_status(fake, numServeEndpoints=2)).start()
    assert check.preconditions(cluster, "", "svc-serve-svc", FAILURES["head_deleted"], patience=10).aim.head.uid == "h1"


def test_every_worker_on_the_node_of_the_head(cluster):
    with pytest.raises(check.Refusal, match="every worker is on the node of the head, node-1"):
        check.preconditions(cluster, "", "svc-serve-svc", FAILURES["worker_node_lost"])


HEAD, WORKER = ("/api/v1/namespaces/ns/pods/svc-head-h1", "h1"), ("/api/v1/namespaces/ns/pods/svc-worker-w1", "w1")


def deletion(path, uid, **grace):
    return ("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}, **grace})


# What is done, and the transitions that this leads to.
NEW_HEAD = ["old_head_gone", "new_head_created", "new_head_scheduled", "new_head_started", "gcs_back", "head_ready"]
BACK = ["serve_controller_back", "applications_running"]
WAYS = {
    "head_deleted": ([deletion(*HEAD)], [*NEW_HEAD, *BACK]),
    "head_forced": ([deletion(*HEAD, gracePeriodSeconds=0)], [*NEW_HEAD, *BACK]),
    "gcs_killed": (
        [("EXEC", "svc-head-h1", ["SIGKILL", "gcs_server"])],
        ["head_restarted", "gcs_back", "head_ready", *BACK],
    ),
    "gcs_terminated": (
        [("EXEC", "svc-head-h1", ["SIGTERM", "gcs_server"])],
        ["head_restarted", "gcs_back", "head_ready", *BACK],
    ),
    "worker_deleted": ([deletion(*WORKER)], ["workers_ready"]),
    "head_and_worker_deleted": ([deletion(*HEAD), deletion(*WORKER)], [*NEW_HEAD, "workers_ready", *BACK]),
}


@pytest.mark.parametrize(("failure", "changes", "transitions"), [(key, *way) for key, way in WAYS.items()], ids=WAYS)
def test_a_service_that_comes_back(fake, cluster, plan, failure, changes, transitions):
    plan = replace(plan, failure=failure, head_timeout=3)
    evidence, load = run(plan, cluster)
    assert fake.changes == changes
    assert judge(plan, evidence).reasons == []
    (one,) = evidence.rounds
    assert set(one.transitions) == {"struck", *transitions}
    assert one.recovered + plan.stability_seconds <= one.ended < one.recovered + 5
    assert load.completed_until == evidence.ended == one.ended
    assert len(evidence.samples_of("baseline")) >= 25
    assert (evidence.unknown, evidence.silent) == (0, 0.0)


def test_a_head_that_stays_away(fake, cluster, plan):
    fake.heads_left = 0
    plan = replace(plan, recovery_timeout=1, repeat=3, head_timeout=1)
    evidence, _load = run(plan, cluster)
    assert [(one.head_back, one.recovered) for one in evidence.rounds] == [(None, None)]
    reasons = judge(plan, evidence).reasons
    assert any("not recovered within" in reason and "no head pod" in reason for reason in reasons)
    assert any("there are 0 heads" in reason for reason in reasons)
    assert "no head was Ready for good, 1 s allowed" in reasons


def test_three_failures_under_one_load(fake, cluster, plan):
    plan = replace(plan, repeat=3)
    evidence, _load = run(plan, cluster)
    assert [path.rpartition("-")[2] for _method, path, _body in fake.changes] == ["h1", "h2", "h3"]
    assert [one.after.heads[0].uid for one in evidence.rounds] == ["h2", "h3", "h4"]
    assert [one.new_heads for one in evidence.rounds] == [("svc-head-h2",), ("svc-head-h3",), ("svc-head-h4",)]
    assert all(one.struck < one.head_back <= one.recovered for one in evidence.rounds)
    assert judge(plan, evidence).reasons == []
    for one, following in pairwise(evidence.rounds):
        assert following.before is one.after
        assert following.struck >= one.recovered + plan.stability_seconds


def test_the_third_of_them_is_one_too_many(fake, cluster, plan):
    fake.heads_left = 2
    plan = replace(plan, repeat=4, recovery_timeout=1)
    evidence, _load = run(plan, cluster)
    assert [one.recovered is None for one in evidence.rounds] == [False, False, True]
    reasons = judge(plan, evidence).reasons
    assert all(reason.startswith("round 3: ") for reason in reasons)


def test_a_failure_that_lasts_is_undone_in_time(fake, cluster, plan):
    plan = replace(plan, failure="operator_down", failure_seconds=1)
    evidence, _load = run(plan, cluster)
    (one,) = evidence.rounds
    path = "/apis/apps/v1/namespaces/kuberay/deployments/operator"
    assert [(method, where) for method, where, _body in fake.changes] == [
        *(("PATCH", path), ("DELETE", HEAD[0]), ("PATCH", path))
    ]
    assert [body["spec"] for method, _path, body in fake.changes if method == "PATCH"] == [
        {"replicas": 0},
        {"replicas": 1},
    ]
    assert one.undone >= one.struck + 1
    assert one.recovered >= one.undone
    assert judge(plan, evidence).reasons == []


def redis_lost(plan, effect=None, **values):
    commands = {"begin": ["true"], "end": ["true"] if values.get("failure_seconds") else None, "effect": effect}
    return replace(plan, failure="redis_lost", failure_commands=commands, **values)


def test_a_failure_without_an_effect(fake, cluster, plan):
    plan = redis_lost(plan, recovery_timeout=1)
    evidence, _load = run(plan, cluster)
    assert judge(plan, evidence).reasons == [
        "the failure had no effect that was seen; expected: "
        "a GCS that does not answer what it has to ask Redis for, or a head that restarts"
    ]


def test_a_failure_that_acts_late(fake, cluster, plan):
    """Everything answers until the head restarts, long after the command has ended."""
    threading.Timer(1.5, lambda: fake.happen("MODIFIED", "h1", "head", restarts=1)).start()
    plan = redis_lost(plan, "head_restarted", stability_seconds=0.1)
    evidence, _load = run(plan, cluster)
    (one,) = evidence.rounds
    assert judge(plan, evidence).reasons == []
    assert one.struck < one.transitions["effect_seen"] <= one.recovered


def test_redis_out_of_reach_for_a_moment(fake, cluster, plan, monkeypatch):
    monkeypatch.setitem(watch.SILENCE_SECONDS, "redis_silent", 1.0)
    plan = redis_lost(plan, failure_seconds=3)

    def command(_words):
        fake.redis = not fake.redis

    monkeypatch.setattr(check, "Strike", partial(check.Strike, command=command))
    evidence, _load = run(plan, cluster)
    (one,) = evidence.rounds
    assert judge(plan, evidence).reasons == []
    assert one.struck < one.transitions["effect_seen"] < one.undone <= one.recovered


def test_redis_that_stays_away_is_not_back(fake, cluster, plan, monkeypatch):
    """The GCS lives on and says that it is well."""
    monkeypatch.setitem(watch.SILENCE_SECONDS, "redis_silent", 1.0)
    monkeypatch.setattr(check, "Strike", partial(check.Strike, command=lambda _words: setattr(fake, "redis", False)))
    plan = redis_lost(plan, recovery_timeout=4)
    evidence, _load = run(plan, cluster)
    assert "effect_seen" in evidence.rounds[0].transitions
    assert any("the GCS did not answer" in reason for reason in judge(plan, evidence).reasons)


def test_what_nobody_could_see_is_refused(fake, cluster):
    fake.redis = False
    with pytest.raises(check.Refusal, match="does not list jobs.* nobody could see whether the failure acts"):
        check.preconditions(cluster, "", "svc-serve-svc", FAILURES["redis_lost"])
    with pytest.raises(check.Refusal, match="the node node-1 has no Lease that its kubelet renews"):
        check.preconditions(cluster, "", "svc-serve-svc", FAILURES["head_node_lost"])


def refuse(*_arguments, **_named):
    raise ApiFailure("forbidden", 403)


def test_a_failure_that_cannot_be_caused_is_undone(fake, cluster, plan):
    fake.delete = refuse
    with pytest.raises(ApiFailure, match="forbidden"):
        run(replace(plan, failure="operator_down", failure_seconds=1), cluster)
    assert [body["spec"] for _method, _path, body in fake.changes] == [{"replicas": 0}, {"replicas": 1}]


@pytest.fixture
def interruptible():
    """A job in the background ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_failure_is_undone_when_the_check_is_interrupted(fake, cluster, plan):
    def interrupt():
        while len(fake.changes) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(replace(plan, failure="operator_down", failure_seconds=60), cluster)
    assert [body["spec"] for method, _path, body in fake.changes if method == "PATCH"] == [
        {"replicas": 0},
        {"replicas": 1},
    ]


def test_a_signal_in_the_midst_of_the_last_undoing(fake, cluster, plan, monkeypatch):
    """With failure_seconds 0 there is no other."""
    ran = []

    def command(words):
        ran.append(words[0])
        if words == ["end"]:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
            ran.append("end came to its end")

    def interrupted(number, _frame):
        raise Interrupted(number)

    before = signal.signal(signal.SIGTERM, interrupted)
    monkeypatch.setattr(check, "Strike", partial(check.Strike, command=command))
    commands = {"begin": ["begin"], "end": ["end"], "effect": None}
    try:
        with pytest.raises(Interrupted):
            run(replace(plan, failure="redis_lost", failure_commands=commands, recovery_timeout=1), cluster)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ran == ["begin", "end", "end came to its end"]
    assert fake.secret is None


def test_what_a_killed_check_has_left_is_put_right_whoever_comes(fake, cluster, tmp_path):
    assert check.put_right(cluster, None) is False
    fake.deployment["metadata"]["annotations"] = {"rayops.io/head-failure-check": "ns/svc 2"}
    undo.note(cluster, "redis_lost", "", ["touch", str(tmp_path / "mended")])
    fake.changes.clear()
    assert check.put_right(cluster, None) is True
    assert fake.changes[0][2]["spec"] == {"replicas": 2}
    assert (tmp_path / "mended").exists()
    assert fake.secret is None


def test_what_cannot_be_put_right_is_refused(fake, cluster):
    undo.note(cluster, "head_node_lost", "node-7", ["/no/such/program", "node-7"])
    with pytest.raises(check.Refusal, match="what a killed check has left could not be undone: .*/no/such/program with 1"):
        check.put_right(cluster, None)


def test_a_note_of_another_machine_is_put_right_by_the_same_check_only(fake, cluster, tmp_path, state_home):
    undo.note(cluster, "head_node_lost", "node-7", ["touch", str(tmp_path / "node-7")])
    (state_home / "rayops.serve_ha" / "undo.key").unlink()
    for own_end in (None, ["touch", str(tmp_path / "mended")]):
        with pytest.raises(check.Refusal, match="the failure head_node_lost of node node-7 was left by a check of another machine"):
            check.put_right(cluster, own_end)
    assert list(tmp_path.iterdir()) == []
    assert check.put_right(cluster, ["touch", str(tmp_path / "{node}")]) is True
    assert (tmp_path / "node-7").exists()
    assert fake.secret is None


def test_requests_that_fail_from_the_start_spare_the_service(fake, cluster, plan):
    evidence, _load = run(plan, cluster, failing=lambda number: number == 7)
    assert fake.changes == []
    assert evidence.rounds == ()
    assert "no failure was caused" in judge(plan, evidence).reasons[0]


def test_a_load_that_does_not_start_spares_the_service(fake, cluster, plan):
    with pytest.raises(LoadError, match="no such image"):
        run(plan, cluster, starts=False)
    assert fake.changes == []
