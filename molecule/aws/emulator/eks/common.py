# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of EKS share: their stores, their errors, updates, pages."""

from __future__ import annotations

import datetime
import typing as t
import uuid
from collections.abc import Callable

from emulator.wire import AwsError
from emulator.world import Call, answers

Record = dict[str, t.Any]
#: Names of record members that are the emulator's own: never in an answer.
PRIVATE = "_"


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def public(record: Record) -> Record:
    """A record as the API shows it."""
    return {name: value for name, value in record.items() if not name.startswith(PRIVATE)}


def not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, 404)


def in_use(message: str) -> AwsError:
    return AwsError("ResourceInUseException", message, 409)


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def get_cluster(call: Call, name: str) -> Record:
    if name not in call.store("clusters"):
        raise not_found(f"No cluster found for name: {name}.")
    return call.store("clusters")[name]


def active_cluster(call: Call, name: str) -> Record:
    """The cluster, if something may be made in it now."""
    cluster = get_cluster(call, name)
    if cluster["status"] not in ("ACTIVE", "UPDATING"):
        raise AwsError("InvalidRequestException", f"Cluster '{name}' is not in ACTIVE status")
    return cluster


def of_cluster(call: Call, store: str, cluster: str) -> dict[tuple[str, str], Record]:
    """The records of a store that belong to a cluster; their keys are (cluster, name)."""
    return {key: record for key, record in call.store(store).items() if key[0] == cluster}


def page(call: Call, names: list[t.Any]) -> tuple[list[t.Any], str | None]:
    """One page of a listing, and the token of the next."""
    start = int(call.params.get("nextToken") or 0)
    end = start + call.params.get("maxResults", 100)
    return names[start:end], str(end) if end < len(names) else None


def role_trusts(call: Call, arn: str, service: str) -> bool:
    """Whether the role exists and may be assumed by the service."""
    role = call.found("iam", "get_role", RoleName=arn.rpartition("/")[2])
    return role is not None and service in str(role["Role"]["AssumeRolePolicyDocument"])


# Updates


def start_update(
    call: Call, record: Record, where: dict[str, str], kind: str, params: Record, seconds: str, end: Callable[[], None]
) -> Record:
    """Begin an update of the record: it is UPDATING until C(end) is run.

    Args:
        where: what the update belongs to: name of the cluster, and nodegroup or addon.
        params: the update's parameters, as DescribeUpdate lists them.
        seconds: the kind of change whose seconds it takes.
    """
    update = {
        "id": str(uuid.uuid4()),
        "status": "InProgress",
        "type": kind,
        "params": [{"type": name, "value": str(value)} for name, value in params.items()],
        "createdAt": now(),
        "errors": [],
        "_of": where,
    }
    call.store("updates")[update["id"]] = update
    record["status"] = "UPDATING"

    def finish() -> None:
        update["status"] = "Successful"
        if record["status"] == "UPDATING":
            end()
            record["status"] = "ACTIVE"

    call.later(seconds, finish)
    return {"update": public(update)}


def _place(params: Record) -> dict[str, str]:
    return {name: params[name] for name in ("name", "nodegroupName", "addonName") if name in params}


@answers("eks", "DescribeUpdate")
def describe_update(call: Call) -> Record:
    update = call.store("updates").get(call.params["updateId"])
    if update is None or update["_of"] != _place(call.params):
        raise not_found(f"No update found for ID: {call.params['updateId']}")
    return {"update": public(update)}


@answers("eks", "ListUpdates")
def list_updates(call: Call) -> Record:
    get_cluster(call, call.params["name"])
    ids = [key for key, update in call.store("updates").items() if update["_of"] == _place(call.params)]
    found, token = page(call, ids)
    return {"updateIds": found, "nextToken": token}
