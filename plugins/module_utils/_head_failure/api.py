# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes API as this check needs it: paths in, dictionaries and lines out, hiccups of the API server ridden out."""

from __future__ import annotations

import json
import time
import typing as t
from collections.abc import Callable, Iterator

try:
    from kubernetes.client.rest import ApiException
    from urllib3.exceptions import HTTPError
except ImportError:
    # The module says what is missing.

    class ApiException(Exception):
        """Stands in: never raised."""

    class HTTPError(Exception):
        """Stands in: never raised."""

# Unauthorized (a token has run out: the next client reads a new one), too many requests, and a server in trouble.
TRANSIENT_STATUS = frozenset({401, 408, 429, 500, 502, 503, 504})
RETRY_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0


class ApiError(Exception):
    """A request that the API server answered with an error, or did not answer. status 0: no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def transient(self) -> bool:
        return self.status == 0 or self.status in TRANSIENT_STATUS


def message_of(body: str | bytes | None, fallback: str) -> str:
    """The C(message) of a Kubernetes Status object, or the fallback."""
    try:
        return str(json.loads(body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return fallback


class Api:
    """Talks to one cluster. Usable from several threads.

    connect: makes a dynamic client; called again after a 401, so that a fresh token is read. It may raise what a request may.
    """

    def __init__(self, connect: Callable[[], t.Any], sleep: Callable[[float], None] = time.sleep) -> None:
        self._connect = connect
        self._client: t.Any = None
        self._sleep = sleep

    def once(
        self,
        method: str,
        path: str,
        query: dict[str, t.Any] | None = None,
        body: dict | None = None,
        accept: str = "application/json",
        timeout: tuple[float, float] = (CONNECT_TIMEOUT, READ_TIMEOUT),
    ) -> t.Any:
        """Do one request and return the open response. Raises ApiError."""
        try:
            # A new client asks the server for its version, so this may fail like any request.
            client = self._client = self._client or self._connect()
            return client.request(
                method,
                path,
                body=body,
                query_params=list((query or {}).items()),
                header_params={"Accept": accept},
                serialize=False,
                _request_timeout=timeout,
            )
        except ApiException as error:
            status = getattr(error, "status", None) or 0
            if status == 401:
                self._client = None
            reason = getattr(error, "reason", None) or str(error)
            raise ApiError(status, message_of(getattr(error, "body", None), f"{status} {reason}")) from error
        except (HTTPError, OSError) as error:
            raise ApiError(0, f"the API server does not answer: {error}") from error

    def json(self, method: str, path: str, query: dict[str, t.Any] | None = None, body: dict | None = None) -> dict:
        """Do a request, again and again while the failure is a passing one, and return the answer's JSON.

        Raises ApiError: at once for an answer that will not change, else after RETRY_PAUSES (about 16 s).
        """
        for pause in (*RETRY_PAUSES, None):
            try:
                return json.loads(self.text(self.once(method, path, query, body)))
            except ApiError as error:
                if pause is None or not error.transient:
                    raise
                self._sleep(pause)
        raise AssertionError("unreachable")

    def get(self, path: str, **query: t.Any) -> dict:
        return self.json("GET", path, query)

    def find(self, path: str) -> dict | None:
        """Get one object, None if there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def text(self, response: t.Any) -> str:
        """Read a response to its end."""
        try:
            return response.data.decode("utf-8", "replace")
        except (HTTPError, OSError) as error:
            raise ApiError(0, f"the API server's answer broke off: {error}") from error

    def proxied(self, path: str, timeout: float) -> str:
        """Get a text once, without another try, through a proxy path of the API server."""
        return self.text(self.once("GET", path, accept="*/*", timeout=(timeout, timeout)))

    def lines(
        self, path: str, query: dict[str, t.Any], silence: float, accept: str = "application/json"
    ) -> Iterator[str]:
        """Stream the lines of an answer that goes on; C(silence) seconds without a byte end it as ApiError."""
        response = self.once("GET", path, query, accept=accept, timeout=(CONNECT_TIMEOUT, silence))
        pending = b""
        try:
            for chunk in response.stream(amt=None, decode_content=False):
                *whole, pending = (pending + chunk).split(b"\n")
                for line in whole:
                    yield line.decode("utf-8", "replace")
            if pending:
                yield pending.decode("utf-8", "replace")
        except (HTTPError, OSError) as error:
            raise ApiError(0, f"the API server's answer broke off: {error}") from error
        finally:
            response.close()
