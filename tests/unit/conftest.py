# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For all unit tests: Ansible's way to find collections, and golden files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.loader import init_plugin_loader

# Before any test imports from a collection: what Python's own importer has found, Ansible's templates cannot use.
init_plugin_loader([])


class Dumper(yaml.SafeDumper):
    """Lists indented, as yamllint wants them, and text of several lines as such."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


@pytest.fixture
def golden() -> Callable[[Path, list[dict[str, Any]]], None]:
    """golden(path, objects): a role would send these objects and no others, in this order.

    One list a file, as ansible-test takes no file of several documents. Written anew with UPDATE_GOLDEN in the environment.
    """

    def check(path: Path, objects: list[dict[str, Any]]) -> None:
        text = yaml.dump(objects, Dumper=Dumper, explicit_start=True, sort_keys=False, allow_unicode=True, width=120)
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check
