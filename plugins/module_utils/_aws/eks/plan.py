# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several small resources of a cluster: what is and what shall be of each, and the one result of a task.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import (
    changed_tags,
    changes,
    given,
    make_diffs,
)


@dataclass
class Plan:
    """What is, and what shall be, of one resource, in the form of its options. C(then) is empty for one that shall go.

    C(resource) is what AWS describes, None where it does not exist.
    """

    name: str
    resource: dict[str, t.Any] | None
    now: dict[str, t.Any]
    then: dict[str, t.Any]
    new_tags: dict[str, str] = field(default_factory=dict)
    removed_tags: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return self.resource is None or self.now != self.then


def plan_present(
    name: str,
    identity: dict[str, str],
    resource: dict[str, t.Any] | None,
    now: dict[str, t.Any],
    wanted: dict[str, t.Any],
    tags: dict[str, str] | None,
    purge_tags: bool,
) -> Plan:
    """The plan for a resource that shall be there. Pure.

    Args:
        identity: its place in the cluster, shown of a new one.
        now: its values, but tags; empty where it does not exist.
        wanted: likewise; None lets a value be.
    """
    if resource is None:
        return Plan(name, None, {}, identity | given(wanted) | ({"tags": tags} if tags else {}), tags or {})
    now = now | {"tags": resource.get("tags", {})}
    to_set, to_remove, after = changed_tags(now["tags"], tags, purge_tags)
    return Plan(name, resource, now, now | given(wanted) | {"tags": after}, to_set, to_remove)


def found_after_all(plan: Plan, resource: dict[str, t.Any], now: dict[str, t.Any]) -> None:
    """Make the plan for a new resource one for the resource that there is; its other tags stay."""
    tags = resource.get("tags", {})
    plan.resource, plan.now = resource, now | {"tags": tags}
    wanted = {key: value for key, value in plan.then.items() if key in now}
    plan.then = plan.now | wanted | {"tags": tags | plan.new_tags}
    plan.new_tags = changes(tags, plan.new_tags)


def carry_out(plans: list[Plan], apply: t.Callable[[Plan], None], check_mode: bool) -> dict[str, t.Any]:
    """Apply what changes something, but not in check mode; return C(changed) and C(diff) of the module's result."""
    for plan in plans:
        if plan.changed and not check_mode:
            apply(plan)
    return {
        "changed": any(plan.changed for plan in plans),
        "diff": make_diffs({plan.name: (plan.now, plan.then) for plan in plans}),
    }
