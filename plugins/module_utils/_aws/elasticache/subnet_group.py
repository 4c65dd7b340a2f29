# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a cache subnet group to what is wanted.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changed_tags, changes, make_diff
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.api import (
    ElastiCacheErrorHandler,
    change_tags,
    list_tags,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.resource import CacheResource, attempt


def current_values(group: dict[str, t.Any]) -> dict[str, t.Any]:
    """The values that can be wanted otherwise, of an item of DescribeCacheSubnetGroups."""
    return {
        "cache_subnet_group_description": group.get("CacheSubnetGroupDescription", ""),
        "subnet_ids": sorted(subnet["SubnetIdentifier"] for subnet in group.get("Subnets", [])),
    }


def wanted_values(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the module's options ask for, in the shape of current_values(); None lets a value be."""
    ids = params["subnet_ids"]
    return {
        "cache_subnet_group_description": params["cache_subnet_group_description"],
        "subnet_ids": None if ids is None else sorted(set(ids)),
    }


def request(name: str, values: dict[str, t.Any]) -> dict[str, t.Any]:
    """Parameters of CreateCacheSubnetGroup or ModifyCacheSubnetGroup for these values; what is not in them is let be."""
    names = {"cache_subnet_group_description": "CacheSubnetGroupDescription", "subnet_ids": "SubnetIds"}
    return {"CacheSubnetGroupName": name} | {names[key]: value for key, value in values.items()}


class SubnetGroup(CacheResource):
    label, key = "cache subnet group", "cache_subnet_group_name"

    def present(self) -> dict[str, t.Any]:
        group = self._describe()
        if group is not None:
            return self._update(group)
        wanted, tags = wanted_values(self.params), self.params["tags"] or {}
        if not wanted["subnet_ids"] and not self.check_mode:
            self.refuse(["subnet_ids is needed to create it"])
        values = {
            "cache_subnet_group_description": wanted["cache_subnet_group_description"] or self.name,
            "subnet_ids": wanted["subnet_ids"] or [],
        }
        diff = make_diff({}, {"cache_subnet_group_name": self.name} | values | {"tags": tags})
        if self.check_mode:
            return {"changed": True, "diff": diff, "cache_subnet_group": self._result({}, values, tags)}
        # What a killed run has created a moment ago, and AWS did not show, is compared like any other.
        attempt(lambda: self._create(request(self.name, values), tags), "CacheSubnetGroupAlreadyExists")
        return self._update(self.wait_visible(self._describe)) | {"changed": True, "diff": diff}

    def _update(self, group: dict[str, t.Any]) -> dict[str, t.Any]:
        tags = list_tags(self.client, group["ARN"]) or {}
        current = current_values(group)
        changed = changes(current, wanted_values(self.params))
        new_tags, old_tags, tags_after = changed_tags(tags, self.params["tags"], self.params["purge_tags"])
        if not self.check_mode:
            if changed:
                modify = ElastiCacheErrorHandler.common_error_handler(f"change cache subnet group {self.name}")(
                    self.client.modify_cache_subnet_group
                )
                modify(**request(self.name, changed), aws_retry=True)
            change_tags(self.client, group["ARN"], new_tags, old_tags)
        after = current | changed
        return {
            "changed": bool(changed or new_tags or old_tags),
            "diff": make_diff(current | {"tags": tags}, after | {"tags": tags_after}),
            "cache_subnet_group": self._result(group, after, tags_after),
        }

    def absent(self) -> dict[str, t.Any]:
        group = self._describe()
        if group is not None and not self.check_mode:
            self.delete_unused(self._delete, "CacheSubnetGroupInUse")
        before = {} if group is None else {"cache_subnet_group_name": self.name} | current_values(group)
        return {"changed": group is not None, "diff": make_diff(before, {}), "cache_subnet_group": {}}

    def _describe(self) -> dict[str, t.Any] | None:
        ask = ElastiCacheErrorHandler.list_error_handler(f"describe cache subnet group {self.name}", {})(
            self.client.describe_cache_subnet_groups
        )
        groups = ask(CacheSubnetGroupName=self.name, aws_retry=True).get("CacheSubnetGroups")
        return groups[0] if groups else None

    def _create(self, values: dict[str, t.Any], tags: dict[str, str]) -> None:
        ask = ElastiCacheErrorHandler.common_error_handler(f"create cache subnet group {self.name}")(
            self.client.create_cache_subnet_group
        )
        more = {"Tags": ansible_dict_to_boto3_tag_list(tags)} if tags else {}
        ask(**values, **more, aws_retry=True)

    def _delete(self) -> None:
        ask = ElastiCacheErrorHandler.deletion_error_handler(f"delete cache subnet group {self.name}")(
            self.client.delete_cache_subnet_group
        )
        ask(CacheSubnetGroupName=self.name, aws_retry=True)

    def _result(self, group: dict[str, t.Any], values: dict[str, t.Any], tags: dict[str, str]) -> dict[str, t.Any]:
        return {
            "cache_subnet_group_name": self.name,
            "arn": group.get("ARN", ""),
            "vpc_id": group.get("VpcId", ""),
            **values,
            "tags": tags,
        }
