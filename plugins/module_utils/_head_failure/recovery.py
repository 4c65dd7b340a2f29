# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether everything is back after a failure: a question about a state, however it was reached. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import Failure
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import HEAD, Pod, Serve, Snapshot


@dataclass(frozen=True)
class View:
    """What is known at one moment.

    lasting: the failure is not there in full yet, or still to be undone. taken: UIDs of the workers that it holds down. gcs, serve: what the
    dashboard of the head said since the failure, or since the head came back; None for nothing. unseen: as in
    Timeline.
    """

    pods: Collection[Pod]
    lasting: bool
    taken: frozenset[str]
    gcs: bool
    serve: Serve | None
    unseen: str = ""


def is_another(old: Pod, head: Pod) -> bool:
    """Whether this is not the head of before: a new pod, or its containers restarted."""
    return head.uid != old.uid or head.restarted > old.restarted


def has_turned(failure: Failure, old: Pod, head: Pod) -> bool:
    """Whether this is a head from after the failure. One that is replaced where a restart was promised is for the judge."""
    if failure.head == "replaced":
        return head.uid != old.uid
    return failure.head != "restarted" or is_another(old, head)


def missing(failure: Failure, before: Snapshot, view: View) -> list[str]:
    """What is not as it was before the failure, in words; empty when everything is back."""
    words = ["the failure is not over"] if view.lasting else []
    words += [f"the failure was not seen to act; expected: {view.unseen}"] if view.unseen else []
    words += head_missing(failure, before.heads[0], heads(view.pods))
    ready, needed = ready_workers(view.pods, view.taken), ready_workers(before.workers)
    if ready < needed:
        words.append(f"{ready} of {needed} workers Ready")
    if not view.gcs:
        words.append("the GCS did not answer")
    if view.serve is None:
        words.append("the Serve controller did not answer")
    elif not serves(before, view.serve):
        words.append(f"Serve: {view.serve.describe()}, {before.serve.running_replicas} before")
    return words


def heads(pods: Iterable[Pod]) -> list[Pod]:
    return [pod for pod in pods if pod.role == HEAD]


def ready_workers(pods: Iterable[Pod], taken: frozenset[str] = frozenset()) -> int:
    return sum(pod.ready and not pod.terminating and pod.uid not in taken for pod in pods if pod.role != HEAD)


def serves(before: Snapshot, serve: Serve) -> bool:
    """Whether every application runs, with as many replicas as before."""
    return serve.running and serve.running_replicas >= before.serve.running_replicas


def head_missing(failure: Failure, old: Pod, heads: list[Pod]) -> list[str]:
    """Why there is not one head, from after the failure and Ready, in words; empty if there is."""
    if len(heads) != 1:
        return [f"there are {len(heads)} head pods: {', '.join(pod.name for pod in heads)}" if heads else "no head pod"]
    head = heads[0]
    if head.terminating:
        return [f"the head {head.name} is being deleted"]
    if not has_turned(failure, old, head):
        return [f"the head {head.name} was not {failure.head}"]
    if not head.ready:
        return [
            f"the head {head.name}: {head.phase or 'no phase'}, not Ready"
            + (f", {head.trouble}" if head.trouble else "")
        ]
    return []
