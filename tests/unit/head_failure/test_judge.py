# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import baseline_problem, judge

FAILED = {"status": 0, "error": "timed out"}


def test_all_well_passes(build):
    verdict = judge(build.plan, build.evidence())
    assert verdict.word == "passed"
    assert verdict.reasons == []
    assert {criterion.outcome for criterion in verdict.criteria} == {"passed"}


# What is wrong, as changes to the evidence, and the one reason that must be given for it.
CASES = {
    "a request fails after the failure": (
        lambda b: {"faults": {30: FAILED}},
        "1 of 101 requests failed, 0 allowed; the first was due +1.0 s after the failure, the last +1.0 s after the failure (1 × timed out)",
    ),
    "a request fails before the failure": (lambda b: {"faults": {5: FAILED}}, "the first was due -1.5 s"),
    "a status that is no success": (lambda b: {"faults": {30: {"status": 503}}}, "(1 × HTTP status 503)"),
    "a stream that was under way at the failure breaks": (
        lambda b: {"faults": {19: {"latency": 400.0, "error": "stream ended without [DONE]"}}},
        "the first was due -0.1 s",
    ),
    "a stream that stalls": (
        lambda b: {
            "faults": {30: {"latency": 1400.0, "error": "stalled: no event for 1 s", "first": 30.0, "gap": 1000.0}}
        },
        "(1 × stalled: no event for 1 s)",
    ),
    "a redirection is no answer": (lambda b: {"faults": {30: {"status": 302}}}, "(1 × HTTP status 302)"),
    "never recovered": (
        lambda b: {"recovered": None, "last_seen": ("no new head pod was created",)},
        "not recovered within 60 s (no new head pod was created)",
    ),
    "recovered too late": (lambda b: {"recovered": 1062.5}, "recovery took 60.5 s, 60 s allowed"),
    "the old head is still there": (
        lambda b: {"after": b.snapshot(head="h1")},
        "the old head svc-head-h1 is still there",
    ),
    "two heads at the end": (
        lambda b: {"after": b.snapshot(heads=b.snapshot("h1").heads + b.snapshot("h2").heads)},
        "there are 2 heads at the end instead of one: svc-head-h1, svc-head-h2",
    ),
    "the head replaced twice": (
        lambda b: {"after": b.snapshot(head="h3"), "new_heads": ("svc-head-h2", "svc-head-h3")},
        "the head svc-head-h1 was replaced 2 times, by svc-head-h2, svc-head-h3",
    ),
    "the new head restarted": (
        lambda b: {"after": b.snapshot(heads=(b.head("h2", restarts=2),))},
        "container ray-head of the head svc-head-h2 restarted 2 times",
    ),
    "the new head is not Ready": (
        lambda b: {"after": b.snapshot(heads=(b.head("h2", ready=False),))},
        "the head svc-head-h2 is not Ready at the end",
    ),
    "fewer replicas run": (
        lambda b: {"after": b.snapshot(head="h2", actors=("a1",))},
        "at the end 1 replicas run, 2 did before",
    ),
    "fewer failures than were asked for": (
        lambda b: {"obstacle": "there is no worker pod"},
        "only 1 of 1 failures could be caused: there is no worker pod",
    ),
    "no head at the end": (
        lambda b: {"after": b.snapshot(heads=())},
        "there are 0 heads at the end instead of one: none",
    ),
    "another RayCluster": (
        lambda b: {"after": b.snapshot(head="h2", cluster_name="svc-fghij", cluster_uid="c2")},
        "the RayCluster is svc-fghij instead of svc-abcde",
    ),
    "a RayCluster of the same name, made anew": (
        lambda b: {"after": b.snapshot(head="h2", cluster_uid="c2")},
        "the RayCluster svc-abcde was made anew",
    ),
    "a pending RayCluster that came and went": (
        lambda b: {"other_clusters": ("svc-fghij",)},
        "KubeRay built another RayCluster, svc-fghij",
    ),
    "another RayService of that name": (
        lambda b: {"after": b.snapshot(head="h2", service_uid="s2")},
        "the RayService is not the same object any more",
    ),
    "a worker replaced": (
        lambda b: {"after": b.snapshot(head="h2", workers=("w1", "w3"))},
        "worker svc-worker-w2 is gone",
    ),
    "a worker's container restarted": (
        lambda b: {"after": b.snapshot(head="h2", restarts=1)},
        "container ray-worker of worker svc-worker-w1 restarted (0 → 1 restarts)",
    ),
    "a replica replaced": (
        lambda b: {"after": b.snapshot(head="h2", actors=("a1", "a9"))},
        "1 of 2 replicas are not the same any more (D#r2)",
    ),
    "no replicas known before": (lambda b: {"before": b.snapshot(serve=None)}, "the replicas before were not seen"),
    "no dashboard at the end": (
        lambda b: {"after": b.snapshot(head="h2", serve=None)},
        "Ray's dashboard did not answer",
    ),
    "nothing readable at the end": (
        lambda b: {"after": None, "after_problem": "500"},
        "the RayService could not be read at the end: 500",
    ),
    "not ready at the end": (
        lambda b: {"after": b.snapshot(head="h2", service_problems=("application app is UNHEALTHY",))},
        "at the end the RayService is not ready: application app is UNHEALTHY",
    ),
    "no sample at all": (lambda b: {"samples": ()}, "no request of short before the failure"),
    "no sample after the failure": (
        lambda b: {"samples": tuple(b.sample(n, 1000 + n / 10) for n in range(20))},
        "no request of short after the failure",
    ),
    "samples lost": (lambda b: {"unknown": 3}, "the outcome of 3 of 101 requests is unknown"),
    "a silent generator": (lambda b: {"silent": 4.0}, "the load generator told nothing of the last 4.0 s"),
    "a generator that runs out of ports": (
        lambda b: {"faults": {30: {"status": 0, "error": "load generator: Cannot assign requested address"}}},
        "1 requests failed on the load generator's own side",
    ),
    "a machine that does not keep up": (
        lambda b: {"faults": {n: {"late": 101.0} for n in range(50, 60)}},
        "the machine of the load generator was the bottleneck after the failure: 10 of 81 requests for which processors were free "
        "started more than 100 ms late",
    ),
    "a machine that does not keep up before the failure": (
        lambda b: {"faults": {n: {"late": 101.0} for n in (3, 4)}},
        "the bottleneck before the failure: 2 of 20 requests for which processors were free started more than 100 ms late",
    ),
    "a starved machine that does not keep up at all": (
        lambda b: {"beats": b.starved(), "faults": {n: {"late": 501.0} for n in (41, 42)}},
        "the bottleneck after the failure: 2 of 81 requests started more than 500 ms late",
    ),
    "a generator that does not keep up": (
        lambda b: {"beats": tuple(b.beat(1000.25 + n / 2, cpu=0.97 if n in (7, 8) else 0.5) for n in range(20))},
        "the load generator was the bottleneck after the failure: it used up a processor in 12% of the time",
    ),
    "a generator that does not keep up before the failure": (
        lambda b: {"beats": tuple(b.beat(1000.25 + n / 2, cpu=0.97 if n == 2 else 0.5) for n in range(20))},
        "the load generator was the bottleneck before the failure: it used up a processor in 25% of the time",
    ),
    "the service was left alone": (
        lambda b: {"struck": None, "faults": {5: FAILED}},
        "1 of 101 requests failed while nothing was wrong (1 × timed out); no failure was caused",
    ),
    "nothing was done": (lambda b: {"struck": None}, "no failure was caused"),
}


@pytest.mark.parametrize(("changes", "reason"), CASES.values(), ids=CASES)
def test_one_fault_fails_with_its_reason(build, changes, reason):
    verdict = judge(build.plan, build.evidence(**changes(build)))
    assert verdict.word == "failed"
    assert any(reason in given for given in verdict.reasons), verdict.reasons


WELL = {
    "one more worker": lambda b: {"after": b.snapshot(head="h2", workers=("w1", "w2", "w3"))},
    "one more replica": lambda b: {"after": b.snapshot(head="h2", actors=("a1", "a2", "a3"))},
    "late just below the limit": lambda b: {"faults": {n: {"late": 100.0, "latency": 150.0} for n in range(101)}},
    "late while the machine was starved": lambda b: {
        **{"beats": b.starved(), "faults": {n: {"late": 499.0, "latency": 510.0} for n in range(41, 55)}}
    },
    "a busy generator, for a moment": lambda b: {
        "beats": tuple(b.beat(1000.25 + n / 2, cpu=0.97 if n == 7 else 0.5) for n in range(20))
    },
    "a slow request": lambda b: {"faults": {30: {"latency": 900.0}}},
    "one late start among many": lambda b: {"faults": {50: {"late": 900.0}}},
    "earlier restarts of workers": lambda b: {
        "before": b.snapshot(restarts=3),
        "after": b.snapshot(head="h2", restarts=3),
    },
}


@pytest.mark.parametrize("changes", WELL.values(), ids=WELL)
def test_what_is_no_fault(build, changes):
    assert judge(build.plan, build.evidence(**changes(build))).reasons == []


def test_every_fault_is_told(build):
    verdict = judge(
        build.plan,
        build.evidence(
            faults={30: FAILED, 31: {"status": 500}}, after=build.snapshot(head="h2", restarts=1, actors=("b1", "b2"))
        ),
    )
    assert len(verdict.reasons) == 4  # requests, two workers, replicas


def test_what_was_not_to_be_judged_is_skipped(build):
    def outcomes(**changes):
        return [criterion.outcome for criterion in judge(build.plan, build.evidence(**changes)).criteria]

    assert outcomes(struck=None) == ["failed", *["skipped"] * 5, "passed"]
    assert outcomes(after=None) == ["passed", "passed", "failed", *["skipped"] * 3, "passed"]


def test_each_kind_of_request_has_to_be_seen(build):
    plan = replace(build.plan, load=[build.entry(), build.entry("chats", users=2)])
    assert judge(plan, build.evidence()).reasons == [
        "the measurement is not trustworthy: no request of chats before the failure",
        "the measurement is not trustworthy: no request of chats after the failure",
    ]


def test_baseline(build):
    assert baseline_problem(build.plan, []) == (
        "no request of short ended in the 2 s of the baseline; no failure was caused"
    )
    assert baseline_problem(build.plan, [build.sample(0, 1.0)]) == ""
    # However many may fail after a failure.
    plan = replace(build.plan, max_failed_requests=600)
    assert "1 of 1" in baseline_problem(plan, [build.sample(0, 1.0, status=500)])


# A failure, what is to be seen after it (and before it, if it is not as ever), and the one reason that there is, "" for none.
LOST = {"taken": frozenset({"w1"})}
PROMISES = {
    "restarted once": ("gcs_killed", lambda b: {"after": b.snapshot(heads=(b.head("h1", restarts=1),))}, ""),
    "restarted after earlier ones": (
        "gcs_killed",
        lambda b: {
            "before": b.snapshot(heads=(b.head("h1", restarts=4),)),
            "after": b.snapshot(heads=(b.head("h1", restarts=5),)),
        },
        "",
    ),
    "the autoscaler beside it restarted too": (
        "gcs_killed",
        lambda b: {"after": b.snapshot(heads=(replace(b.head("h1"), restarts={"ray-head": 1, "autoscaler": 2}),))},
        "",
    ),
    "restarted twice": (
        "head_out_of_memory",
        lambda b: {"after": b.snapshot(heads=(b.head("h1", restarts=2),))},
        "container ray-head of the head svc-head-h1 restarted 2 times, expected once",
    ),
    "not restarted": (
        "gcs_terminated",
        lambda b: {"after": b.snapshot()},
        "container ray-head of the head svc-head-h1 restarted 0 times, expected once",
    ),
    "replaced instead of restarted": ("gcs_killed", lambda b: {}, "the head svc-head-h1 was replaced, by svc-head-h2"),
    "kept": ("worker_deleted", lambda b: {"after": b.snapshot()}, ""),
    "not kept": ("worker_deleted", lambda b: {}, "the head svc-head-h1 was replaced, by svc-head-h2"),
    "restarted instead of kept": (
        "worker_deleted",
        lambda b: {"after": b.snapshot(heads=(b.head("h1", restarts=1),))},
        "container ray-head of the head svc-head-h1 restarted 1 times",
    ),
    "kept, with another one meanwhile": (
        "worker_deleted",
        lambda b: {"after": b.snapshot(), "new_heads": ("svc-head-h2",)},
        "beside the head svc-head-h1 there was another one meanwhile: svc-head-h2",
    ),
    "replaced once": ("head_deleted", lambda b: {"new_heads": ("svc-head-h2",)}, ""),
    "any: replaced twice": ("redis_lost", lambda b: {"new_heads": ("svc-head-h2", "svc-head-h3")}, ""),
    "any: kept": ("redis_lost", lambda b: {"after": b.snapshot()}, ""),
    "any: restarted": ("redis_lost", lambda b: {"after": b.snapshot(heads=(b.head("h1", restarts=3),))}, ""),
    "any: replaced": ("redis_lost", lambda b: {}, ""),
    "a worker that the failure takes": (
        "head_and_worker_deleted",
        lambda b: {**LOST, "after": b.snapshot("h2", workers=("w2", "w3"), actors=("a9", "a2"))},
        "",
    ),
    "another worker than the failure takes": (
        "head_and_worker_deleted",
        lambda b: {**LOST, "after": b.snapshot("h2", workers=("w1", "w3"))},
        "worker svc-worker-w2 is gone",
    ),
    "a worker that was on its way out": (
        "head_deleted",
        lambda b: {
            "before": b.snapshot(workers=("w1",), more=(b.worker("w2", terminating=True),)),
            "after": b.snapshot("h2", workers=("w1",), actors=("a1", "a9")),
        },
        "",
    ),
    "no worker in its place": (
        "head_and_worker_deleted",
        lambda b: {**LOST, "after": b.snapshot("h2", workers=("w2",))},
        "1 workers are Ready at the end, 2 were before",
    ),
    "a replica on a worker that was not taken": (
        "head_and_worker_deleted",
        lambda b: {**LOST, "after": b.snapshot("h2", workers=("w2", "w3"), actors=("a8", "a9"))},
        "1 of 2 replicas are not the same any more (D#r2)",
    ),
}


@pytest.mark.parametrize(("failure", "changes", "reason"), PROMISES.values(), ids=PROMISES)
def test_what_each_failure_may_do(build, failure, changes, reason):
    verdict = judge(replace(build.plan, failure=failure), build.evidence(**changes(build)))
    assert verdict.reasons == ([reason] if reason else [])


def test_reasons_name_their_round(build):
    rounds = (
        build.a_round(),
        build.a_round(before=build.snapshot("h2"), after=build.snapshot("h3"), struck=1005.0, recovered=1006.0),
        build.a_round(before=build.snapshot("h3"), after=build.snapshot("h3"), struck=1007.0, recovered=None),
    )
    verdict = judge(replace(build.plan, repeat=5), build.evidence(rounds=rounds, faults={30: FAILED, 60: FAILED}))
    assert verdict.reasons == [
        "2 of 101 requests failed, 0 allowed; the first was due +1.0 s after the failure of round 1, "
        "the last +1.0 s after the failure of round 2 (2 × timed out)",
        "round 3: not recovered within 60 s (nothing was seen)",
        "round 3: the old head svc-head-h3 is still there",
    ]


def test_time_to_recover_counts_from_the_undoing(build):
    evidence = build.evidence(recovered=1062.5, undone=1004.0)
    assert judge(replace(build.plan, failure="operator_down"), evidence).reasons == []


# How many may fail, within how many seconds, which do, and the one reason that there is, "" for none.
ALLOWED = {
    "as many as may": (2, None, (30, 90), ""),
    "one too many": (1, None, (30, 90), "2 of 101 requests failed, 1 allowed"),
    "one before the failure": (2, None, (5, 30), "1 requests failed before the failure (1 × timed out)"),
    "one that met the failure": (1, 1, (19,), ""),
    "within the time": (2, 1, (20, 30), ""),
    "later": (
        3,
        1,
        (20, 31, 40),
        "2 requests failed later than the 1 s after the failure in which some may; the first was due +1.1 s after the failure, "
        "the last +2.0 s after the failure (2 × timed out)",
    ),
}


@pytest.mark.parametrize(("most", "within", "failed", "reason"), ALLOWED.values(), ids=ALLOWED)
def test_some_requests_may_fail(build, most, within, failed, reason):
    plan = replace(build.plan, max_failed_requests=most, failed_within=within)
    # Number 19 was under way at the failure.
    verdict = judge(plan, build.evidence(faults={number: {**FAILED, "latency": 150.0} for number in failed}))
    assert [words in given for words, given in zip([reason], verdict.reasons, strict=bool(reason))] == [True] * bool(
        reason
    )
    assert verdict.word == ("failed" if reason else "passed")


def test_in_which_time_requests_may_fail_counts_anew_in_each_round(build):
    rounds = (build.a_round(), build.a_round(before=build.snapshot("h2"), after=build.snapshot("h3"), struck=1005.0))
    plan = replace(build.plan, repeat=2, max_failed_requests=2, failed_within=1)
    assert judge(plan, build.evidence(rounds=rounds, faults={25: FAILED, 55: FAILED})).reasons == []
    assert len(judge(plan, build.evidence(rounds=rounds, faults={25: FAILED, 65: FAILED})).reasons) == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"head_back": 1062.0}, ""),
        ({"head_back": 1062.1}, "the head was Ready after 60.1 s, 60 s allowed"),
        ({"head_back": None}, "no head was Ready for good, 60 s allowed"),
        # It counts from the failure even if that lasts.
        ({"head_back": 1072.0, "undone": 1062.0, "recovered": 1073.0}, "the head was Ready after 70.0 s, 60 s allowed"),
    ],
)
def test_when_the_head_has_to_be_ready(build, values, reason):
    plan = replace(build.plan, head_timeout=60)
    criteria = judge(plan, build.evidence(**values)).criteria
    assert [(one.name, one.reasons) for one in criteria][1] == ("head_ready", [reason] if reason else [])
    assert [one.outcome for one in judge(plan, build.evidence(struck=None)).criteria][1] == "skipped"
    assert "head_ready" not in [one.name for one in judge(build.plan, build.evidence(**values)).criteria]
