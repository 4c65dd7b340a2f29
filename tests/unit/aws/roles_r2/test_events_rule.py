# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""events_rule against a fake EventBridge behind botocore's own validation."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.modules import events_rule

from ..conftest import FakeService, aws_error, four_steps

Run = Callable[..., dict[str, Any]]
QUEUE = "arn:aws:sqs:us-west-2:111122223333:mistral-karpenter"
OTHER = "arn:aws:sqs:us-west-2:111122223333:other"
TAGS = {"rayops.serve_ha/deployment": "mistral"}
CREATE = {
    "name": "mistral-karpenter",
    "description": "Tells Karpenter",
    "event_pattern": {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]},
    "targets": [{"id": "karpenter", "arn": QUEUE}],
    "tags": TAGS,
}
MODIFY = CREATE | {
    "event_pattern": {"source": ["aws.ec2", "aws.health"]},
    "targets": [{"id": "karpenter", "arn": OTHER}, {"id": "second", "arn": QUEUE}],
    "tags": {"team": "ml"},
}
DELETE = {"name": "mistral-karpenter", "state": "absent"}


class FakeEvents(FakeService):
    service = "events"

    def __init__(self) -> None:
        super().__init__()
        self.rules: dict[str, dict[str, Any]] = {}
        self.failed: list[dict[str, Any]] = []

    def rule(self, name: str) -> dict[str, Any]:
        if name not in self.rules:
            raise aws_error("ResourceNotFoundException")
        return self.rules[name]

    def describe_rule(self, Name: str) -> dict[str, Any]:
        rule = self.rule(Name)
        return {key: value for key, value in rule.items() if key not in ("targets", "tags")}

    def list_targets_by_rule(self, Rule: str) -> dict[str, Any]:
        return {"Targets": [{"Id": key, "Arn": arn} for key, arn in self.rule(Rule)["targets"].items()]}

    def list_tags_for_resource(self, ResourceARN: str) -> dict[str, Any]:
        return {"Tags": [{"Key": k, "Value": v} for k, v in self.rules[ResourceARN.split("/")[1]]["tags"].items()]}

    def put_rule(self, Name: str, Tags: list[dict[str, str]] | None = None, **values: Any) -> dict[str, Any]:
        assert not (Tags and Name in self.rules), "AWS ignores the tags of a rule that is there"
        arn = f"arn:aws:events:us-west-2:111122223333:rule/{Name}"
        old = self.rules.get(Name, {"targets": {}, "tags": {tag["Key"]: tag["Value"] for tag in Tags or []}})
        self.rules[Name] = {"Name": Name, "Arn": arn, "targets": old["targets"], "tags": old["tags"], **values}
        return {"RuleArn": arn}

    def put_targets(self, Rule: str, Targets: list[dict[str, str]]) -> dict[str, Any]:
        if self.failed:
            return {"FailedEntryCount": len(self.failed), "FailedEntries": self.failed}
        self.rule(Rule)["targets"].update({target["Id"]: target["Arn"] for target in Targets})
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def remove_targets(self, Rule: str, Ids: list[str]) -> dict[str, Any]:
        for key in Ids:
            del self.rule(Rule)["targets"][key]
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def delete_rule(self, Name: str) -> None:
        assert not self.rule(Name)["targets"], "AWS refuses to delete a rule with targets"
        del self.rules[Name]

    def tag_resource(self, ResourceARN: str, Tags: list[dict[str, str]]) -> None:
        self.rules[ResourceARN.split("/")[1]]["tags"].update({tag["Key"]: tag["Value"] for tag in Tags})

    def untag_resource(self, ResourceARN: str, TagKeys: list[str]) -> None:
        for key in TagKeys:
            del self.rules[ResourceARN.split("/")[1]]["tags"][key]


@pytest.fixture
def events() -> FakeEvents:
    return FakeEvents()


@pytest.fixture
def run(run_aws_module: Run, events: FakeEvents) -> Run:
    return functools.partial(run_aws_module, events_rule, {"events": events})


def test_twelve_steps(run: Run, events: FakeEvents) -> None:
    four_steps(run, events, CREATE, writes=["put_rule", "put_targets"], reads=3)
    result = four_steps(
        run, events, MODIFY, writes=["put_rule", "put_targets", "untag_resource", "tag_resource"], reads=3
    )
    rule = events.rules["mistral-karpenter"]
    assert json.loads(rule["EventPattern"]) == MODIFY["event_pattern"]
    assert rule["targets"] == {"karpenter": OTHER, "second": QUEUE}
    assert rule["tags"] == {"team": "ml"}
    assert result["rule"]["targets"] == rule["targets"]
    assert result["diff"]["before"]["tags"] == TAGS
    four_steps(run, events, DELETE, writes=["remove_targets", "delete_rule"], reads=1)
    assert events.rules == {}


def test_what_is_not_given_is_let_be(run: Run, events: FakeEvents) -> None:
    run(CREATE)
    events.rules["mistral-karpenter"]["State"] = "DISABLED"
    result = run({"name": "mistral-karpenter"})
    assert result["diff"] == {"before": {"state": "DISABLED"}, "after": {"state": "ENABLED"}}
    assert result["rule"]["description"] == "Tells Karpenter"
    assert events.rules["mistral-karpenter"]["targets"] == {"karpenter": QUEUE}


def test_a_target_that_is_refused_fails(run: Run, events: FakeEvents) -> None:
    events.failed = [{"TargetId": "karpenter", "ErrorCode": "AccessDenied", "ErrorMessage": "no"}]
    result = run(CREATE)
    assert result["failed"] and "karpenter: AccessDenied: no" in result["msg"]


def test_a_new_rule_needs_a_pattern(run: Run) -> None:
    result = run({"name": "mistral-karpenter"})
    assert result["failed"] and "event_pattern" in result["msg"]


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalException"])
def test_other_errors_are_told(run: Run, events: FakeEvents, code: str) -> None:
    events.errors["describe_rule"] = [aws_error(code, "not now")]
    result = run(CREATE)
    assert result["failed"] and "not now" in result["msg"]
