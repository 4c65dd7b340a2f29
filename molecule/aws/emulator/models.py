# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which service and operation a request is for, by botocore's own models."""

from __future__ import annotations

import functools
import re
import typing as t
import urllib.parse
from dataclasses import dataclass

import botocore.session

if t.TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel

    from emulator.wire import Request

#: Names that requests are signed with, where they are not the names of botocore's clients.
SIGNING_NAMES = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "tagging": "resourcegroupstaggingapi",
}
#: API versions of services that share a signing name with another.
API_VERSIONS = {("elbv2", "2012-06-01"): "elb"}
CREDENTIAL = re.compile(r"Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True)
class Identity:
    """Where a request goes. C(operation) is empty, and C(model) none, where the models do not tell."""

    service: str
    operation: str
    region: str
    access_key: str
    model: OperationModel | None


@functools.cache
def service_model(service: str) -> ServiceModel | None:
    session = botocore.session.get_session()
    return session.get_service_model(service) if service in session.get_available_services() else None


def protocol(model: OperationModel) -> str:
    return model.service_model.resolved_protocol


def identify(request: Request, default_region: str) -> Identity:
    """The request's service, operation, region and access key."""
    access_key, region, signed_for = _scope(request)
    service = SIGNING_NAMES.get(signed_for, signed_for)
    form = _form(request)
    service = API_VERSIONS.get((service, form.get("Version", "")), service)
    models = service_model(service) if service else None
    operation = _operation(request, form, models)
    known = models is not None and operation in models.operation_names
    return Identity(
        service,
        operation,
        region or default_region,
        access_key,
        models.operation_model(operation) if models is not None and known else None,
    )


def _scope(request: Request) -> tuple[str, str, str]:
    """Access key, region and service that the request is signed with; empty if it is not signed."""
    match = CREDENTIAL.search(request.headers.get("authorization", ""))
    if not match:
        query = dict(urllib.parse.parse_qsl(request.query))
        match = CREDENTIAL.search("Credential=" + query.get("X-Amz-Credential", ""))
    return (match[1], match[3], match[4]) if match else ("", "", "")


def _form(request: Request) -> dict[str, str]:
    """Action and Version of the query protocols, from the body or, presigned, from the URL."""
    encoded = request.query
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        encoded = request.body.decode(errors="replace")
    return dict(urllib.parse.parse_qsl(encoded, keep_blank_values=True))


def _operation(request: Request, form: dict[str, str], models: ServiceModel | None) -> str:
    if "x-amz-target" in request.headers:
        return request.headers["x-amz-target"].rpartition(".")[2]
    if "smithy-protocol" in request.headers:
        return request.path.rpartition("/")[2]
    if "Action" in form:
        return form["Action"]
    if models is not None and models.resolved_protocol == "rest-json":
        return next((name for method, pattern, name in _routes(models) if _fits(request, method, pattern)), "")
    return ""


def _fits(request: Request, method: str, pattern: re.Pattern[str]) -> bool:
    return method == request.method and pattern.fullmatch(request.path.rstrip("/") or "/") is not None


@functools.cache
def _routes(models: ServiceModel) -> list[tuple[str, re.Pattern[str], str]]:
    """Method, path and name of each operation; paths with fewer labels first, as C(/x/versions) beats C(/x/{name})."""
    routes = []
    for name in models.operation_names:
        http = models.operation_model(name).http
        routes.append((http["requestUri"].count("{"), http["method"], uri_pattern(http["requestUri"]), name))
    return [route[1:] for route in sorted(routes, key=lambda route: (route[0], route[3]))]


@functools.cache
def uri_pattern(template: str) -> re.Pattern[str]:
    """C(/clusters/{name}/tags/{arn+}) as a regular expression with its labels as groups, by place.

    A label's value may hold an encoded slash, never a plain one; only the greedy kind (C(+)) may.
    """
    path = template.partition("?")[0].rstrip("/") or "/"
    parts = re.split(r"\{([^}]+)\}", path)
    pattern = ""
    for place, part in enumerate(parts):
        pattern += re.escape(part) if place % 2 == 0 else "(.+)" if part.endswith("+") else "([^/]+)"
    return re.compile(pattern)


def uri_labels(template: str, path: str) -> dict[str, str]:
    """The labels' values in a path that fits the template, decoded."""
    names = [name.rstrip("+") for name in re.findall(r"\{([^}]+)\}", template.partition("?")[0])]
    match = uri_pattern(template).fullmatch(path.rstrip("/") or "/")
    return dict(zip(names, map(urllib.parse.unquote, match.groups()), strict=True)) if match else {}
