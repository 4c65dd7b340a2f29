# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import recovery, state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import FAILURES


def pods(build, *heads, workers=("w1", "w2")):
    return [*heads, *(state.parse_pod(build.pod(uid)) for uid in workers)]


# A failure, what is not as it was after it has been overcome, and what is missing then.
STATES = {
    "all is well": ("head_deleted", lambda b: {}, []),
    "one more worker": ("head_deleted", lambda b: {"pods": pods(b, b.head("h2"), workers=("w1", "w2", "w3"))}, []),
    "other workers": ("head_deleted", lambda b: {"pods": pods(b, b.head("h2"), workers=("w8", "w9"))}, []),
    "the failure lasts": ("operator_down", lambda b: {"lasting": True}, ["the failure is not over"]),
    "it did not act": (
        "redis_lost",
        lambda b: {"unseen": "Redis answered"},
        ["the failure was not seen to act; expected: Redis answered"],
    ),
    "no head": ("head_deleted", lambda b: {"pods": pods(b)}, ["no head pod"]),
    "two heads": (
        "head_deleted",
        lambda b: {"pods": pods(b, b.head("h1"), b.head("h2"))},
        ["there are 2 head pods: svc-head-h1, svc-head-h2"],
    ),
    "the old head": (
        "head_deleted",
        lambda b: {"pods": pods(b, b.head("h1", restarts=1))},
        ["the head svc-head-h1 was not replaced"],
    ),
    "a head on its way out": (
        "redis_lost",
        lambda b: {"pods": pods(b, b.head("h1", terminating=True))},
        ["the head svc-head-h1 is being deleted"],
    ),
    "a head that is not Ready": (
        "worker_deleted",
        lambda b: {"pods": pods(b, b.head("h1", ready=False))},
        ["the head svc-head-h1: Running, not Ready"],
    ),
    "restarted": ("gcs_killed", lambda b: {"pods": pods(b, b.head("h1", restarts=1))}, []),
    "not restarted": (
        "gcs_killed",
        lambda b: {"pods": pods(b, b.head("h1"))},
        ["the head svc-head-h1 was not restarted"],
    ),
    "replaced instead of restarted": ("gcs_killed", lambda b: {}, []),
    "kept": ("worker_deleted", lambda b: {"pods": pods(b, b.head("h1"))}, []),
    "a worker is missing": (
        "head_deleted",
        lambda b: {"pods": pods(b, b.head("h2"), workers=("w1",))},
        ["1 of 2 workers Ready"],
    ),
    "a worker is down, whatever is told of it": (
        "head_deleted",
        lambda b: {"taken": frozenset({"w1"})},
        ["1 of 2 workers Ready"],
    ),
    "no GCS": ("head_deleted", lambda b: {"gcs": False}, ["the GCS did not answer"]),
    "no Serve": ("head_deleted", lambda b: {"serve": None}, ["the Serve controller did not answer"]),
    "fewer replicas": (
        "head_deleted",
        lambda b: {"serve": state.parse_serve(b.serve_answer(("a1",)))},
        ["Serve: app RUNNING; 1 of 1 replicas running, 2 before"],
    ),
    "not healthy": (
        "head_deleted",
        lambda b: {"serve": state.parse_serve(b.serve_answer(deployment="UPDATING"))},
        ["Serve: app RUNNING; app/D UPDATING; 2 of 2 replicas running, 2 before"],
    ),
}


@pytest.mark.parametrize(("failure", "changes", "missing"), STATES.values(), ids=STATES)
def test_what_is_missing(build, failure, changes, missing):
    before = build.snapshot()
    view = {"pods": pods(build, build.head("h2")), "lasting": False, "taken": frozenset(), "gcs": True}
    view = recovery.View(**{**view, "serve": before.serve, **changes(build)})
    assert recovery.missing(FAILURES[failure], before, view) == missing
