# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import api as api_module
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.api import Api, ApiError
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.watch import Watch


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


@pytest.mark.parametrize("status", [0, 401, 429, 500, 503])
def test_a_hiccup_goes_on_where_it_was(status):
    seen, asked = follow(["a"], [event("MODIFIED", "a", "12"), ApiError(status, "x")], [event("DELETED", "a", "13")])
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert asked == ["list", "10", "12"]


def test_an_expired_version_lists_again_and_tells_what_was_missed():
    gone = json.dumps({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
    seen, asked = follow(["a", "b"], [gone], ["b", "c"], [])
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "c")]
    assert asked == ["list", "10", "list", "10"]


def test_a_list_that_fails_is_tried_again():
    seen, asked = follow(ApiError(403, "forbidden"), ["a"], [])
    assert seen == [("ADDED", "a")]
    assert asked == ["list", "list", "10"]


class Refused(api_module.ApiException):
    def __init__(self, status):
        super().__init__(status, "because")
        self.body = json.dumps({"message": f"said {status}"})


class Client:
    """A dynamic client whose request() plays statuses; 200 answers with an empty object."""

    def __init__(self, statuses):
        self.statuses = statuses

    def request(self, *_arguments, **_named):
        status = self.statuses.pop(0)
        if status != 200:
            raise Refused(status)
        return type("Response", (), {"data": b"{}"})()


@pytest.mark.parametrize(
    ("statuses", "connects", "outcome"),
    [
        ([200], 1, {}),
        ([429, 503, 200], 1, {}),
        ([401, 200], 2, {}),
        ([404], 1, 404),
        ([403], 1, 403),
        ([409], 1, 409),
        ([500] * 7, 1, 500),
    ],
)
def test_requests_ride_out_what_passes(statuses, connects, outcome):
    made = []

    def connect():
        made.append(1)
        return Client(statuses)

    api = Api(connect, sleep=lambda _seconds: None)
    if isinstance(outcome, int):
        with pytest.raises(ApiError) as caught:
            api.get("/x")
        assert caught.value.status == outcome
        assert str(caught.value) == f"said {outcome}"
    else:
        assert api.get("/x") == outcome
    assert len(made) == connects
    assert statuses == []
