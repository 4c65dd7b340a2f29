# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the resources of EKS have in common: errors, tags, the words for what is wrong with them.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, wait_until

#: IAM shows a new role, and its policies, to other services within seconds; a minute and a half has always been enough.
ROLE_SECONDS = 90
#: EKS shows what it has made, and sees new principals of IAM, within a minute.
VISIBLE_SECONDS = 60
#: Their keys are the user's own words, so they stay as they are.
FREE_KEYS = ("labels", "tags")


class EksErrors(AWSErrorHandler):
    """The error handlers for EKS: a resource, or the cluster it would be in, that does not exist is missing."""

    @classmethod
    def _is_missing(cls) -> t.Any:
        return is_boto3_error_code("ResourceNotFoundException")


def aws_message(error: AnsibleAWSError) -> str:
    """What AWS said, without boto3's words around it."""
    response = getattr(error.exception, "response", None) or {}
    return response.get("Error", {}).get("Message", "") or str(error.exception or error.message)


def refusal(resource: str, option: str, current: t.Any, wanted: t.Any, advice: str) -> AnsibleAWSError:
    """The error for a change that AWS cannot make in place."""
    return AnsibleAWSError(message=f"{resource}: {option} is {current!r} and cannot become {wanted!r}; {advice}")


def minor_version(version: t.Any) -> tuple[int, int]:
    """C((1, 33)) of C("1.33").

    Raises:
        AnsibleAWSError: it is no such version.
    """
    match = re.fullmatch(r"(\d+)\.(\d+)", str(version))
    if match is None:
        raise AnsibleAWSError(message=f"{version!r} is not a Kubernetes version as EKS has them, like '1.33'")
    return int(match[1]), int(match[2])


def to_result(resource: dict[str, t.Any]) -> dict[str, t.Any]:
    """A resource as the modules return it: snake_case, tags as dictionary (empty if it has none)."""
    return camel_dict_to_snake_dict({"tags": {}} | resource, ignore_list=FREE_KEYS)


def issues_text(issues: list[dict[str, t.Any]]) -> str:
    """Health issues (code, message, resourceIds) or errors of an update (errorCode, errorMessage, resourceIds) in one line.

    Empty if there are none.
    """
    texts = []
    for issue in issues:
        text = f"{issue.get('code') or issue.get('errorCode')}: {issue.get('message') or issue.get('errorMessage')}"
        ids = issue.get("resourceIds")
        texts.append(f"{text} ({', '.join(ids)})" if ids else text)
    return "; ".join(texts)


def status_text(resource: dict[str, t.Any]) -> str:
    """Status and health issues of a cluster, node group or add-on, e.g. C(CREATE_FAILED: AccessDenied: ...)."""
    issues = issues_text(resource.get("health", {}).get("issues", []))
    return ": ".join(text for text in (resource.get("status", ""), issues) if text)


def change_tags(client: t.Any, arn: str, to_set: dict[str, str], to_remove: list[str]) -> None:
    """Set these tags and remove those with these keys; others stay. Nothing is asked of AWS if there are none."""
    if to_set:
        ask = EksErrors.common_error_handler("set tags of the EKS resource")(client.tag_resource)
        ask(resourceArn=arn, tags=to_set, aws_retry=True)
    if to_remove:
        ask = EksErrors.common_error_handler("remove tags of the EKS resource")(client.untag_resource)
        ask(resourceArn=arn, tagKeys=to_remove, aws_retry=True)


def once_taken(goal: str, call: t.Callable[[], t.Any], code: str, words: str = "", **timing: t.Any) -> t.Any:
    """Call until AWS does not refuse it any more with that code and a message with these words (in lower case).

    C(timing) is that of wait_until().

    Raises:
        WaitError: AWS still refuses it when the time is up; the message is AWS' own.
        AnsibleAWSError: what else C(call) raises.
    """

    def look() -> Seen:
        try:
            return Seen("ready", "", call())
        except AnsibleAWSError as error:
            text = aws_message(error)
            if error_code(error.exception) != code or words not in text.lower():
                raise
            return Seen("", text)

    return wait_until(goal, look, **timing)


def once_visible(
    label: str, error: AnsibleAWSError, read: t.Callable[[], t.Any], report: t.Callable[[str], None]
) -> t.Any:
    """What C(read) gives of a resource that AWS refused to create, with C(error), because it exists, and did not show before.

    A run that was killed has created it a moment ago.

    Raises:
        AnsibleAWSError: AWS refused it for another reason.
        WaitError: it does not show; the message is AWS' own.
    """
    if error_code(error.exception) != "ResourceInUseException":
        raise error

    def look() -> Seen:
        found = read()
        return Seen("ready", "", found) if found else Seen("", aws_message(error))

    return wait_until(f"{label} to be visible", look, VISIBLE_SECONDS, 5, report=report)


def once_role_is_known(
    goal: str, call: t.Callable[[], t.Any], report: t.Callable[[str], None] = lambda text: None
) -> t.Any:
    """Call, again and again for a while where EKS does not take the IAM role, as once_taken() does.

    A role that was made a moment ago is not yet known to EKS, or still without its trust policy, which EKS cannot tell from
    a wrong one: C(InvalidParameterException) with a message about the role.
    """
    return once_taken(goal, call, "InvalidParameterException", "role", timeout=ROLE_SECONDS, delay=5, report=report)
