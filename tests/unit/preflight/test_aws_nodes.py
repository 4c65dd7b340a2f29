# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machines head and workers need, by what AWS says of the types that the pools name."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import aws_nodes
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.aws_nodes import InstanceType

# As AWS has them.
TYPES = {
    one.name: one
    for one in (
        InstanceType("inf2.xlarge", 4, 16, "neuron", 1),
        InstanceType("inf2.8xlarge", 32, 128, "neuron", 1),
        InstanceType("inf2.24xlarge", 96, 384, "neuron", 6),
        InstanceType("inf2.48xlarge", 192, 768, "neuron", 12),
        InstanceType("trn1.2xlarge", 8, 32, "neuron", 1),
        InstanceType("trn1.32xlarge", 128, 512, "neuron", 16),
        InstanceType("g5.xlarge", 4, 16, "gpu", 1),
        InstanceType("g5.2xlarge", 8, 32, "gpu", 1),
        InstanceType("g5.12xlarge", 48, 192, "gpu", 4),
        InstanceType("m6i.4xlarge", 16, 64),
    )
}
HEAD: dict[str, Any] = {"name": "head", "instance_categories": ["c", "m", "r"], "minimum_cpus": 4}
WORKER = HEAD | {"name": "worker"}
NEURON = {"name": "neuron", "instance_families": ["inf2"], "minimum_cpus": 0}
GPU = {"name": "gpu", "instance_families": ["g5"]}
HEAD_POD = {"name": "head", "count": 1, "pool": "head", "cpu": "500m", "memory": "2Gi"}
NEURON_POD = {
    "name": "worker",
    "count": 2,
    "pool": "neuron",
    "cpu": "8",
    "memory": "64Gi",
    "accelerator": "neuron",
    "devices": 1,
}
GPU_POD = {"name": "worker", "count": 2, "cpu": "4", "memory": "24Gi", "accelerator": "gpu", "devices": 1}
CPU_POD = {"name": "worker", "count": 3, "cpu": "200m", "memory": "1Gi"}


def plan(pools: list[Any], pods: list[Any], types: Any = TYPES, **more: Any) -> aws_nodes.Planned:
    values = {"instances": {"m5.2xlarge": "3"}, "instance_type": "", "pools": pools, "pods": pods}
    return aws_nodes.plan(values | more, types)


@pytest.mark.parametrize(
    ("pools", "worker", "instances", "pool_vcpus", "kind"),
    [
        ([HEAD, WORKER], CPU_POD, {}, {"pool head": 4, "pool worker": 12}, ""),
        ([HEAD, WORKER], CPU_POD | {"cpu": "5"}, {}, {"pool head": 4, "pool worker": 24}, ""),
        ([HEAD, WORKER], CPU_POD | {"memory": "100Gi"}, {}, {"pool head": 4, "pool worker": 48}, ""),
        ([HEAD, WORKER | {"instance_types": ["m6i.4xlarge"]}], CPU_POD, {"m6i.4xlarge": 3}, {"pool head": 4}, ""),
        ([HEAD, NEURON], NEURON_POD, {"inf2.8xlarge": 2}, {"pool head": 4}, "inf2.8xlarge"),
        # Eight cores, which are four devices.
        ([HEAD, NEURON], NEURON_POD | {"devices": 4}, {"inf2.24xlarge": 2}, {"pool head": 4}, "inf2.24xlarge"),
        ([HEAD, NEURON | {"instance_types": ["inf2.48xlarge"]}], NEURON_POD, {"inf2.48xlarge": 2}, {"pool head": 4}, "inf2.48xlarge"),
        # A trn1.2xlarge has no CPU left for the system.
        ([HEAD, NEURON | {"instance_families": ["trn1"]}], NEURON_POD, {"trn1.32xlarge": 2}, {"pool head": 4}, "trn1.32xlarge"),
        # A profile for GPUs names no pool.
        ([HEAD, WORKER, GPU], GPU_POD, {"g5.2xlarge": 2}, {"pool head": 4}, "g5.2xlarge"),
        ([HEAD, WORKER, GPU], GPU_POD | {"devices": 4}, {"g5.12xlarge": 2}, {"pool head": 4}, "g5.12xlarge"),
    ],
)  # fmt: skip
def test_machines(pools: list[Any], worker: Any, instances: Any, pool_vcpus: Any, kind: str) -> None:
    found = plan(pools, [HEAD_POD, worker])
    assert (found.problems, found.warnings) == ([], [])
    assert found.values == {"instances": {"m5.2xlarge": 3} | instances, "pool_vcpus": pool_vcpus, "instance_type": kind}


def test_pods_that_take_any_machine_need_no_pool() -> None:
    found = plan([WORKER | {"name": "other"}], [CPU_POD])
    assert (found.pool_vcpus, found.warnings) == ({}, [])


def test_two_pools_of_one_type_are_added_up() -> None:
    pools = [one | {"instance_types": ["m6i.4xlarge"]} for one in (HEAD, WORKER)]
    assert plan(pools, [HEAD_POD, CPU_POD]).instances["m6i.4xlarge"] == 4


def test_what_fits_nowhere_is_a_problem() -> None:
    (problem,) = plan([NEURON | {"instance_types": ["inf2.xlarge"]}], [NEURON_POD]).problems
    assert problem == (
        "eks_addons_node_pools, pool neuron, is ['inf2.xlarge']: expected an instance type with 1 Neuron devices,"
        " more than 8 CPUs, more than 64Gi of memory, for the pods worker"
    )
    assert len(plan([NEURON | {"instance_families": ["inf9"]}], [NEURON_POD]).problems) == 1


@pytest.mark.parametrize(
    ("pools", "pod", "types", "text"),
    [
        ([HEAD, WORKER], GPU_POD, TYPES, "eks_addons_node_pools has no pool with 1 GPUs"),
        ([HEAD, WORKER], NEURON_POD, TYPES, "eks_addons_node_pools has no pool neuron"),
        ([NEURON], NEURON_POD, None, "Which machines the pods worker need was not looked at"),
        ([HEAD, WORKER], GPU_POD, None, "Which machines the pods worker need was not looked at"),
        ([NEURON | {"capacity_types": ["spot"]}], NEURON_POD, TYPES, "spot instances (pool neuron) was not looked at"),
    ],
)
def test_what_cannot_be_said_is_a_warning(pools: list[Any], pod: Any, types: Any, text: str) -> None:
    found = plan(pools, [pod], types)
    (warning,) = found.warnings
    assert text in warning
    assert found.problems == []


def test_spot_instances_have_zones_and_no_place_in_the_quota() -> None:
    found = plan([NEURON | {"capacity_types": ["spot"]}], [NEURON_POD], instances={})
    assert (found.instances, found.instance_type) == ({"inf2.8xlarge": 0}, "inf2.8xlarge")


def test_without_pools_what_is_given_counts() -> None:
    found = plan([], [NEURON_POD], instance_type="p5.48xlarge")
    assert found.values == {"instances": {"m5.2xlarge": 3}, "pool_vcpus": {}, "instance_type": "p5.48xlarge"}
    assert found.warnings == []


@pytest.mark.parametrize(
    ("text", "value"), [("500m", 0.5), ("4", 4), (8, 8), ("24Gi", 24 * 2**30), ("1.5G", 1.5e9), ("", 0), ("{{ x }}", 0)]
)
def test_quantities(text: Any, value: float) -> None:
    assert aws_nodes.quantity(text) == value


def test_patterns_of_pools() -> None:
    pools = [HEAD, NEURON, NEURON | {"instance_types": ["inf2.xlarge"]}, GPU]
    assert aws_nodes.patterns(pools) == ["g5.*", "inf2.*", "inf2.xlarge"]


def test_an_instance_type_of_aws() -> None:
    described = {
        "InstanceType": "g5.12xlarge",
        "VCpuInfo": {"DefaultVCpus": 48},
        "MemoryInfo": {"SizeInMiB": 196608},
        "GpuInfo": {"Gpus": [{"Name": "A10G", "Count": 4}]},
    }
    assert aws_nodes.instance_type(described) == TYPES["g5.12xlarge"]
