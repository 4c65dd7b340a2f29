# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml has preflight look at on AWS: it follows from the roles' own variables, so that nothing has a second copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.ownership import KINDS
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import aws_account, aws_names

ROOT = Path(__file__).parents[4]
ROLES = ("network", "eks_cluster", "eks_addons", "elasticache_redis", "ray_service")
Look = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def asked() -> Look:
    """asked(what the inventory sets) -> preflight_aws, as in the play."""
    loader = DataLoader()

    def render(**inventory: Any) -> dict[str, Any]:
        variables: dict[str, Any] = {"playbook_dir": str(ROOT / "playbooks"), "inventory_hostname": "mistral"}
        for kind in ("defaults/main.yml", "vars/main.yml", "vars/main/*.yml"):
            if kind == "vars/main.yml":
                # Between the two, as a host's variables are.
                variables |= inventory
            for role in ROLES:
                for file in sorted((ROOT / "roles" / role).glob(kind)):
                    variables |= loader.load_from_file(str(file), trusted_as_template=True)
        for file in ("deployment.yml", "aws.yml"):
            variables |= loader.load_from_file(str(ROOT / "playbooks/vars" / file), trusted_as_template=True)
        variables |= {"hostvars": {"mistral": inventory}, "group_names": ["aws"], "aws_region": "us-west-2"}
        value = Templar(loader=loader, variables=variables).template(trust_as_template("{{ serve_ha_preflight_aws }}"))
        return json.loads(json.dumps(value))

    return render


def test_it_is_what_the_module_takes(asked: Look) -> None:
    values = asked()
    assert set(values) <= set(aws_account.OPTIONS)
    assert values["name"] == "mistral"
    assert (values["vpcs"], values["elastic_ips"], values["zones"], values["kubernetes_version"]) == (1, 2, [], "")
    assert values["instances"] == {"m5.2xlarge": 3}
    assert [pool["name"] for pool in values["pools"]] == ["head", "worker"]
    assert values["pods"] == [
        {"name": "head", "count": 1, "pool": "", "cpu": "200m", "memory": "1Gi", "accelerator": "", "devices": 0},
        {"name": "worker", "count": 2, "pool": "", "cpu": "200m", "memory": "1Gi", "accelerator": "", "devices": 0},
    ]


def test_every_name_that_may_be_taken_is_looked_at(asked: Look) -> None:
    names = {(one["type"], one["name"]) for one in asked()["names"]}
    assert {kind for kind, _name in names} == set(KINDS) - {"iam:policy"}
    assert names >= {
        ("kms:alias", "mistral-eks"),
        ("ec2:launch-template", "mistral-core"),
        ("iam:role", "mistral-eks-vpc-cni"),
        ("iam:role", "mistral-load-balancer"),
        ("iam:role", "mistral-karpenter-node"),
        ("iam:role", "mistral-ebs-csi"),
        ("elasticache:parametergroup", "mistral-valkey8"),
        ("logs:log-group", "/aws/elasticache/mistral"),
        ("sqs:queue", "mistral-karpenter"),
        ("events:rule", "mistral-karpenter"),
    }
    assert aws_names.name_problems("mistral", asked()["names"]) == []


def test_names_of_what_is_not_made_are_free_to_others(asked: Look) -> None:
    kinds = {one["type"] for one in asked(redis_backend="existing")["names"]}
    assert not [kind for kind in kinds if kind.startswith(("elasticache", "secretsmanager"))]
    own = [
        one["type"]
        for one in asked(elasticache_redis_auth_secret="mine", elasticache_redis_log_delivery=False)["names"]
    ]
    assert "secretsmanager:secret" not in own and own.count("logs:log-group") == 1
    adopted = asked(eks_cluster_adopt=True, eks_cluster_name="theirs")["names"]
    assert {one["type"] for one in adopted} & {"eks:cluster", "kms:alias", "ec2:launch-template"} == set()
    assert {"type": "iam:role", "name": "theirs-karpenter"} in adopted


def test_adopted(asked: Look) -> None:
    values = asked(
        eks_cluster_adopt=True,
        eks_cluster_name="theirs",
        network_vpc_id="vpc-1",
        network_pod_subnet_ids=["subnet-1", "subnet-2"],
    )
    assert (values["adopted_cluster"], values["vpc_id"], values["access_entries"]) == ("theirs", "vpc-1", True)
    assert values["subnet_ids"] == ["subnet-1", "subnet-2"]
    assert (values["instances"], values["vpcs"], values["elastic_ips"]) == ({}, 0, 0)
    assert asked(eks_addons_karpenter=False)["pools"] == []


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ({"network_zones": ["a", "b", "c"]}, 3),
        ({"network_zones": ["a", "b", "c"], "network_nat_gateways": "single"}, 1),
        ({"network_vpc_id": "vpc-1"}, 0),
    ],
)
def test_elastic_ips_are_one_a_zone(asked: Look, given: Any, addresses: int) -> None:
    values = asked(**given)
    assert values["elastic_ips"] == addresses
    assert values["zones"] == given.get("network_zones", [])


@pytest.mark.parametrize(
    ("given", "worker"),
    [
        ({}, {"count": 2, "pool": "neuron", "cpu": "8", "memory": "64Gi", "accelerator": "neuron", "devices": 1}),
        ({"ray_service_tensor_parallel_size": 8, "ray_service_num_replicas": 3}, {"count": 3, "devices": 4}),
        ({"ray_service_worker_resources": {"requests": {"cpu": "4"}}}, {"cpu": "4", "memory": "64Gi"}),
        ({"ray_service_worker_pod": {"nodeSelector": {"rayops.serve-ha/pool": "big"}}}, {"pool": "big"}),
        ({"ray_service_profile": "neuron_blueprint"}, {"cpu": "14", "devices": 1}),
        ({"ray_service_profile": "gpu"}, {"pool": "", "accelerator": "gpu", "devices": 1, "memory": "24Gi"}),
        ({"ray_service_profile": "gpu", "ray_service_tensor_parallel_size": 4}, {"devices": 4}),
    ],
)
def test_workers_of_a_profile(asked: Look, given: Any, worker: Any) -> None:
    values = asked(**{"ray_service_profile": "neuron"} | given)
    head, found = values["pods"]
    assert {key: found[key] for key in worker} == worker
    assert (head["accelerator"], head["count"]) == ("", 1)
    assert ("neuron" in [pool["name"] for pool in values["pools"]]) == (values["pods"][1]["accelerator"] == "neuron")
