# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a cache parameter group to what is wanted.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changed_tags, make_diff
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache import api, parameters
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.resource import CacheResource, attempt
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code


class ParameterGroup(CacheResource):
    label, key = "cache parameter group", "cache_parameter_group_name"

    def present(self) -> dict[str, t.Any]:
        group = self._describe()
        if group is not None:
            return self._update(group)
        family, tags = self.params["cache_parameter_group_family"], self.params["tags"] or {}
        self.refuse([] if family else ["cache_parameter_group_family is needed to create it"])
        group = {
            "CacheParameterGroupName": self.name,
            "CacheParameterGroupFamily": family,
            "Description": self.params["description"] or self.name,
        }
        wanted = parameters.desired_parameters(self.params["parameters"]) or {}
        diff = make_diff({}, {**_identity(group), "parameters": wanted, "tags": tags})
        if self.check_mode:
            return {"changed": True, "diff": diff, "cache_parameter_group": _result(group, wanted, tags)}
        request = group | ({"Tags": ansible_dict_to_boto3_tag_list(tags)} if tags else {})
        # What a killed run has created a moment ago, and AWS did not show, is compared like any other.
        attempt(lambda: api.create_parameter_group(self.client, request), "CacheParameterGroupAlreadyExists")
        return self._update(self.wait_visible(self._describe)) | {"changed": True, "diff": diff}

    def _update(self, group: dict[str, t.Any]) -> dict[str, t.Any]:
        tags = api.list_tags(self.client, group["ARN"]) or {}
        self.refuse(self._immutable(group))
        found = self.wait_visible(lambda: api.describe_parameters(self.client, self.name))
        wanted = parameters.desired_parameters(self.params["parameters"])
        to_set, to_reset = parameters.changed_parameters(found, wanted, self.params["purge_parameters"])
        self.refuse(parameters.refusals(found, to_set, group["CacheParameterGroupFamily"]))
        new_tags, old_tags, tags_after = changed_tags(tags, self.params["tags"], self.params["purge_tags"])
        if not self.check_mode:
            self._apply(found, to_set, to_reset)
            api.change_tags(self.client, group["ARN"], new_tags, old_tags)

        values = {entry["ParameterName"]: entry.get("ParameterValue", "") for entry in found}
        before = {name: values[name] for name in (*to_set, *to_reset)}
        after = {**to_set, **dict.fromkeys(to_reset, "the family's default")}
        user = {**parameters.user_values(found), **to_set}
        user = {name: user[name] for name in sorted(user) if name not in to_reset}
        return {
            "changed": bool(to_set or to_reset or new_tags or old_tags),
            "diff": make_diff({"parameters": before, "tags": tags}, {"parameters": after, "tags": tags_after}),
            "cache_parameter_group": _result(group, user, tags_after),
        }

    def absent(self) -> dict[str, t.Any]:
        group = self._describe()
        if group is not None and not self.check_mode:
            delete = functools.partial(api.delete_parameter_group, self.client, self.name)
            self.delete_unused(delete, "InvalidCacheParameterGroupState")
        before = _identity(group) if group else {}
        return {"changed": group is not None, "diff": make_diff(before, {}), "cache_parameter_group": {}}

    def _describe(self) -> dict[str, t.Any] | None:
        return api.describe_parameter_group(self.client, self.name)

    def _immutable(self, group: dict[str, t.Any]) -> list[str]:
        pairs = (
            ("cache_parameter_group_family", group.get("CacheParameterGroupFamily", "")),
            ("description", group.get("Description", "")),
        )
        return [
            f"{option} is {current!r} and {self.params[option]!r} is wanted: AWS cannot change it."
            f" Let it be {current!r}, or make another parameter group"
            for option, current in pairs
            if self.params[option] is not None and self.params[option] != current
        ]

    def _apply(self, found: list[dict[str, t.Any]], to_set: dict[str, str], to_reset: list[str]) -> None:
        try:
            for names in parameters.batches(to_set):
                api.set_parameters(self.client, self.name, {name: to_set[name] for name in names})
        except AnsibleAWSError as error:
            hint = parameters.allowed(found, to_set)
            if hint and error_code(error.exception).startswith("InvalidParameter"):
                raise AnsibleAWSError(message=f"{error.message} ({hint})", exception=error.exception) from error
            raise
        for names in parameters.batches(to_reset):
            api.reset_parameters(self.client, self.name, names)


def _identity(group: dict[str, t.Any]) -> dict[str, str]:
    return {
        "cache_parameter_group_name": group["CacheParameterGroupName"],
        "cache_parameter_group_family": group.get("CacheParameterGroupFamily", ""),
        "description": group.get("Description", ""),
    }


def _result(group: dict[str, t.Any], values: dict[str, str], tags: dict[str, str]) -> dict[str, t.Any]:
    return {**_identity(group), "arn": group.get("ARN", ""), "parameters": values, "tags": tags}
