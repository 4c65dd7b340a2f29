# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import plan

VALUES = {
    "name": "serve-ha",
    "nodes": 3,
    "network": "10.250.0.0/24",
    "pod_network": "10.244.0.0/16",
    "service_network": "10.96.0.0/16",
    "state_dir": "/state",
    "bin_dir": "/bin",
}


def make(**changes):
    return plan.make_cluster(**{**VALUES, **changes})


def test_addresses_and_names():
    cluster = make()
    assert cluster.control_plane == plan.Host("serve-ha-cp", "10.250.0.2", "serve-hav0")
    assert [(node.name, node.address, node.pod_network) for node in cluster.nodes] == [
        ("serve-ha-1", "10.250.0.11", "10.244.1.0/24"),
        ("serve-ha-2", "10.250.0.12", "10.244.2.0/24"),
        ("serve-ha-3", "10.250.0.13", "10.244.3.0/24"),
    ]
    assert (cluster.bridge, cluster.bridge_address, cluster.dns_address) == ("serve-habr", "10.250.0.1", "10.96.0.10")


@pytest.mark.parametrize("name", ["a", "serve-ha", "a23456789012"])
def test_derived_interface_names_fit(name):
    cluster = make(name=name, nodes=9)
    assert all(len(link) <= 15 for link in [cluster.bridge, *(host.link for host in cluster.hosts)])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Serve"}, ["name", "'Serve'", "lower-case"]),
        ({"name": "a234567890123"}, ["name", "1 to 12"]),
        ({"name": "1a"}, ["name", "starting with a letter"]),
        ({"name": "a-"}, ["name"]),
        ({"nodes": 0}, ["nodes", "0", "1 to 9"]),
        ({"nodes": 10}, ["nodes", "10", "1 to 9"]),
        ({"network": "10.250.0.0"}, ["network", "10.250.0.0", "too small"]),
        ({"network": "10.250.0.1/24"}, ["network", "'10.250.0.1/24'", "not an IPv4 network"]),
        ({"network": "10.250.0.0/28"}, ["network", "10.250.0.0/28", "/27"]),
        ({"pod_network": "10.244.0.0/24"}, ["pod_network", "/20"]),
        ({"pod_network": "10.250.0.0/16"}, ["network", "overlaps", "pod_network"]),
        ({"service_network": "fd00::/112"}, ["service_network", "'fd00::/112'"]),
        ({"api_server_args": {"--v": 4}}, ["api_server_args", "'--v'", "without its dashes"]),
        ({"api_server_args": {"v": "4\n[program:x]"}}, ["api_server_args", "v is", "one line"]),
        ({"api_server_args": {"audit-log-path": "/a ;b"}}, ["api_server_args", "audit-log-path", "comment sign"]),
    ],
)
def test_bad_values_name_option_value_and_expectation(changes, words):
    with pytest.raises(ValueError, match=".") as caught:
        make(**changes)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("namespace", "ours"),
    [
        ("serve-ha-cp", True),
        ("serve-ha-1", True),
        ("serve-ha-12", True),
        ("serve-ha-x", False),
        ("serve-ha", False),
        ("other-serve-ha-1", False),
        ("serve-ha-two-1", False),
    ],
)
def test_a_namespace_of_another_cluster_is_not_ours(namespace, ours):
    assert plan.is_namespace_of("serve-ha", namespace) is ours
