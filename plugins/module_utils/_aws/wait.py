# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wait for a resource of AWS: ready, failed for good, or out of time. Pure but for the clock, which is the caller's.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.rayops.serve_ha.plugins.module_utils._clock import Clock

#: The longest silence towards the user.
REPORT_SECONDS = 15.0


@dataclass(frozen=True)
class Seen:
    """What one look saw.

    C(end) is C(ready), C(failed) (no waiting will mend it) or empty (go on). C(text) is for the user: the resource's status
    and, where AWS gives one, its reason. C(resource) is what the wait returns when ready.
    """

    end: str
    text: str
    resource: t.Any = None


class WaitError(Exception):
    """The wait ended without what was waited for. C(last) is what the last look saw."""

    def __init__(self, message: str, last: Seen) -> None:
        super().__init__(message)
        self.last = last


def wait_until(
    goal: str,
    look: t.Callable[[], Seen],
    timeout: float,
    delay: float = 10.0,
    clock: Clock | None = None,
    report: t.Callable[[str], None] = lambda text: None,
) -> t.Any:
    """Look until it is ready; return its resource.

    Args:
        goal: what is waited for, e.g. C(EKS cluster mistral to be ACTIVE); begins every message.
        look: one look; what it raises ends the wait.
        timeout: seconds, from the first look on. There is always one look, and one at the very end.
        delay: seconds between two looks.

    Raises:
        WaitError: failed for good, or out of time; the message says what was seen last.
    """
    clock = clock or Clock()
    began = clock.now()
    reported = ("", began)
    while True:
        seen = look()
        now = clock.now()
        if seen.end == "ready":
            return seen.resource
        if seen.end == "failed":
            raise WaitError(f"Waiting for {goal} is in vain: {seen.text}", seen)
        left = began + timeout - now
        if left <= 0:
            raise WaitError(f"Waited {timeout:.0f} s for {goal}; last seen: {seen.text}", seen)
        if seen.text != reported[0] or now - reported[1] >= REPORT_SECONDS:
            news = seen.text if seen.text != reported[0] else "unchanged"
            report(f"{goal}: {news} ({now - began:.0f} s of {timeout:.0f} s)")
            reported = (seen.text, now)
        clock.sleep(min(delay, left))
