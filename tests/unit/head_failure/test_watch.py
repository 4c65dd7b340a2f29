# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import FAILURES, NODE_LEAST
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import Timeline
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.watch import (
    SILENCE_SECONDS,
    Watch,
    ask_dashboard,
    await_silence,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Answer, ApiFailure


def entry(uid, version="1"):
    return {"metadata": {"uid": uid, "resourceVersion": version}}


def event(kind, uid, version):
    return json.dumps({"type": kind, "object": entry(uid, version)})


class Stop(threading.Event):
    """Set once the script has been played; never really waits."""

    def wait(self, timeout=None):
        return self.is_set()


class Script:
    """An Api that plays lists and watches one after the other; an exception is raised where it stands."""

    def __init__(self, steps, stop):
        self.steps, self.stop, self.asked = list(steps), stop, []

    def get(self, _path, **_query):
        self.asked.append("list")
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return {"metadata": {"resourceVersion": "10"}, "items": [entry(uid) for uid in step]}

    def lines(self, _path, query, _silence):
        self.asked.append(query["resourceVersion"])
        for step in self.steps.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step
        if not self.steps:
            self.stop.set()


def follow(*steps):
    stop, seen = Stop(), []
    script = Script(steps, stop)
    Watch(script, "/pods", {}, lambda kind, thing, at: seen.append((kind, thing["metadata"]["uid"])), lambda: 1.0).run(
        stop
    )
    return seen, script.asked


def test_list_then_watch_then_on_from_the_last_version():
    seen, asked = follow(["a"], [event("ADDED", "b", "11"), event("BOOKMARK", "", "15")], [event("DELETED", "a", "16")])
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    assert asked == ["list", "10", "15"]


@pytest.mark.parametrize("status", [None, 401, 429, 500, 503])
def test_a_hiccup_goes_on_where_it_was(status):
    seen, asked = follow(["a"], [event("MODIFIED", "a", "12"), ApiFailure("x", status)], [event("DELETED", "a", "13")])
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert asked == ["list", "10", "12"]


def test_an_expired_version_lists_again_and_tells_what_was_missed():
    gone = json.dumps({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
    seen, asked = follow(["a", "b"], [gone], ["b", "c"], [])
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "c")]
    assert asked == ["list", "10", "list", "10"]


def test_a_list_that_fails_is_tried_again():
    seen, asked = follow(ApiFailure("forbidden", 403), ["a"], [])
    assert seen == [("ADDED", "a")]
    assert asked == ["list", "list", "10"]


class Moments:
    """A clock and a stop in one: each wait passes its time, and at C(at) something happens."""

    def __init__(self, until, at):
        self.now, self.until, self.at = 0.0, until, at

    def wait(self, seconds):
        self.now += seconds
        for moment in [moment for moment in self.at if moment <= self.now]:
            self.at.pop(moment)()
        return self.now > self.until


def test_the_dashboard_is_asked_often_until_all_is_back_and_then_now_and_then(build):
    timeline, asked = Timeline(build.snapshot(), FAILURES["worker_deleted"]), []
    for uid, role in (("h1", "head"), ("w1", "worker"), ("w2", "worker")):
        timeline.pod("ADDED", build.pod(uid, role), 0.0)
    moments = Moments(
        25.0,
        {5.0: lambda: timeline.strike(build.snapshot(), frozenset(), 5.0), 7.0: lambda: timeline.begun(7.0)},
    )

    class Dashboard:
        def gcs_answers(self, _head, from_redis):
            return not from_redis

        def try_serve(self, _head):
            asked.append(moments.now)
            return state.parse_serve(build.serve_answer())

    ask_dashboard(Dashboard(), timeline, False, lambda: moments.now, moments)
    assert asked == [5.0, 5.5, 6.0, 6.5, 7.0, 12.0, 17.0, 22.0]
    assert timeline.recovered == 7.0


class Speaker:
    """A cluster whose node renews its Lease every 10 s, and whose GCS always answers, but when they are silent; the API server is away
    in C(away). Both are intervals of seconds."""

    def __init__(self, moments, silent=(100, 100), away=(100, 100)):
        self.moments, self.silent, self.away = moments, silent, away

    def _look(self):
        if self.away[0] <= self.moments.now < self.away[1]:
            raise ApiFailure("no answer")
        return self.moments.now

    def renewed(self, node):
        assert node == "node-1"
        return str(self.last_renewal(self._look()))

    def last_renewal(self, now):
        return max(at for at in range(0, 100, 10) if at <= now and not self.silent[0] <= at < self.silent[1])

    def redis_answers(self, _head):
        return not self.silent[0] <= self._look() < self.silent[1]


# Effect, when who speaks is silent, when the API server is away, and when the effect is seen.
SILENCES = [
    ("node_silent", (100, 100), (100, 100), None),
    ("node_silent", (10, 30), (100, 100), 15.5),
    ("node_silent", (11, 31), (100, 100), 25.0),
    ("node_silent", (11, 20), (100, 100), None),
    ("node_silent", (11, 30), (11, 24), None),
    ("redis_silent", (100, 100), (100, 100), None),
    ("redis_silent", (10, 20), (100, 100), 14.5),
    ("redis_silent", (10, 12), (100, 100), None),
    # What fails on the way is not Redis' silence.
    ("redis_silent", (100, 100), (10, 40), None),
    ("redis_silent", (10, 20), (10, 18), None),
]


@pytest.mark.parametrize(("effect", "silent", "away", "seen"), SILENCES)
def test_silence(build, effect, silent, away, seen):
    timeline = Timeline(build.snapshot(), FAILURES["redis_lost" if effect == "redis_silent" else "head_node_lost"])
    timeline.pod("ADDED", build.pod("h1", "head"), 0.0)
    timeline.strike(build.snapshot(), frozenset(), 0.0)
    moments = Moments(50.0, {})
    await_silence(Speaker(moments, silent, away), timeline, effect, "node-1", lambda: moments.now, moments)
    assert timeline.transitions.get("effect_seen") == seen
    assert moments.now == (seen or 50.5)


class Asked:
    """An API that answers, but for C(silent) parts of paths. paths: what it was asked."""

    def __init__(self, *silent):
        self.silent, self.paths = silent, []

    def find(self, path):
        return self.once("GET", path).json()

    def once(self, _method, path, **_named):
        self.paths.append(path)
        if any(part in path for part in self.silent):
            raise ApiFailure("timed out")
        return Answer(200, {}, '{"spec": {"renewTime": "now"}}')


def test_where_signs_of_life_are_asked_for_and_given(build):
    api = Asked()
    cluster = Cluster(api, "ns", "svc")
    assert cluster.renewed("node-1") == "now"
    assert cluster.redis_answers(build.head("h1")) is True
    cluster.call_pod("load-1", 8099)
    assert api.paths == [
        "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1",
        "/api/v1/namespaces/ns/pods/svc-head-h1:8265/proxy/api/jobs/",
        "/api/v1/namespaces/ns/pods/load-1:8099/proxy/",
    ]


def test_redis_is_not_blamed_for_the_api_server(build):
    assert Cluster(Asked("jobs"), "ns", "svc").redis_answers(build.head("h1")) is False
    with pytest.raises(ApiFailure):
        Cluster(Asked("jobs", "version"), "ns", "svc").redis_answers(build.head("h1"))


def test_a_loss_as_short_as_is_allowed_shows():
    """However it falls between two renewals, of which the last may be late."""
    assert SILENCE_SECONDS["node_silent"] + 2 * 2 < NODE_LEAST
