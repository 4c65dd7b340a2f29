# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""eks_cluster against an EKS that takes its time, is strict, and fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.modules import eks_cluster, eks_cluster_info

from ..conftest import FakeClock, aws_error, four_steps
from .fake_eks import FakeEks, runner

Run = Callable[..., dict[str, Any]]
CREATE = {
    "name": "mistral",
    "role_arn": "arn:role",
    "resources_vpc_config": {"subnet_ids": ["subnet-a", "subnet-b"], "endpoint_private_access": True},
    "cluster_logging": ["api"],
    "tags": {"owner": "ops", "old": "1"},
}
MODIFY = CREATE | {
    "version": "1.35",
    "cluster_logging": ["audit"],
    "deletion_protection": False,
    "access_config": {"authentication_mode": "API"},
    "resources_vpc_config": CREATE["resources_vpc_config"] | {"public_access_cidrs": ["10.0.0.0/8"]},
    "tags": {"owner": "dev"},
}
DELETE = {"name": "mistral", "state": "absent"}
UPDATES = [
    "tag_resource",
    "untag_resource",
    *["update_cluster_config"] * 4,
    *["update_cluster_version"] * 2,
]


@pytest.fixture
def eks() -> FakeEks:
    return FakeEks()


@pytest.fixture
def run(eks: FakeEks, run_aws_module: Run) -> Run:
    return runner(run_aws_module, eks_cluster, eks)


def test_twelve_steps(eks: FakeEks, run: Run) -> None:
    created = four_steps(run, eks, CREATE, writes=["create_cluster"], reads=1)["cluster"]
    assert (created["status"], created["tags"]) == ("ACTIVE", {"owner": "ops", "old": "1"})
    result = four_steps(run, eks, MODIFY, writes=UPDATES, reads=1)
    assert (result["cluster"]["version"], result["cluster"]["tags"]) == ("1.35", {"owner": "dev"})
    assert result["cluster"]["access_config"] == {"authentication_mode": "API"}
    assert result["diff"]["before"]["version"] == "1.33"
    assert result["diff"]["after"]["cluster_logging"] == ["audit"]
    assert result["diff"]["after"]["tags"] == {"owner": "dev"}
    assert "role_arn" not in result["diff"]["after"]
    assert four_steps(run, eks, DELETE, writes=["delete_cluster"], reads=1)["cluster"] == {}
    assert eks.clusters == {}


def test_creation_with_names_that_do_not_exist_yet_in_check_mode(run: Run) -> None:
    params = {"name": "mistral", "role_arn": "", "resources_vpc_config": {"subnet_ids": [], "security_group_ids": [""]}}
    result = run(params, check=True)
    assert (result["failed"], result["changed"], result["calls"]) == (False, True, ["describe_cluster"])
    assert result["cluster"]["name"] == "mistral"
    assert "role_arn, resources_vpc_config.subnet_ids" in run(params)["msg"]
    assert "role_arn" in run({"name": "mistral"}, check=True)["msg"]


def test_start_now_and_wait_later(eks: FakeEks, run: Run) -> None:
    started = run(CREATE | {"wait": False})
    assert (started["changed"], started["cluster"]["status"]) == (True, "CREATING")
    assert started["calls"] == ["describe_cluster", "create_cluster"]
    again = run(MODIFY | {"wait": False})
    assert (again["failed"], again["changed"], again["written"]) == (False, False, [])
    waited = run(CREATE)
    assert (waited["changed"], waited["cluster"]["status"]) == (False, "ACTIVE")


def test_without_a_wait_one_update_is_started_and_the_others_are_named(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    result = run({"name": "mistral", "cluster_logging": [], "version": "1.35", "wait": False})
    assert result["written"] == ["update_cluster_config"]
    assert "version (1.34), version (1.35)" in result["warnings"][0]
    assert result["cluster"]["status"] == "UPDATING"


def test_right_after_its_creation_a_cluster_may_not_be_visible(eks: FakeEks, run: Run) -> None:
    eks.invisible = 2
    result = run(CREATE)
    assert (result["failed"], result["cluster"]["status"]) == (False, "ACTIVE")


def test_one_that_a_killed_run_has_made_and_that_is_not_visible_yet(eks: FakeEks, run: Run, clock: FakeClock) -> None:
    run(CREATE | {"wait": False})
    eks._hidden = 3
    result = run(CREATE)
    assert (result["failed"], result["changed"], result["cluster"]["status"]) == (False, False, "ACTIVE")
    assert result["written"] == ["create_cluster"], "which AWS refused, as the cluster exists"
    eks._hidden = 100
    assert "Cluster already exists with name: mistral" in run(CREATE)["msg"]


def test_a_role_that_eks_does_not_know_yet_is_tried_again(eks: FakeEks, run: Run, clock: FakeClock) -> None:
    unknown = aws_error("InvalidParameterException", "Role with arn:role, could not be assumed")
    eks.errors["create_cluster"] = [unknown, unknown]
    assert run(CREATE)["failed"] is False
    eks.clusters.clear()
    eks.errors["create_cluster"] = [unknown] * 100
    began = clock.seconds
    assert "could not be assumed" in run(CREATE)["msg"]
    assert clock.seconds - began == 90


def test_other_wrong_parameters_are_not_tried_again(eks: FakeEks, run: Run) -> None:
    eks.errors["create_cluster"] = [aws_error("InvalidParameterException", "subnet-a does not exist")] * 2
    result = run(CREATE)
    assert result["failed"] and "subnet-a does not exist" in result["msg"]
    assert result["calls"].count("create_cluster") == 1


@pytest.mark.parametrize("later", [False, True])
def test_a_failed_creation_ends_the_wait_at_once_with_the_reason(
    eks: FakeEks, run: Run, clock: FakeClock, later: bool
) -> None:
    issue = {"code": "Ec2SubnetNotFound", "message": "no such subnet", "resourceIds": ["subnet-a"]}
    eks.ends_in = ("FAILED", [issue])
    result = run(CREATE)
    if later:
        result = run(CREATE, check=True)
    assert result["failed"] and clock.seconds < 60
    assert "FAILED: Ec2SubnetNotFound: no such subnet (subnet-a)" in result["msg"]
    assert "state=absent" in result["msg"]
    assert run(DELETE)["changed"]


def test_a_cluster_that_takes_too_long(eks: FakeEks, run: Run, clock: FakeClock) -> None:
    eks.invisible = 1000
    result = run(CREATE | {"wait_timeout": 100})
    assert result["failed"] and clock.seconds == 100
    assert "Waited 100 s for EKS cluster mistral to be ACTIVE; last seen: not visible yet" in result["msg"]


def test_a_failed_update_fails_with_its_errors_and_starts_no_other(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    eks.update_errors = [{"errorCode": "IpNotAvailable", "errorMessage": "subnet is full", "resourceIds": ["subnet-a"]}]
    result = run({"name": "mistral", "version": "1.35"})
    assert result["failed"] and result["written"] == ["update_cluster_version"]
    assert "is in vain: Failed: IpNotAvailable: subnet is full (subnet-a)" in result["msg"]


def test_an_update_waits_for_another_that_is_not_seen_in_the_status_yet(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    eks.errors["update_cluster_config"] = [aws_error("ResourceInUseException", "cluster has an update in progress")] * 3
    assert "an update in progress" in run({"name": "mistral", "deletion_protection": True, "wait": False})["msg"]
    result = run({"name": "mistral", "deletion_protection": True})
    assert (result["failed"], result["cluster"]["deletion_protection"]) == (False, True)


def test_a_cluster_that_is_being_updated_is_waited_for_and_compared_then(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    run({"name": "mistral", "version": "1.34", "wait": False})
    result = run({"name": "mistral", "version": "1.34"})
    assert (result["changed"], result["cluster"]["status"]) == (False, "ACTIVE")


def test_a_cluster_that_is_being_deleted_is_made_again(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    run(DELETE | {"wait": False})
    # The one that is new is not the one that was seen before.
    eks.invisible = 1
    result = run(CREATE)
    assert (result["failed"], result["changed"], result["written"]) == (False, True, ["create_cluster"])


def test_only_a_wait_outlasts_a_deletion(run: Run) -> None:
    run(CREATE)
    run(DELETE | {"wait": False})
    assert "being deleted" in run(CREATE | {"wait": False})["msg"]
    checked = run(CREATE, check=True)
    assert (checked["diff"]["before"], checked["calls"]) == ({}, ["describe_cluster"])


def test_deletion_of_a_cluster_that_is_being_made_waits_until_it_can_be_deleted(eks: FakeEks, run: Run) -> None:
    run(CREATE | {"wait": False})
    assert "is CREATING" in run(DELETE | {"wait": False})["msg"]
    result = run(DELETE)
    assert (result["failed"], result["changed"], eks.clusters) == (False, True, {})


def test_a_deletion_under_way_is_waited_for(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    run(DELETE | {"wait": False})
    result = run(DELETE)
    assert (result["changed"], result["written"], eks.clusters) == (False, [], {})


def test_deletion_names_the_node_groups_that_are_left(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    eks.groups = {name: {"clusterName": "mistral", "nodegroupName": name} for name in ("workers", "core")}
    assert "it still has the node groups core, workers; delete them first" in run(DELETE)["msg"]


def test_deletion_protection_is_told_in_the_words_of_aws(eks: FakeEks, run: Run) -> None:
    run(CREATE | {"deletion_protection": True})
    result = run(DELETE)
    assert "Failed to delete EKS cluster mistral" in result["msg"] and "Deletion protection is enabled" in result["msg"]


def test_tags_alone(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    kept = run({"name": "mistral", "tags": {"new": "1"}, "purge_tags": False})
    assert (kept["written"], kept["cluster"]["tags"]) == (["tag_resource"], {"owner": "ops", "old": "1", "new": "1"})
    eks.clusters["mistral"]["tags"]["aws:own"] = "1"
    gone = run({"name": "mistral", "tags": {}})
    assert (gone["written"], gone["cluster"]["tags"]) == (["untag_resource"], {"aws:own": "1"})
    assert gone["diff"]["after"] == {"tags": {"aws:own": "1"}}


def test_a_refusal_changes_nothing_in_either_mode(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    for check in (True, False):
        result = run(CREATE | {"role_arn": "arn:other", "tags": {}}, check=check)
        assert result["failed"] and result["written"] == []
        assert "EKS cluster mistral: role_arn is 'arn:role' and cannot become 'arn:other'" in result["msg"]


def test_credentials_that_expire_in_the_middle(eks: FakeEks, run: Run) -> None:
    eks.errors["describe_cluster"] = [None, None, aws_error("ExpiredTokenException", "expired")]
    assert "renew the credentials" in run(CREATE)["msg"]


def test_a_cluster_that_vanishes_in_the_wait(eks: FakeEks, run: Run) -> None:
    gone = aws_error("ResourceNotFoundException", "gone")
    eks.errors["describe_cluster"] = [None, None, gone]
    assert "it is gone" in run(CREATE)["msg"]


@pytest.mark.parametrize("status", ["CREATING", "ACTIVE", "FAILED"])
def test_info_describes_it_in_any_state(eks: FakeEks, run: Run, run_aws_module: Run, status: str) -> None:
    run(CREATE)
    eks.clusters["mistral"]["status"] = status
    result = run_aws_module(eks_cluster_info, {"eks": eks}, {"name": "mistral"})
    assert [(one["name"], one["status"], one["tags"]) for one in result["clusters"]] == [
        ("mistral", status, CREATE["tags"])
    ]


def test_info_of_none_is_empty(eks: FakeEks, run_aws_module: Run) -> None:
    assert run_aws_module(eks_cluster_info, {"eks": eks}, {"name": "mistral"})["clusters"] == []
