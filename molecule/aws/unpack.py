# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpack the Helm charts of a Go module's zip file, each as a directory of its own: unpack.py ZIP DIRECTORY."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path, PurePosixPath


def main(archive: str, target: str) -> None:
    with zipfile.ZipFile(archive) as file:
        names = [PurePosixPath(name) for name in file.namelist()]
        charts = [name.parent for name in names if name.name == "Chart.yaml"]
        for name in names:
            for chart in charts:
                if chart in name.parents:
                    path = Path(target) / chart.name / name.relative_to(chart)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(file.read(str(name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
