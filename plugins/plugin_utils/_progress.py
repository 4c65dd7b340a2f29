# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base class of the action plugins that show a module's live progress.

This is a private plugin util: it may change in any release.
"""

from __future__ import annotations

import contextvars
import fcntl
import os
import tempfile
import threading
import typing as t
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import PROGRESS_FILE_VARIABLE

POLL_SECONDS = 0.3


@contextmanager
def followed_file(show: Callable[[str], None], poll_seconds: float = POLL_SECONDS) -> Iterator[str]:
    """Yield the path of an empty file of mode 0600; call C(show) with each full line that is appended to it.

    C(show) runs in a thread of its own while the block runs, and for what is left when the block ends. The file is locked until
    then, or until this process or its parent, which is ansible itself, ends: so a module can tell that nobody waits for it.
    """
    descriptor, path = tempfile.mkstemp(prefix="rayops-progress-")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    stop, parent = threading.Event(), os.getppid()

    def follow() -> None:
        pending = ""
        with open(descriptor, encoding="utf-8", errors="replace") as stream:
            last_look = False
            while not last_look:
                last_look = stop.wait(poll_seconds) or os.getppid() != parent
                *lines, pending = (pending + stream.read()).split("\n")
                for line in lines:
                    show(line)

    # ansible-core 2.19 and later keep the task at hand in context variables, which a new thread does not inherit.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(follow,), daemon=True)
    thread.start()
    try:
        yield path
    finally:
        stop.set()
        thread.join()
        os.unlink(path)


class ProgressActionBase(ActionBase):
    """Run the module of the same name and show each line it reports, as C([inventory host] line), at once.

    Only a module on this machine can append to our file: with any connection but C(local) the module runs silently and
    gives the same result.
    """

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        if self._connection.transport != "local" or self._task.no_log:
            return result | self._execute_module(task_vars=task_vars)

        host = task_vars.get("inventory_hostname", "localhost")
        display = Display()
        environment = self._task.environment
        with followed_file(lambda line: display.display(f"[{host}] {line}")) as path:
            self._task.environment = [*(environment or []), {PROGRESS_FILE_VARIABLE: path}]
            try:
                return result | self._execute_module(task_vars=task_vars)
            finally:
                # A task that is retried (until) comes here again.
                self._task.environment = environment
