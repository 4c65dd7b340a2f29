# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""eks_nodegroup against an EKS that takes its time, is strict, and fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.modules import eks_nodegroup

from ..conftest import FakeClock, aws_error, four_steps
from .fake_eks import FakeEks, runner

Run = Callable[..., dict[str, Any]]
NAMES = {"cluster_name": "mistral", "nodegroup_name": "core"}
CREATE = NAMES | {
    "node_role": "arn:role",
    "subnets": ["subnet-a", "subnet-b"],
    "ami_type": "AL2023_x86_64_STANDARD",
    "instance_types": ["m5.xlarge"],
    "scaling_config": {"min_size": 2, "max_size": 4},
    "launch_template": {"id": "lt-1", "version": "1"},
    "labels": {"WorkerType": "ON_DEMAND"},
    "taints": [{"key": "CriticalAddonsOnly", "effect": "NO_SCHEDULE"}],
    "tags": {"owner": "ops", "old": "1"},
}
MODIFY = CREATE | {
    "scaling_config": {"min_size": 3, "max_size": 6},
    "launch_template": {"id": "lt-1", "version": "2"},
    "labels": {"WorkerType": "SPOT"},
    "taints": [],
    "update_config": {"max_unavailable_percentage": 50},
    "node_repair_config": {"enabled": True},
    "tags": {"owner": "ops"},
}
DELETE = NAMES | {"state": "absent"}
ISSUE = {"code": "NodeCreationFailure", "message": "Instances failed to join", "resourceIds": ["i-1", "i-2"]}


@pytest.fixture
def eks() -> FakeEks:
    return FakeEks()


@pytest.fixture
def run(eks: FakeEks, run_aws_module: Run) -> Run:
    return runner(run_aws_module, eks_nodegroup, eks)


def test_twelve_steps(eks: FakeEks, run: Run) -> None:
    created = four_steps(run, eks, CREATE, writes=["create_nodegroup"], reads=1)["nodegroup"]
    assert (created["status"], created["labels"]) == ("ACTIVE", {"WorkerType": "ON_DEMAND"})
    assert created["scaling_config"] == {"min_size": 2, "max_size": 4, "desired_size": 2}
    updates = ["untag_resource", "update_nodegroup_config", "update_nodegroup_version"]
    result = four_steps(run, eks, MODIFY, writes=updates, reads=1)
    modified = result["nodegroup"]
    assert (modified["labels"], modified["taints"], modified["tags"]) == ({"WorkerType": "SPOT"}, [], {"owner": "ops"})
    assert modified["launch_template"] == {"id": "lt-1", "name": "core", "version": "2"}
    assert modified["scaling_config"] == {"min_size": 3, "max_size": 6, "desired_size": 3}
    assert result["diff"]["before"]["labels"] == {"WorkerType": "ON_DEMAND"}
    assert "subnets" not in result["diff"]["before"]
    assert four_steps(run, eks, DELETE, writes=["delete_nodegroup"], reads=1)["nodegroup"] == {}
    assert eks.groups == {}


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"WorkerType": "SPOT"}},
        {"labels": {}},
        {"taints": [{"key": "CriticalAddonsOnly", "value": "yes", "effect": "NO_SCHEDULE"}]},
        {"taints": []},
        {"tags": {"owner": "dev"}},
    ],
)
def test_check_mode_tells_of_a_change_of_labels_taints_and_tags(run: Run, change: dict[str, Any]) -> None:
    run(CREATE)
    result = run(CREATE | change, check=True)
    assert (result["changed"], result["written"]) == (True, [])
    [(option, value)] = result["diff"]["after"].items()
    assert option in change and value == ([*change[option]] if isinstance(value, list) else change[option])


def test_the_size_that_an_autoscaler_chose_is_let_be(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    eks.groups["mistral/core"]["scalingConfig"]["desiredSize"] = 4
    assert run(CREATE)["changed"] is False
    assert run(CREATE | {"scaling_config": {"desired_size": 3}})["nodegroup"]["scaling_config"]["desired_size"] == 3


def test_start_now_and_wait_later(run: Run) -> None:
    started = run(CREATE | {"wait": False})
    assert (started["changed"], started["nodegroup"]["status"]) == (True, "CREATING")
    again = run(MODIFY | {"wait": False})
    assert (again["failed"], again["changed"], again["written"]) == (False, False, [])
    waited = run(CREATE)
    assert (waited["changed"], waited["nodegroup"]["status"]) == (False, "ACTIVE")


def test_creation_with_names_that_do_not_exist_yet_in_check_mode(run: Run) -> None:
    params = NAMES | {"node_role": "", "subnets": [], "launch_template": {"id": "", "version": ""}}
    assert run(params, check=True)["changed"]
    assert "to create it, give node_role, subnets" in run(params)["msg"]


def test_a_failed_creation_ends_the_wait_at_once_with_the_reason(eks: FakeEks, run: Run, clock: FakeClock) -> None:
    eks.ends_in = ("CREATE_FAILED", [ISSUE])
    for check in (False, True):
        result = run(CREATE, check=check)
        assert result["failed"] and clock.seconds < 60
        assert "CREATE_FAILED: NodeCreationFailure: Instances failed to join (i-1, i-2)" in result["msg"]
        assert "state=absent" in result["msg"]
    assert run(CREATE)["written"] == []
    assert run(DELETE)["changed"]
    assert run(CREATE)["nodegroup"]["status"] == "ACTIVE"


def test_a_degraded_one_ends_the_wait_and_is_updated_by_the_next_run(eks: FakeEks, run: Run, clock: FakeClock) -> None:
    text = "DEGRADED: NodeCreationFailure: Instances failed to join (i-1, i-2). Mend the cause and run this again"
    eks.ends_in = ("DEGRADED", [ISSUE])
    waited = run(CREATE)
    assert waited["failed"] and text in waited["msg"] and clock.seconds < 60
    for check in (True, False):
        again = run(CREATE, check=check)
        assert (again["failed"], again["changed"], again["written"]) == (False, False, [])
        assert len(again["warnings"]) == 1 and text in again["warnings"][0]
    updated = run(MODIFY)
    assert (updated["failed"], updated["changed"], updated["nodegroup"]["status"]) == (False, True, "ACTIVE")
    assert text in updated["warnings"][0] and run(MODIFY)["warnings"] == []


def test_a_failed_deletion_fails_with_the_reason_and_can_be_tried_again(
    eks: FakeEks, run: Run, clock: FakeClock
) -> None:
    run(CREATE)
    eks.ends_in = ("DELETE_FAILED", [ISSUE | {"code": "Ec2SecurityGroupDeletionFailure"}])
    result = run(DELETE)
    assert result["failed"] and "DELETE_FAILED: Ec2SecurityGroupDeletionFailure" in result["msg"]
    assert clock.seconds < 120
    assert run(DELETE)["failed"] is False and eks.groups == {}


def test_a_failed_update_fails_with_its_errors_and_starts_no_other(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    eks.update_errors = [
        {"errorCode": "PodEvictionFailure", "errorMessage": "disruption budget", "resourceIds": ["i-1"]}
    ]
    result = run(MODIFY)
    assert result["failed"] and "update_nodegroup_version" not in result["written"]
    assert "Failed: PodEvictionFailure: disruption budget (i-1)" in result["msg"]


def test_force_goes_with_the_version(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    run(CREATE | {"version": "1.34", "force": True})
    [request] = [parameters for name, parameters in eks.calls if name == "update_nodegroup_version"]
    assert (request["force"], request["version"]) == (True, "1.34")


def test_a_node_group_that_is_being_deleted_is_made_again(eks: FakeEks, run: Run) -> None:
    run(CREATE)
    run(DELETE | {"wait": False})
    result = run(CREATE)
    assert (result["failed"], result["changed"], result["written"]) == (False, True, ["create_nodegroup"])


def test_deletion_of_a_node_group_that_is_being_made(eks: FakeEks, run: Run) -> None:
    run(CREATE | {"wait": False})
    assert run(DELETE)["failed"] is False
    assert eks.groups == {}


def test_no_cluster_is_no_node_group(eks: FakeEks, run: Run) -> None:
    assert run(DELETE)["changed"] is False
    eks.errors["create_nodegroup"] = [aws_error("ResourceNotFoundException", "No cluster found for name: mistral.")]
    assert "No cluster found" in run(CREATE)["msg"]
