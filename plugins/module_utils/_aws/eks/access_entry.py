# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Access entries of an EKS cluster: who, in IAM, is who, in Kubernetes, and may do what.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import re
import typing as t
import uuid

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changes, given
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import (
    VISIBLE_SECONDS,
    EksErrors,
    change_tags,
    once_taken,
    once_visible,
    refusal,
    to_result,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.plan import Plan, found_after_all, plan_present
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import paginate

SESSION = re.compile(r"^arn:(?P<partition>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.+$")


def session_role(arn: str) -> str:
    """The role's name in the ARN of a session of an assumed role, empty for any other ARN."""
    match = SESSION.match(arn)
    return match["role"] if match else ""


def role_arn_of_caller(arn: str) -> str:
    """The ARN of the role behind the ARN of a session, as GetCallerIdentity gives it; any other ARN is returned as it is.

    A session's ARN does not tell the role's path, and this takes it for C(/). Roles of IAM Identity Center have one
    (C(/aws-reserved/sso.amazonaws.com/...)); IAM's GetRole tells it.
    """
    match = SESSION.match(arn)
    return f"arn:{match['partition']}:iam::{match['account']}:role/{match['role']}" if match else arn


def policies_of(policies: list[dict[str, t.Any]], arn_key: str, scope_key: str) -> dict[str, dict[str, t.Any]]:
    """Access scope by policy ARN; C(arn_key) and C(scope_key) are what the list calls the ARN and the scope.

    The namespaces are sorted, as their order means nothing, and a scope of the whole cluster has none.
    """
    scopes = {}
    for policy in policies:
        scope = policy[scope_key]
        namespaces = sorted(scope.get("namespaces") or []) if scope["type"] == "namespace" else []
        scopes[policy[arn_key]] = {"type": scope["type"], "namespaces": namespaces}
    return scopes


def wanted_entry(option: dict[str, t.Any]) -> dict[str, t.Any]:
    """What an item of the option C(access_entries) asks for, in the shape of entry_values(); None lets a value be."""
    groups, policies = option["kubernetes_groups"], option["access_policies"]
    return {
        "type": option["type"],
        "kubernetes_groups": None if groups is None else sorted(groups),
        "username": option["username"],
        "access_policies": None if policies is None else policies_of(policies, "policy_arn", "access_scope"),
    }


def entry_values(entry: dict[str, t.Any], policies: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    """The values of C(accessEntry) of DescribeAccessEntry, and its policies."""
    return {
        "type": entry.get("type"),
        "kubernetes_groups": sorted(entry.get("kubernetesGroups", [])),
        "username": entry.get("username"),
        "access_policies": policies,
    }


def merge_policies(
    current: dict[str, dict[str, t.Any]], wanted: dict[str, dict[str, t.Any]] | None, purge: bool
) -> dict[str, dict[str, t.Any]]:
    """The policies that the entry shall have."""
    if wanted is None:
        return current
    return wanted if purge else current | wanted


def entry_request(values: dict[str, t.Any]) -> dict[str, t.Any]:
    """Parameters of CreateAccessEntry or UpdateAccessEntry; what is not in C(values) is let be."""
    names = {"type": "type", "kubernetes_groups": "kubernetesGroups", "username": "username"}
    return given({names[key]: value for key, value in values.items() if key in names})


class AccessApi:
    """The access entries of one cluster. Every method raises AnsibleAWSError for what AWS refuses."""

    def __init__(self, client: t.Any, cluster_name: str, report: t.Callable[[str], None] = lambda text: None) -> None:
        self.client = client
        self.cluster = cluster_name
        self.report = report
        # EKS cannot tell a principal, or an access entry, that it does not see yet from a wrong one.
        self.timing = {"timeout": VISIBLE_SECONDS, "delay": 5, "report": report}

    def describe(self, arn: str) -> dict[str, t.Any] | None:
        """None where the entry, or the cluster, does not exist."""
        ask = EksErrors.list_error_handler(f"describe the access entry of {arn}", {})(self.client.describe_access_entry)
        return ask(clusterName=self.cluster, principalArn=arn, aws_retry=True).get("accessEntry")

    def policies(self, arn: str) -> dict[str, dict[str, t.Any]]:
        ask = EksErrors.list_error_handler(f"list the access policies of {arn}", [])(paginate)
        query = {"clusterName": self.cluster, "principalArn": arn}
        found = ask(self.client, "list_associated_access_policies", "associatedAccessPolicies", **query)
        return policies_of(found, "policyArn", "accessScope")

    def create(self, arn: str, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """C(accessEntry) as AWS answers; a principal that IAM made a moment ago is tried again for a while."""
        ask = EksErrors.common_error_handler(f"create the access entry of {arn}")(self.client.create_access_entry)
        # With a token of our own a retry after an answer that was lost does not find that the entry exists, by itself.
        token = str(uuid.uuid4())
        return once_taken(
            f"EKS to know {arn}",
            lambda: ask(
                clusterName=self.cluster, principalArn=arn, clientRequestToken=token, **request, aws_retry=True
            )["accessEntry"],
            "InvalidParameterException",
            "invalid principal",
            **self.timing,
        )

    def update(self, arn: str, request: dict[str, t.Any]) -> None:
        ask = EksErrors.common_error_handler(f"update the access entry of {arn}")(self.client.update_access_entry)
        ask(clusterName=self.cluster, principalArn=arn, **request, aws_retry=True)

    def associate(self, arn: str, policy: str, scope: dict[str, t.Any]) -> None:
        """Associate the policy, or change its scope. An entry that was made a moment ago may not be visible yet."""
        ask = EksErrors.common_error_handler(f"associate {policy} with {arn}")(self.client.associate_access_policy)
        scope = {key: value for key, value in scope.items() if value}
        once_taken(
            f"EKS to see the access entry of {arn}",
            lambda: ask(
                clusterName=self.cluster, principalArn=arn, policyArn=policy, accessScope=scope, aws_retry=True
            ),
            "ResourceNotFoundException",
            "principalarn",
            **self.timing,
        )

    def disassociate(self, arn: str, policy: str) -> None:
        refuse = EksErrors.deletion_error_handler(f"disassociate {policy} from {arn}")
        ask = refuse(self.client.disassociate_access_policy)
        ask(clusterName=self.cluster, principalArn=arn, policyArn=policy, aws_retry=True)

    def delete(self, arn: str) -> None:
        ask = EksErrors.deletion_error_handler(f"delete the access entry of {arn}")(self.client.delete_access_entry)
        ask(clusterName=self.cluster, principalArn=arn, aws_retry=True)


def plan_entry(
    api: AccessApi, option: dict[str, t.Any], purge_policies: bool, tags: dict[str, str] | None, purge_tags: bool
) -> Plan:
    """Look, and decide; nothing is changed.

    Raises:
        AnsibleAWSError: the type would have to change.
    """
    arn, wanted, now = option["principal_arn"], wanted_entry(option), {}
    entry = api.describe(arn)
    if entry is not None:
        now = entry_values(entry, api.policies(arn))
        if wanted["type"] not in (None, now["type"]):
            advice = "delete the entry (state absent), then create it anew"
            raise refusal(f"Access entry of {arn}", "type", now["type"], wanted["type"], advice)
        wanted["access_policies"] = merge_policies(now["access_policies"], wanted["access_policies"], purge_policies)
    return plan_present(arn, {"principal_arn": arn}, entry, now, wanted, tags, purge_tags)


def apply_plan(api: AccessApi, plan: Plan) -> None:
    """Make it so; C(plan.resource) is the entry afterwards."""
    arn = plan.name
    created = False
    if plan.resource is None:
        request = entry_request(plan.then) | ({"tags": plan.new_tags} if plan.new_tags else {})
        try:
            plan.resource, created = api.create(arn, request), True
        except AnsibleAWSError as error:
            entry = once_visible(f"Access entry of {arn}", error, lambda: api.describe(arn), api.report)
            found_after_all(plan, entry, entry_values(entry, api.policies(arn)))
    had = plan.now.get("access_policies", {})
    shall = plan.then.get("access_policies", {})
    if not created:
        # Both, whichever has changed: AWS does not say that it lets be what an update does not name.
        names = ("kubernetes_groups", "username")
        if any(plan.now[name] != plan.then[name] for name in names):
            api.update(arn, entry_request({name: plan.then[name] for name in names}))
        change_tags(api.client, plan.resource["accessEntryArn"], plan.new_tags, plan.removed_tags)
    # First give, then take, so that nobody is without access in between.
    for policy, scope in changes(had, shall).items():
        api.associate(arn, policy, scope)
    for policy in sorted(had.keys() - shall.keys()):
        api.disassociate(arn, policy)


def entry_result(plan: Plan) -> dict[str, t.Any]:
    """The access entry as it shall be, as the module returns it: what AWS describes, policies as the option has them."""
    policies = plan.then.get("access_policies", {})
    listed = [{"policy_arn": arn, "access_scope": scope} for arn, scope in sorted(policies.items())]
    return to_result(plan.resource or {}) | plan.then | {"access_policies": listed}
