# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NAT gateways that take their time, and the addresses they hold."""

from __future__ import annotations

import typing as t

from emulator.wire import AwsError
from emulator.world import Call, amends, guards

Record = dict[str, t.Any]
#: States of a gateway that is nothing but a name, which AWS shows for an hour.
ENDED = ("deleted", "failed")


def _shown(call: Call, gateway: Record) -> Record:
    """A gateway of ministack with its address and the state it has reached."""
    known = call.store("nat_gateways").get(gateway["NatGatewayId"])
    if known is None:
        return gateway
    address = {"AllocationId": known["allocation"], "Status": "succeeded", "IsPrimary": True}
    if known["public_ip"]:
        address["PublicIp"] = known["public_ip"]
    shown = gateway | {"State": known["state"], "NatGatewayAddresses": [address] if known["allocation"] else []}
    return shown | known["failure"]


@guards("ec2", "CreateNatGateway")
def before_create(call: Call) -> None:
    allocation = call.params.get("AllocationId")
    if allocation and allocation in held_allocations(call):
        raise AwsError("Resource.AlreadyAssociated", f"Elastic IP address [{allocation}] is already associated")
    if allocation and call.found("ec2", "describe_addresses", AllocationIds=[allocation]) is None:
        raise AwsError("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist")


@amends("ec2", "CreateNatGateway")
def create(call: Call, result: Record) -> Record:
    allocation = call.params.get("AllocationId", "")
    known: Record = {"state": "pending", "allocation": allocation, "public_ip": "", "failure": {}}
    if allocation:
        known["public_ip"] = call.ask("ec2", "describe_addresses", AllocationIds=[allocation])["Addresses"][0][
            "PublicIp"
        ]
    call.store("nat_gateways")[result["NatGateway"]["NatGatewayId"]] = known

    failure = call.doom("ec2:natgateway")

    def made() -> None:
        if known["state"] == "pending":
            known["state"] = "failed" if failure else "available"
            if failure:
                known["failure"] = {"FailureCode": failure[0], "FailureMessage": failure[1]}

    call.later("nat_gateway_create", made)
    return result | {"NatGateway": _shown(call, result["NatGateway"])}


@amends("ec2", "DescribeNatGateways")
def describe(call: Call, result: Record) -> Record:
    return result | {"NatGateways": [_shown(call, gateway) for gateway in result.get("NatGateways", [])]}


@amends("ec2", "DeleteNatGateway")
def delete(call: Call, result: Record) -> Record:
    known = call.store("nat_gateways").get(call.params["NatGatewayId"])
    if known is not None:
        known["state"] = "deleting"

        def gone() -> None:
            known.update(state="deleted")

        call.later("nat_gateway_delete", gone)
    return result


def held_allocations(call: Call) -> set[str]:
    return {known["allocation"] for known in call.store("nat_gateways").values() if known["state"] not in ENDED}


@guards("ec2", "ReleaseAddress")
def release(call: Call) -> None:
    if call.params.get("AllocationId") in held_allocations(call):
        raise AwsError(
            "InvalidIPAddress.InUse",
            f"The address with allocation id '{call.params['AllocationId']}' cannot be released because it is locked to a NAT"
            " gateway",
        )


@amends("ec2", "DescribeAddresses")
def describe_addresses(call: Call, result: Record) -> Record:
    for address in result.get("Addresses", []):
        if address.get("AllocationId") in held_allocations(call):
            address["AssociationId"] = "eipassoc-" + address["AllocationId"].partition("-")[2]
    return result
