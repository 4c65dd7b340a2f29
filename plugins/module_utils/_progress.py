# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live progress of long modules: lines in a file that the action plugin of the same name shows while the module runs.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import fcntl
import os

PROGRESS_FILE_VARIABLE = "RAYOPS_PROGRESS_FILE"


def report(text: str) -> None:
    """Tell the user how far the module is; call it on change, and at least every 15 s while waiting.

    Without an action plugin that listens nothing happens. A file that cannot be written (another user by C(become)) is
    no reason to fail either: progress is a comfort, never part of the result.
    """
    path = os.environ.get(PROGRESS_FILE_VARIABLE)
    if not path:
        return
    try:
        # Opened anew each time: no state is kept, and closing flushes. Never created: a module that outlives its task
        # (time-out) must not bring back the file that the action plugin has removed.
        with open(os.open(path, os.O_WRONLY | os.O_APPEND), "w", encoding="utf-8") as stream:
            stream.write(" ".join(text.split()) + "\n")
    except OSError:
        pass


def task_is_over() -> bool:
    """Whether nobody waits for this module any more: the action plugin locks its file for as long as it and its ansible live.

    Where no action plugin listens, or its file is another user's (C(become)), that cannot be told, and it is not over.
    """
    path = os.environ.get(PROGRESS_FILE_VARIABLE)
    if not path:
        return False
    try:
        with open(path, "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
