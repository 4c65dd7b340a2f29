# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a cache parameter group to what is wanted.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changed_tags, make_diff
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache import api, parameters
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, wait_until


@dataclass
class ParameterGroup:
    """The one cache parameter group of a task. C(params) are the module's."""

    client: t.Any
    params: dict[str, t.Any]
    check_mode: bool
    report: t.Callable[[str], None]

    @property
    def name(self) -> str:
        # AWS keeps the name in lower case and finds it in any.
        return self.params["cache_parameter_group_name"].lower()

    def present(self) -> dict[str, t.Any]:
        group = api.describe_parameter_group(self.client, self.name)
        if group is not None:
            return self._update(group, api.list_tags(self.client, group["ARN"]) or {})
        family, tags = self.params["cache_parameter_group_family"], self.params["tags"] or {}
        self._refuse([] if family else ["cache_parameter_group_family is needed to create it"])
        group = {
            "CacheParameterGroupName": self.name,
            "CacheParameterGroupFamily": family,
            "Description": self.params["description"] or self.name,
        }
        wanted = parameters.desired_parameters(self.params["parameters"]) or {}
        diff = make_diff({}, {**_identity(group), "parameters": wanted, "tags": tags})
        if self.check_mode:
            return {"changed": True, "diff": diff, "cache_parameter_group": _describe(group, wanted, tags)}
        self._create(group)
        # What a killed run has created a moment ago, and AWS did not show, is compared like any other.
        group = self._wait("to be visible", lambda: api.describe_parameter_group(self.client, self.name))
        return self._update(group, api.list_tags(self.client, group["ARN"]) or {}) | {"changed": True, "diff": diff}

    def _update(self, group: dict[str, t.Any], tags: dict[str, str]) -> dict[str, t.Any]:
        self._refuse(self._immutable(group))
        found = self._wait("to be visible", lambda: api.describe_parameters(self.client, self.name))
        wanted = parameters.desired_parameters(self.params["parameters"])
        to_set, to_reset = parameters.changed_parameters(found, wanted, self.params["purge_parameters"])
        self._refuse(parameters.refusals(found, to_set, group["CacheParameterGroupFamily"]))
        new_tags, old_tags = changed_tags(tags, self.params["tags"], self.params["purge_tags"])
        if not self.check_mode:
            self._apply(found, to_set, to_reset)
            api.change_tags(self.client, group["ARN"], new_tags, old_tags)

        values = {entry["ParameterName"]: entry.get("ParameterValue", "") for entry in found}
        before = {name: values[name] for name in (*to_set, *to_reset)}
        after = {**to_set, **dict.fromkeys(to_reset, "the family's default")}
        tags_after = {key: value for key, value in {**tags, **new_tags}.items() if key not in old_tags}
        user = {**parameters.user_values(found), **to_set}
        user = {name: user[name] for name in sorted(user) if name not in to_reset}
        return {
            "changed": bool(to_set or to_reset or new_tags or old_tags),
            "diff": make_diff({"parameters": before, "tags": tags}, {"parameters": after, "tags": tags_after}),
            "cache_parameter_group": _describe(group, user, tags_after),
        }

    def absent(self) -> dict[str, t.Any]:
        group = api.describe_parameter_group(self.client, self.name)
        if group is not None and not self.check_mode:
            if self.params["wait"]:
                # AWS lets go of a group only some time after the last replication group that used it is gone.
                goal = f"cache parameter group {self.name} to be in use by nobody, so that it can be deleted"
                timeout, delay = self.params["wait_timeout"], self.params["wait_delay"]
                wait_until(goal, self._try_delete, timeout, delay, report=self.report)
            else:
                api.delete_parameter_group(self.client, self.name)
        before = _identity(group) if group else {}
        return {"changed": group is not None, "diff": make_diff(before, {}), "cache_parameter_group": {}}

    def _try_delete(self) -> Seen:
        try:
            return Seen("ready", "deleted", api.delete_parameter_group(self.client, self.name))
        except AnsibleAWSError as error:
            if api.is_error(error, "InvalidCacheParameterGroupState"):
                return Seen("", str(error.exception))
            raise

    def _create(self, group: dict[str, t.Any]) -> None:
        tags = ansible_dict_to_boto3_tag_list(self.params["tags"])
        try:
            api.create_parameter_group(self.client, group | ({"Tags": tags} if tags else {}))
        except AnsibleAWSError as error:
            if not api.is_error(error, "CacheParameterGroupAlreadyExists"):
                raise

    def _wait(self, goal: str, read: t.Callable[[], t.Any]) -> t.Any:
        """Of a group that was just created AWS may say for a moment that it does not exist."""

        def look() -> Seen:
            found = read()
            return Seen("", "not visible yet") if found is None else Seen("ready", "", found)

        goal = f"cache parameter group {self.name} {goal}"
        return wait_until(goal, look, self.params["wait_timeout"], self.params["wait_delay"], report=self.report)

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

    def _refuse(self, texts: list[str]) -> None:
        if texts:
            raise AnsibleAWSError(message=f"Cache parameter group {self.name}: {'; '.join(texts)}")


def _identity(group: dict[str, t.Any]) -> dict[str, str]:
    return {
        "cache_parameter_group_name": group["CacheParameterGroupName"],
        "cache_parameter_group_family": group.get("CacheParameterGroupFamily", ""),
        "description": group.get("Description", ""),
    }


def _describe(group: dict[str, t.Any], values: dict[str, str], tags: dict[str, str]) -> dict[str, t.Any]:
    return {**_identity(group), "arn": group.get("ARN", ""), "parameters": values, "tags": tags}
