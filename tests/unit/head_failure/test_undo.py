# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import sys
from functools import partial

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import notes, undo
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.undo import StrikeError, left, perform
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.modules import ray_head_failure_undo

from .fake_world import NODE, NOTE, OPERATOR, SECRET, SECRETS, World


@pytest.fixture
def world():
    return World()


@pytest.fixture
def cluster(world):
    return Cluster(world, "ns", "svc")


def leave(world, cluster):
    """Everything that a killed check may leave, and the same of another RayService."""
    world.objects["/api/v1/nodes/node-2"] = {"metadata": {"name": "node-2", "annotations": {NOTE: "ns/other"}}, "spec": {}}
    world.objects[NODE]["metadata"]["annotations"] = {NOTE: "ns/svc"}
    world.objects[OPERATOR]["metadata"]["annotations"] = {NOTE: "ns/svc 1"}
    world.load_pods = [
        {"metadata": {"name": "load-1", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
        {"metadata": {"name": "load-2"}},
    ]
    undo.note(cluster, "head_node_lost", "node-9", ["mend", "node-9"])
    cluster.keep("head-failure-load", "{}")
    world.log.clear()


def test_what_is_ours_is_undone(world, cluster):
    leave(world, cluster)
    found = left(cluster, lambda words: world.log.append(tuple(words)))
    assert [one.words for one in found] == [
        "load pod load-2 deleted",
        "node node-1 uncordoned",
        "Deployment kuberay/operator scaled to 1",
        "headers of the load deleted",
        "failure head_node_lost of node node-9 undone",
    ]
    assert world.log == []
    perform(one.undo for one in found)
    assert world.log == [
        ("delete", "load-2"),
        ("node-1", {"unschedulable": None}),
        ("operator", {"replicas": 1}),
        ("delete", "svc-head-failure-load"),
        ("mend", "node-9"),
        ("delete", "svc-head-failure-check"),
    ]
    assert (world.notes(), world.noted()) == ({"/api/v1/nodes/node-2": "ns/other"}, None)
    world.load_pods = []
    assert left(cluster) == []


def test_a_command_that_fails_keeps_nothing_else_from_being_undone_and_is_tried_again(world, cluster):
    leave(world, cluster)

    def fail(_words):
        raise StrikeError("the command mend with 1 argument ended with 1: no such node")

    with pytest.raises(StrikeError, match="no such node. If that .* delete the Secret ns/svc-head-failure-check"):
        perform(one.undo for one in left(cluster, fail))
    assert world.objects[OPERATOR]["spec"]["replicas"] == 1
    assert world.noted() is not None


def replaced(_world, state_home):
    (state_home / "rayops.serve_ha" / "undo.key").write_bytes(bytes(32))


def removed(_world, state_home):
    (state_home / "rayops.serve_ha" / "undo.key").unlink()


def shown_to_others(_world, state_home):
    (state_home / "rayops.serve_ha" / "undo.key").chmod(0o640)


def emptied(_world, state_home):
    (state_home / "rayops.serve_ha" / "undo.key").write_bytes(b"")


def changed(**values):
    def change(world, _state_home):
        world.objects[SECRET]["stringData"]["text"] = json.dumps({**world.noted(), **values})

    return change


def forged(text):
    def change(world, _state_home):
        world.objects[SECRET]["stringData"]["text"] = text

    return change


def of_another_service(world, _state_home):
    undo.note(Cluster(world, "ns", "other"), "redis_lost", "", ["mend", "other"])
    world.objects[SECRET]["stringData"] = world.objects[f"{SECRETS}/other-head-failure-check"]["stringData"]


def of_another_namespace(world, _state_home):
    undo.note(Cluster(world, "elsewhere", "svc"), "redis_lost", "", ["mend", "other"])
    there = "/api/v1/namespaces/elsewhere/secrets/svc-head-failure-check"
    world.objects[SECRET]["stringData"] = world.objects[there]["stringData"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced, "head_node_lost of node node-9 was left by .*not noted down by this user on this machine"),
        (removed, "not noted down by this user on this machine"),
        (shown_to_others, "it cannot be told who noted it down: .*undo.key is not a key of 32 bytes that .* closed to all others"),
        (emptied, "it cannot be told who noted it down: .*undo.key is not a key of 32 bytes"),
        (changed(end=["evil"]), "not noted down by this user on this machine"),
        (changed(node="node-1"), "head_node_lost of node node-1 was left by"),
        (changed(failure="redis_lost"), "redis_lost of node node-9 was left by"),
        (changed(signature=""), "not noted down by this user on this machine"),
        (changed(signature="0" * 64), "not noted down by this user on this machine"),
        (forged('{"failure": "redis_lost", "node": "", "end": ["evil"]}'), "the failure redis_lost was left by"),
        (of_another_service, "the failure redis_lost was left by"),
        (of_another_namespace, "the failure redis_lost was left by"),
        (changed(node="-rf"), "is not what a check writes"),
        (changed(node=None), "is not what a check writes"),
        (changed(failure="\x1b[2J"), "is not what a check writes"),
        (changed(signature=7), "is not what a check writes"),
        (changed(more="of it"), "is not what a check writes"),
        (forged(""), "is not what a check writes"),
        (forged("[" * 100_000), "is not what a check writes"),
    ],
)
def test_a_command_that_was_not_noted_down_here_is_not_run(world, cluster, state_home, change, said):
    leave(world, cluster)
    change(world, state_home)
    world.log.clear()
    found = left(cluster, lambda words: world.log.append(tuple(words)))
    assert found[-1].words.endswith(" left as it is")
    with pytest.raises(StrikeError, match=f"{said}.*delete") as refusal:
        perform(one.undo for one in found)
    assert "the Secret ns/svc-head-failure-check" in str(refusal.value)
    assert world.log == [
        ("delete", "load-2"),
        ("node-1", {"unschedulable": None}),
        ("operator", {"replicas": 1}),
        ("delete", "svc-head-failure-load"),
    ]
    assert SECRET in world.objects


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {"other": "eA=="}}, {"data": {"text": "/w=="}}])
def test_a_secret_that_is_no_note(world, cluster, data):
    world.find = lambda path: {"metadata": {}, **data} if path == SECRET else None
    with pytest.raises(StrikeError, match="is not what a check writes"):
        perform(one.undo for one in left(cluster))


def test_the_command_of_the_caller_is_run_whoever_noted_it_down(world, cluster, state_home):
    leave(world, cluster)
    removed(world, state_home)
    command = partial(left, cluster, lambda words: world.log.append(tuple(words)))
    assert command(["mend", "{node}", "now"])[-1].words == "failure head_node_lost of node node-9 left as it is"
    perform(one.undo for one in command(["mend", "{node}"]))
    assert world.log[-2:] == [("mend", "node-9"), ("delete", "svc-head-failure-check")]


def test_the_key_is_made_once_and_closed_to_others(cluster, state_home):
    path = state_home / "rayops.serve_ha" / "undo.key"
    undo.note(cluster, "redis_lost", "", ["mend"])
    key = path.read_bytes()
    assert (len(key), path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (32, 0o600, 0o700)
    undo.note(cluster, "redis_lost", "", ["mend"])
    notes.make_key()  # as by a check that has found none, while another one made it
    assert path.read_bytes() == key
    assert list(path.parent.iterdir()) == [path]


def test_the_key_is_at_home_where_no_place_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert notes.key_path() == tmp_path / ".local/state/rayops.serve_ha/undo.key"


def test_an_account_that_sees_little(world, cluster):
    def forbidden(*_arguments, **_query):
        raise ApiFailure("forbidden", 403)

    world.items = world.find = forbidden
    assert left(cluster) == []


def test_nobody_answers(world, cluster):
    def silent(*_arguments, **_query):
        raise ApiFailure("no answer")

    world.items = silent
    with pytest.raises(ApiFailure, match="no answer"):
        left(cluster)


@pytest.fixture
def run(world, capsys, monkeypatch):
    """run(**arguments): what the module says of that world."""
    monkeypatch.setattr(ray_head_failure_undo.kuberay, "Cluster", lambda _connect: world)

    def call(**arguments):
        with patch_module_args({"name": "svc", "namespace": "ns", **arguments}), pytest.raises(SystemExit):
            ray_head_failure_undo.main()
        return json.loads(capsys.readouterr().out)

    return call


def test_the_module(world, cluster, run, tmp_path):
    leave(world, cluster)
    undo.note(cluster, "redis_lost", "", ["touch", str(tmp_path / "mended")])
    world.log.clear()
    foreseen = run(_ansible_check_mode=True)
    assert (world.log, list(tmp_path.iterdir())) == ([], [])
    done = run()
    assert (foreseen["changed"], foreseen["undone"]) == (done["changed"], done["undone"]) == (True, done["undone"])
    assert len(done["undone"]) == 5
    assert (tmp_path / "mended").exists()
    world.load_pods = []
    assert (run()["changed"], run()["undone"]) == (False, [])


def test_the_module_says_what_cannot_be_undone(cluster, run):
    undo.note(cluster, "redis_lost", "", ["/no/such/program"])
    assert "could not be undone: the command /no/such/program with 0 arguments cannot be run" in run()["msg"]


def test_the_module_runs_nothing_that_others_have_noted_down(world, cluster, run, tmp_path, state_home):
    leave(world, cluster)
    undo.note(cluster, "redis_lost", "", ["touch", str(tmp_path / "mended")])
    removed(world, state_home)
    assert run(_ansible_check_mode=True)["undone"][-1] == "failure redis_lost left as it is"
    assert list(state_home.glob("*/*")) == []
    assert "could not be undone: the failure redis_lost was left by a check of another machine or user" in run()["msg"]
    assert list(tmp_path.iterdir()) == []
    assert world.objects[OPERATOR]["spec"]["replicas"] == 1


def test_commands_of_this_machine():
    undo.run_program([sys.executable, "-c", "pass"])
    with pytest.raises(StrikeError, match="with 2 arguments ended with 3: no such node"):
        undo.run_program([sys.executable, "-c", "import sys; sys.stderr.write('no such node'); sys.exit(3)"])
    with pytest.raises(StrikeError, match="no/such/program with 0 arguments cannot be run"):
        undo.run_program(["/no/such/program"])


def test_the_keyboard_does_not_end_a_command():
    undo.run_program([sys.executable, "-c", f"import os, sys; sys.exit(os.getsid(0) == {os.getsid(0)})"])


def test_commands_have_their_time(monkeypatch):
    monkeypatch.setattr(undo, "COMMAND_SECONDS", 0.5)
    with pytest.raises(StrikeError, match="did not end within"):
        undo.run_program([sys.executable, "-c", "import time; time.sleep(60)"])
