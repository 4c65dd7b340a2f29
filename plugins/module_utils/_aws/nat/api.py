# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls of EC2 for NAT gateways and their addresses.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_specifications,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import paginate
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.nat.plan import Address, Gateway

#: An address that was allocated a moment ago and is not known yet, or whose gateway is gone but a moment.
PASSING_CODES = ("InvalidElasticIpID.NotFound", "InvalidIPAddress.InUse")


class NatErrors(AWSErrorHandler):
    """The error handlers for gateways and addresses: one that does not exist is missing."""

    @classmethod
    def _is_missing(cls) -> t.Any:
        return is_boto3_error_code(
            ["NatGatewayNotFound", "InvalidNatGatewayID.NotFound", "InvalidAllocationID.NotFound"]
        )


class NatApi:
    """Every method raises AnsibleAWSError for what AWS refuses."""

    def __init__(self, client: t.Any) -> None:
        self.client = client

    def gateways(self, filters: dict[str, list[str]]) -> list[Gateway]:
        """The gateways that fit all filters, e.g. C({"vpc-id": ["vpc-1"]})."""
        ask = NatErrors.list_error_handler("describe NAT gateways", [])(paginate)
        query = [{"Name": name, "Values": values} for name, values in filters.items()]
        return [Gateway.of(raw) for raw in ask(self.client, "describe_nat_gateways", "NatGateways", Filter=query)]

    def owned(self, owner: dict[str, str]) -> list[Gateway]:
        """The gateways with these tags, deleted ones too: AWS shows them for an hour."""
        return self.gateways({f"tag:{key}": [value] for key, value in owner.items()})

    def addresses(self) -> list[Address]:
        """All addresses of the region; there are few (5, before the quota is raised)."""
        ask = NatErrors.common_error_handler("describe Elastic IP addresses")(self.client.describe_addresses)
        return [Address.of(raw) for raw in ask(aws_retry=True)["Addresses"]]

    def allocate(self, tags: dict[str, str]) -> str:
        """A new address; its allocation id."""
        ask = NatErrors.common_error_handler("allocate an Elastic IP address")(self.client.allocate_address)
        specification = boto3_tag_specifications(tags, "elastic-ip")
        return ask(Domain="vpc", TagSpecifications=specification, aws_retry=True)["AllocationId"]

    def create(self, subnet_id: str, allocation_id: str, tags: dict[str, str]) -> Gateway:
        ask = NatErrors.common_error_handler(f"create a NAT gateway in {subnet_id}")(self.client.create_nat_gateway)
        specification = boto3_tag_specifications(tags, "natgateway")
        # One token for all retries of this request, or a second gateway would fail for want of the address.
        answer = ask(
            SubnetId=subnet_id,
            AllocationId=allocation_id,
            ClientToken=str(uuid.uuid4()),
            TagSpecifications=specification,
            aws_retry=True,
        )
        return Gateway.of(answer["NatGateway"])

    def delete(self, nat_gateway_id: str) -> None:
        """One that is gone already is no error."""
        ask = NatErrors.deletion_error_handler(f"delete NAT gateway {nat_gateway_id}")(self.client.delete_nat_gateway)
        ask(NatGatewayId=nat_gateway_id, aws_retry=True)

    def release(self, allocation_id: str) -> None:
        """One that is gone already is no error."""
        ask = NatErrors.deletion_error_handler(f"release Elastic IP address {allocation_id}")(
            self.client.release_address
        )
        ask(AllocationId=allocation_id, aws_retry=True)

    def tag(self, identity: str, tags: dict[str, str], keys: list[str]) -> None:
        """Set C(tags), remove those with C(keys)."""
        if tags:
            ask = NatErrors.common_error_handler(f"set tags of {identity}")(self.client.create_tags)
            ask(Resources=[identity], Tags=ansible_dict_to_boto3_tag_list(tags), aws_retry=True)
        if keys:
            ask = NatErrors.common_error_handler(f"remove tags of {identity}")(self.client.delete_tags)
            ask(Resources=[identity], Tags=[{"Key": key} for key in keys], aws_retry=True)
