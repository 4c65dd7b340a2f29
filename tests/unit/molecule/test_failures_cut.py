# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the failure lab does to a local cluster, and that all of it is put right, once."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import configs, network, plan, supervise

MODULE = runpy.run_path(str(Path(__file__).parents[3] / "molecule" / "failures" / "cut.py"))
CLUSTER = plan.make_cluster("lab", 2, "10.250.0.0/24", "10.244.0.0/16", "10.96.0.0/16", "/state", "/bin")
NODES = [node.name for node in CLUSTER.nodes]
UP = {link: {"up": True, "addresses": set()} for link in ("lo", "labbr", "labv0", "labv1", "labv2")}
# What else stands in that chain, and may be worded like ours.
OTHERS = """-P FORWARD ACCEPT
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctorigdst 10.96.7.7 -j DROP
"""
OURS = "-A FORWARD -m conntrack --ctorigdst 10.96.7.7 -m comment --comment rayops-cut -j DROP\n"


def texts(commands: list[list[str]]) -> list[str]:
    return [" ".join(command) for command in commands]


def test_a_nodes_cable_is_the_local_clusters() -> None:
    assert [MODULE["link_of"](node.name) for node in CLUSTER.nodes] == [node.link for node in CLUSTER.nodes]
    assert all(network.is_link_of("lab", MODULE["link_of"](name)) for name in NODES)


def test_a_cable_is_pulled_and_plugged_in_once() -> None:
    down = {**UP, "labv2": {"up": False, "addresses": set()}}
    assert texts(MODULE["switch"](UP, ["lab-2"], up=False)) == ["ip link set labv2 down"]
    assert MODULE["switch"](down, ["lab-2"], up=False) == []
    assert texts(MODULE["switch"](down, NODES, up=True)) == ["ip link set labv2 up"]
    assert MODULE["switch"](UP, NODES, up=True) == []


def test_an_address_is_blocked_once() -> None:
    expected = "iptables -w 10 -t mangle -I FORWARD -m conntrack --ctorigdst {} -m comment --comment rayops-cut -j DROP"
    assert texts(MODULE["block"](OTHERS, "FORWARD", "10.96.7.7")) == [expected.format("10.96.7.7")]
    assert MODULE["block"](OTHERS + OURS, "FORWARD", "10.96.7.7") == []
    # Neither a part of an address nor another one.
    assert texts(MODULE["block"](OTHERS + OURS, "FORWARD", "10.96.7.70")) == [expected.format("10.96.7.70")]


def test_a_node_is_parted_from_the_control_plane_once() -> None:
    commands = texts(MODULE["part"](OTHERS + OURS, "10.250.0.2"))
    assert commands == [
        "iptables -w 10 -t mangle -I PREROUTING -s 10.250.0.2 -m comment --comment rayops-cut -j DROP",
        "iptables -w 10 -t mangle -I POSTROUTING -d 10.250.0.2 -m comment --comment rayops-cut -j DROP",
    ]
    # As iptables prints them.
    printed = "".join(
        f"-A {chain} {way} 10.250.0.2/32 -m comment --comment rayops-cut -j DROP\n"
        for chain, way in (("PREROUTING", "-s"), ("POSTROUTING", "-d"))
    )
    assert MODULE["part"](OTHERS + printed, "10.250.0.2") == []
    assert texts(MODULE["unblock"](OTHERS + printed)) == [
        "iptables -w 10 -t mangle -D PREROUTING -s 10.250.0.2/32 -m comment --comment rayops-cut -j DROP",
        "iptables -w 10 -t mangle -D POSTROUTING -d 10.250.0.2/32 -m comment --comment rayops-cut -j DROP",
    ]


def test_only_rules_of_ours_are_taken_away() -> None:
    second = OURS.replace("FORWARD", "OUTPUT")
    assert texts(MODULE["unblock"](OTHERS + OURS + second)) == [
        f"iptables -w 10 -t mangle -D {chain} -m conntrack --ctorigdst 10.96.7.7 -m comment --comment rayops-cut -j DROP"
        for chain in ("FORWARD", "OUTPUT")
    ]
    assert MODULE["unblock"](OTHERS) == []


@pytest.mark.parametrize("node", NODES)
def test_the_programs_of_a_machine(node: str) -> None:
    states = {name: {"statename": "RUNNING"} for name in configs.programs(CLUSTER)}
    states["lab-10-kubelet"] = {"statename": "STOPPED"}
    expected = [f"{node}-containerd", f"{node}-kube-proxy", f"{node}-kubelet"]
    assert MODULE["programs_of"](node, states, alive=True) == expected
    assert MODULE["programs_of"](node, states, alive=False) == []
    states |= {f"{node}-kubelet": {"statename": "STOPPED"}, f"{node}-containerd": {"statename": supervise.ALIVE[-1]}}
    assert MODULE["programs_of"](node, states, alive=True) == expected[:2]
    assert MODULE["programs_of"](node, states, alive=False) == expected[2:]


def test_who_is_said_not_to_come_back() -> None:
    taints = {
        "lab-1": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}],
        "lab-2": [{"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}],
    }
    nodes = [{"metadata": {"name": name}, "spec": {"taints": given}} for name, given in taints.items()]
    assert MODULE["out_of_service"]({"items": [*nodes, {"metadata": {"name": "lab-3"}, "spec": {}}]}) == ["lab-2"]
