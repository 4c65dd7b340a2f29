# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a resource of EKS that takes minutes for everything: found, made, waited for, updated step by step, deleted.

What is special to a kind of resource - its options, what of them can change and how - is a L(Kind) of pure functions.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changed_tags, make_diff
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import (
    EksErrors,
    aws_message,
    change_tags,
    issues_text,
    once_role_is_known,
    once_taken,
    once_visible,
    status_text,
    to_result,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, wait_until

Options = dict[str, t.Any]
#: AWS is at work and will be done; a resource that exists in such a state takes no update.
BUSY = ("CREATING", "PENDING", "UPDATING")


@dataclass(frozen=True)
class Step:
    """One update at AWS: what it changes, in the user's words, boto3's operation and its parameters."""

    what: str
    operation: str
    request: dict[str, t.Any]


@dataclass(frozen=True)
class Kind:
    """A kind of resource: C(cluster) for C(describe_cluster) and so on, and its rules.

    Options are dictionaries in the form of the module's options. C(view) gives those of a described resource.
    C(desired(params)) gives those that the user asks for, C(merge(now, wanted)) what they shall be.
    C(plan(label, now, then)) gives the steps that lead there, or raises AnsibleAWSError where AWS has none.
    C(creation(wanted)) gives the parameters of the create operation but tags. C(arn) is the key of its ARN.
    C(failed) are the states that no waiting mends. C(required) are the options, C(option.suboption), a creation needs.
    C(mendable) are those of C(failed) in which AWS takes updates, by which it may get well again.
    """

    key: str
    arn: str
    failed: tuple[str, ...]
    required: tuple[str, ...]
    view: t.Callable[[dict[str, t.Any]], Options]
    desired: t.Callable[[dict[str, t.Any]], Options]
    merge: t.Callable[[Options, Options], Options]
    plan: t.Callable[[str, Options, Options], list[Step]]
    creation: t.Callable[[Options], dict[str, t.Any]]
    mendable: tuple[str, ...] = ()


def tidy(value: t.Any) -> t.Any:
    """Without what was not given: None, and empty strings, which a role passes for what it does not know (yet).

    What has nothing else inside is not given either, but an empty list or dictionary is.
    """
    if isinstance(value, dict):
        kept = {name: tidy(inner) for name, inner in value.items()}
        kept = {name: inner for name, inner in kept.items() if inner is not None}
        return kept if kept or not value else None
    if isinstance(value, list):
        kept = [inner for inner in map(tidy, value) if inner is not None]
        return kept if kept or not value else None
    return None if value == "" else value


def missing(required: tuple[str, ...], params: Options, check_mode: bool) -> list[str]:
    """The required options that were not given. In check mode an empty one will do: what it names may be made first."""
    lacking = []
    for path in required:
        value: t.Any = params
        for name in path.split("."):
            value = value and value.get(name)
        if value is None or (not check_mode and not tidy(value)):
            lacking.append(path)
    return lacking


class Resource:
    """One resource and the calls to AWS about it.

    Args:
        label: how messages call it, e.g. C(EKS cluster mistral).
        identity: parameters that name it in describe and delete.
        update_identity: parameters that name it in C(describe_update).
        params: the module's.
    """

    def __init__(
        self,
        client: t.Any,
        kind: Kind,
        label: str,
        identity: dict[str, str],
        update_identity: dict[str, str],
        params: dict[str, t.Any],
        report: t.Callable[[str], None] = lambda text: None,
    ) -> None:
        self.client = client
        self.kind = kind
        self.label = label
        self.identity = identity
        self.update_identity = update_identity
        self.params = params
        self.wait = params["wait"]
        self._timing = {"timeout": params["wait_timeout"], "delay": params["wait_delay"], "report": report}
        self.report = report
        # Whether it was seen since its creation.
        self._visible = False

    def _call(
        self, verb: str, operation: str, handler: t.Any = EksErrors.common_error_handler, **request: t.Any
    ) -> t.Any:
        return handler(f"{verb} {self.label}")(getattr(self.client, operation))(**request, aws_retry=True)

    def describe(self) -> dict[str, t.Any] | None:
        response = self._call(
            "describe", f"describe_{self.kind.key}", handler=EksErrors.list_error_handler, **self.identity
        )
        if response is None:
            return None
        self._visible = True
        return response[self.kind.key]

    def create(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        # With a token of our own a retry after an answer that was lost does not find that the name is taken, by itself.
        request = request | {"clientRequestToken": str(uuid.uuid4())}
        response = once_role_is_known(
            f"AWS to take the IAM role of {self.label}",
            lambda: self._call("create", f"create_{self.kind.key}", **request),
            self.report,
        )
        self._visible = False
        return response[self.kind.key]

    def update(self, step: Step) -> dict[str, t.Any]:
        """Start a step; while AWS is still at another update of the resource, wait for that."""

        def call() -> dict[str, t.Any]:
            return self._call(f"update {step.what} of", step.operation, **step.request)["update"]

        if not self.wait:
            return call()
        goal = f"{self.label} to take an update of {step.what}"
        return once_taken(goal, call, "ResourceInUseException", **self._timing)

    def delete(self, blocked: t.Callable[[], str]) -> None:
        """Start the deletion; while AWS is still at work on the resource, wait until it takes it.

        C(blocked) says what no waiting removes, when AWS has refused the deletion; empty if there is nothing.
        """

        def look() -> Seen:
            try:
                self._call(
                    "delete", f"delete_{self.kind.key}", handler=EksErrors.deletion_error_handler, **self.identity
                )
                return Seen("ready", "")
            except AnsibleAWSError as error:
                if error_code(error.exception) != "ResourceInUseException":
                    raise
                reason = blocked()
                if reason:
                    message = f"{self.label} cannot be deleted: {reason}"
                    raise AnsibleAWSError(message=message, exception=error.exception)
                if not self.wait:
                    raise
                return Seen("", aws_message(error))

        wait_until(f"{self.label} to be ready for its deletion", look, **self._timing)

    def failure(self, current: dict[str, t.Any]) -> str:
        """Why it will not become ACTIVE, and how to go on; empty if it may."""
        if current["status"] not in self.kind.failed:
            return ""
        if current["status"] in self.kind.mendable:
            return f"{status_text(current)}. Mend the cause and run this again, or delete it (state=absent) first"
        return f"{status_text(current)}. Mend the cause, delete it (state=absent) and run this again"

    def warnings(self, current: dict[str, t.Any]) -> list[str]:
        """What is wrong with it that does not keep AWS from updating it."""
        return [f"{self.label} is {self.failure(current)}"] if current["status"] in self.kind.mendable else []

    def until_active(self) -> dict[str, t.Any]:
        def look() -> Seen:
            current = self.describe()
            if current is None:
                return Seen("failed", "it is gone") if self._visible else Seen("", "not visible yet")
            failure = self.failure(current)
            if failure:
                return Seen("failed", failure)
            if current["status"] == "DELETING":
                return Seen("failed", "somebody deletes it")
            return Seen("ready" if current["status"] == "ACTIVE" else "", status_text(current), current)

        return wait_until(f"{self.label} to be ACTIVE", look, **self._timing)

    def until_updated(self, step: Step, update: dict[str, t.Any]) -> dict[str, t.Any]:
        """Wait for the update and then, because both come apart, for the resource; return it as described then."""

        def look() -> Seen:
            response = self._call(
                "describe the update of",
                "describe_update",
                handler=EksErrors.list_error_handler,
                updateId=update["id"],
                **self.update_identity,
            )
            if response is None:
                return Seen("", "not visible yet")
            seen = response["update"]
            text = ": ".join(part for part in (seen["status"], issues_text(seen.get("errors", []))) if part)
            ends = {"Successful": "ready", "Failed": "failed", "Cancelled": "failed"}
            return Seen(ends.get(seen["status"], ""), text)

        wait_until(f"{self.label} to have its {step.what} updated", look, **self._timing)
        return self.until_active()

    def until_gone(self) -> None:
        def look() -> Seen:
            current = self.describe()
            if current is None:
                return Seen("ready", "")
            return Seen("failed" if current["status"] == "DELETE_FAILED" else "", status_text(current))

        wait_until(f"{self.label} to be deleted", look, **self._timing)


def _found(resource: Resource, check_mode: bool) -> dict[str, t.Any] | None:
    """The resource as it is when AWS is done with what is under way; None if it has to be made."""
    current = resource.describe()
    if current and current["status"] == "DELETING":
        if check_mode:
            return None
        if not resource.wait:
            raise AnsibleAWSError(message=f"{resource.label} is being deleted; run this again when that is done")
        resource.until_gone()
        return None
    if current and current["status"] in BUSY and resource.wait and not check_mode:
        current = resource.until_active()
    if current and resource.failure(current) and not resource.warnings(current):
        raise AnsibleAWSError(message=f"{resource.label} is {resource.failure(current)}")
    return current


def _create(resource: Resource, wanted: Options, check_mode: bool) -> dict[str, t.Any]:
    tags = resource.params["tags"]
    lacking = missing(resource.kind.required, resource.params, check_mode)
    if lacking:
        raise AnsibleAWSError(message=f"{resource.label} does not exist; to create it, give {', '.join(lacking)}")
    after = wanted | {"tags": tags or {}}
    result = {"changed": True, "diff": make_diff({}, after)}
    if check_mode:
        return result | {resource.kind.key: after}
    request = resource.kind.creation(wanted) | ({"tags": tags} if tags else {})
    try:
        current = resource.create(request)
    except AnsibleAWSError as error:
        once_visible(resource.label, error, resource.describe, resource.report)
        return _ensure_present(resource, check_mode)
    if resource.wait:
        current = resource.until_active()
    return result | {resource.kind.key: to_result(current)}


def _ensure_present(resource: Resource, check_mode: bool) -> dict[str, t.Any]:
    kind, key, params = resource.kind, resource.kind.key, resource.params
    wanted = kind.desired(params)
    current = _found(resource, check_mode)
    if current is None:
        return _create(resource, wanted, check_mode)
    if current["status"] in BUSY and not resource.wait:
        return {"changed": False, "diff": make_diff({}, {}), key: to_result(current)}

    now = kind.view(current)
    set_tags, remove_tags, tags_after = changed_tags(now["tags"], params["tags"], params["purge_tags"])
    then = kind.merge(now, wanted) | {"tags": tags_after}
    steps = kind.plan(resource.label, now, then)
    result = {"changed": bool(steps or set_tags or remove_tags), "diff": make_diff(now, then)}
    result["warnings"] = resource.warnings(current)
    if check_mode or not result["changed"]:
        return result | {key: to_result(current)}

    change_tags(resource.client, current[kind.arn], set_tags, remove_tags)
    if not steps or not resource.wait:
        if steps:
            resource.update(steps[0])
        if steps[1:]:
            left = ", ".join(step.what for step in steps[1:])
            result["warnings"] += [f"{resource.label}: AWS makes one update at a time; not yet started: {left}"]
        current = resource.describe() or current
    else:
        for step in steps:
            current = resource.until_updated(step, resource.update(step))
    return result | {key: to_result(current)}


def _ensure_absent(resource: Resource, check_mode: bool, blocked: t.Callable[[], str]) -> dict[str, t.Any]:
    current = resource.describe()
    result: dict[str, t.Any] = {"changed": False, "diff": make_diff({}, {}), resource.kind.key: {}}
    if current is None:
        return result
    if current["status"] != "DELETING":
        result |= {"changed": True, "diff": make_diff(resource.kind.view(current), {})}
        if not check_mode:
            resource.delete(blocked)
    if resource.wait and not check_mode:
        resource.until_gone()
    return result


def ensure(resource: Resource, check_mode: bool, blocked: t.Callable[[], str] = lambda: "") -> dict[str, t.Any]:
    """Make the resource, bring it to what is wanted, or delete it; return the module's result.

    C(warnings) of the result names what is wrong with it, and the updates that were not started: AWS takes one at a time, and
    without a wait the second cannot follow the first. C(blocked) is that of Resource.delete().
    """
    if resource.params["state"] == "absent":
        return _ensure_absent(resource, check_mode, blocked)
    return _ensure_present(resource, check_mode)
