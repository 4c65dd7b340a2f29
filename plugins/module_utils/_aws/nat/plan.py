# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NAT gateways and their addresses: what is, and what is to be done about it. Pure.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changed_tags, has_tags
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen

#: One that is there to stay; a failed one is deleted by AWS within an hour.
ALIVE = ("pending", "available")


@dataclass(frozen=True)
class Address:
    """An Elastic IP address. C(free) means that nothing uses it."""

    allocation_id: str
    free: bool
    tags: dict[str, str]

    @classmethod
    def of(cls, raw: dict[str, t.Any]) -> Address:
        """From an item of DescribeAddresses."""
        tags = boto3_tag_list_to_ansible_dict(raw.get("Tags", []))
        return cls(raw["AllocationId"], not raw.get("AssociationId"), tags)


@dataclass(frozen=True)
class Gateway:
    """A NAT gateway. C(reason) is AWS' own, if it failed."""

    id: str
    subnet_id: str
    state: str
    tags: dict[str, str]
    allocation_ids: tuple[str, ...] = ()
    public_ip: str = ""
    reason: str = ""

    @classmethod
    def of(cls, raw: dict[str, t.Any]) -> Gateway:
        """From an item of DescribeNatGateways, or what CreateNatGateway returns."""
        addresses = raw.get("NatGatewayAddresses", [])
        return cls(
            id=raw["NatGatewayId"],
            subnet_id=raw["SubnetId"],
            state=raw["State"],
            tags=boto3_tag_list_to_ansible_dict(raw.get("Tags", [])),
            allocation_ids=tuple(item["AllocationId"] for item in addresses if item.get("AllocationId")),
            public_ip=next((item["PublicIp"] for item in addresses if item.get("PublicIp")), ""),
            reason=": ".join(raw[key] for key in ("FailureCode", "FailureMessage") if raw.get(key)),
        )


@dataclass(frozen=True)
class Wanted:
    """A gateway that is asked for. C(subnet_id) is empty where the subnet is not there yet, which is so in check mode only."""

    name: str
    subnet_id: str


def place(wanted: list[Wanted], gateways: list[Gateway]) -> dict[str, Gateway]:
    """Name -> the gateway that is already there for it, by its subnet. Names without one are missing from the result."""
    alive = {one.subnet_id: one for one in reversed(gateways) if one.state in ALIVE}
    return {one.name: alive[one.subnet_id] for one in wanted if one.subnet_id in alive}


def foreign(placed: dict[str, Gateway], owner: dict[str, str]) -> list[str]:
    """What stands where a gateway of the owner is wanted, for a message."""
    return [f"{one.id} in {one.subnet_id}" for one in placed.values() if not has_tags(one.tags, owner)]


def unused(placed: dict[str, Gateway], gateways: list[Gateway], owner: dict[str, str]) -> list[str]:
    """Ids of the owner's other gateways."""
    used = {one.id for one in placed.values()}
    return sorted(one.id for one in gateways if one.state in ALIVE and one.id not in used and has_tags(one.tags, owner))


def free_address(name: str, addresses: list[Address], owner: dict[str, str]) -> Address | None:
    """An address that an earlier run has allocated for this gateway and did not come to use."""
    fitting = [one for one in addresses if one.free and one.tags.get("Name") == name and has_tags(one.tags, owner)]
    return fitting[0] if fitting else None


def retagged(
    placed: dict[str, Gateway],
    addresses: list[Address],
    tags: t.Callable[[str], dict[str, str]],
    purge: bool,
) -> dict[str, tuple[dict[str, str], list[str]]]:
    """Resource id -> tags to set and keys to remove, of the gateways that are there and of their addresses."""
    known = {one.allocation_id: one.tags for one in addresses}
    found = {}
    for name, one in placed.items():
        of_addresses = {key: known[key] for key in one.allocation_ids if key in known}
        for identity, current in {one.id: one.tags, **of_addresses}.items():
            to_set, to_remove, _after = changed_tags(current, tags(name), purge)
            if to_set or to_remove:
                found[identity] = (to_set, to_remove)
    return found


def releasable(addresses: list[Address], kept: list[Gateway], owner: dict[str, str]) -> list[str]:
    """Allocation ids of the owner's addresses but those of the gateways that stay."""
    in_use = {key for one in kept for key in one.allocation_ids}
    names = {one.tags.get("Name") for one in kept}
    return sorted(
        one.allocation_id
        for one in addresses
        if has_tags(one.tags, owner) and one.allocation_id not in in_use and one.tags.get("Name") not in names
    )


def judge_start(ids: list[str], gateways: list[Gateway]) -> Seen:
    """Whether all of these are available. One that AWS does not show yet is on its way; no other state leads there."""
    by_id = {one.id: one for one in gateways}
    states = {key: by_id[key].state if key in by_id else "not visible yet" for key in ids}
    text = ", ".join(f"{key} {state}" for key, state in states.items())
    dead = [by_id[key] for key, state in states.items() if state in ("failed", "deleting", "deleted")]
    if dead:
        reasons = "; ".join(f"{one.id} {one.state}" + (f": {one.reason}" if one.reason else "") for one in dead)
        return Seen("failed", f"{reasons}. What failed is no obstacle: mend the cause and run this again")
    return Seen("ready" if set(states.values()) <= {"available"} else "", text, [by_id.get(key) for key in ids])


def judge_end(ids: list[str], gateways: list[Gateway]) -> Seen:
    """Whether all of these are gone. A failed one holds nothing any more."""
    left = [one for one in gateways if one.id in ids and one.state not in ("deleted", "failed")]
    return Seen("" if left else "ready", ", ".join(f"{one.id} {one.state}" for one in left))
