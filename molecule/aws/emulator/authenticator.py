# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What EKS' authenticator does: a token that only its bearer's AWS key can sign, and the access entry of that bearer.

A token is C(k8s-aws-v1.) and the base64 of a presigned GetCallerIdentity, with the cluster's name in a signed header.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import hmac
import typing as t
import urllib.parse
from dataclasses import dataclass

from emulator.eks.access import ADMIN, principal_of
from emulator.wire import AwsError

if t.TYPE_CHECKING:
    from emulator.world import World

Record = dict[str, t.Any]
PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
#: The upstream authenticator takes a token for this long, whatever the URL says of its own expiry.
VALID = datetime.timedelta(minutes=15)
SKEW = datetime.timedelta(minutes=5)
EMPTY = hashlib.sha256(b"").hexdigest()
ADMINS = "system:masters"


class Refused(Exception):
    """The token does not let its bearer in; the message says why."""


@dataclass(frozen=True)
class Token:
    """A decoded token."""

    host: str
    path: str
    query: dict[str, str]

    @property
    def scope(self) -> list[str]:
        """Access key, date, region, service, aws4_request."""
        return self.query.get("X-Amz-Credential", "").split("/")

    @property
    def access_key(self) -> str:
        return self.scope[0]

    @property
    def session_token(self) -> str:
        return self.query.get("X-Amz-Security-Token", "")


def decode(text: str, now: datetime.datetime) -> Token:
    """The token, if it has the right form and age. Pure."""
    if not text.startswith(PREFIX):
        raise Refused("the token is not one of EKS'")
    encoded = text.removeprefix(PREFIX)
    try:
        url = urllib.parse.urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    except (binascii.Error, ValueError) as error:
        raise Refused("the token is not base64 of a URL") from error
    token = Token(url.netloc, url.path or "/", dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)))
    if token.query.get("Action") != "GetCallerIdentity" or len(token.scope) != 5 or token.scope[3] != "sts":
        raise Refused("the token is not a presigned GetCallerIdentity")
    signed = token.query.get("X-Amz-SignedHeaders", "").split(";")
    if CLUSTER_HEADER not in signed or "host" not in signed:
        raise Refused(f"the token's signature does not cover host and {CLUSTER_HEADER}")
    try:
        date = datetime.datetime.strptime(token.query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%S%z")
    except ValueError as error:
        raise Refused("the token has no date") from error
    if not -SKEW <= now - date <= VALID:
        raise Refused(f"the token is of {date:%H:%M:%S}, which is too long ago (or yet to come)")
    return token


def signature(token: Token, cluster: str, secret: str) -> str:
    """The signature (AWS Signature Version 4, of the query) that the token has to have for this cluster. Pure."""
    values = {"host": token.host, CLUSTER_HEADER: cluster}
    names = token.query["X-Amz-SignedHeaders"]
    query = {name: value for name, value in token.query.items() if name != "X-Amz-Signature"}
    canonical_query = "&".join(
        f"{urllib.parse.quote(name, safe='-_.~')}={urllib.parse.quote(value, safe='-_.~')}"
        for name, value in sorted(query.items())
    )
    headers = "".join(f"{name}:{values.get(name, '')}\n" for name in names.split(";"))
    canonical = "\n".join(["GET", token.path, canonical_query, headers, names, EMPTY])
    _key, *scope = token.scope
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", token.query["X-Amz-Date"], "/".join(scope), digest])
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def groups_of(entry: Record) -> list[str]:
    """The Kubernetes groups of an access entry. Pure.

    EKS asks access policies in an authorizer of its own; here the cluster administrator's is the group that may do all, and
    the others stand for nothing but their entry's groups.
    """
    admin = any(
        policy["policyArn"] == ADMIN and policy["accessScope"]["type"] == "cluster"
        for policy in entry["_policies"].values()
    )
    return [*entry["kubernetesGroups"], *([ADMINS] if admin else [])]


def username(entry: Record, caller: str) -> str:
    return entry["username"].replace("{{SessionName}}", caller.rpartition("/")[2])


def authenticate(world: World, text: str, cluster: str = "") -> Record:
    """The Kubernetes user that the token stands for, or Refused.

    One Kubernetes stands behind every cluster, so the token may be for any of them unless C(cluster) says which.
    """
    token = decode(text, datetime.datetime.now(datetime.UTC))
    secret = world.secrets.get(token.access_key)
    if secret is None:
        raise Refused(f"the access key {token.access_key!r} is not known")
    region, name = _signed_for(world, token, secret, cluster)
    try:
        caller = world.backend.caller(token.access_key, token.session_token)
    except AwsError as error:
        raise Refused(f"STS does not know the caller: {error}") from error
    principal = principal_of(caller)
    for (of_cluster, arn), entry in world.stores[region, "access_entries"].items():
        if of_cluster == name and _same_principal(arn, principal):
            return {
                "username": username(entry, caller),
                "uid": f"aws-iam-authenticator:{world.config['account']}:{token.access_key}",
                "groups": groups_of(entry),
                "extra": {"arn": [caller], "principalArn": [principal], "accessKeyId": [token.access_key]},
            }
    raise Refused(f"{principal} has no access entry in cluster {name}")


def _signed_for(world: World, token: Token, secret: str, cluster: str) -> tuple[str, str]:
    """Region and name of the cluster that the token was signed for."""
    given = token.query.get("X-Amz-Signature", "")
    for (region, store), records in list(world.stores.items()):
        for name in records if store == "clusters" else ():
            if cluster in ("", name) and hmac.compare_digest(signature(token, name, secret), given):
                return region, name
    raise Refused(f"the token's signature is not one for {cluster or 'any cluster that there is'}")


def _same_principal(wanted: str, principal: str) -> bool:
    """Whether an entry's ARN is the principal; of a role only account and name count, as a session's ARN lacks the path."""
    if ":role/" in wanted and ":role/" in principal:
        return (wanted.split(":")[4], wanted.rpartition("/")[2]) == (
            principal.split(":")[4],
            principal.rpartition("/")[2],
        )
    return wanted == principal


def review(world: World, asked: Record, cluster: str = "") -> Record:
    """The answer to a TokenReview."""
    try:
        user = authenticate(world, str(asked.get("spec", {}).get("token", "")), cluster)
        status: Record = {"authenticated": True, "user": user}
    except Refused as refused:
        status = {"authenticated": False, "error": str(refused)}
    return {
        "apiVersion": asked.get("apiVersion", "authentication.k8s.io/v1"),
        "kind": "TokenReview",
        "status": status,
    }
