# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a test asks for."""

from __future__ import annotations

import fnmatch
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from emulator.wire import AwsError

if t.TYPE_CHECKING:
    from emulator.world import Call

KINDS = ("error", "create_failed", "not_visible")
#: What a service calls throttling.
THROTTLING = {"ec2": "RequestLimitExceeded", "eks": "ThrottlingException", "logs": "ThrottlingException"}
#: Resources whose creation can be made to fail.
DOOMED = ("ec2:natgateway", "eks:cluster", "eks:nodegroup", "eks:addon", "elasticache:replicationgroup")
#: Creations after which a resource can stay unseen: the member of the result that names it, and the error of a look at it.
UNSEEN: dict[tuple[str, str], tuple[str, str, int]] = {
    ("ec2", "AllocateAddress"): ("AllocationId", "InvalidAllocationID.NotFound", 400),
    ("ec2", "CreateInternetGateway"): ("InternetGatewayId", "InvalidInternetGatewayID.NotFound", 400),
    ("ec2", "CreateLaunchTemplate"): ("LaunchTemplateId", "InvalidLaunchTemplateId.NotFound", 400),
    ("ec2", "CreateNatGateway"): ("NatGatewayId", "NatGatewayNotFound", 400),
    ("ec2", "CreateRouteTable"): ("RouteTableId", "InvalidRouteTableID.NotFound", 400),
    ("ec2", "CreateSecurityGroup"): ("GroupId", "InvalidGroup.NotFound", 400),
    ("ec2", "CreateSubnet"): ("SubnetId", "InvalidSubnetID.NotFound", 400),
    ("ec2", "CreateVpc"): ("VpcId", "InvalidVpcID.NotFound", 400),
    ("eks", "CreateAccessEntry"): ("principalArn", "ResourceNotFoundException", 404),
    ("eks", "CreateAddon"): ("addonName", "ResourceNotFoundException", 404),
    ("eks", "CreateCluster"): ("name", "ResourceNotFoundException", 404),
    ("eks", "CreateNodegroup"): ("nodegroupName", "ResourceNotFoundException", 404),
    ("eks", "CreatePodIdentityAssociation"): ("associationId", "ResourceNotFoundException", 404),
    ("elasticache", "CreateReplicationGroup"): ("ReplicationGroupId", "ReplicationGroupNotFoundFault", 404),
    ("iam", "CreatePolicy"): ("Arn", "NoSuchEntity", 404),
    ("iam", "CreateRole"): ("RoleName", "NoSuchEntity", 404),
    ("kms", "CreateKey"): ("KeyId", "NotFoundException", 400),
    ("secretsmanager", "CreateSecret"): ("Name", "ResourceNotFoundException", 400),
}


@dataclass
class Rule:
    """One fault; README.md says what the fields mean."""

    kind: str = "error"
    service: str = "*"
    operation: str = "*"
    code: str = ""
    message: str = ""
    status: int = 400
    after: int = 0
    times: int | None = None
    every: int = 1
    each: bool = False
    looks: int = 2
    resource: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)

    def strikes(self, service: str, operation: str) -> bool:
        """Count this call, and say whether it fails."""
        if not fnmatch.fnmatchcase(service, self.service) or not fnmatch.fnmatchcase(operation, self.operation):
            return False
        counter = f"{service}.{operation}" if self.each else "all"
        self.seen[counter] += 1
        past = self.seen[counter] - self.after
        spent = self.times is not None and self.struck[counter] >= self.times
        if past <= 0 or spent or (past - 1) % self.every:
            return False
        self.struck[counter] += 1
        return True

    def error(self, service: str) -> AwsError:
        if self.code in ("", "throttling"):
            status = 503 if service == "ec2" else self.status
            return AwsError(THROTTLING.get(service, "Throttling"), self.message or "Rate exceeded", status)
        return AwsError(self.code, self.message or self.code, self.status)


def make_rule(given: dict[str, t.Any]) -> Rule:
    """A rule as a test gives it; ValueError if it is none."""
    if unknown := given.keys() - (Rule.__dataclass_fields__.keys() - {"seen", "struck"}):
        raise ValueError(f"a rule has no {sorted(unknown)}")
    rule = Rule(**given)
    if rule.kind not in KINDS:
        raise ValueError(f"kind is {rule.kind!r}, must be one of {KINDS}")
    if rule.kind == "create_failed" and rule.resource not in DOOMED:
        raise ValueError(f"resource is {rule.resource!r}, must be one of {DOOMED}")
    return rule


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        #: (service, id) -> looks that shall not see it yet, and the error they get.
        self._unseen: dict[tuple[str, str], tuple[int, AwsError]] = {}

    @property
    def watches_creations(self) -> bool:
        return any(rule.kind == "not_visible" for rule in self.rules)

    def clear(self) -> None:
        self.rules.clear()
        self._unseen.clear()

    def before(self, call: Call) -> None:
        """Raise the error that this call is to end with, if any."""
        for rule in self.rules:
            if rule.kind == "error" and rule.strikes(call.service, call.operation):
                raise rule.error(call.service)
        if self._unseen and call.operation.startswith(("Describe", "Get", "List")):
            self._look(call)

    def created(self, call: Call, result: dict[str, t.Any]) -> None:
        """Remember what was created, for the looks that shall not see it yet."""
        if (call.service, call.operation) not in UNSEEN:
            return
        member, code, status = UNSEEN[call.service, call.operation]
        for rule in self.rules:
            if rule.kind == "not_visible" and rule.strikes(call.service, call.operation):
                name = next((text for key, text in texts(result) if key == member), "")
                self._unseen[call.service, name] = (rule.looks, AwsError(code, f"{name} does not exist", status))

    def _look(self, call: Call) -> None:
        for _key, text in texts(call.params):
            looks, error = self._unseen.get((call.service, text), (0, None))
            if looks and error is not None:
                self._unseen[call.service, text] = (looks - 1, error)
                raise error


def texts(value: t.Any, name: str = "") -> list[tuple[str, str]]:
    """Every text in parameters or results, with the name of the member that holds it. Pure."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in texts(item, key)]
    if isinstance(value, list):
        return [found for item in value for found in texts(item, name)]
    return [(name, value)] if isinstance(value, str) else []
