# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every AWS module of the collection does alike: its client, its errors, its result.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import WaitError

if t.TYPE_CHECKING:
    from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

#: Transient by AWS' own words and not in AWSRetry's list: EKS and ElastiCache spell throttling and server errors so.
TRANSIENT_CODES = [
    "InternalServerError",
    "InternalServerException",
    "ServerException",
    "ServiceUnavailableException",
    "ThrottledException",
    "ThrottlingException",
]
#: The credentials are the cause, not the request.
CREDENTIAL_CODES = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "RequestExpired",
    "UnrecognizedClientException",
)


def wait_options(timeout: int) -> dict[str, t.Any]:
    """Options of every module that waits, with its own default of C(wait_timeout), in seconds."""
    return {
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": timeout},
        "wait_delay": {"type": "int", "default": 10},
    }


def resource_options(wait_timeout: int | None = None) -> dict[str, t.Any]:
    """Options of every module that makes and removes what has tags; with C(wait_timeout), that waits for it too."""
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "tags": {"type": "dict", "aliases": ["resource_tags"]},
        "purge_tags": {"type": "bool", "default": True},
        **(wait_options(wait_timeout) if wait_timeout else {}),
    }


def _backoff(more_codes: t.Sequence[str] = ()) -> t.Any:
    return AWSRetry.jittered_backoff(
        retries=8, delay=1, max_delay=20, catch_extra_error_codes=[*TRANSIENT_CODES, *more_codes]
    )


def make_client(module: AnsibleAWSModule, service: str, more_codes: t.Sequence[str] = ()) -> t.Any:
    """A boto3 client whose calls take C(aws_retry=True): up to 8 retries, 1 to 20 s apart, of transient errors.

    C(more_codes) are codes that pass by themselves in this module's order of calls, e.g. what was made a moment ago and is
    not known everywhere yet.
    """
    return module.client(service, retry_decorator=_backoff(more_codes))


def paginate(client: t.Any, operation: str, key: str, **query: t.Any) -> list[t.Any]:
    """All items under C(key) of all pages of C(operation), e.g. C(list_access_entries); transient errors are retried."""

    @_backoff()
    def pages() -> list[t.Any]:
        return client.get_paginator(operation).paginate(**query).build_full_result().get(key, [])

    return pages()


def error_code(error: BaseException | None) -> str:
    """AWS' code of a botocore ClientError, empty for any other error."""
    return getattr(error, "response", {}).get("Error", {}).get("Code", "")


def finish(module: AnsibleAWSModule, ensure: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:
    """Run C(ensure) and exit with its result, or fail with one message that names AWS' own reason."""
    try:
        result = ensure()
    except AnsibleAWSError as error:
        if error_code(error.exception) in CREDENTIAL_CODES:
            module.fail_json_aws(
                error.exception,
                msg=f"{error.message}: AWS does not take the credentials (any more). What was started goes on at AWS;"
                " renew the credentials and run this again",
            )
        module.fail_json_aws_error(error)
    except WaitError as error:
        module.fail_json(msg=str(error), last_seen=error.last.text)
    module.exit_json(**result)
