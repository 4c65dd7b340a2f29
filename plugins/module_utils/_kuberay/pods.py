# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps the pods of a RayCluster from running, and whether it can heal by itself. Pure functions of pod objects."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.readiness import shorten

#: What registries and containerd answer when no later attempt can succeed. An image pull also fails for passing
#: reasons (time-outs, 429, 5xx, TLS handshakes), which have to be given time.
PERMANENT_PULL = re.compile(
    r"not found|manifest unknown|does not exist|pull access denied|insufficient_scope|unauthorized|authentication required"
    r"|invalid reference|no match for platform|no such host|(127\.0\.0\.1|localhost|\[::1\]):\d+:.*connection refused",
    re.IGNORECASE | re.DOTALL,
)
#: A pull that fails for another reason is given up after it failed all the time for so many seconds: kubelet tries at
#: 0, 10, 30 and 70 s (its back-off doubles from 10 s), so a fault of one minute survives.
PULL_PATIENCE = 75.0
#: A Secret or ConfigMap that is applied in the same breath may come after the pod.
CONFIG_PATIENCE = 10.0
#: Restarts after which a head that still crashes is given up: a Redis that is not up yet costs a head one or two.
CRASHES = 3

#: In the log of a head that ended: no restart will change the answer.
PERMANENT_LOG = re.compile(
    r"WRONGPASS|NOAUTH|NOPERM|invalid username-password pair|invalid password|AUTH.{0,40}failed|CERTIFICATE_VERIFY_FAILED"
    r"|Redis Cluster with more than one shard",
    re.IGNORECASE,
)
#: What a head says that had not enough processor time to start; the next start may be quicker.
PASSING_LOG = re.compile(r"node timed out during startup")
#: A frame of a native stack trace, of which a crash of Ray writes dozens; the cause stands elsewhere.
NATIVE_FRAME = re.compile(r"\[0x[0-9a-f]+\]")
LOG_LINES = 25


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one container (or with the pod).

    C(patience): seconds for which it may last before it counts as terminal; None if it can always heal.
    C(crashed): name of the container whose previous log tells more; "" if none does.
    """

    pod: str
    text: str
    patience: float | None = None
    crashed: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The same trouble of the same pod, whatever the wording (ErrImagePull and ImagePullBackOff take turns)."""
        return self.pod, self.text.split(":", 1)[0].replace("ErrImagePull", "ImagePullBackOff")


def is_head(pod: dict[str, t.Any]) -> bool:
    return (pod["metadata"].get("labels") or {}).get("ray.io/node-type") == "head"


def is_ready(pod: dict[str, t.Any]) -> bool:
    """Ready and not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return not pod["metadata"].get("deletionTimestamp") and any(
        one.get("type") == "Ready" and one.get("status") == "True" for one in conditions
    )


def restarts(pod: dict[str, t.Any]) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return sum(one.get("restartCount") or 0 for one in statuses)


def summarize(pod: dict[str, t.Any]) -> dict[str, t.Any]:
    """The shape in which modules return a pod."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels = metadata.get("labels") or {}
    return {
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
        "node_type": labels.get("ray.io/node-type", ""),
        "ray_cluster": labels.get("ray.io/cluster", ""),
        "node": (pod.get("spec") or {}).get("nodeName") or "",
        "ip": status.get("podIP") or "",
        "phase": status.get("phase") or "",
        "ready": is_ready(pod),
        "restarts": restarts(pod),
        "deleting": bool(metadata.get("deletionTimestamp")),
    }


def findings(pods: list[dict[str, t.Any]]) -> list[Finding]:
    """All that is wrong with these pods, those beyond help first."""
    found = [finding for pod in pods if not pod["metadata"].get("deletionTimestamp") for finding in _of_pod(pod)]
    return sorted(found, key=lambda one: (one.patience is None, one.pod, one.text))


def _of_pod(pod: dict[str, t.Any]) -> list[Finding]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    found = []
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            # A node may come (an autoscaler, another pod that leaves).
            found.append(Finding(name, f"pod {name} cannot be scheduled: {condition.get('message') or condition.get('reason')}"))
    if status.get("phase") == "Failed":
        found.append(Finding(name, f"pod {name} has failed: {status.get('reason') or ''} {status.get('message') or ''}".rstrip()))
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return found + [one for state in statuses for one in _of_container(pod, state)]


def _of_container(pod: dict[str, t.Any], status: dict[str, t.Any]) -> list[Finding]:
    name, container = pod["metadata"]["name"], status.get("name", "")
    where = f"container {container} of pod {name}"
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason") or "", (waiting.get("message") or "").strip()
    said = f" ({status.get('image', '')}): {shorten(message, 1000)}" if message else f" ({status.get('image', '')})"
    if reason in ("InvalidImageName", "ErrImageNeverPull"):
        return [Finding(name, f"{where} is in {reason}{said}", 0.0)]
    if reason in ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"):
        return [Finding(name, f"{where} is in {reason}{said}", 0.0 if PERMANENT_PULL.search(message) else PULL_PATIENCE)]
    if reason == "CreateContainerConfigError":
        return [Finding(name, f"{where} is in {reason}: {shorten(message, 1000)}", CONFIG_PATIENCE)]
    count = status.get("restartCount") or 0
    ended = (status.get("lastState") or {}).get("terminated") or (status.get("state") or {}).get("terminated") or {}
    if not count or status.get("ready") or not ended:
        return []
    # The count stands after the colon, so that the key of the finding does not change with it.
    text = (
        f"{where} does not stay up: {count} restarts, last exit code {ended.get('exitCode')}"
        f" ({ended.get('reason') or 'no reason'})"
    )
    # Workers end when they do not reach a head; they are well again once it is.
    hopeless = is_head(pod) and reason == "CrashLoopBackOff" and count >= CRASHES
    return [Finding(name, text, 0.0 if hopeless else None, crashed=container)]


def last_lines(log: str, lines: int = LOG_LINES) -> str:
    """The end of a log, without blank lines and native stack traces."""
    return "\n".join([line.rstrip() for line in log.splitlines() if line.strip() and not NATIVE_FRAME.search(line)][-lines:])


def is_passing(log: str) -> bool:
    """Did the head end of something that the next start may not meet, however often that happened?"""
    return bool(PASSING_LOG.search(log))


def permanent_line(log: str) -> str:
    """The line of a head's log that says that a restart will not help, or ""."""
    return next((line.strip() for line in reversed(log.splitlines()) if PERMANENT_LOG.search(line)), "")
