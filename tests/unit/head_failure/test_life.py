# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A load does not outlive who started it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.entries import generator_arguments
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import LocalLoad, generator_program

from .fake_server import OK, server

# What starts a load and is killed: it can do nothing about it any more.
STARTER = """
import json, sys, time
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import LocalLoad
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog

program, load = json.loads(sys.argv[1])
running = LocalLoad(program, sys.argv[2], SampleLog(load, 100.0), time.time)
running.start()
print(running._process.pid, flush=True)
time.sleep(60)
"""


def has_ended(pid):
    """Whether it is gone, or waits for a parent that does not care."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
            return stream.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_process_of_this_machine_ends_with_who_started_it(build, tmp_path):
    with server(lambda *_: [OK]) as there:
        arguments = generator_arguments(f"http://127.0.0.1:{there.port}", [build.entry()], 100.0)
        given = json.dumps([generator_program([*arguments, *LocalLoad.arguments]), [build.entry()]])
        starter = subprocess.Popen([sys.executable, "-c", STARTER, given, str(tmp_path)], stdout=subprocess.PIPE)
        pid = int(starter.stdout.readline())
        assert not has_ended(pid)
        starter.kill()
        starter.communicate()
        until = time.monotonic() + 5
        while not has_ended(pid):
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.fixture
def called(build):
    """A load that ends 1 s after the last call, and how to call it."""
    with server(lambda *_: [OK]) as there, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        arguments = generator_arguments(f"http://127.0.0.1:{there.port}", [build.entry()], 100.0)
        program = generator_program([*arguments, "--end-without-calls", str(port)])
        program = [part.replace("SILENCE_SECONDS = 30.0", "SILENCE_SECONDS = 1.0") for part in program]
        process = subprocess.Popen([sys.executable, *program], stdout=subprocess.PIPE)
        assert process.stdout.readline().startswith(b'{"hello"')

        def call():
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                return connection.recv(100).split(b"\r\n")[0]

        yield process, call
        process.kill()
        process.communicate()


def test_in_a_pod_it_ends_when_nobody_calls_any_more(called):
    process, call = called
    for _time in range(6):
        assert call() == b"HTTP/1.1 204 No Content"
        time.sleep(0.4)
    assert process.poll() is None
    assert process.wait(5) == 0


def test_in_a_pod_that_nobody_can_call_it_goes_on(called):
    process, _call = called
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
