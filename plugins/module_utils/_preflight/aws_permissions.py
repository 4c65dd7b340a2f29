# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask IAM's simulator about the caller. Pure."""

from __future__ import annotations

import re
import typing as t

#: Actions of which each stands for a step of the deployment, and the resource they would be done to. A policy that is limited to
#: the deployment's names is not to be judged by a resource that it does not mean.
KEY_ACTIONS: dict[str, tuple[str, ...]] = {
    "ec2:{region}:{account}:vpc/vpc-0": ("ec2:CreateVpc", "ec2:DeleteVpc"),
    "ec2:{region}:{account}:natgateway/nat-0": ("ec2:CreateNatGateway", "ec2:DeleteNatGateway"),
    "ec2:{region}:{account}:security-group/sg-0": (
        "ec2:CreateSecurityGroup",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:DeleteSecurityGroup",
    ),
    "ec2:{region}:{account}:launch-template/lt-0": ("ec2:CreateLaunchTemplate", "ec2:DeleteLaunchTemplate"),
    "iam::{account}:role/{name}-eks-cluster": (
        "iam:CreateRole",
        "iam:AttachRolePolicy",
        "iam:PutRolePolicy",
        "iam:PassRole",
        "iam:DeleteRole",
    ),
    "eks:{region}:{account}:cluster/{name}": (
        "eks:CreateCluster",
        "eks:CreateNodegroup",
        "eks:CreateAddon",
        "eks:CreateAccessEntry",
        "eks:CreatePodIdentityAssociation",
        "eks:DeleteCluster",
    ),
    "elasticache:{region}:{account}:replicationgroup:{name}": (
        "elasticache:CreateReplicationGroup",
        "elasticache:DeleteReplicationGroup",
    ),
    "logs:{region}:{account}:log-group:/aws/eks/{name}/cluster": ("logs:CreateLogGroup", "logs:DeleteLogGroup"),
    "secretsmanager:{region}:{account}:secret:{name}/redis-auth-abcdef": (
        "secretsmanager:CreateSecret",
        "secretsmanager:GetSecretValue",
    ),
    "sqs:{region}:{account}:{name}-karpenter": ("sqs:CreateQueue",),
    "events:{region}:{account}:rule/{name}-karpenter": ("events:PutRule",),
}


def principal(arn: str) -> tuple[str, str]:
    """Whose policies count, for an ARN of GetCallerIdentity: (kind, name).

    C(user) with its ARN; C(role) with its name, since the ARN of a session lacks the role's path; C(root), who may do all; or
    C(other), of whom the simulator knows nothing.
    """
    resource = arn.split(":", 5)[5]
    if resource == "root":
        return "root", ""
    if resource.startswith("user/"):
        return "user", arn
    match = re.fullmatch(r"assumed-role/([^/]+)/.+", resource)
    return ("role", match.group(1)) if match else ("other", "")


def questions(caller_arn: str, region: str, name: str, tags: dict[str, str]) -> list[dict[str, t.Any]]:
    """Parameters of SimulatePrincipalPolicy, but for the principal: one for each resource.

    The context has what the conditions of docs/iam-policy.md ask for, as it will be in the requests.
    """
    _arn, partition, _service, _region, account, _resource = caller_arn.split(":", 5)
    context = [
        {"ContextKeyName": f"aws:{whose}/{key}", "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in tags.items()
        for whose in ("RequestTag", "ResourceTag")
    ]
    context += [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in (("iam:PassedToService", "eks.amazonaws.com"), ("aws:RequestedRegion", region))
    ]
    return [
        {
            "ActionNames": list(actions),
            "ResourceArns": [f"arn:{partition}:{resource.format(region=region, account=account, name=name)}"],
            "ContextEntries": context,
        }
        for resource, actions in KEY_ACTIONS.items()
    ]
