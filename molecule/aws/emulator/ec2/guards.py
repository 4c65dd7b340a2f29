# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DependencyViolation: what cannot be deleted while something else needs it."""

from __future__ import annotations

import typing as t

from emulator.ec2.filters import select
from emulator.ec2.nat import ENDED
from emulator.wire import AwsError
from emulator.world import Call, guards


def _violation(kind: str, name: str, users: list[str]) -> AwsError:
    return AwsError(
        "DependencyViolation", f"The {kind} '{name}' has dependencies and cannot be deleted: {', '.join(users)}"
    )


def _interfaces(call: Call, name: str, value: str) -> list[str]:
    found = select(call, "DescribeNetworkInterfaces", name, value)
    return [f"{item['NetworkInterfaceId']} ({item.get('Description', '')})" for item in found]


def _living_gateways(call: Call, name: str, value: str) -> list[str]:
    found = select(call, "DescribeNatGateways", name, value)
    return [item["NatGatewayId"] for item in found if item["State"] not in ENDED]


@guards("ec2", "DeleteSecurityGroup")
def security_group(call: Call) -> None:
    group = call.params.get("GroupId", "")
    users = _interfaces(call, "group-id", group)
    for way in ("ip-permission.group-id", "egress.ip-permission.group-id"):
        users += [item["GroupId"] for item in select(call, "DescribeSecurityGroups", way, group)]
    if others := [user for user in users if user != group]:
        raise AwsError("DependencyViolation", f"resource {group} has a dependent object: {', '.join(others)}")


@guards("ec2", "DeleteSubnet")
def subnet(call: Call) -> None:
    name = call.params["SubnetId"]
    users = _interfaces(call, "subnet-id", name) + _living_gateways(call, "subnet-id", name)
    if users:
        raise _violation("subnet", name, users)


@guards("ec2", "DetachInternetGateway")
def internet_gateway(call: Call) -> None:
    vpc = call.params["VpcId"]
    if users := _living_gateways(call, "vpc-id", vpc):
        raise AwsError("DependencyViolation", f"Network {vpc} has some mapped public address(es): {', '.join(users)}")


@guards("ec2", "DeleteInternetGateway")
def attached_gateway(call: Call) -> None:
    name = call.params["InternetGatewayId"]
    for gateway in select(call, "DescribeInternetGateways", "internet-gateway-id", name):
        if gateway["Attachments"]:
            raise _violation("internetGateway", name, [part["VpcId"] for part in gateway["Attachments"]])


@guards("ec2", "DeleteRouteTable")
def route_table(call: Call) -> None:
    name = call.params["RouteTableId"]
    for table in select(call, "DescribeRouteTables", "route-table-id", name):
        if table["Associations"]:
            raise _violation("routeTable", name, [part.get("SubnetId", "main") for part in table["Associations"]])


@guards("ec2", "DeleteVpc")
def vpc(call: Call) -> None:
    name = call.params["VpcId"]

    def here(
        operation: str, member: str, way: str = "vpc-id", but: t.Callable[[t.Any], bool] | None = None
    ) -> list[str]:
        return [item[member] for item in select(call, operation, way, name) if but is None or not but(item)]

    users = [
        *here("DescribeSubnets", "SubnetId"),
        *_living_gateways(call, "vpc-id", name),
        *here("DescribeSecurityGroups", "GroupId", but=lambda item: item["GroupName"] == "default"),
        *here("DescribeRouteTables", "RouteTableId", but=lambda item: any(a.get("Main") for a in item["Associations"])),
        *here("DescribeInternetGateways", "InternetGatewayId", "attachment.vpc-id"),
        *here("DescribeVpcEndpoints", "VpcEndpointId", but=lambda item: item["State"] == "deleted"),
        *_interfaces(call, "vpc-id", name),
    ]
    if users:
        raise _violation("vpc", name, users)
    call.store("vpc_ranges").pop(name, None)
