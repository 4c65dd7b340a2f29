# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AUTH tokens on their way to the real Redis, outside the call log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HOOK_SECONDS = 30


class TokenFiles:
    """One file a replication group, for its owner only, and a command that is told of it."""

    def __init__(self, folder: Path, hook: list[str]) -> None:
        self._folder = folder
        self._hook = hook
        folder.mkdir(mode=0o700, exist_ok=True)
        for old in folder.glob("*.json"):
            old.unlink()

    def changed(self, group: str, tokens: list[str]) -> None:
        """Write C({"replication_group": ..., "tokens": [...]}) and run the hook with the file's path."""
        path = self._folder / f"{group}.json"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"replication_group": group, "tokens": tokens}, file)
        if self._hook:
            ended = subprocess.run([*self._hook, str(path)], timeout=HOOK_SECONDS, check=False)
            if ended.returncode:
                print(f"the auth hook ended with {ended.returncode} for {group}", file=sys.stderr, flush=True)
