# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""elasticache_subnet_group against an ElastiCache that is as strict as AWS."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.modules import elasticache_subnet_group

from ..conftest import FakeClock, four_steps
from .fake_elasticache import ARN, FakeElastiCache

Run = Callable[..., dict[str, Any]]
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
def fake() -> FakeElastiCache:
    return FakeElastiCache()


@pytest.fixture
def run(run_aws_module: Run, fake: FakeElastiCache) -> Run:
    return functools.partial(run_aws_module, elasticache_subnet_group, {"elasticache": fake})


def test_twelve_steps(run: Run, fake: FakeElastiCache) -> None:
    tags = ["remove_tags_from_resource", "add_tags_to_resource"]
    four_steps(run, fake, CREATE, writes=["create_cache_subnet_group"], reads=2)
    four_steps(run, fake, MODIFY, writes=["modify_cache_subnet_group", *tags], reads=2)
    four_steps(run, fake, DELETE, writes=["delete_cache_subnet_group"], reads=1)
    assert fake.subnet_groups == {}


def test_result(run: Run) -> None:
    assert run(CREATE)["cache_subnet_group"] == {
        "cache_subnet_group_name": "mistral",
        "cache_subnet_group_description": "mistral",
        "arn": ARN + ":subnetgroup:mistral",
        "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-a", "subnet-b"],
        "tags": CREATE["tags"],
    }
    assert run(DELETE)["cache_subnet_group"] == {}


def test_what_is_not_given_is_let_be(run: Run, fake: FakeElastiCache) -> None:
    run(MODIFY)
    assert not run({"cache_subnet_group_name": "mistral"})["changed"]
    assert not run(MODIFY | {"tags": {}, "purge_tags": False})["changed"]


def test_subnets_are_needed_to_create_but_not_to_foresee_it(run: Run, fake: FakeElastiCache) -> None:
    params = {"cache_subnet_group_name": "mistral"}
    assert run(params, check=True)["changed"]
    assert "subnet_ids is needed" in run(params)["msg"]
    assert fake.written() == []


def test_a_new_group_that_cannot_be_seen_yet(run: Run, fake: FakeElastiCache, clock: FakeClock) -> None:
    fake.invisible = 3
    assert run(CREATE)["changed"] and clock.seconds == 20


def test_one_that_a_killed_run_has_created_meanwhile_is_compared(run: Run, fake: FakeElastiCache) -> None:
    fake.invisible = 1
    fake.create_cache_subnet_group("mistral", CacheSubnetGroupDescription="x", SubnetIds=["subnet-z"])
    assert run(CREATE)["changed"]
    assert fake.written() == ["create_cache_subnet_group", "modify_cache_subnet_group", "add_tags_to_resource"]


def test_a_group_in_use_is_tried_again(run: Run, fake: FakeElastiCache, clock: FakeClock) -> None:
    run(CREATE)
    fake.users = 2
    assert run(DELETE)["changed"] and clock.seconds == 20
    run(CREATE)
    fake.users = 99
    assert "last seen" in run(DELETE)["msg"]
    fake.users = 1
    assert "in use by a cache cluster" in str(run(DELETE | {"wait": False}))
