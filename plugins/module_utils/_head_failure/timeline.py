# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what the watches tell to the time line of each failure. Pure: every observation brings its time."""

from __future__ import annotations

import threading
from collections import deque

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import recovery, state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import EFFECTS, Failure

# In the order in which they usually come.
TRANSITIONS = {
    "struck": "Failure begins",
    "effect_seen": "Effect of the failure seen",
    "old_head_gone": "Old head gone",
    "undone": "Failure undone",
    "new_head_created": "New head created",
    "new_head_scheduled": "New head scheduled",
    "new_head_started": "New head's containers started",
    "head_restarted": "Head's container restarted",
    "gcs_back": "GCS answers",
    "head_ready": "Head Ready",
    "serve_controller_back": "Serve controller answers",
    "workers_ready": "As many workers Ready as before",
    "applications_running": "Applications RUNNING",
}
# What a head that is lost again takes with it.
OF_NEW_HEAD = ("new_head_created", "new_head_scheduled", "new_head_started")
OF_RETURN = ("gcs_back", "head_ready", "serve_controller_back", "applications_running")
EVENTS_KEPT = 20
EVENTS_SAID = 5
EVENT_LIMIT = 300  # characters
NOTES_KEPT = 500


class Timeline:
    """Takes the observations of one check, from several threads. Times are seconds since 1970.

    lasts: failures are going to be undone, and until then are not over. notes, events: [(time, text)], of the whole check.

    Of the failure at hand: transitions {name: time}, when a state was first reached; reported: those that a user was told
    of. head: the one to ask, once the failure has gone over it, else None. gcs: whether its GCS has answered. head_back:
    since when there is one head, which the failure has gone over, and it is Ready; recovered: since when everything is
    back; each None as long as something is missing. new_heads: names of the other head pods that came, in order.
    """

    def __init__(self, before: state.Snapshot, failure: Failure, lasts: bool = False) -> None:
        self._lock = threading.Lock()
        self._failure, self._lasts = failure, lasts
        self._pods: dict[str, state.Pod] = {}
        self.notes: list[tuple[float, str]] = []
        self.events: deque[tuple[float, str]] = deque(maxlen=EVENTS_KEPT)
        self._begin(before, frozenset())

    def _begin(self, before: state.Snapshot, taken: frozenset[str]) -> None:
        self._before, self._old_head = before, before.heads[0]
        self._down = taken
        self._striking = False
        self._lost: set[str] = set()
        self._was_back: float | None = None
        self.transitions: dict[str, float] = {}
        self.reported: set[str] = set()
        self.head: state.Pod | None = None
        self.other_clusters: list[str] = []
        self.new_heads: list[str] = []
        self.head_back: float | None = None
        self.recovered: float | None = None
        self._void(0.0)

    @property
    def struck(self) -> float | None:
        return self.transitions.get("struck")

    @property
    def undone(self) -> float | None:
        return self.transitions.get("undone")

    @property
    def unseen(self) -> str:
        """What has to be seen of the failure at hand, in words; "" once it was, or where nothing has to be."""
        return "" if "effect_seen" in self.transitions else EFFECTS.get(self._failure.effect, "")

    def strike(self, before: state.Snapshot, taken: frozenset[str], at: float) -> None:
        """A failure begins, and what was known of GCS and Serve is known no longer.

        taken: UIDs of the workers that it takes down: they do not count, even if they are said to be Ready still.
        """
        with self._lock:
            self._begin(before, taken)
            self._striking = True
            self._mark("struck", at)
            self._old_head = self._pods.get(self._old_head.uid, self._old_head)
            if recovery.has_turned(self._failure, self._old_head, self._old_head):
                self.head = self._old_head
            self._void(at, () if self.head else OF_RETURN)
            self._assess(at)

    def begun(self, at: float) -> None:
        """The failure is there in full: only now a service can be back, and what was said on the way does not count."""
        with self._lock:
            self._striking = False
            self._void(at)
            self._assess(at)

    def acted(self, at: float) -> None:
        """The effect of the failure was seen, and what was said before does not count."""
        with self._lock:
            self._mark("effect_seen", at)
            self._void(at)
            self._assess(at)

    def undo(self, at: float) -> None:
        """The failure was undone, and what was said while it lasted does not count."""
        with self._lock:
            self._mark("undone", at)
            self._down = frozenset()
            self._void(at)
            self._assess(at)

    def pod(self, kind: str, manifest: dict, at: float) -> None:
        """Take a watch event (ADDED, MODIFIED, DELETED) of a pod of the RayCluster."""
        with self._lock:
            pod = state.parse_pod(manifest)
            earlier = self._pods.pop(pod.uid, None)
            if kind != "DELETED":
                self._pods[pod.uid] = pod
            if pod.role == "worker":
                self._worker(kind, pod, earlier, at)
            elif pod.role == state.HEAD and self.struck is not None:
                self._head(kind, pod, earlier, at)
            self._assess(at)

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

    def dashboard(self, head: state.Pod, gcs: bool, serve: state.Serve | None, asked: float, at: float) -> None:
        """Take what the dashboard of C(head) said; dropped if the failure, or another head, came since it was asked.

        No answer changes nothing: that a head has stopped to answer is told by its readiness.
        """
        with self._lock:
            if self.struck is None or self.head is None or head.uid != self.head.uid or asked < self._void_before:
                return
            self.gcs = self.gcs or gcs
            self._returned("gcs_back", gcs, at)
            if serve is not None:
                self._returned("serve_controller_back", bool(serve.applications), at)
            # Before a new head is Ready, its controller still speaks from the checkpoint.
            if serve is not None and self.head.ready:
                if serve != self._serve:
                    self._note(f"Serve: {serve.describe()}", at)
                self._serve = serve
                self._returned("applications_running", recovery.serves(self._before, serve), at)
            self._assess(at)

    def last_seen(self) -> list[str]:
        """What stands in the way of a recovery that did not come in time, or did not last."""
        with self._lock:
            words = self._missing()
            if self._was_back is not None:
                words.insert(
                    0, f"it was back {self._was_back - self.struck:+.1f} s after the failure and did not stay so"
                )
            # The newest, each once: an event that comes again and again would be all that there is to read.
            texts = list(dict.fromkeys(text for _at, text in reversed(self.events)))
            return words + texts[:EVENTS_SAID][::-1]

    def _missing(self) -> list[str]:
        lasting = self._striking or (self._lasts and self.undone is None)
        view = recovery.View(self._pods.values(), lasting, self._down, self.gcs, self._serve, self.unseen)
        return recovery.missing(self._failure, self._before, view)

    def _assess(self, at: float) -> None:
        if self.struck is None:
            return
        enough = recovery.ready_workers(self._pods.values(), self._down) >= recovery.ready_workers(self._before.workers)
        self._returned("workers_ready", enough, at)
        if recovery.head_missing(self._failure, self._before.heads[0], recovery.heads(self._pods.values())):
            self.head_back = None
        elif self.head_back is None:
            self.head_back = at
        missing = self._missing()
        if not missing:
            self.recovered = at if self.recovered is None else self.recovered
        elif self.recovered is not None:
            self._was_back, self.recovered = self.recovered, None
            self._note(f"not everything is back any more: {'; '.join(missing)}", at)

    def _void(self, at: float, lost: tuple[str, ...] = ()) -> None:
        self._void_before, self.gcs, self._serve = at, False, None
        self._lost.update(lost)

    def _returned(self, name: str, well: bool, at: float) -> None:
        """Mark the return of what was lost; what has never been lost does not return."""
        if not well:
            self._lost.add(name)
        elif name in self._lost:
            self._mark(name, at)

    def _mark(self, name: str, at: float) -> None:
        self.transitions.setdefault(name, at)

    def _note(self, text: str, at: float) -> None:
        if len(self.notes) < NOTES_KEPT:
            self.notes.append((at, text))

    def _head(self, kind: str, pod: state.Pod, earlier: state.Pod | None, at: float) -> None:
        new = pod.uid != self._old_head.uid
        if new and pod.name not in self.new_heads:
            self.new_heads.append(pod.name)
        if kind == "DELETED":
            if new:
                self._note(f"the new head {pod.name} is gone again", at)
            else:
                self._mark("old_head_gone", at)
            if self.head and self.head.uid == pod.uid:
                self._forget_head(at)
            return
        if new and self.head is not None and self.head.uid not in (pod.uid, self._old_head.uid):
            self._note(f"another head pod, {pod.name}", at)
            self._forget_head(at)
        if earlier is None or pod.restarted > earlier.restarted:
            self._void(at, OF_RETURN)
            if earlier is not None and not new:
                self._mark("head_restarted", at)
            elif earlier is not None:
                self._note(f"the container of the new head {pod.name} restarted", at)
        if self._failure.of_redis and recovery.is_another(self._old_head, pod):
            self._mark("effect_seen", at)
        turned = recovery.has_turned(self._failure, self._old_head, pod)
        if turned and (new or self.head is None or self.head.uid == pod.uid):
            self.head = pod
            self._returned("head_ready", pod.ready, at)
        if new:
            for name, reached in zip(OF_NEW_HEAD, (True, pod.scheduled, pod.started), strict=True):
                if reached:
                    self._mark(name, at)

    def _forget_head(self, at: float) -> None:
        # What the lost head had reached is void: the recovery is that of the head that stays.
        self.head = None
        self._void(at, OF_RETURN)
        for name in (*OF_NEW_HEAD, *OF_RETURN):
            self.transitions.pop(name, None)

    def _worker(self, kind: str, pod: state.Pod, earlier: state.Pod | None, at: float) -> None:
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
