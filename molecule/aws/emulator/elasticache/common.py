# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of ElastiCache share."""

from __future__ import annotations

import datetime
import typing as t

from emulator.wire import AwsError
from emulator.world import Call

Record = dict[str, t.Any]
#: What the API answers of 7.1 and its like: engine versions are asked for as major.minor, and shown with the patch.
FULL_VERSIONS = {
    "6.2": "6.2.6",
    "7.0": "7.0.7",
    "7.1": "7.1.0",
    "7.2": "7.2.6",
    "8.0": "8.0.1",
    "8.1": "8.1.0",
    "8.2": "8.2.0",
}


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)


def get_group(call: Call, name: str) -> Record:
    """A replication group; names are lower case whatever the caller wrote."""
    group = call.store("replication_groups").get(name.lower())
    if group is None:
        raise AwsError("ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found.", 404)
    return group


def available_group(call: Call) -> Record:
    group = get_group(call, call.params["ReplicationGroupId"])
    if group["status"] != "available":
        raise AwsError(
            "InvalidReplicationGroupState",
            f"Replication group {group['id']} is not in available state: {group['status']}",
        )
    return group


def record_event(call: Call, name: str, kind: str, message: str) -> None:
    event = {"SourceIdentifier": name, "SourceType": kind, "Message": message, "Date": now()}
    call.store("events").setdefault("all", []).append(event)


def arn(call: Call, kind: str, name: str) -> str:
    return f"arn:aws:elasticache:{call.region}:{call.account}:{kind}:{name}"


def endpoint(call: Call, name: str, group: Record) -> Record:
    """The configured Redis, or a name as AWS would give it."""
    config = call.world.config["elasticache"]
    if config["host"]:
        return {"Address": config["host"], "Port": config["port" if group["tls"] else "plain_port"]}
    kind = "rg" if group["tls"] else "ng"
    return {"Address": f"{name}.{group['id']}.{kind}.0001.usw2.cache.amazonaws.com", "Port": group["port"]}


def page(call: Call, found: list[Record], limit: int = 100) -> tuple[list[Record], str | None]:
    start = int(call.params.get("Marker") or 0)
    end = start + call.params.get("MaxRecords", limit)
    return found[start:end], str(end) if end < len(found) else None
