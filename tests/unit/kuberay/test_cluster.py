# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the API server's answers."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("kubernetes")
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.cluster import Cluster, RayServiceReader
from kubernetes.client.rest import ApiException
from urllib3.exceptions import ProtocolError

STATUS = json.dumps({"kind": "Status", "message": "no such thing", "code": 404})


class Client:
    """kubernetes.core's K8SClient, as far as it is used: answers by path, exceptions are raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.client = self
        self.requests: list[tuple[str, str, dict[str, Any]]] = []

    def request(self, method: str, path: str, **parameters: Any) -> Any:
        self.requests.append((method, path, parameters))
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        body = answer if isinstance(answer, str) else json.dumps(answer)
        return SimpleNamespace(status=200, headers={"Date": "Mon, 23 Nov 2026 13:16:13 GMT"}, data=body.encode())


def failure(status: int, body: str = STATUS, **headers: str) -> ApiException:
    error = ApiException(status=status, reason="because")
    error.body, error.headers = body, headers
    return error


def reader(answers: dict[str, Any]) -> tuple[RayServiceReader, Client]:
    client = Client(answers)
    return RayServiceReader(Cluster(lambda: client, pauses=()), "ns", "mistral"), client


OBJECT = "/apis/ray.io/v1/namespaces/ns/rayservices/mistral"
PROXY = "/api/v1/namespaces/ns/services/mistral-serve-svc:8000/proxy"


def test_object_and_time() -> None:
    found, time = reader({OBJECT: {"metadata": {}}})[0].rayservice()
    assert (found, time) == ({"metadata": {}}, 1795439773.0)


def test_no_object_is_told_from_no_kind() -> None:
    assert reader({OBJECT: failure(404)})[0].rayservice() == (None, None)
    with pytest.raises(ApiFailure, match="CRDs are not installed") as caught:
        reader({OBJECT: failure(404, "404 page not found\n")})[0].rayservice()
    assert caught.value.status == 404


def test_failures_carry_what_the_wait_needs() -> None:
    with pytest.raises(ApiFailure, match="no such thing") as caught:
        reader({OBJECT: failure(429, **{"Retry-After": "7"})})[0].rayservice()
    assert (caught.value.status, caught.value.retry_after) == (429, 7)
    with pytest.raises(ApiFailure, match="reset") as caught:
        reader({OBJECT: ProtocolError("connection reset")})[0].rayservice()
    assert (caught.value.status, caught.value.answer) == (None, None)


def test_through_the_service() -> None:
    look, client = reader({PROXY + "/infer?sentence=a%20b": '["hello"]', PROXY + "/x": failure(500, "boom")})
    assert look.get("infer?sentence=a b").excerpt() == {
        "status": 200,
        "headers": {"date": "Mon, 23 Nov 2026 13:16:13 GMT"},
        "body": '["hello"]',
    }
    assert client.requests[0][2]["header_params"] == {"Accept": "*/*"}
    answer = look.get("/x")
    assert (answer.status, answer.body) == (500, "boom")


def test_through_the_head() -> None:
    path = "/api/v1/namespaces/ns/pods/h:8265/proxy/api/serve/applications/"
    assert reader({path: {"applications": {}}})[0].served("h").json() == {"applications": {}}
    assert reader({path: failure(403)})[0].served("h").status == 403


def event(name: str, time: str, message: str) -> dict[str, Any]:
    return {"involvedObject": {"kind": "Pod", "name": name}, "reason": "Failed", "message": message, "lastTimestamp": time}


def test_warnings_are_about_the_service_and_the_newest_last() -> None:
    items = [
        event("mistral-x", "2", "b"),
        event("mistral", "1", "a"),
        event("mistral-x", "3", "b"),
        event("mistral2", "4", "other"),
        {"involvedObject": None, "eventTime": "5"},
    ]
    events = "/api/v1/namespaces/ns/events"
    assert reader({events: {"items": items}})[0].warnings() == ["Pod mistral: Failed: a", "Pod mistral-x: Failed: b"]
    assert reader({events: {"items": items[3:4]}})[0].warnings() == ["Pod mistral2: Failed: other"]


def test_the_previous_log_or_the_present_one() -> None:
    look, client = reader({"/api/v1/namespaces/ns/pods/p/log": failure(400)})
    assert look.previous_log("p", "c") == ""
    assert [dict(one[2]["query_params"]).get("previous") for one in client.requests] == ["true", None]


def test_a_kind_that_is_not_there_has_no_objects() -> None:
    cluster = Cluster(lambda: Client({"/apis/ray.io/v1/rayclusters": failure(404)}))
    assert cluster.rayclusters() == []
