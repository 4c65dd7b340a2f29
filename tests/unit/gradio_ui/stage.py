# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that is played, for the scenario chat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LEAVING, STARTING, BACK = 1, 3, 4
STEPS: tuple[tuple[str, str, bool] | None, ...] = (
    ("old", "True", False),
    ("old", "True", True),
    None,
    ("new", "False", False),
    ("new", "True", False),
)


class Stage:
    """A cluster whose head leaves when it is deleted, and comes back when there is an operator: as a real one does.

    C(hurried): it comes back at once, whoever has been stopped.
    """

    def __init__(self, hurried: bool = False) -> None:
        self.hurried, self.step, self.operator = hurried, 0, True

    def heads(self) -> list[dict[str, Any]]:
        now = STEPS[self.step]
        if self.step == LEAVING or (self.hurried and LEAVING < self.step < STARTING):
            self.step += 1
        if now is None:
            return []
        uid, ready, deleting = now
        metadata = {"uid": uid, "name": uid} | ({"deletionTimestamp": "now"} if deleting else {})
        return [{"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}]

    def delete(self, pod: dict[str, Any]) -> None:
        assert pod["metadata"]["uid"] == "old"
        assert not self.operator
        self.step = LEAVING

    @contextmanager
    def without_operator(self) -> Iterator[None]:
        self.operator = False
        try:
            yield
        finally:
            self.operator = True
            self.step = max(self.step, STARTING)

    def noted(self, phase: str) -> None:
        """The scenario has an answer of this phase."""
        if phase == "starting":
            self.step = BACK
