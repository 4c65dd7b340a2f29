# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read RayServices, and what belongs to them, from the API server."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Answer, Api, ApiFailure


class Cluster(Api):
    """The API server, and where on it things are."""

    def rayservices(self, namespace: str | None = None, **query: str) -> list[dict[str, t.Any]]:
        where = f"/namespaces/{namespace}" if namespace else ""
        return self.items(f"/apis/ray.io/v1{where}/rayservices", **query)

    def rayclusters(self) -> list[dict[str, t.Any]]:
        """All RayClusters of all namespaces."""
        return self.items("/apis/ray.io/v1/rayclusters")

    def pods(self, namespace: str, selector: str) -> list[dict[str, t.Any]]:
        return self.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)

    def pods_of(self, namespace: str, *ray_clusters: str) -> list[dict[str, t.Any]]:
        """All pods of these RayClusters, of head and workers; none of none."""
        return self.pods(namespace, f"ray.io/cluster in ({','.join(ray_clusters)})") if ray_clusters else []

    def warnings(self, namespace: str, name: str, limit: int = 10) -> list[str]:
        """The newest Warning events about C(name) and what is derived from it, oldest first, equal ones once.

        If there are none, those of the whole namespace.
        """
        events = self.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector="type=Warning")
        names = [(event.get("involvedObject") or {}).get("name") or "" for event in events]
        own = [event for event, about in zip(events, names, strict=True) if about == name or about.startswith(f"{name}-")]
        events = own or events
        events.sort(key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "")
        lines: dict[str, None] = {}
        for event in events:
            about = event.get("involvedObject") or {}
            line = f"{about.get('kind')} {about.get('name')}: {event.get('reason')}: {(event.get('message') or '').strip()}"
            lines.pop(line, None)
            lines[line] = None
        return list(lines)[-limit:]

    def log(self, namespace: str, pod: str, container: str, previous: bool = False, lines: int = 200) -> str:
        """The end of a container's log; "" where there is none (any more)."""
        query = {"container": container, "tailLines": str(lines), **({"previous": "true"} if previous else {})}
        try:
            return self.request("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query, accept="*/*").body
        except ApiFailure as failure:
            if failure.status in (400, 404):
                return ""
            raise


class RayServiceReader:
    """Everything that a wait looks at, of one RayService."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.name = name

    def rayservice(self) -> tuple[dict[str, t.Any] | None, float | None]:
        """The object (None: there is none) and the API server's time."""
        path = f"/apis/ray.io/v1/namespaces/{self.namespace}/rayservices/{self.name}"
        try:
            answer = self.cluster.request("GET", path)
        except ApiFailure as failure:
            if failure.status != 404:
                raise
            # The API server answers a missing object with a Status, a path it does not know with plain text.
            if failure.answer and '"kind":"Status"' in failure.answer.body.replace(" ", ""):
                return None, None
            raise ApiFailure(
                "the cluster does not know the kind RayService of ray.io/v1: the KubeRay operator's CRDs are not installed",
                status=404,
            ) from failure
        return answer.json(), answer.time

    def pods(self, ray_cluster: str) -> list[dict[str, t.Any]]:
        return self.cluster.pods_of(self.namespace, ray_cluster)

    def previous_log(self, pod: str, container: str) -> str:
        """What a container wrote before it ended last, and if that is gone, what it writes now."""
        return self.cluster.log(self.namespace, pod, container, previous=True) or self.cluster.log(
            self.namespace, pod, container
        )

    def warnings(self) -> list[str]:
        return self.cluster.warnings(self.namespace, self.name)

    def get(self, path: str) -> Answer:
        """GET a path of the serve service through the API server's proxy, whatever status it answers.

        Raises ApiFailure only where there is no answer at all.
        """
        target = quote("/" + path.lstrip("/"), safe="/?&=%+,;:@!$'()*~")
        return self._proxied(f"services/{self.name}-serve-svc:8000/proxy{target}")

    def served(self, head: str) -> Answer:
        """What Serve consists of, from the dashboard of this head pod; likewise."""
        return self._proxied(f"pods/{head}:8265/proxy/api/serve/applications/")

    def _proxied(self, target: str) -> Answer:
        try:
            return self.cluster.request("GET", f"/api/v1/namespaces/{self.namespace}/{target}", accept="*/*")
        except ApiFailure as failure:
            if failure.answer is None:
                raise
            return failure.answer
