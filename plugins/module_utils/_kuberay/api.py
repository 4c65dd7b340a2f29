# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes API over kubernetes.core's client: paths in, answers or lines out, hiccups of the API server ridden out.

Plain paths instead of discovered resources: one request a look, every answer with its headers (C(Date), C(Retry-After)),
each with a time limit, and nothing to discover anew when the CRDs appear.
"""

from __future__ import annotations

import json
import time
import typing as t
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from ansible_collections.kubernetes.core.plugins.module_utils.k8s.exceptions import CoreException

try:
    import websocket
    from kubernetes.client import ApiClient, CoreV1Api
    from kubernetes.client.rest import ApiException
    from kubernetes.stream import stream
    from urllib3.exceptions import HTTPError
except ImportError:
    # AnsibleK8SModule says what is missing.

    class ApiException(Exception):
        """Stands in: never raised."""

    class HTTPError(Exception):
        """Stands in: never raised."""


CONNECT_SECONDS = 5.0
#: A dead connection must not eat a wait's time.
READ_SECONDS = 20.0
RETRY_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
BODY_EXCERPT = 2000
#: Of the WebSocket of a command: where the API server tells how it ended.
ERROR_CHANNEL = 3


def is_passing(status: int | None, answered: bool) -> bool:
    """Whether a failed request is worth another try. C(status): None for no answer.

    A refused credential and a server that cannot be reached pass only if it has C(answered) before: then a token has run
    out, or the server is starting again. At the beginning they tell of a wrong setting.
    """
    if status is None or status == 401:
        return answered
    return status in (408, 429) or status >= 500


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


def _answer(status: int, headers: t.Any, body: t.Any) -> Answer:
    headers = _header_dict(headers)
    try:
        date = parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError):
        date = None
    return Answer(status, headers, body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body), date)


def _failure(where: str, error: t.Any) -> ApiFailure:
    answer = _answer(
        # The client raises the same exception, with status 0, for what went wrong on its own side (TLS).
        getattr(error, "status", None) or 0,
        getattr(error, "headers", None),
        getattr(error, "body", None) or getattr(error, "reason", None) or str(error),
    )
    message = f"{where}: {answer.status or ''} {message_of(answer.body)[:BODY_EXCERPT]}"
    if not answer.status:
        return ApiFailure(message)
    return ApiFailure(message, answer.status, _seconds(answer.headers, "retry-after"), answer)


def message_of(body: str) -> str:
    """The message of a Kubernetes C(Status), or the body as it is."""
    try:
        return json.loads(body).get("message") or body
    except (ValueError, AttributeError):
        return body


class Api:
    """The API server. Usable from several threads.

    connect: makes a kubernetes.core K8SClient; called again after a 401, so that credentials are read, or made by a
    program of the kubeconfig, anew.
    pauses: seconds between the tries of a request while it fails in a passing way; none for a caller with a loop of its own.
    """

    def __init__(
        self,
        connect: Callable[[], t.Any],
        pauses: Sequence[float] = RETRY_PAUSES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connect = connect
        self._client: t.Any = None
        self._pauses = pauses
        self._sleep = sleep
        self._answered = False

    def open(
        self,
        method: str,
        path: str,
        query: dict[str, t.Any] | None = None,
        body: t.Any = None,
        accept: str = "application/json",
        content_type: str = "application/json",
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
    ) -> t.Any:
        """One try; the response, its body still to be read. Raises ApiFailure on any status that is not 2xx and on no answer."""
        where = f"{method} {path}"
        try:
            # A new client asks the server for its version, so this may fail like any request.
            client = self._client = self._client or self._connect()
            response = client.client.request(
                method,
                path,
                body=body,
                serialize=False,
                query_params=list((query or {}).items()),
                header_params={"Accept": accept},
                content_type=content_type,
                _request_timeout=timeout,
            )
        except ApiException as error:
            failure = _failure(where, error)
            if failure.status == 401:
                self._client = None
            raise failure from error
        except (HTTPError, OSError, CoreException) as error:
            raise ApiFailure(f"{where}: no answer from the API server: {error}") from error
        self._answered = True
        return response

    def once(self, method: str, path: str, *arguments: t.Any, **named: t.Any) -> Answer:
        """As C(open), read to its end."""
        response = self.open(method, path, *arguments, **named)
        try:
            return _answer(response.status, response.headers, response.data)
        except (HTTPError, OSError) as error:
            raise ApiFailure(f"{method} {path}: the answer broke off: {error}") from error

    def request(self, method: str, path: str, *arguments: t.Any, **named: t.Any) -> Answer:
        """As C(once), again and again while the failure is a passing one.

        Raises ApiFailure: at once for an answer that will not change, else after the last pause.
        """
        for pause in self._pauses:
            try:
                return self.once(method, path, *arguments, **named)
            except ApiFailure as failure:
                if not is_passing(failure.status, self._answered):
                    raise
                self._sleep(max(pause, failure.retry_after or 0.0))
        return self.once(method, path, *arguments, **named)

    def get(self, path: str, **query: t.Any) -> dict[str, t.Any]:
        return self.request("GET", path, query).json()

    def find(self, path: str) -> dict[str, t.Any] | None:
        """Get one object, None if there is none."""
        try:
            return self.get(path)
        except ApiFailure as failure:
            if failure.status == 404:
                return None
            raise

    def items(self, path: str, **query: t.Any) -> list[dict[str, t.Any]]:
        """The items of a list; an empty one if the API server does not know the kind, or the namespace is not there."""
        try:
            return self.get(path, **query).get("items") or []
        except ApiFailure as failure:
            if failure.status == 404:
                return []
            raise

    def delete(self, path: str, query: dict[str, t.Any] | None = None, body: dict[str, t.Any] | None = None) -> None:
        """Delete one object; one that is gone is gone: an earlier try may have worked and its answer been lost."""
        try:
            self.request("DELETE", path, query, body)
        except ApiFailure as failure:
            if failure.status != 404:
                raise

    def execute(self, namespace: str, pod: str, container: str, command: list[str], seconds: float) -> str:
        """Run a command in a container and return what it wrote, on both its outputs.

        Raises ApiFailure: it could not be run, it ended with an error, it did not end in that many seconds.
        """
        where = f"{command[0]} in {namespace}/{pod}"
        websocket.setdefaulttimeout(READ_SECONDS)
        try:
            self._client = self._client or self._connect()
            shared = self._client.client.client
            # A client of its own: for as long as it connects, the library makes WebSockets of all that a client asks.
            own = ApiClient(shared.configuration)
            own.default_headers.update(shared.default_headers)
            session = stream(
                CoreV1Api(own).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                **{
                    "container": container,
                    "command": command,
                    "stdin": False,
                    "stdout": True,
                    "stderr": True,
                    "tty": False,
                },
                _preload_content=False,
            )
            session.run_forever(timeout=seconds)
        except ApiException as error:
            raise _failure(where, error) from error
        except (websocket.WebSocketException, HTTPError, OSError, CoreException) as error:
            raise ApiFailure(f"{where}: no answer from the API server: {error}") from error
        if session.is_open():
            session.close()
            raise ApiFailure(f"{where}: it did not end within {seconds:g} s")
        # The last word of the server tells how the command ended; a container that died has none.
        verdict, output = session.read_channel(ERROR_CHANNEL), session.read_all()
        if not verdict or json.loads(verdict).get("status") != "Success":
            raise ApiFailure(f"{where}: {message_of(verdict) or 'it broke off'}: {output.strip()[-BODY_EXCERPT:]}")
        return output

    def lines(
        self, path: str, query: dict[str, t.Any], silence: float, accept: str = "application/json"
    ) -> Iterator[str]:
        """Stream the lines of an answer that goes on; C(silence) seconds without a byte end it as ApiFailure."""
        response = self.open("GET", path, query, accept=accept, timeout=(CONNECT_SECONDS, silence))
        pending = b""
        try:
            for chunk in response.stream(amt=None, decode_content=False):
                *whole, pending = (pending + chunk).split(b"\n")
                for line in whole:
                    yield line.decode("utf-8", "replace")
            if pending:
                yield pending.decode("utf-8", "replace")
        except (HTTPError, OSError) as error:
            raise ApiFailure(f"GET {path}: the answer broke off: {error}") from error
        finally:
            response.close()
