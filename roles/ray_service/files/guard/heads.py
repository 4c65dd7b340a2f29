# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which heads' pods the guard takes away, that nobody else can, so that KubeRay makes a new one.

Only a kubelet can confirm the end of its pods. If it is silent, a pod that was deleted stays Terminating, and KubeRay waits for it.
The guard does not know whether that machine is dead, and need not: heads that bear the mark put their predecessor out of Redis
before they start (claim.py). Only those are taken.
"""

from __future__ import annotations

import calendar
import time

MARK = "rayops.serve-ha/fenced"


def to_remove(pods, nodes, now):
    """Pods that have had their time to end, on nodes that cannot say that they have. C(nodes): {name: Node, or None if there is none}."""
    return [pod for pod in dying(pods, now) if silent(nodes[pod["spec"]["nodeName"]])]


def dying(pods, now):
    """Marked heads that were deleted, whose grace period is over, and that have a node."""
    heads = [pod for pod in pods if pod["metadata"]["labels"].get("ray.io/node-type") == "head"]
    marked = [pod for pod in heads if pod["metadata"]["labels"].get(MARK) == "true"]
    deleted = [pod for pod in marked if "deletionTimestamp" in pod["metadata"] and "nodeName" in pod["spec"]]
    return [pod for pod in deleted if seconds(pod["metadata"]["deletionTimestamp"]) < now]


def seconds(timestamp):
    """Of the epoch."""
    return calendar.timegm(time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ"))


def silent(node):
    """Is the node gone, or has its kubelet not been heard of? One that says itself that it is not ready (False) is heard of."""
    if node is None:
        return True
    conditions = node.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "Unknown" for one in conditions)
