# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secondary address ranges of VPCs."""

from __future__ import annotations

import ipaddress
import typing as t
import uuid

from emulator.ec2.filters import select
from emulator.wire import AwsError
from emulator.world import Call, amends, answers, guards

Record = dict[str, t.Any]


def ranges(call: Call, vpc: str) -> list[Record]:
    """The secondary ranges of a VPC, as CidrBlockAssociationSet has them."""
    return call.store("vpc_ranges").get(vpc, [])


def _all_ranges(call: Call, vpc: str) -> list[str]:
    found = call.ask("ec2", "describe_vpcs", VpcIds=[vpc])["Vpcs"][0]
    return [found["CidrBlock"], *(item["CidrBlock"] for item in ranges(call, vpc))]


@answers("ec2", "AssociateVpcCidrBlock")
def associate(call: Call) -> Record:
    vpc, wanted = call.params["VpcId"], call.params["CidrBlock"]
    if any(ipaddress.ip_network(wanted).overlaps(ipaddress.ip_network(taken)) for taken in _all_ranges(call, vpc)):
        raise AwsError("CidrConflict", f"The CIDR '{wanted}' conflicts with another of {vpc}")
    association = {
        "AssociationId": f"vpc-cidr-assoc-{uuid.uuid4().hex[:17]}",
        "CidrBlock": wanted,
        "CidrBlockState": {"State": "associated"},
    }
    call.store("vpc_ranges").setdefault(vpc, []).append(association)
    return {"VpcId": vpc, "CidrBlockAssociation": association | {"CidrBlockState": {"State": "associating"}}}


@answers("ec2", "DisassociateVpcCidrBlock")
def disassociate(call: Call) -> Record:
    wanted = call.params["AssociationId"]
    for vpc, found in call.store("vpc_ranges").items():
        for association in found:
            if association["AssociationId"] == wanted:
                found.remove(association)
                gone = association | {"CidrBlockState": {"State": "disassociating"}}
                return {"VpcId": vpc, "CidrBlockAssociation": gone}
    raise AwsError("InvalidVpcCidrBlockAssociationIdError.NotFound", f"The association '{wanted}' does not exist")


@amends("ec2", "DescribeVpcs")
def describe(call: Call, result: Record) -> Record:
    for vpc in result.get("Vpcs", []):
        vpc["CidrBlockAssociationSet"] = vpc.get("CidrBlockAssociationSet", []) + ranges(call, vpc["VpcId"])
    return result


@guards("ec2", "CreateSubnet")
def create_subnet(call: Call) -> None:
    vpc, wanted = call.params["VpcId"], ipaddress.ip_network(call.params["CidrBlock"])
    if not any(wanted.subnet_of(t.cast("t.Any", ipaddress.ip_network(taken))) for taken in _all_ranges(call, vpc)):
        raise AwsError("InvalidSubnet.Range", f"The CIDR '{wanted}' is invalid.")
    for subnet in select(call, "DescribeSubnets", "vpc-id", vpc):
        if wanted.overlaps(ipaddress.ip_network(subnet["CidrBlock"])):
            raise AwsError("InvalidSubnet.Conflict", f"The CIDR '{wanted}' conflicts with another subnet")
