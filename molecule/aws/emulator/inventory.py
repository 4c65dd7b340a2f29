# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the account, by kind: the last look of a teardown's test."""

from __future__ import annotations

import typing as t

from emulator.ec2.filters import DESCRIPTIONS, look
from emulator.ec2.nat import ENDED
from emulator.world import Call, World

#: What every account has.
AWS_OWN = ("AWSServiceRole", "default")
#: EC2's descriptions whose items are resources, and the member that names them.
EC2 = {
    "DescribeAddresses": "AllocationId",
    "DescribeInternetGateways": "InternetGatewayId",
    "DescribeLaunchTemplates": "LaunchTemplateName",
    "DescribeNatGateways": "NatGatewayId",
    "DescribeNetworkInterfaces": "NetworkInterfaceId",
    "DescribeRouteTables": "RouteTableId",
    "DescribeSecurityGroups": "GroupName",
    "DescribeSubnets": "SubnetId",
    "DescribeVolumes": "VolumeId",
    "DescribeVpcEndpoints": "VpcEndpointId",
    "DescribeVpcs": "VpcId",
}
#: Other services' listings: kind -> service, operation, parameters, result list, name's member (empty: the item itself).
LISTINGS: dict[str, tuple[str, str, dict[str, t.Any], str, str]] = {
    "autoscaling group": ("autoscaling", "describe_auto_scaling_groups", {}, "AutoScalingGroups", "AutoScalingGroupName"),
    "cache subnet group": (
        "elasticache", "describe_cache_subnet_groups", {}, "CacheSubnetGroups", "CacheSubnetGroupName",
    ),
    "event rule": ("events", "list_rules", {}, "Rules", "Name"),
    "instance profile": ("iam", "list_instance_profiles", {}, "InstanceProfiles", "InstanceProfileName"),
    "load balancer": ("elbv2", "describe_load_balancers", {}, "LoadBalancers", "LoadBalancerName"),
    "log group": ("logs", "describe_log_groups", {}, "logGroups", "logGroupName"),
    "policy": ("iam", "list_policies", {"Scope": "Local"}, "Policies", "PolicyName"),
    "queue": ("sqs", "list_queues", {}, "QueueUrls", ""),
    "role": ("iam", "list_roles", {}, "Roles", "RoleName"),
    "secret": ("secretsmanager", "list_secrets", {}, "SecretList", "Name"),
    "target group": ("elbv2", "describe_target_groups", {}, "TargetGroups", "TargetGroupName"),
}  # fmt: skip
#: The emulator's own stores of resources.
OURS = {
    "access_entries": "access entry",
    "addons": "add-on",
    "clusters": "cluster",
    "nodegroups": "node group",
    "parameter_groups": "cache parameter group",
    "pod_identities": "pod identity association",
    "replication_groups": "replication group",
}


def take(world: World, region: str) -> dict[str, list[str]]:
    """Kind -> names, without kinds of which there is nothing and without what AWS itself keeps in every account."""
    call = Call(world, "ec2", "", region, "", "", {})
    found = {
        kind: ["/".join(key) if isinstance(key, tuple) else key for key in call.store(name)]
        for name, kind in OURS.items()
    }
    for operation, member in EC2.items():
        kind = DESCRIPTIONS[operation].items
        found[kind] = [item[member] for item in look(call, operation) if not _default(operation, item, call)]
    for kind, (service, operation, params, items, member) in LISTINGS.items():
        listed = call.ask(service, operation, **params).get(items, [])
        found[kind] = [item[member] if member else item for item in listed]
    found["instance"] = _living_instances(call)
    found["key"] = _living_keys(call)
    aliases = call.ask("kms", "list_aliases")["Aliases"]
    found["key alias"] = [item["AliasName"] for item in aliases if item.get("TargetKeyId") in found["key"]]
    kept = {kind: [name for name in names if not name.startswith(AWS_OWN)] for kind, names in found.items()}
    return {kind: sorted(names) for kind, names in kept.items() if names}


def _living_instances(call: Call) -> list[str]:
    """Instances that have not ended: AWS shows those that have for an hour."""
    reservations = call.ask("ec2", "describe_instances")["Reservations"]
    instances = [instance for reservation in reservations for instance in reservation["Instances"]]
    return [instance["InstanceId"] for instance in instances if instance["State"]["Name"] != "terminated"]


def _living_keys(call: Call) -> list[str]:
    """KMS keys that are not waiting for their deletion, which AWS makes last a week at least."""
    names = [item["KeyId"] for item in call.ask("kms", "list_keys")["Keys"]]
    states = {name: call.ask("kms", "describe_key", KeyId=name)["KeyMetadata"]["KeyState"] for name in names}
    return [name for name, state in states.items() if state != "PendingDeletion"]


def _default(operation: str, item: dict[str, t.Any], call: Call) -> bool:
    """Whether it belongs to the default VPC, to a VPC by nature (main route table), or is gone but for its name."""
    if operation == "DescribeVpcs":
        return item.get("IsDefault", False)
    if item.get("State") in ENDED:
        return True
    if any(part.get("Main") for part in item.get("Associations", [])):
        return True
    default = {vpc["VpcId"] for vpc in look(call, "DescribeVpcs") if vpc.get("IsDefault")}
    vpcs = {item.get("VpcId"), *(part.get("VpcId") for part in item.get("Attachments", []))}
    return bool(default & vpcs)
