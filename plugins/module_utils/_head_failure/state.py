# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of the objects of a RayService before and after the head's end. Pure functions of plain dictionaries."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

DASHBOARD_PORT = 8265  # Ray's default; a container port named "dashboard" wins
HEAD = "head"


@dataclass(frozen=True)
class Pod:
    """A head or worker pod. container, image: its first container, in which Ray is; ip: "" as long as it has none.

    restarts: container name to restart count; last_ends: container name to the reason of its last end, if it restarted.
    """

    uid: str
    name: str
    role: str
    node: str
    phase: str
    ready: bool
    created: str
    terminating: bool
    scheduled: bool
    started: bool
    restarts: dict[str, int]
    container: str
    image: str
    dashboard_port: int
    trouble: str
    ip: str
    last_ends: dict[str, str]

    @property
    def restarted(self) -> int:
        """Restarts of the container in which Ray is."""
        return self.restarts.get(self.container, 0)


@dataclass(frozen=True)
class Replica:
    """One replica of a Serve deployment, told apart by its actor: a replacement never has the same actor_id."""

    application: str
    deployment: str
    replica_id: str
    actor_id: str
    state: str
    pid: int | None
    node_id: str
    node_ip: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return (self.application, self.deployment, self.replica_id, self.actor_id)


@dataclass(frozen=True)
class Serve:
    """The dashboard's answer: applications by status, their deployments by status, all replicas."""

    applications: dict[str, str] = field(default_factory=dict)
    deployments: dict[str, str] = field(default_factory=dict)
    replicas: tuple[Replica, ...] = ()

    @property
    def running(self) -> bool:
        """Every application RUNNING and every deployment HEALTHY; False when there is none."""
        return (
            bool(self.applications)
            and set(self.applications.values()) == {"RUNNING"}
            and set(self.deployments.values()) <= {"HEALTHY"}
        )

    @property
    def running_replicas(self) -> int:
        return sum(1 for replica in self.replicas if replica.state == "RUNNING")

    def describe(self) -> str:
        """For progress lines: C(mistral RUNNING; Mistral UPDATING; 1 of 2 replicas running)."""
        if not self.applications:
            return "no applications yet"
        parts = [f"{name} {status}" for name, status in sorted(self.applications.items())]
        parts += [f"{name} {status}" for name, status in sorted(self.deployments.items()) if status != "HEALTHY"]
        parts.append(f"{self.running_replicas} of {len(self.replicas)} replicas running")
        return "; ".join(parts)


@dataclass(frozen=True)
class Snapshot:
    """A RayService at one moment. serve is None when no dashboard answered."""

    service_uid: str
    cluster_name: str
    cluster_uid: str
    heads: tuple[Pod, ...]
    workers: tuple[Pod, ...]
    serve: Serve | None
    service_problems: tuple[str, ...] = ()

    def as_dict(self) -> dict:
        return asdict(self)


def parse_pod(pod: dict) -> Pod:
    """Read a Pod object, whole or half-built."""
    metadata, spec, status = pod.get("metadata", {}), pod.get("spec", {}), pod.get("status", {})
    conditions = {entry["type"]: entry for entry in status.get("conditions") or []}
    containers = spec.get("containers") or [{}]
    statuses = status.get("containerStatuses") or []
    ports = {port.get("name"): port["containerPort"] for port in containers[0].get("ports") or []}
    return Pod(
        uid=metadata.get("uid", ""),
        name=metadata.get("name", ""),
        role=(metadata.get("labels") or {}).get("ray.io/node-type", ""),
        node=spec.get("nodeName") or "",
        phase=status.get("phase", ""),
        ready=conditions.get("Ready", {}).get("status") == "True",
        created=metadata.get("creationTimestamp", ""),
        terminating=bool(metadata.get("deletionTimestamp")),
        scheduled=conditions.get("PodScheduled", {}).get("status") == "True",
        started=bool(statuses) and all("running" in (entry.get("state") or {}) for entry in statuses),
        restarts={entry["name"]: entry.get("restartCount", 0) for entry in statuses},
        container=containers[0].get("name", ""),
        image=containers[0].get("image", ""),
        dashboard_port=ports.get("dashboard", DASHBOARD_PORT),
        trouble=pod_trouble(pod),
        ip=status.get("podIP") or "",
        last_ends={
            entry["name"]: end.get("reason", "")
            for entry in statuses
            if (end := (entry.get("lastState") or {}).get("terminated"))
        },
    )


def pod_trouble(pod: dict) -> str:
    """Why a pod is not Ready, in its own words: scheduler, waiting and terminated containers. Empty for a sound pod."""
    status = pod.get("status", {})
    words = [
        f"{entry['type']} is {entry.get('status')}: {entry.get('reason', '')} {entry.get('message', '')}".strip()
        for entry in status.get("conditions") or []
        if entry["type"] == "PodScheduled" and entry.get("status") != "True"
    ]
    for entry in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        for kind in ("waiting", "terminated"):
            state = (entry.get("state") or {}).get(kind)
            if state and state.get("reason") not in (None, "Completed", "PodInitializing", "ContainerCreating"):
                words.append(
                    f"container {entry['name']} {kind}: {state['reason']} {state.get('message') or ''}".strip()
                )
    if status.get("reason"):
        words.append(f"{status['reason']} {status.get('message') or ''}".strip())
    return "; ".join(words)


def parse_serve(answer: dict) -> Serve:
    """Read the dashboard's C(/api/serve/applications/) (ServeInstanceDetails of Ray 2.x)."""
    applications = answer.get("applications") or {}
    deployments, replicas = {}, []
    for application, details in applications.items():
        for deployment, values in (details.get("deployments") or {}).items():
            deployments[f"{application}/{deployment}"] = values.get("status", "")
            replicas += [
                Replica(
                    application=application,
                    deployment=deployment,
                    replica_id=entry.get("replica_id", ""),
                    actor_id=entry.get("actor_id") or "",
                    state=entry.get("state", ""),
                    pid=entry.get("pid"),
                    node_id=entry.get("node_id") or "",
                    node_ip=entry.get("node_ip") or "",
                )
                for entry in values.get("replicas") or []
            ]
    return Serve(
        applications={name: details.get("status", "") for name, details in applications.items()},
        deployments=deployments,
        replicas=tuple(sorted(replicas, key=lambda replica: replica.identity)),
    )


def active_cluster(rayservice: dict) -> str:
    return ((rayservice.get("status") or {}).get("activeServiceStatus") or {}).get("rayClusterName") or ""


def pending_cluster(rayservice: dict) -> str:
    return ((rayservice.get("status") or {}).get("pendingServiceStatus") or {}).get("rayClusterName") or ""


def fault_tolerant(rayservice: dict) -> bool:
    """Whether the GCS is said to keep its state outside the head, by field or by the older annotation."""
    config = (rayservice.get("spec") or {}).get("rayClusterConfig") or {}
    annotations = rayservice.get("metadata", {}).get("annotations") or {}
    return bool(config.get("gcsFaultToleranceOptions")) or annotations.get("ray.io/ft-enabled", "").lower() == "true"


def serve_port(service: dict) -> int | None:
    """The port of a Service that serves: named C(serve) or C(http), the only one, or 8000; None if none fits."""
    ports = (service.get("spec") or {}).get("ports") or []
    for wanted in ("serve", "http"):
        for port in ports:
            if port.get("name") == wanted:
                return port["port"]
    numbers = [port["port"] for port in ports]
    if len(numbers) == 1:
        return numbers[0]
    return 8000 if 8000 in numbers else None


def head_problem(heads: tuple[Pod, ...]) -> str:
    """Why these head pods do not allow a check to start; empty if they do: exactly one, Ready, not on its way out."""
    if len(heads) != 1:
        return (
            f"there must be exactly one head pod, found {len(heads)}: {', '.join(pod.name for pod in heads) or 'none'}"
        )
    head = heads[0]
    if head.terminating:
        return f"the head pod {head.name} is being deleted already"
    if not head.ready:
        return f"the head pod {head.name} is not Ready" + (f" ({head.trouble})" if head.trouble else "")
    return ""
