# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machines Karpenter has to launch for the head and the workers. Pure.

From the pools of nodes, the pods that each need a machine of their own, and what AWS says of the instance types.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import problem

#: Without a family, machines have up to this much memory for a vCPU (Karpenter's categories c, m and r: r has most).
MOST_GIB_OF_A_VCPU = 8
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
#: Accelerator of a profile -> how a machine with it is called in messages.
DEVICES = {"neuron": "Neuron devices", "gpu": "GPUs"}


@dataclass(frozen=True)
class InstanceType:
    """What DescribeInstanceTypes says of one. C(devices) are those of its accelerator, of which no machine has two kinds."""

    name: str
    vcpus: int
    gib: float = 0.0
    accelerator: str = ""
    devices: int = 0


@dataclass
class Planned:
    """What the pods need. C(instances), with those that were given, and C(pool_vcpus), where Karpenter chooses the type, count
    against quotas; C(instance_type) is the one with the accelerator."""

    instances: dict[str, int] = field(default_factory=dict)
    pool_vcpus: dict[str, int] = field(default_factory=dict)
    instance_type: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def values(self) -> dict[str, t.Any]:
        return {"instances": self.instances, "pool_vcpus": self.pool_vcpus, "instance_type": self.instance_type}


def instance_type(described: dict[str, t.Any]) -> InstanceType:
    """One of DescribeInstanceTypes' answer."""
    neuron = sum(one.get("Count", 0) for one in described.get("NeuronInfo", {}).get("NeuronDevices", []))
    gpus = sum(one.get("Count", 0) for one in described.get("GpuInfo", {}).get("Gpus", []))
    return InstanceType(
        described["InstanceType"],
        described["VCpuInfo"]["DefaultVCpus"],
        described.get("MemoryInfo", {}).get("SizeInMiB", 0) / 1024,
        "neuron" if neuron else "gpu" if gpus else "",
        neuron or gpus,
    )


def quantity(value: t.Any) -> float:
    """A quantity of Kubernetes, such as C(500m), C("4") or C(24Gi); 0 for what is none."""
    match = re.fullmatch(r"([0-9.]+)(m|[kMGT]i?)?", str(value))
    if not match:
        return 0.0
    number, unit = float(match[1]), match[2] or ""
    return number / 1000 if unit == "m" else number * UNITS[unit]


def patterns(pools: list[dict[str, t.Any]]) -> list[str]:
    """Filter values that find the instance types that the pools name; none for a pool that names none."""
    found = [
        pattern
        for pool in pools
        for pattern in pool.get("instance_types") or [f"{family}.*" for family in pool.get("instance_families") or []]
    ]
    return sorted(set(found))


def _candidates(pool: dict[str, t.Any], types: dict[str, InstanceType]) -> list[InstanceType]:
    named = patterns([pool])
    return [one for one in types.values() if any(fnmatch.fnmatchcase(one.name, pattern) for pattern in named)]


def _fitting(pod: dict[str, t.Any], candidates: list[InstanceType]) -> InstanceType | None:
    """The smallest that has room for the pod, beside what the system takes of it: more than the pod asks for."""
    cpus, gib = quantity(pod.get("cpu", 0)), quantity(pod.get("memory", 0)) / 2**30
    accelerator, devices = pod.get("accelerator", ""), int(pod.get("devices", 0))
    fitting = [
        one
        for one in candidates
        if one.vcpus > cpus
        and (one.gib > gib or not one.gib)
        and (not accelerator or (one.accelerator == accelerator and one.devices >= devices))
    ]
    return min(fitting, key=lambda one: (one.devices, one.vcpus, one.gib, one.name), default=None)


def _pool_of(
    pod: dict[str, t.Any], pools: list[dict[str, t.Any]], types: dict[str, InstanceType]
) -> dict[str, t.Any] | None:
    """The pool that the pod names, or the first one with the accelerator that it asks for, or its namesake."""
    if not pod.get("pool") and pod.get("accelerator"):
        return next((pool for pool in pools if _fitting(pod, _candidates(pool, types))), None)
    name = pod.get("pool") or pod["name"]
    return next((pool for pool in pools if pool["name"] == name), None)


def _needs(pod: dict[str, t.Any]) -> str:
    words = [f"{pod['devices']} {DEVICES[pod['accelerator']]}"] if pod.get("accelerator") else []
    words += [f"more than {pod['cpu']} CPUs"] if pod.get("cpu") else []
    words += [f"more than {pod['memory']} of memory"] if pod.get("memory") else []
    return ", ".join(words)


def vcpus_without_a_type(pool: dict[str, t.Any], pod: dict[str, t.Any]) -> int:
    """vCPUs of the smallest machine of a pool that names no types: sizes double."""
    gib = quantity(pod.get("memory", 0)) / 2**30
    least = max(int(pool.get("minimum_cpus") or 0), quantity(pod.get("cpu", 0)), gib / MOST_GIB_OF_A_VCPU, 1)
    size = 1
    while size < least:
        size *= 2
    return size


def plan(values: dict[str, t.Any], types: dict[str, InstanceType] | None) -> Planned:
    """Choose a machine for each of the pods.

    Args:
        values: C(instances) and C(instance_type) that are given, C(pools) as the role eks_addons has them, and C(pods).
        types: what AWS says of the types that the pools name; None if it says nothing.
    """
    found = Planned(instances={name: int(count) for name, count in values["instances"].items()})
    found.instance_type = values["instance_type"]
    if not values["pools"]:
        return found
    for pod in values["pods"]:
        pool = _pool_of(pod, values["pools"], types or {})
        if pool is None and not pod.get("pool") and not pod.get("accelerator"):
            # It takes any machine.
            continue
        if types is None and (pool is None or patterns([pool])):
            found.warnings.append(
                f"Which machines the pods {pod['name']} need was not looked at: AWS does not tell of instance types"
            )
            continue
        if pool is None:
            where = f"pool {pod['pool']}" if pod.get("pool") else f"pool with {_needs(pod)}"
            found.warnings.append(
                f"eks_addons_node_pools has no {where}: the pods {pod['name']} start only if the cluster has such nodes from elsewhere"
            )
            continue
        label, count = f"pool {pool['name']}", int(pod["count"])
        chosen = None
        if patterns([pool]):
            chosen = _fitting(pod, _candidates(pool, types or {}))
            if chosen is None:
                expected = f"an instance type with {_needs(pod)}, for the pods {pod['name']}"
                found.problems.append(problem(f"eks_addons_node_pools, {label},", patterns([pool]), expected))
                continue
        if chosen and chosen.accelerator:
            found.instance_type = chosen.name
        if "on-demand" not in pool.get("capacity_types", ["on-demand"]):
            found.warnings.append(
                f"Whether the account may run spot instances ({label}) was not looked at: they have quotas of their own"
            )
            if chosen:
                found.instances.setdefault(chosen.name, 0)
        elif chosen:
            found.instances[chosen.name] = found.instances.get(chosen.name, 0) + count
        else:
            found.pool_vcpus[label] = found.pool_vcpus.get(label, 0) + count * vcpus_without_a_type(pool, pod)
    return found
