# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instance types: where they are offered, and how many vCPUs and accelerators they have."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from emulator.wire import AwsError
from emulator.world import Call, answers

Record = dict[str, t.Any]
TYPE = re.compile(r"(?P<family>[a-z][a-z0-9-]*)\.(?P<size>nano|micro|small|medium|large|(?P<times>\d*)xlarge|metal.*)")
FAMILIES = re.compile(r"(c|m|r|t|g|p|inf|trn|i|d|x)\d[a-z0-9-]*")
#: What is listed where nobody asked for particular types.
COMMON = [
    "m5.large",
    "m5.xlarge",
    "m6i.xlarge",
    "c5.4xlarge",
    "r5.xlarge",
    "inf2.24xlarge",
    "inf2.48xlarge",
    "trn1.32xlarge",
]
#: Sizes of a family: those that all have, and where accelerators are, AWS' own.
SIZES = ["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "48xlarge"]
FAMILY_SIZES = {"inf2": ["xlarge", "8xlarge", "24xlarge", "48xlarge"], "trn1": ["2xlarge", "32xlarge"]}
#: Accelerators by family and size; a family of GPUs has one where it says nothing.
DEVICES = {
    "inf2": {"xlarge": 1, "8xlarge": 1, "24xlarge": 6, "48xlarge": 12},
    "trn1": {"2xlarge": 1, "32xlarge": 16},
    "g": {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8},
}
#: GiB a vCPU, by the family's first letters.
MEMORY = {"c": 2, "r": 8, "inf": 4, "trn": 4}


def exists(name: str) -> bool:
    match = TYPE.fullmatch(name)
    return match is not None and FAMILIES.fullmatch(match["family"]) is not None


def vcpus(name: str) -> int:
    """vCPUs of an instance type: four per C(xlarge) in every family but for the small sizes. Pure."""
    match = TYPE.fullmatch(name)
    if match is None or match["times"] is None:
        return 2
    return 4 * int(match["times"] or 1)


def zones_of(name: str, letters: dict[str, str], zones: list[str]) -> list[str]:
    """The zones that offer a type, by the configured letters of its family. Pure."""
    match = TYPE.fullmatch(name)
    offered = letters.get(match["family"]) if match else ""
    return [zone for zone in zones if offered is None or zone[-1] in offered]


def _wanted(call: Call, name: str) -> list[str] | None:
    return next((item["Values"] for item in call.params.get("Filters", []) if item["Name"] == name), None)


@answers("ec2", "DescribeInstanceTypeOfferings")
def offerings(call: Call) -> Record:
    kind = call.params.get("LocationType", "region")
    zones = call.ask("ec2", "describe_availability_zones")["AvailabilityZones"]
    member = "ZoneId" if kind == "availability-zone-id" else "ZoneName"
    locations = {zone["ZoneName"]: zone[member] for zone in zones}
    wanted_locations = _wanted(call, "location")
    found = []
    for name in filter(exists, _wanted(call, "instance-type") or COMMON):
        offered = zones_of(name, call.world.config["ec2"]["family_zones"], list(locations))
        places = ([call.region] if offered else []) if kind == "region" else [locations[zone] for zone in offered]
        found += [
            {"InstanceType": name, "LocationType": kind, "Location": place}
            for place in places
            if wanted_locations is None or place in wanted_locations
        ]
    return {"InstanceTypeOfferings": found}


def devices(name: str) -> Record:
    """What DescribeInstanceTypes tells of accelerators. Pure."""
    family, _dot, size = name.partition(".")
    if family in DEVICES:
        return {"NeuronInfo": {"NeuronDevices": [{"Count": DEVICES[family].get(size, 0)}]}}
    if re.fullmatch(r"g\d.*", family):
        return {"GpuInfo": {"Gpus": [{"Count": DEVICES["g"].get(size, 1)}]}}
    return {}


def matching(pattern: str) -> list[str]:
    """The instance types that a filter's value means: itself, or those of the families with a * that are known. Pure."""
    if "*" not in pattern:
        return [pattern] if exists(pattern) else []
    family = pattern.partition(".")[0]
    names = [f"{family}.{size}" for size in FAMILY_SIZES.get(family, SIZES)]
    return [name for name in names if exists(name) and fnmatch.fnmatchcase(name, pattern)]


@answers("ec2", "DescribeInstanceTypes")
def describe(call: Call) -> Record:
    asked = call.params.get("InstanceTypes", [])
    unknown = [name for name in asked if not exists(name)]
    if unknown:
        raise AwsError(
            "InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(unknown)}]"
        )
    wanted = _wanted(call, "instance-type")
    names = asked or COMMON if wanted is None else [name for pattern in wanted for name in matching(pattern)]
    found = []
    for name in dict.fromkeys(names):
        count, family = vcpus(name), re.match("inf|trn|.", name)
        memory = count * 1024 * MEMORY.get(family[0] if family else "", 4)
        found.append(
            {"InstanceType": name, "VCpuInfo": {"DefaultVCpus": count}, "MemoryInfo": {"SizeInMiB": memory}}
            | devices(name)
        )
    return {"InstanceTypes": found}
