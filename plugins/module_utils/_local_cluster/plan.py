# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a local cluster consists of: names, addresses and paths, all derived from a few options.

Pure: nothing here reads or changes the machine.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

# An interface name has at most 15 characters (IFNAMSIZ - 1); the longest we derive is "<name>v<nn>".
NAME_PATTERN = re.compile(r"^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$")
FLAG_PATTERN = re.compile(r"^[a-z][a-z0-9-]*$")
MAX_NODES = 9

#: Environment variable by which every process of a cluster is known; its value is the state directory.
MARKER = "RAYOPS_LOCAL_CLUSTER"


@dataclass(frozen=True)
class Host:
    """One "machine": a network namespace with one address on the cluster's bridge."""

    namespace: str
    address: str
    link: str  # the veth end in the root namespace


@dataclass(frozen=True)
class Node(Host):
    """A host that runs containerd, kubelet and kube-proxy; its namespace is also its node name and its cgroup."""

    pod_network: str
    directory: str

    @property
    def name(self) -> str:
        return self.namespace

    @property
    def containerd_socket(self) -> str:
        return os.path.join(self.directory, "containerd.sock")


@dataclass(frozen=True)
class Cluster:
    """A whole cluster, built by :func:`make_cluster`."""

    name: str
    state_dir: str
    bin_dir: str
    bridge: str
    bridge_address: str
    prefix_length: int
    pod_network: str
    service_network: str
    service_gateway: str  # the API server's own ClusterIP: first address of the service network
    dns_address: str  # tenth address of the service network, as kubeadm does
    control_plane: Host
    nodes: tuple[Node, ...]
    api_server_args: Mapping[str, str]  # flag without dashes → value

    @property
    def hosts(self) -> tuple[Host, ...]:
        return (self.control_plane, *self.nodes)

    @property
    def api_url(self) -> str:
        return f"https://{self.control_plane.address}:6443"

    def path(self, *parts: str) -> str:
        return os.path.join(self.state_dir, *parts)


def host_namespace(name: str, suffix: str) -> str:
    """Name of the network namespace of the control plane (C(cp)) or of the n-th node."""
    return f"{name}-{suffix}"


def is_namespace_of(name: str, namespace: str) -> bool:
    """Tell whether C(namespace) belongs to the cluster C(name), also when this cluster had more nodes once."""
    return re.fullmatch(re.escape(name) + r"-(cp|\d+)", namespace) is not None


def make_cluster(
    name: str,
    nodes: int,
    network: str,
    pod_network: str,
    service_network: str,
    state_dir: str,
    bin_dir: str,
    api_server_args: Mapping[str, object] | None = None,
) -> Cluster:
    """Lay a cluster out.

    Addresses in C(network): .1 the bridge, .2 the control plane, .11, .12, … the nodes.
    Node i gets the i-th /24 of C(pod_network).

    Raises:
        ValueError: with a message that names the option, its value and what was expected.
    """
    if not NAME_PATTERN.match(name):
        raise ValueError(f"name: {name!r} must be 1 to 12 lower-case letters, digits or '-', starting with a letter")
    if not 1 <= nodes <= MAX_NODES:
        raise ValueError(f"nodes: {nodes} must be from 1 to {MAX_NODES}")
    host_net = _network("network", network, largest_prefix=27)
    pod_net = _network("pod_network", pod_network, largest_prefix=20)
    service_net = _network("service_network", service_network, largest_prefix=24)
    pairs = [("network", host_net), ("pod_network", pod_net), ("service_network", service_net)]
    for i, (name_a, net_a) in enumerate(pairs):
        for name_b, net_b in pairs[i + 1 :]:
            if net_a.overlaps(net_b):
                raise ValueError(f"{name_a}: {net_a} overlaps {name_b}: {net_b}")
    pod_subnets = list(pod_net.subnets(new_prefix=24))
    return Cluster(
        name=name,
        state_dir=state_dir,
        bin_dir=bin_dir,
        bridge=f"{name}br",
        bridge_address=str(host_net[1]),
        prefix_length=host_net.prefixlen,
        pod_network=str(pod_net),
        service_network=str(service_net),
        service_gateway=str(service_net[1]),
        dns_address=str(service_net[10]),
        control_plane=Host(host_namespace(name, "cp"), str(host_net[2]), f"{name}v0"),
        nodes=tuple(
            Node(
                namespace=host_namespace(name, str(i)),
                address=str(host_net[10 + i]),
                link=f"{name}v{i}",
                pod_network=str(pod_subnets[i]),
                directory=os.path.join(state_dir, "nodes", host_namespace(name, str(i))),
            )
            for i in range(1, nodes + 1)
        ),
        api_server_args=_flags("api_server_args", api_server_args or {}),
    )


def _flags(option: str, given: Mapping[str, object]) -> dict[str, str]:
    """Flags of a Go program as text, truth values in its spelling."""
    for name, value in given.items():
        if not FLAG_PATTERN.match(name):
            raise ValueError(f"{option}: {name!r} is not the name of a flag without its dashes, such as audit-log-path")
        # Where supervisord's configuration would end: at the line, or at what begins a comment.
        if re.search(r"[\n\r]|\s[;#]", str(value)):
            raise ValueError(f"{option}: {name} is {value!r}, expected one line without a comment sign after a space")
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


def _network(option: str, value: str, largest_prefix: int) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{option}: {value!r} is not an IPv4 network such as 10.250.0.0/24 ({error})") from error
    if network.prefixlen > largest_prefix:
        raise ValueError(f"{option}: {value} is too small, a /{largest_prefix} or larger is needed")
    return network
