# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""More or fewer replicas, failover, events."""

from __future__ import annotations

import datetime

from emulator.elasticache import groups, members
from emulator.elasticache.common import Record, available_group, combination, invalid, now, page, record_event
from emulator.world import Call, answers


def _begin(call: Call) -> tuple[Record, int]:
    group = available_group(call)
    if not call.params["ApplyImmediately"]:
        raise combination("ApplyImmediately must be true.")
    return group, len(group["members"]) - 1


@answers("elasticache", "IncreaseReplicaCount")
def increase(call: Call) -> Record:
    group, replicas = _begin(call)
    wanted = call.params.get("NewReplicaCount", replicas)
    if wanted <= replicas or wanted > 5:
        raise invalid(
            f"NewReplicaCount must be greater than the current number of replicas, {replicas}, and at most 5."
        )
    group["status"] = "modifying"

    def end() -> None:
        if group["status"] == "modifying":
            zones = [member["zone"] for member in group["members"]]
            for configuration in call.params.get("ReplicaConfiguration", []):
                zones = configuration.get("PreferredAvailabilityZones", zones)
            while len(group["members"]) < wanted + 1:
                members.add(call, group, zones if len(zones) == wanted + 1 else [])
            group["status"] = "available"

    call.later("replication_group_replica", end)
    return {"ReplicationGroup": groups.shown(call, group)}


@answers("elasticache", "DecreaseReplicaCount")
def decrease(call: Call) -> Record:
    group, replicas = _begin(call)
    removed = call.params.get("ReplicasToRemove", [])
    wanted = call.params.get("NewReplicaCount", replicas - len(removed))
    if wanted >= replicas or wanted < 0:
        raise invalid(f"NewReplicaCount must be less than the current number of replicas, {replicas}.")
    groups.check_availability(wanted + 1, group["failover"], group["multi_az"])
    names = [member["id"] for member in group["members"][1:]]
    if unknown := set(removed) - set(names):
        raise invalid(f"Not replicas of this group: {', '.join(sorted(unknown))}")
    gone = removed or names[wanted:]
    group["status"] = "modifying"

    def end() -> None:
        if group["status"] == "modifying":
            members.remove(call, group, gone)
            group["status"] = "available"

    call.later("replication_group_replica", end)
    return {"ReplicationGroup": groups.shown(call, group)}


@answers("elasticache", "TestFailover")
def test_failover(call: Call) -> Record:
    group = available_group(call)
    if not group["failover"] or len(group["members"]) < 2:
        raise combination("Automatic failover must be enabled, with at least one replica.")
    group["members"].append(group["members"].pop(0))
    record_event(call, group["id"], "replication-group", f"Failover to {group['members'][0]['id']} completed")
    return {"ReplicationGroup": groups.shown(call, group)}


@answers("elasticache", "DescribeEvents")
def describe_events(call: Call) -> Record:
    """Events of the last hour, or of the wanted duration in minutes; newest last."""
    params = call.params
    since = now() - datetime.timedelta(minutes=params.get("Duration", 60))
    wanted = {
        "SourceIdentifier": params.get("SourceIdentifier"),
        "SourceType": params.get("SourceType"),
    }
    fitting = [
        event
        for event in call.store("events").get("all", [])
        if event["Date"] >= since and all(value in (None, event[key]) for key, value in wanted.items())
    ]
    found, marker = page(call, fitting)
    return {"Events": found, "Marker": marker}
