# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import FAILURES
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import Timeline


@pytest.fixture
def line(build):
    """Makes a time line of a service in its best state that meets a failure at 100."""

    def make(failure="head_deleted", taken=(), lasts=False):
        timeline = Timeline(build.snapshot(), FAILURES[failure], lasts)
        for uid in ("w1", "w2"):
            timeline.pod("ADDED", build.pod(uid), 90)
        timeline.pod("ADDED", build.pod("h1", "head"), 90)
        timeline.strike(build.snapshot(), frozenset(taken), 100)
        timeline.begun(100)
        return timeline

    return make


def bring_back(build, timeline, uid="h2", at=110):
    timeline.pod("ADDED", build.pod(uid, "head", ready=False, scheduled=False, started=False), at)
    timeline.pod("MODIFIED", build.pod(uid, "head", ready=False, started=False), at + 1)
    timeline.pod("MODIFIED", build.pod(uid, "head", ready=False), at + 2)
    timeline.pod("MODIFIED", build.pod(uid, "head"), at + 5)


def answer(build, timeline, at, uid="h2", asked=None, **values):
    serve = state.parse_serve(build.serve_answer(**values))
    timeline.dashboard(build.head(uid), True, serve, at - 0.1 if asked is None else asked, at)


def replace_head(build, timeline, old="h1", new="h2", at=100):
    """The old head goes 3 s after that moment, and everything is back 17 s after it."""
    timeline.pod("DELETED", build.pod(old, "head"), at + 3)
    bring_back(build, timeline, uid=new, at=at + 10)
    answer(build, timeline, at + 17, uid=new)


def texts(timeline):
    return [text for _at, text in timeline.notes]


def test_deleted_with_a_grace_period(build, line):
    timeline = line()
    timeline.pod("MODIFIED", build.pod("h1", "head", terminating=True), 100.1)
    timeline.pod("DELETED", build.pod("h1", "head", terminating=True), 103)
    bring_back(build, timeline)
    answer(build, timeline, 116, status="DEPLOYING")
    assert timeline.recovered is None
    answer(build, timeline, 117)
    assert timeline.transitions == {
        "struck": 100,
        "old_head_gone": 103,
        "new_head_created": 110,
        "new_head_scheduled": 111,
        "new_head_started": 112,
        "head_ready": 115,
        "gcs_back": 116,
        "serve_controller_back": 116,
        "applications_running": 117,
    }
    assert (timeline.head_back, timeline.recovered, timeline.new_heads) == (115, 117, ["svc-head-h2"])
    assert texts(timeline)[-1] == "Serve: app RUNNING; 2 of 2 replicas running"


def test_a_new_head_before_the_old_one_is_gone(build, line):
    timeline = line("head_forced")
    bring_back(build, timeline)
    answer(build, timeline, 117)
    assert (timeline.head_back, timeline.recovered) == (None, None)
    timeline.pod("DELETED", build.pod("h1", "head"), 130)
    assert (timeline.head_back, timeline.recovered) == (130, 130)


def test_restarted_in_place(build, line):
    timeline = line("gcs_killed")
    answer(build, timeline, 101, uid="h1")  # the dashboard of before is still there
    assert (timeline.head, timeline.recovered) == (None, None)
    timeline.pod("MODIFIED", build.pod("h1", "head", ready=False, restarts=1), 105)
    timeline.pod("MODIFIED", build.pod("h1", "head", restarts=1), 112)
    answer(build, timeline, 113, uid="h1", asked=104)  # asked of the one before
    assert timeline.recovered is None
    answer(build, timeline, 114, uid="h1")
    assert timeline.recovered == 114
    assert timeline.transitions == {
        **{"struck": 100, "head_restarted": 105, "head_ready": 112},
        **{"gcs_back": 114, "serve_controller_back": 114, "applications_running": 114},
    }


def test_restarted_once_more(build, line):
    timeline = line("gcs_killed")
    timeline.pod("MODIFIED", build.pod("h1", "head", restarts=1), 105)
    answer(build, timeline, 114, uid="h1")
    assert (timeline.head_back, timeline.recovered) == (105, 114)
    timeline.pod("MODIFIED", build.pod("h1", "head", ready=False, restarts=2), 120)
    assert (timeline.head_back, timeline.recovered) == (None, None)
    timeline.pod("MODIFIED", build.pod("h1", "head", restarts=2), 130)
    answer(build, timeline, 131, uid="h1")
    assert (timeline.head_back, timeline.recovered, timeline.new_heads) == (130, 131, [])
    assert timeline.last_seen()[0] == "it was back +14.0 s after the failure and did not stay so"


def test_what_was_before_the_failure_is_not_the_failures(build):
    timeline = Timeline(build.snapshot(), FAILURES["gcs_killed"])
    timeline.pod("ADDED", build.pod("h1", "head"), 90)
    timeline.pod("MODIFIED", build.pod("h1", "head", restarts=1), 95)
    assert (timeline.transitions, timeline.head) == ({}, None)
    timeline.strike(build.snapshot(), frozenset(), 100)
    assert (timeline.transitions, timeline.head) == ({"struck": 100}, None)


def test_a_worker_is_replaced(build, line):
    timeline = line("worker_deleted", taken=["w1"])
    answer(build, timeline, 100.5, uid="h1")
    # Ready still, by what is told of it, and not counted.
    assert timeline.last_seen() == ["1 of 2 workers Ready"]
    timeline.pod("DELETED", build.pod("w1"), 103)
    answer(build, timeline, 104, uid="h1", actors=("a2",))
    timeline.pod("ADDED", build.pod("w3"), 110)
    assert timeline.last_seen() == ["Serve: app RUNNING; 1 of 1 replicas running, 2 before"]
    answer(build, timeline, 112, uid="h1", actors=("a2", "a3"))
    assert timeline.recovered == 112
    assert timeline.transitions == {"struck": 100, "workers_ready": 110, "applications_running": 112}


def test_a_head_that_the_failure_reaches_late(build, line):
    timeline = line("head_node_lost", lasts=True)
    assert timeline.head_back == 100
    timeline.pod("MODIFIED", build.pod("h1", "head", ready=False), 150)
    assert timeline.head_back is None
    replace_head(build, timeline, at=160)
    assert timeline.head_back == 175


def test_a_failure_that_lasts_is_over_when_it_is_undone(build, line):
    timeline = line("worker_node_lost", taken=["w1"], lasts=True)
    answer(build, timeline, 101, uid="h1")
    assert timeline.last_seen() == [
        *("the failure is not over", f"the failure was not seen to act; expected: {timeline.unseen}", "1 of 2 workers Ready")
    ]
    timeline.acted(120)
    timeline.undo(130)
    answer(build, timeline, 131, uid="h1", asked=129)
    assert timeline.recovered is None
    answer(build, timeline, 132, uid="h1")
    assert (timeline.undone, timeline.recovered) == (130, 132)


def test_a_failure_that_is_not_there_yet_is_not_over(build, line):
    timeline = line("worker_deleted")
    timeline.strike(build.snapshot(), frozenset(), 200)
    answer(build, timeline, 201, uid="h1")
    assert timeline.last_seen() == ["the failure is not over"]
    timeline.begun(205)
    assert timeline.recovered is None
    answer(build, timeline, 206, uid="h1")
    assert timeline.recovered == 206


@pytest.mark.parametrize("failure", ["head_node_lost", "redis_lost", "worker_node_lost"])
def test_nothing_is_back_before_the_failure_has_acted(build, line, failure):
    timeline = line(failure)
    answer(build, timeline, 101, uid="h1")
    assert timeline.last_seen() == [f"the failure was not seen to act; expected: {timeline.unseen}"]
    timeline.acted(110)
    assert (timeline.recovered, timeline.transitions["effect_seen"], timeline.unseen) == (None, 110, "")
    answer(build, timeline, 111, uid="h1", asked=109)
    assert timeline.recovered is None
    answer(build, timeline, 112, uid="h1")
    assert timeline.recovered == 112
    timeline.strike(build.snapshot(), frozenset(), 200)
    assert timeline.unseen != ""


@pytest.mark.parametrize("effect", ["redis_silent", "head_restarted"])
def test_a_head_that_restarts_shows_that_redis_was_lost(build, effect):
    timeline = Timeline(build.snapshot(), replace(FAILURES["redis_lost"], effect=effect))
    for uid, role in (("h1", "head"), ("w1", "worker"), ("w2", "worker")):
        timeline.pod("ADDED", build.pod(uid, role), 90)
    timeline.strike(build.snapshot(), frozenset(), 100)
    timeline.begun(100)
    timeline.pod("MODIFIED", build.pod("h1", "head", ready=False), 110)
    answer(build, timeline, 111, uid="h1")
    assert timeline.unseen != ""
    timeline.pod("MODIFIED", build.pod("h1", "head", restarts=1), 120)
    assert (timeline.transitions["effect_seen"], timeline.unseen, timeline.recovered) == (120, "", None)
    answer(build, timeline, 125, uid="h1")
    assert timeline.recovered == 125


def test_a_new_head_does_not_show_that_its_node_was_lost(build, line):
    timeline = line("head_node_lost")
    replace_head(build, timeline)
    assert (timeline.recovered, "effect_seen" in timeline.transitions) == (None, False)


def test_what_is_lost_again_begins_anew(build, line):
    timeline = line()
    replace_head(build, timeline)
    timeline.pod("MODIFIED", build.pod("w1", ready=False), 120)
    assert timeline.recovered is None
    assert texts(timeline)[-1] == "not everything is back any more: 1 of 2 workers Ready"
    timeline.pod("MODIFIED", build.pod("w1"), 125)
    assert timeline.recovered == 125
    answer(build, timeline, 126, status="UNHEALTHY")
    assert timeline.recovered is None
    timeline.dashboard(build.head("h2"), False, None, 126.5, 127)  # no answer is no news
    answer(build, timeline, 128)
    assert timeline.recovered == 128


def test_rounds_have_nothing_in_common_but_the_notes(build, line):
    timeline = line()
    replace_head(build, timeline)
    timeline.strike(build.snapshot("h2"), frozenset(), 200)
    timeline.begun(200)
    assert (timeline.transitions, timeline.recovered, timeline.head) == ({"struck": 200}, None, None)
    assert (timeline.head_back, timeline.new_heads) == (None, [])
    replace_head(build, timeline, old="h2", new="h3", at=200)
    assert timeline.recovered == 217
    assert texts(timeline).count("Serve: app RUNNING; 2 of 2 replicas running") == 2


def test_running_counts_only_once_the_new_head_is_ready(build, line):
    timeline = line()
    timeline.pod("ADDED", build.pod("h2", "head", ready=False), 110)
    answer(build, timeline, 112)
    assert "serve_controller_back" in timeline.transitions
    assert "applications_running" not in timeline.transitions


@pytest.mark.parametrize("values", [{"actors": ("a1",)}, {"deployment": "UPDATING"}, {"status": "UNHEALTHY"}])
def test_not_running_yet(build, line, values):
    timeline = line()
    bring_back(build, timeline)
    answer(build, timeline, 117, **values)
    assert "applications_running" not in timeline.transitions


def test_an_answer_of_an_empty_controller_is_not_the_controllers_return(build, line):
    timeline = line()
    bring_back(build, timeline)
    timeline.dashboard(build.head("h2"), True, state.Serve(), 115, 116)
    assert "gcs_back" in timeline.transitions
    assert "serve_controller_back" not in timeline.transitions


def test_a_second_new_head_starts_over(build, line):
    timeline = line()
    timeline.pod("DELETED", build.pod("h1", "head"), 103)
    bring_back(build, timeline)
    answer(build, timeline, 116)
    timeline.pod("DELETED", build.pod("h2", "head"), 120)
    assert timeline.recovered is None
    bring_back(build, timeline, uid="h3", at=130)
    answer(build, timeline, 136, uid="h2")  # late words of the one that is gone
    assert timeline.recovered is None
    answer(build, timeline, 140, uid="h3")
    assert (timeline.head_back, timeline.recovered) == (135, 140)
    assert timeline.transitions["new_head_created"] == 130
    assert timeline.new_heads == ["svc-head-h2", "svc-head-h3"]


def test_workers_are_noted(build, line):
    timeline = line()
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


def test_another_cluster_is_kept_even_if_it_goes_again(line):
    timeline = line()
    status = {"activeServiceStatus": {"rayClusterName": "svc-abcde"}}
    timeline.rayservice(
        "MODIFIED", {"status": {**status, "pendingServiceStatus": {"rayClusterName": "svc-fghij"}}}, 105
    )
    timeline.rayservice("MODIFIED", {"status": status}, 106)
    assert timeline.other_clusters == ["svc-fghij"]


def test_last_seen(build, line):
    timeline = line()
    assert timeline.last_seen() == [
        *("the head svc-head-h1 was not replaced", "the GCS did not answer", "the Serve controller did not answer")
    ]
    timeline.pod("DELETED", build.pod("h1", "head"), 103)
    assert timeline.last_seen()[0] == "no head pod"
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    timeline.pod("ADDED", build.pod("h2", "head", ready=False, started=False, waiting=waiting), 110)
    involved = {"kind": "Pod", "name": "svc-abcde-head-x"}
    timeline.event(
        "ADDED", {"type": "Warning", "reason": "Failed", "message": "pull\nfailed", "involvedObject": involved}, 111
    )
    timeline.event("ADDED", {"message": "of others", "involvedObject": {"kind": "Pod", "name": "other"}}, 111)
    assert timeline.last_seen() == [
        "the head svc-head-h2: Pending, not Ready, container ray-head waiting: ImagePullBackOff no such image",
        *("the GCS did not answer", "the Serve controller did not answer"),
        "Warning Pod/svc-abcde-head-x Failed: pull failed",
    ]


def test_an_event_that_comes_again_and_again_is_said_once(build, line):
    timeline = line()
    involved = {"kind": "Pod", "name": "svc-abcde-head-x"}
    for number, reason in enumerate(["Zero", "One", "Two", "Three", "Unhealthy", "Four", "Unhealthy", "Unhealthy"]):
        timeline.event("ADDED", {"type": "Warning", "reason": reason, "involvedObject": involved}, 110 + number)
    said = [text.split()[2] for text in timeline.last_seen() if text.startswith("Warning")]
    assert said == ["One:", "Two:", "Three:", "Four:", "Unhealthy:"]
