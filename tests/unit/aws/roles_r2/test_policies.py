# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles allow: golden files, and what IAM refuses or silently never grants.

`UPDATE_GOLDEN=1 pytest tests/unit/aws/roles_r2` writes the golden files anew.
"""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

ROOT = Path(__file__).parents[4]
GOLDEN = Path(__file__).parent / "golden"
POLICIES = ["eks_addons__karpenter_policy", "eks_addons__load_balancer_policy", "eks_addons__queue_policy"]
#: IAM's word for a service -> botocore's.
SERVICES = {"elasticloadbalancing": "elbv2"}
#: Permissions that are no operations: set by other services, or spelled otherwise.
NO_OPERATIONS = {"elasticloadbalancing:SetWebAcl", "iam:PassRole", "sqs:*"}


@pytest.mark.parametrize("name", POLICIES)
def test_golden(render: Any, golden: Any, name: str) -> None:
    golden(GOLDEN / f"{name.removeprefix('eks_addons__')}.yml", [render("eks_addons", name)])


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", POLICIES)
def test_actions_exist(render: Any, name: str) -> None:
    """IAM takes any action; one that does not exist is simply never allowed."""
    session = botocore.session.get_session()
    actions = {action for one in render("eks_addons", name)["Statement"] for action in listed(one["Action"])}
    for action in sorted(actions - NO_OPERATIONS):
        service, operation = action.split(":")
        assert operation in session.get_service_model(SERVICES.get(service, service)).operation_names, action


@pytest.mark.parametrize("name", POLICIES)
def test_form(render: Any, name: str) -> None:
    policy = render("eks_addons", name)
    # All inline policies of a role together, without white space.
    assert len(json.dumps(policy, separators=(",", ":"))) <= 10240
    sids = [one["Sid"] for one in policy["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
    assert "{{" not in json.dumps(policy)


def test_karpenter_touches_only_machines_of_the_cluster(render: Any) -> None:
    own = {"aws:ResourceTag/kubernetes.io/cluster/mistral": "owned"}
    asked = {"aws:RequestTag/kubernetes.io/cluster/mistral": "owned", "aws:RequestTag/eks:eks-cluster-name": "mistral"}
    changing = ("ec2:Terminate", "ec2:Delete", "ec2:Create", "ec2:Run")
    for one in render("eks_addons", "eks_addons__karpenter_policy")["Statement"]:
        if any(action.startswith(changing) for action in listed(one["Action"])) and one["Sid"] != "LaunchFrom":
            tagged = one["Condition"]["StringEquals"]
            assert own.items() <= tagged.items() or asked.items() <= tagged.items(), one["Sid"]
            assert "*" not in listed(one["Resource"])


def test_karpenter_makes_no_instance_profile(render: Any) -> None:
    """The node classes name one that is there; who may make them might give any role to a machine."""
    actions = [
        a for one in render("eks_addons", "eks_addons__karpenter_policy")["Statement"] for a in listed(one["Action"])
    ]
    assert {action for action in actions if action.startswith("iam:")} == {
        "iam:GetInstanceProfile",
        "iam:ListInstanceProfiles",
        "iam:PassRole",
    }


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
@pytest.mark.parametrize(("role", "prefix"), [("eks_cluster", "eks_cluster"), ("eks_addons", "eks_addons")])
def test_other_partitions(render: Any, role: str, prefix: str, partition: str) -> None:
    caller = {"arn": f"arn:{partition}:iam::111122223333:user/me", "account": "111122223333"}
    given = {f"{prefix}__caller": caller}
    assert render(role, f"{prefix}__role_arn", **given) == f"arn:{partition}:iam::111122223333:role/"
    assert render(role, f"{prefix}__policy_arn", **given) == f"arn:{partition}:iam::aws:policy/"


def test_no_role_name_is_too_long(render: Any) -> None:
    """64 characters, with the longest name of a cluster that the roles take."""
    name = "n" * 40
    names = [role["name"] for role in render("eks_cluster", "eks_cluster__roles", eks_cluster_name=name)]
    names += [role["name"] for role in render("eks_addons", "eks_addons__all_roles", eks_addons_cluster_name=name)]
    assert max(map(len, names)) <= 64
    assert len(set(names)) == len(names) == 8


def test_roles_that_are_needed(render: Any) -> None:
    def roles(**given: Any) -> list[str]:
        return [role["name"].removeprefix("mistral-") for role in render("eks_addons", "eks_addons__roles", **given)]

    assert roles() == ["karpenter", "karpenter-node", "ebs-csi", "load-balancer"]
    assert roles(eks_addons_karpenter=False, eks_addons_managed=[], eks_addons_observability=True) == [
        "cloudwatch",
        "load-balancer",
    ]


def test_every_role_is_looked_up(render: Any) -> None:
    for role in ("eks_cluster", "eks_addons"):
        roles = render(role, "eks_cluster__roles" if role == "eks_cluster" else "eks_addons__all_roles")
        resources = render(role, "eks_cluster__owned_types" if role == "eks_cluster" else "eks_addons__resources")
        names = {one["name"] for one in resources if one["type"] == "iam:role"}
        assert {one["name"] for one in roles} == names
    # And the one instance profile, here of the role that is the last.
    assert {"type": "iam:instance-profile", "name": "mistral-karpenter-node"} in resources


@pytest.mark.parametrize(("adopt", "cluster"), [(False, 3), (True, 0)])
def test_teardown_looks_for_everything_in_iam(render: Any, adopt: bool, cluster: int) -> None:
    (play,) = yaml.safe_load((ROOT / "playbooks/teardown.yml").read_text(encoding="utf-8"))
    (look,) = [task["rayops.serve_ha.aws_leftovers"] for task in play["post_tasks"] if "leftovers" in str(task)]
    given = {
        "eks_cluster_adopt": adopt,
        "eks_addons__resources": render("eks_addons", "eks_addons__resources"),
        "eks_cluster__names": {"owned": [{"type": "eks:cluster", "name": "mistral"}], "foreign_text": ""},
    }
    found = render("eks_cluster", look["resources"].removeprefix("{{ ").removesuffix(" }}"), **given)
    kinds = [one["type"] for one in found]
    assert (kinds.count("iam:role"), kinds.count("iam:instance-profile"), len(kinds)) == (5 + cluster, 1, 6 + cluster)
    name = render("eks_cluster", look["cluster_name"].removeprefix("{{ ").removesuffix(" }}"), **given)
    assert name == ("" if adopt else "mistral")


def test_only_the_roles_that_are_made_may_be_handed_on(render: Any) -> None:
    policy = json.loads((ROOT / "docs/iam-policy/cluster.json").read_text(encoding="utf-8"))
    (patterns,) = [one["Resource"] for one in policy["Statement"] if one["Action"] == ["iam:PassRole"]]
    roles = render("eks_cluster", "eks_cluster__roles") + render("eks_addons", "eks_addons__all_roles")
    arns = [f"arn:aws:iam::111122223333:role/{one['name']}" for one in roles]
    matches = {arn: [one for one in patterns if fnmatch.fnmatchcase(arn, one)] for arn in arns}
    assert all(matches.values())
    assert {one for some in matches.values() for one in some} == set(patterns)
    assert not any(fnmatch.fnmatchcase("arn:aws:iam::111122223333:role/admin", one) for one in patterns)
