# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The subnets and route tables of a deployment's own VPC: what is wanted, and what of it is not so yet. Pure.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import has_tags

#: EKS wants subnets of two zones; of the primary range an eighth each goes to the zones and one to all that is public.
ZONES = range(2, 7)


def parts(block: str, bits: int) -> list[str]:
    """The 2 ** C(bits) equal parts of an IPv4 range.

    Raises:
        ValueError: not a range, or parts smaller than /27, which AWS asks for where a load balancer lives.
    """
    network = ipaddress.IPv4Network(block)
    if network.prefixlen + bits > 27:
        raise ValueError(
            f"{block} is too small: its {2**bits} parts would be smaller than /27, which load balancers need"
        )
    return [str(part) for part in network.subnets(prefixlen_diff=bits)]


def wanted_subnets(
    zones: list[str], name: str, primary: str, secondary: str, tags: dict[str, str]
) -> list[dict[str, t.Any]]:
    """Three subnets a zone: public, private, and pod.

    The load balancer controller takes exactly one subnet a zone by tag, and so does Karpenter; so there is one of each:
    internet-facing load balancers live in the public subnets, internal ones in the private ones, whose addresses a peered
    network can reach, nodes and pods in the pod subnets, which have addresses in plenty and are of no meaning elsewhere.

    Args:
        zones: names of 2 to 6 zones; their order is that of the addresses, so it must never change.
        name: of the deployment; Karpenter looks for it.
        primary: range for public and private subnets, e.g. C(10.1.0.0/21): private /24, public /26.
        secondary: range for pod subnets, divided among the zones: halves for two, quarters for three or four.
        tags: of all subnets.

    Returns:
        A list of {name, kind, zone, cidr, tags}, by kind, in the order of C(zones).

    Raises:
        ValueError: a number of zones, or ranges, that cannot be.
    """
    if len(zones) not in ZONES or len(set(zones)) != len(zones):
        raise ValueError(
            f"{ZONES.start} to {ZONES.stop - 1} different zones are needed, not {', '.join(zones) or 'none'}"
        )
    if ipaddress.IPv4Network(primary).overlaps(ipaddress.IPv4Network(secondary)):
        raise ValueError(f"{primary} and {secondary} overlap")
    blocks = {
        # The private ones are the first eighths; the public ones come right after them, in parts a quarter of their size.
        "public": parts(primary, 5)[4 * len(zones) :],
        "private": parts(primary, 3),
        "pod": parts(secondary, (len(zones) - 1).bit_length()),
    }
    of_kind = {
        "public": {"kubernetes.io/role/elb": "1"},
        "private": {"kubernetes.io/role/internal-elb": "1"},
        "pod": {"karpenter.sh/discovery": name},
    }
    return [
        {
            "name": f"{name}-{kind}-{zone}",
            "kind": kind,
            "zone": zone,
            "cidr": block,
            "tags": tags | of_kind[kind] | {"Name": f"{name}-{kind}-{zone}"},
        }
        for kind in blocks
        for zone, block in zip(zones, blocks[kind], strict=False)
    ]


def subnets_to_apply(wanted: list[dict[str, t.Any]], found: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Those of C(wanted) that are missing or differ. Tags that somebody has added are no difference.

    Args:
        wanted: of wanted_subnets().
        found: C(subnets) of amazon.aws.ec2_vpc_subnet_info, of the one VPC.
    """
    by_range = {one["cidr_block"]: one for one in found}

    def right(one: dict[str, t.Any]) -> bool:
        there = by_range.get(one["cidr"])
        return bool(there) and has_tags(there["tags"], one["tags"]) and not there["map_public_ip_on_launch"]

    return [one for one in wanted if not right(one)]


def default_routes(table: dict[str, t.Any]) -> set[str]:
    """Where the routes of a table lead that somebody has made, but for those of endpoints; C(name) of what is not 0.0.0.0/0."""
    made = [one for one in table["routes"] if one["origin"] == "CreateRoute" and one.get("destination_cidr_block")]
    return {
        (one.get("nat_gateway_id") or one.get("gateway_id") or "something else")
        if one["destination_cidr_block"] == "0.0.0.0/0" and one["state"] == "active"
        else one["destination_cidr_block"]
        for one in made
    }


def tables_to_apply(
    wanted: list[dict[str, t.Any]], found: list[dict[str, t.Any]], owner: dict[str, str]
) -> list[dict[str, t.Any]]:
    """Those of C(wanted) that are missing or differ, with C(id), empty for a missing one.

    A table is that with the wanted name. If somebody has changed the name, it is the owner's one that these subnets use.

    Args:
        wanted: a list of {name, tags, subnet_ids, gateway_id}, the gateway being that of the one route, to 0.0.0.0/0.
        found: C(route_tables) of amazon.aws.ec2_vpc_route_table_info, of the one VPC.
        owner: tags that all tables of the owner have.
    """

    def used_by(table: dict[str, t.Any]) -> set[str]:
        return {one["subnet_id"] for one in table["associations"] if one.get("subnet_id")}

    def find(one: dict[str, t.Any]) -> dict[str, t.Any]:
        named = [table for table in found if table["tags"].get("Name") == one["name"]]
        owned = [table for table in found if has_tags(table["tags"], owner) and used_by(table) & set(one["subnet_ids"])]
        return (named + owned + [{}])[0]

    def right(one: dict[str, t.Any], table: dict[str, t.Any]) -> bool:
        return (
            bool(table)
            and has_tags(table["tags"], one["tags"])
            and used_by(table) == set(one["subnet_ids"])
            and default_routes(table) == {one["gateway_id"]}
        )

    return [one | {"id": find(one).get("id", "")} for one in wanted if not right(one, find(one))]
