# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""eks_access_entry: its decisions, and the module against a small EKS."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks import access_entry
from ansible_collections.rayops.serve_ha.plugins.modules import eks_access_entry

from ..conftest import FakeClock, FakeService, aws_error, four_steps
from .fake_eks import TaggedEks

ACCOUNT = "arn:aws:iam::111122223333:"
ADMIN = ACCOUNT + "role/admin"
NODE = ACCOUNT + "role/node"
POLICY = "arn:aws:eks::aws:cluster-access-policy/"
Run = Callable[..., dict[str, Any]]


class Entries(TaggedEks):
    def __init__(self) -> None:
        super().__init__()
        self.cluster = True
        self.entries: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, dict[str, Any]]] = {}

    def resources(self) -> Iterable[dict[str, Any]]:
        return self.entries.values()

    def _entry(self, arn: str) -> dict[str, Any]:
        if not self.cluster or arn not in self.entries:
            raise aws_error("ResourceNotFoundException", "The specified principalArn could not be found")
        return self.entries[arn]

    def describe_access_entry(self, clusterName: str, principalArn: str) -> dict[str, Any]:
        return {"accessEntry": self._entry(principalArn)}

    def list_associated_access_policies(self, clusterName: str, principalArn: str) -> dict[str, Any]:
        self._entry(principalArn)
        associated = [{"policyArn": arn, "accessScope": scope} for arn, scope in self.policies[principalArn].items()]
        return {"associatedAccessPolicies": associated}

    def create_access_entry(
        self, clusterName: str, principalArn: str, clientRequestToken: str, **more: Any
    ) -> dict[str, Any]:
        if principalArn in self.entries:
            raise aws_error("ResourceInUseException", "The specified access entry resource is already in use")
        self.policies[principalArn] = {}
        self.entries[principalArn] = {
            "clusterName": clusterName,
            "principalArn": principalArn,
            "accessEntryArn": f"arn:aws:eks:us-west-2:111122223333:access-entry/{principalArn}",
            "type": "STANDARD",
            "kubernetesGroups": [],
            "username": principalArn + "/{{SessionName}}",
            "tags": {},
        } | more
        return {"accessEntry": self.entries[principalArn]}

    def update_access_entry(self, clusterName: str, principalArn: str, **values: Any) -> None:
        # What is not named is lost: the worst that AWS' documentation allows.
        self._entry(principalArn).update({"kubernetesGroups": [], "username": ""} | values)

    def delete_access_entry(self, clusterName: str, principalArn: str) -> None:
        self._entry(principalArn)
        del self.entries[principalArn]

    def associate_access_policy(
        self, clusterName: str, principalArn: str, policyArn: str, accessScope: dict[str, Any]
    ) -> None:
        self._entry(principalArn)
        assert accessScope["type"] == "namespace" or "namespaces" not in accessScope
        self.policies[principalArn][policyArn] = accessScope

    def disassociate_access_policy(self, clusterName: str, principalArn: str, policyArn: str) -> None:
        self._entry(principalArn)
        del self.policies[principalArn][policyArn]


class Iam(FakeService):
    service = "iam"

    def __init__(self) -> None:
        super().__init__()
        self.roles = {"AWSReservedSSO_x": ACCOUNT + "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x"}
        self.error = "NoSuchEntity"

    def get_role(self, RoleName: str) -> dict[str, Any]:
        if RoleName not in self.roles:
            raise aws_error(self.error, f"no role {RoleName}")
        return {"Role": {"Arn": self.roles[RoleName]}}


@pytest.fixture
def eks() -> Entries:
    return Entries()


@pytest.fixture
def iam() -> Iam:
    return Iam()


@pytest.fixture
def run(run_aws_module: Run, eks: Entries, iam: Iam) -> Run:
    def go(entries: list[dict[str, Any]], check: bool = False, **params: Any) -> dict[str, Any]:
        params = {"cluster_name": "mistral", "access_entries": entries} | params
        return run_aws_module(eks_access_entry, {"eks": eks, "iam": iam}, params, check)

    return go


def entry(arn: str = ADMIN, **values: Any) -> dict[str, Any]:
    return {"principal_arn": arn} | values


def policy(name: str, *namespaces: str) -> dict[str, Any]:
    if not namespaces:
        return {"policy_arn": POLICY + name}
    return {"policy_arn": POLICY + name, "access_scope": {"type": "namespace", "namespaces": list(namespaces)}}


@pytest.mark.parametrize(
    ("arn", "role"),
    [
        ("arn:aws:sts::111122223333:assumed-role/admin/me@example.com", ADMIN),
        ("arn:aws-cn:sts::111122223333:assumed-role/a.b/s", "arn:aws-cn:iam::111122223333:role/a.b"),
        ("arn:aws-us-gov:sts::111122223333:assumed-role/a/i-0123", "arn:aws-us-gov:iam::111122223333:role/a"),
        (ADMIN, ADMIN),
        (ACCOUNT + "user/ops", ACCOUNT + "user/ops"),
        (ACCOUNT + "root", ACCOUNT + "root"),
        ("arn:aws:sts::111122223333:federated-user/x", "arn:aws:sts::111122223333:federated-user/x"),
        ("", ""),
    ],
)
def test_role_arn_of_caller(arn: str, role: str) -> None:
    assert access_entry.role_arn_of_caller(arn) == role
    assert bool(access_entry.session_role(arn)) == (arn != role)


@pytest.mark.parametrize(
    ("scope", "as_compared"),
    [
        ({"type": "cluster"}, {"type": "cluster", "namespaces": []}),
        ({"type": "cluster", "namespaces": ["a"]}, {"type": "cluster", "namespaces": []}),
        ({"type": "cluster", "namespaces": None}, {"type": "cluster", "namespaces": []}),
        ({"type": "namespace", "namespaces": ["b", "a"]}, {"type": "namespace", "namespaces": ["a", "b"]}),
    ],
)
def test_scopes_are_compared_without_their_order(scope: dict[str, Any], as_compared: dict[str, Any]) -> None:
    assert access_entry.policies_of([{"p": "x", "s": scope}], "p", "s") == {"x": as_compared}


A, B = {"type": "cluster", "namespaces": []}, {"type": "namespace", "namespaces": ["b"]}


@pytest.mark.parametrize(
    ("wanted", "purge", "merged"),
    [
        (None, True, {"x": A}),
        ({}, True, {}),
        ({}, False, {"x": A}),
        ({"y": B}, True, {"y": B}),
        ({"y": B}, False, {"x": A, "y": B}),
        ({"x": B}, False, {"x": B}),
    ],
)
def test_merge_policies(wanted: Any, purge: bool, merged: dict[str, Any]) -> None:
    assert access_entry.merge_policies({"x": A}, wanted, purge) == merged


def test_twelve_steps(eks: Entries, run: Run) -> None:
    first = [entry(access_policies=[policy("Admin")], kubernetes_groups=["b", "a"]), entry(NODE, type="EC2_LINUX")]
    tags = {"tags": {"rayops.serve_ha/deployment": "mistral"}}
    writes = ["create_access_entry", "associate_access_policy", "create_access_entry"]
    result = four_steps(run, eks, first, writes=writes, reads=4, **tags)
    assert set(result["diff"]["after"]) == {ADMIN, NODE} and result["diff"]["before"] == {}
    assert eks.policies[ADMIN] == {POLICY + "Admin": {"type": "cluster"}}
    admin, node = result["access_entries"]
    assert admin["username"] == ADMIN + "/{{SessionName}}" and admin["kubernetes_groups"] == ["a", "b"]
    assert admin["access_policies"] == [{"policy_arn": POLICY + "Admin", "access_scope": A}]
    assert node["type"] == "EC2_LINUX" and node["tags"] == tags["tags"]

    second = [entry(access_policies=[policy("View", "ml")], kubernetes_groups=["a"], tags={"team": "ml"}), entry(NODE)]
    # Access is given before it is taken.
    access = ["associate_access_policy", "disassociate_access_policy"]
    result = four_steps(run, eks, second, writes=["update_access_entry", "tag_resource", *access], reads=4, **tags)
    assert set(result["diff"]["before"]) == {ADMIN}
    assert result["diff"]["after"][ADMIN] == {
        "access_policies": {POLICY + "View": {"type": "namespace", "namespaces": ["ml"]}},
        "kubernetes_groups": ["a"],
        "tags": {"rayops.serve_ha/deployment": "mistral", "team": "ml"},
    }
    assert eks.entries[ADMIN]["username"] == ADMIN + "/{{SessionName}}"
    assert result["access_entries"][0]["kubernetes_groups"] == ["a"]

    gone = [entry(), entry(NODE)]
    result = four_steps(run, eks, gone, writes=["delete_access_entry"] * 2, reads=2, state="absent")
    assert (result["access_entries"], eks.entries) == ([], {})


def test_others_are_never_touched(eks: Entries, run: Run) -> None:
    run([entry(ACCOUNT + "role/other", access_policies=[policy("Admin")])])
    before = copy.deepcopy((eks.entries[ACCOUNT + "role/other"], eks.policies[ACCOUNT + "role/other"]))
    run([entry(access_policies=[])])
    run([entry()], state="absent")
    run([])
    assert (eks.entries[ACCOUNT + "role/other"], eks.policies[ACCOUNT + "role/other"]) == before


def test_nothing_given_lets_all_be(eks: Entries, run: Run) -> None:
    run([entry(access_policies=[policy("Admin")], kubernetes_groups=["a"], username="me", tags={"a": "b"})])
    result = run([entry()])
    assert (result["changed"], eks.written()) == (False, [])
    assert result["access_entries"][0]["username"] == "me"


def test_policies_are_kept_without_purge(eks: Entries, run: Run) -> None:
    run([entry(access_policies=[policy("Admin")])])
    result = run([entry(access_policies=[policy("View", "a", "b")])], purge_access_policies=False)
    assert (result["changed"], eks.written()) == (True, ["associate_access_policy"])
    assert set(eks.policies[ADMIN]) == {POLICY + "Admin", POLICY + "View"}
    result = run([entry(access_policies=[policy("View", "b", "a"), policy("Admin")])])
    assert result["changed"] is False
    result = run([entry(access_policies=[policy("View", "b")])], purge_access_policies=False)
    assert eks.policies[ADMIN][POLICY + "View"] == {"type": "namespace", "namespaces": ["b"]}


def test_the_type_cannot_change_and_nothing_else_does_then(eks: Entries, run: Run) -> None:
    run([entry(NODE, type="EC2_LINUX")])
    result = run([entry(username="me"), entry(NODE, type="STANDARD")])
    assert result["failed"] and eks.written() == []
    for word in (NODE, "type", "'EC2_LINUX'", "'STANDARD'", "state absent"):
        assert word in result["msg"]


def test_a_session_is_taken_for_its_role(eks: Entries, iam: Iam, run: Run, clock: FakeClock) -> None:
    session = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_x/me@example.com"
    assert run([entry(session)])["changed"]
    assert list(eks.entries) == [iam.roles["AWSReservedSSO_x"]]
    result = run([entry(session), entry(iam.roles["AWSReservedSSO_x"])])
    assert result["msg"].startswith("access_entries: given more than once: ")
    assert run([entry(session)], state="absent")["changed"] and not eks.entries


def test_a_session_whose_role_may_not_be_looked_up(
    eks: Entries, iam: Iam, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(eks_access_entry.AnsibleAWSModule, "warn", lambda _self, text: warnings.append(text))
    session = "arn:aws:sts::111122223333:assumed-role/admin/me"
    iam.error = "AccessDenied"
    assert run([entry(session)])["access_entries"][0]["principal_arn"] == ADMIN
    assert len(warnings) == 1 and ADMIN in warnings[0] and "path" in warnings[0]
    iam.error = "NoSuchEntity"
    assert "no role admin" in run([entry(session)])["msg"]


def test_a_principal_that_is_not_known_yet_is_tried_again(eks: Entries, run: Run, clock: FakeClock) -> None:
    unknown = aws_error("InvalidParameterException", "The specified principalArn is invalid: invalid principal.")
    unseen = aws_error("ResourceNotFoundException", "The specified principalArn could not be found.")
    eks.errors = {"create_access_entry": [unknown] * 3, "associate_access_policy": [unseen]}
    result = run([entry(access_policies=[policy("Admin")])])
    assert not result["failed"] and clock.seconds == 20
    assert eks.written() == [*["create_access_entry"] * 4, *["associate_access_policy"] * 2]


def test_a_principal_that_stays_unknown_is_told(eks: Entries, run: Run, clock: FakeClock) -> None:
    unknown = aws_error("InvalidParameterException", "The specified principalArn is invalid: invalid principal.")
    eks.errors = {"create_access_entry": [unknown] * 100}
    result = run([entry()])
    assert result["failed"] and clock.seconds == 60
    assert ADMIN in result["msg"] and "invalid principal" in result["msg"]


def test_one_that_a_killed_run_has_made_and_that_is_not_visible_yet(eks: Entries, run: Run, clock: FakeClock) -> None:
    run([entry(kubernetes_groups=["old"], access_policies=[policy("View")])], tags={"a": "1"})
    hidden = aws_error("ResourceNotFoundException")
    eks.errors["describe_access_entry"] = [hidden] * 3
    wanted = [entry(kubernetes_groups=["ops"], access_policies=[policy("Admin")])]
    result = run(wanted, tags={"b": "2"})
    assert (result["failed"], result["changed"], clock.seconds) == (False, True, 10)
    assert eks.entries[ADMIN]["kubernetesGroups"] == ["ops"] and list(eks.policies[ADMIN]) == [POLICY + "Admin"]
    assert eks.entries[ADMIN]["tags"] == {"a": "1", "b": "2"}
    eks.errors["describe_access_entry"] = [hidden]
    assert run(wanted, tags={"b": "2"})["changed"] is False
    eks.errors["describe_access_entry"] = [hidden] * 100
    assert "already in use" in run(wanted)["msg"]


@pytest.mark.parametrize("code", ["InvalidParameterException", "InvalidRequestException"])
def test_other_refusals_are_told_at_once(eks: Entries, run: Run, clock: FakeClock, code: str) -> None:
    eks.errors = {"create_access_entry": [aws_error(code, "authentication mode must be set to API")]}
    result = run([entry()])
    assert result["failed"] and clock.seconds == 0 and "authentication mode" in result["msg"]


def test_check_mode_without_a_cluster(eks: Entries, run: Run) -> None:
    eks.cluster = False
    assert run([entry(NODE, type="EC2_LINUX")], check=True)["changed"] is True
    assert run([entry()], state="absent")["changed"] is False
    assert run([entry()])["failed"] is False  # the fake creates in any cluster
