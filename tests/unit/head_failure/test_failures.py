# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import FAILURES, aim, problem
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import parse_pod

PARAMS = {
    **{"failure": "head_deleted", "failure_commands": None, "failure_seconds": 0, "repeat": 1},
    **{"baseline_seconds": 10, "stability_seconds": 60, "recovery_timeout": 120},
    **{"max_failed_requests": 0, "max_slow_requests": None, "max_p99_ratio": None},
    **{"head_timeout": None, "failed_within": None},
}
BEGIN, BOTH = {"begin": ["cut"], "end": None, "effect": None}, {"begin": ["cut"], "end": ["mend"], "effect": None}
RESTART = {**BEGIN, "effect": "head_restarted"}
WRONG = {
    "repeat is 0; expected: at least 1": {"repeat": 0},
    "max_slow_requests is -1; expected: at least 0": {"max_slow_requests": -1},
    "head_timeout is 0; expected: at least 1": {"head_timeout": 0},
    "failed_within is 0; expected: at least 1": {"failed_within": 0},
    "max_p99_ratio is 0.5; expected: at least 1": {"max_p99_ratio": 0.5},
    "failure_commands is not given; expected with failure redis_lost": {"failure": "redis_lost"},
    "failure_commands is given with failure head_deleted; expected: none, they go with head_node_lost, redis_lost, worker_node_lost": {
        "failure_commands": BOTH
    },
    "failure_commands.begin is empty": {"failure": "redis_lost", "failure_commands": {**BEGIN, "begin": []}},
    "failure_commands.effect is given with failure head_node_lost; expected: none, it goes with redis_lost": {
        **{"failure": "head_node_lost", "failure_commands": RESTART}
    },
    "failure_seconds is 19; expected with failure worker_node_lost: 0, or at least 20": {
        **{"failure": "worker_node_lost", "failure_commands": BOTH, "failure_seconds": 19}
    },
    "failure_seconds is 5; expected with failure gcs_killed: 0": {"failure": "gcs_killed", "failure_seconds": 5},
    "failure_seconds is 5 and failure_commands has no end": {
        **{"failure": "redis_lost", "failure_commands": BEGIN, "failure_seconds": 5}
    },
    "failure_seconds is 0; expected with failure operator_down: at least 1": {"failure": "operator_down"},
    "repeat is 2 and failure_seconds 0; expected: at least 1 second": {
        **{"failure": "redis_lost", "failure_commands": BOTH, "repeat": 2}
    },
}


@pytest.mark.parametrize(("words", "values"), WRONG.items(), ids=WRONG)
def test_wrong_options(words, values):
    assert words in problem({**PARAMS, **values})


RIGHT = [
    {},
    {"repeat": 20, "max_slow_requests": 0},
    {"failure": "redis_lost", "failure_commands": BEGIN, "repeat": 3},
    {"failure": "redis_lost", "failure_commands": BOTH, "failure_seconds": 10, "repeat": 3},
    {"failure": "redis_lost", "failure_commands": RESTART},
    {"failure": "head_node_lost", "failure_commands": BOTH},
    {"failure": "worker_node_lost", "failure_commands": BOTH, "failure_seconds": 20},
    {"failure": "head_drained"},
    {"failure": "operator_down", "failure_seconds": 30},
]


@pytest.mark.parametrize("values", RIGHT)
def test_right_options(values):
    assert problem({**PARAMS, **values}) == ""


# Where head, w1, w2 and w3 are (w1 and w2 carry a replica), and the node and the workers that a failure takes.
AIMS = [
    ("head_deleted", "abcd", "", []),
    ("redis_lost", "abcd", "", []),
    ("worker_deleted", "abcd", "", ["w1"]),
    ("head_and_worker_deleted", "aaaa", "", ["w1"]),
    ("head_drained", "abcd", "a", []),
    ("head_drained", "abaa", "a", ["w2", "w3"]),
    ("head_node_lost", "abcd", "a", []),
    ("worker_node_lost", "abcd", "b", ["w1"]),
    ("worker_node_lost", "aacd", "c", ["w2"]),
    ("worker_node_lost", "abbd", "b", ["w1", "w2"]),
    # None but the one without a replica is away from the head.
    ("worker_node_lost", "aaad", "d", ["w3"]),
]


def spread(build, nodes, **values):
    workers = tuple(parse_pod(build.pod(f"w{number}", node=node)) for number, node in enumerate(nodes[1:], 1))
    return build.snapshot(heads=(build.head("h1", node=nodes[0]),), **values), workers


@pytest.mark.parametrize(("failure", "nodes", "node", "workers"), AIMS)
def test_on_whom_it_falls(build, failure, nodes, node, workers):
    before, placed = spread(build, nodes)
    got = aim(FAILURES[failure], replace(before, workers=placed))
    assert (got.head.uid, got.node, sorted(got.taken)) == ("h1", node, workers)


def test_a_worker_with_a_replica_is_taken_first(build):
    before, placed = spread(build, "abcd", actors=("a1",))
    before = replace(before, workers=tuple(replace(pod, ip="ip-w1" if pod.uid == "w3" else "x") for pod in placed))
    assert aim(FAILURES["worker_deleted"], before).taken == {"w3"}


def test_a_worker_on_its_way_out_is_not_taken(build):
    before = build.snapshot(workers=("w2",), more=(build.worker("w1", terminating=True),))
    assert aim(FAILURES["worker_deleted"], before).taken == {"w2"}


def test_no_worker_is_away_from_the_head(build):
    before, placed = spread(build, "aaa")
    with pytest.raises(ValueError, match="every worker is on the node of the head, a; "):
        aim(FAILURES["worker_node_lost"], replace(before, workers=placed))
