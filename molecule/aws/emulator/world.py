# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the emulated AWS, and the tables that say who answers which operation."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from emulator.timeline import Timeline
from emulator.wire import AwsError

Params = dict[str, t.Any]


class Ministack(t.Protocol):
    """What the handlers need of ministack."""

    def ask(self, service: str, operation: str, region: str = "", **params: t.Any) -> dict[str, t.Any]: ...

    def caller(self, access_key: str, session_token: str) -> str: ...


@dataclass
class World:
    """Everything that a handler may see or change."""

    config: dict[str, t.Any]
    backend: Ministack
    timeline: Timeline = field(default_factory=Timeline)
    #: Called with a replication group's id and its valid AUTH tokens, in the order they were set.
    tokens_changed: Callable[[str, list[str]], None] = lambda group, tokens: None
    #: (region, name of a store) -> the store: id -> record. Stores are made when first asked for.
    stores: dict[tuple[str, str], dict[str, t.Any]] = field(default_factory=lambda: defaultdict(dict))
    #: Creations that are to fail: kind of resource -> (code, message) per creation to come.
    doomed: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    #: Access keys whose secrets went by: key id -> secret.
    secrets: dict[str, str] = field(default_factory=dict)

    def seconds(self, kind: str) -> float:
        return self.config["seconds"][kind] * self.config["scale"]

    def forget(self) -> None:
        self.stores.clear()
        self.doomed.clear()
        self.secrets.clear()
        self.timeline.clear()


@dataclass
class Call:
    """One request that is being answered."""

    world: World
    service: str
    operation: str
    region: str
    access_key: str
    session_token: str
    params: Params

    @property
    def account(self) -> str:
        return self.world.config["account"]

    def store(self, name: str) -> dict[str, t.Any]:
        return self.world.stores[self.region, name]

    def ask(self, service: str, operation: str, **params: t.Any) -> dict[str, t.Any]:
        """Ask ministack in the call's region."""
        return self.world.backend.ask(service, operation, self.region, **params)

    def later(self, kind: str, action: Callable[[], None]) -> None:
        """Do it after the seconds that AWS takes for this kind of change."""
        self.world.timeline.after(self.world.seconds(kind), action)

    def doom(self, kind: str) -> tuple[str, str] | None:
        """Code and message if this creation is to fail."""
        waiting = self.world.doomed[kind]
        return waiting.pop(0) if waiting else None

    def found(self, service: str, operation: str, **params: t.Any) -> dict[str, t.Any] | None:
        """As C(ask), and None if ministack refuses: the thing is not there."""
        try:
            return self.ask(service, operation, **params)
        except AwsError:
            return None


Answer = Callable[[Call], Params | None]
Guard = Callable[[Call], None]
Amendment = Callable[[Call, Params], Params]

#: (service, operation) -> the function that answers instead of ministack.
ANSWERS: dict[tuple[str, str], Answer] = {}
#: (service, operation) -> the function that may refuse before ministack is asked.
GUARDS: dict[tuple[str, str], Guard] = {}
#: (service, operation) -> the function that changes what ministack answered.
AMENDMENTS: dict[tuple[str, str], Amendment] = {}


def answers(service: str, *operations: str) -> Callable[[Answer], Answer]:
    return _registers(ANSWERS, service, operations)


def guards(service: str, *operations: str) -> Callable[[Guard], Guard]:
    return _registers(GUARDS, service, operations)


def amends(service: str, *operations: str) -> Callable[[Amendment], Amendment]:
    return _registers(AMENDMENTS, service, operations)


def _registers(table: dict[tuple[str, str], t.Any], service: str, operations: tuple[str, ...]) -> t.Any:
    def register(function: t.Any) -> t.Any:
        for operation in operations:
            assert (service, operation) not in table, f"{service}.{operation} is registered twice"
            table[service, operation] = function
        return function

    return register
