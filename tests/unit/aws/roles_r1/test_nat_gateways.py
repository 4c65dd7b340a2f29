# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nat_gateways against an EC2 that takes its time, and refuses what AWS refuses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.modules import nat_gateways

from ..conftest import FakeClock, FakeService, aws_error, four_steps

Run = Callable[..., dict[str, Any]]
OWNER = {"rayops.serve_ha/deployment": "mistral"}


def as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


class FakeEc2(FakeService):
    """A gateway takes C(slow) looks to become available, and to be gone; its address is held until then."""

    service = "ec2"

    def __init__(self, slow: int = 2) -> None:
        super().__init__()
        self.slow = slow
        self.nats: dict[str, dict[str, Any]] = {}
        self.eips: dict[str, dict[str, str]] = {}
        self.fails = ""
        self.killed_before = ""
        self._looks: dict[tuple[str, str], int] = {}

    def request(self, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if name == self.killed_before:
            raise KeyboardInterrupt
        return super().request(name, parameters)

    def _holder(self, allocation_id: str) -> str:
        held = [
            name
            for name, nat in self.nats.items()
            if nat["State"] in ("pending", "available", "deleting")
            and nat["NatGatewayAddresses"][0]["AllocationId"] == allocation_id
        ]
        return held[0] if held else ""

    def _tick(self, nat: dict[str, Any]) -> None:
        key = (nat["NatGatewayId"], nat["State"])
        self._looks[key] = self._looks.get(key, 0) + 1
        if nat["State"] in ("pending", "deleting") and self._looks[key] > self.slow:
            nat["State"] = {"pending": "failed" if self.fails else "available", "deleting": "deleted"}[nat["State"]]
            if nat["State"] == "failed":
                nat |= {"FailureCode": self.fails, "FailureMessage": "no more"}

    def describe_nat_gateways(self, Filter: list[dict[str, Any]]) -> dict[str, Any]:
        def fits(nat: dict[str, Any]) -> bool:
            values = {
                "vpc-id": nat["VpcId"],
                "nat-gateway-id": nat["NatGatewayId"],
                **{f"tag:{key}": value for key, value in as_dict(nat["Tags"]).items()},
            }
            return all(values.get(one["Name"]) in one["Values"] for one in Filter)

        found = [nat for nat in self.nats.values() if fits(nat)]
        for nat in found:
            self._tick(nat)
        return {"NatGateways": found}

    def describe_addresses(self) -> dict[str, Any]:
        return {
            "Addresses": [
                {"AllocationId": key, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
                | ({"AssociationId": "a"} if self._holder(key) else {})
                for key, tags in self.eips.items()
            ]
        }

    def allocate_address(self, Domain: str, TagSpecifications: list[dict[str, Any]]) -> dict[str, Any]:
        assert TagSpecifications[0]["ResourceType"] == "elastic-ip" and Domain == "vpc"
        name = f"eipalloc-{len(self.eips)}"
        self.eips[name] = as_dict(TagSpecifications[0]["Tags"])
        return {"AllocationId": name}

    def release_address(self, AllocationId: str) -> None:
        if self._holder(AllocationId):
            raise aws_error("InvalidIPAddress.InUse")
        del self.eips[AllocationId]

    def create_nat_gateway(
        self, SubnetId: str, AllocationId: str, ClientToken: str, TagSpecifications: list[dict[str, Any]]
    ) -> dict[str, Any]:
        assert AllocationId in self.eips and not self._holder(AllocationId) and ClientToken
        name = f"nat-{len(self.nats)}"
        self.nats[name] = {
            "NatGatewayId": name,
            "SubnetId": SubnetId,
            "VpcId": "vpc-1",
            "State": "pending",
            "Tags": TagSpecifications[0]["Tags"],
            "NatGatewayAddresses": [{"AllocationId": AllocationId, "PublicIp": "192.0.2.1"}],
        }
        return {"NatGateway": self.nats[name]}

    def delete_nat_gateway(self, NatGatewayId: str) -> None:
        self.nats[NatGatewayId]["State"] = "deleting"

    def _tags(self, name: str) -> dict[str, str]:
        return self.eips[name] if name in self.eips else as_dict(self.nats[name]["Tags"])

    def _set_tags(self, name: str, tags: dict[str, str]) -> None:
        if name in self.eips:
            self.eips[name] = tags
        else:
            self.nats[name]["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]

    def create_tags(self, Resources: list[str], Tags: list[dict[str, str]]) -> None:
        for name in Resources:
            self._set_tags(name, self._tags(name) | as_dict(Tags))

    def delete_tags(self, Resources: list[str], Tags: list[dict[str, str]]) -> None:
        gone = {tag["Key"] for tag in Tags}
        for name in Resources:
            self._set_tags(name, {key: value for key, value in self._tags(name).items() if key not in gone})

    def states(self) -> list[str]:
        return [nat["State"] for nat in self.nats.values()]


CREATE = {
    "vpc_id": "vpc-1",
    "owner_tags": OWNER,
    "gateways": [{"name": "nat-a", "subnet_id": "subnet-a"}, {"name": "nat-b", "subnet_id": "subnet-b"}],
    "tags": {"team": "a", "old": "1"},
}
MODIFY = CREATE | {"tags": {"team": "b"}}
DELETE = {"state": "absent", "owner_tags": OWNER}


@pytest.fixture
def fake() -> FakeEc2:
    return FakeEc2()


@pytest.fixture
def run(run_aws_module: Run, fake: FakeEc2) -> Run:
    return functools.partial(run_aws_module, nat_gateways, {"ec2": fake})


def test_twelve_steps(run: Run, fake: FakeEc2) -> None:
    four_steps(run, fake, CREATE, writes=["allocate_address", "create_nat_gateway"] * 2, reads=2)
    four_steps(run, fake, MODIFY, writes=["create_tags", "delete_tags"] * 4, reads=2)
    four_steps(run, fake, DELETE, writes=["delete_nat_gateway"] * 2 + ["release_address"] * 2, reads=2)
    assert fake.eips == {} and fake.states() == ["deleted", "deleted"]


def test_all_are_started_and_then_awaited_together(run: Run, fake: FakeEc2, clock: FakeClock) -> None:
    result = run(CREATE)
    names = [name for name, _parameters in fake.calls]
    assert "describe_nat_gateways" not in names[names.index("allocate_address") : names.index("create_nat_gateway") + 3]
    assert clock.seconds == 20, "two delays, not four"
    assert result["gateways"] == [
        {
            "name": f"nat-{letter}",
            "subnet_id": f"subnet-{letter}",
            "nat_gateway_id": f"nat-{number}",
            "state": "available",
            "public_ip": "192.0.2.1",
            "allocation_ids": [f"eipalloc-{number}"],
        }
        for number, letter in enumerate("ab")
    ]
    assert fake.eips["eipalloc-0"] == CREATE["tags"] | OWNER | {"Name": "nat-a"}


def test_without_wait(run: Run, fake: FakeEc2, clock: FakeClock) -> None:
    assert [one["state"] for one in run(CREATE | {"wait": False})["gateways"]] == ["pending", "pending"]
    assert clock.seconds == 0
    again = run(CREATE)
    assert not again["changed"] and [one["state"] for one in again["gateways"]] == ["available", "available"]


@pytest.mark.parametrize("where", ["create_nat_gateway", "describe_nat_gateways"])
def test_a_run_that_was_killed_is_finished_by_the_next(run: Run, fake: FakeEc2, where: str) -> None:
    if where == "create_nat_gateway":
        fake.killed_before = where
        with pytest.raises(KeyboardInterrupt):
            run(CREATE)
        assert len(fake.eips) == 1
        fake.killed_before = ""
    else:
        run(CREATE | {"wait": False, "gateways": CREATE["gateways"][:1]})
    assert not run(CREATE)["failed"]
    assert len(fake.eips) == 2 and fake.states() == ["available"] * 2


def test_an_address_without_gateway_is_released(run: Run, fake: FakeEc2) -> None:
    fake.killed_before = "create_nat_gateway"
    with pytest.raises(KeyboardInterrupt):
        run(CREATE)
    fake.killed_before = ""
    fake.eips["eipalloc-mine"] = {"Name": "nat-a"}
    assert run(DELETE)["changed"]
    assert list(fake.eips) == ["eipalloc-mine"]


def test_a_deletion_that_was_killed_is_finished(run: Run, fake: FakeEc2) -> None:
    run(CREATE)
    fake.killed_before = "release_address"
    with pytest.raises(KeyboardInterrupt):
        run(DELETE)
    fake.killed_before = ""
    for nat in fake.nats.values():
        nat["State"] = "deleting"
    fake._looks.clear()
    assert run(DELETE)["changed"] and fake.eips == {}


def test_what_is_being_deleted_is_awaited_before_another_takes_its_place(run: Run, fake: FakeEc2) -> None:
    run(CREATE)
    fake.delete_nat_gateway("nat-0")
    result = run(CREATE)
    assert result["changed"] and result["gateways"][0]["nat_gateway_id"] == "nat-2"
    assert result["gateways"][0]["allocation_ids"] == ["eipalloc-2"]
    assert fake.states() == ["deleted", "available", "available"]


def test_one_that_fails_ends_the_wait_with_its_reason(run: Run, fake: FakeEc2, clock: FakeClock) -> None:
    fake.fails = "InsufficientFreeAddressesInSubnet"
    message = run(CREATE)["msg"]
    assert "nat-0 failed: InsufficientFreeAddressesInSubnet: no more" in message and clock.seconds < 60
    fake.fails = ""
    assert not run(CREATE)["failed"]
    assert fake.states() == ["failed", "failed", "available", "available"]
    assert len(fake.eips) == 2, "the addresses of the failed ones are used again"


def test_too_slow(run: Run, fake: FakeEc2) -> None:
    fake.slow = 99
    result = run(CREATE | {"wait_timeout": 30})
    assert "Waited 30 s for NAT gateways to be available" in result["msg"]
    assert result["last_seen"] == "nat-0 pending, nat-1 pending"


def test_somebody_elses_is_neither_taken_nor_deleted(run: Run, fake: FakeEc2) -> None:
    run(CREATE)
    fake._set_tags("nat-0", {"Name": "nat-a"})
    fake._set_tags("eipalloc-0", {"Name": "nat-a"})
    message = run(CREATE)["msg"]
    assert "nat-0 in subnet-a" in message and "rayops.serve_ha/deployment" in message
    assert fake.written() == []
    run(DELETE)
    assert fake.states() == ["available", "deleted"] and list(fake.eips) == ["eipalloc-0"]


def test_what_is_not_asked_for_any_more_is_named_and_goes_on_demand(run: Run, fake: FakeEc2) -> None:
    run(CREATE)
    result = run(CREATE | {"gateways": CREATE["gateways"][:1]})
    assert not result["changed"] and result["unused"] == ["nat-1"]
    result = run(DELETE | {"keep": ["nat-0"]})
    assert result["changed"] and [one["nat_gateway_id"] for one in result["gateways"]] == ["nat-0"]
    assert fake.states() == ["available", "deleted"] and list(fake.eips) == ["eipalloc-0"]


def test_check_mode_with_a_subnet_that_is_not_there_yet(run: Run, fake: FakeEc2) -> None:
    gateways = [{"name": "nat-a", "subnet_id": ""}, {"name": "nat-b", "subnet_id": ""}]
    result = run(CREATE | {"gateways": gateways}, check=True)
    assert result["changed"] and [one["nat_gateway_id"] for one in result["gateways"]] == ["", ""]


def test_purge_tags_false_keeps_what_somebody_has_added(run: Run, fake: FakeEc2) -> None:
    run(CREATE)
    result = run(CREATE | {"tags": {"team": "b"}, "purge_tags": False})
    assert result["changed"] and result["diff"]["after"]["nat-a"]["tags"]["old"] == "1"
    assert fake.eips["eipalloc-0"] == {"team": "b", "old": "1", "Name": "nat-a"} | OWNER
