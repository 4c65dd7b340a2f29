# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard: takes a head's pod away that nobody else can, so that KubeRay makes a new one.

Only a kubelet can confirm the end of its pods. If it is silent, a pod that was deleted stays Terminating, and KubeRay waits for it.
The guard does not know whether that machine is dead, and need not: heads that bear the mark put their predecessor out of Redis
before they start (claim.py). Only those are taken.

Two of them run, on two nodes, and both may act: taking away the pod of one UID twice is taking it away once. So they need no leader,
and nothing is lost while one would be elected.
"""

from __future__ import annotations

import calendar
import http.client
import json
import os
import signal
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

POLL_SECONDS = 3
TIMEOUT_SECONDS = 5
#: No look takes so long; who does is started again.
STUCK_SECONDS = 60
MARK = "rayops.serve-ha/fenced=true"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def to_remove(pods, nodes, now):
    """Pods that have had their time to end, on nodes that cannot say that they have. C(nodes): {name: Node, or None if there is none}."""
    return [pod for pod in dying(pods, now) if silent(nodes[pod["spec"]["nodeName"]])]


def dying(pods, now):
    """Pods that were deleted, whose grace period is over, and that have a node."""
    deleted = [pod for pod in pods if "deletionTimestamp" in pod["metadata"] and "nodeName" in pod["spec"]]
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


def ask(method, path, body=None):
    """What the API server answers; None where there is no such thing (404), or another one by now (409)."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    # Read each time: the token is replaced about once an hour.
    with open(f"{ACCOUNT}/token", encoding="utf-8") as file:
        token = file.read()
    request = urllib.request.Request(
        f"https://{'[' + host + ']' if ':' in host else host}:{port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    trust = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in (404, 409):
            return None
        raise


def look(namespace, service):
    """One look, and what follows from it."""
    selector = urllib.parse.quote(f"rayops.serve-ha/service={service},ray.io/node-type=head,{MARK}")
    pods = ask("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")["items"]
    now = time.time()
    names = {pod["spec"]["nodeName"] for pod in dying(pods, now)}
    nodes = {name: ask("GET", f"/api/v1/nodes/{name}") for name in names}
    for pod in to_remove(pods, nodes, now):
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        done = ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", options)
        print(
            f"{'Took away' if done else 'Gone already:'} pod {name}, {uid}: it should have ended by"
            f" {pod['metadata']['deletionTimestamp']}, and its node {pod['spec']['nodeName']} is silent",
            flush=True,
        )


def stop(*dummy):
    sys.exit(0)


def stuck(*dummy):
    sys.exit(f"One look has taken {STUCK_SECONDS} s")


def main():
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stuck)
    while True:
        signal.alarm(STUCK_SECONDS)
        try:
            look(os.environ["NAMESPACE"], os.environ["SERVICE"])
        except (OSError, ValueError, http.client.HTTPException) as error:
            print(f"Did not look: {error}", flush=True)
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
