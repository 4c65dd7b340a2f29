# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of what no controller removes any more, because the cluster is gone.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # Handled by AnsibleAWSModule

from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import has_tags
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers import listing, marks
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers.listing import Scope
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers.marks import Leftover
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import error_code
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.permissions import told

#: What AWS says as long as something else still uses it. The next look tries again.
IN_USE = (
    "DeleteConflict",
    "DependencyViolation",
    "InvalidNetworkInterface.InUse",
    "InvalidParameterValue",
    "OperationAbortedException",
    "OperationNotPermitted",
    "ResourceInUse",
    "VolumeInUse",
)


def _load_balancer(scope: Scope, arn: str, _name: str) -> None:
    scope.clients("elbv2").delete_load_balancer(LoadBalancerArn=arn, aws_retry=True)


def _target_group(scope: Scope, arn: str, _name: str) -> None:
    scope.clients("elbv2").delete_target_group(TargetGroupArn=arn, aws_retry=True)


def _instance(scope: Scope, identity: str, _name: str) -> None:
    scope.clients("ec2").terminate_instances(InstanceIds=[identity], aws_retry=True)


def _network_interface(scope: Scope, identity: str, _name: str) -> None:
    scope.clients("ec2").delete_network_interface(NetworkInterfaceId=identity, aws_retry=True)


def _security_group(scope: Scope, identity: str, _name: str) -> None:
    """With the rules of our other groups that name it: AWS keeps a group as long as a rule does."""
    client = scope.clients("ec2")
    for by_rule, key, revoke in (
        ("ip-permission.group-id", "IpPermissions", client.revoke_security_group_ingress),
        ("egress.ip-permission.group-id", "IpPermissionsEgress", client.revoke_security_group_egress),
    ):
        for group in scope.ec2("describe_security_groups", "SecurityGroups", {by_rule: [identity]}):
            tags = marks.tags_of(group)
            if not (has_tags(tags, scope.tags) or marks.cluster_mark(tags, scope.cluster)):
                continue
            permissions = rules_naming(group[key], identity)
            revoke(GroupId=group["GroupId"], IpPermissions=permissions, aws_retry=True)
    client.delete_security_group(GroupId=identity, aws_retry=True)


def rules_naming(permissions: list[dict[str, t.Any]], group: str) -> list[dict[str, t.Any]]:
    """The part of a security group's rules that names another group, as the calls to revoke rules take it. Pure."""
    found = []
    for permission in permissions:
        pairs = [{"GroupId": group} for pair in permission.get("UserIdGroupPairs", []) if pair.get("GroupId") == group]
        if pairs:
            ports = {key: permission[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in permission}
            found.append({**ports, "UserIdGroupPairs": pairs[:1]})
    return found


def _volume(scope: Scope, identity: str, _name: str) -> None:
    scope.clients("ec2").delete_volume(VolumeId=identity, aws_retry=True)


def _launch_template(scope: Scope, identity: str, _name: str) -> None:
    scope.clients("ec2").delete_launch_template(LaunchTemplateId=identity, aws_retry=True)


def _instance_profile(scope: Scope, _arn: str, name: str) -> None:
    client = scope.clients("iam")
    profile = client.get_instance_profile(InstanceProfileName=name, aws_retry=True)["InstanceProfile"]
    for role in profile["Roles"]:
        client.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"], aws_retry=True)
    client.delete_instance_profile(InstanceProfileName=name, aws_retry=True)


def _log_group(scope: Scope, _arn: str, name: str) -> None:
    scope.clients("logs").delete_log_group(logGroupName=name, aws_retry=True)


REMOVALS: dict[str, t.Callable[[Scope, str, str], None]] = {
    "load_balancer": _load_balancer,
    "target_group": _target_group,
    "karpenter_instance": _instance,
    "network_interface": _network_interface,
    "security_group": _security_group,
    "volume": _volume,
    "launch_template": _launch_template,
    "instance_profile": _instance_profile,
    "log_group": _log_group,
}


def remove(scope: Scope, leftover: Leftover) -> str:
    """Delete it; empty if AWS has taken it or it was gone already, else why it cannot go yet.

    Raises:
        AnsibleAWSError: AWS refuses for a reason that waiting does not mend.
    """
    with told(f"delete the {leftover.kind} {leftover.id}", listing.KINDS[leftover.kind][0]):
        try:
            REMOVALS[leftover.kind](scope, leftover.id, leftover.name)
        except ClientError as error:
            code = error_code(error)
            if code in IN_USE:
                return f"{code}: {error.response['Error'].get('Message', '')}"
            if "NotFound" in code or code == "NoSuchEntity":
                return ""
            raise
    return ""
