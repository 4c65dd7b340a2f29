# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the resources of ElastiCache have in common: their names, refusals and waits.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.api import is_error
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, wait_until


def attempt(call: t.Callable[[], t.Any], *codes: str) -> Seen:
    """One try of a request that AWS may refuse with one of these codes, for now; ready if it took it."""
    try:
        return Seen("ready", "taken", call())
    except AnsibleAWSError as error:
        if is_error(error, *codes):
            return Seen("", str(error.exception))
        raise


@dataclass
class CacheResource:
    """The one resource of a task. C(params) are the module's; C(report) shows the user how far it is."""

    #: What messages call it, and the option with its name.
    label: t.ClassVar[str]
    key: t.ClassVar[str]

    client: t.Any
    params: dict[str, t.Any]
    check_mode: bool
    report: t.Callable[[str], None]

    @property
    def name(self) -> str:
        # AWS keeps the name in lower case and finds it in any.
        return self.params[self.key].lower()

    def refuse(self, texts: list[str]) -> None:
        if texts:
            raise AnsibleAWSError(message=f"{self.label.capitalize()} {self.name}: {'; '.join(texts)}")

    def wait(self, goal: str, look: t.Callable[[], Seen]) -> t.Any:
        timeout, delay = self.params["wait_timeout"], self.params["wait_delay"]
        return wait_until(f"{self.label} {self.name} {goal}", look, timeout, delay, report=self.report)

    def wait_visible(self, read: t.Callable[[], t.Any]) -> t.Any:
        """Of what was just created AWS may say for a moment that it does not exist."""

        def look() -> Seen:
            found = read()
            return Seen("", "not visible yet") if found is None else Seen("ready", "", found)

        return self.wait("to be visible", look)

    def delete_unused(self, delete: t.Callable[[], t.Any], in_use: str) -> None:
        """Delete a group; AWS lets go of it only some time after the last replication group that used it is gone."""
        if self.params["wait"]:
            self.wait("to be in use by nobody, so that it can be deleted", lambda: attempt(delete, in_use))
        else:
            delete()
