# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests' own endpoint: faults, calls, settings, reset, and the token review that stands for EKS' authenticator."""

from __future__ import annotations

import json
import typing as t

from emulator import authenticator, inventory
from emulator.config import merge
from emulator.faults import make_rule
from emulator.wire import Request, Response

if t.TYPE_CHECKING:
    from emulator.gateway import Gateway

PREFIX = "/_emulator/"


class Control:
    """Answers what is under C(/_emulator/)."""

    def __init__(self, gateway: Gateway, prepare: t.Callable[[], None]) -> None:
        self._gateway = gateway
        #: Makes the users anew after a reset.
        self._prepare = prepare

    def handle(self, request: Request) -> Response:
        parts = request.path.removeprefix(PREFIX).split("/")
        action = getattr(self, f"{request.method.lower()}_{parts[0]}", None)
        if action is None:
            return _answer(404, {"error": f"there is no {request.method} {request.path}"})
        try:
            body = json.loads(request.body) if request.body else None
            with self._gateway.lock:
                self._gateway.world.timeline.settle()
                return _answer(200, action(body, *parts[1:]))
        except (ValueError, TypeError) as error:
            return _answer(400, {"error": str(error)})

    def get_health(self, _body: t.Any) -> t.Any:
        return {"status": "running"}

    def get_calls(self, _body: t.Any) -> t.Any:
        """Every call since the start or the last DELETE, and how many there were of each."""
        journal = self._gateway.journal
        return {"total": len(journal.calls), "counts": journal.counts(), "calls": journal.calls}

    def delete_calls(self, _body: t.Any) -> t.Any:
        self._gateway.journal.clear()
        return {}

    def get_faults(self, _body: t.Any) -> t.Any:
        rules = [vars(rule) for rule in self._gateway.faults.rules]
        return {"rules": rules, "doomed": self._gateway.world.doomed}

    def post_faults(self, body: list[dict[str, t.Any]]) -> t.Any:
        """Add rules; all of them or, if one is wrong, none."""
        rules = [make_rule(given) for given in body]
        for rule in rules:
            if rule.kind == "create_failed":
                doom = (rule.code or "InternalFailure", rule.message or "the creation failed")
                self._gateway.world.doomed[rule.resource] += [doom] * (rule.times or 1)
            else:
                self._gateway.faults.rules.append(rule)
        return self.get_faults(None)

    def delete_faults(self, _body: t.Any) -> t.Any:
        self._gateway.faults.clear()
        self._gateway.world.doomed.clear()
        return {}

    def get_config(self, _body: t.Any) -> t.Any:
        return self._gateway.world.config

    def post_config(self, body: dict[str, t.Any]) -> t.Any:
        """Change settings from now on, e.g. the Kubernetes endpoint once there is one."""
        world = self._gateway.world
        world.config = merge(world.config, body)
        return world.config

    def get_inventory(self, _body: t.Any, region: str = "") -> t.Any:
        """Everything that is in the account now, by kind: what a teardown must have brought to nothing."""
        world = self._gateway.world
        return inventory.take(world, region or world.config["region"])

    def post_reset(self, _body: t.Any) -> t.Any:
        """An empty account: no resource, fault or call is left. Settings stay."""
        self._gateway.reset()
        self._prepare()
        return {}

    def post_authenticate(self, review: dict[str, t.Any], cluster: str = "") -> t.Any:
        """A TokenReview (authentication.k8s.io/v1), for the cluster named in the path if one is."""
        return authenticator.review(self._gateway.world, review, cluster)


def _answer(status: int, body: t.Any) -> Response:
    return Response(status, json.dumps(body, default=str).encode(), {"content-type": "application/json"})
