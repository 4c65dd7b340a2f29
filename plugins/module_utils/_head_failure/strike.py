# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes failures and undoes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import (
    CHECK_LABEL,
    NODES,
    OPERATOR,
    Cluster,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import Aim
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import Pod, parse_pod
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.undo import (
    COMMAND_SECONDS,
    StrikeError,
    call_end,
    deployment_path,
    described,
    filled,
    full_name,
    note,
    perform,
    run_program,
    scale_back,
    uncordon,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure

STRIKE_SECONDS = COMMAND_SECONDS  # within which a failure has to be there
PAUSE = 1.0
GCS = "gcs_server"  # the name of its program
MIRROR = "kubernetes.io/config.mirror"  # annotates the pods that a kubelet runs by itself

# Of the containers' images only Python can be relied on.
SIGNAL = """
import os, signal, sys
found = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open("/proc/" + pid + "/cmdline", "rb") as stream:
            name = os.path.basename(stream.read().split(b"\\0")[0])
    except OSError:
        continue
    if name == sys.argv[2].encode():
        os.kill(int(pid), getattr(signal, sys.argv[1]))
        found += 1
sys.exit(not found and "there is no process " + sys.argv[2])
"""
# What lies in /dev/shm is the container's memory and no process': with control groups of version 1, where the kernel kills one process
# after the other, it does not begin with this one. The file has no name, so that nothing of it outlives the program.
TAKE_MEMORY = """
import tempfile
with tempfile.TemporaryFile(dir="/dev/shm", buffering=0) as stream:
    try:
        while True:
            stream.write(bytes(32 << 20))
    except OSError:
        held = []
        while True:
            held.append(bytearray(b"x") * (32 << 20))
"""


def evictable(pods: list[dict]) -> list[dict]:
    """Those that a drain of their node takes away, by the rules of kubectl; the load's own is left."""
    return [
        pod
        for pod in pods
        if MIRROR not in (pod["metadata"].get("annotations") or {})
        and CHECK_LABEL not in (pod["metadata"].get("labels") or {})
        and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and (controller(pod) or {}).get("kind") != "DaemonSet"
    ]


def controller(pod: dict) -> dict | None:
    return next((owner for owner in pod["metadata"].get("ownerReferences") or [] if owner.get("controller")), None)


class Strike:
    """One failure of a service. C(begin) returns when it is there; C(undo) may be called at any time, and twice.

    commands: of the caller, {begin, end}; command: runs one. done: what was done so far, in words.
    """

    def __init__(
        self,
        failure: str,
        cluster: Cluster,
        aim: Aim,
        commands: dict | None,
        command: Callable[[list[str]], None] = run_program,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._failure, self._cluster, self._aim, self._commands = failure, cluster, aim, commands or {}
        self._command, self._sleep = command, sleep
        self._owner = f"{cluster.namespace}/{cluster.name}"
        self._undo: list[Callable[[], None]] = []
        self.done: list[str] = []

    def begin(self) -> None:
        """Cause the failure. Raises StrikeError, ApiFailure; what was begun then is still to be undone."""
        aim = self._aim
        {
            "head_deleted": lambda: self._delete(aim.head),
            "head_forced": lambda: self._delete(aim.head, grace=0),
            "gcs_killed": lambda: self._signal_gcs("SIGKILL"),
            "gcs_terminated": lambda: self._signal_gcs("SIGTERM"),
            "head_out_of_memory": self._exhaust_memory,
            "head_drained": self._drain,
            "head_node_lost": self._call,
            "operator_down": self._delete_without_operator,
            "redis_lost": self._call,
            "worker_deleted": lambda: self._delete(*aim.workers),
            "worker_node_lost": self._call,
            "head_and_worker_deleted": lambda: self._delete(aim.head, *aim.workers),
        }[self._failure]()

    def undo(self) -> None:
        """Undo what lasts. Raises StrikeError: it could not be."""
        try:
            perform(self._undo)
        except StrikeError as error:
            raise StrikeError(f"it could not be undone, which the next check tries again: {error}") from error
        # Only when all is done: a signal may come in between, and then it is done once more.
        self._undo.clear()

    def _delete(self, *pods: Pod, grace: int | None = None) -> None:
        for pod in pods:
            self._cluster.delete_pod(pod, grace)
            self.done.append(f"pod {pod.name} deleted")

    def _signal_gcs(self, name: str) -> None:
        head = self._aim.head
        self._cluster.execute(head, SIGNAL, [name, GCS], STRIKE_SECONDS)
        self.done.append(f"{name} sent to the GCS of {head.name}")

    def _exhaust_memory(self) -> None:
        head, now = self._aim.head, self._aim.head
        spec = (self._cluster.pod(head.name) or {"spec": {"containers": []}})["spec"]
        limited = [one["name"] for one in spec["containers"] if "memory" in one.get("resources", {}).get("limits", {})]
        if head.container not in limited:
            raise StrikeError(f"{head.container} of {head.name} has no memory limit: it is the node that would run out")
        told = ""
        try:
            self._cluster.execute(head, TAKE_MEMORY, [], STRIKE_SECONDS)
        except ApiFailure as error:
            told = str(error)  # It breaks off when the container dies; the pod tells what has become of it.
        for _look in range(int(STRIKE_SECONDS / PAUSE)):
            now = parse_pod(self._cluster.pod(head.name) or {})
            if now.uid != head.uid or now.restarted > head.restarted:
                break
            self._sleep(PAUSE)
        end = now.last_ends.get(head.container) if now.restarted > head.restarted else None
        if end != "OOMKilled":
            raise StrikeError(f"{head.container} of {head.name} did not end as OOMKilled but as {end} ({told})")
        self.done.append(f"container {head.container} of {head.name} OOMKilled")

    def _drain(self) -> None:
        node = self._aim.node
        if self._cluster.node(node)["spec"].get("unschedulable"):
            raise StrikeError(f"the node {node} is cordoned already")
        pods = evictable(self._cluster.pods_on(node))
        if bare := ", ".join(full_name(pod) for pod in pods if controller(pod) is None):
            raise StrikeError(f"the node {node} has pods without a controller, which would not come back: {bare}")
        self._undo.append(partial(uncordon, self._cluster, node))
        self._annotate(f"{NODES}/{node}", self._owner, unschedulable=True)
        self.done.append(f"node {node} cordoned")
        for _try in range(int(STRIKE_SECONDS / PAUSE)):
            # As one: what a budget holds back must not keep others waiting.
            evicted = [pod for pod in pods if self._cluster.evict(pod)]
            self.done += [f"pod {full_name(pod)} evicted" for pod in evicted]
            pods = [pod for pod in pods if pod not in evicted]
            if not pods:
                return
            self._sleep(PAUSE)
        left = ", ".join(map(full_name, pods))
        raise StrikeError(f"not evicted within {STRIKE_SECONDS:.0f} s, as a PodDisruptionBudget forbids it: {left}")

    def _delete_without_operator(self) -> None:
        operators = self._cluster.operators()
        if not operators:
            labels = " or ".join(OPERATOR)
            raise StrikeError(f"no namespace has a Deployment of the KubeRay operator (label {labels})")
        for one in operators:
            replicas = one["spec"].get("replicas", 1)
            self._undo.append(partial(scale_back, self._cluster, one, replicas))
            self._annotate(deployment_path(one), f"{self._owner} {replicas}", replicas=0)
            self.done.append(f"Deployment {full_name(one)} scaled to 0")
        for _look in range(int(STRIKE_SECONDS / PAUSE)):
            if not any(map(self._cluster.pods_of, operators)):
                return self._delete(self._aim.head)
            self._sleep(PAUSE)
        raise StrikeError(f"pods of the KubeRay operator are still there after {STRIKE_SECONDS:.0f} s")

    def _call(self) -> None:
        node, end = self._aim.node, self._commands.get("end")
        if node and (loads := [pod for pod in self._cluster.load_pods() if pod["spec"].get("nodeName") == node]):
            raise StrikeError(f"the pod that carries the load, {full_name(loads[0])}, is on the node {node}")
        if end:
            end = filled(end, node)
            note(self._cluster, self._failure, node, end)
            self._undo.append(partial(call_end, self._cluster, end, self._command))
        begin = filled(self._commands["begin"], node)
        self._command(begin)
        self.done.append(described(begin))

    def _annotate(self, path: str, words: str, **spec: object) -> None:
        """Note down, with the change itself, whose it is: so the next check undoes it if this one is killed."""
        self._cluster.patch(path, metadata={"annotations": {CHECK_LABEL: words}}, spec=spec)
