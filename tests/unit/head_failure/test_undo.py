# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import sys

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import undo
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.undo import StrikeError, left, perform
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.modules import ray_head_failure_undo

from .fake_world import NODE, NOTE, OPERATOR, World


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
