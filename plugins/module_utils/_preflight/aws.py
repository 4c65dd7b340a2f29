# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an AWS account can take the deployment: who asks, permissions, zones, quotas, networks.

Pure: facts (of aws_facts.py) and values -> problems and warnings, each one line for the user. A warning is what could not be
looked at, or what works with less safety than it could.
"""

from __future__ import annotations

import math
import re
import typing as t

from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.aws_cluster import judge_cluster, judge_version
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import Findings, Unread, problem

#: EKS refuses subnets of its own in these zones (EKS user guide, "network requirements").
ZONES_WITHOUT_EKS = ("use1-az3", "usw1-az2", "cac1-az3")
ZONES = 2
#: Families of instance types -> quota "Running On-Demand ... instances" of Service Quotas, in vCPUs.
INF, TRN, G_AND_VT, P, STANDARD = "L-1945791B", "L-2C3B7624", "L-DB2E81BA", "L-417A185B", "L-1216C47A"
FAMILY_QUOTAS = {
    **dict.fromkeys(("inf",), INF),
    **dict.fromkeys(("trn",), TRN),
    **dict.fromkeys(("g", "gr", "vt"), G_AND_VT),
    **dict.fromkeys(("p",), P),
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), STANDARD),
}
ELASTIC_IPS = ("ec2", "L-0263D0A3")
VPCS = ("vpc", "L-F678F1CE")


def quota_code(instance_type: str) -> str:
    """Code of the quota that an instance type counts against: C(trn1.32xlarge) -> C(L-2C3B7624); empty if it is not known."""
    match = re.match(r"[a-z]+", instance_type)
    return FAMILY_QUOTAS.get(match.group(), "") if match else ""


def instances_of(values: dict[str, t.Any]) -> dict[str, int]:
    """Instance type -> how many run at once; of the accelerator one at least."""
    needed = {name: int(count) for name, count in values["instances"].items()}
    if values["instance_type"]:
        needed.setdefault(values["instance_type"], 1)
    return needed


def way_problems(boto3: bool, region: str, profiles: list[str], profile: str | None) -> list[str]:
    """What keeps AWS from being asked at all: no library, no region, no such profile."""
    if not boto3:
        return [
            "The Python that runs modules (ansible_python_interpreter) lacks boto3: expected it beside Ansible; install it"
        ]
    found = []
    if not region:
        found.append("aws_region is empty: expected the region of the deployment, such as us-west-2")
    if profile and profile not in profiles:
        known = ", ".join(profiles) or "there are none"
        found.append(problem("aws_profile", profile, f"one of AWS' configuration files ({known})"))
    return found


def identity_problems(identity: Unread, region: str, known_regions: list[str]) -> list[str]:
    """Without an answer to "who am I" nothing else can be asked: one line that says why."""
    where = "" if region in known_regions else f"; aws_region is {region!r}, which is no region that boto3 knows"
    return [f"AWS cannot be asked with these credentials, region and endpoint: {identity.reason}{where}"]


def judge_zones(facts: dict[str, t.Any], values: dict[str, t.Any]) -> Findings:
    """Choose the zones: those with the accelerator first, in the order of their ids, which mean the same in every account.

    Args:
        facts: zones ({id, name} of the region's), offerings (instance type -> ids of the zones that offer it), and subnets (id ->
            id of its zone, of a VPC that exists), or Unread.
        values: zones (ids or names that the user wants, empty for a choice of ours), subnet_ids, vpc_id and instance_type.
    """
    found, wanted, kind, variable = Findings(), values["zones"], values["instance_type"], "network_zones"
    if values["vpc_id"]:
        # The zones are those of the subnets. Of a VPC that does not exist others tell.
        variable = "network_pod_subnet_ids"
        if not isinstance(facts["vpc_ids"], Unread) and values["vpc_id"] not in facts["vpc_ids"]:
            return found
        if isinstance(facts["subnets"], Unread):
            found.warnings.append(f"The zones of the subnets were not looked at: {facts['subnets'].reason}")
            return found
        strangers = [one for one in values["subnet_ids"] if one not in facts["subnets"]]
        if strangers or not values["subnet_ids"]:
            expectation = f"subnets of {values['vpc_id']} in {ZONES} zones at least"
            found.problems.append(problem(variable, strangers, expectation))
            return found
        wanted = list(dict.fromkeys(facts["subnets"][one] for one in values["subnet_ids"]))
    if isinstance(facts["zones"], Unread):
        found.warnings.append(f"The zones of the region were not looked at: {facts['zones'].reason}")
        return found
    usable = sorted(
        (zone for zone in facts["zones"] if zone["id"] not in ZONES_WITHOUT_EKS), key=lambda zone: zone["id"]
    )
    offering = {zone["id"] for zone in usable}
    offers = ""
    if isinstance(facts["offerings"], Unread):
        found.warnings.append(f"Which zones offer the instance types was not looked at: {facts['offerings'].reason}")
    else:
        nowhere = [name for name in instances_of(values) if not facts["offerings"].get(name)]
        found.problems += [problem("instance type", name, "one that the region's zones offer") for name in nowhere]
        if kind and kind not in nowhere:
            offering &= set(facts["offerings"][kind])
            offers = f"; {kind} is offered in {', '.join(sorted(offering))}"
    if wanted:
        found.zones = [zone for name in wanted for zone in usable if name in (zone["id"], zone["name"])]
        strange = [name for name in wanted if not any(name in (zone["id"], zone["name"]) for zone in usable)]
        if strange:
            names = ", ".join(f"{zone['id']} ({zone['name']})" for zone in usable)
            found.problems.append(problem(variable, wanted, f"zones of the region that EKS takes, of {names}"))
    else:
        found.zones = sorted(usable, key=lambda zone: (zone["id"] not in offering, zone["id"]))[:ZONES]
    if len({zone["id"] for zone in found.zones}) < ZONES:
        expectation = f"at least {ZONES} zones, so that the loss of one is survived{offers}"
        found.problems.append(problem(variable, [zone["id"] for zone in found.zones], expectation))
    elif offers:
        # The user's zones, or a region with few.
        those = [zone["id"] for zone in found.zones if zone["id"] in offering]
        if not those:
            chosen = [zone["id"] for zone in found.zones]
            found.problems.append(problem(variable, chosen, f"one zone at least that offers {kind}{offers}"))
        elif len(those) == 1:
            found.warnings.append(
                f"Of the zones {', '.join(zone['id'] for zone in found.zones)} only {those[0]} offers {kind}:"
                f" the service does not survive the loss of that zone{offers}"
            )
    return found


def judge_quotas(facts: dict[str, t.Any], values: dict[str, t.Any]) -> Findings:
    """Compare what the complete deployment needs with what the account may have.

    Args:
        facts: vcpus (instance type -> vCPUs), quotas ((service, code) -> value or Unread), addresses and vpcs
            ({used, own}: all of the account, and those that the deployment has already).
        values: instances, instance_type, pool_vcpus (of machines whose type Karpenter chooses), elastic_ips, vpcs.
    """
    found = Findings()
    needed: dict[str, dict[str, int]] = {}
    vcpus = {} if isinstance(facts["vcpus"], Unread) else facts["vcpus"]
    for name, count in instances_of(values).items():
        if not count:
            continue
        code = quota_code(name)
        if not code or name not in vcpus:
            why = "its vCPUs are not told" if code else "the quota of its family is not known here"
            found.warnings.append(f"Whether the account may run {count} {name} was not looked at: {why}")
            continue
        needed.setdefault(code, {})[name] = vcpus[name] * count
    for label, count in values["pool_vcpus"].items():
        needed.setdefault(STANDARD, {})[label] = count
    for code, each in needed.items():
        quota, total = facts["quotas"][("ec2", code)], sum(each.values())
        types = ", ".join(each)
        if isinstance(quota, Unread):
            found.warnings.append(
                f"Whether the account may run {total} vCPUs of {types} was not looked at: {quota.reason}"
            )
        elif quota < total:
            found.problems.append(
                f"The account may run {math.floor(quota)} vCPUs of the family of {types}: expected at least {total}, and more"
                f" if others use it too; ask for them in Service Quotas, service ec2, quota {code}"
            )
    for (service, code), what, count, have in (
        (ELASTIC_IPS, "elastic IPs", values["elastic_ips"], facts["addresses"]),
        (VPCS, "VPCs", values["vpcs"], facts["vpcs"]),
    ):
        if not count:
            continue
        quota = facts["quotas"][(service, code)]
        unread = next((one for one in (quota, have) if isinstance(one, Unread)), None)
        if unread:
            found.warnings.append(
                f"Whether the account may have {count} more {what} was not looked at: {unread.reason}"
            )
            continue
        missing = max(count - have["own"], 0)
        if have["used"] + missing > quota:
            found.problems.append(
                f"The account has {have['used']} of {math.floor(quota)} {what}: expected room for {missing} more;"
                f" release some, or ask for more in Service Quotas, service {service}, quota {code}"
            )
    return found


def judge_permissions(facts: dict[str, t.Any]) -> Findings:
    """What IAM's simulator says of the caller: facts C(simulated) is a list of {action, allowed, missing}, or Unread.

    C(missing) are conditions that the simulator would have had to know: then its no is not sure.
    """
    found = Findings()
    simulated = facts["simulated"]
    if isinstance(simulated, Unread):
        found.warnings.append(f"The permissions of the caller were not looked at: {simulated.reason}")
        return found
    denied = [one["action"] for one in simulated if not one["allowed"] and not one["missing"]]
    unsure = [one["action"] for one in simulated if not one["allowed"] and one["missing"]]
    if denied:
        found.problems.append(
            f"{facts['identity']['arn']} may not {', '.join(denied)}: expected what docs/iam-policy.md allows; attach its"
            " policies, or switch this look off by check_permissions if the simulator of IAM is wrong"
        )
    if unsure:
        found.warnings.append(
            f"{facts['identity']['arn']} may perhaps not {', '.join(unsure)}: it depends on conditions that IAM's simulator is not told"
        )
    return found


def judge_vpcs(facts: dict[str, t.Any], values: dict[str, t.Any]) -> list[str]:
    """The VPCs that are given: facts C(vpc_ids) are those of them that exist, or Unread."""
    found = []
    if not isinstance(facts["vpc_ids"], Unread):
        given = {"network_vpc_id": values["vpc_id"], "elasticache_redis_vpc_id": values["redis_vpc_id"]}
        for variable, identity in given.items():
            if identity and identity not in facts["vpc_ids"]:
                found.append(problem(variable, identity, "a VPC of this account and region"))
    if values["redis_vpc_id"] and values["redis_vpc_id"] != values["vpc_id"] and not values["redis_peered"]:
        cluster = (
            f"the cluster's, {values['vpc_id']}"
            if values["vpc_id"]
            else "empty, for the VPC that is made for the cluster"
        )
        found.append(
            problem("elasticache_redis_vpc_id", values["redis_vpc_id"], cluster)
            + "; in another VPC the pods do not reach it, unless the two are joined: then set elasticache_redis_peered"
        )
    return found


def tool_problems(missing_tools: list[str]) -> list[str]:
    if not missing_tools:
        return []
    return [
        f"These programs are missing: {', '.join(missing_tools)}; expected on the search path, or beside the Python"
        " that runs Ansible (aws comes with make setup)"
    ]


def judge_names(facts: dict[str, t.Any]) -> Findings:
    """Names that somebody else has: facts C(foreign_text), empty if there are none, or Unread."""
    taken = facts["foreign_text"]
    if isinstance(taken, Unread):
        # No warning: the roles begin with the same question.
        return Findings([f"Whether the names are free cannot be looked at: {taken.reason}"])
    return Findings([f"{taken}; choose another deployment_name, or remove what has these names"] if taken else [])


def judge(facts: dict[str, t.Any], values: dict[str, t.Any]) -> Findings:
    """All of the above, for facts that could be asked for."""
    parts = [
        judge_zones(facts, values),
        judge_quotas(facts, values),
        judge_permissions(facts),
        Findings(problems=judge_vpcs(facts, values)),
        judge_names(facts),
        judge_cluster(facts, values),
        judge_version(facts, values),
    ]
    return Findings(
        [line for part in parts for line in part.problems],
        [line for part in parts for line in part.warnings],
        [zone for part in parts for zone in part.zones],
    )
