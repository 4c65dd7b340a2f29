# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network interfaces that AWS' services hold in the customer's subnets: they keep subnets and security groups in use."""

from __future__ import annotations

import typing as t

from emulator.wire import AwsError
from emulator.world import Call, amends, guards

Record = dict[str, t.Any]


def make_interface(call: Call, subnet: str, groups: list[str], description: str) -> str:
    """A network interface in use until its service deletes it. Its id."""
    interface = call.ask("ec2", "create_network_interface", SubnetId=subnet, Groups=groups, Description=description)[
        "NetworkInterface"
    ]["NetworkInterfaceId"]
    call.store("held_interfaces")[interface] = description
    return interface


def delete_interfaces(call: Call, interfaces: list[str]) -> None:
    for interface in interfaces:
        call.store("held_interfaces").pop(interface, None)
        call.found("ec2", "delete_network_interface", NetworkInterfaceId=interface)


@amends("ec2", "DescribeNetworkInterfaces")
def describe(call: Call, result: Record) -> Record:
    return {"NetworkInterfaces": [_shown(call, interface) for interface in result.get("NetworkInterfaces", [])]}


def _shown(call: Call, interface: Record) -> Record:
    if interface["NetworkInterfaceId"] not in call.store("held_interfaces"):
        return interface
    attachment = {"InstanceOwnerId": "amazon-aws", "Status": "attached", "DeleteOnTermination": True}
    return interface | {"Status": "in-use", "RequesterManaged": True, "Attachment": attachment}


@guards("ec2", "DeleteNetworkInterface")
def delete(call: Call) -> None:
    name = call.params["NetworkInterfaceId"]
    if name in call.store("held_interfaces"):
        raise AwsError("InvalidParameterValue", f"Network interface '{name}' is currently in use.")
