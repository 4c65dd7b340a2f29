# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a cache subnet group to what is wanted.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changed_tags, changes, make_diff
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.api import (
    change_tags,
    is_error,
    list_tags,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, wait_until


class SubnetGroupErrors(AWSErrorHandler):
    @classmethod
    def _is_missing(cls) -> t.Any:
        return is_boto3_error_code(["CacheSubnetGroupNotFoundFault", "CacheSubnetGroupNotFound"])


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


@dataclass
class SubnetGroup:
    """The one cache subnet group of a task. C(params) are the module's."""

    client: t.Any
    params: dict[str, t.Any]
    check_mode: bool
    report: t.Callable[[str], None]

    @property
    def name(self) -> str:
        # AWS keeps the name in lower case and finds it in any.
        return self.params["cache_subnet_group_name"].lower()

    def present(self) -> dict[str, t.Any]:
        group = self._describe()
        if group is not None:
            return self._update(group, list_tags(self.client, group["ARN"]) or {})
        wanted, tags = wanted_values(self.params), self.params["tags"] or {}
        if not wanted["subnet_ids"] and not self.check_mode:
            raise AnsibleAWSError(message=f"Cache subnet group {self.name}: subnet_ids is needed to create it")
        values = {
            "cache_subnet_group_description": wanted["cache_subnet_group_description"] or self.name,
            "subnet_ids": wanted["subnet_ids"] or [],
        }
        diff = make_diff({}, {"cache_subnet_group_name": self.name} | values | {"tags": tags})
        if self.check_mode:
            return {"changed": True, "diff": diff, "cache_subnet_group": self._result({}, values, tags)}
        self._create(request(self.name, values), tags)
        group = self._visible()
        # What a killed run has created a moment ago, and AWS did not show, is compared like any other.
        return self._update(group, list_tags(self.client, group["ARN"]) or {}) | {"changed": True, "diff": diff}

    def _update(self, group: dict[str, t.Any], tags: dict[str, str]) -> dict[str, t.Any]:
        current = current_values(group)
        changed = changes(current, wanted_values(self.params))
        new_tags, old_tags = changed_tags(tags, self.params["tags"], self.params["purge_tags"])
        if not self.check_mode:
            if changed:
                modify = SubnetGroupErrors.common_error_handler(f"change cache subnet group {self.name}")(
                    self.client.modify_cache_subnet_group
                )
                modify(**request(self.name, changed), aws_retry=True)
            change_tags(self.client, group["ARN"], new_tags, old_tags)
        after = current | changed
        tags_after = {key: value for key, value in {**tags, **new_tags}.items() if key not in old_tags}
        return {
            "changed": bool(changed or new_tags or old_tags),
            "diff": make_diff(current | {"tags": tags}, after | {"tags": tags_after}),
            "cache_subnet_group": self._result(group, after, tags_after),
        }

    def absent(self) -> dict[str, t.Any]:
        group = self._describe()
        if group is not None and not self.check_mode:
            if self.params["wait"]:
                goal = f"cache subnet group {self.name} to be in use by nobody, so that it can be deleted"
                timeout, delay = self.params["wait_timeout"], self.params["wait_delay"]
                wait_until(goal, self._try_delete, timeout, delay, report=self.report)
            else:
                self._delete()
        before = {} if group is None else {"cache_subnet_group_name": self.name} | current_values(group)
        return {"changed": group is not None, "diff": make_diff(before, {}), "cache_subnet_group": {}}

    def _try_delete(self) -> Seen:
        try:
            return Seen("ready", "deleted", self._delete())
        except AnsibleAWSError as error:
            # AWS lets go of a group only some time after the last replication group in it is gone.
            if is_error(error, "CacheSubnetGroupInUse"):
                return Seen("", str(error.exception))
            raise

    def _describe(self) -> dict[str, t.Any] | None:
        ask = SubnetGroupErrors.list_error_handler(f"describe cache subnet group {self.name}", {})(
            self.client.describe_cache_subnet_groups
        )
        groups = ask(CacheSubnetGroupName=self.name, aws_retry=True).get("CacheSubnetGroups")
        return groups[0] if groups else None

    def _create(self, values: dict[str, t.Any], tags: dict[str, str]) -> None:
        ask = SubnetGroupErrors.common_error_handler(f"create cache subnet group {self.name}")(
            self.client.create_cache_subnet_group
        )
        more = {"Tags": ansible_dict_to_boto3_tag_list(tags)} if tags else {}
        try:
            ask(**values, **more, aws_retry=True)
        except AnsibleAWSError as error:
            if not is_error(error, "CacheSubnetGroupAlreadyExists"):
                raise

    def _delete(self) -> None:
        ask = SubnetGroupErrors.deletion_error_handler(f"delete cache subnet group {self.name}")(
            self.client.delete_cache_subnet_group
        )
        ask(CacheSubnetGroupName=self.name, aws_retry=True)

    def _visible(self) -> dict[str, t.Any]:
        """Of a group that was just created AWS may say for a moment that it does not exist."""

        def look() -> Seen:
            found = self._describe()
            return Seen("", "not visible yet") if found is None else Seen("ready", "", found)

        goal = f"cache subnet group {self.name} to be visible"
        return wait_until(goal, look, self.params["wait_timeout"], self.params["wait_delay"], report=self.report)

    def _result(self, group: dict[str, t.Any], values: dict[str, t.Any], tags: dict[str, str]) -> dict[str, t.Any]:
        return {
            "cache_subnet_group_name": self.name,
            "arn": group.get("ARN", ""),
            "vpc_id": group.get("VpcId", ""),
            **values,
            "tags": tags,
        }
