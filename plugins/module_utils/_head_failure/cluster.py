# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and changes on the cluster for one RayService; every path of the API that the check uses is in this file."""

from __future__ import annotations

import base64
import json
import time
import typing as t
from collections.abc import Callable, Iterator

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import cluster as kuberay
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.readiness import assess

DASHBOARD_TIMEOUT = 3.0
# For the two looks that must not fail for a busy machine: before and after.
DASHBOARD_PATIENCE = 30.0
MANAGED_BY = {"app.kubernetes.io/managed-by": "rayops.serve_ha"}
# The label of a load pod and of Secrets, and the annotation of what a failure has changed.
CHECK_LABEL = "rayops.io/head-failure-check"
# Of the operator's manifests and of its chart.
OPERATOR = ("app.kubernetes.io/component=kuberay-operator", "app.kubernetes.io/name=kuberay-operator")
# What the names of Secrets end in: that of what undoes a failure, and that of the load's headers; and their only key.
NOTE, HEADERS = "head-failure-check", "head-failure-load"
SECRET_KEY = "text"
NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


class Cluster:
    """The objects of the RayService C(name) in C(namespace).

    patience: seconds for which a snapshot asks a dashboard that does not answer again.
    """

    def __init__(self, api: kuberay.Cluster, namespace: str, name: str, patience: float = DASHBOARD_PATIENCE) -> None:
        self.api = api
        self._patience = patience
        self.namespace = namespace
        self.name = name
        self.pods_path = f"/api/v1/namespaces/{namespace}/pods"
        self.events_path = f"/api/v1/namespaces/{namespace}/events"
        self.services_path = f"/apis/ray.io/v1/namespaces/{namespace}/rayservices"
        self.service_path = f"{self.services_path}/{name}"
        self.secrets_path = f"/api/v1/namespaces/{namespace}/secrets"

    # Reading

    def rayservice(self) -> dict | None:
        return self.api.find(self.service_path)

    def service(self, name: str) -> dict | None:
        return self.api.find(f"/api/v1/namespaces/{self.namespace}/services/{name}")

    def pod(self, name: str) -> dict | None:
        return self.api.find(f"{self.pods_path}/{name}")

    def load_pods(self) -> list[dict]:
        """Every load pod of checks of this RayService."""
        return self.api.pods(self.namespace, load_pod_selector(self.name))

    def secret_name(self, kind: str) -> str:
        return f"{self.name}-{kind}"

    def kept(self, kind: str) -> list[str]:
        """The text of C(keep), if there is one, or whatever else somebody has put there."""
        secret = self.api.find(f"{self.secrets_path}/{self.secret_name(kind)}")
        texts = [(secret.get("data") or {}).get(SECRET_KEY) or ""] if secret else []
        return [base64.b64decode(text).decode(errors="replace") for text in texts]

    def node(self, name: str) -> dict:
        return self.api.get(f"{NODES}/{name}")

    def nodes(self) -> list[dict]:
        return self.api.items(NODES)

    def renewed(self, node: str) -> str | None:
        """When the kubelet of that node has renewed its Lease, by its own clock; None without a Lease."""
        return ((self.api.find(f"{LEASES}/{node}") or {}).get("spec") or {}).get("renewTime")

    def versions(self, head: state.Pod) -> dict:
        """What it all runs on: {ray, operator, kubernetes: text; nodes: [{name, cpu, memory, arch}]}.

        Each is None where it cannot be seen, as by an account that may not look at it.
        """
        return {
            "ray": told(lambda: json.loads(self._dashboard(head, "api/version"))["ray_version"]),
            "operator": told(lambda: ", ".join(sorted(set(map(image, self.operators()))))),
            "kubernetes": told(lambda: self.api.get("/version")["gitVersion"]),
            "nodes": told(lambda: list(map(machine, self.nodes()))),
        }

    def pods_on(self, node: str) -> list[dict]:
        """The pods of all namespaces on that node."""
        return self.api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={node}")

    def operators(self) -> list[dict]:
        """The Deployments of the KubeRay operator in all namespaces."""
        found = {
            (one["metadata"]["namespace"], one["metadata"]["name"]): one
            for label in OPERATOR
            for one in self.api.items("/apis/apps/v1/deployments", labelSelector=label)
        }
        return list(found.values())

    def pods_of(self, deployment: dict) -> list[dict]:
        labels = deployment["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        return self.api.pods(deployment["metadata"]["namespace"], selector)

    def snapshot(self, rayservice: dict | None) -> state.Snapshot:
        """Everything that is compared between before and after. Raises ApiFailure."""
        rayservice = rayservice or {"metadata": {}}
        cluster_name = state.active_cluster(rayservice)
        raycluster = self.api.find(f"/apis/ray.io/v1/namespaces/{self.namespace}/rayclusters/{cluster_name}") or {}
        pods = list(map(state.parse_pod, self.api.pods_of(self.namespace, cluster_name) if cluster_name else []))
        heads = tuple(pod for pod in pods if pod.role == state.HEAD)
        return state.Snapshot(
            service_uid=rayservice["metadata"].get("uid", ""),
            cluster_name=cluster_name,
            cluster_uid=raycluster.get("metadata", {}).get("uid", ""),
            heads=heads,
            workers=tuple(sorted((pod for pod in pods if pod.role == "worker"), key=lambda pod: pod.name)),
            serve=next((serve for head in heads if (serve := self.patiently(self.try_serve, head))), None),
            service_problems=tuple(service_problems(rayservice)),
        )

    def try_serve(self, head: state.Pod) -> state.Serve | None:
        """Ask the dashboard of that very head pod for the applications; None if it does not answer."""
        try:
            return state.parse_serve(json.loads(self._dashboard(head, "api/serve/applications/")))
        except (ApiFailure, ValueError, AttributeError):
            return None

    def patiently(self, ask: Callable[[state.Pod], t.Any], head: state.Pod) -> t.Any:
        """What C(ask) answers of that head, asked again while it says nothing and the head is Ready."""
        deadline = time.monotonic() + (self._patience if head.ready else 0)
        while not (answer := ask(head)) and time.monotonic() < deadline:
            time.sleep(1)
        return answer

    def gcs_answers(self, head: state.Pod, from_redis: bool = False) -> bool:
        """Whether the dashboard of that head pod finds its GCS healthy; C(from_redis): which answers from Redis too."""
        try:
            healthy = "success" in self._dashboard(head, "api/gcs_healthz")
            return healthy and (not from_redis or self.redis_answers(head))
        except ApiFailure:
            return False

    def redis_answers(self, head: state.Pod) -> bool:
        """Whether the GCS of that head pod answers what it has to ask Redis for, its list of jobs.

        Raises ApiFailure: it is the API server that does not answer.
        """
        try:
            self._dashboard(head, "api/jobs/")
        except ApiFailure:
            self.api.once("GET", "/version", timeout=(DASHBOARD_TIMEOUT, DASHBOARD_TIMEOUT))
            return False
        return True

    def _dashboard(self, head: state.Pod, path: str) -> str:
        # Through the pod, not through a service: so the answer is that of the new head and never of the old one, and
        # it comes before the new head is Ready.
        # Asked once: who asks comes back soon.
        target = f"{self.pods_path}/{head.name}:{head.dashboard_port}/proxy/{path}"
        return self.api.once("GET", target, accept="*/*", timeout=(DASHBOARD_TIMEOUT, DASHBOARD_TIMEOUT)).body

    def call_pod(self, name: str, port: int) -> None:
        """Let a pod know that we are there, whatever it answers."""
        self.api.once("GET", f"{self.pods_path}/{name}:{port}/proxy/", accept="*/*", timeout=(DASHBOARD_TIMEOUT, DASHBOARD_TIMEOUT))

    # Changing

    def delete_pod(self, pod: state.Pod, grace: int | None = None) -> None:
        """Delete the pod of that UID, whatever else carries its name. grace: seconds, None for the pod's own."""
        body: dict = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": pod.uid}}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        self.api.delete(f"{self.pods_path}/{pod.name}", body=body)

    def evict(self, pod: dict) -> bool:
        """Ask for the eviction of a Pod object; False if a PodDisruptionBudget does not allow it now."""
        names = {key: pod["metadata"][key] for key in ("namespace", "name")}
        path = "/api/v1/namespaces/{namespace}/pods/{name}/eviction".format(**names)
        try:
            self.api.once("POST", path, body={"apiVersion": "policy/v1", "kind": "Eviction", "metadata": names})
        except ApiFailure as error:
            if error.status not in (404, 429):
                raise
            return error.status == 404
        return True

    def patch(self, path: str, **values: dict) -> None:
        """Merge C(values) into the object at that path."""
        self.api.request("PATCH", path, body=values, content_type="application/merge-patch+json")

    def execute(self, pod: state.Pod, program: str, arguments: list[str], seconds: float) -> str:
        """Run a Python program in the pod's Ray container and return its output. Raises ApiFailure, also if it fails."""
        command = ["python3", "-c", program, *arguments]
        return self.api.execute(self.namespace, pod.name, pod.container, command, seconds)

    def create_pod(self, manifest: dict) -> dict:
        return self.api.request("POST", self.pods_path, body=manifest).json()

    def remove_load_pods(self) -> list[str]:
        """Delete every load pod of checks of this RayService; return their names."""
        names = [pod["metadata"]["name"] for pod in self.load_pods()]
        for name in names:
            self.remove_load_pod(name)
        return names

    def remove_load_pod(self, name: str) -> None:
        self.api.delete(f"{self.pods_path}/{name}")

    def keep(self, kind: str, text: str) -> None:
        """Keep a text in a Secret of this RayService's checks, NOTE or HEADERS."""
        name = self.secret_name(kind)
        metadata = {"name": name, "labels": load_pod_labels(self.name)}
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {SECRET_KEY: text}}
        try:
            self.api.request("POST", self.secrets_path, body=manifest)
        except ApiFailure as error:
            # An earlier try may have worked and its answer been lost.
            if error.status != 409:
                raise
            self.patch(f"{self.secrets_path}/{name}", stringData=manifest["stringData"])

    def forget(self, kind: str) -> None:
        self.api.delete(f"{self.secrets_path}/{self.secret_name(kind)}")

    # Following

    def log_lines(self, pod: str, follow: bool, silence: float) -> Iterator[str]:
        query = {"follow": "true"} if follow else {}
        return self.api.lines(f"{self.pods_path}/{pod}/log", query, silence, accept="*/*")


def told(look: Callable[[], t.Any]) -> t.Any:
    """What C(look) finds, None if it is not to be seen."""
    try:
        return look()
    except (ApiFailure, ValueError):
        return None


def image(deployment: dict) -> str:
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def machine(node: dict) -> dict:
    status = node["status"]
    size = {key: status["capacity"][key] for key in ("cpu", "memory")}
    return {"name": node["metadata"]["name"], **size, "arch": status["nodeInfo"]["architecture"]}


def load_pod_labels(name: str) -> dict[str, str]:
    return {**MANAGED_BY, CHECK_LABEL: name}


def load_pod_selector(name: str) -> str:
    return ",".join(f"{key}={value}" for key, value in load_pod_labels(name).items())


def service_problems(rayservice: dict) -> list[str]:
    """Why the RayService is not ready; nothing if it is."""
    if not rayservice.get("spec"):
        return ["the RayService does not exist"]
    assessment = assess(rayservice)
    return [] if assessment.ready else list(assessment.reasons)
