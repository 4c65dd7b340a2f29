# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that end a check: at once, but never in the middle of what undoes a failure or ends the load."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS = 1.0


class Interrupted(BaseException):
    """A signal asked us to stop. Not an Exception, so that nothing on the way takes it for a failed request."""


def interrupt(number: int, _frame: object) -> None:
    # Only the first one counts: the next must not disturb the cleaning up.
    for name in SIGNALS:
        signal.signal(name, signal.SIG_IGN)
    raise Interrupted(signal.Signals(number).name)


def listen(over: Callable[[], bool]) -> None:
    """From now on raise Interrupted for the first signal, and once C(over) is true, which is asked every second."""
    for name in SIGNALS:
        signal.signal(name, interrupt)

    def look() -> None:
        while not over():
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=look, daemon=True).start()


@contextmanager
def deferred() -> Iterator[None]:
    """A signal that comes while the block runs takes effect after it; not if the block itself fails."""
    came: list[int] = []
    before = {name: signal.signal(name, lambda number, _frame: came.append(number)) for name in SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    if came:
        signal.raise_signal(came[0])
