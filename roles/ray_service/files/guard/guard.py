# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard: sees what Kubernetes sees late, or never, when a node is lost.

It takes a head's pod away that nobody else can (heads.py), and a worker out of the serve service that cannot be reached (workers.py).

Two of them run, on two nodes, and both may act: taking away the pod of one UID twice is taking it away once, and a label is set twice
as if once. So they need no leader, and nothing is lost while one would be elected.
"""

from __future__ import annotations

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

import heads
import workers

POLL_SECONDS = 2
TIMEOUT_SECONDS = 5
#: No look takes so long; who does is started again.
STUCK_SECONDS = 60
TYPES = {"PATCH": "application/merge-patch+json"}
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


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
        headers={"Authorization": f"Bearer {token}", "Content-Type": TYPES.get(method, "application/json")},
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


def look(namespace, service, memory):
    """One look, and what follows from it. C(memory): of the look before. Returns that of this one (workers.remembered)."""
    selector = urllib.parse.quote(f"rayops.serve-ha/service={service},ray.io/node-type")
    pods = ask("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")["items"]
    bury(namespace, pods, time.time())
    living = workers.workers_of(pods)
    now = time.monotonic()
    memory = workers.remembered(memory, workers.answers_of(living), now)
    for pod in workers.to_take_out(living, memory):
        label(namespace, pod, False)
    for pod in workers.to_put_back(living, memory, now):
        label(namespace, pod, True)
    return memory


def label(namespace, pod, serves):
    """Let a worker be an endpoint of the serve service, or not."""
    name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
    if ask("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}", {"metadata": {"labels": workers.labels(serves)}}):
        what = "answers again: back into the serve service" if serves else "cannot be reached: out of the serve service"
        print(f"Pod {name} on node {node} {what}", flush=True)


def bury(namespace, pods, now):
    """Take away what has to be taken away of the heads."""
    names = {pod["spec"]["nodeName"] for pod in heads.dying(pods, now)}
    nodes = {name: ask("GET", f"/api/v1/nodes/{name}") for name in names}
    for pod in heads.to_remove(pods, nodes, now):
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
    memory = {}
    while True:
        signal.alarm(STUCK_SECONDS)
        try:
            memory = look(os.environ["NAMESPACE"], os.environ["SERVICE"], memory)
        except (OSError, ValueError, http.client.HTTPException) as error:
            print(f"Did not look: {error}", flush=True)
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
