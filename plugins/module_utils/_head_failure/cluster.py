# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and deletes on the cluster for one RayService; every path of the API that the check uses is in this file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import cluster as kuberay
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.readiness import assess

DASHBOARD_TIMEOUT = 3.0
# For the two looks that must not fail for a busy machine: before and after.
DASHBOARD_PATIENCE = 30.0
MANAGED_BY = {"app.kubernetes.io/managed-by": "rayops.serve_ha"}
CHECK_LABEL = "rayops.io/head-failure-check"


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

    # Reading

    def rayservice(self) -> dict | None:
        return self.api.find(f"{self.services_path}/{self.name}")

    def service(self, name: str) -> dict | None:
        return self.api.find(f"/api/v1/namespaces/{self.namespace}/services/{name}")

    def pod(self, name: str) -> dict | None:
        return self.api.find(f"{self.pods_path}/{name}")

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
            serve=next((serve for serve in map(self._patient_serve, heads) if serve is not None), None),
            service_problems=tuple(service_problems(rayservice)),
        )

    def try_serve(self, head: state.Pod) -> state.Serve | None:
        """Ask the dashboard of that very head pod for the applications; None if it does not answer."""
        try:
            return state.parse_serve(json.loads(self._dashboard(head, "api/serve/applications/")))
        except (ApiFailure, ValueError, AttributeError):
            return None

    def _patient_serve(self, head: state.Pod) -> state.Serve | None:
        deadline = time.monotonic() + (self._patience if head.ready else 0)
        while (serve := self.try_serve(head)) is None and time.monotonic() < deadline:
            time.sleep(1)
        return serve

    def gcs_answers(self, head: state.Pod) -> bool:
        """Whether the dashboard of that head pod finds its GCS healthy."""
        try:
            return "success" in self._dashboard(head, "api/gcs_healthz")
        except ApiFailure:
            return False

    def _dashboard(self, head: state.Pod, path: str) -> str:
        # Through the pod, not through a service: so the answer is that of the new head and never of the old one, and
        # it comes before the new head is Ready.
        # Asked once: who asks comes back soon.
        target = f"{self.pods_path}/{head.name}:{head.dashboard_port}/proxy/{path}"
        return self.api.once("GET", target, accept="*/*", timeout=(DASHBOARD_TIMEOUT, DASHBOARD_TIMEOUT)).body

    # Changing

    def delete_head(self, head: state.Pod, grace: int | None) -> None:
        """Delete the pod of that UID, whatever else carries its name. grace: seconds, None for the pod's own."""
        body: dict = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": head.uid}}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        self.api.delete(f"{self.pods_path}/{head.name}", body=body)

    def create_pod(self, manifest: dict) -> dict:
        return self.api.request("POST", self.pods_path, body=manifest).json()

    def remove_load_pods(self) -> list[str]:
        """Delete every load pod of checks of this RayService; return their names."""
        names = [pod["metadata"]["name"] for pod in self.api.pods(self.namespace, load_pod_selector(self.name))]
        for name in names:
            self.api.delete(f"{self.pods_path}/{name}")
        return names

    # Following

    def log_lines(self, pod: str, follow: bool, silence: float) -> Iterator[str]:
        query = {"follow": "true"} if follow else {}
        return self.api.lines(f"{self.pods_path}/{pod}/log", query, silence, accept="*/*")


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
