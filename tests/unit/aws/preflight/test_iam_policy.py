# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented policies: IAM takes them, each action exists, and they allow what the collection's own code calls."""

from __future__ import annotations

import fnmatch
import functools
import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.permissions import PREFIXES, action_of
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.aws_permissions import KEY_ACTIONS
from botocore import xform_name

ROOT = Path(__file__).parents[4]
POLICIES = sorted((ROOT / "docs/iam-policy").glob("*.json"))
#: IAM's prefix -> boto3's service, where they differ.
SERVICES = {prefix: service for service, prefix in PREFIXES.items() if service != "elb"}
#: Permissions that are no operations: used by other services on behalf of the caller.
NO_OPERATIONS = {
    "iam:PassRole",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:UpdateLogDelivery",
}
MARKS = ("elbv2.k8s.aws/", "karpenter.k8s.aws/", "karpenter.sh/", "cluster.k8s.amazonaws.com/", "ebs.csi.aws.com/")

each_policy = pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)


@functools.cache
def operations(service: str) -> dict[str, str]:
    """boto3's method -> operation."""
    names = botocore.session.get_session().get_service_model(service).operation_names
    return {xform_name(name): name for name in names}


def statements(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["Statement"]


def actions(paths: list[Path] = POLICIES) -> set[str]:
    return {action for path in paths for one in statements(path) for action in one["Action"]}


@each_policy
def test_form(path: Path) -> None:
    policy = json.loads(path.read_text(encoding="utf-8"))
    assert policy["Version"] == "2012-10-17"
    # The limit of a managed policy, without white space.
    assert len(json.dumps(policy, separators=(",", ":"))) <= 6144
    sids = [one["Sid"] for one in policy["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
    for one in policy["Statement"]:
        assert set(one) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert len(set(one["Action"])) == len(one["Action"])


@each_policy
def test_actions_exist(path: Path) -> None:
    """IAM takes any action; one that does not exist is simply never allowed."""
    for action in sorted(actions([path]) - NO_OPERATIONS):
        prefix, name = action.split(":")
        assert name in operations(SERVICES.get(prefix, prefix)).values(), action


def test_only_reads_are_allowed_without_limits() -> None:
    for path in POLICIES:
        for one in statements(path):
            if one["Resource"] == "*" and "Condition" not in one and one["Sid"] != "DeliveryOfLogs":
                changing = [a for a in one["Action"] if not re.match(r"[a-z0-9-]+:(Describe|Get|List|Simulate)", a)]
                assert changing == [], one["Sid"]
                assert "secretsmanager:GetSecretValue" not in one["Action"]


def test_what_has_a_mark_of_a_controller_is_only_deleted() -> None:
    for path in POLICIES:
        for one in statements(path):
            if any(mark in json.dumps(one.get("Condition", {})) for mark in MARKS):
                assert all(re.match(r"\w+:(Delete|Revoke|Terminate)", action) for action in one["Action"]), one["Sid"]


def test_the_text_names_every_statement() -> None:
    text = (ROOT / "docs/iam-policy.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Za-z0-9…]+)`", text))
    sids = {one["Sid"] for path in POLICIES for one in statements(path)}
    short = {sid for sid in sids if "LeftBy" in sid}
    assert sids - named - short == set()


def test_what_preflight_asks_for_is_allowed() -> None:
    assert {action for some in KEY_ACTIONS.values() for action in some} - actions() == set()


USED = (
    "ec2",
    "eks",
    "elasticache",
    "elbv2",
    "events",
    "iam",
    "kms",
    "logs",
    "resourcegroupstaggingapi",
    "secretsmanager",
)
USED += ("service-quotas", "sqs", "sts")
#: Functions of the collection that have the name of an operation.
OWN_FUNCTIONS = {"create_group", "delete_group"}


def test_what_the_code_calls_is_allowed() -> None:
    """Each operation that the modules name is allowed for a service that has it, so that no new call is forgotten here."""
    allowed, missing = actions(), []
    sources = [*ROOT.glob("plugins/module_utils/_aws/**/*.py"), *ROOT.glob("plugins/module_utils/_preflight/aws*.py")]
    sources += [
        path for path in ROOT.glob("plugins/modules/*.py") if "AnsibleAWSModule" in path.read_text(encoding="utf-8")
    ]
    for path in sources:
        text = path.read_text(encoding="utf-8")
        for name in set(re.findall(r"\.([a-z]+(?:_[a-z]+)+)\(|\"([a-z]+(?:_[a-z]+)+)\"", text)):
            method = name[0] or name[1]
            if method in OWN_FUNCTIONS:
                continue
            having = [
                action_of(service, operations(service)[method]) for service in USED if method in operations(service)
            ]
            if having and not allowed & set(having):
                missing.append(f"{path.name}: {', '.join(having)}")
    assert missing == []


def test_the_resources_of_the_simulation_are_within_the_policies() -> None:
    """A resource of the deployment must be meant by a statement that has the action."""
    for resource, some in KEY_ACTIONS.items():
        arn = "arn:aws:" + resource.format(region="us-west-2", account="123456789012", name="mistral")
        for action in some:
            found = [one["Resource"] for path in POLICIES for one in statements(path) if action in one["Action"]]
            patterns = [pattern for one in found for pattern in ([one] if isinstance(one, str) else one)]
            assert any(fnmatch.fnmatchcase(arn, pattern) for pattern in patterns), (action, arn)
