# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's supervisord: started, asked and told over its own socket."""

from __future__ import annotations

import os
import resource
import sys
import time
import xmlrpc.client

try:
    from supervisor.xmlrpc import SupervisorTransport
except ImportError:
    pass  # the module that uses this reports the missing library

from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.command import run
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.plan import MARKER, Cluster

#: States of a program that keeps running by itself or is on its way there.
ALIVE = ("RUNNING", "STARTING", "BACKOFF")


def configuration_file(cluster: Cluster) -> str:
    return cluster.path("supervisord.conf")


def connect(state_dir: str):
    """A proxy for supervisord's XML-RPC interface, or None when no supervisord answers."""
    socket = os.path.join(state_dir, "supervisor.sock")
    if not os.path.exists(socket):
        return None
    server = xmlrpc.client.ServerProxy(
        "http://localhost", transport=SupervisorTransport(None, None, serverurl=f"unix://{socket}")
    )
    try:
        server.supervisor.getState()
    except (OSError, xmlrpc.client.Error):
        return None
    return server.supervisor


def start(cluster: Cluster, timeout: float = 30.0):
    """Start supervisord as a daemon; it starts every program.

    Raises:
        CommandFailed: it ended at once (its message is in the text).
        TimeoutError: it does not answer.
    """
    # Ray opens many files; containers inherit the limit by way of supervisord and containerd.
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", configuration_file(cluster)],
        {MARKER: cluster.state_dir},
        "/",
    )
    deadline = time.monotonic() + timeout
    while (server := connect(cluster.state_dir)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"supervisord does not answer after {timeout:.0f} s")
        time.sleep(0.1)
    return server


def states(server) -> dict[str, dict]:
    """Program name → what supervisord knows of it (C(statename), C(pid), C(spawnerr), C(description))."""
    return {info["name"]: info for info in server.getAllProcessInfo()}


def apply_configuration(server, restart: set[str]) -> None:
    """Take over a changed configuration, restarting only what it changes, then the programs in C(restart)."""
    added, changed, removed = server.reloadConfig()[0]
    for name in removed + changed:
        server.stopProcessGroup(name)
        server.removeProcessGroup(name)
    for name in changed + added:
        server.addProcessGroup(name)
    for name, info in states(server).items():
        if name in restart and name not in changed + added and info["statename"] in ALIVE:
            server.stopProcess(name)
            server.startProcess(name, False)
        elif info["statename"] not in ALIVE:
            server.startProcess(name, False)


def shut_down(state_dir: str, server, timeout: float = 60.0) -> None:
    """End supervisord and with it every program.

    Raises:
        TimeoutError: it is still there after C(timeout) seconds.
    """
    server.shutdown()
    deadline = time.monotonic() + timeout
    while connect(state_dir) is not None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"supervisord has not ended after {timeout:.0f} s")
        time.sleep(0.2)
