# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator without ministack: a backend of canned answers, and a clock that only the test moves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[4] / "molecule" / "aws"))

from emulator import config, models
from emulator.timeline import Timeline
from emulator.wire import AwsError
from emulator.world import ANSWERS, Call, World

SUBNETS = {"subnet-a": "us-west-2a", "subnet-b": "us-west-2b"}
TRUST = {
    "Statement": [{"Principal": {"Service": ["eks.amazonaws.com", "ec2.amazonaws.com", "pods.eks.amazonaws.com"]}}]
}


class Backend:
    """As much of ministack as EKS and ElastiCache ask of it."""

    def __init__(self) -> None:
        self.interfaces: dict[str, dict[str, Any]] = {}
        self.groups: set[str] = set()
        self.roles = {"cluster", "node", "pod"}
        self.asked: list[str] = []

    def caller(self, access_key: str, session_token: str) -> str:
        return f"arn:aws:iam::123456789012:user/{access_key.lower()}"

    def ask(self, service: str, operation: str, region: str = "", **params: Any) -> dict[str, Any]:
        self.asked.append(operation)
        return getattr(self, operation)(**params)

    def get_role(self, RoleName: str) -> dict[str, Any]:
        if RoleName not in self.roles:
            raise AwsError("NoSuchEntity", RoleName)
        return {"Role": {"AssumeRolePolicyDocument": TRUST}}

    def describe_subnets(self, SubnetIds: list[str]) -> dict[str, Any]:
        if set(SubnetIds) - SUBNETS.keys():
            raise AwsError("InvalidSubnetID.NotFound", "")
        return {"Subnets": [{"VpcId": "vpc-1", "AvailabilityZone": SUBNETS[name]} for name in SubnetIds]}

    def create_security_group(self, GroupName: str, **_more: Any) -> dict[str, Any]:
        self.groups.add(GroupName)
        return {"GroupId": GroupName}

    def describe_tags(self, **_params: Any) -> dict[str, Any]:
        return {"Tags": []}

    def delete_security_group(self, GroupId: str) -> dict[str, Any]:
        self.groups.remove(GroupId)
        return {}

    def authorize_security_group_ingress(self, **_more: Any) -> dict[str, Any]:
        return {}

    def describe_security_groups(self, **_more: Any) -> dict[str, Any]:
        return {"SecurityGroups": []}

    def create_network_interface(self, SubnetId: str, Groups: list[str], Description: str) -> dict[str, Any]:
        name = f"eni-{len(self.asked)}"
        groups = [{"GroupId": group} for group in Groups]
        made = {"NetworkInterfaceId": name, "SubnetId": SubnetId, "Groups": groups, "Description": Description}
        self.interfaces[name] = made
        return {"NetworkInterface": made}

    def describe_network_interfaces(self) -> dict[str, Any]:
        return {"NetworkInterfaces": list(self.interfaces.values())}

    def delete_network_interface(self, NetworkInterfaceId: str) -> dict[str, Any]:
        del self.interfaces[NetworkInterfaceId]
        return {}

    def describe_cache_subnet_groups(self, CacheSubnetGroupName: str) -> dict[str, Any]:
        subnets = [
            {"SubnetIdentifier": name, "SubnetAvailabilityZone": {"Name": zone}} for name, zone in SUBNETS.items()
        ]
        return {"CacheSubnetGroups": [{"Subnets": subnets}]}

    def describe_cache_clusters(self, **_more: Any) -> dict[str, Any]:
        return {"CacheClusters": []}


class Seconds:
    """A clock."""

    def __init__(self) -> None:
        self.value = 0.0

    def __call__(self) -> float:
        return self.value


class Aws:
    """The emulator as boto3 sees it: aws("eks", "CreateCluster", name=...) is validated, answered, and its shape checked."""

    def __init__(self) -> None:
        self.clock = Seconds()
        self.backend = Backend()
        self.tokens: list[tuple[str, list[str]]] = []
        settings = config.merge(config.DEFAULTS, {"scale": 1})
        self.world = World(settings, self.backend, Timeline(self.clock))
        self.world.tokens_changed = lambda group, tokens: self.tokens.append((group, list(tokens)))

    def pass_time(self, seconds: float) -> None:
        self.clock.value += seconds
        self.world.timeline.settle()

    def __call__(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        from botocore.validate import validate_parameters
        from emulator import writing

        models_of = models.service_model(service)
        assert models_of is not None
        model = models_of.operation_model(operation)
        if model.input_shape is not None:
            validate_parameters(params, model.input_shape)
        call = Call(self.world, service, operation, "us-west-2", "OPERATOR", "", params)
        result = ANSWERS[service, operation](call) or {}
        return writing.parse(model, writing.write(model, result))

    def refused(self, service: str, operation: str, /, **params: Any) -> str:
        """The code of the error that the call ends with; one that the operation's model declares, for EKS."""
        with pytest.raises(AwsError) as error:
            self(service, operation, **params)
        return error.value.code


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def cluster(aws: Aws) -> Aws:
    """With an ACTIVE cluster m."""
    create_cluster(aws)
    aws.pass_time(540)
    return aws


def create_cluster(aws: Aws, **more: Any) -> dict[str, Any]:
    return aws(
        "eks",
        "CreateCluster",
        **{
            "name": "m",
            "roleArn": "arn:aws:iam::123456789012:role/cluster",
            "resourcesVpcConfig": {"subnetIds": ["subnet-a", "subnet-b"]},
            "accessConfig": {"authenticationMode": "API"},
            **more,
        },
    )["cluster"]


@pytest.fixture
def make_cluster() -> Callable[..., dict[str, Any]]:
    return create_cluster
