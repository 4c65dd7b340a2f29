# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags end with what they are on; ministack keeps them."""

from __future__ import annotations

import typing as t

from emulator.world import Call, amends

Record = dict[str, t.Any]

#: Operation -> the parameter that names what it takes away.
DELETIONS = {
    "DeleteInternetGateway": "InternetGatewayId",
    "DeleteNetworkInterface": "NetworkInterfaceId",
    "DeleteRouteTable": "RouteTableId",
    "DeleteSecurityGroup": "GroupId",
    "DeleteSubnet": "SubnetId",
    "DeleteVolume": "VolumeId",
    "DeleteVpc": "VpcId",
    "ReleaseAddress": "AllocationId",
}


def forget(call: Call, name: str) -> None:
    """Take all tags off a resource that is gone."""
    query = [{"Name": "resource-id", "Values": [name]}]
    tags = [{"Key": tag["Key"]} for tag in call.ask("ec2", "describe_tags", Filters=query)["Tags"]]
    if tags:
        call.ask("ec2", "delete_tags", Resources=[name], Tags=tags)


@amends("ec2", *DELETIONS)
def forget_deleted(call: Call, result: Record) -> Record:
    name = call.params.get(DELETIONS[call.operation])
    if name:
        forget(call, name)
    return result
