# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""eks_pod_identity_association: its decisions, and the module against a small EKS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks import pod_identity
from ansible_collections.rayops.serve_ha.plugins.modules import eks_pod_identity_association

from ..conftest import FakeClock, aws_error, four_steps
from .fake_eks import TaggedEks

ROLE = "arn:aws:iam::111122223333:role/"
ARN = "arn:aws:eks:us-west-2:111122223333:podidentityassociation/mistral/"
Run = Callable[..., dict[str, Any]]


class Associations(TaggedEks):
    def __init__(self) -> None:
        super().__init__()
        self.cluster = True
        self.made = self.hidden = 0
        self.associations: dict[str, dict[str, Any]] = {}

    def resources(self) -> Iterable[dict[str, Any]]:
        return self.associations.values()

    def _look(self) -> None:
        if not self.cluster:
            raise aws_error("ResourceNotFoundException", "No cluster found for name: mistral.")

    def list_pod_identity_associations(self, clusterName: str) -> dict[str, Any]:
        self._look()
        if self.hidden:
            self.hidden -= 1
            return {"associations": []}
        keys = ("namespace", "serviceAccount", "associationId", "associationArn")
        return {"associations": [{key: item[key] for key in keys} for item in self.associations.values()]}

    def describe_pod_identity_association(self, clusterName: str, associationId: str) -> dict[str, Any]:
        return {"association": self.associations[associationId]}

    def create_pod_identity_association(
        self, clusterName: str, clientRequestToken: str, **values: Any
    ) -> dict[str, Any]:
        self._look()
        place = (values["namespace"], values["serviceAccount"])
        if place in [(item["namespace"], item["serviceAccount"]) for item in self.associations.values()]:
            raise aws_error("ResourceInUseException", "Association already exists: a-1")
        assert values.get("targetRoleArn") != ""
        self.made += 1
        id_ = f"a-{self.made}"
        made = {"associationId": id_, "associationArn": ARN + id_, "tags": {}, "disableSessionTags": False}
        self.associations[id_] = made | values
        return {"association": self.associations[id_]}

    def update_pod_identity_association(self, clusterName: str, associationId: str, **values: Any) -> dict[str, Any]:
        self._look()
        self.associations[associationId] |= values
        return {"association": self.associations[associationId]}

    def delete_pod_identity_association(self, clusterName: str, associationId: str) -> None:
        self._look()
        del self.associations[associationId]


@pytest.fixture
def eks() -> Associations:
    return Associations()


@pytest.fixture
def run(run_aws_module: Run, eks: Associations) -> Run:
    def go(associations: list[dict[str, Any]], check: bool = False, **params: Any) -> dict[str, Any]:
        params = {"cluster_name": "mistral", "associations": associations} | params
        return run_aws_module(eks_pod_identity_association, {"eks": eks}, params, check)

    return go


def item(account: str = "karpenter", **values: Any) -> dict[str, Any]:
    return {"namespace": "kube-system", "service_account": account} | values


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ({}, {"role_arn": None, "target_role_arn": None, "disable_session_tags": None}),
        ({"role_arn": ""}, {"role_arn": None, "target_role_arn": None, "disable_session_tags": None}),
        (
            {"role_arn": "r", "target_role_arn": "", "disable_session_tags": False},
            {"role_arn": "r", "target_role_arn": "", "disable_session_tags": False},
        ),
    ],
)
def test_wanted_values(option: dict[str, Any], wanted: dict[str, Any]) -> None:
    given = {"role_arn": None, "target_role_arn": None, "disable_session_tags": None} | option
    assert pod_identity.wanted_values(given) == wanted


def test_values_that_aws_leaves_out() -> None:
    assert pod_identity.association_values({"roleArn": "r"}) == {
        "role_arn": "r",
        "target_role_arn": "",
        "disable_session_tags": False,
    }


def test_twelve_steps(eks: Associations, run: Run) -> None:
    first = [item(role_arn=ROLE + "a"), item("ebs", role_arn=ROLE + "ebs", target_role_arn="")]
    tags = {"rayops.serve_ha/deployment": "mistral"}
    result = four_steps(run, eks, first, writes=["create_pod_identity_association"] * 2, reads=3, tags=tags)
    assert set(result["diff"]["after"]) == {"kube-system/karpenter", "kube-system/ebs"}
    assert result["diff"]["before"] == {}
    assert [association["association_id"] for association in result["associations"]] == ["a-1", "a-2"]
    assert result["associations"][0]["tags"] == tags

    second = [item(role_arn=ROLE + "b", disable_session_tags=True), item("ebs", target_role_arn=ROLE + "t")]
    updates = ["update_pod_identity_association", "tag_resource", "untag_resource"]
    result = four_steps(run, eks, second, writes=updates * 2, reads=3, tags={"team": "ml"})
    assert result["diff"]["after"]["kube-system/ebs"] == {"target_role_arn": ROLE + "t", "tags": {"team": "ml"}}
    assert result["diff"]["before"]["kube-system/karpenter"] == {
        "role_arn": ROLE + "a",
        "disable_session_tags": False,
        "tags": tags,
    }
    assert eks.associations["a-1"]["roleArn"] == ROLE + "b" and eks.associations["a-2"]["roleArn"] == ROLE + "ebs"
    assert result["associations"][1]["target_role_arn"] == ROLE + "t"

    gone, deletions = [item(), item("ebs")], ["delete_pod_identity_association"] * 2
    result = four_steps(run, eks, gone, writes=deletions, reads=1, state="absent")
    assert (result["associations"], eks.associations) == ([], {})


def test_others_are_let_be(eks: Associations, run: Run) -> None:
    run([item("other", role_arn=ROLE + "o")])
    run([item(role_arn=ROLE + "a")])
    run([item()], state="absent")
    assert [association["serviceAccount"] for association in eks.associations.values()] == ["other"]


def test_nothing_given_lets_all_be_and_empty_removes(eks: Associations, run: Run) -> None:
    run([item(role_arn=ROLE + "a", target_role_arn=ROLE + "t", disable_session_tags=True)], tags={"a": "b"})
    assert run([item()])["changed"] is False
    run([item(target_role_arn="", disable_session_tags=False)])
    assert eks.calls[-1][1] == {
        "clusterName": "mistral",
        "associationId": "a-1",
        "targetRoleArn": "",
        "disableSessionTags": False,
    }


def test_tags_alone_update_nothing_else(eks: Associations, run: Run) -> None:
    run([item(role_arn=ROLE + "a")], tags={"a": "1"})
    result = run([item(role_arn=ROLE + "a")], tags={"b": "2"}, purge_tags=False)
    assert eks.written() == ["tag_resource"] and result["associations"][0]["tags"] == {"a": "1", "b": "2"}


def test_an_association_of_an_add_on_is_not_ours(eks: Associations, run: Run) -> None:
    run([item(role_arn=ROLE + "a")])
    eks.associations["a-1"]["ownerArn"] = "arn:aws:eks:us-west-2:111122223333:addon/mistral/karpenter/1"
    assert run([item(role_arn=ROLE + "a")])["changed"] is False
    for params in ({}, {"state": "absent"}):
        result = run([item("new", role_arn=ROLE + "n"), item(role_arn=ROLE + "b")], **params)
        assert result["failed"] and eks.written() == []
        assert "addon/mistral/karpenter/1" in result["msg"] and "eks_addon" in result["msg"]


def test_a_role_is_needed_to_create(eks: Associations, run: Run) -> None:
    assert run([item(role_arn="")], check=True)["changed"] is True
    result = run([item("first", role_arn=ROLE + "a"), item(role_arn="")])
    assert result["failed"] and eks.written() == []
    assert "kube-system/karpenter" in result["msg"] and "role_arn" in result["msg"]


def test_a_role_that_is_not_known_yet_is_tried_again(eks: Associations, run: Run, clock: FakeClock) -> None:
    refused = aws_error("InvalidParameterException", "Role provided in the request does not exist.")
    run([item(role_arn=ROLE + "a")])
    eks.errors["update_pod_identity_association"] = [refused, refused]
    assert run([item(role_arn=ROLE + "b")])["failed"] is False
    assert (eks.written(), clock.seconds) == (["update_pod_identity_association"] * 3, 10)
    eks.errors["create_pod_identity_association"] = [refused] * 100
    result = run([item("ebs", role_arn=ROLE + "c")])
    assert result["failed"] and clock.seconds < 150
    assert "kube-system/ebs" in result["msg"] and "does not exist" in result["msg"]


def test_other_refusals_are_told_at_once(eks: Associations, run: Run, clock: FakeClock) -> None:
    eks.errors["create_pod_identity_association"] = [aws_error("ResourceLimitExceededException", "too many")]
    result = run([item(role_arn=ROLE + "a")])
    assert result["failed"] and clock.seconds == 0 and "too many" in result["msg"]


def test_one_that_a_killed_run_has_made_and_that_is_not_visible_yet(
    eks: Associations, run: Run, clock: FakeClock
) -> None:
    run([item(role_arn=ROLE + "a")], tags={"a": "1"})
    eks.hidden = 3
    result = run([item(role_arn=ROLE + "b")], tags={"b": "2"})
    assert (result["failed"], result["changed"], clock.seconds) == (False, True, 10)
    assert (eks.associations["a-1"]["roleArn"], eks.associations["a-1"]["tags"]) == (ROLE + "b", {"a": "1", "b": "2"})
    eks.hidden = 1
    assert run([item(role_arn=ROLE + "b")])["changed"] is False
    eks.associations["a-1"]["ownerArn"] = "arn:addon"
    eks.hidden = 1
    assert "belongs to arn:addon" in run([item(role_arn=ROLE + "c")])["msg"]
    eks.hidden = 100
    assert "already exists" in run([item(role_arn=ROLE + "c")])["msg"]


def test_check_mode_and_deletion_without_a_cluster(eks: Associations, run: Run) -> None:
    eks.cluster = False
    assert run([item(role_arn=ROLE + "a")], check=True)["changed"] is True
    assert run([item()], state="absent")["changed"] is False
    assert "No cluster found" in run([item(role_arn=ROLE + "a")])["msg"]


def test_each_once(eks: Associations, run: Run) -> None:
    result = run([item(), item()])
    assert result["msg"] == "associations: given more than once: kube-system/karpenter" and eks.calls == []
