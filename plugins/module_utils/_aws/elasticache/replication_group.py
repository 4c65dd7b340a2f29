# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a replication group to what is wanted, step by step, and waits in between.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changes, make_diff
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache import api
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.group import (
    View,
    current_options,
    describe,
    failure_reasons,
    predict,
    readiness,
    warnings_of,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.resource import CacheResource, attempt
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.steps import (
    Step,
    aligned,
    create_request,
    created_options,
    plan,
    refusals,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, WaitError

NO_DIFF: dict[str, t.Any] = make_diff({}, {})


@dataclass
class ReplicationGroup(CacheResource):
    label, key = "replication group", "replication_group_id"

    warn: t.Callable[[str], None]

    # -- present --

    def present(self) -> dict[str, t.Any]:
        view = api.read_view(self.client, self.name)
        if view is None or view.status == "deleting":
            return self._create(view)
        return self._update(view)

    def _create(self, leaving: View | None) -> dict[str, t.Any]:
        self.refuse(refusals(self.params, {}))
        options = created_options(self.params)
        diff = make_diff({}, options)
        if self.check_mode:
            return self._result(True, diff) | {"replication_group": predict(self.name, options)}
        if leaving:
            # Only when the old one is gone its name is free, so this is awaited with wait=false too.
            self.wait("to be gone", self._look_gone)
        try:
            group = api.create_group(self.client, create_request(self.params))
        except AnsibleAWSError as error:
            if not api.is_error(error, "ReplicationGroupAlreadyExists"):
                raise
            # Created a moment ago, by a run that was killed: AWS has it and does not show it everywhere yet.
            return self._update(self.wait_visible(lambda: api.read_view(self.client, self.name)))
        view = self._wait_ready() if self.params["wait"] else View(group, [], options["tags"])
        return self._result(True, diff, view)

    def _update(self, view: View) -> dict[str, t.Any]:
        settled = self._judge(view).end == "ready"
        if not settled and self.params["wait"] and not self.check_mode:
            view, settled = self._wait_ready(), True
        if view.status == "creating":
            # Most of it is not shown yet.
            return self._result(False, NO_DIFF, view)
        current = current_options(view, scheduled=not settled or not self.params["apply_immediately"])
        self.refuse(refusals(self.params, current, view))
        steps = plan(self.params, current, view)
        after = {key: value for step in steps for key, value in step.options.items()}
        diff = make_diff({key: current[key] for key in after if key in current}, after)
        if self.check_mode or not steps:
            return self._result(bool(steps), diff, view)
        if not self.params["wait"]:
            return self._first_step(view, steps, current)
        for step in steps:
            self._run_when_allowed(step, view)
            view = self._wait_ready(step)
        return self._result(True, diff, view)

    def _first_step(self, view: View, steps: list[Step], current: dict[str, t.Any]) -> dict[str, t.Any]:
        """Without a wait: one request at most, as AWS refuses a second one until the first is done."""
        first = steps[0]
        if (
            readiness(view).end != "ready"
            or first.needs_wait
            or self._try(lambda: self._run(first, view)).end != "ready"
        ):
            return self._result(False, NO_DIFF, view, steps)
        done = make_diff({key: current[key] for key in first.options if key in current}, first.options)
        return self._result(True, done, api.read_view(self.client, self.name) or view, steps[1:])

    def _run_when_allowed(self, step: Step, view: View) -> None:
        goal = f"to take {', '.join(sorted(step.options)) or 'the AUTH token'}"
        self.wait(goal, lambda: self._try(lambda: self._run(step, view)))

    def _run(self, step: Step, view: View) -> None:
        if step.operation == "tags":
            api.change_tags(self.client, view.group["ARN"], **step.request)
        else:
            api.change_group(self.client, step.operation, {"ReplicationGroupId": self.name, **step.request})

    # -- absent --

    def absent(self) -> dict[str, t.Any]:
        group = api.describe_group(self.client, self.name)
        if group is None:
            return self._result(False, NO_DIFF)
        leaving = group.get("Status") == "deleting"
        diff = make_diff({} if leaving else {"replication_group_id": self.name}, {})
        if not self.check_mode:
            if not leaving:
                request = {
                    "ReplicationGroupId": self.name,
                    "RetainPrimaryCluster": self.params["retain_primary_cluster"],
                }
                if self.params["final_snapshot_identifier"]:
                    request["FinalSnapshotIdentifier"] = self.params["final_snapshot_identifier"]
                self._delete(request)
            if self.params["wait"]:
                self.wait("to be gone", self._look_gone)
        return self._result(not leaving, diff)

    def _delete(self, request: dict[str, t.Any]) -> None:
        if self.params["wait"]:
            self.wait("to be deletable", lambda: self._look_deletable(request))
        else:
            api.delete_group(self.client, request)

    # -- waiting --

    def _wait_ready(self, step: Step | None = None) -> View:
        """Until the group is available and shows what C(step) has asked for."""
        scheduled = not self.params["apply_immediately"]

        def look() -> Seen:
            view = api.read_view(self.client, self.name)
            seen = self._judge(view)
            if seen.end != "ready" or step is None or view is None:
                return seen
            current = current_options(view, scheduled)
            late = changes(current, aligned(step.options, current))
            if late:
                return Seen("", "; ".join(f"available, {key} is still {current[key]!r}" for key in sorted(late)), view)
            return seen

        return self.wait("to be available", look)

    def _judge(self, view: View | None) -> Seen:
        """C(readiness), with AWS' reason where it has failed for good.

        Raises:
            WaitError: it has.
        """
        seen = readiness(view)
        if seen.end != "failed" or view is None:
            return seen
        text = seen.text
        if view.status != "deleting":
            reasons = failure_reasons(view, api.describe_events(self.client))
            text = f"{text}: {reasons}. Mend the cause, remove the group with state=absent, and make it again"
        raise WaitError(f"Replication group {self.name}: {text}", Seen("failed", text, view))

    def _look_deletable(self, request: dict[str, t.Any]) -> Seen:
        """One that is being created or modified cannot be deleted before that is done."""
        group = api.describe_group(self.client, self.name)
        status = group.get("Status", "") if group else "gone"
        if status in ("creating", "modifying", "snapshotting"):
            return Seen("", status)
        return self._try(lambda: api.delete_group(self.client, request))

    def _look_gone(self) -> Seen:
        group = api.describe_group(self.client, self.name)
        return Seen("ready", "gone") if group is None else Seen("", group.get("Status", ""))

    def _try(self, call: t.Callable[[], t.Any]) -> Seen:
        """One try of a request that AWS takes only in the right state."""
        return attempt(call, *api.BUSY_CODES)

    def _result(
        self, changed: bool, diff: dict[str, t.Any], view: View | None = None, pending: t.Sequence[Step] = ()
    ) -> dict[str, t.Any]:
        for text in warnings_of(view) if view else []:
            self.warn(f"Replication group {self.name}: {text}")
        return {
            "changed": changed,
            "diff": diff,
            "replication_group": describe(view) if view else {},
            "pending": sorted({key for step in pending for key in step.options}),
        }
