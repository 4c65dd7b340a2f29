#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: events_rule
short_description: Manage an EventBridge rule with its targets
version_added: 0.1.0
description:
  - Creates, updates and deletes a rule of the default event bus that sends the events of a pattern to targets such as SQS queues.
  - Unlike M(amazon.aws.cloudwatchevent_rule) it has tags, check mode and diff.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.full
  - rayops.serve_ha.attributes.action_group_aws
options:
  name:
    description: Name of the rule.
    type: str
    required: true
  event_pattern:
    description:
      - What events it is for, as data. Needed for a new rule.
      - If this is not given, that of an existing rule is let be.
    type: dict
  description:
    description:
      - What it is good for. Empty for none.
      - If this is not given, that of an existing rule is let be.
    type: str
  targets:
    description:
      - Where the events go. They replace those that the rule has.
      - If this is not given, those of an existing rule are let be.
    type: list
    elements: dict
    suboptions:
      id:
        description: Name of the target within the rule.
        type: str
        required: true
      arn:
        description: Its ARN.
        type: str
        required: true
  state:
    description:
      - Whether the rule shall be there. With V(present) it is enabled.
      - With V(absent) its targets are removed too.
    type: str
    choices: [present, absent]
    default: present
notes:
  - An unchanged rule costs three calls of the API.
seealso:
  - module: amazon.aws.cloudwatchevent_rule
  - module: community.aws.sqs_queue
"""

EXAMPLES = r"""
- name: Have interruptions of machines sent to a queue
  rayops.serve_ha.events_rule:
    name: mistral-karpenter
    description: Tells Karpenter of interruptions
    event_pattern:
      source: [aws.ec2]
      detail-type: [EC2 Spot Instance Interruption Warning]
    targets:
      - id: karpenter
        arn: arn:aws:sqs:us-west-2:111122223333:mistral-karpenter
    tags:
      rayops.serve_ha/deployment: mistral

- name: Remove the rule
  rayops.serve_ha.events_rule:
    name: mistral-karpenter
    state: absent
"""

RETURN = r"""
rule:
  description: The rule; empty with O(state=absent).
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
      sample: mistral-karpenter
    arn:
      description: Its ARN, empty in check mode for one that would be created.
      type: str
      returned: always
      sample: arn:aws:events:us-west-2:111122223333:rule/mistral-karpenter
    state:
      description: C(ENABLED) or another state.
      type: str
      returned: always
      sample: ENABLED
    description:
      description: What it is good for.
      type: str
      returned: always
      sample: Tells Karpenter of interruptions
    event_pattern:
      description: What events it is for.
      type: dict
      returned: always
      sample: {source: [aws.ec2]}
    targets:
      description: ARNs of its targets by their ids.
      type: dict
      returned: always
      sample: {karpenter: "arn:aws:sqs:us-west-2:111122223333:mistral-karpenter"}
    tags:
      description: Its tags.
      type: dict
      returned: always
      sample: {rayops.serve_ha/deployment: mistral}
"""

import json
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import changed_tags, given, make_diff
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import finish, make_client, resource_options

#: A rule as this module sees it: event_pattern (data), description, state, targets (ARN by id), tags. {} if there is none.
Rule = dict[str, t.Any]
#: What PutRule sets, all of it at once.
OF_PUT_RULE = ("event_pattern", "description", "state")


class EventsErrors(AWSErrorHandler):
    @classmethod
    def _is_missing(cls) -> t.Any:
        return is_boto3_error_code("ResourceNotFoundException")


def wanted(params: dict[str, t.Any]) -> Rule:
    """What the user gave, in the shape of a rule; tags aside."""
    targets = params["targets"]
    return given(
        {
            "event_pattern": params["event_pattern"],
            "description": params["description"],
            "targets": None if targets is None else {target["id"]: target["arn"] for target in targets},
            "state": "ENABLED",
        }
    )


def put_request(name: str, rule: Rule) -> dict[str, t.Any]:
    """Parameters of PutRule, which takes what it is not given for nothing; tags aside."""
    pattern = json.dumps(rule["event_pattern"], sort_keys=True)
    return {"Name": name, "EventPattern": pattern, "Description": rule["description"], "State": rule["state"]}


@EventsErrors.common_error_handler("look for the EventBridge rule")
def find(client: t.Any, name: str) -> tuple[str, Rule]:
    """ARN and rule, or {} if there is none."""
    try:
        rule = client.describe_rule(Name=name, aws_retry=True)
    except is_boto3_error_code("ResourceNotFoundException"):
        return "", {}
    targets = client.list_targets_by_rule(Rule=name, aws_retry=True)["Targets"]
    tags = client.list_tags_for_resource(ResourceARN=rule["Arn"], aws_retry=True).get("Tags", [])
    return rule["Arn"], {
        "event_pattern": json.loads(rule.get("EventPattern") or "{}"),
        "description": rule.get("Description", ""),
        "state": rule["State"],
        "targets": {target["Id"]: target["Arn"] for target in targets},
        "tags": boto3_tag_list_to_ansible_dict(tags),
    }


def refuse_failed(response: dict[str, t.Any], what: str) -> None:
    """The two calls for targets do not fail as a whole, but name those that they did not take.

    Raises:
        AnsibleAWSError: there are such.
    """
    failed = response.get("FailedEntries", [])
    if failed:
        reasons = "; ".join(
            f"{one.get('TargetId')}: {one.get('ErrorCode')}: {one.get('ErrorMessage')}" for one in failed
        )
        raise AnsibleAWSError(message=f"Failed to {what} targets: {reasons}")


@EventsErrors.common_error_handler("set the EventBridge rule")
def write(client: t.Any, name: str, now: Rule, then: Rule, arn: str) -> None:
    """The calls that lead from one to the other."""
    if any(now.get(key) != then[key] for key in OF_PUT_RULE):
        # PutRule takes tags of a new rule only.
        tags = {} if now or not then["tags"] else {"Tags": ansible_dict_to_boto3_tag_list(then["tags"])}
        client.put_rule(**put_request(name, then), **tags, aws_retry=True)
    old, new = now.get("targets", {}), then["targets"]
    gone = sorted(old.keys() - new.keys())
    if gone:
        refuse_failed(client.remove_targets(Rule=name, Ids=gone, aws_retry=True), "remove")
    put = [{"Id": key, "Arn": value} for key, value in sorted(new.items()) if old.get(key) != value]
    if put:
        refuse_failed(client.put_targets(Rule=name, Targets=put, aws_retry=True), "set")
    if now:
        add, remove, _after = changed_tags(now["tags"], then["tags"], purge=True)
        if remove:
            client.untag_resource(ResourceARN=arn, TagKeys=remove, aws_retry=True)
        if add:
            client.tag_resource(ResourceARN=arn, Tags=ansible_dict_to_boto3_tag_list(add), aws_retry=True)


@EventsErrors.deletion_error_handler("delete the EventBridge rule")
def delete(client: t.Any, name: str, now: Rule) -> bool:
    if now["targets"]:
        refuse_failed(client.remove_targets(Rule=name, Ids=sorted(now["targets"]), aws_retry=True), "remove")
    client.delete_rule(Name=name, aws_retry=True)
    return True


def ensure(module: AnsibleAWSModule) -> dict[str, t.Any]:
    params, client = module.params, make_client(module, "events")
    name = params["name"]
    arn, now = find(client, name)
    if params["state"] == "absent":
        if now and not module.check_mode:
            delete(client, name, now)
        return {"changed": bool(now), "diff": make_diff(now, {}), "rule": {}}
    then = {"description": "", "targets": {}, "tags": {}} | now | wanted(params)
    if "event_pattern" not in then:
        raise AnsibleAWSError(message=f"EventBridge rule {name} does not exist: give event_pattern")
    _add, _remove, then["tags"] = changed_tags(then["tags"], params["tags"], params["purge_tags"])
    changed = now != then
    if changed and not module.check_mode:
        write(client, name, now, then, arn)
        arn, then = find(client, name)
    return {"changed": changed, "diff": make_diff(now, then), "rule": {"name": name, "arn": arn, **then}}


def main() -> None:
    target = {"id": {"type": "str", "required": True}, "arn": {"type": "str", "required": True}}
    module = AnsibleAWSModule(
        argument_spec={
            **resource_options(),
            "name": {"type": "str", "required": True},
            "event_pattern": {"type": "dict"},
            "description": {"type": "str"},
            "targets": {"type": "list", "elements": "dict", "options": target},
        },
        supports_check_mode=True,
    )
    finish(module, lambda: ensure(module))


if __name__ == "__main__":
    main()
