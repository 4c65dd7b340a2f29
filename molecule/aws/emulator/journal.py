# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of every call: one JSON line each, without secrets."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter
from pathlib import Path

#: Parameters that are secrets though the models do not always say so.
SECRET_NAMES = re.compile(r"AuthToken|SecretString|SecretBinary|Plaintext|Passwords?|SecretAccessKey|SessionToken")


def without_secrets(shape: t.Any, value: t.Any) -> t.Any:
    """The parameters with every secret replaced. Pure."""
    if shape.type_name == "structure" and isinstance(value, dict):
        return {
            name: "***"
            if SECRET_NAMES.fullmatch(name) or shape.members[name].metadata.get("sensitive")
            else without_secrets(shape.members[name], item)
            for name, item in value.items()
        }
    if shape.type_name == "list":
        return [without_secrets(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {key: without_secrets(shape.value, item) for key, item in value.items()}
    return value


class Journal:
    """Calls in memory and in a file."""

    def __init__(self, path: Path) -> None:
        self.calls: list[dict[str, t.Any]] = []
        self._file = path.open("w", buffering=1)

    def add(self, **call: t.Any) -> None:
        self.calls.append(call)
        self._file.write(json.dumps(call, default=str) + "\n")

    def clear(self) -> None:
        """Forget the calls in memory; the file keeps them."""
        self.calls.clear()

    def counts(self) -> dict[str, int]:
        """C(service.operation) -> number of calls, most first."""
        return dict(Counter(f"{call['service']}.{call['operation']}" for call in self.calls).most_common())
