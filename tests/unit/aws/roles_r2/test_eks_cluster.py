# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What eks_cluster works out: access, node group, launch template, kubeconfig, what is whose, the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.leftovers.removal import REMOVALS

TAGS = {"rayops.serve_ha/deployment": "mistral"}
ARN = "arn:aws:eks:us-west-2:111122223333:cluster/mistral"
CLUSTER = {
    "name": "mistral",
    "arn": ARN,
    "status": "ACTIVE",
    "version": "1.35",
    "endpoint": "https://0123.gr7.us-west-2.eks.amazonaws.com",
    "certificate_authority": {"data": "Y2E="},
    "resources_vpc_config": {"cluster_security_group_id": "sg-cluster", "vpc_id": "vpc-1"},
    "identity": {"oidc": {"issuer": "https://oidc.eks.us-west-2.amazonaws.com/id/0123"}},
}
FOUND = {"eks_cluster__described": {"changed": False, "cluster": CLUSTER}}


def groups(*tags: dict[str, str]) -> dict[str, Any]:
    found = [{"group_id": f"sg-{number}", "vpc_id": "vpc-1", "tags": one} for number, one in enumerate(tags)]
    return {"eks_cluster__group_info": {"security_groups": found}}


@pytest.mark.parametrize(("profile", "env"), [("", []), ("ops", [{"name": "AWS_PROFILE", "value": "ops"}])])
def test_kubeconfig(render: Any, profile: str, env: list[dict[str, str]]) -> None:
    config = render("eks_cluster", "eks_cluster__kubeconfig_object", eks_cluster_profile=profile, **FOUND)
    (cluster,), (context,), (user,) = config["clusters"], config["contexts"], config["users"]
    assert config["current-context"] == context["name"]
    assert context["context"] == {"cluster": cluster["name"], "user": user["name"]}
    assert cluster["cluster"] == {"server": CLUSTER["endpoint"], "certificate-authority-data": "Y2E="}
    # Nothing but a command: no token is ever written down.
    assert list(user["user"]) == ["exec"]
    command = user["user"]["exec"]
    assert command["env"] == env
    assert command["args"] == [
        "--region",
        "us-west-2",
        "eks",
        "get-token",
        "--cluster-name",
        "mistral",
        "--output",
        "json",
    ]


def test_aws_command(render: Any, tmp_path: Path) -> None:
    (tmp_path / "aws").write_text("")
    python = {"ansible_playbook_python": str(tmp_path / "python3")}
    assert render("eks_cluster", "eks_cluster__aws", **python) == str(tmp_path / "aws")
    assert render("eks_cluster", "eks_cluster__aws") == "aws"
    assert render("eks_cluster", "eks_cluster__aws", eks_cluster_aws_command="/opt/aws") == "/opt/aws"


def test_administrator_is_who_runs_this(render: Any) -> None:
    (entry,) = render("eks_cluster", "eks_cluster__access_entries")
    assert entry["principal_arn"] == "arn:aws:sts::111122223333:assumed-role/admin/me"
    assert entry["access_policies"][0]["policy_arn"].endswith("cluster-access-policy/AmazonEKSClusterAdminPolicy")
    other = {"principal_arn": "arn:aws:iam::111122223333:role/team", "access_policies": []}
    given = {"eks_cluster_admin_arn": other["principal_arn"], "eks_cluster_access_entries": [other]}
    # What the user says of the administrator counts.
    assert render("eks_cluster", "eks_cluster__access_entries", **given) == [other]


def test_node_group_keeps_what_is_not_given(render: Any) -> None:
    given = {"eks_cluster_node_group": {"instance_types": ["m6i.xlarge"], "max_size": 5, "labels": {"team": "ml"}}}
    group = render("eks_cluster", "eks_cluster__node_group", **given)
    assert group["instance_types"] == ["m6i.xlarge"] and group["max_size"] == 5 and group["min_size"] == 2
    assert group["labels"] == {"rayops.serve-ha/pool": "core", "team": "ml"}
    assert group["ami_type"] == "AL2023_x86_64_STANDARD"


def test_launch_template_is_known_by_its_digest(render: Any) -> None:
    made = {"eks_cluster__group_made": {"group_id": "sg-node"}}
    template = render("eks_cluster", "eks_cluster__template", **FOUND, **made)
    assert template["security_group_ids"] == ["sg-cluster", "sg-node"]
    assert template["metadata_options"]["http_tokens"] == "required"
    digest = render("eks_cluster", "eks_cluster__template_digest", **FOUND, **made)
    bigger = {"eks_cluster_node_group": {"disk_size": 200}}
    assert digest != render("eks_cluster", "eks_cluster__template_digest", **FOUND, **made, **bigger)
    # What AWS adds to its description means nothing.
    old = {"version_number": 1, "version_description": "other", "default_version": False}
    new = {
        "version_number": 2,
        "version_description": digest,
        "default_version": True,
        "launch_template_data": {"x": 1},
    }
    info = {"eks_cluster__template_info": {"launch_templates": [{"versions": [new, old]}]}}
    assert render("eks_cluster", "eks_cluster__template_versions", **FOUND, **made, **info) == [2]
    assert render("eks_cluster", "eks_cluster__template_versions", **FOUND, **made, **bigger, **info) == []
    none: dict[str, Any] = {"eks_cluster__template_info": {"launch_templates": []}}
    assert render("eks_cluster", "eks_cluster__template_versions", **FOUND, **made, **none) == []


def test_foreign_security_group_is_refused(render: Any) -> None:
    ours = groups(TAGS | {"Name": "mistral-node"})
    assert render("eks_cluster", "eks_cluster__foreign", **ours) == ""
    assert render("eks_cluster", "eks_cluster__node_group_id", **ours) == "sg-0"
    theirs = groups({"rayops.serve_ha/deployment": "other"})
    assert "sg-0" in render("eks_cluster", "eks_cluster__foreign", **theirs)
    assert render("eks_cluster", "eks_cluster__owned_groups", **theirs) == []
    assert render("eks_cluster", "eks_cluster__foreign", **groups()) == ""


def test_result_of_nothing_has_all_keys(render: Any) -> None:
    """As in check mode on an empty account, and after the cluster is gone."""
    full = render("eks_cluster", "eks_cluster__result", **FOUND, **groups(TAGS))
    empty = render("eks_cluster", "eks_cluster__result", eks_cluster__described={"skipped": True})
    assert full.keys() == empty.keys()
    assert {key for key, value in empty.items() if value in ("", False)} == {
        "arn",
        "endpoint",
        "version",
        "running",
        "adopted",
        "vpc_id",
        "cluster_security_group_id",
        "node_security_group_id",
        "oidc_issuer",
    }
    command = "aws eks --region us-west-2 update-kubeconfig --name mistral"
    assert full["configure_kubectl"] == command
    profile = render("eks_cluster", "eks_cluster__result", eks_cluster_profile="ops", **FOUND)
    assert profile["configure_kubectl"] == f"{command} --profile ops"


def test_running_is_active_and_reachable(render: Any, tmp_path: Path) -> None:
    def running(status: str, kubeconfig: Path, check: bool = False) -> bool:
        given = {"eks_cluster__described": {"cluster": CLUSTER | {"status": status}}, "ansible_check_mode": check}
        given["eks_cluster__access"] = {"changed": True}
        return render("eks_cluster", "eks_cluster__result", eks_cluster_kubeconfig=str(kubeconfig), **given)["running"]

    (tmp_path / "there").write_text("")
    assert running("ACTIVE", tmp_path / "there") is True
    assert running("UPDATING", tmp_path / "there") is True
    assert running("CREATING", tmp_path / "there") is False
    assert running("ACTIVE", tmp_path / "missing") is False
    assert running("ACTIVE", tmp_path / "there", check=True) is False, "the access entry is yet to be made"


def test_adopted_cluster_is_only_looked_at(render: Any) -> None:
    result = render("eks_cluster", "eks_cluster__result", eks_cluster_adopt=True, **FOUND)
    assert result["node_security_group_id"] == "sg-cluster"
    assert result["vpc_id"] == "vpc-1"
    assert result["node_role_arn"] == result["core_node_group"] == ""
    given = {"eks_cluster_node_security_group_id": "sg-own"}
    assert render("eks_cluster", "eks_cluster__node_group_id", eks_cluster_adopt=True, **FOUND, **given) == "sg-own"


@pytest.mark.parametrize(("list_name", "exists"), [("owned", True), ("foreign", False), ("missing", False)])
def test_only_a_cluster_of_this_deployment_is_looked_into(render: Any, list_name: str, exists: bool) -> None:
    names = {
        "owned": [],
        "foreign": [],
        "missing": [],
        list_name: [{"type": "eks:cluster", "name": "mistral", "arn": ""}],
    }
    assert render("eks_cluster", "eks_cluster__exists", eks_cluster__names=names) is exists


def test_a_cluster_that_was_only_looked_for_is_found(render: Any) -> None:
    looked = {"eks_cluster__looked": {"clusters": [CLUSTER]}}
    assert render("eks_cluster", "eks_cluster__found", **looked) == CLUSTER
    assert render("eks_cluster", "eks_cluster__found", eks_cluster__looked={"clusters": []}) == {}


ROLE = {"type": "iam:role", "name": "mistral-eks-node", "arn": ""}


@pytest.mark.parametrize(
    ("owned", "given", "ours"),
    [
        ([], groups(), False),
        ([ROLE], groups(), True),
        ([], groups(TAGS), True),
        # Somebody else's, of the same name.
        ([], groups({"team": "other"}), False),
        # What an adopted cluster leaves behind is its owner's.
        ([ROLE], groups(TAGS) | {"eks_cluster_adopt": True}, False),
    ],
)
def test_whose_is_what_the_cluster_has_left(
    render: Any, owned: list[dict[str, str]], given: dict[str, Any], ours: bool
) -> None:
    names = {"eks_cluster__names": {"owned": owned, "foreign_text": ""}}
    assert render("eks_cluster", "eks_cluster__ours", **names, **given) is ours


@pytest.mark.parametrize(
    ("given", "vpc", "in_vpc"),
    [
        (groups(), "vpc-9", True),
        (groups(TAGS) | {"eks_cluster_vpc_id": ""}, "vpc-1", True),
        # No VPC is known: what is in one may be in that of another cluster.
        (groups() | {"eks_cluster_vpc_id": ""}, "", False),
    ],
)
def test_what_is_swept(render: Any, given: dict[str, Any], vpc: str, in_vpc: bool) -> None:
    given = {"eks_cluster_vpc_id": "vpc-9"} | given
    assert render("eks_cluster", "eks_cluster__own_vpc", **given) == vpc
    kinds = render("eks_cluster", "eks_cluster__swept_kinds", **given)
    assert ("load_balancer" in kinds, "security_group" in kinds) == (in_vpc, in_vpc)
    assert {"volume", "log_group", "instance_profile"} <= set(kinds) <= set(REMOVALS)
