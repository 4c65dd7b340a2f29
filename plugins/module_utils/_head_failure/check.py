# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One head failure check from its preconditions to its evidence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import entries, state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster, service_problems
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import (
    Evidence,
    Plan,
    baseline_problem,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import Load, LoadError
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import TRANSITIONS, Timeline
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.watch import ask_dashboard, watches
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

    before: as in Evidence; target: the URL that the paths of the load are appended to; worker: a worker Pod object.
    """

    before: state.Snapshot
    fault_tolerance: bool
    target: str
    worker: dict

    @property
    def head(self) -> state.Pod:
        return self.before.heads[0]


def wall_clock() -> Callable[[], float]:
    """A clock of seconds since 1970 that no one sets while it runs."""
    base = time.time() - time.monotonic()
    return lambda: base + time.monotonic()


def load_seconds(plan: Plan) -> float:
    """How long the load has to last at most."""
    return plan.baseline_seconds + plan.recovery_timeout + plan.stability_seconds + LOAD_MARGIN


def preconditions(cluster: Cluster, url: str, target: str) -> Ready:
    """Look, touch nothing, and raise Refusal with all that speaks against a check now.

    url: what to load; if it is empty, the Service C(target).
    """
    rayservice = cluster.rayservice()
    where = f"{cluster.namespace}/{cluster.name}"
    if rayservice is None:
        raise Refusal(f"there is no RayService {where}")
    if problems := service_problems(rayservice):
        raise Refusal(f"the RayService {where} is not ready: {'; '.join(problems)}")
    before = cluster.snapshot(rayservice)
    problems = [state.head_problem(before.heads)]
    if not before.workers:
        problems.append("there is no worker pod")
    problems += [f"worker {pod.name} is not Ready" for pod in before.workers if not pod.ready and not pod.terminating]
    if before.serve is None:
        problems.append(
            "Ray's dashboard does not answer through the API server's pod proxy, so replicas cannot be told apart"
        )
    elif not before.serve.running:
        problems.append(f"Serve is not well: {before.serve.describe()}")
    if not url:
        service = cluster.service(target)
        port = None if service is None else state.serve_port(service)
        if service is None:
            problems.append(f"there is no Service {target}")
        elif port is None:
            problems.append(f"the Service {target} has no port that serves")
        url = f"http://{target}.{cluster.namespace}.svc:{port}"
    if problems := [problem for problem in problems if problem]:
        raise Refusal(f"the RayService {where} is not fit for a check: {'; '.join(problems)}")
    worker = cluster.pod(before.workers[0].name) or {}
    return Ready(before=before, fault_tolerance=state.fault_tolerant(rayservice), target=url, worker=worker)


class Run:
    """The check itself, once the load runs. Leaves nothing but the killed head behind."""

    def __init__(self, plan: Plan, cluster: Cluster, ready: Ready, load: Load, clock: Callable[[], float]) -> None:
        self._plan, self._cluster, self._ready, self._load, self._clock = plan, cluster, ready, load, clock
        self._stop = threading.Event()
        self._reported_at = 0.0
        self._reported: set[str] = set()
        self.timeline = Timeline(ready.before)

    def execute(self) -> Evidence:
        """Load, kill, watch, wait, look again. Raises LoadError, ApiFailure; what was seen until then is lost."""
        self._load.start()
        try:
            self._start_watching()
            problem = self._baseline()
            if not problem:
                self._kill()
                self._await_recovery()
                self._await_stability()
            return self._evidence(self._clock())
        finally:
            self._stop.set()

    def _start_watching(self) -> None:
        followers = watches(self._cluster, self._ready.before.cluster_name, self.timeline, self._clock)
        for watch in followers:
            threading.Thread(target=watch.run, args=(self._stop,), daemon=True).start()
        threading.Thread(
            target=ask_dashboard, args=(self._cluster, self.timeline, self._clock, self._stop), daemon=True
        ).start()
        # Pods and the RayService; events are a comfort that some accounts may not read.
        for watch in followers[:2]:
            if not watch.listed.wait(WATCH_START_SECONDS):
                raise LoadError("the API server does not let us watch pods and the RayService; the head was left alone")

    def _baseline(self) -> str:
        plan = self._plan
        report(f"baseline: for {plan.baseline_seconds:g} s, to {self._ready.target}")
        for entry in plan.load:
            report(f"load {entry['name']}: {entries.describe(entry)}")
        until = (self._load.log.started or self._clock()) + plan.baseline_seconds
        self._wait(lambda: self._clock() >= until, "baseline")
        # Those under way now may still fail; the ones that ended decide.
        return baseline_problem(plan, self._load.log.samples())

    def _kill(self) -> None:
        head = self._ready.head
        forced = self._plan.method == "forced"
        report(f"deleting the head {head.name} ({'forced' if forced else 'gracefully'}, UID {head.uid})")
        self.timeline.deletion_requested(self._clock())
        self._cluster.delete_head(head, 0 if forced else None)

    def _await_recovery(self) -> None:
        limit = (self.timeline.deleted or 0.0) + self._plan.recovery_timeout
        self._wait(lambda: self.timeline.recovered is not None or self._clock() >= limit, "recovery")
        if self.timeline.recovered is None:
            report(f"not recovered within {self._plan.recovery_timeout:g} s")

    def _await_stability(self) -> None:
        if self.timeline.recovered is None:
            return
        until = self.timeline.recovered + self._plan.stability_seconds
        report(f"recovered; the load goes on for {self._plan.stability_seconds:g} s")
        self._wait(lambda: self._clock() >= until, "stability")

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
        for name, at in list(self.timeline.transitions.items()):
            if name not in self._reported:
                self._reported.add(name)
                report(f"{at - (self.timeline.deleted or at):6.1f} s  {TRANSITIONS[name]}")

    def _evidence(self, ended: float) -> Evidence:
        after, problem = None, ""
        try:
            after = self._cluster.snapshot(self._cluster.rayservice())
        except ApiFailure as error:
            problem = str(error)
        self._load.complete(ended, entries.patience(self._plan.load) + LAST_LINES_SECONDS)
        log, timeline = self._load.log, self.timeline
        return Evidence(
            before=self._ready.before,
            after=after,
            deleted=timeline.deleted,
            recovered=timeline.recovered,
            ended=ended,
            begun=sum(log.begun_until(ended)),
            unknown=log.unknown_until(ended),
            silent=log.silence(ended),
            samples=tuple(sample for sample in log.samples() if sample.due <= ended),
            beats=tuple(beat for beat in log.beats() if beat.at <= ended),
            last_seen=tuple(timeline.last_seen()) if timeline.recovered is None else (),
            other_clusters=tuple(timeline.other_clusters),
            after_problem=problem,
        )
