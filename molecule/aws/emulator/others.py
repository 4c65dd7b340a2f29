# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small ones: quotas, simulated permissions, AMI parameters, tags over everything, rules with targets, balancers' VPCs."""

from __future__ import annotations

import fnmatch
import typing as t

from emulator.wire import AwsError
from emulator.world import Call, amends, answers, guards

Record = dict[str, t.Any]
#: Names of the quotas that a pre-flight asks for: (service, code) -> name.
QUOTAS = {
    ("ec2", "L-1216C47A"): "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    ("ec2", "L-34B43A08"): "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
    ("ec2", "L-1945791B"): "Running On-Demand Inf instances",
    ("ec2", "L-2C3B7624"): "Running On-Demand Trn instances",
    ("ec2", "L-DB2E81BA"): "Running On-Demand G and VT instances",
    ("ec2", "L-417A185B"): "Running On-Demand P instances",
    ("ec2", "L-0263D0A3"): "EC2-VPC Elastic IPs",
    ("vpc", "L-F678F1CE"): "VPCs per Region",
    ("vpc", "L-FE5A380F"): "NAT gateways per Availability Zone",
    ("vpc", "L-A4707A72"): "Internet gateways per Region",
    ("eks", "L-1194D53C"): "Clusters",
    ("elasticache", "L-DFE45DF3"): "Nodes per Region",
}
DEFAULT_QUOTA = 100.0


def _quota(call: Call, service: str, code: str) -> Record:
    return {
        "ServiceCode": service,
        "ServiceName": service,
        "QuotaCode": code,
        "QuotaName": QUOTAS[service, code],
        "QuotaArn": f"arn:aws:servicequotas:{call.region}:{call.account}:{service}/{code}",
        "Value": float(call.world.config["quotas"].get(code, DEFAULT_QUOTA)),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


@answers("service-quotas", "GetServiceQuota", "GetAWSDefaultServiceQuota")
def get_quota(call: Call) -> Record:
    key = (call.params["ServiceCode"], call.params["QuotaCode"])
    if key not in QUOTAS:
        raise AwsError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
    return {"Quota": _quota(call, *key)}


@answers("service-quotas", "ListServiceQuotas", "ListAWSDefaultServiceQuotas")
def list_quotas(call: Call) -> Record:
    service = call.params["ServiceCode"]
    return {"Quotas": [_quota(call, service, code) for owner, code in QUOTAS if owner == service]}


@answers("iam", "SimulatePrincipalPolicy")
def simulate(call: Call) -> Record:
    denied = call.world.config["denied_actions"]
    results = []
    for action in call.params["ActionNames"]:
        refused = any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in denied)
        resource = (call.params.get("ResourceArns") or ["*"])[0]
        decision = "implicitDeny" if refused else "allowed"
        results.append({"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision,
                        "MatchedStatements": [], "MissingContextValues": []})  # fmt: skip
    return {"EvaluationResults": results, "IsTruncated": False}


@answers("ssm", "GetParameter")
def get_parameter(call: Call) -> Record:
    """AWS' public parameters of EKS' machine images, and ministack's own parameters."""
    name = call.params["Name"]
    if not name.startswith("/aws/service/eks/optimized-ami/"):
        return {"Parameter": call.ask("ssm", "get_parameter", **call.params)["Parameter"]}
    value = "ami-0123456789abcdef0" if name.endswith("image_id") else "1.35.1-20261101"
    arn = f"arn:aws:ssm:{call.region}::parameter{name}"
    return {"Parameter": {"Name": name, "Type": "String", "Value": value, "Version": 1, "ARN": arn, "DataType": "text"}}


@guards("events", "DeleteRule")
def delete_rule(call: Call) -> None:
    targets = call.found("events", "list_targets_by_rule", Rule=call.params["Name"])
    if targets and targets["Targets"]:
        raise AwsError("ValidationException", "Rule can't be deleted since it has targets.")


@amends("elbv2", "DescribeLoadBalancers")
def describe_load_balancers(call: Call, result: Record) -> Record:
    """Each in the VPC of its subnets: ministack has one VPC for all."""
    for balancer in result.get("LoadBalancers", []):
        subnets = [zone["SubnetId"] for zone in balancer.get("AvailabilityZones", [])]
        if found := subnets and call.found("ec2", "describe_subnets", SubnetIds=subnets):
            balancer["VpcId"] = found["Subnets"][0]["VpcId"]
    return result


# Tags over everything


def _matches(tags: dict[str, str], filters: list[Record]) -> bool:
    return all(
        item["Key"] in tags and (not item.get("Values") or tags[item["Key"]] in item["Values"]) for item in filters
    )


def _ours(call: Call) -> dict[str, dict[str, str]]:
    """ARN -> tags of what the emulator keeps itself."""
    found = {}
    for store, key in (
        ("clusters", "arn"),
        ("nodegroups", "nodegroupArn"),
        ("addons", "addonArn"),
        ("pod_identities", "associationArn"),
        ("replication_groups", "arn"),
        ("parameter_groups", "arn"),
    ):
        found.update({record[key]: record["tags"] for record in call.store(store).values()})
    return found


def _of_ec2(call: Call) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for tag in call.ask("ec2", "describe_tags")["Tags"]:
        arn = f"arn:aws:ec2:{call.region}:{call.account}:{tag['ResourceType']}/{tag['ResourceId']}"
        found.setdefault(arn, {})[tag["Key"]] = tag["Value"]
    return found


@amends("resourcegroupstaggingapi", "GetResources")
def get_resources(call: Call, result: Record) -> Record:
    """ministack's, EC2's and the emulator's own, in one page."""
    found = {
        item["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in item["Tags"]}
        for item in result.get("ResourceTagMappingList", [])
    }
    wanted_types = call.params.get("ResourceTypeFilters", [])
    for arn, tags in (_ours(call) | _of_ec2(call)).items():
        _arn, _aws, service, _region, _account, resource = arn.split(":", 5)
        kind = f"{service}:{resource.replace(':', '/').partition('/')[0]}"
        fits_type = not wanted_types or service in wanted_types or kind in wanted_types
        if fits_type and _matches(tags, call.params.get("TagFilters", [])):
            found[arn] = tags
    return {
        "PaginationToken": "",
        "ResourceTagMappingList": [
            {"ResourceARN": arn, "Tags": [{"Key": key, "Value": tags[key]} for key in tags]}
            for arn, tags in found.items()
        ],
    }
