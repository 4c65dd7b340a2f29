# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces as machines: what they need, what they have, and the commands that close the gap.

One namespace for the control plane and one for each node, joined by a bridge in the root namespace. No route leads
out of it: each namespace's default route points at an empty bridge ("sink"), so that ClusterIP traffic of the
namespace's own processes has a route before kube-proxy rewrites it, and everything else ends there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator

from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.command import CommandFailed
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.plan import Cluster, Host, is_namespace_of

NETNS_DIR = "/run/netns"
SINK = "sink"

#: Runs a command (list of words) and returns its standard output; raises on failure.
Run = Callable[[list[str]], str]


def wanted_routes(cluster: Cluster, host: Host) -> dict[str, str]:
    """Routes of C(host): destination → C(via ADDRESS) or C(dev NAME), as C(ip route) writes them."""
    routes = {"default": f"dev {SINK}"}
    for node in cluster.nodes:
        if node.namespace != host.namespace:
            routes[node.pod_network] = f"via {node.address}"
    return routes


def host_commands(cluster: Cluster, host: Host, exists: bool, links: dict, routes: dict[str, str]) -> list[list[str]]:
    """Commands that bring one namespace from its present state to the wanted one.

    Args:
        exists: whether the namespace is there.
        links: name → {"up": bool, "addresses": set of "a.b.c.d/len"} in the namespace.
        routes: as of :func:`wanted_routes`, read from the namespace.
    """
    namespace = host.namespace
    inside = ["ip", "-n", namespace]
    commands: list[list[str]] = []
    if not exists:
        commands.append(["ip", "netns", "add", namespace])
    if "eth0" not in links:
        commands.append(["ip", "link", "add", host.link, "type", "veth", "peer", "name", "eth0", "netns", namespace])
        commands.append(["ip", "link", "set", host.link, "master", cluster.bridge, "up"])
    address = f"{host.address}/{cluster.prefix_length}"
    if address not in links.get("eth0", {}).get("addresses", ()):
        commands.append([*inside, "address", "add", address, "dev", "eth0"])
    if SINK not in links:
        commands.append([*inside, "link", "add", SINK, "type", "bridge"])
    for link in ("lo", "eth0", SINK):
        if not links.get(link, {}).get("up"):
            commands.append([*inside, "link", "set", link, "up"])
    for destination, target in wanted_routes(cluster, host).items():
        if routes.get(destination) != target:
            commands.append([*inside, "route", "replace", destination, *target.split()])
    if not exists:
        commands.append(["ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.ip_forward=1"])
    return commands


def bridge_commands(cluster: Cluster, links: dict) -> list[list[str]]:
    """Commands that make the bridge in the root namespace; C(links) as in :func:`host_commands`."""
    commands: list[list[str]] = []
    bridge = links.get(cluster.bridge)
    if bridge is None:
        commands.append(["ip", "link", "add", cluster.bridge, "type", "bridge"])
    address = f"{cluster.bridge_address}/{cluster.prefix_length}"
    if bridge is None or address not in bridge["addresses"]:
        commands.append(["ip", "address", "add", address, "dev", cluster.bridge])
    if bridge is None or not bridge["up"]:
        commands.append(["ip", "link", "set", cluster.bridge, "up"])
    return commands


def parse_links(text: str) -> dict:
    """Read the output of C(ip -j address)."""
    return {
        link["ifname"]: {
            "up": "UP" in link.get("flags", ()),
            "addresses": {f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", ()) if "local" in a},
        }
        for link in json.loads(text or "[]")
        if "ifname" in link
    }


def parse_routes(text: str) -> dict[str, str]:
    """Read the output of C(ip -j route)."""
    return {
        route["dst"]: f"via {route['gateway']}" if "gateway" in route else f"dev {route['dev']}"
        for route in json.loads(text or "[]")
    }


def pending(cluster: Cluster, run: Run) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield (namespace or bridge name, commands) for everything that is not as it should be."""
    commands = bridge_commands(cluster, parse_links(run(["ip", "-j", "address"])))
    if commands:
        yield cluster.bridge, commands
    for host in cluster.hosts:
        exists = os.path.exists(os.path.join(NETNS_DIR, host.namespace))
        links = parse_links(run(["ip", "-n", host.namespace, "-j", "address"])) if exists else {}
        routes = parse_routes(run(["ip", "-n", host.namespace, "-j", "route"])) if exists else {}
        commands = host_commands(cluster, host, exists, links, routes)
        if commands:
            yield host.namespace, commands


def namespaces_of(name: str) -> list[str]:
    """Network namespaces on this machine that belong to the cluster C(name)."""
    if not os.path.isdir(NETNS_DIR):
        return []
    return sorted(entry for entry in os.listdir(NETNS_DIR) if is_namespace_of(name, entry))


def links_of(name: str, run: Run) -> list[str]:
    """Interfaces of the root namespace that belong to the cluster C(name)."""
    return sorted(link for link in parse_links(run(["ip", "-j", "address"])) if is_link_of(name, link))


def delete(namespaces: list[str], links: list[str], run: Run, timeout: float = 15.0) -> None:
    """Delete namespaces (their interfaces and packet-filter rules go with them) and interfaces of the root namespace.

    The kernel takes a namespace apart in the background, when its last process has ended, and with it the interfaces that
    lead there. So an interface may vanish by itself between two looks, and one of the same name cannot be made before
    ("File exists"): this ends when all of them are gone.

    Raises:
        TimeoutError: interfaces are still there after C(timeout) seconds.
    """
    for namespace in namespaces:
        run(["ip", "netns", "delete", namespace])
    deadline = time.monotonic() + timeout
    while left := sorted(set(links) & set(parse_links(run(["ip", "-j", "address"])))):
        refused = ""
        for link in left:
            try:
                run(["ip", "link", "delete", link])
            except CommandFailed as error:
                refused = str(error)  # gone meanwhile, or still being taken apart: the next look tells
        if time.monotonic() > deadline:
            raise TimeoutError(f"interfaces still there after {timeout:.0f} s: {', '.join(left)} {refused}".strip())
        time.sleep(0.2)


def is_link_of(name: str, link: str) -> bool:
    """Tell whether an interface of the root namespace belongs to the cluster C(name)."""
    return link == f"{name}br" or (link.startswith(f"{name}v") and link[len(name) + 1 :].isdigit())
