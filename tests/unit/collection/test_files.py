# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a reader can take in at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
LINES = 400
SUFFIXES = {".j2", ".md", ".py", ".sh", ".yml", ".yaml"}


def files() -> Iterator[Path]:
    for directory, directories, names in os.walk(ROOT):
        directories[:] = [
            name for name in directories if name[0] != "." and name not in ("golden", "reports", "output")
        ]
        yield from (Path(directory, name) for name in names)


def test_no_file_is_longer_than_a_reader_likes() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in files()
        if path.suffix in SUFFIXES and (count := len(path.read_text(encoding="utf-8").splitlines())) > LINES
    }
    assert long == {}
