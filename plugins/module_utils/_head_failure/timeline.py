# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what the watches tell to the transitions of a head's end and return. Pure: every observation brings its time."""

from __future__ import annotations

import threading
from collections import deque

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state

# In the order in which they usually come.
TRANSITIONS = {
    "deletion_requested": "Deletion requested",
    "old_head_gone": "Old head gone",
    "new_head_created": "New head created",
    "new_head_scheduled": "New head scheduled",
    "new_head_started": "New head's containers started",
    "gcs_back": "GCS answers",
    "new_head_ready": "New head Ready",
    "serve_controller_back": "Serve controller answers",
    "applications_running": "Applications RUNNING",
}
EVENTS_KEPT = 20
EVENT_LIMIT = 300  # characters
NOTES_KEPT = 200


class Timeline:
    """Takes observations from several threads and keeps: transitions {name: time}, notes [(time, text)].

    Times are seconds since 1970. new_head: the head that is not the old one, as last seen, or None.
    """

    def __init__(self, before: state.Snapshot) -> None:
        self._lock = threading.Lock()
        self._before = before
        self._old_head = before.heads[0]
        self._replicas_before = before.serve.running_replicas if before.serve else 0
        self._pods: dict[str, state.Pod] = {}
        self.transitions: dict[str, float] = {}
        self.notes: list[tuple[float, str]] = []
        self.events: deque[tuple[float, str]] = deque(maxlen=EVENTS_KEPT)
        self.new_head: state.Pod | None = None
        self.serve: state.Serve | None = None
        self.other_clusters: list[str] = []

    @property
    def deleted(self) -> float | None:
        return self.transitions.get("deletion_requested")

    @property
    def recovered(self) -> float | None:
        """When the last of all that has to come back was back; None as long as something is missing."""
        needed = ("old_head_gone", "new_head_ready", "applications_running")
        if not all(name in self.transitions for name in needed):
            return None
        return max(self.transitions[name] for name in needed)

    def deletion_requested(self, at: float) -> None:
        with self._lock:
            self._mark("deletion_requested", at)

    def pod(self, kind: str, manifest: dict, at: float) -> None:
        """Take a watch event (ADDED, MODIFIED, DELETED) of a pod of the RayCluster."""
        with self._lock:
            pod = state.parse_pod(manifest)
            if pod.role == state.HEAD:
                self._head(kind, pod, at)
            elif pod.role == "worker":
                self._worker(kind, pod, at)
            if kind == "DELETED":
                self._pods.pop(pod.uid, None)
            else:
                self._pods[pod.uid] = pod

    def rayservice(self, kind: str, manifest: dict, at: float) -> None:
        """Take a watch event of the RayService: the only thing of interest is another RayCluster."""
        with self._lock:
            if kind == "DELETED":
                self._note("the RayService was deleted", at)
            for name in (state.active_cluster(manifest), state.pending_cluster(manifest)):
                if name and name != self._before.cluster_name and name not in self.other_clusters:
                    self.other_clusters.append(name)
                    self._note(f"KubeRay builds another RayCluster, {name}", at)

    def event(self, kind: str, manifest: dict, at: float) -> None:
        """Take a watch event of an Event: kept, the last few, if it speaks of this RayService."""
        involved = manifest.get("involvedObject") or {}
        name = involved.get("name", "")
        if kind == "DELETED" or not name.startswith((self._before.cluster_name, self._old_head.name)):
            return
        with self._lock:
            words = f"{manifest.get('type', '')} {involved.get('kind', '')}/{name} {manifest.get('reason', '')}: "
            self.events.append((at, (words + " ".join((manifest.get("message") or "").split()))[:EVENT_LIMIT]))

    def dashboard(self, head: state.Pod, gcs: bool, serve: state.Serve | None, at: float) -> None:
        """Take what the dashboard of C(head) said; an answer for a head that was replaced meanwhile is dropped."""
        with self._lock:
            if self.new_head is None or head.uid != self.new_head.uid:
                return
            if gcs:
                self._mark("gcs_back", at)
            if serve is None:
                return
            if serve != self.serve:
                self.serve = serve
                if "applications_running" not in self.transitions:
                    self._note(f"Serve: {serve.describe()}", at)
            if serve.applications:
                self._mark("serve_controller_back", at)
            # Before the new head is Ready, its controller still speaks from the checkpoint.
            if self.new_head.ready and serve.running and serve.running_replicas >= self._replicas_before:
                self._mark("applications_running", at)

    def last_seen(self) -> list[str]:
        """What stands in the way, for a head that did not come back in time."""
        with self._lock:
            missing = [label for name, label in TRANSITIONS.items() if name not in self.transitions]
            words = ["not seen: " + ", ".join(missing)] if missing else []
            if self.new_head is None:
                words.append("no new head pod was created")
            else:
                head = self.new_head
                ready = "Ready" if head.ready else "not Ready"
                words.append(
                    f"new head {head.name}: {head.phase or 'no phase'}, {ready}"
                    + (f", {head.trouble}" if head.trouble else "")
                )
            if self.serve is not None:
                words.append(f"Serve: {self.serve.describe()}")
            words += [text for _at, text in list(self.events)[-5:]]
            return words

    def _mark(self, name: str, at: float) -> None:
        self.transitions.setdefault(name, at)

    def _note(self, text: str, at: float) -> None:
        if len(self.notes) < NOTES_KEPT:
            self.notes.append((at, text))

    def _head(self, kind: str, pod: state.Pod, at: float) -> None:
        if pod.uid == self._old_head.uid:
            if kind == "DELETED":
                self._mark("old_head_gone", at)
            return
        if kind == "DELETED":
            self._note(f"the new head {pod.name} is gone again", at)
            if self.new_head and self.new_head.uid == pod.uid:
                self._forget_new_head()
            return
        if self.new_head is None or self.new_head.uid != pod.uid:
            if self.new_head is not None:
                self._note(f"another head pod, {pod.name}", at)
                self._forget_new_head()
            self._mark("new_head_created", at)
        elif sum(pod.restarts.values()) > sum(self.new_head.restarts.values()):
            self._note(f"a container of the new head {pod.name} restarted", at)
        self.new_head = pod
        for name, reached in (
            ("new_head_scheduled", pod.scheduled),
            ("new_head_started", pod.started),
            ("new_head_ready", pod.ready),
        ):
            if reached:
                self._mark(name, at)

    def _forget_new_head(self) -> None:
        # What the lost head had reached is void: the recovery is that of the head that stays.
        self.new_head = self.serve = None
        for name in TRANSITIONS:
            if name not in ("deletion_requested", "old_head_gone"):
                self.transitions.pop(name, None)

    def _worker(self, kind: str, pod: state.Pod, at: float) -> None:
        earlier = self._pods.get(pod.uid)
        if kind == "DELETED":
            self._note(f"worker {pod.name} is gone", at)
        elif earlier is None:
            if pod.uid not in {worker.uid for worker in self._before.workers}:
                self._note(f"new worker {pod.name}", at)
        else:
            if pod.terminating and not earlier.terminating:
                self._note(f"worker {pod.name} is being deleted", at)
            if pod.ready != earlier.ready:
                self._note(f"worker {pod.name} is {'Ready again' if pod.ready else 'not Ready'}", at)
            for container, count in pod.restarts.items():
                if count > earlier.restarts.get(container, 0):
                    self._note(f"container {container} of worker {pod.name} restarted", at)
