# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of this machine."""

from __future__ import annotations

import os
import subprocess


class CommandFailed(Exception):
    """A command ended with an error; the message has the command and its output."""


def run(command: list[str], environment: dict[str, str] | None = None, directory: str | None = None) -> str:
    """Run a command and return its standard output.

    Args:
        environment: added to this process's own.

    Raises:
        CommandFailed: it could not be started or ended with an error.
    """
    try:
        # Called from threads, where AnsibleModule.run_command, which changes the process's umask and directory, must not be.
        # pylint: disable-next=ansible-bad-function
        result = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            cwd=directory,
            env={**os.environ, **(environment or {})},
        )
    except OSError as error:
        raise CommandFailed(f"{' '.join(command)}: {error}") from error
    if result.returncode != 0:
        raise CommandFailed(f"{' '.join(command)}: {(result.stderr or result.stdout).strip()}")
    return result.stdout
