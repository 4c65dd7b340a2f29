# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring the NAT gateways of a VPC to what is asked for: all started, then one wait for all.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.changes import make_diff
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.nat import plan
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.nat.api import NatApi
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.wait import Seen, wait_until


def result_of(name: str, subnet_id: str, gateway: plan.Gateway | None) -> dict[str, t.Any]:
    """A gateway as the module returns it; one that check mode would make has no id."""
    return {
        "name": name,
        "subnet_id": subnet_id,
        "nat_gateway_id": gateway.id if gateway else "",
        "state": gateway.state if gateway else "",
        "public_ip": gateway.public_ip if gateway else "",
        "allocation_ids": list(gateway.allocation_ids) if gateway else [],
    }


class NatGateways:
    def __init__(
        self, api: NatApi, params: dict[str, t.Any], check_mode: bool, report: t.Callable[[str], None]
    ) -> None:
        self.api = api
        self.params = params
        self.check_mode = check_mode
        self.report = report
        self.owner: dict[str, str] = params["owner_tags"]

    def tags(self, name: str) -> dict[str, str]:
        return (self.params["tags"] or {}) | self.owner | {"Name": name}

    def wait(self, goal: str, look: t.Callable[[], Seen]) -> t.Any:
        return wait_until(goal, look, self.params["wait_timeout"], self.params["wait_delay"], report=self.report)

    def present(self) -> dict[str, t.Any]:
        wanted = [plan.Wanted(item["name"], item["subnet_id"]) for item in self.params["gateways"]]
        found = self.api.gateways({"vpc-id": [self.params["vpc_id"]]})
        placed = plan.place(wanted, found)
        strange = plan.foreign(placed, self.owner)
        if strange:
            raise AnsibleAWSError(
                message=f"There is a NAT gateway already, and it lacks the tags {self.owner}: {', '.join(strange)}."
                " It is left alone; delete it, or give it the tags if it belongs to this deployment"
            )
        missing = [one for one in wanted if one.name not in placed]
        addresses = self.api.addresses()
        tags = plan.retagged(placed, addresses, self.tags, self.params["purge_tags"])
        before = {
            one.name: {"subnet_id": one.subnet_id, "tags": placed[one.name].tags}
            for one in wanted
            if one.name in placed
        }
        if not self.check_mode:
            for identity, (to_set, to_remove) in tags.items():
                self.api.tag(identity, to_set, to_remove)
            self.let_go([one.subnet_id for one in missing], found)
            for one in missing:
                placed[one.name] = self.make(one, addresses)
            self.await_start(placed)
        after = {one.name: {"subnet_id": one.subnet_id, "tags": self.after(one.name, before)} for one in wanted}
        return {
            "changed": bool(missing or tags),
            "diff": make_diff(before, after),
            "gateways": [result_of(one.name, one.subnet_id, placed.get(one.name)) for one in wanted],
            "unused": plan.unused(placed, found, self.owner),
        }

    def after(self, name: str, before: dict[str, t.Any]) -> dict[str, str]:
        kept = {} if self.params["purge_tags"] or name not in before else before[name]["tags"]
        return kept | self.tags(name)

    def let_go(self, subnet_ids: list[str], found: list[plan.Gateway]) -> None:
        """Wait until those that are being deleted where others are wanted have let go of their addresses."""
        self.await_end([one.id for one in found if one.state == "deleting" and one.subnet_id in subnet_ids])

    def make(self, one: plan.Wanted, addresses: list[plan.Address]) -> plan.Gateway:
        """Address first: it bears the gateway's name from its first moment, so that a later run finds it, come what may."""
        tags = self.tags(one.name)
        address = plan.free_address(one.name, addresses, self.owner)
        allocation_id = address.allocation_id if address else self.api.allocate(tags)
        return self.api.create(one.subnet_id, allocation_id, tags)

    def await_start(self, placed: dict[str, plan.Gateway]) -> None:
        """Wait for all of C(placed), and put what was seen into it."""
        ids = [one.id for one in placed.values()]
        if not self.params["wait"] or all(one.state == "available" for one in placed.values()):
            return
        seen = self.wait(
            "NAT gateways to be available",
            lambda: plan.judge_start(ids, self.api.gateways({"nat-gateway-id": ids})),
        )
        placed.update(zip(list(placed), seen, strict=True))

    def absent(self) -> dict[str, t.Any]:
        found = self.api.owned(self.owner)
        kept = [one for one in found if one.id in self.params["keep"] and one.state in plan.ALIVE]
        kept_ids = {one.id for one in kept}
        going = [one for one in found if one.id not in kept_ids and one.state not in ("deleted", "failed")]
        to_delete = [one.id for one in going if one.state in plan.ALIVE]
        to_release = plan.releasable(self.api.addresses(), kept, self.owner)
        if not self.check_mode:
            for identity in to_delete:
                self.api.delete(identity)
            self.await_end([one.id for one in going])
            for identity in to_release:
                self.api.release(identity)
        before = {one.id: {"subnet_id": one.subnet_id} for one in going} | {key: {} for key in to_release}
        return {
            "changed": bool(to_delete or to_release),
            "diff": make_diff(before, {}),
            "gateways": [result_of(one.tags.get("Name", ""), one.subnet_id, one) for one in kept],
            "unused": [],
        }

    def await_end(self, ids: list[str]) -> None:
        """Always, if there are any: their addresses are free only then."""
        if ids:
            self.wait(
                "NAT gateways to be gone", lambda: plan.judge_end(ids, self.api.gateways({"nat-gateway-id": ids}))
            )
