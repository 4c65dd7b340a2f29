# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read RayServices and what belongs to them from the API server, over kubernetes.core's client.

Plain paths instead of discovered resources: one request a look, every answer with its headers (C(Date), C(Retry-After)),
each with a time limit, and nothing to discover anew when the CRDs appear.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from ansible_collections.kubernetes.core.plugins.module_utils.k8s.exceptions import CoreException

try:
    from kubernetes.client.rest import ApiException
    from urllib3.exceptions import HTTPError
except ImportError:
    # AnsibleK8SModule says what is missing.

    class ApiException(Exception):
        """Stands in: never raised."""

    class HTTPError(Exception):
        """Stands in: never raised."""

#: Seconds to connect and to read: a dead connection must not eat a wait's time.
REQUEST_TIMEOUT = (5, 20)
BODY_EXCERPT = 2000


class ApiFailure(Exception):
    """A request that failed. C(status) and C(answer) are None where none came; C(retry_after) in seconds, if it was said."""

    def __init__(
        self, text: str, status: int | None = None, retry_after: float | None = None, answer: Answer | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after
        self.answer = answer


@dataclass(frozen=True)
class Answer:
    """Answer of the API server or, through its proxy, of a service. C(time): its C(Date) in seconds since the epoch."""

    status: int
    headers: dict[str, str]
    body: str
    time: float | None = None

    def json(self) -> dict[str, t.Any]:
        return json.loads(self.body)

    def excerpt(self) -> dict[str, t.Any]:
        """The shape in which modules return an answer."""
        return {"status": self.status, "headers": self.headers, "body": self.body[:BODY_EXCERPT]}


def _header_dict(headers: t.Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in (headers or {}).items()}


def _seconds(headers: dict[str, str], name: str) -> float | None:
    """A header in seconds; Retry-After may also be a date, which Kubernetes does not use."""
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None


def _date(headers: dict[str, str]) -> float | None:
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None


def message_of(body: str) -> str:
    """The message of a Kubernetes C(Status), or the body as it is."""
    try:
        return json.loads(body).get("message") or body
    except (ValueError, AttributeError):
        return body


class Cluster:
    """The API server. C(connect) makes a kubernetes.core K8SClient; it is called again when credentials were refused."""

    def __init__(self, connect: t.Callable[[], t.Any]) -> None:
        self._connect = connect
        self._client: t.Any = None

    def reconnect(self) -> None:
        """Read the credentials anew at the next request (a token may have run out)."""
        self._client = None

    def request(
        self,
        method: str,
        path: str,
        query: dict[str, t.Any] | None = None,
        body: t.Any = None,
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> Answer:
        """One request. Raises ApiFailure on any status that is not 2xx and when there is no answer."""
        try:
            if self._client is None:
                self._client = self._connect()
            response = self._client.client.request(
                method,
                path,
                body=body,
                serialize=False,
                query_params=list((query or {}).items()),
                header_params={"Accept": accept},
                content_type=content_type,
                _request_timeout=REQUEST_TIMEOUT,
            )
            content = response.data
        except ApiException as error:
            raise self._failure(method, path, error) from error
        except (HTTPError, OSError, CoreException) as error:
            raise ApiFailure(f"{method} {path}: no answer from the API server: {error}") from error
        headers = _header_dict(response.headers)
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
        return Answer(response.status, headers, text, _date(headers))

    @staticmethod
    def _failure(method: str, path: str, error: t.Any) -> ApiFailure:
        body = getattr(error, "body", None) or getattr(error, "reason", None) or str(error)
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
        headers = _header_dict(getattr(error, "headers", None))
        # The client raises the same exception, with status 0, for what went wrong on its own side (TLS).
        status = getattr(error, "status", None) or None
        answer = Answer(status, headers, text, _date(headers)) if status else None
        message = f"{method} {path}: {status or ''} {message_of(text)[:BODY_EXCERPT]}"
        return ApiFailure(message, status, _seconds(headers, "retry-after"), answer)

    def items(self, path: str, **query: str) -> list[dict[str, t.Any]]:
        """The items of a list; an empty one if the API server does not know the kind, or the namespace is not there."""
        try:
            return self.request("GET", path, query).json().get("items") or []
        except ApiFailure as failure:
            if failure.status == 404:
                return []
            raise

    def rayservices(self, namespace: str | None = None, **query: str) -> list[dict[str, t.Any]]:
        where = f"/namespaces/{namespace}" if namespace else ""
        return self.items(f"/apis/ray.io/v1{where}/rayservices", **query)

    def rayclusters(self) -> list[dict[str, t.Any]]:
        """All RayClusters of all namespaces."""
        return self.items("/apis/ray.io/v1/rayclusters")

    def pods(self, namespace: str, selector: str) -> list[dict[str, t.Any]]:
        return self.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)

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
        return self.cluster.pods(self.namespace, f"ray.io/cluster={ray_cluster}")

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
        proxy = f"/api/v1/namespaces/{self.namespace}/services/{self.name}-serve-svc:8000/proxy"
        try:
            return self.cluster.request("GET", proxy + target, accept="*/*")
        except ApiFailure as failure:
            if failure.answer is None:
                raise
            return failure.answer

    def reconnect(self) -> None:
        self.cluster.reconnect()
