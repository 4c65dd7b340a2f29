# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a failure may change of a service, and what has to stay, by before and after: why not, in sentences. Pure."""

from __future__ import annotations

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.evidence import Round
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.failures import Failure
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.recovery import ready_workers
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import Pod, Replica

HEAD_TITLES = {
    "replaced": "There is one new head, it is Ready and did not restart",
    "restarted": "The head stays, and its container restarted once",
    "kept": "The head stays, without a restart",
    "any": "There is one head, and it is Ready",
}


def service(one: Round) -> list[str]:
    before, after = one.before, one.after
    reasons = [f"KubeRay built another RayCluster, {name}" for name in one.other_clusters]
    if after is None:
        return [*reasons, f"the RayService could not be read at the end: {one.after_problem}"]
    if after.service_uid != before.service_uid:
        reasons.append("the RayService is not the same object any more")
    if after.cluster_name != before.cluster_name:
        reasons.append(f"the RayCluster is {after.cluster_name or 'gone'} instead of {before.cluster_name}")
    elif after.cluster_uid != before.cluster_uid:
        reasons.append(f"the RayCluster {before.cluster_name} was made anew")
    if after.service_problems:
        reasons.append(f"at the end the RayService is not ready: {'; '.join(after.service_problems)}")
    return reasons


def heads(promise: Failure, one: Round) -> list[str]:
    old, after = one.before.heads[0], one.after.heads
    if len(after) != 1:
        return [
            f"there are {len(after)} heads at the end instead of one: {', '.join(pod.name for pod in after) or 'none'}"
        ]
    head = after[0]
    reasons = [] if head.ready else [f"the head {head.name} is not Ready at the end"]
    replaced = head.uid != old.uid
    if promise.head == "replaced" and not replaced:
        return [*reasons, f"the old head {head.name} is still there"]
    if promise.head in ("restarted", "kept") and replaced:
        return [*reasons, f"the head {old.name} was replaced, by {head.name}"]
    names = ", ".join(one.new_heads)
    if promise.head == "replaced" and len(one.new_heads) > 1:
        reasons.append(f"the head {old.name} was replaced {len(one.new_heads)} times, by {names}")
    elif promise.head in ("restarted", "kept") and one.new_heads:
        reasons.append(f"beside the head {old.name} there was another one meanwhile: {names}")
    for name, count in head.restarts.items():
        restarts = count - (0 if replaced else old.restarts.get(name, 0))
        if promise.head == "restarted" and name == head.container:
            if restarts != 1:
                reasons.append(f"container {name} of the head {head.name} restarted {restarts} times, expected once")
        elif promise.head in ("replaced", "kept") and restarts:
            reasons.append(f"container {name} of the head {head.name} restarted {restarts} times")
    return reasons


def _leaving(one: Round) -> list[Pod]:
    """The workers of before that may go: those that the failure takes, and those that were on their way out already."""
    return [pod for pod in one.before.workers if pod.uid in one.taken or pod.terminating]


def workers(one: Round) -> list[str]:
    """Every worker of before must be there as it was, but for those that may go. One more, from autoscaling, is no fault."""
    now = {pod.uid: pod for pod in one.after.workers}
    reasons = [] if one.before.workers else ["there was no worker before"]
    for pod in one.before.workers:
        if pod in _leaving(one):
            continue
        if pod.uid not in now:
            reasons.append(f"worker {pod.name} is gone")
            continue
        for name, count in now[pod.uid].restarts.items():
            if count != pod.restarts.get(name, 0):
                reasons.append(
                    f"container {name} of worker {pod.name} restarted ({pod.restarts.get(name, 0)} → {count} restarts)"
                )
        if not now[pod.uid].ready:
            reasons.append(f"worker {pod.name} is not Ready at the end")
    ready, needed = ready_workers(one.after.workers), ready_workers(one.before.workers)
    if one.taken and ready < needed:
        reasons.append(f"{ready} workers are Ready at the end, {needed} were before")
    return reasons


def replicas(one: Round) -> list[str]:
    """Every replica of before must be the same process still, but on workers that may go. One more is no fault."""
    before, after = one.before, one.after
    if before.serve is None or not before.serve.replicas:
        return ["the replicas before were not seen"]
    if after.serve is None:
        return ["Ray's dashboard did not answer at the end, so the replicas could not be compared"]
    now: dict[tuple, Replica] = {replica.identity: replica for replica in after.serve.replicas}
    places = {pod.ip for pod in _leaving(one)}
    lost = [
        replica for replica in before.serve.replicas if replica.identity not in now and replica.node_ip not in places
    ]
    reasons = []
    if lost:
        names = ", ".join(f"{replica.deployment}#{replica.replica_id}" for replica in lost)
        reasons.append(f"{len(lost)} of {len(before.serve.replicas)} replicas are not the same any more ({names})")
    if not after.serve.running:
        reasons.append(f"at the end Serve is not well: {after.serve.describe()}")
    elif after.serve.running_replicas < before.serve.running_replicas:
        reasons.append(
            f"at the end {after.serve.running_replicas} replicas run, {before.serve.running_replicas} did before"
        )
    return reasons
