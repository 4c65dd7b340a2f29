# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""elasticache_parameter_group: its rules, and against an ElastiCache that is as strict as AWS."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache import parameters
from ansible_collections.rayops.serve_ha.plugins.modules import elasticache_parameter_group

from ..conftest import FakeClock, four_steps
from .fake_elasticache import FakeElastiCache

Run = Callable[..., dict[str, Any]]
CREATE = {
    "cache_parameter_group_name": "Mistral",
    "cache_parameter_group_family": "redis7",
    "description": "GCS storage",
    "parameters": {"maxmemory-policy": "noeviction", "timeout": 300, **{f"many-{n}": True for n in range(25)}},
    "tags": {"owner": "ops", "old": "1"},
}
MODIFY = CREATE | {"parameters": {"maxmemory-policy": "noeviction", "latency-tracking": True}, "tags": {"owner": "dev"}}
DELETE = {"cache_parameter_group_name": "mistral", "state": "absent"}


@pytest.fixture
def fake() -> FakeElastiCache:
    return FakeElastiCache()


@pytest.fixture
def run(run_aws_module: Run, fake: FakeElastiCache) -> Run:
    return functools.partial(run_aws_module, elasticache_parameter_group, {"elasticache": fake})


def test_twelve_steps(run: Run, fake: FakeElastiCache) -> None:
    set_one, reset = "modify_cache_parameter_group", "reset_cache_parameter_group"
    tags = ["remove_tags_from_resource", "add_tags_to_resource"]
    four_steps(run, fake, CREATE, writes=["create_cache_parameter_group", set_one, set_one], reads=3)
    four_steps(run, fake, MODIFY, writes=[set_one, reset, reset, *tags], reads=3)
    four_steps(run, fake, DELETE, writes=["delete_cache_parameter_group"], reads=1)
    assert fake.parameter_groups == {}


def test_result(run: Run) -> None:
    run(CREATE)
    result = run(MODIFY)
    assert result["cache_parameter_group"] == {
        "cache_parameter_group_name": "mistral",
        "cache_parameter_group_family": "redis7",
        "description": "GCS storage",
        "arn": "arn:aws:elasticache:us-west-2:123456789012:parametergroup:mistral",
        "parameters": {"latency-tracking": "yes", "maxmemory-policy": "noeviction"},
        "tags": {"owner": "dev"},
    }
    assert result["diff"]["before"]["parameters"]["timeout"] == "300"
    assert result["diff"]["after"]["parameters"]["timeout"] == "the family's default"


def test_parameters_that_are_not_listed(run: Run, fake: FakeElastiCache) -> None:
    run(CREATE)
    few = CREATE | {"parameters": {"latency-tracking": False}}
    assert not run(few | {"purge_parameters": False})["changed"], "latency-tracking is no by default"
    del few["parameters"]
    assert not run(few)["changed"]
    assert not run({"cache_parameter_group_name": "mistral"})["changed"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"cache_parameter_group_family": "valkey8"},
            "cache_parameter_group_family is 'redis7' and 'valkey8' is wanted",
        ),
        ({"description": "other"}, "description is 'GCS storage'"),
        ({"parameters": {"maxmemory-polcy": "x"}}, "no parameter maxmemory-polcy (is maxmemory-policy meant?)"),
        ({"parameters": {"databases": 8}}, "parameter databases cannot be changed, it is '16'"),
    ],
)
def test_refusals(run: Run, fake: FakeElastiCache, change: dict[str, Any], text: str) -> None:
    run(CREATE)
    for check in (True, False):
        assert text in run(CREATE | change, check)["msg"]
        assert fake.written() == []


def test_value_that_aws_refuses(run: Run) -> None:
    message = run(CREATE | {"parameters": {"maxmemory-policy": "always"}})["msg"]
    assert "maxmemory-policy takes volatile-lru,noeviction" in message and "not allowed: always" in message


def test_family_is_needed_to_create(run: Run) -> None:
    assert "cache_parameter_group_family is needed" in run({"cache_parameter_group_name": "mistral"})["msg"]


def test_deletion_waits_until_aws_lets_go(run: Run, fake: FakeElastiCache, clock: FakeClock) -> None:
    run(CREATE)
    fake.users = 3
    assert run(DELETE)["changed"]
    assert clock.seconds == 30
    run(CREATE)
    fake.users = 1000
    message = run(DELETE | {"wait_timeout": 60})["msg"]
    assert "Waited 60 s" in message and "cache clusters are still members of this group" in message
    assert "still members" in run(DELETE | {"wait": False})["msg"]


def test_not_visible_right_after_creation(run: Run, fake: FakeElastiCache) -> None:
    fake.invisible = 3
    assert run(CREATE)["changed"]
    # A killed run has created it, and AWS does not show it yet.
    fake.invisible = 2
    assert not run(CREATE)["failed"]


@pytest.mark.parametrize(("value", "text"), [(True, "yes"), (False, "no"), (300, "300"), (0.5, "0.5"), ("", "")])
def test_values(value: Any, text: str) -> None:
    assert parameters.desired_parameters({"a": value, "b": None}) == {"a": text}


def test_batches() -> None:
    assert [len(names) for names in parameters.batches(str(n) for n in range(45))] == [20, 20, 5]
    assert parameters.batches([]) == []
