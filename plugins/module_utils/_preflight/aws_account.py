# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's option aws, and the look at the account that it asks for."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.botocore import HAS_BOTO3
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import make_client
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import aws, aws_facts, aws_names, aws_nodes
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import Unread

if t.TYPE_CHECKING:
    from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "region": {"type": "str", "default": ""},
    "tags": {"type": "dict", "required": True},
    "names": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "type": {"type": "str", "required": True, "choices": sorted(aws_names.RULES)},
            "name": {"type": "str", "required": True},
        },
    },
    "zones": {"type": "list", "elements": "str", "default": []},
    "instance_type": {"type": "str", "default": ""},
    "instances": {"type": "dict", "default": {}},
    "pools": {"type": "list", "elements": "dict", "default": []},
    "pods": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "count": {"type": "int", "required": True},
            "pool": {"type": "str", "default": ""},
            "cpu": {"type": "str", "default": ""},
            "memory": {"type": "str", "default": ""},
            "accelerator": {"type": "str", "choices": ["", *aws_nodes.DEVICES], "default": ""},
            "devices": {"type": "int", "default": 0},
        },
    },
    "elastic_ips": {"type": "int", "default": 0},
    "vpcs": {"type": "int", "default": 0},
    "vpc_id": {"type": "str", "default": ""},
    "subnet_ids": {"type": "list", "elements": "str", "default": []},
    "adopted_cluster": {"type": "str", "default": ""},
    "access_entries": {"type": "bool", "default": False},
    "kubernetes_version": {"type": "str", "default": ""},
    "redis_vpc_id": {"type": "str", "default": ""},
    "redis_peered": {"type": "bool", "default": False},
    "tools": {"type": "list", "elements": "str", "default": ["aws"]},
    "check_permissions": {"type": "bool", "default": True},
}


def look(module: AnsibleAWSModule, values: dict[str, t.Any]) -> tuple[aws.Findings, dict[str, t.Any]]:
    """What speaks against the deployment, and what it needs to know of the account (empty, if nobody could be asked)."""
    values = values | {"tags": {key: str(value) for key, value in values["tags"].items()}}
    tools = aws_facts.missing_tools(values["tools"])
    offline = aws_names.name_problems(values["name"], values["names"]) + aws.tool_problems(tools)
    if values["region"]:
        # A role cannot leave it to module_defaults and give it at the same time.
        module.params["region"] = values["region"]
    region = (module.region or "") if HAS_BOTO3 else ""
    closed = aws.way_problems(HAS_BOTO3, region, aws_facts.profiles() if HAS_BOTO3 else [], module.params["profile"])
    if closed:
        return aws.Findings(closed + offline), {}
    clients = functools.cache(lambda service: make_client(module, service))
    seen = aws_facts.gather(clients, region, values)
    if isinstance(seen["identity"], Unread):
        return aws.Findings(aws.identity_problems(seen["identity"], region, aws_facts.known_regions()) + offline), {}
    planned = seen["planned"]
    findings = aws.judge(seen, values | planned.values)
    findings.problems += planned.problems + offline
    findings.warnings += planned.warnings
    return findings, {
        "account_id": seen["identity"]["account_id"],
        "caller_arn": seen["identity"]["arn"],
        "zones": [zone["name"] for zone in findings.zones],
        "zone_ids": [zone["id"] for zone in findings.zones],
    }
