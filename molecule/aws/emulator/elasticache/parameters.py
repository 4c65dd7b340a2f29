# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cache parameter groups, and the engine versions that their families belong to."""

from __future__ import annotations

from emulator.elasticache import families
from emulator.elasticache.common import Record, arn, invalid, page
from emulator.wire import AwsError
from emulator.world import Call, answers


def family_of(engine: str, version: str) -> str:
    """The family of an engine's version: C(redis6.x), C(redis7), C(valkey8)."""
    major = version.partition(".")[0]
    return {"redis5": "redis5.0", "redis6": "redis6.x"}.get(engine + major, engine + major)


def _families(call: Call) -> list[str]:
    return [family for engine in call.world.config["elasticache"]["engines"].values() for family in engine["families"]]


def find(call: Call, name: str) -> Record:
    """A parameter group, AWS' own C(default.<family>) included."""
    group = call.store("parameter_groups").get(name)
    if group is None and name.removeprefix("default.") in _families(call):
        return _record(call, name, name.removeprefix("default."), f"Default parameter group for {name[8:]}")
    if group is None:
        raise AwsError("CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found.", 404)
    return group


def _record(call: Call, name: str, family: str, description: str) -> Record:
    return {"name": name, "family": family, "description": description, "values": {}, "tags": {},
            "arn": arn(call, "parametergroup", name)}  # fmt: skip


def _shown(group: Record) -> Record:
    return {
        "CacheParameterGroupName": group["name"],
        "CacheParameterGroupFamily": group["family"],
        "Description": group["description"],
        "IsGlobal": False,
        "ARN": group["arn"],
    }


@answers("elasticache", "CreateCacheParameterGroup")
def create(call: Call) -> Record:
    name, family = call.params["CacheParameterGroupName"].lower(), call.params["CacheParameterGroupFamily"]
    if name in call.store("parameter_groups"):
        raise AwsError("CacheParameterGroupAlreadyExists", f"CacheParameterGroup {name} already exists.")
    if family not in _families(call):
        raise invalid(f"CacheParameterGroupFamily {family} is not a valid parameter group family.")
    group = _record(call, name, family, call.params["Description"])
    group["tags"] = {tag["Key"]: tag.get("Value", "") for tag in call.params.get("Tags", [])}
    call.store("parameter_groups")[name] = group
    return {"CacheParameterGroup": _shown(group)}


@answers("elasticache", "DescribeCacheParameterGroups")
def describe(call: Call) -> Record:
    if name := call.params.get("CacheParameterGroupName"):
        return {"CacheParameterGroups": [_shown(find(call, name.lower()))]}
    defaults = [find(call, f"default.{family}") for family in _families(call)]
    found, marker = page(call, [_shown(group) for group in [*defaults, *call.store("parameter_groups").values()]])
    return {"CacheParameterGroups": found, "Marker": marker}


@answers("elasticache", "DescribeCacheParameters")
def describe_parameters(call: Call) -> Record:
    group = find(call, call.params["CacheParameterGroupName"].lower())
    found, marker = page(call, families.describe(group["values"], call.params.get("Source", "")))
    return {"Parameters": found, "Marker": marker}


@answers("elasticache", "DescribeEngineDefaultParameters")
def describe_defaults(call: Call) -> Record:
    family = call.params["CacheParameterGroupFamily"]
    if family not in _families(call):
        raise invalid(f"CacheParameterGroupFamily {family} is not a valid parameter group family.")
    return {"EngineDefaults": {"CacheParameterGroupFamily": family, "Parameters": families.describe({})}}


def _changeable(call: Call) -> Record:
    name = call.params["CacheParameterGroupName"].lower()
    if name.startswith("default."):
        raise invalid(f"The default parameter group {name} cannot be modified or deleted.")
    return find(call, name)


@answers("elasticache", "ModifyCacheParameterGroup")
def modify(call: Call) -> Record:
    group = _changeable(call)
    wanted = {item["ParameterName"]: item["ParameterValue"] for item in call.params["ParameterNameValues"]}
    if len(wanted) > 20:
        raise invalid("At most 20 parameters can be modified in one request.")
    for name, value in wanted.items():
        if name not in families.PARAMETERS:
            raise invalid(f"The parameter {name} cannot be found.")
        _default, allowed, _type, modifiable = families.PARAMETERS[name]
        if not modifiable:
            raise invalid(f"The parameter {name} cannot be modified.")
        if not families.allows(allowed, value):
            raise invalid(f"The parameter {name} has an invalid value: {value}; allowed: {allowed}")
    group["values"].update(wanted)
    return {"CacheParameterGroupName": group["name"]}


@answers("elasticache", "ResetCacheParameterGroup")
def reset(call: Call) -> Record:
    group = _changeable(call)
    if call.params.get("ResetAllParameters"):
        group["values"].clear()
    for item in call.params.get("ParameterNameValues", []):
        group["values"].pop(item["ParameterName"], None)
    return {"CacheParameterGroupName": group["name"]}


@answers("elasticache", "DeleteCacheParameterGroup")
def delete(call: Call) -> None:
    group = _changeable(call)
    users = [other["id"] for other in call.store("replication_groups").values() if other["parameters"] == group["name"]]
    if users:
        raise AwsError(
            "InvalidCacheParameterGroupState",
            f"One or more cache clusters are still members of this parameter group {group['name']}, so the group cannot be"
            f" deleted: {', '.join(users)}",
        )
    del call.store("parameter_groups")[group["name"]]


@answers("elasticache", "DescribeCacheEngineVersions")
def describe_engine_versions(call: Call) -> Record:
    params = call.params
    versions = [
        {
            "Engine": engine,
            "EngineVersion": version,
            "CacheParameterGroupFamily": family_of(engine, version),
            "CacheEngineDescription": engine.capitalize(),
            "CacheEngineVersionDescription": f"{engine} {version}",
        }
        for engine, offered in call.world.config["elasticache"]["engines"].items()
        for version in (offered["versions"][-1:] if params.get("DefaultOnly") else offered["versions"])
    ]
    for option, member in (
        ("Engine", "Engine"),
        ("EngineVersion", "EngineVersion"),
        ("CacheParameterGroupFamily",) * 2,
    ):
        if option in params:
            versions = [version for version in versions if version[member] == params[option]]
    found, marker = page(call, versions)
    return {"CacheEngineVersions": found, "Marker": marker}
