# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pod identity associations of an EKS cluster: the IAM role of a service account.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changes
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import (
    EksErrors,
    change_tags,
    once_role_is_known,
    once_visible,
    to_result,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.plan import Plan, found_after_all, plan_present
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import paginate

#: What can be changed in place: option and name in the API.
NAMES = {"role_arn": "roleArn", "target_role_arn": "targetRoleArn", "disable_session_tags": "disableSessionTags"}


def label(namespace: str, service_account: str) -> str:
    """What Kubernetes calls a service account in full; unique in a cluster, and so is its association."""
    return f"{namespace}/{service_account}"


def wanted_values(option: dict[str, t.Any]) -> dict[str, t.Any]:
    """What an item of the option C(associations) asks for, in the shape of association_values(); None lets a value be.

    An empty role ARN is one that check mode could not know, as the role would be made in the same run.
    """
    values = {name: option[name] for name in NAMES}
    return values | {"role_arn": option["role_arn"] or None}


def association_values(association: dict[str, t.Any]) -> dict[str, t.Any]:
    """The values of C(association) of DescribePodIdentityAssociation that can be wanted otherwise."""
    return {
        "role_arn": association.get("roleArn"),
        "target_role_arn": association.get("targetRoleArn") or "",
        "disable_session_tags": association.get("disableSessionTags") or False,
    }


def association_request(values: dict[str, t.Any]) -> dict[str, t.Any]:
    """Parameters of the create and update operations; what is not in C(values) is let be."""
    return {NAMES[name]: value for name, value in values.items()}


class PodIdentityApi:
    """The pod identity associations of one cluster. Every method raises AnsibleAWSError for what AWS refuses."""

    def __init__(self, client: t.Any, cluster_name: str, report: t.Callable[[str], None] = lambda text: None) -> None:
        self.client = client
        self.cluster = cluster_name
        self.report = report

    def ids(self) -> dict[str, str]:
        """Association id by label(), of the whole cluster; none where there is no such cluster."""
        ask = EksErrors.list_error_handler(f"list the pod identity associations of {self.cluster}", [])(paginate)
        found = ask(self.client, "list_pod_identity_associations", "associations", clusterName=self.cluster)
        return {label(item["namespace"], item["serviceAccount"]): item["associationId"] for item in found}

    def describe(self, name: str, association_id: str) -> dict[str, t.Any] | None:
        describe = EksErrors.list_error_handler(f"describe the pod identity association of {name}", {})
        ask = describe(self.client.describe_pod_identity_association)
        return ask(clusterName=self.cluster, associationId=association_id, aws_retry=True).get("association")

    def find(self, name: str) -> dict[str, t.Any] | None:
        """By label()."""
        ids = self.ids()
        return self.describe(name, ids[name]) if name in ids else None

    def create(self, namespace: str, service_account: str, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """C(association) as AWS answers; a role that IAM made a moment ago is tried again for a while."""
        name = label(namespace, service_account)
        create = EksErrors.common_error_handler(f"create the pod identity association of {name}")
        ask = create(self.client.create_pod_identity_association)
        # With a token of our own a retry after an answer that was lost does not find that it exists, by itself.
        request = request | {"clientRequestToken": str(uuid.uuid4())}
        identity = {"clusterName": self.cluster, "namespace": namespace, "serviceAccount": service_account}
        return once_role_is_known(
            f"EKS to take the IAM role of {name}",
            lambda: ask(**identity, **request, aws_retry=True)["association"],
            self.report,
        )

    def update(self, name: str, association_id: str, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """C(association) as AWS answers; a new role may have been made a moment ago as well."""
        update = EksErrors.common_error_handler(f"update the pod identity association of {name}")
        ask = update(self.client.update_pod_identity_association)
        identity = {"clusterName": self.cluster, "associationId": association_id}
        return once_role_is_known(
            f"EKS to take the IAM role of {name}",
            lambda: ask(**identity, **request, aws_retry=True)["association"],
            self.report,
        )

    def delete(self, name: str, association_id: str) -> None:
        delete = EksErrors.deletion_error_handler(f"delete the pod identity association of {name}")
        ask = delete(self.client.delete_pod_identity_association)
        ask(clusterName=self.cluster, associationId=association_id, aws_retry=True)


def refuse_owned(name: str, association: dict[str, t.Any]) -> None:
    """Raise AnsibleAWSError for an association that an add-on has made and manages: a change here would not last."""
    if association.get("ownerArn"):
        raise AnsibleAWSError(
            message=f"The pod identity association of {name} belongs to {association['ownerArn']}; change it there,"
            " by pod_identity_associations of rayops.serve_ha.eks_addon"
        )


def plan_association(
    option: dict[str, t.Any], association: dict[str, t.Any] | None, tags: dict[str, str] | None, purge_tags: bool
) -> Plan:
    """Decide what to do with an association, given as AWS describes it. Pure.

    Raises:
        AnsibleAWSError: it would have to change, and belongs to an add-on.
    """
    place = {name: option[name] for name in ("namespace", "service_account")}
    now = association_values(association) if association else {}
    plan = plan_present(label(**place), place, association, now, wanted_values(option), tags, purge_tags)
    if association and plan.changed:
        refuse_owned(plan.name, association)
    return plan


def apply_plan(api: PodIdentityApi, plan: Plan) -> None:
    """Make it so; C(plan.resource) is the association afterwards."""
    changed = {name: value for name, value in changes(plan.now, plan.then).items() if name in NAMES}
    if plan.resource is None:
        # AWS takes no empty ARN: none is what an association has that is not given one.
        request = association_request({name: value for name, value in changed.items() if value != ""})
        tags = {"tags": plan.new_tags} if plan.new_tags else {}
        try:
            plan.resource = api.create(plan.then["namespace"], plan.then["service_account"], request | tags)
            return
        except AnsibleAWSError as error:
            found = once_visible(
                f"Pod identity association of {plan.name}", error, lambda: api.find(plan.name), api.report
            )
        found_after_all(plan, found, association_values(found))
        changed = {name: value for name, value in changes(plan.now, plan.then).items() if name in NAMES}
        if changed:
            refuse_owned(plan.name, found)
    current = plan.resource
    if changed:
        plan.resource = api.update(plan.name, current["associationId"], association_request(changed))
    change_tags(api.client, current["associationArn"], plan.new_tags, plan.removed_tags)


def association_result(plan: Plan) -> dict[str, t.Any]:
    """The association as it shall be, as the module returns it."""
    return to_result(plan.resource or {}) | plan.then
