# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What carries the deployment's tags, and does exist. Reads only.

EC2 is asked itself, as it knows at once. All else comes from the Resource Groups Tagging API, which goes on telling for a
while what is deleted already; what it names is looked up.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import re
import typing as t

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # Handled by AnsibleAWSModule

from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import ownership
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code, paginate
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.permissions import told

#: Records of what was asked for. They stay for days, cost nothing, and what they led to has tags of its own.
RECORDS = ("fleet", "spot-instances-request")
#: Types that EC2 tells of after their end: operation, key of the answer, names of the filters by id and by state, the states of
#: what has not ended, and the ids in the answer.
ENDING: dict[str, tuple[str, str, tuple[str, str], list[str], t.Callable[[dict[str, t.Any]], list[str]]]] = {
    "instance": (
        "describe_instances",
        "Reservations",
        ("instance-id", "instance-state-name"),
        ["pending", "running", "shutting-down", "stopping", "stopped"],
        lambda reservation: [instance["InstanceId"] for instance in reservation["Instances"]],
    ),
    "natgateway": (
        "describe_nat_gateways",
        "NatGateways",
        ("nat-gateway-id", "state"),
        ["pending", "available", "deleting"],
        lambda gateway: [gateway["NatGatewayId"]],
    ),
    "vpc-endpoint": (
        "describe_vpc_endpoints",
        "VpcEndpoints",
        ("vpc-endpoint-id", "vpc-endpoint-state"),
        ["pendingAcceptance", "pending", "available", "deleting", "rejected", "failed"],
        lambda endpoint: [endpoint["VpcEndpointId"]],
    ),
}
#: Services whose resources have a type that ownership can look up, and how their ARNs end.
NAMED = {
    ("eks", "cluster"): "eks:cluster",
    # What is in a cluster goes with it: the name that follows is the cluster's.
    ("eks", "nodegroup"): "eks:cluster",
    ("eks", "addon"): "eks:cluster",
    ("eks", "access-entry"): "eks:cluster",
    ("eks", "podidentityassociation"): "eks:cluster",
    ("elasticache", "replicationgroup"): "elasticache:replicationgroup",
    ("elasticache", "subnetgroup"): "elasticache:subnetgroup",
    ("elasticache", "parametergroup"): "elasticache:parametergroup",
    ("events", "rule"): "events:rule",
    ("logs", "log-group"): "logs:log-group",
    ("sqs", ""): "sqs:queue",
}


def split_arn(arn: str) -> tuple[str, str, str]:
    """Service, type and the rest of an ARN: C(arn:aws:eks:r:1:nodegroup/a/b/c) -> C(eks), C(nodegroup), C(a/b/c).

    A resource without a type, such as a queue, has an empty one.
    """
    service, resource = arn.split(":", 5)[2::3]
    kind, separator, rest = re.fullmatch(r"([^:/]*)([:/]?)(.*)", resource).groups()
    return (service, kind, rest) if separator else (service, "", resource)


def _secret(client: t.Any, arn: str, _rest: str) -> bool:
    """Not one that is to be deleted: AWS keeps it for 7 to 30 days."""
    return "DeletedDate" not in client.describe_secret(SecretId=arn, aws_retry=True)


def _key(client: t.Any, arn: str, _rest: str) -> bool:
    """Not one that is to be deleted: AWS keeps it for 7 to 30 days."""
    return not client.describe_key(KeyId=arn, aws_retry=True)["KeyMetadata"]["KeyState"].startswith("Pending")


def _cache_cluster(client: t.Any, _arn: str, rest: str) -> bool:
    return bool(client.describe_cache_clusters(CacheClusterId=rest, aws_retry=True)["CacheClusters"])


def _load_balancer(client: t.Any, arn: str, _rest: str) -> bool:
    return bool(client.describe_load_balancers(LoadBalancerArns=[arn], aws_retry=True)["LoadBalancers"])


def _target_group(client: t.Any, arn: str, _rest: str) -> bool:
    return bool(client.describe_target_groups(TargetGroupArns=[arn], aws_retry=True)["TargetGroups"])


def _part_of_a_balancer(_client: t.Any, _arn: str, _rest: str) -> bool:
    """Goes with its load balancer, which is told of too."""
    return False


LOOKUPS: dict[tuple[str, str], t.Callable[[t.Any, str, str], bool]] = {
    ("elasticache", "cluster"): _cache_cluster,
    ("elasticloadbalancing", "listener"): _part_of_a_balancer,
    ("elasticloadbalancing", "listener-rule"): _part_of_a_balancer,
    ("elasticloadbalancing", "loadbalancer"): _load_balancer,
    ("elasticloadbalancing", "targetgroup"): _target_group,
    ("kms", "key"): _key,
    ("secretsmanager", "secret"): _secret,
}
GONE = (
    "CacheClusterNotFound",
    "CacheClusterNotFoundFault",
    "LoadBalancerNotFound",
    "NotFoundException",
    "ResourceNotFoundException",
    "TargetGroupNotFound",
)


def _exists(clients: ownership.Clients, arn: str) -> bool:
    """Whether what the tagging API names is there still. What cannot be looked up is believed."""
    service, kind, rest = split_arn(arn)
    if (service, kind) in NAMED:
        name = rest.split("/")[0] if service == "eks" else rest
        return ownership.find(clients, NAMED[service, kind], name) is not None
    if (service, kind) not in LOOKUPS:
        return True
    client = clients("elbv2" if service == "elasticloadbalancing" else service)
    with told(f"look up {arn}", client.meta.service_model.service_name):
        try:
            return LOOKUPS[service, kind](client, arn, rest)
        except ClientError as error:
            if error_code(error) in GONE:
                return False
            raise


def _in_ec2(clients: ownership.Clients, tags: dict[str, str]) -> list[tuple[str, str]]:
    """(id, type) of what carries all tags in EC2 and has not ended."""
    client = clients("ec2")
    each = []
    for key, value in tags.items():
        query = [{"Name": "key", "Values": [key]}, {"Name": "value", "Values": [value]}]
        each.append(
            {tag["ResourceId"]: tag["ResourceType"] for tag in paginate(client, "describe_tags", "Tags", Filters=query)}
        )
    found = {
        identity: kind
        for identity, kind in each[0].items()
        if kind not in RECORDS and all(identity in some for some in each)
    }
    for kind, (operation, answer, (by_id, by_state), states, ids_of) in ENDING.items():
        ids = [identity for identity, its in found.items() if its == kind]
        if ids:
            query = [{"Name": by_id, "Values": ids}, {"Name": by_state, "Values": states}]
            parameter = "Filter" if kind == "natgateway" else "Filters"
            there = [one for item in paginate(client, operation, answer, **{parameter: query}) for one in ids_of(item)]
            found = {identity: its for identity, its in found.items() if its != kind or identity in there}
    return list(found.items())


def find(clients: ownership.Clients, tags: dict[str, str]) -> list[tuple[str, str]]:
    """(id or ARN, what it is) of everything that carries all tags and exists.

    Raises:
        AnsibleAWSError: AWS does not tell.
    """
    with told("look for what carries the tags", "ec2"):
        found = _in_ec2(clients, tags)
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    with told("look for what carries the tags", "resourcegroupstaggingapi"):
        api = clients("resourcegroupstaggingapi")
        mappings = paginate(api, "get_resources", "ResourceTagMappingList", TagFilters=filters)
    for arn in sorted(mapping["ResourceARN"].removesuffix(":*") for mapping in mappings):
        service, kind, _rest = split_arn(arn)
        if service != "ec2" and _exists(clients, arn):
            found.append((arn, f"{service}:{kind}".rstrip(":")))
    return found
