# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures that can be caused, what each may take with it, and on whom it falls. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.state import Pod, Snapshot


@dataclass(frozen=True)
class Failure:
    """A failure and what is promised of a service that meets it.

    title: the end of a sentence. head: what becomes of it, C(replaced), C(restarted), C(kept), or C(any) of these.
    workers_lost: how many it takes, None for those on the node that it takes. node_of: whose node it takes, if any.
    effect: of a failure that the caller's commands cause, what has to be seen of it before a recovery counts, one of EFFECTS; of
    all others heads and workers tell by themselves. lasts: it stays until it is undone.
    """

    title: str
    head: str
    workers_lost: int | None = 0
    node_of: str = ""
    effect: str = ""
    lasts: bool = False

    @property
    def needs_commands(self) -> bool:
        """Whether the caller brings the commands that cause and undo it."""
        return bool(self.effect)

    @property
    def of_redis(self) -> bool:
        """Whether it is Redis that is lost, and that has to answer again."""
        return self.effect in ("redis_silent", "head_restarted")


# What can be seen of a failure from outside.
EFFECTS = {
    "node_silent": "a kubelet that does not renew its node's Lease any more",
    "redis_silent": "a GCS that does not answer what it has to ask Redis for, or a head that restarts",
    "head_restarted": "a head that restarts",
}
# Seconds of a lost node that show for certain: its Lease is renewed every 10 s.
NODE_LEAST = 20

FAILURES = {
    "head_deleted": Failure("the head's pod deleted, with its own grace period", "replaced"),
    "head_forced": Failure("the head's pod deleted, without a grace period", "replaced"),
    "gcs_killed": Failure("the head's GCS process killed (SIGKILL)", "restarted"),
    "gcs_terminated": Failure("the head's GCS process ended (SIGTERM)", "restarted"),
    "head_out_of_memory": Failure("the head's container out of memory", "restarted"),
    "head_drained": Failure("the head's node drained", "replaced", None, "head", lasts=True),
    "head_node_lost": Failure("the head's node lost", "any", None, "head", "node_silent", lasts=True),
    "operator_down": Failure("the head's pod deleted while the KubeRay operator is down", "replaced", lasts=True),
    "redis_lost": Failure("the Redis of the head lost", "any", effect="redis_silent", lasts=True),
    "worker_deleted": Failure("a worker's pod deleted, with its own grace period", "kept", 1),
    "worker_node_lost": Failure("a worker's node lost", "kept", None, "worker", "node_silent", lasts=True),
    "head_and_worker_deleted": Failure("the pods of the head and of a worker deleted at once", "replaced", 1),
}

ARGUMENT_SPEC = {
    "failure": {"type": "str", "choices": list(FAILURES), "default": "head_deleted"},
    "failure_commands": {
        "type": "dict",
        "options": {
            "begin": {"type": "list", "elements": "str", "required": True},
            "end": {"type": "list", "elements": "str"},
            "effect": {"type": "str", "choices": ["redis_silent", "head_restarted"]},
        },
    },
    "failure_seconds": {"type": "int", "default": 0},
    "repeat": {"type": "int", "default": 1},
    "stability_seconds": {"type": "int", "default": 60},
    "recovery_timeout": {"type": "int", "default": 120},
    "head_timeout": {"type": "int"},
    "max_failed_requests": {"type": "int", "default": 0},
    "failed_within": {"type": "int"},
    "max_slow_requests": {"type": "int"},
    "max_p99_ratio": {"type": "float"},
}
LEAST = {
    "baseline_seconds": 1,
    "failure_seconds": 0,
    "repeat": 1,
    "stability_seconds": 0,
    "recovery_timeout": 1,
    "head_timeout": 1,
    "max_failed_requests": 0,
    "failed_within": 1,
    "max_slow_requests": 0,
    "max_p99_ratio": 1,
}


@dataclass(frozen=True)
class Aim:
    """On whom a failure falls. node: the one that it takes, "" for none; workers: those that it takes with it."""

    head: Pod
    node: str = ""
    workers: tuple[Pod, ...] = ()

    @property
    def taken(self) -> frozenset[str]:
        """UIDs of the workers that may be lost."""
        return frozenset(pod.uid for pod in self.workers)


def problem(params: dict) -> str:
    """What is wrong with the module's options, beyond their types and the load; empty if nothing is."""
    for name, least in LEAST.items():
        if params[name] is not None and params[name] < least:
            return f"{name} is {params[name]:g}; expected: at least {least}"
    name, seconds = params["failure"], params["failure_seconds"]
    failure, commands = FAILURES[name], params["failure_commands"]
    end = (commands or {}).get("end")
    if failure.needs_commands and not commands:
        return f"failure_commands is not given; expected with failure {name}: the commands that cause and undo it"
    if commands and not failure.needs_commands:
        takers = ", ".join(key for key, value in FAILURES.items() if value.needs_commands)
        return f"failure_commands is given with failure {name}; expected: none, they go with {takers}"
    if commands and not commands["begin"]:
        return "failure_commands.begin is empty; expected: a program and its arguments, as a list"
    if commands and commands["effect"] and failure.effect != "redis_silent":
        return f"failure_commands.effect is given with failure {name}; expected: none, it goes with redis_lost"
    if failure.effect == "node_silent" and 0 < seconds < NODE_LEAST:
        return f"failure_seconds is {seconds}; expected with failure {name}: 0, or at least {NODE_LEAST}, as a shorter loss does not show"
    if seconds and not failure.lasts:
        return f"failure_seconds is {seconds}; expected with failure {name}: 0, as there is nothing to undo"
    if seconds and commands and not end:
        return f"failure_seconds is {seconds} and failure_commands has no end; expected: the command that undoes the failure"
    if name == "operator_down" and not seconds:
        return "failure_seconds is 0; expected with failure operator_down: at least 1, as without operator no head comes back"
    if params["repeat"] > 1 and end and not seconds:
        return f"repeat is {params['repeat']} and failure_seconds 0; expected: at least 1 second, to undo each failure before the next"
    return ""


def aim(failure: Failure, before: Snapshot) -> Aim:
    """Choose the node and the workers of a failure. Raises ValueError: there are none.

    A worker that carries a replica is taken rather than another: its loss is what users might notice.
    """
    head = before.heads[0]
    serving = {replica.node_ip for replica in before.serve.replicas} if before.serve else set()
    there = [pod for pod in before.workers if not pod.terminating]
    workers = sorted(there, key=lambda pod: (pod.ip not in serving, pod.name))
    if failure.workers_lost:
        return Aim(head, workers=tuple(workers[: failure.workers_lost]))
    if not failure.node_of:
        return Aim(head)
    nodes = [head.node] if failure.node_of == "head" else [pod.node for pod in workers if pod.node != head.node]
    if not nodes:
        raise ValueError(f"every worker is on the node of the head, {head.node}; {failure.title} would take both")
    return Aim(head, nodes[0], tuple(pod for pod in workers if pod.node == nodes[0]))
