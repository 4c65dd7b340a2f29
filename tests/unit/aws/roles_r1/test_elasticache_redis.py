# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role elasticache_redis decides before it calls any module."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Render

OWNER = {"rayops.serve_ha/deployment": "mistral"}
GIVEN: dict[str, Any] = {
    "elasticache_redis_name": "mistral",
    "elasticache_redis_vpc_id": "vpc-1",
    "elasticache_redis__names": {"foreign_text": "", "owned": []},
    "elasticache_redis__groups": {"security_groups": []},
}


def test_the_default_is_the_production_one(render: Render) -> None:
    found = render("elasticache_redis", "elasticache_redis__set", **GIVEN)
    assert found == {
        "engine": "valkey",
        "engine_version": "8.1",
        "num_cache_clusters": 2,
        "automatic_failover": True,
        "multi_az": True,
        "transit_encryption": True,
        "at_rest_encryption": True,
        "auth": True,
        "user_group_ids": [],
        "family": "valkey8",
        "parameters": {"maxmemory-policy": "noeviction"},
    }


def test_one_setting_gives_the_plain_node_of_the_blueprint(render: Render) -> None:
    values = GIVEN | {"elasticache_redis_mode": "blueprint"}
    found = render("elasticache_redis", "elasticache_redis__set", **values)
    assert (found["engine"], found["engine_version"], found["num_cache_clusters"]) == ("redis", "7.1", 1)
    assert not any(found[key] for key in ("automatic_failover", "multi_az", "transit_encryption", "auth"))
    assert render("elasticache_redis", "[elasticache_redis__makes_secret, elasticache_redis__problems]", **values) == [
        False,
        [],
    ]
    assert render("elasticache_redis", "elasticache_redis__secret_name", **values) == ""


@pytest.mark.parametrize(
    ("engine", "version", "family"),
    [
        ("redis", "7.1", "redis7"),
        ("redis", "6.2", "redis6.x"),
        ("redis", "6.x", "redis6.x"),
        ("valkey", "7.2", "valkey7"),
        ("valkey", "8.1", "valkey8"),
    ],
)
def test_family_of_the_parameters(render: Render, engine: str, version: str, family: str) -> None:
    values = GIVEN | {"elasticache_redis_engine": engine, "elasticache_redis_engine_version": version}
    assert render("elasticache_redis", "elasticache_redis__set.family", **values) == family


def test_names(render: Render) -> None:
    values = GIVEN | {"elasticache_redis_engine": "redis", "elasticache_redis_engine_version": "6.2"}
    found = render("elasticache_redis", "elasticache_redis__resources", **values)
    assert [(one["type"], one["name"]) for one in found] == [
        ("elasticache:replicationgroup", "mistral"),
        ("elasticache:subnetgroup", "mistral"),
        ("elasticache:parametergroup", "mistral-redis6-x"),
        ("logs:log-group", "/aws/elasticache/mistral"),
        ("secretsmanager:secret", "mistral/redis-auth"),
    ]


USERS = {"elasticache_redis_user_group_ids": ["ray"]}


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ({}, []),
        ({"elasticache_redis__names": {"foreign_text": "eks"}}, ["eks. Use another elasticache_redis_name."]),
        (
            {"elasticache_redis__groups": {"security_groups": [{"group_id": "sg-9", "tags": {}}]}},
            ["The name mistral-redis is taken by sg-9, which lacks the tag"],
        ),
        (
            {"elasticache_redis__groups": {"security_groups": [{"group_id": "sg-9", "tags": OWNER | {"more": "1"}}]}},
            [],
        ),
        (
            {
                "elasticache_redis__groups": {
                    "security_groups": [{"group_id": "sg-9", "tags": {"rayops.serve_ha/deployment": "other"}}]
                }
            },
            ["taken by sg-9"],
        ),
        ({"elasticache_redis__groups": {"skipped": True}}, []),
        ({"elasticache_redis_cluster_vpc_id": "vpc-1"}, []),
        ({"elasticache_redis_cluster_vpc_id": "vpc-2"}, ["Redis would be in vpc-1 and its clients are in vpc-2"]),
        ({"elasticache_redis_cluster_vpc_id": "vpc-2", "elasticache_redis_peered": True}, []),
        ({"elasticache_redis_cluster_vpc_id": "vpc-2", "elasticache_redis_vpc_id": ""}, []),
        ({"elasticache_redis_transit_encryption": False}, ["needs elasticache_redis_transit_encryption"]),
        ({"elasticache_redis_transit_encryption": False, "elasticache_redis_auth": False}, []),
        (USERS, ["needs elasticache_redis_username and elasticache_redis_auth_secret"]),
        (USERS | {"elasticache_redis_username": "ray", "elasticache_redis_auth_secret": "ray"}, []),
    ],
)
def test_problems(render: Render, change: dict[str, Any], texts: list[str]) -> None:
    problems = render("elasticache_redis", "elasticache_redis__problems", **GIVEN | change)
    assert len(problems) == len(texts)
    for problem, text in zip(problems, texts, strict=True):
        assert text in problem


@pytest.mark.parametrize(
    ("change", "secret", "made", "unused"),
    [
        ({}, "mistral/redis-auth", True, []),
        ({"elasticache_redis_auth_secret": "mine"}, "mine", False, ["secretsmanager:secret"]),
        (
            {"elasticache_redis_auth": False, "elasticache_redis_log_delivery": False},
            "",
            False,
            ["secretsmanager:secret", "logs:log-group"],
        ),
        (USERS | {"elasticache_redis_auth_secret": "users"}, "users", False, ["secretsmanager:secret"]),
    ],
)
def test_whose_secret(render: Render, change: dict[str, Any], secret: str, made: bool, unused: list[str]) -> None:
    values = GIVEN | change
    assert render("elasticache_redis", "elasticache_redis__secret_name", **values) == secret
    assert render("elasticache_redis", "elasticache_redis__makes_secret", **values) is made
    assert render("elasticache_redis", "elasticache_redis__unused", **values) == unused


def test_without_auth_no_token_is_looked_up(render: Render) -> None:
    for change in ({"elasticache_redis_auth": False}, USERS, {"elasticache_redis_mode": "blueprint"}):
        assert render("elasticache_redis", "elasticache_redis__token", **GIVEN | change) == ""


@pytest.mark.parametrize(
    ("change", "version"),
    [
        ({}, ""),
        ({"elasticache_redis__secret": {"skipped": True}}, ""),
        (
            {
                "elasticache_redis__secret": {
                    "secret": {"version_ids_to_stages": {"v1": ["AWSPREVIOUS"], "v2": ["AWSCURRENT"]}}
                }
            },
            "v2",
        ),
        ({"elasticache_redis_auth_version": "3"}, "3"),
        (USERS | {"elasticache_redis_auth_version": "3"}, ""),
    ],
)
def test_version_of_the_token(render: Render, change: dict[str, Any], version: str) -> None:
    assert render("elasticache_redis", "elasticache_redis__token_version", **GIVEN | change) == version


DONE = {"changed": False, "pending": [], "replication_group": {"status": "available"}}


@pytest.mark.parametrize(
    ("change", "unfinished"),
    [
        ({}, False),
        ({"changed": True}, True),
        ({"replication_group": {"status": "creating"}}, True),
        ({"replication_group": {}}, True),
        # The password is another now: this is asked for only by who waits for it.
        ({"pending": ["auth_token_version", "tags"]}, True),
    ],
)
def test_whether_the_start_was_not_all(render: Render, change: dict[str, Any], unfinished: bool) -> None:
    applied = {"elasticache_redis__applied": DONE | change}
    assert render("elasticache_redis", "elasticache_redis__unfinished", **GIVEN | applied) is unfinished


def test_what_was_not_started_is_unfinished(render: Render) -> None:
    assert render("elasticache_redis", "elasticache_redis__unfinished", **GIVEN) is True


def test_parameter_groups_of_earlier_families_go_too(render: Render) -> None:
    arn = "arn:aws:elasticache:us-west-2:123456789012:"
    groups = ["parametergroup:mistral-valkey8", "parametergroup:mistral-redis7", "parametergroup:mistra-redis7"]
    others = ["subnetgroup:mistral-x", "replicationgroup:mistral"]
    tagged = [{"id": arn + one} for one in groups + others] + [{"id": "vpc-1"}]
    owned = [
        {"type": "elasticache:parametergroup", "name": "Mistral-valkey8"},
        {"type": "elasticache:subnetgroup", "name": "Mistral"},
    ]
    found = render(
        "elasticache_redis",
        "elasticache_redis__parameter_groups",
        **GIVEN
        | {
            "elasticache_redis_name": "Mistral",
            "elasticache_redis__names": {"owned": owned},
            "elasticache_redis__tagged": {"leftovers": tagged},
        },
    )
    assert found == ["mistral-valkey8", "mistral-redis7"]
