# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import configparser
import json
import shlex
import tomllib

from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import configs, plan

CLUSTER = plan.make_cluster("c", 2, "10.250.0.0/24", "10.244.0.0/16", "10.96.0.0/16", "/state", "/bin")
FILES = configs.files(CLUSTER, "pause:1")


def supervisord(content=None, fingerprint="f", cluster=CLUSTER):
    parser = configparser.RawConfigParser()
    parser.read_string(configs.supervisord(cluster, content or FILES, "/usr/bin", fingerprint))
    return parser


def test_every_file_can_be_read_by_its_component():
    for path, text in FILES.items():
        if path.endswith(".toml"):
            assert tomllib.loads(text)["plugins"]["io.containerd.grpc.v1.cri"]["sandbox_image"] == "pause:1"
        else:
            assert json.loads(text)


def test_nodes_share_no_path_no_address_and_no_control_group():
    first, second = (
        json.loads(FILES[f"{node.directory}/kubelet.yaml"]) | json.loads(FILES[f"{node.directory}/cni/10-pods.conflist"])
        for node in CLUSTER.nodes
    )
    for key in ("address", "cgroupRoot", "containerRuntimeEndpoint", "podLogsDir", "tlsCertFile"):
        assert first[key] != second[key]
    assert first["plugins"][0]["ipam"]["ranges"] != second["plugins"][0]["ipam"]["ranges"]


def test_nothing_listens_outside_the_clusters_network():
    for _name, (_host, command) in configs.programs(CLUSTER).items():
        for word in command:
            if "address=" in word or "listen" in word:
                assert "127.0.0.1" in word or "10.250.0." in word, word
    for node in CLUSTER.nodes:
        proxy = json.loads(FILES[f"{node.directory}/kube-proxy.yaml"])
        assert proxy["bindAddress"] == node.address
        assert json.loads(FILES[f"{node.directory}/kubelet.yaml"])["address"] == node.address


def test_each_program_runs_in_its_hosts_namespace_and_bears_the_mark():
    parser = supervisord()
    programs = [section for section in parser.sections() if section.startswith("program:")]
    assert len(programs) == 4 + 3 * 2
    for section in programs:
        name = section.removeprefix("program:")
        host = configs.programs(CLUSTER)[name][0]
        assert parser[section]["command"].startswith(f"nsenter --net=/run/netns/{host.namespace} ")
        assert 'RAYOPS_LOCAL_CLUSTER="/state"' in parser[section]["environment"]
        assert parser[section]["autorestart"] == "true"


def test_a_changed_file_restarts_only_the_programs_that_read_it():
    kubelet = f"{CLUSTER.nodes[0].directory}/kubelet.yaml"
    before, after = supervisord(), supervisord({**FILES, kubelet: "{}"})
    changed = [name for name in before.sections() if dict(before[name]) != dict(after[name])]
    assert changed == ["program:c-1-kubelet"]


def test_new_certificates_restart_everything():
    before, after = supervisord(), supervisord(fingerprint="g")
    changed = [name for name in before.sections() if dict(before[name]) != dict(after[name])]
    assert len(changed) == 10


def test_flags_of_the_api_server():
    """They stand beside the cluster's own, or in place of them, as one word each, and restart the API server only."""
    flags = {"authentication-token-webhook-config-file": "/a b%c", "authorization-mode": "RBAC", "profiling": False}
    cluster = plan.make_cluster("c", 2, "10.250.0.0/24", "10.244.0.0/16", "10.96.0.0/16", "/state", "/bin", flags)
    _host, command = configs.programs(cluster)["kube-apiserver"]
    assert command[-3:] == [
        "--authentication-token-webhook-config-file=/a b%c",
        "--authorization-mode=RBAC",
        "--profiling=false",
    ]
    assert "--authorization-mode=Node,RBAC" not in command
    assert "--secure-port=6443" in command
    before, after = supervisord(), supervisord(cluster=cluster)
    changed = [name for name in before.sections() if dict(before[name]) != dict(after[name])]
    assert changed == ["program:kube-apiserver"]
    assert before["program:kube-apiserver"]["environment"] != after["program:kube-apiserver"]["environment"]
    # As supervisord reads it: expanded, then split as a shell would.
    words = shlex.split(after["program:kube-apiserver"]["command"].replace("%%", "%"))
    assert words[2:] == command
