# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each type is found by its name, with at most two calls, and judged by its tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import ownership
from ansible_collections.rayops.serve_ha.plugins.modules import aws_ownership_info
from botocore.exceptions import ClientError

from ..conftest import FakeClient, FakeService, aws_error

TAGS = {"rayops.serve_ha/deployment": "mistral"}
#: What ElastiCache says when it is asked for the tags of a group that is under way.
NOT_YET = aws_error("InvalidReplicationGroupStateFault")
ARN = "arn:aws:x:us-west-2:123456789012:"
Run = Callable[..., dict[str, Any]]


def tag_list(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


class Fake(FakeService):
    """Things by name -> their tags; C(missing) is the error for any other name."""

    missing = ""

    def __init__(self, **things: dict[str, str]) -> None:
        super().__init__()
        self.things = things

    def tags(self, name: str) -> dict[str, str]:
        if name not in self.things:
            raise aws_error(self.missing)
        return self.things[name]


class Sts(Fake):
    service = "sts"

    def get_caller_identity(self) -> dict[str, Any]:
        return {"Account": "123456789012", "Arn": "arn:aws-cn:iam::123456789012:user/ops"}


class Iam(Fake):
    service, missing = "iam", "NoSuchEntity"

    def get_role(self, RoleName: str) -> dict[str, Any]:
        return {"Role": {"Arn": ARN + RoleName, "Tags": tag_list(self.tags(RoleName))}}

    def get_instance_profile(self, InstanceProfileName: str) -> dict[str, Any]:
        tags = tag_list(self.tags(InstanceProfileName))
        unused = {"Path": "/", "InstanceProfileId": "x", "CreateDate": 0, "Roles": []}
        name = InstanceProfileName
        return {"InstanceProfile": {"Arn": ARN + name, "InstanceProfileName": name, "Tags": tags, **unused}}

    def get_policy(self, PolicyArn: str) -> dict[str, Any]:
        prefix, name = PolicyArn.split("/")
        assert prefix == "arn:aws-cn:iam::123456789012:policy"
        return {"Policy": {"Arn": PolicyArn, "Tags": tag_list(self.tags(name))}}


class Eks(Fake):
    service, missing = "eks", "ResourceNotFoundException"

    def describe_cluster(self, name: str) -> dict[str, Any]:
        return {"cluster": {"arn": ARN + name, "tags": self.tags(name)}}


class ElastiCache(Fake):
    service = "elasticache"

    def _describe(self, name: str, key: str, missing: str) -> dict[str, Any]:
        if name not in self.things:
            raise aws_error(missing)
        return {key: [{"ARN": ARN + name}]}

    def describe_replication_groups(self, ReplicationGroupId: str) -> dict[str, Any]:
        return self._describe(ReplicationGroupId, "ReplicationGroups", "ReplicationGroupNotFoundFault")

    def describe_cache_subnet_groups(self, CacheSubnetGroupName: str) -> dict[str, Any]:
        return self._describe(CacheSubnetGroupName, "CacheSubnetGroups", "CacheSubnetGroupNotFoundFault")

    def describe_cache_parameter_groups(self, CacheParameterGroupName: str) -> dict[str, Any]:
        return self._describe(CacheParameterGroupName, "CacheParameterGroups", "CacheParameterGroupNotFound")

    def list_tags_for_resource(self, ResourceName: str) -> dict[str, Any]:
        return {"TagList": tag_list(self.things[ResourceName.removeprefix(ARN)])}


class Logs(Fake):
    service = "logs"

    def describe_log_groups(self, logGroupNamePrefix: str) -> dict[str, Any]:
        names = sorted(name for name in self.things if name.startswith(logGroupNamePrefix))
        return {"logGroups": [{"logGroupName": name, "arn": f"{ARN}{name}:*"} for name in names]}

    def list_tags_for_resource(self, resourceArn: str) -> dict[str, Any]:
        return {"tags": self.things[resourceArn.removeprefix(ARN)]}


class Secrets(Fake):
    service, missing = "secretsmanager", "ResourceNotFoundException"

    def describe_secret(self, SecretId: str) -> dict[str, Any]:
        return {"ARN": ARN + SecretId, "Tags": tag_list(self.tags(SecretId))}


class Kms(Fake):
    service, missing = "kms", "NotFoundException"

    def describe_key(self, KeyId: str) -> dict[str, Any]:
        assert KeyId.startswith("alias/")
        self.tags(KeyId.removeprefix("alias/"))
        return {"KeyMetadata": {"KeyId": f"id-of-{KeyId}", "Arn": ARN + "key"}}

    def list_resource_tags(self, KeyId: str) -> dict[str, Any]:
        return {"Tags": tag_list(self.tags(KeyId.removeprefix("id-of-alias/")), "TagKey", "TagValue")}


class Sqs(Fake):
    service, missing = "sqs", "AWS.SimpleQueueService.NonExistentQueue"

    def get_queue_url(self, QueueName: str) -> dict[str, Any]:
        self.tags(QueueName)
        return {"QueueUrl": f"https://sqs.us-west-2.amazonaws.com/123456789012/{QueueName}"}

    def list_queue_tags(self, QueueUrl: str) -> dict[str, Any]:
        tags = self.tags(QueueUrl.rpartition("/")[2])
        return {"Tags": tags} if tags else {}


class Events(Fake):
    service, missing = "events", "ResourceNotFoundException"

    def describe_rule(self, Name: str) -> dict[str, Any]:
        self.tags(Name)
        return {"Arn": ARN + Name}

    def list_tags_for_resource(self, ResourceARN: str) -> dict[str, Any]:
        return {"Tags": tag_list(self.tags(ResourceARN.removeprefix(ARN)))}


class Ec2(Fake):
    service = "ec2"

    def describe_launch_templates(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        ((name,),) = [one["Values"] for one in Filters if one["Name"] == "launch-template-name"]
        found = [{"LaunchTemplateName": name, "Tags": tag_list(self.things[name])}] if name in self.things else []
        return {"LaunchTemplates": found}


SERVICES = (Sts, Iam, Eks, ElastiCache, Logs, Secrets, Kms, Sqs, Events, Ec2)


def account(**things: dict[str, str]) -> dict[str, FakeService]:
    return {service.service: service(**things) for service in SERVICES}


def resources(name: str, *kinds: str) -> list[dict[str, str]]:
    return [{"type": kind, "name": name} for kind in (kinds or ownership.KINDS)]


@pytest.mark.parametrize("kind", ownership.KINDS)
@pytest.mark.parametrize(
    ("tags", "place"),
    [
        (TAGS, "owned"),
        ({"more": "1", **TAGS}, "owned"),
        ({}, "foreign"),
        ({"rayops.serve_ha/deployment": "other"}, "foreign"),
        (None, "missing"),
    ],
)
def test_each_type_is_found_and_judged(run_aws_module: Run, kind: str, tags: dict[str, str] | None, place: str) -> None:
    # The longer name must not be taken for the one that is asked for.
    services = account(**{"mistral-2": TAGS} | ({} if tags is None else {"mistral": tags}))
    result = run_aws_module(aws_ownership_info, services, {"tags": TAGS, "resources": resources("mistral", kind)})
    assert {key: len(result[key]) for key in ("owned", "foreign", "missing")} == {
        key: int(key == place) for key in ("owned", "foreign", "missing")
    }
    assert (result[place][0]["type"], result[place][0]["name"]) == (kind, "mistral")
    assert (result[place][0]["arn"] == "") == (place == "missing" or kind == "ec2:launch-template")
    assert (f"{kind} 'mistral' exists without the tag" in result["foreign_text"]) == (place == "foreign")
    assert sum(len(service.calls) for service in services.values()) <= 2
    assert [name for service in services.values() for name in service.written()] == []


def test_all_at_once(run_aws_module: Run) -> None:
    wanted = [*resources("ours", "iam:role", "sqs:queue"), *resources("theirs", "eks:cluster", "iam:role")]
    result = run_aws_module(
        aws_ownership_info, account(ours=TAGS, theirs={}), {"tags": TAGS, "resources": wanted}, check=True
    )
    assert not result["changed"]
    assert [one["name"] for one in result["owned"]] == ["ours", "ours"]
    assert result["owned"][1]["arn"] == "arn:aws:sqs:us-west-2:123456789012:ours"
    assert result["foreign_text"] == (
        "eks:cluster 'theirs', iam:role 'theirs' exist without the tag rayops.serve_ha/deployment=mistral,"
        " so not of this deployment"
    )


def test_an_alias_may_be_given_in_full() -> None:
    kms = FakeClient(Kms(mistral=TAGS))
    found = ownership.find(lambda _service: kms, "kms:alias", "alias/mistral")
    assert found == ownership.Found(ARN + "key", TAGS)


def test_a_replication_group_under_way_is_waited_for(run_aws_module: Run, clock: Any) -> None:
    services = account(mistral=TAGS)
    services["elasticache"].errors["list_tags_for_resource"] = [NOT_YET] * 3
    wanted = resources("mistral", "iam:role", "elasticache:replicationgroup")
    result = run_aws_module(aws_ownership_info, services, {"tags": TAGS, "resources": wanted})
    assert [one["type"] for one in result["owned"]] == ["iam:role", "elasticache:replicationgroup"]
    assert clock.seconds == 20
    # What was told already is not asked again.
    assert len(services["iam"].calls) == 1


def test_a_replication_group_under_way_is_unknown_where_nobody_waits(run_aws_module: Run, clock: Any) -> None:
    services = account(mistral=TAGS)
    services["elasticache"].errors["list_tags_for_resource"] = [NOT_YET]
    wanted = resources("mistral", "iam:role", "elasticache:replicationgroup")
    result = run_aws_module(aws_ownership_info, services, {"tags": TAGS, "resources": wanted, "wait": False})
    assert [one["type"] for one in result["owned"]] == ["iam:role"]
    assert [one["type"] for one in result["unknown"]] == ["elasticache:replicationgroup"]
    assert result["foreign_text"] == ""
    assert clock.seconds == 0


def test_a_replication_group_whose_tags_stay_unknown_fails(run_aws_module: Run) -> None:
    services = account(mistral=TAGS)
    services["elasticache"].errors["list_tags_for_resource"] = [NOT_YET] * 99
    wanted = resources("mistral", "elasticache:replicationgroup")
    result = run_aws_module(aws_ownership_info, services, {"tags": TAGS, "resources": wanted, "wait_timeout": 60})
    assert result["failed"]
    assert "Waited 60 s for the tags of elasticache:replicationgroup 'mistral'" in result["msg"]


@pytest.mark.parametrize(
    ("service", "operation", "code", "kind", "text"),
    [
        ("eks", "describe_cluster", "AccessDeniedException", "eks:cluster", "lack the permission eks:DescribeCluster"),
        ("sqs", "get_queue_url", "AccessDenied", "sqs:queue", "lack the permission sqs:GetQueueUrl"),
        ("kms", "list_resource_tags", "AccessDeniedException", "kms:alias", "permission kms:ListResourceTags"),
        (
            "ec2",
            "describe_launch_templates",
            "UnauthorizedOperation",
            "ec2:launch-template",
            "ec2:DescribeLaunchTemplates",
        ),
        ("eks", "describe_cluster", "ExpiredTokenException", "eks:cluster", "renew the credentials"),
        ("eks", "describe_cluster", "Odd", "eks:cluster", "Failed to look for eks:cluster 'mistral'"),
    ],
)
def test_errors_say_what_lacks(
    run_aws_module: Run, service: str, operation: str, code: str, kind: str, text: str
) -> None:
    services = account(mistral=TAGS)
    fake = services[service]
    fake.errors[operation] = [aws_error(code, "no", fake.meta.method_to_api_mapping[operation])]
    result = run_aws_module(aws_ownership_info, services, {"tags": TAGS, "resources": resources("mistral", kind)})
    assert result["failed"]
    assert text in result["msg"]


def test_without_tags_nothing_can_be_ours(run_aws_module: Run) -> None:
    result = run_aws_module(aws_ownership_info, account(), {"tags": {}, "resources": []})
    assert result["failed"]
    assert "tags is empty" in result["msg"]


def test_an_error_that_says_nothing_of_a_missing_name_is_no_missing_name() -> None:
    def deny(_service: str) -> Any:
        class Client:
            def get_role(self, **_parameters: Any) -> None:
                raise ClientError({"Error": {"Code": "ServiceFailure"}}, "GetRole")

        return Client()

    with pytest.raises(Exception, match="ServiceFailure"):
        ownership.find(deny, "iam:role", "mistral")
