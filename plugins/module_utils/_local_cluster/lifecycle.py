# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is there to what is wanted: each function looks at one layer and returns the actions still to do.

An action is a text for the user and a callable. Looking changes nothing, so check mode is: look, do not call.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import (
    configs,
    network,
    pki,
    processes,
    supervise,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.command import run
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.plan import Cluster


class Action(NamedTuple):
    text: str
    run: Callable[[], None]


def heal(cluster: Cluster) -> list[Action]:
    """What a killed supervisord, a killed machine or a smaller shape has left behind."""
    actions = []
    server = supervise.connect(cluster.state_dir)
    if server is None and (stray := processes.programs(cluster.state_dir)):
        actions.append(
            Action(
                f"kill {len(stray)} processes that no supervisord looks after",
                lambda: processes.kill(lambda: processes.programs(cluster.state_dir)),
            )
        )
    wanted = {host.namespace for host in cluster.hosts}
    for namespace in network.namespaces_of(cluster.name):
        if namespace not in wanted:
            actions.append(Action(f"remove node {namespace}", lambda name=namespace: _remove_node(cluster, name)))
    for node in cluster.nodes:
        groups = [path for path in processes.cgroups_of(cluster.name) if os.path.basename(path) == node.name]
        if not os.path.exists(f"{network.NETNS_DIR}/{node.namespace}") and processes.in_cgroups(groups):
            actions.append(
                Action(
                    f"kill the containers of {node.name}, whose network is gone",
                    lambda paths=groups: processes.kill(lambda: processes.in_cgroups(paths)),
                )
            )
    # An interface that leads into a namespace without a name.
    known = set(network.links_of(cluster.name, run))
    dangling = [
        host.link
        for host in cluster.hosts
        if host.link in known and not os.path.exists(f"{network.NETNS_DIR}/{host.namespace}")
    ]
    if dangling:
        actions.append(Action(f"remove {', '.join(dangling)}", lambda: network.delete([], dangling, run)))
    return actions


def _remove_node(cluster: Cluster, namespace: str) -> None:
    directory = cluster.path("nodes", namespace)
    server = supervise.connect(cluster.state_dir)
    if server is not None:
        for name in supervise.states(server):
            if name.startswith(f"{namespace}-"):
                server.stopProcessGroup(name)
                server.removeProcessGroup(name)
    groups = [path for path in processes.cgroups_of(cluster.name) if os.path.basename(path) == namespace]
    processes.kill(lambda: processes.in_cgroups(groups))
    links = [f"{cluster.name}v{namespace.rsplit('-', 1)[1]}"]
    network.delete([namespace], [link for link in links if link in network.links_of(cluster.name, run)], run)
    processes.remove_cgroups(groups)
    processes.unmount_below(directory, run)
    shutil.rmtree(directory, ignore_errors=False)
    if server is not None:
        run([f"{cluster.bin_dir}/kubectl", f"--kubeconfig={cluster.path('kubeconfig')}", "delete", "node", namespace])


def certificates(cluster: Cluster) -> list[Action]:
    now = datetime.datetime.now(datetime.UTC)
    actions = []
    if pki.authority_is_outdated(cluster, now):
        actions.append(Action("make the certificate authority", lambda: pki.make_authority(cluster, now)))
        stale = pki.identities(cluster)
    else:
        stale = pki.outdated(cluster, now)
    for identity in stale:
        actions.append(
            Action(
                f"make the certificate of {identity.common_name}",
                lambda who=identity: pki.make_certificate(cluster, who, now),
            )
        )
    return actions


def configuration(cluster: Cluster, pause_image: str) -> list[Action]:
    """Configuration files that are missing or differ, supervisord's last."""
    content = configs.files(cluster, pause_image)
    actions = [
        Action(f"write {path}", lambda path=path, text=text: write(path, text))
        for path, text in content.items()
        if read(path) != text
    ]
    for directory in (cluster.path("log"), cluster.path("etcd")):
        if not os.path.isdir(directory):
            actions.append(Action(f"make {directory}", lambda path=directory: os.makedirs(path, mode=0o700)))
    path = supervise.configuration_file(cluster)

    # The fingerprint covers certificates that only exist once the actions before have run: made when it is written.
    def text() -> str:
        return configs.supervisord(cluster, content, _search_path(), fingerprint(cluster))

    if actions or read(path) != text():
        actions.append(Action(f"write {path}", lambda: write(path, text())))
    return actions


def fingerprint(cluster: Cluster) -> str:
    """Digest of all certificates."""
    digest = hashlib.sha256()
    for identity in pki.identities(cluster):
        digest.update((read(pki.certificate_file(cluster, identity.file)) or "").encode())
    return digest.hexdigest()


def _search_path() -> str:
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def machines(cluster: Cluster) -> list[Action]:
    """Network namespaces, their links and routes, and the nodes' control groups."""
    actions = [
        Action(f"connect {name}", lambda commands=commands: [run(command) for command in commands] and None)
        for name, commands in network.pending(cluster, run)
    ]
    missing = processes.missing_cgroups(node.name for node in cluster.nodes)
    if missing:
        actions.append(
            Action(
                f"make {len(missing)} control groups",
                lambda: [processes.make_cgroup(path) for path in missing] and None,
            )
        )
    return actions


def components(cluster: Cluster) -> list[Action]:
    """Processes: none at all (start supervisord), some missing, or some that run on an old configuration."""
    server = supervise.connect(cluster.state_dir)
    if server is None:
        return [Action("start supervisord and with it every component", lambda: supervise.start(cluster) and None)]
    known = supervise.states(server)
    wanted = configs.programs(cluster)
    down = sorted(name for name in wanted if known.get(name, {}).get("statename") not in supervise.ALIVE)
    strangers = {
        name
        for name, (host, _command) in wanted.items()
        if known.get(name, {}).get("pid")
        and processes.network_namespace(f"/proc/{known[name]['pid']}/ns/net")
        != processes.network_namespace(f"{network.NETNS_DIR}/{host.namespace}")
    }
    stale = _reads_old_configuration(cluster, known)
    if not (down or strangers or stale):
        return []
    names = ", ".join(sorted({*down, *strangers, *stale}))
    return [Action(f"start {names}", lambda: supervise.apply_configuration(server, strangers))]


def _reads_old_configuration(cluster: Cluster, known: dict[str, dict]) -> set[str]:
    """Running programs whose environment carries another configuration digest than supervisord.conf does now."""
    digests = {}
    name = ""
    for line in (read(supervise.configuration_file(cluster)) or "").splitlines():
        if line.startswith("[program:"):
            name = line[len("[program:") : -1]
        elif line.startswith("environment="):
            digests[name] = line.split('RAYOPS_CONFIG="')[1].split('"')[0]
    stale = set()
    for program, info in known.items():
        try:
            with open(f"/proc/{info['pid']}/environ", encoding="utf-8", errors="replace") as file:
                running = dict(entry.split("=", 1) for entry in file.read().split("\0") if "=" in entry)
        except OSError:
            continue  # not running: another look's business
        if running.get("RAYOPS_CONFIG") != digests.get(program):
            stale.add(program)
    return stale


def images_missing(cluster: Cluster, archives: dict[str, str]) -> list[tuple[str, str, str]]:
    """(node name, image reference, archive) for each image that a node does not have; the nodes' containerd must run."""
    result = []
    for node in cluster.nodes:
        have = set(run(["ctr", "-a", node.containerd_socket, "-n", "k8s.io", "images", "list", "-q"]).split())
        result += [(node.name, ref, archive) for ref, archive in archives.items() if ref not in have]
    return result


def import_image(cluster: Cluster, node_name: str, archive: str) -> None:
    node = next(node for node in cluster.nodes if node.name == node_name)
    run(["ctr", "-a", node.containerd_socket, "-n", "k8s.io", "images", "import", "--no-unpack=false", archive])


def removal(name: str, state_dir: str) -> list[Action]:
    """Everything that a cluster of this name and state directory has on this machine, in the order of removal."""
    actions = []
    server = supervise.connect(state_dir)
    if server is not None:
        actions.append(Action("stop supervisord", lambda: supervise.shut_down(state_dir, server)))
    groups = processes.cgroups_of(name)

    def living() -> set[int]:
        return set(processes.marked(state_dir)) | processes.in_cgroups(groups)

    if living():
        sockets = processes.shim_sockets(state_dir)
        actions.append(Action("end every process", lambda: processes.kill(living)))
        if sockets:
            actions.append(
                Action("remove the shims' sockets", lambda: [os.unlink(p) for p in sockets if os.path.exists(p)] and None)
            )
    if processes.mounts_below(state_dir):
        actions.append(Action("unmount what is mounted", lambda: processes.unmount_below(state_dir, run)))
    namespaces = network.namespaces_of(name)
    links = network.links_of(name, run)
    if namespaces or links:
        actions.append(
            Action(f"remove {len(namespaces)} network namespaces", lambda: network.delete(namespaces, links, run))
        )
    if groups:
        actions.append(Action("remove the control groups", lambda: processes.remove_cgroups(groups)))
    if links_to_logs := processes.log_links(state_dir):
        actions.append(
            Action("remove links to logs", lambda: [os.unlink(path) for path in links_to_logs] and None)
        )
    if os.path.isdir(state_dir):
        actions.append(Action(f"remove {state_dir}", lambda: shutil.rmtree(state_dir)))
    return actions


def read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path: str, text: str) -> None:
    """Write a file that only root may read, by way of a temporary one so that a killed run leaves no half file."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)
