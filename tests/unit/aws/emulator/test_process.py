# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole program once, as a test scenario uses it: ministack, boto3, the AWS CLI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from emulator.backend import free_port

MOLECULE = Path(__file__).parents[4] / "molecule" / "aws"
START_SECONDS = 60


class Emulator:
    def __init__(self, endpoint: str, state: Path) -> None:
        self.endpoint = endpoint
        self.environment = os.environ | {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_SHARED_CREDENTIALS_FILE": str(state / "credentials"),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "us-west-2",
        }
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            self.environment.pop(name, None)

    def client(self, service: str) -> Any:
        return botocore.session.Session().create_client(service)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_emulator/{path}", data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    port = free_port()
    (tmp_path / "config.json").write_text(json.dumps({"scale": 1e-6}))
    command = [sys.executable, "-m", "emulator", "--port", str(port), "--state", str(tmp_path)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--config", str(tmp_path / "config.json")], cwd=MOLECULE, stderr=log)
    deadline = time.monotonic() + START_SECONDS
    while not (tmp_path / "ready.json").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    found = Emulator(f"http://127.0.0.1:{port}", tmp_path)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    for name in os.environ.keys() - found.environment.keys():
        monkeypatch.delenv(name)
    yield found
    process.terminate()
    process.wait(30)


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_cluster_from_vpc_to_token_and_back(emulator: Emulator) -> None:
    ec2, iam, eks = (emulator.client(service) for service in ("ec2", "iam", "eks"))
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/21")["Vpc"]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="100.64.0.0/16")
    blocks = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"]
    assert [block["CidrBlock"] for block in blocks] == ["10.1.0.0/21", "100.64.0.0/16"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"100.64.{place}.0/24", AvailabilityZone=f"us-west-2{zone}")["Subnet"][
            "SubnetId"
        ]
        for place, zone in enumerate("ab")
    ]
    role = iam.create_role(RoleName="c", AssumeRolePolicyDocument=trust("eks.amazonaws.com"))["Role"]["Arn"]
    config = {"subnetIds": subnets}
    eks.create_cluster(name="m", roleArn=role, resourcesVpcConfig=config, accessConfig={"authenticationMode": "API"})
    assert eks.describe_cluster(name="m")["cluster"]["status"] == "ACTIVE"

    aws = Path(sys.executable).with_name("aws")
    credential = subprocess.run(
        [aws, "eks", "get-token", "--cluster-name", "m", "--output", "json"], check=True, capture_output=True
    )
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
              "spec": {"token": json.loads(credential.stdout)["status"]["token"]}}  # fmt: skip
    answer = emulator.control("POST", "authenticate", review)["status"]
    assert answer["user"]["username"] == "arn:aws:iam::123456789012:user/operator"
    assert answer["user"]["groups"] == ["system:masters"]

    for blocked in (lambda: ec2.delete_subnet(SubnetId=subnets[0]), lambda: ec2.delete_vpc(VpcId=vpc)):
        with pytest.raises(ec2.exceptions.ClientError, match="DependencyViolation"):
            blocked()
    emulator.control("POST", "faults", [{"service": "eks", "times": 1}])
    eks.delete_cluster(name="m")  # boto3 tries again after the throttling.
    assert emulator.control("GET", "calls")["counts"]["eks.DeleteCluster"] == 2
    assert emulator.control("GET", "faults")["rules"][0]["struck"] == {"all": 1}
    for subnet in subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    iam.delete_role(RoleName="c")
    assert emulator.control("GET", "inventory") == {}
    emulator.control("POST", "reset")
    assert emulator.control("GET", "calls")["total"] == 0
