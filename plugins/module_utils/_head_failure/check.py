# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One check from its preconditions to its evidence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import configuration, entries, state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster, service_problems
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.evidence import Evidence, Plan, Round
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import Aim, Failure, aim
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.interruption import Interrupted, deferred
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import baseline_problem
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import Load, LoadError
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.strike import STRIKE_SECONDS, Strike
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import TRANSITIONS, Timeline
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.undo import StrikeError, left, perform
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.watch import (
    SILENCE_SECONDS,
    ask_dashboard,
    await_silence,
    watches,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report

TICK = 0.2
REPORT_SECONDS = 5.0
WATCH_START_SECONDS = 30.0
# The load outlives what it has to cover by this, for the set-up of the watches and slow calls in between.
LOAD_MARGIN = 60.0
# Beyond the requests' own time limits, for the last lines to arrive.
LAST_LINES_SECONDS = 10.0


class Refusal(Exception):
    """The check does not start; nothing was touched."""


@dataclass(frozen=True)
class Ready:
    """What the preconditions found.

    before: as in Evidence; aim: on whom the first failure falls; target: the URL that the paths of the load are appended
    to; worker: a worker Pod object; versions: of the software and the machines, as in Cluster; configuration: of the RayService.
    """

    before: state.Snapshot
    aim: Aim
    fault_tolerance: bool
    target: str
    worker: dict
    versions: dict
    configuration: dict


def wall_clock() -> Callable[[], float]:
    """A clock of seconds since 1970 that no one sets while it runs."""
    base = time.time() - time.monotonic()
    return lambda: base + time.monotonic()


def load_seconds(plan: Plan) -> float:
    """How long the load has to last at most."""
    each = STRIKE_SECONDS + plan.failure_seconds + plan.recovery_timeout + plan.stability_seconds
    return plan.baseline_seconds + plan.repeat * each + LOAD_MARGIN


def put_right(cluster: Cluster, own_end: list[str] | None) -> bool:
    """Undo what a killed check of this RayService has left; whether there was anything. Raises Refusal, ApiFailure.

    own_end: the command of this check that undoes its failure.
    """
    found = left(cluster, own_end=own_end)
    try:
        with deferred():
            perform(one.undo for one in found)
    except StrikeError as error:
        raise Refusal(f"what a killed check has left could not be undone: {error}") from error
    for one in found:
        report(f"left by a killed check: {one.words}")
    return bool(found)


def preconditions(cluster: Cluster, url: str, target: str, failure: Failure, patience: float = 0) -> Ready:
    """Look, touch nothing, and raise Refusal with all that speaks against a check now.

    url: what to load; if it is empty, the Service C(target). patience: seconds for which a service that is not fit is
    looked at again, as something of it was put right just now.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return _look(cluster, url, target, failure)
        except Refusal:
            if time.monotonic() >= deadline:
                raise
        time.sleep(1)


def unfit(before: state.Snapshot) -> list[str]:
    """Why a service is in no state to meet a failure; nothing if it is."""
    problems = [problem] if (problem := state.head_problem(before.heads)) else []
    if not before.workers:
        problems.append("there is no worker pod")
    problems += [f"worker {pod.name} is not Ready" for pod in before.workers if not pod.ready and not pod.terminating]
    if before.serve is None:
        problems.append(
            "Ray's dashboard does not answer through the API server's pod proxy, so replicas cannot be told apart"
        )
    elif not before.serve.running:
        problems.append(f"Serve is not well: {before.serve.describe()}")
    return problems


def _look(cluster: Cluster, url: str, target: str, failure: Failure) -> Ready:
    rayservice = cluster.rayservice()
    where = f"{cluster.namespace}/{cluster.name}"
    if rayservice is None:
        raise Refusal(f"there is no RayService {where}")
    if problems := service_problems(rayservice):
        raise Refusal(f"the RayService {where} is not ready: {'; '.join(problems)}")
    before = cluster.snapshot(rayservice)
    problems = unfit(before)
    if not url:
        service = cluster.service(target)
        port = None if service is None else state.serve_port(service)
        if service is None:
            problems.append(f"there is no Service {target}")
        elif port is None:
            problems.append(f"the Service {target} has no port that serves")
        url = f"http://{target}.{cluster.namespace}.svc:{port}"
    if problems:
        raise Refusal(f"the RayService {where} is not fit for a check: {'; '.join(problems)}")
    try:
        aimed = aim(failure, before)
    except ValueError as error:
        raise Refusal(str(error)) from error
    if words := unwatchable(cluster, failure, aimed):
        raise Refusal(f"{words}, so that nobody could see whether the failure acts")
    worker = cluster.pod(before.workers[0].name) or {}
    versions = cluster.versions(before.heads[0])
    tolerant, settings = state.fault_tolerant(rayservice), configuration.read(rayservice)
    return Ready(before, aimed, tolerant, url, worker, versions, settings)


def unwatchable(cluster: Cluster, failure: Failure, aimed: Aim) -> str:
    """Why the effect of a failure could not be seen, empty if it can. Raises ApiFailure: also where it may not be looked at."""
    if failure.effect == "node_silent" and cluster.renewed(aimed.node) is None:
        return f"the node {aimed.node} has no Lease that its kubelet renews"
    if failure.effect == "redis_silent" and not cluster.patiently(cluster.redis_answers, aimed.head):
        return "Ray's dashboard does not list jobs, which the GCS has to ask Redis for"
    return ""


class Run:
    """The check itself, once the load runs. Leaves nothing behind but what the failure has done."""

    def __init__(self, plan: Plan, cluster: Cluster, ready: Ready, load: Load, clock: Callable[[], float]) -> None:
        self._plan, self._cluster, self._ready, self._load, self._clock = plan, cluster, ready, load, clock
        self._stop = threading.Event()
        self._reported_at = 0.0
        self._timeline = Timeline(ready.before, plan.promise, lasts=plan.failure_seconds > 0)

    def execute(self) -> Evidence:
        """Load, cause failures, watch, wait, look again. Raises LoadError, StrikeError, ApiFailure; what was seen is lost."""
        rounds: list[Round] = []
        self._load.start()
        try:
            self._start_watching()
            problem = self._baseline()
            before, aimed = self._ready.before, self._ready.aim
            while not problem and len(rounds) < self._plan.repeat:
                rounds.append(self._round(len(rounds) + 1, before, aimed))
                before = rounds[-1].after
                if rounds[-1].recovered is None or before is None:
                    break
                try:
                    problem = "; ".join(unfit(before))
                    aimed = aimed if problem else aim(self._plan.promise, before)
                except ValueError as error:
                    problem = str(error)
            return self._evidence(rounds, problem if 0 < len(rounds) < self._plan.repeat else "")
        finally:
            self._stop.set()

    def _start_watching(self) -> None:
        followers = watches(self._cluster, self._ready.before.cluster_name, self._timeline, self._clock)
        for watch in followers:
            threading.Thread(target=watch.run, args=(self._stop,), daemon=True).start()
        arguments = (self._cluster, self._timeline, self._plan.promise.of_redis, self._clock, self._stop)
        threading.Thread(target=ask_dashboard, args=arguments, daemon=True).start()
        # Pods and the RayService; events are a comfort that some accounts may not read.
        for watch in followers[:2]:
            if not watch.listed.wait(WATCH_START_SECONDS):
                raise LoadError("the API server does not let us watch pods and the RayService; no failure was caused")

    def _baseline(self) -> str:
        plan = self._plan
        report(f"baseline: for {plan.baseline_seconds:g} s, to {self._ready.target}")
        for entry in plan.load:
            report(f"load {entry['name']}: {entries.describe(entry)}")
        until = (self._load.log.started or self._clock()) + plan.baseline_seconds
        self._wait(lambda: self._clock() >= until, "baseline")
        # Those under way now may still fail; the ones that ended decide.
        return baseline_problem(plan, self._load.log.samples())

    def _round(self, number: int, before: state.Snapshot, aimed: Aim) -> Round:
        """One failure, until everything has been back for a while, or the time is up; and undone in any case."""
        plan, timeline = self._plan, self._timeline
        strike = Strike(plan.failure, self._cluster, aimed, plan.failure_commands)
        report(f"failure{f' {number} of {plan.repeat}' if plan.repeat > 1 else ''}: {plan.promise.title}")
        try:
            try:
                timeline.strike(before, aimed.taken, self._clock())
                self._strike(strike, aimed)
                self._await_recovery((timeline.undone or timeline.struck) + plan.recovery_timeout)
                return self._seen(strike, before, aimed)
            finally:
                with deferred():
                    strike.undo()
        except Interrupted:
            # It may have come on the very way into that; there is no second one.
            strike.undo()
            raise

    def _strike(self, strike: Strike, aimed: Aim) -> None:
        """Cause the failure, look for its effect, and undo it in time if it lasts."""
        plan, timeline = self._plan, self._timeline
        if (effect := plan.promise.effect) in SILENCE_SECONDS:
            arguments = (self._cluster, timeline, effect, aimed.node, self._clock, self._stop)
            threading.Thread(target=await_silence, args=arguments, daemon=True).start()
        strike.begin()
        timeline.begun(self._clock())
        report("; ".join(strike.done))
        if plan.failure_seconds:
            until = self._clock() + plan.failure_seconds
            self._wait(lambda: self._clock() >= until, "failure")
            strike.undo()
            timeline.undo(self._clock())

    def _await_recovery(self, limit: float) -> None:
        """Until everything has been back for the whole of the stability window, or can no longer be back in time."""
        plan, timeline = self._plan, self._timeline

        def over() -> bool:
            back = timeline.recovered
            return self._clock() >= (limit if back is None else back + plan.stability_seconds)

        self._wait(lambda: timeline.recovered is not None or self._clock() >= limit, "recovery")
        if timeline.recovered is not None:
            report(f"recovered; the load goes on for {plan.stability_seconds:g} s")
        self._wait(over, "stability")
        if timeline.recovered is None:
            report(f"not recovered within {plan.recovery_timeout:g} s")

    def _wait(self, done: Callable[[], bool], phase: str) -> None:
        """Wait for C(done), reporting each new transition at once and the counters every few seconds."""
        while not done():
            time.sleep(TICK)
            self._report_transitions()
            if self._clock() - self._reported_at >= REPORT_SECONDS:
                requests, failed = self._load.log.counts()
                self._reported_at = self._clock()
                report(f"{phase}: {requests} requests, {failed} failed")
        self._report_transitions()

    def _report_transitions(self) -> None:
        timeline = self._timeline
        for name, at in list(timeline.transitions.items()):
            if name not in timeline.reported:
                timeline.reported.add(name)
                report(f"{at - timeline.struck:6.1f} s  {TRANSITIONS[name]}")

    def _seen(self, strike: Strike, before: state.Snapshot, aimed: Aim) -> Round:
        timeline = self._timeline
        ended, after, problem = self._clock(), None, ""
        try:
            after = self._cluster.snapshot(self._cluster.rayservice())
        except ApiFailure as error:
            problem = str(error)
        return Round(
            before=before,
            after=after,
            struck=timeline.struck,
            recovered=timeline.recovered,
            ended=ended,
            head_back=timeline.head_back,
            undone=timeline.undone,
            taken=aimed.taken,
            done=tuple(strike.done),
            unseen=timeline.unseen,
            last_seen=tuple(timeline.last_seen()) if timeline.recovered is None else (),
            other_clusters=tuple(timeline.other_clusters),
            new_heads=tuple(timeline.new_heads),
            after_problem=problem,
            transitions=dict(timeline.transitions),
        )

    def _evidence(self, rounds: list[Round], obstacle: str) -> Evidence:
        ended = rounds[-1].ended if rounds else self._clock()
        self._load.complete(ended, entries.patience(self._plan.load) + LAST_LINES_SECONDS)
        log = self._load.log
        return Evidence(
            before=self._ready.before,
            rounds=tuple(rounds),
            ended=ended,
            begun=sum(log.begun_until(ended)),
            unknown=log.unknown_until(ended),
            silent=log.silence(ended),
            samples=tuple(sample for sample in log.samples() if sample.due <= ended),
            beats=tuple(beat for beat in log.beats() if beat.at <= ended),
            notes=tuple(self._timeline.notes),
            events=tuple(self._timeline.events),
            obstacle=obstacle,
            versions=self._ready.versions,
            configuration=self._ready.configuration,
        )
