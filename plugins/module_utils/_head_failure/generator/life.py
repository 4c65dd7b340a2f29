# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The load ends when who started it is gone: nobody looks at it any more, and a service has better to do."""

from __future__ import annotations

import asyncio
import os
import threading
import time

SILENCE_SECONDS = 30.0
LOOK_SECONDS = 0.5
ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def end_with_stdin():
    """End when standard input does, which is a pipe from who started this process."""

    def read():
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()


async def end_without_calls(port):
    """From now on take calls at this port, and end when none has come for SILENCE_SECONDS, once one did: where they do not come
    through, go on. Returns the task that looks."""
    called = []

    async def answer(reader, writer):
        called[:] = [time.monotonic()]
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass  # it has called
        finally:
            writer.close()

    async def look():
        while not called or time.monotonic() - called[0] < SILENCE_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
        os._exit(0)

    await asyncio.start_server(answer, port=port)
    return asyncio.ensure_future(look())
