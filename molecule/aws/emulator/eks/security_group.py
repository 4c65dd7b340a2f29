# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster security group that EKS makes in the customer's VPC."""

from __future__ import annotations

import uuid

from emulator.ec2.filters import select
from emulator.ec2.tags import forget
from emulator.world import Call


def make(call: Call, cluster: str, vpc_id: str, tags: dict[str, str]) -> str:
    """The cluster security group, tagged as EKS tags it; its id."""
    name = f"eks-cluster-sg-{cluster}-{uuid.uuid4().int % 10**9}"
    all_tags = {
        **tags,
        "Name": name,
        "aws:eks:cluster-name": cluster,
        f"kubernetes.io/cluster/{cluster}": "owned",
    }
    group = call.ask(
        "ec2",
        "create_security_group",
        GroupName=name,
        Description="EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as"
        " well as any managed workloads.",
        VpcId=vpc_id,
        TagSpecifications=[
            {"ResourceType": "security-group", "Tags": [{"Key": key, "Value": all_tags[key]} for key in all_tags]}
        ],
    )["GroupId"]
    call.ask(
        "ec2",
        "authorize_security_group_ingress",
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}],
    )
    return group


def delete(call: Call, group: str) -> None:
    """Delete it if nothing uses it any more; like EKS, leave it behind otherwise."""
    if not select(call, "DescribeNetworkInterfaces", "group-id", group):
        call.found("ec2", "delete_security_group", GroupId=group)
        forget(call, group)
