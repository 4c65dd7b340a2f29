# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a wrong value is told, what could not be looked at, and what comes of it all. Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Unread:
    """In the place of a fact that AWS does not tell: why."""

    reason: str


@dataclass
class Findings:
    """What the rules say. C(zones) are those chosen, as {id, name}."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    zones: list[dict[str, str]] = field(default_factory=list)


def problem(variable: str, value: t.Any, expectation: str) -> str:
    """One line that names the variable, its value and what was expected."""
    return f"{variable} is {value!r}: expected {expectation}"


def hide_credentials(address: str) -> str:
    """Take what may be user and password out of an address, for messages."""
    before, at, host = re.sub(r"[?].*", "?***", address, flags=re.DOTALL).rpartition("@")
    scheme = re.match(r"\w+://", before)
    return f"{scheme.group() if scheme else ''}***@{host}" if at else host
