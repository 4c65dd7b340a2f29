# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Undoes what a failure has changed, also what a killed check has left: each change is noted down where the next one finds it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import (
    CHECK_LABEL,
    HEADERS,
    NODES,
    NOTE,
    Cluster,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.notes import (
    Note,
    key_path,
    ours,
    parsed,
    written,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure

COMMAND_SECONDS = 120.0
UNNOTED = {"annotations": {CHECK_LABEL: None}}


class StrikeError(Exception):
    """A failure could not be caused, or not be undone."""


@dataclass(frozen=True)
class Left:
    """One thing that a killed check has left. words: what is done about it by C(undo), which raises ApiFailure, StrikeError."""

    words: str
    undo: Callable[[], object]


def described(words: list[str]) -> str:
    """A command without what may be secret in it: C(kubectl with 4 arguments)."""
    count = len(words) - 1
    return f"{words[0]} with {count} argument{'' if count == 1 else 's'}"


def filled(words: list[str], node: str) -> list[str]:
    """A command of the caller, with the node that it is about."""
    return [word.replace("{node}", node) for word in words]


def run_program(words: list[str]) -> None:
    """Run a command of this machine. Raises StrikeError if it fails or takes too long."""
    told = f"the command {described(words)}"
    try:
        # run_command of the module has no time limit. In a session of its own: who stops us by the keyboard must not end what undoes.
        # pylint: disable-next=ansible-bad-function
        result = subprocess.run(
            words,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise StrikeError(f"{told} did not end within {COMMAND_SECONDS:.0f} s") from error
    except OSError as error:
        raise StrikeError(f"{told} cannot be run: {error}") from error
    if result.returncode:
        raise StrikeError(f"{told} ended with {result.returncode}: {(result.stderr or result.stdout).strip()}")


def full_name(thing: dict) -> str:
    return f"{thing['metadata']['namespace']}/{thing['metadata']['name']}"


def deployment_path(deployment: dict) -> str:
    return "/apis/apps/v1/namespaces/{namespace}/deployments/{name}".format(**deployment["metadata"])


def annotation(thing: dict) -> str:
    """What a check noted down at a thing that it changed, "" for nothing."""
    return (thing["metadata"].get("annotations") or {}).get(CHECK_LABEL, "")


def uncordon(cluster: Cluster, node: str) -> None:
    cluster.patch(f"{NODES}/{node}", metadata=UNNOTED, spec={"unschedulable": None})


def scale_back(cluster: Cluster, deployment: dict, replicas: int) -> None:
    cluster.patch(deployment_path(deployment), metadata=UNNOTED, spec={"replicas": replicas})


def note(cluster: Cluster, failure: str, node: str, end: list[str]) -> None:
    """Note down which command undoes a failure: in a Secret, as what is in a command may be one. Raises StrikeError, ApiFailure."""
    try:
        text = written(cluster.namespace, cluster.name, Note(failure, node, end))
    except OSError as error:
        raise StrikeError(f"{key_path()}, the key that signs what undoes the failure, cannot be used: {error}") from error
    cluster.keep(NOTE, text)


def call_end(cluster: Cluster, end: list[str], command: Callable[[list[str]], None]) -> None:
    command(end)
    cluster.forget(NOTE)


def perform(actions: Iterable[Callable[[], object]]) -> None:
    """Do all of it, also after a failure. Raises StrikeError with all that could not be done."""
    errors = []
    for action in actions:
        try:
            action()
        except (ApiFailure, StrikeError) as error:
            errors.append(str(error))
    if errors:
        raise StrikeError("; ".join(errors))


def left(
    cluster: Cluster, command: Callable[[list[str]], None] = run_program, own_end: list[str] | None = None
) -> list[Left]:
    """What a killed check of this RayService has left. own_end: the command of the caller that undoes a failure."""
    owner, found = f"{cluster.namespace}/{cluster.name}", []
    for pod in cluster.load_pods():
        if "deletionTimestamp" not in pod["metadata"]:
            name = pod["metadata"]["name"]
            found.append(Left(f"load pod {name} deleted", partial(cluster.remove_load_pod, name)))
    for node in seen(cluster.nodes):
        if annotation(node) == owner:
            name = node["metadata"]["name"]
            found.append(Left(f"node {name} uncordoned", partial(uncordon, cluster, name)))
    for deployment in seen(cluster.operators):
        whose, _blank, replicas = annotation(deployment).partition(" ")
        if whose == owner:
            words = f"Deployment {full_name(deployment)} scaled to {replicas}"
            found.append(Left(words, partial(scale_back, cluster, deployment, int(replicas))))
    if seen(partial(cluster.kept, HEADERS)):
        found.append(Left("headers of the load deleted", partial(cluster.forget, HEADERS)))
    for text in seen(partial(cluster.kept, NOTE)):
        found.append(left_by_a_command(cluster, text, command, own_end))
    return found


def left_by_a_command(cluster: Cluster, text: str, command: Callable[[list[str]], None], own_end: list[str] | None) -> Left:
    """What is done about a note. Its command is run only if it was noted down here, or is the caller's own."""
    where = f"{cluster.namespace}/{cluster.secret_name(NOTE)}"
    found = parsed(text)
    if not found:
        reason = f"the Secret {where} is not what a check writes: look who wrote it, and delete it"
        return Left(f"Secret {where} left as it is", partial(refuse, reason))
    failure = f"failure {found.failure}" + (found.node and f" of node {found.node}")
    try:
        trusted = ours(cluster.namespace, cluster.name, found)
        doubt = "it was not noted down by this user on this machine"
    except OSError as error:
        trusted, doubt = False, f"it cannot be told who noted it down: {error}"
    if trusted or (own_end and filled(own_end, found.node) == found.end):
        return Left(f"{failure} undone", partial(end_of_a_note, cluster, where, found.end, command))
    reason = (
        f"the {failure} was left by a check of another machine or user, or by somebody else. The command that is to undo it is not run "
        f"here, as {doubt}. Undo it where that check ran, or by a check here with the same command as failure_commands.end, "
        f"or by hand, and delete the Secret {where} then"
    )
    return Left(f"{failure} left as it is", partial(refuse, reason))


def refuse(reason: str) -> None:
    raise StrikeError(reason)


def end_of_a_note(cluster: Cluster, where: str, end: list[str], command: Callable[[list[str]], None]) -> None:
    try:
        call_end(cluster, end, command)
    except StrikeError as error:
        raise StrikeError(f"{error}. If that command can do no more, undo the failure and delete the Secret {where}") from error


def seen(look: Callable[[], list]) -> list:
    """What C(look) finds; nothing if the account may not look: then it cannot have changed anything there either."""
    try:
        return look()
    except ApiFailure as error:
        if error.status == 403:
            return []
        raise
