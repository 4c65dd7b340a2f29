# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""elasticache_replication_group(_info) against an ElastiCache that takes its time, is strict, and fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.elasticache.group import VERSION_TAG
from ansible_collections.rayops.serve_ha.plugins.modules import (
    elasticache_replication_group,
    elasticache_replication_group_info,
)

from ..conftest import FakeClock, aws_error, four_steps
from .fake_elasticache import FakeElastiCache

Run = Callable[..., dict[str, Any]]
LOG = {
    "log_type": "slow-log",
    "destination_type": "cloudwatch-logs",
    "destination_details": {"cloud_watch_logs_details": {"log_group": "/aws/elasticache/mistral"}},
    "log_format": "json",
}
PLAIN = {
    "replication_group_id": "mistral",
    "engine": "redis",
    "engine_version": "7.1",
    "cache_node_type": "cache.t4g.small",
    "num_cache_clusters": 1,
    "automatic_failover_enabled": False,
    "cache_subnet_group_name": "Mistral",
    "cache_parameter_group_name": "mistral",
    "security_group_ids": ["sg-b", "sg-a"],
    "log_delivery_configurations": [LOG],
    "tags": {"owner": "ops", "old": "1"},
}
PRODUCTION = PLAIN | {
    "engine": "valkey",
    "engine_version": "8.0",
    "cache_node_type": "cache.r7g.large",
    "num_cache_clusters": 3,
    "automatic_failover_enabled": True,
    "multi_az_enabled": True,
    "security_group_ids": ["sg-c"],
    "snapshot_retention_limit": 5,
    "preferred_maintenance_window": "Sun:23:00-Mon:01:30",
    "transit_encryption_enabled": True,
    "transit_encryption_mode": "required",
    "auth_token": "a-very-secret-token",
    "auth_token_version": "v1",
    "log_delivery_configurations": [],
    "tags": {"owner": "dev"},
}
DELETE = {"replication_group_id": "mistral", "state": "absent"}


@pytest.fixture
def fake() -> FakeElastiCache:
    return FakeElastiCache()


@pytest.fixture
def run(run_aws_module: Run, fake: FakeElastiCache) -> Run:
    def call(
        params: dict[str, Any], check: bool = False, module: Any = elasticache_replication_group
    ) -> dict[str, Any]:
        return run_aws_module(module, {"elasticache": fake}, params, check)

    return call


def test_twelve_steps(run: Run, fake: FakeElastiCache) -> None:
    created = four_steps(run, fake, PLAIN, writes=["create_replication_group"], reads=3)
    writes = [
        "increase_replica_count",
        "modify_replication_group",  # what one request takes
        "modify_replication_group",  # TLS preferred
        "modify_replication_group",  # TLS required
        "modify_replication_group",  # AUTH, optional
        "modify_replication_group",  # AUTH, required
        "remove_tags_from_resource",
        "add_tags_to_resource",
    ]
    modified = four_steps(run, fake, PRODUCTION, writes=writes, reads=3)
    deleted = four_steps(run, fake, DELETE, writes=["delete_replication_group"], reads=1)
    assert created["pending"] == modified["pending"] == deleted["pending"] == []
    assert "a-very-secret-token" not in json.dumps(modified, default=str)
    assert fake.groups == {}


def test_result_has_what_only_nodes_know(run: Run) -> None:
    group = run(PRODUCTION)["replication_group"]
    assert group["endpoint"] == group["primary_endpoint"] == {"address": "master.mistral", "port": 6379}
    assert group["security_group_ids"] == ["sg-c"]
    assert group["engine_version"] == "8.0"
    assert group["transit_encryption_enabled"] and group["auth_token_enabled"]
    assert [member["role"] for member in group["members"]] == ["primary", "replica", "replica"]
    assert group["tags"] == {"owner": "dev", VERSION_TAG: "v1"}
    info = run({"replication_group_id": "mistral"}, module=elasticache_replication_group_info)
    assert info["replication_groups"] == [group]
    assert run({}, module=elasticache_replication_group_info)["replication_groups"] == [group]
    assert run({"replication_group_id": "x"}, module=elasticache_replication_group_info)["replication_groups"] == []


def test_check_mode_of_a_creation_has_every_key(run: Run) -> None:
    predicted = run(PRODUCTION, check=True)["replication_group"]
    made = run(PRODUCTION)["replication_group"]
    shown_by_aws = {"status", "node_groups", "member_clusters", "pending_modified_values", "multi_az", "description"}
    assert made.keys() - predicted.keys() <= shown_by_aws | {
        key
        for key in made
        if key.startswith(("snapshot", "automatic", "user_group", "log_", "transit_encryption_mode"))
    }
    assert predicted["endpoint"] == {"address": "", "port": 0}


def test_back_to_the_plain_node(run: Run, fake: FakeElastiCache) -> None:
    """Failover goes before the replica, access control before TLS; TLS in two stops."""
    without_auth = PRODUCTION | {"auth_token": None, "auth_token_version": None, "user_group_ids": []}
    run(without_auth)
    wanted = without_auth | {
        "num_cache_clusters": 1,
        "automatic_failover_enabled": False,
        "multi_az_enabled": False,
        "transit_encryption_enabled": False,
    }
    del wanted["transit_encryption_mode"]
    assert run(wanted)["changed"]
    assert fake.written() == ["modify_replication_group"] * 3 + ["decrease_replica_count"]
    assert not run(wanted)["changed"]


def test_token_rotation(run: Run, fake: FakeElastiCache) -> None:
    run(PRODUCTION)
    changed = PRODUCTION | {"auth_token": "the-next-secret-token", "auth_token_version": "v2"}
    assert not run(PRODUCTION | {"auth_token": "unnoticed-secret-token"})["changed"]
    unwaited = run(changed | {"wait": False})
    assert (unwaited["changed"], unwaited["pending"], fake.written()) == (False, ["auth_token_version", "tags"], [])
    assert run(changed, check=True)["changed"] and run(changed)["changed"]
    assert fake.tokens == ["a-very-secret-token", "the-next-secret-token"]
    assert not run(changed)["changed"]
    assert run(changed | {"auth_token_update_strategy": "SET", "auth_token_version": "v2 alone"})["changed"]
    assert fake.tokens == ["the-next-secret-token"]
    # No version, no purge of it.
    assert not run(PRODUCTION | {"auth_token_version": None})["changed"]


def test_a_token_for_a_group_without(run: Run, fake: FakeElastiCache) -> None:
    run(PRODUCTION | {"auth_token": None, "auth_token_version": None})
    unwaited = run(PRODUCTION | {"wait": False})
    assert (unwaited["changed"], unwaited["pending"], fake.written()) == (False, ["auth_token_enabled", "tags"], [])
    assert run(PRODUCTION)["replication_group"]["auth_token_enabled"]
    assert fake.tokens == ["a-very-secret-token"]
    assert not run(PRODUCTION)["changed"]


def test_from_token_to_user_groups_and_back(run: Run, fake: FakeElastiCache) -> None:
    run(PRODUCTION)
    groups = PRODUCTION | {"auth_token": None, "auth_token_version": None, "user_group_ids": ["Ops"]}
    assert run(groups)["replication_group"]["user_group_ids"] == ["ops"]
    assert fake.tokens == []
    assert not run(groups)["changed"]
    assert "set user_group_ids to []" in run(PRODUCTION)["msg"]
    assert run(PRODUCTION | {"user_group_ids": []})["replication_group"]["auth_token_enabled"]


def test_without_wait_one_step_a_run(run: Run, fake: FakeElastiCache) -> None:
    started = run(PLAIN | {"wait": False})
    assert started["changed"] and started["replication_group"]["status"] == "creating"
    under_way = run(PLAIN | {"wait": False})
    assert not under_way["changed"] and not under_way["failed"] and under_way["pending"] == []
    assert not run(PLAIN)["changed"]

    wanted = PLAIN | {"num_cache_clusters": 2, "automatic_failover_enabled": True, "tags": {"owner": "x"}}
    first = run(wanted | {"wait": False})
    assert first["changed"] and first["pending"] == ["automatic_failover_enabled", "tags"]
    assert first["diff"]["after"] == {"num_cache_clusters": 2}
    busy = run(wanted | {"wait": False})
    assert not busy["changed"] and fake.written() == []
    assert run(wanted)["changed"]
    assert fake.written() == ["modify_replication_group", "remove_tags_from_resource", "add_tags_to_resource"]


def test_waits_for_what_is_under_way(run: Run, fake: FakeElastiCache, clock: FakeClock) -> None:
    run(PLAIN | {"wait": False})
    changed = PLAIN | {"cache_node_type": "cache.r7g.large"}
    assert run(changed)["changed"]
    assert fake.groups["mistral"]["CacheNodeType"] == "cache.r7g.large"
    assert clock.seconds > 0
    run(DELETE | {"wait": False})
    assert run(PLAIN | {"wait": False})["replication_group"]["status"] == "creating"
    assert run(DELETE)["changed"], "one that is being created is deleted when that is done"
    assert fake.groups == {}


def test_deleting_is_not_deleted_again(run: Run, fake: FakeElastiCache) -> None:
    run(PLAIN)
    run(DELETE | {"wait": False, "final_snapshot_identifier": "last", "retain_primary_cluster": True})
    request = {"ReplicationGroupId": "mistral", "FinalSnapshotIdentifier": "last", "RetainPrimaryCluster": True}
    assert ("delete_replication_group", request) in fake.calls
    assert not run(DELETE)["changed"]
    assert fake.written() == [] and fake.groups == {}


def test_not_visible_right_after_creation(run: Run, fake: FakeElastiCache) -> None:
    fake.slow = 1
    run(PLAIN | {"wait": False})
    fake.invisible = 2
    result = run(PLAIN)
    assert not result["failed"] and not result["changed"]
    assert fake.written() == ["create_replication_group"], "which AWS refused, as the group exists"


@pytest.mark.parametrize("wait", [True, False])
def test_creation_that_failed(run: Run, fake: FakeElastiCache, clock: FakeClock, wait: bool) -> None:
    fake.create_fails = True
    fake.events = [
        {"SourceIdentifier": "mistral-001", "Message": "no capacity in us-west-2a"},
        {"SourceIdentifier": "mistral-prod", "Message": "of another group"},
    ]
    first = run(PLAIN)
    assert first["failed"] and clock.seconds < 60
    again = run(PLAIN | {"wait": wait})
    for result in (first, again):
        assert "create-failed: no capacity in us-west-2a. Mend" in result["msg"]
        assert "another group" not in result["msg"]
    fake.create_fails = False
    assert run(DELETE)["changed"] and run(PLAIN)["changed"]


def test_deleted_by_somebody_in_the_middle(run: Run, fake: FakeElastiCache, clock: FakeClock) -> None:
    run(PLAIN | {"wait": False})
    describe = fake.describe_replication_groups

    def deleted(**query: Any) -> dict[str, Any]:
        response = describe(**query)
        response["ReplicationGroups"][0]["Status"] = "deleting" if clock.seconds else "creating"
        return response

    fake.describe_replication_groups = deleted  # type: ignore[method-assign]
    assert run(PLAIN)["msg"] == "Replication group mistral: it is being deleted"
    assert clock.seconds < 60


def test_time_out_says_what_is_late(run: Run, fake: FakeElastiCache) -> None:
    run(PLAIN)
    fake._apply = lambda *_args: None  # type: ignore[method-assign]
    result = run(PLAIN | {"cache_node_type": "cache.r7g.large", "wait_timeout": 60})
    assert "Waited 60 s" in result["msg"]
    assert "available, cache_node_type is still 'cache.t4g.small'" in result["msg"]


def test_refusals_change_nothing(run: Run, fake: FakeElastiCache) -> None:
    run(PLAIN)
    for check in (True, False):
        result = run(PRODUCTION | {"port": 6380, "cache_subnet_group_name": "other"}, check)
        assert "port is 6379 and 6380 is wanted" in result["msg"]
        assert "cache_subnet_group_name is 'mistral' and 'other' is wanted" in result["msg"]
        assert fake.written() == []


def test_error_of_aws(run: Run, fake: FakeElastiCache) -> None:
    error = aws_error("InsufficientCacheClusterCapacity", "no cache.r7g.large here")
    fake.errors["create_replication_group"] = [error]
    assert "no cache.r7g.large here" in run(PRODUCTION)["msg"]


def test_state_that_changes_behind_our_back(run: Run, fake: FakeElastiCache) -> None:
    """A snapshot begins between our look and our request: try again, do not fail."""
    run(PLAIN)
    fake.errors["modify_replication_group"] = [aws_error("InvalidReplicationGroupState", "snapshotting")]
    assert run(PLAIN | {"cache_node_type": "cache.r7g.large"})["changed"]


def test_change_in_the_maintenance_window(run: Run, fake: FakeElastiCache) -> None:
    run(PLAIN)
    later = PLAIN | {"cache_node_type": "cache.r7g.large", "apply_immediately": False}
    assert run(later)["changed"]
    assert fake.groups["mistral"]["CacheNodeType"] == "cache.t4g.small"
    for check in (True, False):
        assert not run(later, check)["changed"], "it is scheduled"
    assert run(later | {"apply_immediately": True})["changed"]
    assert fake.groups["mistral"]["CacheNodeType"] == "cache.r7g.large"
