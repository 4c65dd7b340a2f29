# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of EC2's descriptions. ministack ignores those that it does not know; AWS refuses them, and so does this."""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass

from botocore import xform_name

from emulator.wire import AwsError
from emulator.world import AMENDMENTS, Call, answers

Record = dict[str, t.Any]


@dataclass(frozen=True)
class Description:
    """An operation's result list, and its filters: name -> path of members. Filters by tag are known to all."""

    items: str
    paths: dict[str, str]
    tags: str = "Tags"


DESCRIPTIONS = {
    "DescribeAddresses": Description(
        "Addresses",
        {
            "allocation-id": "AllocationId",
            "association-id": "AssociationId",
            "domain": "Domain",
            "network-interface-id": "NetworkInterfaceId",
            "public-ip": "PublicIp",
        },
    ),
    "DescribeAvailabilityZones": Description(
        "AvailabilityZones",
        {
            "opt-in-status": "OptInStatus",
            "region-name": "RegionName",
            "state": "State",
            "zone-id": "ZoneId",
            "zone-name": "ZoneName",
            "zone-type": "ZoneType",
        },
    ),
    "DescribeInternetGateways": Description(
        "InternetGateways",
        {
            "attachment.state": "Attachments.State",
            "attachment.vpc-id": "Attachments.VpcId",
            "internet-gateway-id": "InternetGatewayId",
        },
    ),
    "DescribeLaunchTemplates": Description("LaunchTemplates", {"launch-template-name": "LaunchTemplateName"}),
    "DescribeNatGateways": Description(
        "NatGateways",
        {"nat-gateway-id": "NatGatewayId", "state": "State", "subnet-id": "SubnetId", "vpc-id": "VpcId"},
    ),
    "DescribeNetworkInterfaces": Description(
        "NetworkInterfaces",
        {
            "attachment.instance-id": "Attachment.InstanceId",
            "description": "Description",
            "group-id": "Groups.GroupId",
            "interface-type": "InterfaceType",
            "network-interface-id": "NetworkInterfaceId",
            "requester-managed": "RequesterManaged",
            "status": "Status",
            "subnet-id": "SubnetId",
            "vpc-id": "VpcId",
        },
        tags="TagSet",
    ),
    "DescribeRouteTables": Description(
        "RouteTables",
        {
            "association.gateway-id": "Associations.GatewayId",
            "association.main": "Associations.Main",
            "association.route-table-association-id": "Associations.RouteTableAssociationId",
            "association.subnet-id": "Associations.SubnetId",
            "route-table-id": "RouteTableId",
            "route.nat-gateway-id": "Routes.NatGatewayId",
            "vpc-id": "VpcId",
        },
    ),
    "DescribeSecurityGroups": Description(
        "SecurityGroups",
        {
            "description": "Description",
            "group-id": "GroupId",
            "group-name": "GroupName",
            "ip-permission.group-id": "IpPermissions.UserIdGroupPairs.GroupId",
            "egress.ip-permission.group-id": "IpPermissionsEgress.UserIdGroupPairs.GroupId",
            "owner-id": "OwnerId",
            "vpc-id": "VpcId",
        },
    ),
    "DescribeSubnets": Description(
        "Subnets",
        {
            "availability-zone": "AvailabilityZone",
            "availability-zone-id": "AvailabilityZoneId",
            "cidr-block": "CidrBlock",
            "state": "State",
            "subnet-id": "SubnetId",
            "vpc-id": "VpcId",
        },
    ),
    "DescribeVolumes": Description(
        "Volumes",
        {
            "attachment.instance-id": "Attachments.InstanceId",
            "availability-zone": "AvailabilityZone",
            "status": "State",
            "volume-id": "VolumeId",
        },
    ),
    "DescribeVpcEndpoints": Description(
        "VpcEndpoints",
        {
            "service-name": "ServiceName",
            "vpc-endpoint-id": "VpcEndpointId",
            "vpc-endpoint-state": "State",
            "vpc-endpoint-type": "VpcEndpointType",
            "vpc-id": "VpcId",
        },
    ),
    "DescribeVpcPeeringConnections": Description(
        "VpcPeeringConnections",
        {
            "accepter-vpc-info.vpc-id": "AccepterVpcInfo.VpcId",
            "requester-vpc-info.vpc-id": "RequesterVpcInfo.VpcId",
            "status-code": "Status.Code",
        },
    ),
    "DescribeVpcs": Description(
        "Vpcs",
        {
            "cidr": "CidrBlock",
            "cidr-block": "CidrBlock",
            "cidr-block-association.cidr-block": "CidrBlockAssociationSet.CidrBlock",
            "is-default": "IsDefault",
            "owner-id": "OwnerId",
            "state": "State",
            "vpc-id": "VpcId",
        },
    ),
}


def values_at(item: t.Any, path: list[str]) -> list[t.Any]:
    """Everything at a path of members, through lists. Pure."""
    if isinstance(item, list):
        return [value for part in item for value in values_at(part, path)]
    if not path:
        return [] if item is None else [item]
    return values_at(item.get(path[0]), path[1:]) if isinstance(item, dict) else []


def _texts(description: Description, item: Record, name: str) -> list[str]:
    tags = {tag["Key"]: tag.get("Value", "") for tag in item.get(description.tags, [])}
    if name.startswith("tag:"):
        return [tags[name[4:]]] if name[4:] in tags else []
    if name == "tag-key":
        return list(tags)
    if name not in description.paths:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    found = values_at(item, description.paths[name].split("."))
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in found]


def fits(description: Description, item: Record, filters: list[Record]) -> bool:
    """Whether an item passes all filters; each filter's values are alternatives, with * and ? in them. Pure."""
    return all(
        any(
            fnmatch.fnmatchcase(text, pattern)
            for text in _texts(description, item, wanted["Name"])
            for pattern in wanted.get("Values", [])
        )
        for wanted in filters
    )


def look(call: Call, operation: str, **params: t.Any) -> list[Record]:
    """What is there, the emulator's own state in it, without filters."""
    found = call.ask("ec2", xform_name(operation), **params)
    found.pop("ResponseMetadata", None)
    found.pop("NextToken", None)
    amend = AMENDMENTS.get(("ec2", operation))
    return (amend(call, found) if amend else found)[DESCRIPTIONS[operation].items]


def select(call: Call, operation: str, name: str, value: str) -> list[Record]:
    """What is there and has this value in this filter."""
    description = DESCRIPTIONS[operation]
    wanted = [{"Name": name, "Values": [value]}]
    return [item for item in look(call, operation) if fits(description, item, wanted)]


@answers("ec2", *DESCRIPTIONS)
def describe(call: Call) -> Record:
    description = DESCRIPTIONS[call.operation]
    ours = ("Filters", "Filter", "MaxResults", "NextToken", "DryRun")
    params = {name: value for name, value in call.params.items() if name not in ours}
    filters = call.params.get("Filters", call.params.get("Filter", []))
    for wanted in filters:
        _texts(description, {}, wanted["Name"])
    return {
        description.items: [item for item in look(call, call.operation, **params) if fits(description, item, filters)]
    }
