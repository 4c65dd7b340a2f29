# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is special to an EKS managed node group: its options, which of them can change, and by which updates. Pure.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import functools
import typing as t

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict, snake_dict_to_camel_dict
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import minor_version, refusal
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.lifecycle import Kind, Options, Step, tidy

#: The module's options that describe the node group, labels, taints and tags aside.
OPTIONS = (
    "cluster_name",
    "nodegroup_name",
    "node_role",
    "subnets",
    "instance_types",
    "ami_type",
    "capacity_type",
    "disk_size",
    "scaling_config",
    "update_config",
    "launch_template",
    "version",
    "release_version",
    "node_repair_config",
    "remote_access",
)
IMMUTABLE = ("node_role", "subnets", "instance_types", "ami_type", "capacity_type", "disk_size", "remote_access")
#: Suboptions of those that hold others and change in part.
SCALING = ("min_size", "max_size", "desired_size")
UPDATE = ("max_unavailable", "max_unavailable_percentage")
NEW_GROUP = "make a node group of another name and delete this one"


def _label(value: t.Any) -> str:
    """A label's value as Kubernetes has it: YAML's true is the word true."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _taints(taints: list[dict[str, t.Any]]) -> list[dict[str, str]]:
    """Taints that can be compared: in order, and without a value is with an empty one."""
    all_given = [{"key": one["key"], "value": one.get("value") or "", "effect": one["effect"]} for one in taints]
    return sorted(all_given, key=lambda one: (one["key"], one["effect"]))


def _in_order(options: Options) -> Options:
    """With all lists sorted whose order does not matter after creation, so that they can be compared."""
    options |= {name: sorted(options[name]) for name in ("subnets", "instance_types") if name in options}
    remote = options.get("remote_access", {})
    if "source_security_groups" in remote:
        options["remote_access"] = remote | {"source_security_groups": sorted(remote["source_security_groups"])}
    return options


def desired(params: dict[str, t.Any]) -> Options:
    """What the user gave: OPTIONS, labels and taints.

    Raises:
        AnsibleAWSError: the version of the launch template is none that can be compared.
    """
    given = tidy({name: params[name] for name in OPTIONS})
    if given.get("launch_template", {}).get("version", "").startswith("$"):
        raise AnsibleAWSError(
            message="launch_template.version has to be a number: AWS turns $Latest and $Default into one when it reads them,"
            " so that nobody could tell later whether the node group is up to date"
        )
    if params["labels"] is not None:
        given["labels"] = {name: _label(value) for name, value in params["labels"].items()}
    if params["taints"] is not None:
        given["taints"] = _taints(params["taints"])
    return given


def view(nodegroup: dict[str, t.Any]) -> Options:
    """The options of a node group as C(describe_nodegroup) gives it, and its tags. All keys are always there."""
    known = camel_dict_to_snake_dict(nodegroup, ignore_list=("labels", "tags"))
    options = {name: known.get(name) for name in OPTIONS}
    for name, inner in (("scaling_config", SCALING), ("update_config", UPDATE)):
        options[name] = {one: known[name][one] for one in inner if one in (known.get(name) or {})}
    options["node_repair_config"] = {"enabled": (known.get("node_repair_config") or {}).get("enabled", False)}
    taints = _taints(nodegroup.get("taints") or [])
    more = {"labels": known.get("labels") or {}, "taints": taints, "tags": known.get("tags") or {}}
    return _in_order({name: value for name, value in options.items() if value is not None}) | more


def merge(now: Options, wanted: Options) -> Options:
    """What the options shall be; what was not given stays."""
    wanted = _in_order(dict(wanted))
    then = now | wanted
    for name in ("launch_template", "node_repair_config"):
        if name in wanted:
            then[name] = now.get(name, {}) | wanted[name]
    if "scaling_config" in wanted:
        then["scaling_config"] = _scaling(now["scaling_config"], wanted["scaling_config"])
    if not set(UPDATE) & set(wanted.get("update_config", {})):
        then["update_config"] = now["update_config"]
    return then


def _scaling(now: dict[str, int], wanted: dict[str, int]) -> dict[str, int]:
    """Without a wish for it the desired size stays, but within the new bounds: AWS refuses others."""
    then = now | wanted
    if "desired_size" not in wanted and "desired_size" in now:
        lowest, highest = then.get("min_size", 0), then.get("max_size", now["desired_size"])
        then["desired_size"] = max(lowest, min(highest, now["desired_size"]))
    return then


def _to_aws(taints: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{name: value for name, value in taint.items() if value} for taint in taints]


def creation(wanted: Options) -> dict[str, t.Any]:
    """The parameters of C(create_nodegroup). Without a wish for it the desired size is the smallest."""
    request = snake_dict_to_camel_dict({name: value for name, value in wanted.items() if name in OPTIONS})
    scaling = request.get("scalingConfig")
    if scaling and "minSize" in scaling:
        scaling.setdefault("desiredSize", scaling["minSize"])
    if wanted.get("labels"):
        request["labels"] = wanted["labels"]
    if wanted.get("taints"):
        request["taints"] = _to_aws(wanted["taints"])
    return request


def label_change(now: dict[str, str], then: dict[str, str]) -> dict[str, t.Any]:
    """The C(labels) of an update: new ones, new values, and those that go."""
    new = {name: value for name, value in then.items() if now.get(name) != value}
    gone = sorted(now.keys() - then.keys())
    return ({"addOrUpdateLabels": new} if new else {}) | ({"removeLabels": gone} if gone else {})


def taint_change(now: list[dict[str, str]], then: list[dict[str, str]]) -> dict[str, t.Any]:
    """The C(taints) of an update. A taint is the same as long as its key and its effect are."""
    stays = {(taint["key"], taint["effect"]) for taint in then}
    new = _to_aws([taint for taint in then if taint not in now])
    gone = _to_aws([taint for taint in now if (taint["key"], taint["effect"]) not in stays])
    return ({"addOrUpdateTaints": new} if new else {}) | ({"removeTaints": gone} if gone else {})


def _check_immutable(label: str, now: Options, then: Options) -> None:
    for name in IMMUTABLE:
        if now.get(name) != then.get(name):
            raise refusal(label, name, now.get(name), then.get(name), NEW_GROUP)
    template, new_template = now.get("launch_template", {}), then.get("launch_template", {})
    for name in ("id", "name"):
        if template.get(name) != new_template.get(name):
            raise refusal(label, f"launch_template.{name}", template.get(name), new_template.get(name), NEW_GROUP)
    version, new_version = now.get("version"), then.get("version")
    if version != new_version and minor_version(new_version) < minor_version(version):
        raise refusal(label, "version", version, new_version, "nodes are only ever upgraded; " + NEW_GROUP)


def configuration_change(now: Options, then: Options) -> dict[str, t.Any]:
    """The parameters of C(update_nodegroup_config) without those that name the node group."""
    scaling = {name: size for name, size in then["scaling_config"].items() if now["scaling_config"].get(name) != size}
    changed = {
        "labels": label_change(now["labels"], then["labels"]),
        "taints": taint_change(now["taints"], then["taints"]),
        "scalingConfig": snake_dict_to_camel_dict(scaling),
    }
    for name in ("update_config", "node_repair_config"):
        if now[name] != then[name]:
            changed |= snake_dict_to_camel_dict({name: then[name]})
    return {name: value for name, value in changed.items() if value}


def version_change(now: Options, then: Options) -> dict[str, t.Any]:
    """The parameters of C(update_nodegroup_version) without those that name the node group."""
    changed = {
        name: then[name] for name in ("version", "release_version") if name in then and now.get(name) != then[name]
    }
    request = snake_dict_to_camel_dict(changed)
    template = then.get("launch_template")
    if template and (request or template != now.get("launch_template")):
        # AWS takes the name or the id, not both; and with a template it wants to hear of it at every update.
        key = "id" if "id" in template else "name"
        request["launchTemplate"] = {key: template[key]} | (
            {"version": template["version"]} if "version" in template else {}
        )
    return request


def plan(label: str, now: Options, then: Options, force: bool = False) -> list[Step]:
    """The updates that lead from one to the other: configuration first, so that new nodes come up with it.

    Raises:
        AnsibleAWSError: there is none; says which option, and what to do.
    """
    _check_immutable(label, now, then)
    identity = {"clusterName": now["cluster_name"], "nodegroupName": now["nodegroup_name"]}
    steps = []
    configuration = configuration_change(now, then)
    if configuration:
        steps.append(Step("configuration", "update_nodegroup_config", identity | configuration))
    version = version_change(now, then)
    if version:
        steps.append(
            Step("version", "update_nodegroup_version", identity | version | ({"force": True} if force else {}))
        )
    return steps


def nodegroup_kind(force: bool) -> Kind:
    """Rules of node groups; C(force) lets a version update evict pods whose disruption budget does not allow it."""
    return Kind(
        key="nodegroup",
        arn="nodegroupArn",
        failed=("CREATE_FAILED", "DEGRADED", "DELETE_FAILED"),
        required=("node_role", "subnets"),
        view=view,
        desired=desired,
        merge=merge,
        plan=functools.partial(plan, force=force),
        creation=creation,
        mendable=("DEGRADED",),
    )
