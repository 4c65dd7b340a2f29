#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: local_cluster
short_description: Run a real multi-node Kubernetes on this machine
version_added: 0.1.0
author:
  - The rayops.serve_ha authors (@rayops)
description:
  - Runs etcd, the Kubernetes control plane and several nodes (containerd, kubelet, kube-proxy) on one Linux machine, each
    node in a network namespace of its own, all of them under one supervisord.
  - Started again, it starts what is missing, takes away what a killed machine or killed processes left behind, and
    changes nothing else.
  - Nothing listens on an address of the machine itself. The API server is reached over a bridge whose network has no
    route out.
requirements:
  - root on Linux
  - containerd, runc, iptables, conntrack, iproute2 and the CNI plugins (Debian packages containerd, runc, iptables,
    conntrack, iproute2, containernetworking-plugins)
  - The Python libraries cryptography and supervisor
extends_documentation_fragment:
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - Name of the cluster, at most 12 letters, digits or C(-). Its nodes are called C(<name>-1), C(<name>-2) and so on.
      - Clusters with different O(name), O(network) and O(state_dir) live side by side.
    type: str
    required: true
  state:
    description:
      - With V(present) the cluster runs and all its nodes are ready.
      - With V(absent) its processes, namespaces, mounts, control groups, interfaces and files are removed.
    type: str
    choices: [present, absent]
    default: present
  nodes:
    description: Number of nodes, from 1 to 9.
    type: int
    default: 3
  network:
    description: Network of the bridge that joins the nodes, at least a /27.
    type: str
    default: 10.250.0.0/24
  pod_network:
    description: Network of the pods, at least a /20. Each node gets a /24 of it.
    type: str
    default: 10.244.0.0/16
  service_network:
    description: Network of the services, at least a /24.
    type: str
    default: 10.96.0.0/16
  state_dir:
    description: Directory that holds everything the cluster writes. It is removed with O(state=absent).
    type: path
    required: true
  bin_dir:
    description:
      - Directory with C(etcd), C(kube-apiserver), C(kube-controller-manager), C(kube-scheduler), C(kubelet),
        C(kube-proxy) and C(kubectl).
      - Required with O(state=present).
    type: path
  images:
    description:
      - Images that every node shall have, as a mapping of the image reference to the path of its archive.
    type: dict
    default: {}
  pause_image:
    description:
      - Reference of the image of the pods' sandboxes, one of O(images).
      - Required with O(state=present).
    type: str
  api_server_args:
    description:
      - Flags of C(kube-apiserver) without their dashes, beside those that the cluster needs, or in place of those of the same
        name. A changed value restarts the API server; the changed content of a file that a value names does not.
    type: dict
    default: {}
  timeout:
    description: Seconds until every node has to be ready.
    type: int
    default: 180
seealso:
  - module: rayops.serve_ha.container_image
  - module: rayops.serve_ha.go_tools
"""

EXAMPLES = r"""
- name: Run a Kubernetes with three nodes
  rayops.serve_ha.local_cluster:
    name: serve-ha
    state_dir: /var/lib/rayops/serve-ha
    bin_dir: /root/.cache/rayops.serve_ha/go/cluster/bin
    pause_image: localhost/rayops/pause:1
    images:
      localhost/rayops/pause:1: /root/.cache/rayops.serve_ha/images/pause.tar

- name: Remove it
  rayops.serve_ha.local_cluster:
    name: serve-ha
    state: absent
    state_dir: /var/lib/rayops/serve-ha
"""

RETURN = r"""
actions:
  description: What was done, or in check mode what would be done.
  returned: always
  type: list
  elements: str
  sample:
    - connect serve-ha-1
    - start serve-ha-1-kubelet
kubeconfig:
  description: Path of a kubeconfig with all rights.
  returned: when O(state=present)
  type: str
  sample: /var/lib/rayops/serve-ha/kubeconfig
nodes:
  description: Names of the nodes.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [serve-ha-1, serve-ha-2, serve-ha-3]
dns_address:
  description: ClusterIP at which the kubelets expect the cluster's DNS service.
  returned: when O(state=present)
  type: str
  sample: 10.96.0.10
"""

import json
import os
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import lifecycle, supervise
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.command import CommandFailed, run
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.plan import Cluster, make_cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report

MISSING = []
for library in ("cryptography", "supervisor"):
    try:
        __import__(library)
    except ImportError:
        MISSING.append((library, traceback.format_exc()))


def perform(module: AnsibleModule, actions: list[lifecycle.Action], done: list[str]) -> None:
    """Carry actions out, or only note them in check mode."""
    for action in actions:
        done.append(action.text)
        if not module.check_mode:
            report(action.text)
            action.run()


def wait_until(what, timeout: float, interval: float = 0.3, progress_interval: float = 10.0) -> None:
    """Call C(what()) until it returns no complaint.

    Raises:
        TimeoutError: with the last complaint.
    """
    start = time.monotonic()
    reported = start
    while complaint := what():
        now = time.monotonic()
        if now - start > timeout:
            raise TimeoutError(f"after {timeout:.0f} s: {complaint}")
        if now - reported > progress_interval:
            report(f"waiting: {complaint}")
            reported = now
        time.sleep(interval)


def kubectl(cluster: Cluster, *arguments: str) -> str:
    return run([f"{cluster.bin_dir}/kubectl", f"--kubeconfig={cluster.path('kubeconfig')}", *arguments])


def api_complaint(cluster: Cluster) -> str:
    """Empty when the API server is ready; names a component that supervisord has given up on."""
    server = supervise.connect(cluster.state_dir)
    if server is None:
        raise CommandFailed("supervisord has ended; see " + cluster.path("log", "supervisord.log"))
    for name, info in supervise.states(server).items():
        if info["statename"] == "FATAL":
            tail = server.tailProcessStdoutLog(name, 0, 2000)[0]
            raise CommandFailed(f"{name} does not start: {info['spawnerr']}\n{tail}")
    try:
        kubectl(cluster, "get", "--raw", "/readyz")
    except CommandFailed as error:
        return f"the API server is not ready: {error}"
    return ""


def nodes_complaint(cluster: Cluster) -> str:
    """Empty when every node is ready."""
    try:
        items = json.loads(kubectl(cluster, "get", "nodes", "-o", "json"))["items"]
    except CommandFailed as error:
        return str(error)
    state = {node.name: "not registered" for node in cluster.nodes}
    for item in items:
        for condition in item.get("status", {}).get("conditions", ()):
            if condition["type"] == "Ready" and item["metadata"]["name"] in state:
                ready = condition["status"] == "True"
                state[item["metadata"]["name"]] = "" if ready else condition.get("message", "not ready")
    return "; ".join(f"node {name}: {text}" for name, text in state.items() if text)


def import_images(cluster: Cluster, archives: dict[str, str], done: list[str]) -> None:
    """Give every node every image, two imports at a time: an import keeps about one core busy."""
    wait_until(
        lambda: "; ".join(
            f"containerd of {node.name} does not answer" for node in cluster.nodes if not containerd_answers(node)
        ),
        timeout=60,
    )
    missing = lifecycle.images_missing(cluster, archives)
    if not missing:
        return
    counter = iter(range(1, len(missing) + 1))

    def work(item: tuple[str, str, str]) -> None:
        node, reference, archive = item
        lifecycle.import_image(cluster, node, archive)
        report(f"image {next(counter)} of {len(missing)}: {reference} is on {node}")

    done.append(f"import {len(missing)} images")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, missing))


def containerd_answers(node) -> bool:
    if not os.path.exists(node.containerd_socket):
        return False
    try:
        run(["ctr", "-a", node.containerd_socket, "version"])
    except CommandFailed:
        return False
    return True


def present(module: AnsibleModule, cluster: Cluster, done: list[str]) -> None:
    archives = module.params["images"]
    perform(module, lifecycle.heal(cluster), done)
    perform(module, lifecycle.certificates(cluster), done)
    perform(module, lifecycle.configuration(cluster, module.params["pause_image"]), done)
    perform(module, lifecycle.machines(cluster), done)
    perform(module, lifecycle.components(cluster), done)
    if module.check_mode:
        return
    deadline = time.monotonic() + module.params["timeout"]
    # Images and control plane do not need each other: side by side.
    with ThreadPoolExecutor(1) as pool:
        images = pool.submit(import_images, cluster, archives, done)
        wait_until(lambda: api_complaint(cluster), module.params["timeout"])
        wait_until(lambda: nodes_complaint(cluster), max(1.0, deadline - time.monotonic()))
        images.result()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "nodes": {"type": "int", "default": 3},
            "network": {"type": "str", "default": "10.250.0.0/24"},
            "pod_network": {"type": "str", "default": "10.244.0.0/16"},
            "service_network": {"type": "str", "default": "10.96.0.0/16"},
            "state_dir": {"type": "path", "required": True},
            "bin_dir": {"type": "path"},
            "images": {"type": "dict", "default": {}},
            "pause_image": {"type": "str"},
            "api_server_args": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 180},
        },
        required_if=[("state", "present", ["bin_dir", "pause_image"])],
        supports_check_mode=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib(MISSING[0][0]), exception=MISSING[0][1])
    if os.geteuid() != 0:
        module.fail_json(msg="A local cluster needs root: network namespaces, mounts and control groups.")
    params = module.params
    try:
        cluster = make_cluster(
            params["name"],
            params["nodes"],
            params["network"],
            params["pod_network"],
            params["service_network"],
            params["state_dir"],
            params["bin_dir"] or "",
            params["api_server_args"],
        )
    except ValueError as error:
        module.fail_json(msg=str(error))

    done: list[str] = []
    result: dict = {"actions": done}
    try:
        if params["state"] == "absent":
            perform(module, lifecycle.removal(cluster.name, cluster.state_dir), done)
        else:
            present(module, cluster, done)
            result |= {
                "kubeconfig": cluster.path("kubeconfig"),
                "nodes": [node.name for node in cluster.nodes],
                "dns_address": cluster.dns_address,
            }
    except (CommandFailed, TimeoutError, OSError) as error:
        module.fail_json(msg=f"Local cluster {cluster.name}: {error}", **result)
    if module._diff:
        result["diff"] = {"prepared": "".join(f"+ {text}\n" for text in done)}
    module.exit_json(changed=bool(done), **result)


if __name__ == "__main__":
    main()
