# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several add-ons of a cluster, each on its own way to what is wanted, and one wait for all.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changed_tags, changes, given
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.addon import (
    BUSY,
    DEAD,
    RULES,
    choose,
    judge,
    request,
    update_values,
    values_of,
    wanted_values,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.addon_api import AddonApi
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import (
    aws_message,
    change_tags,
    once_role_is_known,
    status_text,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, WaitError, wait_until


@dataclass(frozen=True)
class Settings:
    """What all add-ons of a task share. C(check): nothing may be changed, and nothing is waited for."""

    api: AddonApi
    kubernetes_version: str | None = None
    tags: dict[str, str] | None = None
    purge_tags: bool = True
    check: bool = False
    wait: bool = True
    report: t.Callable[[str], None] = lambda text: None

    @functools.cached_property
    def kubernetes(self) -> str | None:
        return self.kubernetes_version or self.api.kubernetes_version()

    def version(self, name: str, asked: str | None) -> str | None:
        """The version that an C(addon_version) stands for; None lets it be (and is AWS' default at creation)."""
        if asked not in RULES:
            return asked or None
        # In check mode the cluster may not exist yet: the rule stands for the version nobody can know.
        return (
            choose(asked, name, self.kubernetes, self.api.offers(name, self.kubernetes)) if self.kubernetes else asked
        )


class Run:
    """One add-on under way. step() looks, does what is next, and says how far it is; call it until it is ready or failed.

    C(before) and C(after) are the diff of what it did (in check mode: would do); C(addon) is the last description.
    """

    def __init__(self, settings: Settings, option: dict[str, t.Any]) -> None:
        self.settings = settings
        self.option = option
        self.name: str = option["addon_name"]
        self.addon: dict[str, t.Any] | None = None
        self.before: dict[str, t.Any] = {}
        self.after: dict[str, t.Any] = {}
        self.sent = False

    def step(self) -> Seen:
        raise NotImplementedError


class Present(Run):
    """Create or update the add-on. It does each at most once, and what was under way before is awaited first."""

    update_id = ""

    @functools.cached_property
    def wanted(self) -> dict[str, t.Any]:
        return wanted_values(self.option, self.settings.version(self.name, self.option["addon_version"]))

    def step(self) -> Seen:
        addon = self.addon = self.settings.api.describe(self.name)
        check = self.settings.check
        if addon is None or (check and addon["status"] == "DELETING"):
            return Seen("", "not visible yet") if self.sent else self._create()
        if addon["status"] == "DELETING" and not self.settings.wait:
            return Seen("failed", "DELETING; run this again when it is gone", addon)
        if addon["status"] in BUSY and not check:
            return judge(addon)
        if self.update_id:
            return self._judge_update(addon)
        return judge(addon) if self.sent else self._compare(addon)

    def _create(self) -> Seen:
        settings, values = self.settings, given(self.wanted)
        self.after = {"addon_name": self.name} | values | ({"tags": settings.tags} if settings.tags else {})
        if settings.check:
            return Seen("ready", "would be created")
        try:
            self.addon = once_role_is_known(
                f"add-on {self.name} to be taken by EKS",
                lambda: settings.api.create(self.name, request(values, self.option["resolve_conflicts"]), settings.tags),
                settings.report,
            )
        except AnsibleAWSError as error:
            if error_code(error.exception) != "ResourceInUseException":
                raise
            # An earlier run has created it a moment ago, and EKS does not show it everywhere yet.
            self.after = {}
            return Seen("", "not visible yet")
        self.sent = True
        return judge(self.addon)

    def _compare(self, addon: dict[str, t.Any]) -> Seen:
        if addon["status"] in DEAD:
            return judge(addon)
        settings = self.settings
        roles = settings.api.roles(addon) if self.wanted["pod_identity_associations"] is not None else {}
        current = values_of(addon, roles)
        changed = changes(current, self.wanted)
        self.before = {key: current[key] for key in changed}
        self.after = dict(changed)
        if addon["status"] == "UPDATE_FAILED":
            # Whether the values shown are in force nobody knows, so they are sent again.
            changed = {"addon_version": current["addon_version"]} | given(self.wanted)
            self.before["status"], self.after["status"] = "UPDATE_FAILED", "ACTIVE"
        if changed and not settings.check:
            values = request(update_values(current, changed), self.option["resolve_conflicts"])
            self.update_id = settings.api.update(self.name, values)
            self.sent = True
        # After the update: a tag may tell what it was for, and a run may be stopped between the two.
        self._set_tags(addon)
        if settings.check:
            return Seen("ready", status_text(addon), addon)
        return Seen("", "UPDATING", addon) if changed else judge(addon)

    def _set_tags(self, addon: dict[str, t.Any]) -> None:
        current = addon.get("tags", {})
        to_set, to_remove, after = changed_tags(current, self.settings.tags, self.settings.purge_tags)
        if after == current:
            return
        self.before["tags"], self.after["tags"] = current, after
        if not self.settings.check:
            change_tags(self.settings.api.client, addon["addonArn"], to_set, to_remove)
            addon["tags"] = after

    def _judge_update(self, addon: dict[str, t.Any]) -> Seen:
        """ACTIVE with the values from before is what EKS shows for a moment after it took the update, or for good if that fails."""
        wanted = {key: value for key, value in self.wanted.items() if key != "pod_identity_associations"}
        missing = changes(values_of(addon, {}), wanted)
        if not missing and addon["status"] != "UPDATE_FAILED":
            return judge(addon)
        errors = self.settings.api.update_errors(self.name, self.update_id)
        if errors or addon["status"] not in ("ACTIVE", "DEGRADED"):
            return Seen("failed", "; ".join(text for text in (status_text(addon), errors) if text), addon)
        return Seen("", f"{status_text(addon)}, does not show its new {', '.join(missing)} yet", addon)


class Absent(Run):
    """Delete the add-on; ready when it is gone."""

    def step(self) -> Seen:
        settings = self.settings
        addon = self.addon = settings.api.describe(self.name)
        if addon is None:
            return Seen("ready", "gone")
        if self.sent or addon["status"] == "DELETING":
            return Seen("failed" if addon["status"] == "DELETE_FAILED" else "", status_text(addon), addon)
        try:
            if not settings.check:
                settings.api.delete(self.name, self.option["preserve"])
        except AnsibleAWSError as error:
            # EKS may refuse to delete what it is still working on; then it is tried again when EKS is done.
            refused = error_code(error.exception) in ("InvalidRequestException", "ResourceInUseException")
            if refused and addon["status"] in BUSY and settings.wait:
                return Seen("", f"{addon['status']}: {aws_message(error)}", addon)
            raise
        self.before = {"addon_name": self.name, "addon_version": addon.get("addonVersion")}
        self.sent = True
        return Seen("", "DELETING", addon)


def settle(runs: t.Sequence[Run], goal: str, timeout: float, delay: float) -> None:
    """Take every run as far as its settings allow: one step (check mode, no wait), or until all are ready.

    The first look of the wait starts all of them, so that AWS works on them side by side.

    Raises:
        WaitError: one or more failed, or the time is up. The others go on at AWS.
        AnsibleAWSError: AWS refused a request.
    """
    seen: dict[str, Seen] = {}

    def look() -> Seen:
        for run in runs:
            if run.name not in seen or seen[run.name].end != "ready":
                seen[run.name] = run.step()
        under_way = {name: each for name, each in seen.items() if each.end != "ready"}
        failed = {name: each for name, each in under_way.items() if each.end == "failed"}
        text = "; ".join(f"{name} {each.text}" for name, each in (failed or under_way).items())
        return Seen("failed" if failed else "" if under_way else "ready", text)

    settings = runs[0].settings if runs else None
    if settings is None:
        return
    if settings.wait and not settings.check:
        wait_until(goal, look, timeout, delay, report=settings.report)
        return
    first = look()
    if first.end == "failed":
        raise WaitError(f"{goal[:1].upper()}{goal[1:]} cannot come: {first.text}", first)
