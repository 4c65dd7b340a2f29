# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose is what has this name: ours by its tags, somebody else's, or nobody's yet. Reads only.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # Handled by AnsibleAWSModule

from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import has_tags
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.permissions import told

#: boto3's name of a service -> its client, e.g. a cached make_client.
Clients = t.Callable[[str], t.Any]
#: ElastiCache tells no tags of a replication group that it is about to create, change or delete.
TAGS_NOT_YET = ("InvalidReplicationGroupState", "InvalidReplicationGroupStateFault")


@dataclass(frozen=True)
class Found:
    """Something that exists. C(tags) is None where AWS does not tell them at present."""

    arn: str
    tags: dict[str, str] | None


@dataclass(frozen=True)
class Kind:
    """How one type is looked up: C(find) gives it, or None, or fails with one of C(missing)."""

    service: str
    find: t.Callable[[Clients, str], Found | None]
    missing: tuple[str, ...] = ()


def _iam_role(clients: Clients, name: str) -> Found:
    role = clients("iam").get_role(RoleName=name, aws_retry=True)["Role"]
    return Found(role["Arn"], boto3_tag_list_to_ansible_dict(role.get("Tags", [])))


def _iam_instance_profile(clients: Clients, name: str) -> Found:
    profile = clients("iam").get_instance_profile(InstanceProfileName=name, aws_retry=True)["InstanceProfile"]
    return Found(profile["Arn"], boto3_tag_list_to_ansible_dict(profile.get("Tags", [])))


def _iam_policy(clients: Clients, name: str) -> Found:
    # A policy is found by its ARN only, and that has the account; one below a path of its own is not seen.
    _arn, partition, _service, _region, account, _rest = (
        clients("sts").get_caller_identity(aws_retry=True)["Arn"].split(":", 5)
    )
    policy = clients("iam").get_policy(PolicyArn=f"arn:{partition}:iam::{account}:policy/{name}", aws_retry=True)[
        "Policy"
    ]
    return Found(policy["Arn"], boto3_tag_list_to_ansible_dict(policy.get("Tags", [])))


def _eks_cluster(clients: Clients, name: str) -> Found:
    cluster = clients("eks").describe_cluster(name=name, aws_retry=True)["cluster"]
    return Found(cluster["arn"], cluster.get("tags", {}))


def _elasticache(operation: str, parameter: str, key: str) -> t.Callable[[Clients, str], Found | None]:
    """The lookup of ElastiCache's types, which differ in names only."""

    def find(clients: Clients, name: str) -> Found | None:
        client = clients("elasticache")
        # Names are kept in lower case.
        found = getattr(client, operation)(**{parameter: name.lower()}, aws_retry=True)[key]
        if not found:
            return None
        arn = found[0]["ARN"]
        try:
            tags = client.list_tags_for_resource(ResourceName=arn, aws_retry=True)["TagList"]
        except ClientError as error:
            if error_code(error) not in TAGS_NOT_YET:
                raise
            return Found(arn, None)
        return Found(arn, boto3_tag_list_to_ansible_dict(tags))

    return find


def _log_group(clients: Clients, name: str) -> Found | None:
    client = clients("logs")
    # In order of their names: the one that is the prefix itself is on the first page.
    groups = client.describe_log_groups(logGroupNamePrefix=name, aws_retry=True)["logGroups"]
    arns = [group["arn"] for group in groups if group["logGroupName"] == name]
    if not arns:
        return None
    # The tags are those of the ARN without the asterisk, which stands for its streams.
    arn = arns[0].removesuffix(":*")
    return Found(arn, client.list_tags_for_resource(resourceArn=arn, aws_retry=True).get("tags", {}))


def _secret(clients: Clients, name: str) -> Found:
    secret = clients("secretsmanager").describe_secret(SecretId=name, aws_retry=True)
    return Found(secret["ARN"], boto3_tag_list_to_ansible_dict(secret.get("Tags", [])))


def _kms_alias(clients: Clients, name: str) -> Found:
    client = clients("kms")
    key = client.describe_key(KeyId=f"alias/{name.removeprefix('alias/')}", aws_retry=True)["KeyMetadata"]
    tags = client.list_resource_tags(KeyId=key["KeyId"], aws_retry=True).get("Tags", [])
    return Found(key["Arn"], boto3_tag_list_to_ansible_dict(tags, "TagKey", "TagValue"))


def _queue(clients: Clients, name: str) -> Found:
    client = clients("sqs")
    url = client.get_queue_url(QueueName=name, aws_retry=True)["QueueUrl"]
    account = url.split("/")[-2]
    arn = f"arn:{client.meta.partition}:sqs:{client.meta.region_name}:{account}:{name}"
    return Found(arn, client.list_queue_tags(QueueUrl=url, aws_retry=True).get("Tags", {}))


def _event_rule(clients: Clients, name: str) -> Found:
    client = clients("events")
    arn = client.describe_rule(Name=name, aws_retry=True)["Arn"]
    tags = client.list_tags_for_resource(ResourceARN=arn, aws_retry=True).get("Tags", [])
    return Found(arn, boto3_tag_list_to_ansible_dict(tags))


def _launch_template(clients: Clients, name: str) -> Found | None:
    filters = [{"Name": "launch-template-name", "Values": [name]}]
    found = clients("ec2").describe_launch_templates(Filters=filters, aws_retry=True)["LaunchTemplates"]
    # Its ARN has the account, which EC2 does not tell here.
    return Found("", boto3_tag_list_to_ansible_dict(found[0].get("Tags", []))) if found else None


#: Each is one call, two where tags are asked for by a call of their own.
KINDS: dict[str, Kind] = {
    "ec2:launch-template": Kind("ec2", _launch_template),
    "eks:cluster": Kind("eks", _eks_cluster, ("ResourceNotFoundException",)),
    "elasticache:parametergroup": Kind(
        "elasticache",
        _elasticache("describe_cache_parameter_groups", "CacheParameterGroupName", "CacheParameterGroups"),
        ("CacheParameterGroupNotFound", "CacheParameterGroupNotFoundFault"),
    ),
    "elasticache:replicationgroup": Kind(
        "elasticache",
        _elasticache("describe_replication_groups", "ReplicationGroupId", "ReplicationGroups"),
        ("ReplicationGroupNotFoundFault", "ReplicationGroupNotFound"),
    ),
    "elasticache:subnetgroup": Kind(
        "elasticache",
        _elasticache("describe_cache_subnet_groups", "CacheSubnetGroupName", "CacheSubnetGroups"),
        ("CacheSubnetGroupNotFoundFault", "CacheSubnetGroupNotFound"),
    ),
    "events:rule": Kind("events", _event_rule, ("ResourceNotFoundException",)),
    "iam:instance-profile": Kind("iam", _iam_instance_profile, ("NoSuchEntity",)),
    "iam:policy": Kind("iam", _iam_policy, ("NoSuchEntity",)),
    "iam:role": Kind("iam", _iam_role, ("NoSuchEntity",)),
    "kms:alias": Kind("kms", _kms_alias, ("NotFoundException",)),
    "logs:log-group": Kind("logs", _log_group, ("ResourceNotFoundException",)),
    "secretsmanager:secret": Kind("secretsmanager", _secret, ("ResourceNotFoundException",)),
    "sqs:queue": Kind("sqs", _queue, ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")),
}
#: Suboptions of an option for resources to look up.
RESOURCE_SPEC = {
    "type": {"type": "str", "required": True, "choices": sorted(KINDS)},
    "name": {"type": "str", "required": True},
}


def find(clients: Clients, kind: str, name: str) -> Found | None:
    """Look one thing up by its name; None if there is none.

    Raises:
        AnsibleAWSError: AWS does not tell; the message names the permission, where that is what lacks.
    """
    how = KINDS[kind]
    with told(f"look for {kind} {name!r}", how.service):
        try:
            return how.find(clients, name)
        except ClientError as error:
            if error_code(error) in how.missing:
                return None
            raise


def judge(found: list[tuple[dict[str, str], Found | None]], tags: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    """Sort what was found into owned, foreign, missing and unknown (its tags are not told at present).

    Args:
        found: ({type, name}, what has that name) of each resource.
        tags: what is ours carries all of them.
    """
    sorted_: dict[str, list[dict[str, str]]] = {"owned": [], "foreign": [], "missing": [], "unknown": []}
    for resource, what in found:
        if what is None:
            place = "missing"
        elif what.tags is None:
            place = "unknown"
        else:
            place = "owned" if has_tags(what.tags, tags) else "foreign"
        sorted_[place].append({"type": resource["type"], "name": resource["name"], "arn": what.arn if what else ""})
    return sorted_


def look(clients: Clients, resources: list[dict[str, str]], tags: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    """Look all of them up once, and sort them as C(judge) does."""
    return judge([(one, find(clients, one["type"], one["name"])) for one in resources], tags)


def name_all(resources: list[dict[str, str]]) -> str:
    return ", ".join(f"{one['type']} {one['name']!r}" for one in resources)


def tag_text(tags: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(tags.items()))


def foreign_text(foreign: list[dict[str, str]], tags: dict[str, str]) -> str:
    """One line for messages, empty if nothing is foreign."""
    if not foreign:
        return ""
    verb = "exists" if len(foreign) == 1 else "exist"
    return f"{name_all(foreign)} {verb} without the tag {tag_text(tags)}, so not of this deployment"
