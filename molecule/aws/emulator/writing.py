# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results and errors as responses: the reverse of botocore's parsers. Pure.

A result is checked against the operation's output shape, so that the emulator cannot answer what AWS has no name for.
"""

from __future__ import annotations

import datetime
import json
import typing as t
import uuid
from xml.sax.saxutils import escape

from botocore.parsers import create_parser

from emulator import models
from emulator.wire import AwsError, Response

if t.TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

XML = {"content-type": "text/xml"}


def write(model: OperationModel, result: dict[str, t.Any]) -> Response:
    """A result as AWS sends it."""
    kind = models.protocol(model)
    if kind in ("query", "ec2"):
        body = "" if model.output_shape is None else _members(model.output_shape, result)
        return Response(200, _envelope(model, body, kind).encode(), XML)
    document = {} if model.output_shape is None else _json(model.output_shape, result)
    return Response(200, json.dumps(document).encode(), {"content-type": _json_type(model)})


def write_error(model: OperationModel | None, error: AwsError) -> Response:
    """An error as AWS sends it in the operation's protocol; JSON where that is not known."""
    kind = models.protocol(model) if model is not None else "json"
    request_id = str(uuid.uuid4())
    code, message = escape(error.code), escape(error.message)
    if kind == "ec2":
        text = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
        return Response(error.status, text.encode(), XML)
    if kind in ("query", "rest-xml"):
        party = "Receiver" if error.status >= 500 else "Sender"
        text = (
            f"<ErrorResponse><Error><Type>{party}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Response(error.status, text.encode(), XML)
    body = json.dumps({"__type": error.code, "message": error.message}).encode()
    headers = {"content-type": "application/json", "x-amzn-errortype": error.code, "x-amzn-requestid": request_id}
    return Response(error.status, body, headers)


def parse(model: OperationModel, response: Response) -> dict[str, t.Any]:
    """A response of ministack as boto3 would give it."""
    raw = {"status_code": response.status, "headers": response.headers, "body": response.body}
    parsed = create_parser(models.protocol(model)).parse(raw, model.output_shape)
    parsed.pop("ResponseMetadata", None)
    return parsed


def _json_type(model: OperationModel) -> str:
    version = model.metadata.get("jsonVersion", "1.1")
    return "application/json" if models.protocol(model) == "rest-json" else f"application/x-amz-json-{version}"


def _envelope(model: OperationModel, body: str, kind: str) -> str:
    request_id = str(uuid.uuid4())
    namespace = model.metadata.get("xmlNamespace", f"http://ec2.amazonaws.com/doc/{model.metadata['apiVersion']}/")
    if kind == "ec2":
        content = f"<requestId>{request_id}</requestId>{body}"
    else:
        wrapper = model.output_shape.serialization.get("resultWrapper") if model.output_shape is not None else None
        content = f"<{wrapper}>{body}</{wrapper}>" if wrapper else body
        content += f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    return f'<{model.name}Response xmlns="{namespace}">{content}</{model.name}Response>'


def _name(shape: Shape, default: str) -> str:
    return shape.serialization.get("name", default)


def _known(shape: t.Any, result: dict[str, t.Any]) -> None:
    if unknown := result.keys() - shape.members.keys():
        raise AssertionError(f"{shape.name} has no {sorted(unknown)}")


def _members(shape: t.Any, result: dict[str, t.Any]) -> str:
    _known(shape, result)
    return "".join(
        _element(member, _name(member, name), result[name])
        for name, member in shape.members.items()
        if result.get(name) is not None
    )


def _element(shape: t.Any, name: str, value: t.Any) -> str:
    if shape.type_name == "list":
        if shape.serialization.get("flattened"):
            return "".join(_element(shape.member, _name(shape.member, name), item) for item in value)
        item_name = _name(shape.member, "member")
        return f"<{name}>{''.join(_element(shape.member, item_name, item) for item in value)}</{name}>"
    if shape.type_name == "map":
        entries = "".join(
            f"<entry>{_element(shape.key, _name(shape.key, 'key'), key)}"
            f"{_element(shape.value, _name(shape.value, 'value'), item)}</entry>"
            for key, item in value.items()
        )
        return f"<{name}>{entries}</{name}>"
    text = _members(shape, value) if shape.type_name == "structure" else escape(_text(value))
    return f"<{name}>{text}</{name}>"


def _text(value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value)


def _json(shape: t.Any, value: t.Any) -> t.Any:
    if value is None:
        return None
    if shape.type_name == "structure":
        _known(shape, value)
        return {
            _name(member, name): _json(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if shape.type_name == "list":
        return [_json(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {key: _json(shape.value, item) for key, item in value.items()}
    return value.timestamp() if isinstance(value, datetime.datetime) else value
