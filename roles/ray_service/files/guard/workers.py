# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workers the guard takes out of the serve service, and puts back: Kubernetes needs 50 s to see that a node is gone.

A connection tells more, and sooner. A kernel makes or refuses it however busy its programs are; what to make of a program that does
not answer is up to its readiness probe. So a worker to which none can be made has lost its machine, or the way to it.

It is taken out by KubeRay's own label, by which the serve service finds its pods: KubeRay sets it when it makes a worker, and never again.
Nobody is taken out who was not reached before (a network policy may forbid the guard to), nor the last one who answers.
"""

from __future__ import annotations

import concurrent.futures
import socket

SERVES = "ray.io/serve"
MARK = "rayops.serve-ha/silent"
#: Time for the kernel to ask a second time: it does so after 1 s.
CONNECT_SECONDS = 1.5
#: A worker that comes back after its head has given it up (65 s) ends itself within seconds: so long it has to answer, and be Ready.
BACK_SECONDS = 15
#: What is remembered of a worker that has not answered yet: see remembered().
NEVER = (None, 0)


def workers_of(pods):
    """Those that could serve: no head, not deleted, with an address."""
    living = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("podIP")]
    return [pod for pod in living if pod["metadata"]["labels"].get("ray.io/node-type") == "worker"]


def answers_of(workers):
    """{UID: whether its machine answers}, all asked at once."""
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        return dict(pool.map(lambda worker: (uid(worker), answers(worker)), workers))


def answers(worker):
    ports = [port for container in worker["spec"]["containers"] for port in container.get("ports", [])]
    port = next((port["containerPort"] for port in ports if port.get("name") == "serve"), 8000)
    try:
        socket.create_connection((worker["status"]["podIP"], port), CONNECT_SECONDS).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


def remembered(before, found, now):
    """{UID: (since when it has answered each time, or None; how often in a row it has not)} of all that have ever answered."""
    after = {}
    for one, answered in found.items():
        since, silences = before.get(one, NEVER)
        if answered:
            after[one] = (since or now, 0)
        elif one in before:
            after[one] = (None, silences + 1)
    return after


def to_take_out(workers, memory):
    """Those that serve and have been silent twice, if another one of their cluster serves and answers."""
    serving = [worker for worker in workers if ready(worker) and worker["metadata"]["labels"].get(SERVES) == "true"]
    left = {cluster(worker) for worker in serving if memory.get(uid(worker), NEVER)[0]}
    return [worker for worker in serving if memory.get(uid(worker), NEVER)[1] >= 2 and cluster(worker) in left]


def to_put_back(workers, memory, now):
    """Those that a guard has taken out, and that have answered for long enough."""
    out = [worker for worker in workers if MARK in worker["metadata"]["labels"] and ready(worker)]
    return [worker for worker in out if (since := memory.get(uid(worker), NEVER)[0]) and now - since >= BACK_SECONDS]


def labels(serves):
    """The patch of a pod; null removes."""
    return {SERVES: "true" if serves else "false", MARK: None if serves else "true"}


def uid(pod):
    return pod["metadata"]["uid"]


def cluster(pod):
    return pod["metadata"]["labels"].get("ray.io/cluster")


def ready(pod):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
