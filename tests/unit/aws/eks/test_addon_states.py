# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""eks_addon with add-ons that take their time, fail, or are under way when it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..conftest import FakeClock, aws_error
from .fake_addons import Addons, item, runner

ROLE = "arn:aws:iam::111122223333:role/"
NO_NODES = {
    "status": "DEGRADED",
    "health": {"issues": [{"code": "InsufficientNumberOfReplicas", "message": "no nodes available to schedule pods"}]},
}
DENIED = {"issues": [{"code": "AccessDenied", "message": "may not assume the role"}]}
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def eks() -> Addons:
    return Addons()


@pytest.fixture
def run(run_aws_module: Run, eks: Addons) -> Run:
    return runner(run_aws_module, eks)


def test_all_are_started_before_any_is_waited_for(eks: Addons, run: Run, clock: FakeClock) -> None:
    eks.creation = ["unseen", "CREATING", "CREATING", "ACTIVE"]
    eks.add("kube-proxy")
    result = run(["coredns", "kube-proxy", "vpc-cni", "aws-ebs-csi-driver"])
    assert result["changed"] and not result["failed"]
    names = [name for name, _parameters in eks.calls]
    last_creation = max(at for at, name in enumerate(names) if name == "create_addon")
    assert last_creation == 6  # four descriptions, three creations
    assert clock.seconds == 40  # as long as one takes
    assert [name for name, parameters in eks.calls if parameters["addonName"] == "kube-proxy"] == ["describe_addon"]


def test_one_that_was_created_a_moment_ago_is_compared_when_it_is_seen(eks: Addons, run: Run) -> None:
    eks.add("coredns")
    eks.steps["coredns"] = ["unseen", "unseen"]
    result = run([item(configuration_values={"replicaCount": 3})])
    assert result["changed"] and result["addons"][0]["status"] == "ACTIVE"
    assert eks.written() == ["create_addon", "create_addon", "update_addon"]  # the first two are refused


def test_coredns_waits_for_nodes(eks: Addons, run: Run, clock: FakeClock) -> None:
    eks.creation = ["CREATING", *[NO_NODES] * 20, {"status": "ACTIVE", "health": {"issues": []}}]
    assert run(["coredns"])["addons"][0]["status"] == "ACTIVE"
    assert clock.seconds > 200


def test_no_nodes_until_the_time_is_up(eks: Addons, run: Run, clock: FakeClock) -> None:
    eks.creation = [NO_NODES]
    result = run(["coredns", "vpc-cni"], wait_timeout=120)
    assert result["failed"] and clock.seconds == 120
    assert result["msg"].startswith("Waited 120 s for add-ons of EKS cluster mistral to be ACTIVE")
    assert "coredns DEGRADED: InsufficientNumberOfReplicas: no nodes available to schedule pods" in result["msg"]


@pytest.mark.parametrize("status", ["DEGRADED", "CREATE_FAILED"])
def test_what_fails_ends_the_wait_at_once_with_its_reason(eks: Addons, run: Run, clock: FakeClock, status: str) -> None:
    eks.steps["vpc-cni"] = ["CREATING", {"status": status, "health": DENIED}]
    eks.creation = ["CREATING"] * 50
    result = run(["coredns", "vpc-cni"])
    assert result["failed"] and clock.seconds < 60
    assert f"vpc-cni {status}: AccessDenied: may not assume the role" in result["msg"]
    assert "coredns" not in result["msg"]


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_FAILED", "DEGRADED"])
def test_what_has_failed_before_is_said(eks: Addons, run: Run, clock: FakeClock, status: str, wait: bool) -> None:
    eks.add("coredns", status=status, health=DENIED)
    values = {} if status == "DEGRADED" else {"configuration_values": {"replicaCount": 2}}
    result = run([item(**values)], wait=wait)
    assert result["failed"] and clock.seconds == 0 and eks.written() == []
    assert f"coredns {status}: AccessDenied" in result["msg"]


def test_a_change_may_mend_what_is_degraded(eks: Addons, run: Run) -> None:
    eks.add("coredns", status="DEGRADED", health=DENIED)
    result = run([item(configuration_values={"replicaCount": 2})])
    assert not result["failed"] and result["addons"][0]["status"] == "ACTIVE"


def test_an_update_that_failed_is_sent_again(eks: Addons, run: Run) -> None:
    eks.add("coredns", status="UPDATE_FAILED", health=DENIED, configurationValues='{"replicaCount": 2}')
    result = run([item(configuration_values={"replicaCount": 2})])
    assert result["changed"] and result["addons"][0]["status"] == "ACTIVE"
    assert result["diff"] == {
        "before": {"coredns": {"status": "UPDATE_FAILED"}},
        "after": {"coredns": {"status": "ACTIVE"}},
    }
    sent = next(parameters for name, parameters in eks.calls if name == "update_addon")
    assert sent["addonVersion"] == "v1.11.4-eksbuild.2" and sent["configurationValues"] == '{"replicaCount": 2}'


def test_the_values_from_before_are_not_taken_for_the_new_ones(eks: Addons, run: Run, clock: FakeClock) -> None:
    old, new = "v1.11.4-eksbuild.2", "v1.11.4-eksbuild.10"
    eks.add("coredns")
    eks.steps["coredns"] = [
        "ACTIVE",
        {"status": "ACTIVE", "addonVersion": old},
        {"status": "UPDATING", "addonVersion": old},
        {"status": "ACTIVE", "addonVersion": new},
    ]
    result = run([item(addon_version=new)])
    assert result["addons"][0]["addon_version"] == new and clock.seconds == 30


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATE_FAILED"])
def test_an_update_that_fails_is_told_with_its_errors(eks: Addons, run: Run, clock: FakeClock, status: str) -> None:
    old = "v1.11.4-eksbuild.2"
    eks.add("coredns")
    eks.steps["coredns"] = ["ACTIVE", {"status": "UPDATING"}, {"status": status, "addonVersion": old}]
    eks.update = {
        "id": "u-7",
        "status": "Failed",
        "errors": [{"errorCode": "ConfigurationConflict", "errorMessage": "Conflicts found"}],
    }
    result = run([item(addon_version="v1.11.4-eksbuild.10")])
    assert result["failed"] and clock.seconds == 20
    assert f"coredns {status}; update Failed: ConfigurationConflict: Conflicts found" in result["msg"]


def test_what_is_under_way_is_awaited_then_compared(eks: Addons, run: Run) -> None:
    eks.add("coredns", status="UPDATING")
    wanted = [item(configuration_values={"replicaCount": 2})]
    result = run(wanted, check=True)
    assert (result["changed"], eks.written()) == (True, [])
    eks.steps["coredns"] = ["UPDATING", "UPDATING", "ACTIVE"]
    result = run(wanted)
    assert eks.written() == ["update_addon"] and result["addons"][0]["configuration_values"] == {"replicaCount": 2}


@pytest.mark.parametrize("status", ["CREATING", "UPDATING"])
def test_without_wait_what_is_under_way_is_let_be(eks: Addons, run: Run, clock: FakeClock, status: str) -> None:
    eks.add("coredns", status=status)
    result = run([item(configuration_values={"replicaCount": 2})], wait=False)
    assert (result["failed"], result["changed"], eks.written(), clock.seconds) == (False, False, [], 0)
    assert result["addons"][0]["status"] == status


def test_without_wait_it_starts_and_ends(eks: Addons, run: Run, clock: FakeClock) -> None:
    result = run(["coredns", "vpc-cni"], wait=False)
    assert (result["changed"], eks.written(), clock.seconds) == (True, ["create_addon"] * 2, 0)
    assert [addon["status"] for addon in result["addons"]] == ["CREATING", "CREATING"]
    assert run(["coredns", "vpc-cni"])["changed"] is False


def test_what_is_being_deleted_is_created_when_it_is_gone(eks: Addons, run: Run) -> None:
    eks.add("coredns", status="DELETING")
    assert run(["coredns"], check=True)["changed"] is True
    assert "DELETING; run this again" in run(["coredns"], wait=False)["msg"]
    eks.steps["coredns"] = ["DELETING", None, "CREATING", "ACTIVE"]
    result = run(["coredns"])
    assert result["changed"] and eks.written() == ["create_addon"] and result["addons"][0]["status"] == "ACTIVE"


def test_a_role_that_is_not_known_yet_is_tried_again(eks: Addons, run: Run, clock: FakeClock) -> None:
    refused = aws_error("InvalidParameterException", "Role provided in the request does not exist")
    eks.errors["create_addon"] = [refused, refused]
    roles = [{"service_account": "sa", "role_arn": ROLE + "new"}]
    result = run([item(pod_identity_associations=roles)])
    assert not result["failed"] and eks.written() == ["create_addon"] * 3
    eks.addons.clear()
    eks.errors["create_addon"] = [refused] * 100
    result = run([item(pod_identity_associations=roles)])
    assert result["failed"] and "Role provided in the request does not exist" in result["msg"]


def test_what_aws_refuses_is_told_in_its_own_words(eks: Addons, run: Run) -> None:
    eks.errors["create_addon"] = [aws_error("InvalidParameterException", "Addon version specified is not supported")]
    result = run([item(addon_version="v0")])
    assert result["failed"] and "create add-on coredns" in result["msg"] and "not supported" in result["msg"]
    assert eks.written() == ["create_addon"]


def test_deletion_waits_for_what_eks_is_at(eks: Addons, run: Run) -> None:
    eks.add("coredns", status="UPDATING")
    busy = aws_error("InvalidRequestException", "an update is in progress")
    eks.errors["delete_addon"] = [busy]
    result = run([item(preserve=True)], state="absent")
    assert (result["changed"], eks.written(), eks.addons) == (True, ["delete_addon"] * 2, {})
    assert eks.calls[1][1]["preserve"] is True
    eks.add("coredns", status="UPDATING")
    eks.errors["delete_addon"] = [busy]
    assert "an update is in progress" in run(["coredns"], state="absent", wait=False)["msg"]


def test_deletion_that_is_under_way_or_failed_before(eks: Addons, run: Run) -> None:
    eks.add("coredns", status="DELETING")
    eks.steps["coredns"] = ["DELETING", None]
    assert (run(["coredns"], state="absent")["changed"], eks.written()) == (False, [])
    eks.add("coredns", status="DELETE_FAILED", health=DENIED)
    assert (run(["coredns"], state="absent")["changed"], eks.addons) == (True, {})


def test_deletion_that_fails_is_told(eks: Addons, run: Run) -> None:
    eks.add("coredns")
    eks.steps["coredns"] = ["ACTIVE", "DELETING", {"status": "DELETE_FAILED", "health": DENIED}]
    result = run(["coredns"], state="absent")
    assert result["failed"] and "coredns DELETE_FAILED: AccessDenied" in result["msg"]


def test_deletion_without_wait(eks: Addons, run: Run, clock: FakeClock) -> None:
    eks.add("coredns")
    assert (run(["coredns"], state="absent", wait=False)["changed"], clock.seconds) == (True, 0)
