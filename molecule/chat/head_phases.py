# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of a Ray cluster, from its deletion to its return, as the Kubernetes API tells it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

#: A head that is being deleted lives on until its grace is over; its object goes when its processes are gone.
THERE, LEAVING, GONE, STARTING, BACK = "there", "leaving", "gone", "starting", "back"
#: Seconds between two looks.
PERIOD = 0.1


class PhaseMissed(Exception):
    """A phase did not come, or was over too soon; the message has the phases that were seen."""


@dataclass(frozen=True)
class Head:
    """What a pod object says of a head."""

    uid: str
    deleting: bool
    ready: bool


def head_of(pod: dict[str, Any]) -> Head:
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return Head(pod["metadata"]["uid"], bool(pod["metadata"].get("deletionTimestamp")), ready)


def phase_of(heads: list[Head], old: str) -> str:
    """The phase, after the deletion of the head with the UID C(old). While any head is being deleted, none is gone or new."""
    if any(head.deleting for head in heads):
        return LEAVING
    if any(head.uid == old for head in heads):
        return THERE
    if any(head.ready for head in heads):
        return BACK
    return STARTING if heads else GONE


def transitions(samples: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """The first look at each phase, of looks in order of time."""
    return [now for before, now in zip([(0.0, ""), *samples], samples, strict=False) if now[1] != before[1]]


def phases_during(samples: list[tuple[float, str]], start: float, end: float) -> set[str]:
    """All phases from the last look before C(start) to the first one after C(end)."""
    before = [phase for at, phase in samples if at <= start][-1:]
    within = [phase for at, phase in samples if start < at < end]
    after = [phase for at, phase in samples if at >= end][:1]
    return {*before, *within, *after}


class HeadWatch:
    """Looks at the heads all the time, in a thread. C(look): returns the pod objects of all heads."""

    def __init__(self, look: Callable[[], list[dict[str, Any]]], old: str) -> None:
        self.look, self.old = look, old
        self.samples: list[tuple[float, str]] = []
        self.error: Exception | None = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self) -> HeadWatch:
        self.thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.over.set()
        self.thread.join()

    def watch(self) -> None:
        while not self.over.wait(PERIOD):
            try:
                phase = phase_of([head_of(pod) for pod in self.look()], self.old)
            except Exception as error:
                self.error = error
                return
            # Noted when the answer is there: what is true may have begun before, never later.
            self.samples.append((time.time(), phase))

    def wait_for(self, phase: str, seconds: float) -> None:
        """Wait until the newest look shows this phase.

        Raises:
            PhaseMissed: it did not within these seconds.
        """
        until = time.monotonic() + seconds
        while not self.samples or self.samples[-1][1] != phase:
            if self.error:
                raise self.error
            if time.monotonic() > until:
                raise PhaseMissed(f"the head was not seen {phase} within {seconds:.0f} s, but {self.seen()}")
            time.sleep(PERIOD / 10)

    def require(self, phase: str, start: float, end: float) -> None:
        """Wait for a look after C(end), and require this phase from C(start) to C(end).

        Raises:
            PhaseMissed: there was another one too.
        """
        while not self.error and self.samples[-1][0] < end:
            time.sleep(PERIOD / 10)
        if self.error:
            raise self.error
        seen = phases_during(self.samples, start, end)
        if seen != {phase}:
            raise PhaseMissed(
                f"the question meant for the phase {phase} was asked or answered in {sorted(seen)}: {self.seen()}"
            )

    def seen(self) -> str:
        start = self.samples[0][0] if self.samples else 0.0
        return ", ".join(f"{phase} after {at - start:.1f} s" for at, phase in transitions(self.samples))
