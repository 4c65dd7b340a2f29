# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a refused call to the permission that it needs.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import contextlib
import typing as t

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # Handled by AnsibleAWSModule

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code

#: How services spell that the caller may not.
DENIED_CODES = (
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "NotAuthorized",
    "UnauthorizedOperation",
)
#: boto3's name of a service -> the one in IAM's actions, where they differ.
PREFIXES = {
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "service-quotas": "servicequotas",
}


def action_of(service: str, operation: str) -> str:
    """The IAM action of an operation of boto3's service: C(elbv2, DescribeTags) -> C(elasticloadbalancing:DescribeTags)."""
    return f"{PREFIXES.get(service, service)}:{operation}"


def is_denied(error: BaseException) -> bool:
    return error_code(error) in DENIED_CODES


def explain(error: t.Any, service: str) -> str:
    """What to say of a failed call: the missing permission, or nothing if that is not the cause."""
    if not is_denied(error):
        return ""
    return f"the credentials lack the permission {action_of(service, error.operation_name)}"


@contextlib.contextmanager
def told(what: str, service: str) -> t.Iterator[None]:
    """Errors of AWS within the block fail as C(Failed to {what}), with the missing permission where that is the cause.

    Raises:
        AnsibleAWSError: with AWS' own error in it.
    """
    try:
        yield
    except ClientError as error:
        reason = explain(error, service)
        raise AnsibleAWSError(
            message=f"Failed to {what}" + (f": {reason}" if reason else ""), exception=error
        ) from error
    except BotoCoreError as error:
        raise AnsibleAWSError(message=f"Failed to {what}", exception=error) from error
