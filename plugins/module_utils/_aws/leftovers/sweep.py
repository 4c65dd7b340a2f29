# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look, delete what may be deleted, and look again until nothing is left.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import ownership
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import has_tags
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers import listing, removal
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers.listing import Scope
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers.marks import Leftover
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, wait_until

#: A message names no more than these; the result has all.
NAMED = 10


class Sweep:
    """C(delete): also delete; C(dry): only say what would be deleted. C(left) and C(deleted) tell how it stands."""

    def __init__(self, scope: Scope, kinds: list[str], delete: bool, dry: bool) -> None:
        self.scope, self.kinds, self.delete, self.dry = scope, kinds, delete, dry
        self.left: list[Leftover] = []
        self.deleted: dict[str, Leftover] = {}
        self._cluster_gone = not scope.cluster

    def _look_at_cluster(self) -> None:
        """See whether it is gone, and let what is a foreign cluster's be: it has our cluster's name, and not our tags."""
        if self._cluster_gone:
            return
        cluster = ownership.find(self.scope.clients, "eks:cluster", self.scope.cluster)
        if cluster and not has_tags(cluster.tags or {}, self.scope.tags):
            self.scope = replace(self.scope, cluster="")
        self._cluster_gone = cluster is None or not self.scope.cluster

    def look(self) -> list[Leftover]:
        """One look, with the deletions that it allows; what was seen."""
        # Before the listing: the log group that an ending cluster writes anew is in the listing of the next look.
        self._look_at_cluster()
        self.left = []
        for one in listing.look(self.scope, self.kinds):
            # Until the cluster is gone it is its controllers' work, or they would make it anew.
            if not (self.delete and one.removable and self._cluster_gone):
                self.left.append(one)
                continue
            reason = "" if self.dry else removal.remove(self.scope, one)
            if not reason:
                self.deleted.setdefault(one.id, one)
            # What AWS has taken may need a while to go.
            self.left.append(one.blocked(reason) if reason else one)
        return self.left

    def wait(self, timeout: float, delay: float, report: t.Callable[[str], None]) -> None:
        """Look until nothing is left.

        Raises:
            WaitError: something is; the message names it.
        """

        def look() -> Seen:
            texts = [one.text for one in self.look()]
            more = [f"and {len(texts) - NAMED} more"] if len(texts) > NAMED else []
            return Seen("" if texts else "ready", "; ".join(texts[:NAMED] + more))

        whose = f"the cluster {self.scope.cluster} and " if self.scope.cluster else ""
        goal = f"nothing to be left of {whose}{ownership.tag_text(self.scope.tags)}"
        wait_until(goal, look, timeout, delay, report=report)

    def result(self) -> dict[str, t.Any]:
        deleted = [one.as_result() for one in self.deleted.values()]
        return {
            "changed": bool(deleted),
            "leftovers": [one.as_result() for one in self.left],
            "deleted": deleted,
            "diff": {"before": {one["id"]: one["name"] for one in deleted}, "after": {}},
        }
