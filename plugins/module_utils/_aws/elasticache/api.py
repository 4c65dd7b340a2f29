# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to the ElastiCache API, one a function. No decisions here.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.group import View
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code, paginate

#: The resource is not in a state that allows the call now; it will be, without anybody's doing.
BUSY_CODES = (
    "InvalidCacheClusterState",
    "InvalidCacheParameterGroupState",
    "InvalidReplicationGroupState",
    "InvalidUserGroupState",
)


class ElastiCacheErrorHandler(AWSErrorHandler):
    @classmethod
    def _is_missing(cls) -> type[Exception]:
        return is_boto3_error_code(
            [
                "CacheParameterGroupNotFound",
                "CacheSubnetGroupNotFound",
                "CacheSubnetGroupNotFoundFault",
                "ReplicationGroupNotFoundFault",
            ]
        )


def is_error(error: AnsibleAWSError, *codes: str) -> bool:
    return error_code(error.exception) in codes


@ElastiCacheErrorHandler.list_error_handler("describe the replication group")
def describe_group(client: t.Any, name: str) -> dict[str, t.Any] | None:
    groups = client.describe_replication_groups(ReplicationGroupId=name, aws_retry=True)["ReplicationGroups"]
    return groups[0] if groups else None


@ElastiCacheErrorHandler.common_error_handler("describe the replication groups")
def describe_groups(client: t.Any) -> list[dict[str, t.Any]]:
    return paginate(client, "describe_replication_groups", "ReplicationGroups")


@ElastiCacheErrorHandler.common_error_handler("describe the cache clusters")
def describe_clusters(client: t.Any) -> list[dict[str, t.Any]]:
    """All of the account: one call tells more than one of several nodes, and AWS has no filter by group."""
    return paginate(client, "describe_cache_clusters", "CacheClusters")


@ElastiCacheErrorHandler.common_error_handler("describe the events")
def describe_events(client: t.Any) -> list[dict[str, t.Any]]:
    """The events of the last day, of all sources, oldest first."""
    events = paginate(client, "describe_events", "Events", Duration=24 * 60)
    return sorted(events, key=lambda event: str(event.get("Date", "")))


@ElastiCacheErrorHandler.list_error_handler("list the tags", {})
def _list_tags(client: t.Any, arn: str) -> dict[str, str]:
    tags = client.list_tags_for_resource(ResourceName=arn, aws_retry=True)["TagList"]
    return boto3_tag_list_to_ansible_dict(tags)


def list_tags(client: t.Any, arn: str) -> dict[str, str] | None:
    """None if AWS does not show them now: of a replication group it does only while that is available."""
    try:
        return _list_tags(client, arn)
    except AnsibleAWSError as error:
        if is_error(error, *BUSY_CODES):
            return None
        raise


@ElastiCacheErrorHandler.common_error_handler("change the tags")
def change_tags(client: t.Any, arn: str, to_set: dict[str, str], to_remove: list[str]) -> None:
    if to_remove:
        client.remove_tags_from_resource(ResourceName=arn, TagKeys=to_remove, aws_retry=True)
    if to_set:
        client.add_tags_to_resource(ResourceName=arn, Tags=ansible_dict_to_boto3_tag_list(to_set), aws_retry=True)


def read_view(client: t.Any, name: str) -> View | None:
    """A replication group with its nodes and tags, in three calls at most; None if there is none."""
    group = describe_group(client, name)
    if group is None:
        return None
    (view,) = join(client, [group])
    return view


def join(client: t.Any, groups: list[dict[str, t.Any]]) -> list[View]:
    """Each group with its nodes and, where AWS shows them, its tags."""
    clusters = describe_clusters(client) if groups else []
    return [
        View(
            group,
            [node for node in clusters if node.get("ReplicationGroupId") == group["ReplicationGroupId"]],
            list_tags(client, group["ARN"]) if group.get("Status") == "available" else None,
        )
        for group in groups
    ]


@ElastiCacheErrorHandler.common_error_handler("create the replication group")
def create_group(client: t.Any, request: dict[str, t.Any]) -> dict[str, t.Any]:
    return client.create_replication_group(aws_retry=True, **request)["ReplicationGroup"]


@ElastiCacheErrorHandler.common_error_handler("change the replication group")
def change_group(client: t.Any, operation: str, request: dict[str, t.Any]) -> None:
    """One of modify_replication_group, increase_replica_count and decrease_replica_count."""
    getattr(client, operation)(aws_retry=True, **request)


@ElastiCacheErrorHandler.deletion_error_handler("delete the replication group")
def delete_group(client: t.Any, request: dict[str, t.Any]) -> bool:
    client.delete_replication_group(aws_retry=True, **request)
    return True


@ElastiCacheErrorHandler.list_error_handler("describe the cache parameter group")
def describe_parameter_group(client: t.Any, name: str) -> dict[str, t.Any] | None:
    groups = client.describe_cache_parameter_groups(CacheParameterGroupName=name, aws_retry=True)
    return groups["CacheParameterGroups"][0] if groups["CacheParameterGroups"] else None


@ElastiCacheErrorHandler.list_error_handler("describe the cache parameters")
def describe_parameters(client: t.Any, name: str) -> list[dict[str, t.Any]] | None:
    return paginate(client, "describe_cache_parameters", "Parameters", CacheParameterGroupName=name)


@ElastiCacheErrorHandler.common_error_handler("create the cache parameter group")
def create_parameter_group(client: t.Any, request: dict[str, t.Any]) -> dict[str, t.Any]:
    return client.create_cache_parameter_group(aws_retry=True, **request)["CacheParameterGroup"]


@ElastiCacheErrorHandler.common_error_handler("set the cache parameters")
def set_parameters(client: t.Any, name: str, values: dict[str, str]) -> None:
    pairs = [{"ParameterName": key, "ParameterValue": value} for key, value in values.items()]
    client.modify_cache_parameter_group(CacheParameterGroupName=name, ParameterNameValues=pairs, aws_retry=True)


@ElastiCacheErrorHandler.common_error_handler("reset the cache parameters to the defaults of their family")
def reset_parameters(client: t.Any, name: str, names: list[str]) -> None:
    pairs = [{"ParameterName": key} for key in names]
    client.reset_cache_parameter_group(CacheParameterGroupName=name, ParameterNameValues=pairs, aws_retry=True)


@ElastiCacheErrorHandler.deletion_error_handler("delete the cache parameter group")
def delete_parameter_group(client: t.Any, name: str) -> bool:
    client.delete_cache_parameter_group(CacheParameterGroupName=name, aws_retry=True)
    return True
