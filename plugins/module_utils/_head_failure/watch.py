# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes watches that outlive hiccups, and what nobody offers a watch for: the dashboard's answers, and silence."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import Pod
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.timeline import Timeline
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Api, ApiFailure, is_passing

WATCH_SECONDS = 60  # the API server ends each watch after this; the next goes on where it ended
WATCH_SILENCE = WATCH_SECONDS + 15.0
PAUSE_FIRST, PAUSE_MOST = 0.2, 5.0
DASHBOARD_SECONDS = 0.5
DASHBOARD_CALM_SECONDS = 5.0  # once everything is back, the load must not notice that we look
# For how long who always speaks has to be silent to be lost: the GCS is asked all the time, a Lease renewed every 10 s.
SILENCE_SECONDS = {"node_silent": 15.0, "redis_silent": 5.0}
GONE = 410

Feed = Callable[[str, dict, float], None]


class Watch:
    """List, then watch, one collection; after an expired version list again and report what changed in between.

    feed: takes (ADDED | MODIFIED | DELETED, object, time of arrival).
    """

    def __init__(self, api: Api, path: str, query: dict[str, str], feed: Feed, clock: Callable[[], float]) -> None:
        self._api, self._path, self._query, self._feed, self._clock = api, path, query, feed, clock
        self._known: dict[str, dict] = {}
        self._version = ""
        self.listed = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Follow until C(stop) is set. Whatever goes wrong is tried again."""
        pause = PAUSE_FIRST
        while not stop.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch(stop)
                pause = PAUSE_FIRST
            except (ApiFailure, ValueError) as error:
                if isinstance(error, ValueError) or not is_passing(error.status, answered=True):
                    self._version = ""
                stop.wait(pause)
                pause = min(2 * pause, PAUSE_MOST)

    def _list(self) -> None:
        answer = self._api.get(self._path, **self._query)
        now = self._clock()
        present = {entry["metadata"]["uid"]: entry for entry in answer["items"]}
        for uid, entry in list(self._known.items()):
            if uid not in present:
                self._take("DELETED", entry, now)
        for uid, entry in present.items():
            self._take("MODIFIED" if uid in self._known else "ADDED", entry, now)
        self._version = answer["metadata"]["resourceVersion"]
        self.listed.set()

    def _watch(self, stop: threading.Event) -> None:
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        for line in self._api.lines(self._path, query, WATCH_SILENCE):
            now = self._clock()
            if stop.is_set():
                return
            event = json.loads(line)
            kind, entry = event["type"], event["object"]
            if kind == "ERROR":
                raise ApiFailure(entry.get("message", "the watch has expired"), entry.get("code", GONE))
            if kind != "BOOKMARK":
                self._take(kind, entry, now)
            self._version = entry["metadata"]["resourceVersion"]

    def _take(self, kind: str, entry: dict, at: float) -> None:
        uid = entry["metadata"]["uid"]
        if kind == "DELETED":
            self._known.pop(uid, None)
        else:
            self._known[uid] = entry
        self._feed(kind, entry, at)


def watches(cluster: Cluster, cluster_name: str, timeline: Timeline, clock: Callable[[], float]) -> list[Watch]:
    """The watches of one check: pods of the RayCluster, the RayService, events."""
    pods, service = {"labelSelector": f"ray.io/cluster={cluster_name}"}, {"fieldSelector": f"metadata.name={cluster.name}"}
    return [
        Watch(cluster.api, cluster.pods_path, pods, timeline.pod, clock),
        Watch(cluster.api, cluster.services_path, service, timeline.rayservice, clock),
        Watch(cluster.api, cluster.events_path, {}, timeline.event, clock),
    ]


def ask_dashboard(
    cluster: Cluster, timeline: Timeline, of_redis: bool, clock: Callable[[], float], stop: threading.Event
) -> None:
    """Ask the head's dashboard from each failure on: often until everything is back, then now and then.

    of_redis: the failure is that of Redis, from which the GCS has to answer again.
    """
    asked = 0.0
    while not stop.wait(DASHBOARD_SECONDS):
        head, now = timeline.head, clock()
        pause = DASHBOARD_SECONDS if timeline.recovered is None else DASHBOARD_CALM_SECONDS
        if head is None or not head.started or now < asked + pause:
            continue
        asked = now
        gcs = timeline.gcs or cluster.gcs_answers(head, of_redis)
        serve = cluster.try_serve(head) if gcs else None
        timeline.dashboard(head, gcs, serve, asked, clock())


def await_silence(
    cluster: Cluster, timeline: Timeline, effect: str, node: str, clock: Callable[[], float], stop: threading.Event
) -> None:
    """Look for the effect of the failure at hand, a key of SILENCE_SECONDS, until it is seen. C(node): the one that it takes."""
    last, since = None, clock()
    while timeline.unseen and not stop.wait(DASHBOARD_SECONDS):
        try:
            sign = sign_of_life(cluster, timeline.head, effect, node, clock)
        except ApiFailure:
            # Of this time nothing is known.
            since = clock()
            continue
        if sign not in (None, last):
            last, since = sign, clock()
        elif clock() - since >= SILENCE_SECONDS[effect]:
            timeline.acted(clock())


def sign_of_life(
    cluster: Cluster, head: Pod | None, effect: str, node: str, clock: Callable[[], float]
) -> str | float | None:
    """Another one each time that the one in question has spoken, None if it says nothing."""
    if effect == "node_silent":
        return cluster.renewed(node)
    return clock() if head is not None and cluster.redis_answers(head) else None
