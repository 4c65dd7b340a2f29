# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as parameters: the reverse of botocore's serializers. Pure.

An unknown name is an error, as is whatever botocore's own validator refuses: what real AWS would refuse, or worse, ignore.
"""

from __future__ import annotations

import json
import re
import typing as t
import urllib.parse

from botocore.validate import ParamValidator

from emulator import models
from emulator.wire import AwsError

if t.TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

    from emulator.wire import Request

Tree = dict[str, t.Any]
#: Names in a form that are the protocol's, not the operation's, and those of a presigned URL.
ENVELOPE = re.compile(r"Action$|Version$|X-Amz-|AWSAccessKeyId$|Signature$|Expires$")


def read(model: OperationModel, request: Request) -> dict[str, t.Any]:
    """The parameters of a request as a boto3 user gave them; AwsError where they do not fit the model."""
    if model.input_shape is None:
        return {}
    kind = models.protocol(model)
    try:
        if kind in ("query", "ec2"):
            params = _Form(kind).structure(model.input_shape, _tree(request), "")
        elif kind == "json":
            params = _structure(model.input_shape.members, json.loads(request.body or b"{}"), "")
        elif kind == "rest-json":
            params = _rest(model, request)
        else:
            return {}
    except ValueError as error:
        raise AwsError("SerializationException", f"{model.name}: {error}") from error
    report = ParamValidator().validate(params, model.input_shape)
    if report.has_errors():
        raise AwsError("ValidationError", f"{model.name}: {report.generate_report()}")
    return params


def can_read(model: OperationModel | None) -> bool:
    return model is not None and models.protocol(model) in ("query", "ec2", "json", "rest-json")


def _name(shape: Shape, default: str) -> str:
    return shape.serialization.get("name", default)


def _scalar(shape: Shape, text: str) -> t.Any:
    if shape.type_name in ("integer", "long"):
        return int(text)
    if shape.type_name in ("float", "double"):
        return float(text)
    if shape.type_name == "boolean":
        if text not in ("true", "false"):
            raise ValueError(f"{text!r} is not a boolean")
        return text == "true"
    return text


# The query protocols: Tags.member.1.Key=a


def _tree(request: Request) -> Tree:
    """C(A.B.1=x) as C({"A": {"B": {"1": "x"}}})."""
    encoded = request.body.decode() if request.body else request.query
    tree: Tree = {}
    for key, value in urllib.parse.parse_qsl(encoded, keep_blank_values=True):
        if ENVELOPE.match(key):
            continue
        *parents, last = key.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return tree


class _Form:
    """Reader of the two query protocols, which differ in names and lists."""

    def __init__(self, kind: str) -> None:
        self.ec2 = kind == "ec2"

    def member_name(self, name: str, shape: Shape) -> str:
        if not self.ec2:
            return _name(shape, name)
        if "queryName" in shape.serialization:
            return shape.serialization["queryName"]
        given = _name(shape, name)
        return given[0].upper() + given[1:]

    def structure(self, shape: t.Any, tree: Tree, where: str) -> dict[str, t.Any]:
        names = {self.member_name(name, member): (name, member) for name, member in shape.members.items()}
        # A flattened list is called after its items.
        for name, member in shape.members.items():
            if not self.ec2 and member.type_name == "list" and member.serialization.get("flattened"):
                names[_name(member.member, self.member_name(name, member))] = (name, member)
        if unknown := sorted(tree.keys() - names.keys()):
            raise ValueError(f"unknown parameter {where}{unknown[0]}, must be one of: {', '.join(sorted(names))}")
        return {names[key][0]: self.value(names[key][1], value, f"{where}{key}.") for key, value in tree.items()}

    def value(self, shape: t.Any, value: t.Any, where: str) -> t.Any:
        if shape.type_name == "structure":
            return self.structure(shape, value or {}, where)
        if shape.type_name == "list":
            return self.items(shape, value, where)
        if shape.type_name == "map":
            return self.entries(shape, value, where)
        return _scalar(shape, value)

    def items(self, shape: t.Any, tree: t.Any, where: str) -> list[t.Any]:
        if tree == "":
            return []
        if not self.ec2 and not shape.serialization.get("flattened"):
            tree = tree[_name(shape.member, "member")] if _name(shape.member, "member") in tree else tree["member"]
        return [self.value(shape.member, tree[key], f"{where}{key}.") for key in sorted(tree, key=int)]

    def entries(self, shape: t.Any, tree: Tree, where: str) -> dict[str, t.Any]:
        tree = tree if shape.serialization.get("flattened") else tree["entry"]
        key_name, value_name = _name(shape.key, "key"), _name(shape.value, "value")
        return {
            tree[place][key_name]: self.value(shape.value, tree[place][value_name], f"{where}{place}.")
            for place in sorted(tree, key=int)
        }


# JSON


def _structure(members: t.Mapping[str, Shape], given: t.Any, where: str) -> dict[str, t.Any]:
    if not isinstance(given, dict):
        raise ValueError(f"{where or 'the body'} is not an object")
    names = {_name(member, name): (name, member) for name, member in members.items()}
    if unknown := sorted(given.keys() - names.keys()):
        raise ValueError(f"unknown parameter {where}{unknown[0]}, must be one of: {', '.join(sorted(names))}")
    return {
        names[key][0]: _value(names[key][1], value, f"{where}{key}.")
        for key, value in given.items()
        if value is not None
    }


def _value(shape: t.Any, given: t.Any, where: str) -> t.Any:
    """The value with its members' names as boto3 has them; of the wrong type as it is, for the validator to see."""
    if shape.type_name == "structure" and not shape.is_document_type:
        return _structure(shape.members, given, where)
    if shape.type_name == "list" and isinstance(given, list):
        return [_value(shape.member, item, where) for item in given]
    if shape.type_name == "map" and isinstance(given, dict):
        return {key: _value(shape.value, item, where) for key, item in given.items()}
    return given


def _rest(model: OperationModel, request: Request) -> dict[str, t.Any]:
    shape = t.cast("t.Any", model.input_shape)
    labels = models.uri_labels(model.http["requestUri"], request.path)
    query = urllib.parse.parse_qs(request.query, keep_blank_values=True)
    params: dict[str, t.Any] = {}
    for name, member in shape.members.items():
        place, key = member.serialization.get("location"), _name(member, name)
        if place == "uri" and key in labels:
            params[name] = _scalar(member, labels[key])
        elif place == "querystring" and key in query:
            values = query.pop(key)
            params[name] = values if member.type_name == "list" else _scalar(member, values[0])
        elif place == "header" and key.lower() in request.headers:
            params[name] = _scalar(member, request.headers[key.lower()])
    if query:
        raise ValueError(f"unknown parameter {sorted(query)[0]} in the URL")
    in_body = {name: member for name, member in shape.members.items() if "location" not in member.serialization}
    given = json.loads(request.body or b"{}")
    if payload := shape.serialization.get("payload"):
        return params | {payload: _value(shape.members[payload], given, "")}
    return params | _structure(in_body, given, "")
