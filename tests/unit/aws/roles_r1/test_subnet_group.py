# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""elasticache_subnet_group against an ElastiCache that is as strict as AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.modules import elasticache_subnet_group

from ..conftest import FakeClock, FakeService, aws_error

Run = Callable[..., dict[str, Any]]
ARN = "arn:aws:elasticache:us-west-2:123456789012:subnetgroup:"


class FakeSubnetGroups(FakeService):
    """C(invisible) looks after its creation a group cannot be seen yet; C(users) tries of its deletion it is in use."""

    service = "elasticache"

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.invisible = 0
        self.users = 0
        self._hidden = 0

    def describe_cache_subnet_groups(self, CacheSubnetGroupName: str) -> dict[str, Any]:
        if CacheSubnetGroupName not in self.groups or self._hidden > 0:
            self._hidden -= 1
            raise aws_error("CacheSubnetGroupNotFoundFault")
        return {"CacheSubnetGroups": [self.groups[CacheSubnetGroupName]]}

    def create_cache_subnet_group(
        self,
        CacheSubnetGroupName: str,
        CacheSubnetGroupDescription: str,
        SubnetIds: list[str],
        Tags: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        if CacheSubnetGroupName in self.groups:
            raise aws_error("CacheSubnetGroupAlreadyExists")
        arn = ARN + CacheSubnetGroupName
        self.groups[CacheSubnetGroupName] = {
            "CacheSubnetGroupName": CacheSubnetGroupName,
            "CacheSubnetGroupDescription": CacheSubnetGroupDescription,
            "Subnets": [{"SubnetIdentifier": one} for one in SubnetIds],
            "VpcId": "vpc-1",
            "ARN": arn,
        }
        self.tags[arn] = {tag["Key"]: tag["Value"] for tag in Tags or []}
        self._hidden = self.invisible
        return {"CacheSubnetGroup": self.groups[CacheSubnetGroupName]}

    def modify_cache_subnet_group(
        self, CacheSubnetGroupName: str, CacheSubnetGroupDescription: str = "", SubnetIds: list[str] | None = None
    ) -> None:
        group = self.groups[CacheSubnetGroupName]
        if CacheSubnetGroupDescription:
            group["CacheSubnetGroupDescription"] = CacheSubnetGroupDescription
        if SubnetIds:
            group["Subnets"] = [{"SubnetIdentifier": one} for one in SubnetIds]

    def delete_cache_subnet_group(self, CacheSubnetGroupName: str) -> None:
        if self.users:
            self.users -= 1
            raise aws_error("CacheSubnetGroupInUse", "in use by a cache cluster")
        del self.groups[CacheSubnetGroupName]

    def list_tags_for_resource(self, ResourceName: str) -> dict[str, Any]:
        return {"TagList": [{"Key": key, "Value": value} for key, value in self.tags[ResourceName].items()]}

    def add_tags_to_resource(self, ResourceName: str, Tags: list[dict[str, str]]) -> None:
        self.tags[ResourceName] |= {tag["Key"]: tag["Value"] for tag in Tags}

    def remove_tags_from_resource(self, ResourceName: str, TagKeys: list[str]) -> None:
        for key in TagKeys:
            del self.tags[ResourceName][key]


CREATE = {
    "cache_subnet_group_name": "Mistral",
    "subnet_ids": ["subnet-b", "subnet-a", "subnet-b"],
    "tags": {"owner": "ops", "old": "1"},
}
MODIFY = CREATE | {
    "subnet_ids": ["subnet-a", "subnet-c"],
    "cache_subnet_group_description": "GCS storage",
    "tags": {"owner": "dev"},
}
DELETE = {"cache_subnet_group_name": "mistral", "state": "absent"}


@pytest.fixture
def fake() -> FakeSubnetGroups:
    return FakeSubnetGroups()


@pytest.fixture
def run(run_aws_module: Run, fake: FakeSubnetGroups) -> Run:
    def call(params: dict[str, Any], check: bool = False) -> dict[str, Any]:
        fake.calls.clear()
        return run_aws_module(elasticache_subnet_group, {"elasticache": fake}, params, check)

    return call


def test_twelve_steps(run: Run, fake: FakeSubnetGroups) -> None:
    tags = ["remove_tags_from_resource", "add_tags_to_resource"]
    for params, writes in (
        (CREATE, ["create_cache_subnet_group"]),
        (MODIFY, ["modify_cache_subnet_group", *tags]),
        (DELETE, ["delete_cache_subnet_group"]),
    ):
        expected = run(params, check=True)
        assert expected["changed"] and not expected["failed"]
        assert fake.written() == []
        done = run(params)
        assert not done["failed"], done["msg"]
        assert done["changed"]
        assert fake.written() == writes
        assert done["diff"] == expected["diff"] != {"before": {}, "after": {}}
        for check in (True, False):
            again = run(params, check)
            assert not again["changed"] and not again["failed"]
            assert fake.written() == []
            assert len(fake.calls) <= 2
            assert again["diff"] == {"before": {}, "after": {}}
    assert fake.groups == {}


def test_result(run: Run) -> None:
    assert run(CREATE)["cache_subnet_group"] == {
        "cache_subnet_group_name": "mistral",
        "cache_subnet_group_description": "mistral",
        "arn": ARN + "mistral",
        "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-a", "subnet-b"],
        "tags": CREATE["tags"],
    }
    assert run(DELETE)["cache_subnet_group"] == {}


def test_what_is_not_given_is_let_be(run: Run, fake: FakeSubnetGroups) -> None:
    run(MODIFY)
    assert not run({"cache_subnet_group_name": "mistral"})["changed"]
    assert not run(MODIFY | {"tags": {}, "purge_tags": False})["changed"]


def test_subnets_are_needed_to_create_but_not_to_foresee_it(run: Run, fake: FakeSubnetGroups) -> None:
    params = {"cache_subnet_group_name": "mistral"}
    assert run(params, check=True)["changed"]
    assert "subnet_ids is needed" in run(params)["msg"]
    assert fake.written() == []


def test_a_new_group_that_cannot_be_seen_yet(run: Run, fake: FakeSubnetGroups, clock: FakeClock) -> None:
    fake.invisible = 2
    assert run(CREATE)["changed"] and clock.seconds == 20


def test_one_that_a_killed_run_has_created_meanwhile_is_compared(run: Run, fake: FakeSubnetGroups) -> None:
    fake.invisible = 1
    fake.create_cache_subnet_group("mistral", "x", ["subnet-z"])
    assert run(CREATE)["changed"]
    assert fake.written() == ["create_cache_subnet_group", "modify_cache_subnet_group", "add_tags_to_resource"]


def test_a_group_in_use_is_tried_again(run: Run, fake: FakeSubnetGroups, clock: FakeClock) -> None:
    run(CREATE)
    fake.users = 2
    assert run(DELETE)["changed"] and clock.seconds == 20
    run(CREATE)
    fake.users = 99
    assert "last seen" in run(DELETE)["msg"]
    fake.users = 1
    assert "in use by a cache cluster" in str(run(DELETE | {"wait": False}))
