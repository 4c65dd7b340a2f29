# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role network decides before it calls any module."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Render

OWNER = {"rayops.serve_ha/deployment": "mistral"}
ZONES = {
    "availability_zones": [
        {"zone_name": "us-west-2b", "zone_id": "usw2-az1"},
        {"zone_name": "us-west-2a", "zone_id": "usw2-az2"},
        {"zone_name": "us-west-2c", "zone_id": "usw2-az3"},
    ]
}


def vpc(zones: str = "us-west-2a us-west-2b", **change: Any) -> dict[str, Any]:
    return {
        "id": "vpc-1",
        "tags": OWNER | {"Name": "mistral", "rayops.serve_ha/zones": zones, "somebody": "else"},
        "enable_dns_support": True,
        "enable_dns_hostnames": True,
        "cidr_block_association_set": [
            {"cidr_block": "10.1.0.0/21", "cidr_block_state": {"state": "associated"}},
            {"cidr_block": "100.64.0.0/16", "cidr_block_state": {"state": "associated"}},
            {"cidr_block": "10.9.0.0/16", "cidr_block_state": {"state": "disassociated"}},
        ],
    } | change


def given(*vpcs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"network_name": "mistral", "network__vpcs": {"vpcs": list(vpcs)}, "network__zone_info": ZONES} | more


@pytest.mark.parametrize(
    ("more", "zones"),
    [
        ({}, ["us-west-2a", "us-west-2b"]),
        ({"network_zones": ["us-west-2c", "us-west-2a"]}, ["us-west-2c", "us-west-2a"]),
        ({"network_zones": ["usw2-az1", "usw2-az3"]}, ["us-west-2b", "us-west-2c"]),
        ({"network_zones": ["usw2-az1", "us-west-2a"]}, ["us-west-2b", "us-west-2a"]),
    ],
)
def test_zones_of_a_new_vpc(render: Render, more: dict[str, Any], zones: list[str]) -> None:
    assert render("network", "network__zones", **given(**more)) == zones
    assert render("network", "network__problems", **given(**more)) == []


def test_a_vpc_keeps_its_zones(render: Render) -> None:
    there = given(vpc("us-west-2c us-west-2b"), network_zones=["nowhere"])
    assert render("network", "network__zones", **there) == ["us-west-2c", "us-west-2b"]
    assert render("network", "network__problems", **there) == []


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (given(vpc(), vpc(id="vpc-2")), "More than one VPC has the tag"),
        (
            given(network__namesakes={"vpcs": [{"id": "vpc-9"}]}),
            "taken by vpc-9, which lacks the tag rayops.serve_ha/deployment=mistral.",
        ),
        (
            given(network_zones=["usw2-az9", "us-west-2a"]),
            "no zone usw2-az9, only us-west-2a, us-west-2b, us-west-2c, usw2-az1",
        ),
        (given(vpc(), network_cidr="10.2.0.0/21"), "vpc-1 has the range 10.1.0.0/21, but network_cidr is 10.2.0.0/21"),
    ],
)
def test_problems(render: Render, values: dict[str, Any], text: str) -> None:
    (problem,) = render("network", "network__problems", **values)
    assert text in problem


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({}, True),
        ({"enable_dns_hostnames": False}, False),
        ({"tags": OWNER | {"Name": "other", "rayops.serve_ha/zones": "us-west-2a us-west-2b"}}, False),
        ({"cidr_block_association_set": vpc()["cidr_block_association_set"][:1]}, False),
    ],
)
def test_a_vpc_that_is_right_is_let_be(render: Render, change: dict[str, Any], right: bool) -> None:
    assert render("network", "network__vpc_right", **given(vpc(**change))) is right


def test_no_vpc_is_not_right(render: Render) -> None:
    assert render("network", "network__vpc_right", **given()) is False


def test_the_deployment_is_named_by_its_tag(render: Render) -> None:
    tags = {"team": "a", "rayops.serve_ha/deployment": "one"}
    assert render("network", "network__filter", network_tags=tags) == {"tag:rayops.serve_ha/deployment": "one"}
    assert render("network", "network__tags", network_name="two") == {"rayops.serve_ha/deployment": "two"}


def inside(**more: Any) -> dict[str, Any]:
    """All subnets but the last were there; check mode would make the last."""
    blocks = ["10.1.2.0/26", "10.1.2.64/26", "10.1.0.0/24", "10.1.1.0/24", "100.64.0.0/17"]
    return given(
        vpc(),
        network__looked_subnets={"subnets": [{"cidr_block": block, "id": f"s{n}"} for n, block in enumerate(blocks)]},
        network__made={"results": [{"item": {"cidr": "100.64.128.0/17"}, "subnet": {}}]},
        network__igws={"internet_gateways": []},
        network__igw={"gateway_id": None},
        **more,
    )


def test_subnets_by_kind(render: Render) -> None:
    assert render("network", "[network__public, network__private, network__pod]", **inside()) == [
        ["s0", "s1"],
        ["s2", "s3"],
        ["s4", ""],
    ]


@pytest.mark.parametrize(("how", "subnets"), [("one_per_zone", ["s0", "s1"]), ("single", ["s0"])])
def test_nat_gateways_and_routes(render: Render, how: str, subnets: list[str]) -> None:
    values = inside(network_nat_gateways=how)
    gateways = render("network", "network__gateways", **values)
    assert [one["subnet_id"] for one in gateways] == subnets
    assert gateways[0]["name"] == "mistral-nat-us-west-2a"
    values["network__nat"] = {"gateways": [{"nat_gateway_id": f"nat-{n}"} for n in range(len(subnets))]}
    tables = render("network", "network__tables", **values)
    assert [(one["name"], one["subnet_ids"], one["gateway_id"]) for one in tables] == [
        ("mistral-public", ["s0", "s1"], ""),
        ("mistral-private-us-west-2a", ["s2", "s4"], "nat-0"),
        ("mistral-private-us-west-2b", ["s3"], f"nat-{len(subnets) - 1}"),
    ]
    assert tables[1]["tags"] == OWNER | {"Name": "mistral-private-us-west-2a"}


@pytest.mark.parametrize(
    ("attachments", "name", "right"),
    [(["vpc-1"], "mistral", True), ([], "mistral", False), (["vpc-1"], "other", False)],
)
def test_internet_gateway(render: Render, attachments: list[str], name: str, right: bool) -> None:
    gateway = {
        "internet_gateway_id": "igw-1",
        "attachments": [{"vpc_id": one} for one in attachments],
        "tags": OWNER | {"Name": name},
    }
    values = inside() | {"network__igws": {"internet_gateways": [gateway]}, "network__igw": {"skipped": True}}
    assert render("network", "network__igw_right", **values) is right
    assert render("network", "network__igw_id", **values) == "igw-1"


@pytest.mark.parametrize(
    ("pod", "there", "texts"),
    [
        (["s1", "s2"], True, []),
        (["s1"], True, ["two zones at least, and has them in us-west-2a"]),
        (["s1", "s2", "s9"], True, ["No subnets of vpc-1: s9."]),
        ([], True, ["has them in none"]),
        (["s1", "s2"], False, ["There is no VPC vpc-1", "No subnets of vpc-1", "in none"]),
    ],
)
def test_adoption(render: Render, pod: list[str], there: bool, texts: list[str]) -> None:
    subnets = [{"id": "s1", "availability_zone": "us-west-2a"}, {"id": "s2", "availability_zone": "us-west-2b"}]
    problems = render(
        "network",
        "network__adoption_problems",
        network_vpc_id="vpc-1",
        network_pod_subnet_ids=pod,
        network_public_subnet_ids=["s1"],
        network__vpcs={"vpcs": [vpc()] if there else []},
        network__vpc_subnets={"subnets": subnets if there else []},
    )
    assert len(problems) == len(texts)
    for problem, text in zip(problems, texts, strict=True):
        assert text in problem
