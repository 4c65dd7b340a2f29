# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import Timeline


@pytest.fixture
def timeline(build):
    line = Timeline(build.snapshot())
    for uid in ("w1", "w2"):
        line.pod("ADDED", build.pod(uid), 90)
    line.pod("ADDED", build.pod("h1", "head"), 90)
    line.deletion_requested(100)
    return line


def bring_back(build, timeline, uid="h2", at=110):
    timeline.pod("ADDED", build.pod(uid, "head", ready=False, scheduled=False, started=False), at)
    timeline.pod("MODIFIED", build.pod(uid, "head", ready=False, started=False), at + 1)
    timeline.pod("MODIFIED", build.pod(uid, "head", ready=False), at + 2)
    timeline.pod("MODIFIED", build.pod(uid, "head"), at + 5)


def answer(build, timeline, at, uid="h2", **values):
    head = state.parse_pod(build.pod(uid, "head"))
    timeline.dashboard(head, True, state.parse_serve(build.serve_answer(**values)), at)


def test_graceful(build, timeline):
    timeline.pod("MODIFIED", build.pod("h1", "head", terminating=True), 100.1)
    timeline.pod("DELETED", build.pod("h1", "head", terminating=True), 103)
    bring_back(build, timeline)
    answer(build, timeline, 116, status="DEPLOYING")
    assert timeline.recovered is None
    answer(build, timeline, 117)
    assert timeline.transitions == {
        "deletion_requested": 100,
        "old_head_gone": 103,
        "new_head_created": 110,
        "new_head_scheduled": 111,
        "new_head_started": 112,
        "new_head_ready": 115,
        "gcs_back": 116,
        "serve_controller_back": 116,
        "applications_running": 117,
    }
    assert timeline.recovered == 117
    assert [text for _at, text in timeline.notes][-1] == "Serve: app RUNNING; 2 of 2 replicas running"


def test_forced_new_head_before_the_old_one_is_gone(build, timeline):
    bring_back(build, timeline)
    answer(build, timeline, 117)
    assert timeline.recovered is None
    timeline.pod("DELETED", build.pod("h1", "head"), 130)
    assert timeline.recovered == 130


def test_running_counts_only_once_the_new_head_is_ready(build, timeline):
    timeline.pod("ADDED", build.pod("h2", "head", ready=False), 110)
    answer(build, timeline, 112)
    assert "serve_controller_back" in timeline.transitions
    assert "applications_running" not in timeline.transitions


@pytest.mark.parametrize("values", [{"actors": ("a1",)}, {"deployment": "UPDATING"}, {"status": "UNHEALTHY"}])
def test_not_running_yet(build, timeline, values):
    bring_back(build, timeline)
    answer(build, timeline, 117, **values)
    assert "applications_running" not in timeline.transitions


def test_an_answer_of_an_empty_controller_is_not_the_controllers_return(build, timeline):
    bring_back(build, timeline)
    timeline.dashboard(state.parse_pod(build.pod("h2", "head")), True, state.Serve(), 116)
    assert "gcs_back" in timeline.transitions
    assert "serve_controller_back" not in timeline.transitions


def test_a_second_new_head_starts_over(build, timeline):
    timeline.pod("DELETED", build.pod("h1", "head"), 103)
    bring_back(build, timeline)
    answer(build, timeline, 116)
    timeline.pod("DELETED", build.pod("h2", "head"), 120)
    assert timeline.recovered is None
    bring_back(build, timeline, uid="h3", at=130)
    answer(build, timeline, 131, uid="h2")  # late words of the one that is gone
    assert timeline.recovered is None
    answer(build, timeline, 140, uid="h3")
    assert timeline.recovered == 140
    assert timeline.transitions["new_head_created"] == 130


def test_workers_are_noted(build, timeline):
    timeline.pod("MODIFIED", build.pod("w1", ready=False), 105)
    timeline.pod("MODIFIED", build.pod("w1", ready=True, restarts=1), 109)
    timeline.pod("DELETED", build.pod("w2"), 110)
    timeline.pod("ADDED", build.pod("w3"), 111)
    assert timeline.notes == [
        (105, "worker svc-worker-w1 is not Ready"),
        (109, "worker svc-worker-w1 is Ready again"),
        (109, "container ray-worker of worker svc-worker-w1 restarted"),
        (110, "worker svc-worker-w2 is gone"),
        (111, "new worker svc-worker-w3"),
    ]


def test_another_cluster_is_kept_even_if_it_goes_again(timeline):
    status = {"activeServiceStatus": {"rayClusterName": "svc-abcde"}}
    timeline.rayservice(
        "MODIFIED", {"status": {**status, "pendingServiceStatus": {"rayClusterName": "svc-fghij"}}}, 105
    )
    timeline.rayservice("MODIFIED", {"status": status}, 106)
    assert timeline.other_clusters == ["svc-fghij"]


def test_last_seen(build, timeline):
    assert timeline.last_seen() == [
        "not seen: Old head gone, New head created, New head scheduled, New head's containers started, GCS answers, "
        "New head Ready, Serve controller answers, Applications RUNNING",
        "no new head pod was created",
    ]
    timeline.pod("DELETED", build.pod("h1", "head"), 103)
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    timeline.pod("ADDED", build.pod("h2", "head", ready=False, started=False, waiting=waiting), 110)
    involved = {"kind": "Pod", "name": "svc-abcde-head-x"}
    timeline.event(
        "ADDED", {"type": "Warning", "reason": "Failed", "message": "pull\nfailed", "involvedObject": involved}, 111
    )
    timeline.event("ADDED", {"message": "of others", "involvedObject": {"kind": "Pod", "name": "other"}}, 111)
    assert timeline.last_seen()[1:] == [
        "new head svc-head-h2: Pending, not Ready, container ray-head waiting: ImagePullBackOff no such image",
        "Warning Pod/svc-abcde-head-x Failed: pull failed",
    ]
