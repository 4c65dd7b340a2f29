# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which subnets a VPC gets, and which of what it has is not as wanted."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.subnets import (
    subnets_to_apply,
    tables_to_apply,
    wanted_subnets,
)

OWNER = {"rayops.serve_ha/deployment": "mistral"}
PRIMARY, SECONDARY = "10.1.0.0/21", "100.64.0.0/16"


def wanted(zones: int = 2, primary: str = PRIMARY, secondary: str = SECONDARY) -> list[dict[str, Any]]:
    return wanted_subnets([f"us-west-2{letter}" for letter in "abcdefg"[:zones]], "mistral", primary, secondary, OWNER)


def ranges(kind: str, *args: Any) -> list[str]:
    return [one["cidr"] for one in wanted(*args) if one["kind"] == kind]


def test_two_zones_have_the_ranges_of_the_blueprint() -> None:
    assert ranges("private") == ["10.1.0.0/24", "10.1.1.0/24"]
    assert ranges("public") == ["10.1.2.0/26", "10.1.2.64/26"]
    assert ranges("pod") == ["100.64.0.0/17", "100.64.128.0/17"]


@pytest.mark.parametrize("zones", range(2, 7))
@pytest.mark.parametrize("primary", ["10.1.0.0/21", "172.16.0.0/16", "192.168.0.0/22"])
def test_subnets_never_overlap_and_lie_in_their_range(zones: int, primary: str) -> None:
    found = wanted(zones, primary)
    assert [one["zone"] for one in found] == [one["zone"] for one in found[:zones]] * 3
    networks = [ipaddress.ip_network(one["cidr"]) for one in found]
    for number, one in enumerate(networks):
        assert not any(one.overlaps(other) for other in networks[number + 1 :])
        home = SECONDARY if found[number]["kind"] == "pod" else primary
        assert one.subnet_of(ipaddress.ip_network(home))


def test_each_finds_its_own_subnet_by_tag_one_a_zone() -> None:
    for tag, kind in (
        ("kubernetes.io/role/elb", "public"),
        ("kubernetes.io/role/internal-elb", "private"),
        ("karpenter.sh/discovery", "pod"),
    ):
        assert [one["kind"] for one in wanted(3) if tag in one["tags"]] == [kind] * 3
    assert all(one["tags"].items() >= OWNER.items() and one["tags"]["Name"] == one["name"] for one in wanted())
    assert wanted()[4]["tags"]["karpenter.sh/discovery"] == "mistral"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((1,), "2 to 6 different zones are needed, not us-west-2a"),
        ((0,), "not none"),
        ((7,), "2 to 6"),
        ((2, "10.1.0.0/23"), "10.1.0.0/23 is too small"),
        ((2, "10.1.0.1/21"), "host bits"),
        ((2, PRIMARY, "100.64.0.0/27"), "100.64.0.0/27 is too small"),
        ((2, PRIMARY, "10.1.4.0/22"), "overlap"),
        ((2, "nonsense"), "nonsense"),
    ],
)
def test_what_cannot_be_is_refused(args: tuple[Any, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("/", "/")):
        wanted(*args)


def test_the_same_zone_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="different zones"):
        wanted_subnets(["a", "a"], "mistral", PRIMARY, SECONDARY, {})


def there(**change: Any) -> list[dict[str, Any]]:
    """All subnets as AWS shows them; C(change) is made to the first."""
    found = [
        {"cidr_block": one["cidr"], "tags": one["tags"] | {"somebody": "else"}, "map_public_ip_on_launch": False}
        for one in wanted()
    ]
    return [found[0] | change, *found[1:]]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, []),
        ({"cidr_block": "10.1.7.0/26"}, ["mistral-public-us-west-2a"]),
        ({"map_public_ip_on_launch": True}, ["mistral-public-us-west-2a"]),
        ({"tags": OWNER}, ["mistral-public-us-west-2a"]),
    ],
)
def test_subnets_that_differ(change: dict[str, Any], names: list[str]) -> None:
    assert [one["name"] for one in subnets_to_apply(wanted(), there(**change))] == names


def test_in_an_empty_vpc_all_subnets_are_missing() -> None:
    assert subnets_to_apply(wanted(), []) == wanted()


TABLE = {
    "name": "mistral-public",
    "tags": OWNER | {"Name": "mistral-public"},
    "subnet_ids": ["s1", "s2"],
    "gateway_id": "igw-1",
}


def route(destination: str | None, origin: str = "CreateRoute", state: str = "active", **target: str) -> dict[str, Any]:
    return {"destination_cidr_block": destination, "origin": origin, "state": state, "gateway_id": None} | target


LOCAL = route(PRIMARY, "CreateRouteTable", gateway_id="local")
OUT = route("0.0.0.0/0", gateway_id="igw-1")


def table(**change: Any) -> dict[str, Any]:
    return {
        "id": "rtb-1",
        "tags": TABLE["tags"] | {"somebody": "else"},
        "associations": [{"subnet_id": "s1"}, {"subnet_id": "s2"}],
        "routes": [LOCAL, OUT],
    } | change


MAIN = {"id": "rtb-main", "tags": {}, "associations": [{"main": True}], "routes": [LOCAL]}


@pytest.mark.parametrize(
    ("found", "id_"),
    [
        ([MAIN], ""),
        ([MAIN, table(tags={"Name": "mistral-public"})], "rtb-1"),
        ([MAIN, table(tags=OWNER | {"Name": "other"})], "rtb-1"),
        ([MAIN, table(tags={})], ""),
        ([table(associations=[{"subnet_id": "s1"}])], "rtb-1"),
        ([table(associations=[{"subnet_id": "s1"}, {"subnet_id": "s2"}, {"subnet_id": "s3"}])], "rtb-1"),
        ([table(routes=[LOCAL])], "rtb-1"),
        ([table(routes=[LOCAL, route("0.0.0.0/0", nat_gateway_id="nat-1")])], "rtb-1"),
        ([table(routes=[LOCAL, OUT | {"state": "blackhole"}])], "rtb-1"),
        ([table(routes=[LOCAL, OUT, route("192.168.0.0/16", gateway_id="igw-1")])], "rtb-1"),
    ],
    ids=[
        "missing", "owner's tag lost", "renamed", "somebody else's", "subnet lost", "subnet too many",
        "no route", "other way out", "black hole", "route too many",
    ],
)  # fmt: skip
def test_route_tables_that_differ(found: list[dict[str, Any]], id_: str) -> None:
    assert tables_to_apply([TABLE], found, OWNER) == [TABLE | {"id": id_}]


def test_a_route_to_an_endpoint_is_nobodys_business() -> None:
    endpoint = route(None, destination_prefix_list_id="pl-1", gateway_id="vpce-1")
    assert tables_to_apply([TABLE], [MAIN, table(routes=[LOCAL, OUT, endpoint])], OWNER) == []
