# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster leaves on a machine beside files: processes, control groups, mounts, sockets.

Everything is found by marks that the cluster's own configuration sets: an environment variable on its programs, a
control group named after each node, mounts below the state directory. Nothing is found by a program's name alone.
"""

from __future__ import annotations

import glob
import os
import signal
import time
from collections.abc import Callable, Iterable

from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.plan import MARKER, is_namespace_of

CGROUP_ROOT = "/sys/fs/cgroup"
SHIM = "containerd-shim"
#: Directory of kubelet for links to the logs of all pods; its place cannot be configured.
CONTAINER_LOGS = "/var/log/containers"


def marked(state_dir: str) -> dict[int, str]:
    """Living processes started by the cluster with this state directory, shims included: process id → name."""
    mark = f"{MARKER}={state_dir}".encode()
    found = {}
    for directory in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{directory}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    with open(f"{directory}/comm", encoding="utf-8") as comm:
                        found[int(os.path.basename(directory))] = comm.read().strip()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended while we looked, or a kernel thread
    return found


def programs(state_dir: str) -> dict[int, str]:
    """Like :func:`marked` without shims, which outlive containerd on purpose so that containers do."""
    return {pid: name for pid, name in marked(state_dir).items() if not name.startswith(SHIM)}


def hierarchies() -> list[str]:
    """Mounted control-group hierarchies: one for each controller in version 1, a single one in version 2."""
    if os.path.exists(f"{CGROUP_ROOT}/cgroup.procs"):
        return [CGROUP_ROOT]
    return [
        directory
        for directory in sorted(glob.glob(f"{CGROUP_ROOT}/*"))
        if os.path.exists(f"{directory}/cgroup.procs") and not os.path.islink(directory)
    ]


def missing_cgroups(names: Iterable[str]) -> list[str]:
    """Directories of the nodes' control groups that are not there yet."""
    return [
        path for name in names for root in hierarchies() if not os.path.isdir(path := os.path.join(root, name))
    ]


def make_cgroup(path: str) -> None:
    """Make one control group; in the cpuset hierarchy of version 1 it starts without any processor: copy the root's."""
    os.makedirs(path, exist_ok=True)
    root = os.path.dirname(path)
    for file in ("cpuset.cpus", "cpuset.mems"):
        if os.path.exists(f"{path}/{file}") and os.path.exists(f"{root}/{file}"):
            with open(f"{root}/{file}", encoding="utf-8") as source:
                value = source.read()
            with open(f"{path}/{file}", "w", encoding="utf-8") as target:
                target.write(value)
    if os.path.exists(f"{root}/cgroup.controllers"):  # version 2: hand every controller down
        with open(f"{root}/cgroup.controllers", encoding="utf-8") as file:
            controllers = file.read().split()
        for directory in (root, path):
            with open(f"{directory}/cgroup.subtree_control", "w", encoding="utf-8") as file:
                file.write(" ".join(f"+{controller}" for controller in controllers))


def cgroups_of(cluster: str) -> list[str]:
    """Control groups of the cluster's nodes, those of earlier, larger shapes included."""
    return [path for root in hierarchies() for path in glob.glob(f"{root}/{cluster}-*") if is_namespace_of(cluster, os.path.basename(path))]


def in_cgroups(paths: Iterable[str]) -> set[int]:
    """Processes anywhere below these control groups: the containers and their init processes."""
    found: set[int] = set()
    for path in paths:
        for directory, _names, files in os.walk(path):
            if "cgroup.procs" in files:
                try:
                    with open(f"{directory}/cgroup.procs", encoding="utf-8") as file:
                        found.update(int(pid) for pid in file.read().split() if pid != "0")
                except OSError:
                    continue  # removed while we looked
    return found


def remove_cgroups(paths: Iterable[str]) -> None:
    """Remove control groups, deepest first; they must be empty."""
    for path in paths:
        for directory, _names, _files in os.walk(path, topdown=False):
            os.rmdir(directory)


def kill(find, timeout: float = 30.0) -> None:
    """Kill what C(find()) returns (an iterable of process ids) until it returns nothing more.

    Raises:
        TimeoutError: some are still there after C(timeout) seconds (stuck in the kernel).
    """
    deadline = time.monotonic() + timeout
    while alive := set(find()) - {os.getpid()}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes that do not end: {', '.join(map(str, sorted(alive)))}")
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.1)


def mounts_below(directory: str, text: str | None = None) -> list[str]:
    """Mount points below a directory, deepest first; C(text) is the content of /proc/mounts (read when None)."""
    if text is None:
        with open("/proc/mounts", encoding="utf-8") as file:
            text = file.read()
    # The kernel writes a space in a path as \\040.
    points = [line.split()[1].replace("\\040", " ") for line in text.splitlines() if line]
    return sorted((point for point in points if point.startswith(directory + "/")), reverse=True)


def unmount_below(directory: str, run: Callable[[list[str]], str]) -> None:
    for point in mounts_below(directory):
        run(["umount", point])


def shim_sockets(state_dir: str) -> list[str]:
    """Sockets of the cluster's shims; they lie in a directory shared with other containerds on this machine."""
    sockets = []
    for file in glob.glob(f"{state_dir}/nodes/*/containerd/state/io.containerd.runtime.v2.task/k8s.io/*/address"):
        with open(file, encoding="utf-8") as content:
            sockets.append(content.read().strip().removeprefix("unix://"))
    return [path for path in sockets if os.path.exists(path)]


def log_links(state_dir: str) -> list[str]:
    """Links that the cluster's kubelets made in the common directory of container logs."""
    return [
        path
        for path in glob.glob(f"{CONTAINER_LOGS}/*")
        if os.path.islink(path) and os.readlink(path).startswith(state_dir + "/")
    ]


def network_namespace(path: str) -> int | None:
    """Inode of a network namespace (C(/run/netns/NAME) or C(/proc/PID/ns/net)); None if it is not there."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
