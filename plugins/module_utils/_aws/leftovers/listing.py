# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is still there of a cluster and its deployment, kind by kind. Reads only.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # Handled by AnsibleAWSModule

from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import ownership
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import has_tags
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers import marks, tagged
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers.marks import Leftover
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code, paginate
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.permissions import told

#: The most ARNs that DescribeTags of load balancers takes, and what it says if one of them is gone.
BALANCERS_AT_ONCE = 20
BALANCER_GONE = ("LoadBalancerNotFound", "TargetGroupNotFound")


@dataclass(frozen=True)
class Scope:
    """What is looked for. C(cluster) and C(vpc_id) may be empty: then only what the tags tell."""

    clients: ownership.Clients
    tags: dict[str, str]
    cluster: str = ""
    vpc_id: str = ""
    resources: list[dict[str, str]] = field(default_factory=list)

    def ec2(self, operation: str, key: str, filters: dict[str, list[str]]) -> list[dict[str, t.Any]]:
        """All pages of an EC2 listing."""
        query = [{"Name": name, "Values": values} for name, values in filters.items()]
        return paginate(self.clients("ec2"), operation, key, Filters=query)

    def is_in_vpc(self, item: dict[str, t.Any]) -> bool:
        """Whether it may be in the cluster's VPC: in another one it is another cluster's, whose name is the same."""
        return not self.vpc_id or item.get("VpcId") in (None, self.vpc_id)

    @property
    def cluster_keys(self) -> list[str]:
        """Keys of the tags that may tell the cluster: a filter of EC2 takes them as alternatives."""
        return list(marks.cluster_tags(self.cluster))


def _balancer_tags(client: t.Any, arns: list[str]) -> dict[str, dict[str, str]]:
    """Tags by ARN, without those that are gone since they were listed: one of them makes AWS refuse the question for all."""
    try:
        answer = client.describe_tags(ResourceArns=arns, aws_retry=True)["TagDescriptions"]
    except ClientError as error:
        if error_code(error) not in BALANCER_GONE:
            raise
        each = [_balancer_tags(client, [arn]) for arn in arns] if len(arns) > 1 else []
        return {arn: tags for some in each for arn, tags in some.items()}
    return {told_of["ResourceArn"]: marks.tags_of(told_of) for told_of in answer}


def _balancers(scope: Scope, kind: str, noun: str, users: str) -> t.Iterator[Leftover | None]:
    client = scope.clients("elbv2")
    found = [item for item in paginate(client, f"describe_{kind}s", f"{noun}s") if scope.is_in_vpc(item)]
    for start in range(0, len(found), BALANCERS_AT_ONCE):
        some = {item[f"{noun}Arn"]: item for item in found[start : start + BALANCERS_AT_ONCE]}
        for arn, tags in _balancer_tags(client, list(some)).items():
            item = some[arn]
            yield marks.judge_balancer(kind, arn, item[f"{noun}Name"], tags, item.get(users, []), scope.cluster)


def load_balancers(scope: Scope) -> t.Iterator[Leftover | None]:
    return _balancers(scope, "load_balancer", "LoadBalancer", users="")


def target_groups(scope: Scope) -> t.Iterator[Leftover | None]:
    return _balancers(scope, "target_group", "TargetGroup", users="LoadBalancerArns")


def instances(scope: Scope) -> t.Iterator[Leftover | None]:
    alive = ["pending", "running", "shutting-down", "stopping", "stopped"]
    filters = {"tag-key": scope.cluster_keys, "instance-state-name": alive}
    for reservation in scope.ec2("describe_instances", "Reservations", filters):
        here = filter(scope.is_in_vpc, reservation["Instances"])
        yield from (marks.judge_instance(instance, scope.cluster) for instance in here)


def network_interfaces(scope: Scope) -> t.Iterator[Leftover | None]:
    if not scope.vpc_id:
        by_tag = {"tag-key": scope.cluster_keys}
        found = scope.ec2("describe_network_interfaces", "NetworkInterfaces", by_tag) if scope.cluster else []
        yield from (marks.judge_interface(interface, scope.cluster, {}, set(), False) for interface in found)
        return
    vpc = {"vpc-id": [scope.vpc_id]}
    ours = any(has_tags(marks.tags_of(one), scope.tags) for one in scope.ec2("describe_vpcs", "Vpcs", vpc))
    groups = {
        one["GroupId"]: marks.tags_of(one) for one in scope.ec2("describe_security_groups", "SecurityGroups", vpc)
    }
    of_cluster = {group: marks.cluster_mark(tags, scope.cluster) for group, tags in groups.items()}
    of_cluster = {group: mark for group, mark in of_cluster.items() if mark}
    own = {group for group, tags in groups.items() if has_tags(tags, scope.tags)}
    for interface in scope.ec2("describe_network_interfaces", "NetworkInterfaces", vpc):
        yield marks.judge_interface(interface, scope.cluster, of_cluster, own, ours)


def security_groups(scope: Scope) -> t.Iterator[Leftover | None]:
    found = scope.ec2("describe_security_groups", "SecurityGroups", {"tag-key": scope.cluster_keys})
    yield from (marks.judge_group(group, scope.cluster) for group in filter(scope.is_in_vpc, found))


def volumes(scope: Scope) -> t.Iterator[Leftover | None]:
    for volume in scope.ec2("describe_volumes", "Volumes", {"tag-key": [*scope.cluster_keys, marks.EBS_CSI]}):
        yield marks.judge_volume(volume, scope.cluster, scope.tags)


def launch_templates(scope: Scope) -> t.Iterator[Leftover | None]:
    """Only Karpenter's: the roles know their own by name, and EKS removes its own."""
    key = "karpenter.k8s.aws/cluster"
    for template in scope.ec2("describe_launch_templates", "LaunchTemplates", {"tag-key": [key]}):
        if marks.tags_of(template)[key] == scope.cluster:
            identity = (template["LaunchTemplateId"], template["LaunchTemplateName"])
            yield Leftover("launch_template", *identity, f"{key}={scope.cluster}", True)


def instance_profiles(scope: Scope) -> t.Iterator[Leftover | None]:
    """Karpenter keeps those of a cluster below a path of their own."""
    client = scope.clients("iam")
    path = f"/karpenter/{scope.clients('ec2').meta.region_name}/{scope.cluster}/"
    for profile in paginate(client, "list_instance_profiles", "InstanceProfiles", PathPrefix=path):
        name = profile["InstanceProfileName"]
        yield Leftover("instance_profile", profile["Arn"], name, f"path {path}", True)


def log_groups(scope: Scope) -> t.Iterator[Leftover | None]:
    """Those of EKS, which it makes anew while it ends, and of the observability add-on."""
    client = scope.clients("logs")
    for prefix in (f"/aws/eks/{scope.cluster}/", f"/aws/containerinsights/{scope.cluster}/"):
        for group in paginate(client, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            arn = group["arn"].removesuffix(":*")
            yield Leftover("log_group", arn, group["logGroupName"], "named after the cluster", True)


def named(scope: Scope) -> t.Iterator[Leftover | None]:
    looked = ownership.look(scope.clients, scope.resources, scope.tags)
    # Unknown: a replication group on its way out, whose tags are not told any more.
    for one in looked["owned"] + looked["unknown"]:
        yield Leftover(
            "named", one["arn"] or one["name"], f"{one['type']} {one['name']}", ownership.tag_text(scope.tags)
        )


def with_our_tags(scope: Scope) -> t.Iterator[Leftover | None]:
    for identity, what in tagged.find(scope.clients, scope.tags):
        yield Leftover("tagged", identity, what, ownership.tag_text(scope.tags))


#: Kind -> service that is asked (for messages), its listing, and whether it needs the name of a cluster. The order is the one
#: in which they are deleted: what is used by something comes after it.
KINDS: dict[str, tuple[str, t.Callable[[Scope], t.Iterator[Leftover | None]], bool]] = {
    "load_balancer": ("elbv2", load_balancers, True),
    "target_group": ("elbv2", target_groups, True),
    "karpenter_instance": ("ec2", instances, True),
    "instance": ("ec2", instances, True),
    "network_interface": ("ec2", network_interfaces, False),
    "security_group": ("ec2", security_groups, True),
    "volume": ("ec2", volumes, True),
    "launch_template": ("ec2", launch_templates, True),
    "instance_profile": ("iam", instance_profiles, True),
    "log_group": ("logs", log_groups, True),
    "named": ("", named, False),
    "tagged": ("resourcegroupstaggingapi", with_our_tags, False),
}


def look(scope: Scope, kinds: list[str]) -> list[Leftover]:
    """Everything that is left of these kinds, in the order of C(KINDS); each thing once.

    Raises:
        AnsibleAWSError: AWS does not tell; the message names the permission, where that is what lacks.
    """
    found: list[Leftover] = []
    seen: dict[t.Callable[..., t.Any], list[Leftover]] = {}
    for kind, (service, listing, needs_cluster) in KINDS.items():
        if kind not in kinds or (needs_cluster and not scope.cluster):
            continue
        if listing not in seen:
            with told(f"look for what is left ({kind})", service):
                seen[listing] = [one for one in listing(scope) if one]
        found += [one for one in seen[listing] if one.kind == kind]
    return marks.without_doubles(found)
