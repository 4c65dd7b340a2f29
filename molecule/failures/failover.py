# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the Redis of redis_in_cluster a replica, fail over to it, and put everything back.

Usage: failover.py begin|over|back KUBECTL...

    begin   a second pod, redis-1, follows redis-0; the Service names redis-0 alone
    over    redis-1 takes over: the same Service and address. redis-0 is deleted, and comes back as one that nobody asks
    back    redis-0 gets what redis-1 has, and takes over; redis-1 and its volume go. Does nothing where nothing is wrong
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

FIRST, SECOND = "redis-0", "redis-1"
POD_NAME = "statefulset.kubernetes.io/pod-name"
VOLUME = f"data-{SECOND}"
#: For what Redis and Kubernetes do within moments.
SECONDS = 120.0
# No password on a command line, not even in the pod.
FOLLOW = r"""printf 'CONFIG SET masterauth "%s"\nREPLICAOF {address} 6379\n' "$REDISCLI_AUTH" | redis-cli"""


def selection(pod: str | None) -> str:
    """The patch that makes the Service select this pod alone, or any; pod names are labels of StatefulSets' pods."""
    return json.dumps({"spec": {"selector": {POD_NAME: pod}}})


def field(text: str, name: str) -> str:
    """A field of what C(INFO replication) prints, "" if it has none."""
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return lines.get(name, "").strip()


class Redis:
    """The StatefulSet redis in the namespace of the same name."""

    def __init__(self, kubectl: list[str]) -> None:
        self.kubectl = [*kubectl, "--namespace=redis", "--request-timeout=30s"]

    def ask(self, *words: str) -> str:
        return subprocess.run([*self.kubectl, *words], stdout=subprocess.PIPE, text=True, check=True).stdout

    def change(self, *words: str) -> None:
        print("kubectl", *words)
        print(self.ask(*words))

    def tell(self, pod: str, script: str) -> str:
        return self.ask("exec", pod, "--", "sh", "-c", script)

    def replication(self, pod: str, name: str) -> str:
        return field(self.tell(pod, "redis-cli info replication"), name)

    def run(self, pods: int) -> None:
        self.change("scale", "statefulset/redis", f"--replicas={pods}")
        self.change("rollout", "status", "statefulset/redis", f"--timeout={SECONDS:.0f}s")

    def follow(self, follower: str, leader: str) -> None:
        """Make one a replica of the other, and wait until it has all. Raises TimeoutError."""
        address = self.ask("get", "pod", leader, "--output=jsonpath={.status.podIP}")
        print(f"{follower} follows {leader}", self.tell(follower, FOLLOW.format(address=address)))
        self.wait(follower, "master_link_status", "up")

    def wait(self, pod: str, name: str, expected: str) -> None:
        until = time.monotonic() + SECONDS
        while (seen := self.replication(pod, name)) != expected:
            if time.monotonic() > until:
                raise TimeoutError(f"{name} of {pod} is {seen!r} after {SECONDS:.0f} s; expected: {expected}")
            time.sleep(0.5)

    def select(self, pod: str | None) -> None:
        self.change("patch", "service/redis", "--patch", selection(pod))

    def begin(self) -> None:
        self.select(FIRST)
        self.run(2)
        self.follow(SECOND, FIRST)

    def over(self) -> None:
        self.change("delete", "pod", FIRST, "--grace-period=0", "--force")
        print(self.tell(SECOND, "redis-cli replicaof no one"))
        self.select(SECOND)

    def back(self) -> None:
        selected = json.loads(self.ask("get", "service/redis", "--output=jsonpath={.spec.selector}")).get(POD_NAME)
        if selected == SECOND:
            self.run(2)
            self.follow(FIRST, SECOND)
            # Writes wait until the other has everything.
            print(self.tell(SECOND, "redis-cli failover"))
            self.wait(FIRST, "role", "master")
            self.select(FIRST)
        if selected:
            self.run(1)
            self.select(None)
            self.change("delete", "persistentvolumeclaim", VOLUME, "--ignore-not-found")


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] not in ("begin", "over", "back"):
        sys.exit(__doc__)
    getattr(Redis(sys.argv[2:]), sys.argv[1])()


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, TimeoutError) as failure:
        sys.exit(f"failover.py: {failure}")
