# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What ray_head_failure_check does to a service, and what it allows."""

    DOCUMENTATION = r"""
options:
  failure:
    description:
      - What is done to the service under load, and what has to become of it.
      - V(head_deleted) deletes the head's pod with its own grace period, as C(kubectl delete pod) does; V(head_forced) with a
        grace period of 0. There has to be a new head.
      - V(gcs_killed) and V(gcs_terminated) send SIGKILL and SIGTERM to the GCS process of the head. V(head_out_of_memory) takes
        memory in the head's container until the kernel kills it. The container has to restart once, in the same pod.
      - V(head_drained) cordons the head's node and evicts its pods, by the rules of C(kubectl drain) and within their budgets.
        There has to be a new head. Workers on that node may be replaced too.
      - V(head_node_lost) and V(worker_node_lost) take away the node of the head, or of a worker that is not on the head's, by
        O(failure_commands). The head of a lost node may come back with it, and while the node is lost there has to be a new one;
        the head has to stay when the node of a worker is lost. Workers on that node may be replaced.
      - V(operator_down) scales the Deployments of the KubeRay operator (those of all namespaces with C(kuberay-operator) as their label
        C(app.kubernetes.io/component) or C(app.kubernetes.io/name)) to 0 and deletes the head's pod. When the operator is back there has to be a new head.
      - V(redis_lost) does to Redis what O(failure_commands) say. The head may stay, restart or be replaced.
      - V(worker_deleted) deletes the pod of one worker, of one that has a replica if there is any. The head has to stay.
        V(head_and_worker_deleted) deletes both at once. That worker may be replaced, and only the replicas on it.
      - Everything else has to stay as it is, whatever the failure.
      - A failure has to be seen to act before a recovery counts; otherwise the verdict is V(failed). For most that is what becomes of
        head and workers. The kubelet of a lost node must not have renewed its Lease for 15 s, which it does every 10 s. For
        V(redis_lost), see O(failure_commands.effect).
    type: str
    choices:
      - head_deleted
      - head_forced
      - gcs_killed
      - gcs_terminated
      - head_out_of_memory
      - head_drained
      - head_node_lost
      - operator_down
      - redis_lost
      - worker_deleted
      - worker_node_lost
      - head_and_worker_deleted
    default: head_deleted
  failure_commands:
    description:
      - The commands that cause and undo the failure, run on the machine on which the module runs, without a shell.
        C({node}) in them is replaced by the name of the node. Each may take 120 s.
      - Only, and always, with V(head_node_lost), V(redis_lost) and V(worker_node_lost).
    type: dict
    suboptions:
      begin:
        description: Program and arguments that cause the failure.
        type: list
        elements: str
        required: true
      end:
        description:
          - Program and arguments that undo it. It must do no harm when there is nothing to undo, as it is run once more where that
            is uncertain. Without, there is nothing to undo, as after a restart.
        type: list
        elements: str
      effect:
        description:
          - What has to be seen of V(redis_lost) before a recovery counts. Only with it.
          - V(redis_silent), which is taken when nothing is said, is that for 5 s the GCS does not answer what it has to ask Redis
            for, or that the head restarts. Right for a Redis that is out of reach, and for one that is away for longer than that.
          - V(head_restarted) is that the head's container restarts, or that there is a new head, as after a restart or a
            failover of Redis, which the GCS does not survive. It may come half a minute after the commands have ended.
          - With either, Redis is back when the GCS answers again what it has to ask Redis for.
        type: str
        choices: [redis_silent, head_restarted]
  failure_seconds:
    description:
      - For how long the failure lasts, with V(head_drained), V(head_node_lost), V(operator_down), V(redis_lost) and
        V(worker_node_lost). Everything has to be back O(recovery_timeout) after its end.
      - With 0 it lasts until the end of the check, and everything has to be back while it does.
      - At least 20 for a lost node, as a shorter loss does not show.
    type: int
    default: 0
  repeat:
    description:
      - How many of these failures to cause, one after the other, under the same load. Each has to be recovered from, and
        O(stability_seconds) lie between that and the next.
    type: int
    default: 1
  stability_seconds:
    description: For how long everything has to be back.
    type: int
    default: 60
  recovery_timeout:
    description: Seconds from the failure, or from the end of one that lasts, within which everything has to be back.
    type: int
    default: 120
  head_timeout:
    description:
      - Seconds from the failure, also from one that lasts, until there is one head, which the failure has gone over, and it is Ready
        for good. O(recovery_timeout) is for everything together, and counts from the end of a failure that lasts.
      - Without it, only the recovery is judged.
    type: int
  max_failed_requests:
    description:
      - How many requests may fail after the failure. Before it none may. A request fails without an answer in time and with a status
        outside 200 to 299.
    type: int
    default: 0
  failed_within:
    description:
      - Seconds from the failure in which the requests that O(max_failed_requests) allows to fail have to be due. With
        O(repeat), of each.
      - Without it, they may fail at any time after the failure.
    type: int
  max_slow_requests:
    description:
      - How many requests may be slow, that is take 250 ms more than the slowest of their kind before the failure. Of a stream the
        time to the first token and the longest gap between two events count, so that V(0) also promises that no gap grows by more
        than 250 ms.
      - Only those count that were slow though processors were free. A request that would have been in time but for the half seconds
        in which the machine of the load generator was starved of processors (some task waited for one in at least 80 % of that time,
        by C(/proc/pressure/cpu)) is counted apart, as RV(ignore:summary.slow_starved). Where the kernel does not count that,
        every slow request is the service's own. A machine that is starved for most of the time before the failure tells nothing,
        and the check has failed.
      - Without it, slow requests do not change the verdict.
    type: int
  max_p99_ratio:
    description:
      - How many times as long as before the failure it may take until 99 % of the requests of a kind are answered; of streams, until
        their first token. Judged for each entry of the load, over answered requests for which processors were free for at least half of their time.
      - Only where there are at least 100 of them before the failure, and after it. Of fewer the 99th percentile is the slowest, and
        one request would decide; that kind is not judged, and the report says so.
      - Without it, percentiles do not change the verdict.
    type: float
"""
