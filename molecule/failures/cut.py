# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take parts of a local cluster away, and bring all of them back.

Usage: PYTHONPATH=.collections cut.py --state-dir DIRECTORY --kubectl PROGRAM ...

    link NODE           pull its network cable; all that runs on it runs on
    machine NODE        the same, and end all that runs on it
    gone NODE           the same, and tell Kubernetes that this machine will not come back (the taint out-of-service)
    control-plane NODE  drop every packet between it, with its pods, and the control plane; it reaches everybody else
    address ADDRESS     drop every packet of connections that pods have, or want, to this ClusterIP, in both directions
    api                 drop every packet from this machine to the API server; the nodes reach it
    mend                put everything of the above right; does nothing where nothing is wrong

Each may be asked for again. What is done is printed, a command a line.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import shlex
import sys
import time
from urllib.parse import urlsplit

from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import network, processes, supervise
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.command import CommandFailed, run

MARK = "rayops-cut"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
TABLE = ["iptables", "-w", "10", "-t", "mangle"]
# Where each packet of a pod passes whose connection a node has turned from the ClusterIP to a pod, whichever way it goes.
PODS = "FORWARD"
# What this machine itself sends.
HERE = "OUTPUT"
#: Seconds for an API server that has just got its network back.
API_SECONDS = 30


def link_of(node: str) -> str:
    """The end in the root namespace of the cable of the node C(NAME-N), which is the cluster C(NAME)'s."""
    cluster, number = node.rsplit("-", 1)
    return f"{cluster}v{number}"


def switch(links: dict, nodes: list[str], up: bool) -> list[list[str]]:
    """Commands that pull the cables of these nodes, or plug them in; C(links) as of network.parse_links."""
    word = "up" if up else "down"
    return [["ip", "link", "set", link, word] for link in map(link_of, nodes) if links[link]["up"] != up]


def block(rules: str, chain: str, address: str) -> list[list[str]]:
    """Commands that drop the connections to this address; C(rules): what C(iptables -S) prints of the chain."""
    rule = ["-m", "conntrack", "--ctorigdst", address, "-m", "comment", "--comment", MARK, "-j", "DROP"]
    blocked = any(address in words for words in _marked(rules))
    return [] if blocked else [[*TABLE, "-I", chain, *rule]]


def part(rules: str, address: str) -> list[list[str]]:
    """Commands that part a node and its pods from the machine at this address; C(rules): what C(iptables -S) prints of the table.

    PREROUTING and POSTROUTING: what the node itself gets and sends passes there, and what it forwards.
    """
    if any(f"{address}/32" in words for words in _marked(rules)):
        return []
    drop = ["-m", "comment", "--comment", MARK, "-j", "DROP"]
    return [[*TABLE, "-I", "PREROUTING", "-s", address, *drop], [*TABLE, "-I", "POSTROUTING", "-d", address, *drop]]


def unblock(rules: str) -> list[list[str]]:
    """Commands that take every rule of ours away, and no other."""
    return [[*TABLE, "-D", *words[1:]] for words in _marked(rules)]


def _marked(rules: str) -> list[list[str]]:
    """The rules of ours, as words: C(-A CHAIN …)."""
    lines = map(shlex.split, rules.splitlines())
    return [words for words in lines if words[:1] == ["-A"] and MARK in words]


def programs_of(node: str, states: dict[str, dict], alive: bool) -> list[str]:
    """The node's programs that run, or those that do not; C(states) as of supervise.states. containerd comes before kubelet."""
    return sorted(
        name
        for name, info in states.items()
        if name.startswith(f"{node}-") and (info["statename"] in supervise.ALIVE) == alive
    )


def out_of_service(nodes: dict) -> list[str]:
    """Names of the nodes that are said not to come back; C(nodes): a list of Node objects as the API has it."""
    return [
        node["metadata"]["name"]
        for node in nodes["items"]
        if any(taint["key"] == OUT_OF_SERVICE for taint in node["spec"].get("taints", ()))
    ]


class Cluster:
    """A local cluster that runs."""

    def __init__(self, state_dir: str, kubectl: str) -> None:
        self.nodes = sorted(os.listdir(os.path.join(state_dir, "nodes")))
        self.kubectl = [kubectl, f"--kubeconfig={state_dir}/kubeconfig", f"--request-timeout={API_SECONDS}s"]
        self.server = supervise.connect(state_dir)
        if self.server is None:
            raise CommandFailed(f"no supervisord answers in {state_dir}; expected: a cluster that runs")

    def unplug(self, node: str) -> None:
        perform(switch(links(), [node], up=False))

    def end(self, node: str) -> None:
        """Cable first, as when the power goes: nothing that dies says so."""
        self.unplug(node)
        for name in reversed(programs_of(node, supervise.states(self.server), alive=True)):
            print("stop", name)
            self.server.stopProcess(name)
        groups = [os.path.join(root, node) for root in processes.hierarchies()]
        processes.kill(lambda: processes.in_cgroups(groups))

    def bury(self, node: str) -> None:
        self.end(node)
        perform([[*self.kubectl, "taint", "node", node, f"{OUT_OF_SERVICE}=nodeshutdown:NoExecute", "--overwrite"]])

    def block(self, address: str) -> None:
        for node in self.nodes:
            inside = within(node)
            perform([[*inside, *command] for command in block(run([*inside, *TABLE, "-S", PODS]), PODS, address)])

    def part(self, node: str) -> None:
        inside = within(node)
        perform([[*inside, *command] for command in part(run([*inside, *TABLE, "-S"]), self.control_plane())])

    def leave(self) -> None:
        perform(block(run([*TABLE, "-S", HERE]), HERE, self.control_plane()))

    def control_plane(self) -> str:
        url = run([*self.kubectl, "config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}"])
        return urlsplit(url).hostname

    def mend(self) -> None:
        perform(unblock(run([*TABLE, "-S"])))
        perform(switch(links(), self.nodes, up=True))
        for node in self.nodes:
            inside = within(node)
            perform([[*inside, *command] for command in unblock(run([*inside, *TABLE, "-S"]))])
            for name in programs_of(node, supervise.states(self.server), alive=False):
                print("start", name)
                self.server.startProcess(name)
        found = json.loads(self._ask("get", "nodes", "--output=json"))
        perform([[*self.kubectl, "taint", "node", node, f"{OUT_OF_SERVICE}-"] for node in out_of_service(found)])

    def _ask(self, *words: str) -> str:
        """What kubectl answers. Raises CommandFailed when the API server says nothing else for C(API_SECONDS)."""
        until = time.monotonic() + API_SECONDS
        while True:
            try:
                return run([*self.kubectl, *words])
            except CommandFailed:
                if time.monotonic() > until:
                    raise
                time.sleep(1)


def within(node: str) -> list[str]:
    """What runs a command in the network of this node."""
    return ["ip", "netns", "exec", node]


def links() -> dict:
    return network.parse_links(run(["ip", "-j", "address"]))


def perform(commands: list[list[str]]) -> None:
    for command in commands:
        print(shlex.join(command))
        run(command)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state-dir", required=True, help="the cluster's local_cluster_state_dir")
    parser.add_argument("--kubectl", required=True, help="path of kubectl")
    parser.add_argument("what", choices=["link", "machine", "gone", "control-plane", "address", "api", "mend"])
    parser.add_argument("which", nargs="?", default="", help="the node, or the address")
    given = parser.parse_args()
    cluster = Cluster(given.state_dir, given.kubectl)
    if given.what in ("api", "mend"):
        return {"api": cluster.leave, "mend": cluster.mend}[given.what]()
    if given.what == "address":
        try:
            return cluster.block(str(ipaddress.IPv4Address(given.which)))
        except ValueError as error:
            parser.error(f"address: {given.which!r}; expected: an IPv4 address ({error})")
    if given.which not in cluster.nodes:
        parser.error(f"{given.what}: {given.which!r} is no node; expected: one of {', '.join(cluster.nodes)}")
    cut = {"link": cluster.unplug, "machine": cluster.end, "gone": cluster.bury, "control-plane": cluster.part}
    return cut[given.what](given.which)


if __name__ == "__main__":
    try:
        main()
    except (CommandFailed, TimeoutError, OSError) as failure:
        sys.exit(f"cut.py: {failure}")
