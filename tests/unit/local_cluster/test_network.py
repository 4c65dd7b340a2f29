# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import network, plan
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.command import CommandFailed

CLUSTER = plan.make_cluster("c", 2, "10.250.0.0/24", "10.244.0.0/16", "10.96.0.0/16", "/state", "/bin")
NODE = CLUSTER.nodes[0]
READY_LINKS = {
    "lo": {"up": True, "addresses": {"127.0.0.1/8"}},
    "eth0": {"up": True, "addresses": {"10.250.0.11/24"}},
    "sink": {"up": True, "addresses": set()},
}
READY_ROUTES = {"default": "dev sink", "10.244.2.0/24": "via 10.250.0.12", "10.250.0.0/24": "dev eth0"}


def test_a_new_host_gets_everything_in_order():
    commands = [" ".join(words) for words in network.host_commands(CLUSTER, NODE, False, {}, {})]
    assert commands == [
        "ip netns add c-1",
        "ip link add cv1 type veth peer name eth0 netns c-1",
        "ip link set cv1 master cbr up",
        "ip -n c-1 address add 10.250.0.11/24 dev eth0",
        "ip -n c-1 link add sink type bridge",
        "ip -n c-1 link set lo up",
        "ip -n c-1 link set eth0 up",
        "ip -n c-1 link set sink up",
        "ip -n c-1 route replace default dev sink",
        "ip -n c-1 route replace 10.244.2.0/24 via 10.250.0.12",
        "ip netns exec c-1 sysctl -qw net.ipv4.ip_forward=1",
    ]


def test_a_complete_host_needs_nothing():
    assert network.host_commands(CLUSTER, NODE, True, READY_LINKS, READY_ROUTES) == []


@pytest.mark.parametrize(
    ("links", "routes", "commands"),
    [
        (READY_LINKS, {"default": "dev sink"}, ["ip -n c-1 route replace 10.244.2.0/24 via 10.250.0.12"]),
        (
            READY_LINKS,
            {**READY_ROUTES, "10.244.2.0/24": "via 10.250.0.99"},
            ["ip -n c-1 route replace 10.244.2.0/24 via 10.250.0.12"],
        ),
        ({**READY_LINKS, "lo": {"up": False, "addresses": set()}}, READY_ROUTES, ["ip -n c-1 link set lo up"]),
    ],
)
def test_only_what_is_missing_is_done(links, routes, commands):
    assert [" ".join(words) for words in network.host_commands(CLUSTER, NODE, True, links, routes)] == commands


def test_the_control_plane_reaches_every_pod_network():
    assert network.wanted_routes(CLUSTER, CLUSTER.control_plane) == {
        "default": "dev sink",
        "10.244.1.0/24": "via 10.250.0.11",
        "10.244.2.0/24": "via 10.250.0.12",
    }


def test_what_ip_prints_is_read():
    addresses = [
        {"ifname": "lo", "flags": ["LOOPBACK", "UP"], "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]},
        {"ifname": "eth0", "flags": [], "addr_info": [{}]},
        {},
    ]
    assert network.parse_links(json.dumps(addresses)) == {
        "lo": {"up": True, "addresses": {"127.0.0.1/8"}},
        "eth0": {"up": False, "addresses": set()},
    }
    routes = [{"dst": "default", "dev": "sink"}, {"dst": "10.244.2.0/24", "gateway": "10.250.0.12", "dev": "eth0"}]
    assert network.parse_routes(json.dumps(routes)) == {"default": "dev sink", "10.244.2.0/24": "via 10.250.0.12"}


@pytest.mark.parametrize(
    ("link", "ours"), [("cbr", True), ("cv0", True), ("cv12", True), ("cvx", False), ("cc-v1", False), ("c", False)]
)
def test_links_of_another_cluster_are_not_ours(link, ours):
    assert network.is_link_of("c", link) is ours


def test_deletion_waits_until_the_kernel_is_done(monkeypatch):
    monkeypatch.setattr(network.time, "sleep", lambda seconds: None)
    answers = iter(["cv1", "cv1", ""])
    calls = []

    def run(words):
        calls.append(" ".join(words))
        if words == ["ip", "-j", "address"]:
            name = next(answers)
            return json.dumps([{"ifname": name}] if name else [])
        return ""

    network.delete(["c-1"], ["cv1"], run)
    assert calls == [
        "ip netns delete c-1",
        "ip -j address",
        "ip link delete cv1",
        "ip -j address",
        "ip link delete cv1",
        "ip -j address",
    ]


def test_an_interface_may_vanish_before_it_is_deleted(monkeypatch):
    monkeypatch.setattr(network.time, "sleep", lambda seconds: None)
    answers = iter(["cv1", ""])

    def run(words):
        if words == ["ip", "-j", "address"]:
            name = next(answers)
            return json.dumps([{"ifname": name}] if name else [])
        raise CommandFailed("Cannot find device")

    network.delete([], ["cv1"], run)


def test_deletion_ends_with_what_is_left(monkeypatch):
    monkeypatch.setattr(network.time, "sleep", lambda seconds: None)
    with pytest.raises(TimeoutError, match="cv1"):
        network.delete([], ["cv1"], lambda words: json.dumps([{"ifname": "cv1"}]), timeout=0.01)
