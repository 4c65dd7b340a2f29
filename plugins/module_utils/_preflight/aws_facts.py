# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS tells of an account. Reads only, and goes on without what it is not told: an Unread is in its place."""

from __future__ import annotations

import os
import shutil
import sys
import typing as t

try:
    import botocore.session
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # Looked at before anything is asked

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import ownership
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import CREDENTIAL_CODES, error_code, paginate
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.permissions import explain
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import (
    aws,
    aws_cluster,
    aws_nodes,
    aws_permissions,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import Unread

T = t.TypeVar("T")


def ask(service: str, question: t.Callable[[], T]) -> T | Unread:
    """The answer, or why there is none."""
    try:
        return question()
    except ClientError as error:
        return Unread(explain(error, service) or str(error))
    except BotoCoreError as error:
        return Unread(str(error))
    except AnsibleAWSError as error:
        return Unread(str(error))


def missing_tools(names: t.Sequence[str]) -> list[str]:
    """Programs that are neither on the search path nor beside the running Python."""
    path = f"{os.environ.get('PATH', '')}:{os.path.dirname(sys.executable)}"
    return [name for name in names if shutil.which(name, path=path) is None]


def known_regions() -> list[str]:
    session = botocore.session.get_session()
    return [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition_name=partition)
    ]


def profiles() -> list[str]:
    return botocore.session.Session().available_profiles


def identity(clients: ownership.Clients) -> dict[str, str] | Unread:
    """{account_id, arn} of the caller. STS answers to everybody whom it knows."""
    try:
        caller = clients("sts").get_caller_identity(aws_retry=True)
    except ClientError as error:
        hint = "; renew the credentials" if error_code(error) in CREDENTIAL_CODES else ""
        return Unread(f"{error}{hint}")
    except BotoCoreError as error:
        return Unread(str(error))
    return {"account_id": caller["Account"], "arn": caller["Arn"]}


def zones(clients: ownership.Clients) -> list[dict[str, str]]:
    """{id, name} of the region's own zones, without local and wavelength zones."""
    filters = [{"Name": "zone-type", "Values": ["availability-zone"]}]
    found = clients("ec2").describe_availability_zones(Filters=filters, aws_retry=True)["AvailabilityZones"]
    return [
        {"id": zone["ZoneId"], "name": zone["ZoneName"]}
        for zone in found
        if zone.get("State", "available") == "available"
        and zone.get("ZoneType", "availability-zone") == "availability-zone"
    ]


def offerings(clients: ownership.Clients, types: list[str]) -> dict[str, list[str]]:
    """Instance type -> ids of the zones that offer it."""
    filters = [{"Name": "instance-type", "Values": types}]
    found = paginate(
        clients("ec2"),
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        LocationType="availability-zone-id",
        Filters=filters,
    )
    offered: dict[str, list[str]] = {name: [] for name in types}
    for one in found:
        offered.setdefault(one["InstanceType"], []).append(one["Location"])
    return offered


def instance_types(clients: ownership.Clients, patterns: list[str]) -> dict[str, aws_nodes.InstanceType]:
    """Instance type -> what it has, of all that fit a pattern such as C(inf2.*)."""
    filters = [{"Name": "instance-type", "Values": patterns}]
    found = paginate(clients("ec2"), "describe_instance_types", "InstanceTypes", Filters=filters)
    return {one["InstanceType"]: aws_nodes.instance_type(one) for one in found}


def subnets(clients: ownership.Clients, vpc: str, ids: list[str]) -> dict[str, str]:
    """Subnet -> id of its zone, of those that the VPC has."""
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "subnet-id", "Values": ids}]
    found = paginate(clients("ec2"), "describe_subnets", "Subnets", Filters=filters)
    return {one["SubnetId"]: one["AvailabilityZoneId"] for one in found}


def cluster(clients: ownership.Clients, name: str) -> dict[str, t.Any] | None:
    """The EKS cluster as it is described; None if there is none."""
    try:
        return clients("eks").describe_cluster(name=name, aws_retry=True)["cluster"]
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return None


def versions(clients: ownership.Clients) -> dict[str, str]:
    """Version of Kubernetes -> STANDARD_SUPPORT, EXTENDED_SUPPORT or UNSUPPORTED."""
    found = paginate(clients("eks"), "describe_cluster_versions", "clusterVersions", includeAll=True)
    return {one["clusterVersion"]: one["versionStatus"] for one in found}


def quota(clients: ownership.Clients, service: str, code: str) -> float:
    """The account's value, or AWS' default where the account has none of its own."""
    client = clients("service-quotas")
    try:
        found = client.get_service_quota(ServiceCode=service, QuotaCode=code, aws_retry=True)
    except ClientError as error:
        if error_code(error) != "NoSuchResourceException":
            raise
        found = client.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code, aws_retry=True)
    return found["Quota"]["Value"]


def _count(found: list[dict[str, t.Any]], tags: dict[str, str]) -> dict[str, int]:
    own = [one for one in found if tags.items() <= {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}.items()]
    return {"used": len(found), "own": len(own)}


def simulate(clients: ownership.Clients, caller: str, region: str, name: str, tags: dict[str, str]) -> t.Any:
    """[{action, allowed, missing}] of the key actions; empty for the root user, who may do all."""
    kind, who = aws_permissions.principal(caller)
    if kind == "root":
        return []
    if kind == "other":
        return Unread(f"IAM cannot simulate for {caller}")
    if kind == "role":
        who = clients("iam").get_role(RoleName=who, aws_retry=True)["Role"]["Arn"]
    found = []
    for question in aws_permissions.questions(caller, region, name, tags):
        answer = paginate(
            clients("iam"), "simulate_principal_policy", "EvaluationResults", PolicySourceArn=who, **question
        )
        for one in answer:
            allowed = one["EvalDecision"] == "allowed"
            found.append(
                {"action": one["EvalActionName"], "allowed": allowed, "missing": one.get("MissingContextValues", [])}
            )
    return found


def gather(clients: ownership.Clients, region: str, values: dict[str, t.Any]) -> dict[str, t.Any]:
    """All facts that the rules of aws.py need, and the machines that are C(planned); only who asks, if that already fails."""
    caller = identity(clients)
    if isinstance(caller, Unread):
        return {"identity": caller}
    tags, vpc_id = values["tags"], values["vpc_id"]
    ec2 = clients("ec2")
    patterns = sorted({*aws.instances_of(values), *aws_nodes.patterns(values["pools"])})
    described = ask("ec2", lambda: instance_types(clients, patterns)) if patterns else {}
    planned = aws_nodes.plan(values, None if isinstance(described, Unread) else described)
    types = sorted(aws.instances_of(planned.values))
    codes = {("ec2", aws.quota_code(name)) for name in types if aws.quota_code(name)}
    codes |= {("ec2", aws.STANDARD)} if planned.pool_vcpus else set()
    codes |= {code for code, count in ((aws.ELASTIC_IPS, values["elastic_ips"]), (aws.VPCS, values["vpcs"])) if count}
    vpcs = ask("ec2", lambda: paginate(ec2, "describe_vpcs", "Vpcs"))
    simulated: t.Any = []
    if values["check_permissions"]:
        simulated = ask("iam", lambda: simulate(clients, caller["arn"], region, values["name"], tags))
    adopted, subnet_ids = values["adopted_cluster"], values["subnet_ids"]
    facts = {
        "identity": caller,
        "planned": planned,
        "zones": ask("ec2", lambda: zones(clients)),
        "offerings": ask("ec2", lambda: offerings(clients, types)) if types else {},
        "vcpus": described if isinstance(described, Unread) else {name: one.vcpus for name, one in described.items()},
        "quotas": {code: ask("service-quotas", lambda code=code: quota(clients, *code)) for code in sorted(codes)},
        "addresses": ask("ec2", lambda: _count(ec2.describe_addresses(aws_retry=True)["Addresses"], tags)),
        "vpcs": vpcs if isinstance(vpcs, Unread) else _count(vpcs, tags),
        "vpc_ids": vpcs if isinstance(vpcs, Unread) else [vpc["VpcId"] for vpc in vpcs],
        "subnets": ask("ec2", lambda: subnets(clients, vpc_id, subnet_ids)) if vpc_id and subnet_ids else {},
        "simulated": simulated,
        "cluster": ask("eks", lambda: cluster(clients, adopted)) if adopted else None,
        "foreign_text": ask("", lambda: _foreign_text(clients, values["names"], tags)),
    }
    asks_version = aws_cluster.version_of(facts, values)
    return facts | {"versions": ask("eks", lambda: versions(clients)) if asks_version else {}}


def _foreign_text(clients: ownership.Clients, names: list[dict[str, str]], tags: dict[str, str]) -> str:
    return ownership.foreign_text(ownership.look(clients, names, tags)["foreign"], tags)
