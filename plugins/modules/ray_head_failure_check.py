#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_head_failure_check
short_description: Cause a failure of a RayService under load and judge what its users saw
version_added: 0.1.0
description:
  - Puts load on a Ray Serve application, causes the failure that O(failure) names, watches every step of the way back, goes on
    loading through a stability window, and judges. The report is returned and, if O(report_dir) is set, written as JSON, as
    Markdown, as one self-contained HTML page with plots, and as a JUnit file.
  - The load is a list of kinds of requests, see O(load). At a rate (open loop), requests go out at their time however the
    earlier ones fare, and latency counts from when a request was due. So a stall is seen by every request of its time, as
    users would see it. With users (closed loop), each asks, waits for the answer, thinks, and asks again.
  - Every failed and every slow request is in the report, with its phase, the age of its connection, replica, node and error.
    A request is slow when it takes 250 ms more than the slowest one of its kind before the failure. Of a stream the time to
    the first token and the longest gap between two events are compared so.
  - A check has passed when no more requests than O(max_failed_requests) failed, no more than O(max_slow_requests) were slow though
    processors were free, no kind grew slower than O(max_p99_ratio) allows, the recovery kept within O(recovery_timeout), the head is
    what the failure has to make of it, the RayCluster, the worker pods (UID and restart counts) and the Serve replicas (actors) are
    the same as before, but for those that the failure takes, the RayService is ready, and the load generator was not the bottleneck.
  - Everything is back when, at the same time, there is one head, which the failure has gone over, and it is Ready, as many
    workers as before are Ready, the GCS answers, and as many replicas as before run. If that does not last through
    O(stability_seconds), the wait goes on.
  - A service without fault tolerance is not refused. It is checked, and fails with the reasons.
  - The module does B(not) fail when the verdict is V(failed). It returns the verdict with its reasons and the caller
    decides, as the role P(rayops.serve_ha.head_failure_check#role) does. It fails when the check could not be made.
  - When the baseline already shows failed requests, no failure is caused and the verdict is V(failed).
  - The pod that carries the load is removed at the end, and what the failure has changed is undone, also after an error,
    SIGINT, SIGTERM or SIGHUP, and when C(ansible-playbook) was killed. What a killed check left behind is put right when the next
    check of the RayService starts, or by M(rayops.serve_ha.ray_head_failure_undo). Both find it by C(rayops.io/head-failure-check), an
    annotation of the node or of the Deployment, a label of the pod and of the Secret, RV(ignore:name)C(-head-failure-check), in which the
    command that undoes the failure is. The load of a killed check ends after 30 s.
options:
  name:
    description: Name of the RayService.
    type: str
    required: true
  namespace:
    description: Namespace of the RayService. The pod that carries the load is created here too.
    type: str
    required: true
  report_dir:
    description:
      - Directory, on the machine on which the module runs, for the four files of the report. It is created if needed.
      - Their names carry namespace, name and start of the check, so that reports of several checks stand side by side.
      - They hold how the RayService is set up, such as environment, probes, tolerations, and the Serve config. Of what comes from a
        Secret they name the source, and a value whose name sounds secret is left out.
    type: path
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - rayops.serve_ha.head_failure
  - rayops.serve_ha.head_failure_load
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.action_group_k8s
  - rayops.serve_ha.attributes.progress
attributes:
  check_mode:
    support: full
    details:
      - Verifies the preconditions, says what it would do, and touches nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each run causes the failure once more.
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
notes:
  - The account needs to get, list, watch, create and delete pods, to get pods/log and pods/proxy, to get services, rayservices
    and rayclusters, to list and watch rayservices, and, for better messages, to list and watch events.
  - V(gcs_killed), V(gcs_terminated) and V(head_out_of_memory) need to get and create pods/exec. V(head_drained) needs to get,
    list and patch nodes, to list the pods of all namespaces and to create pods/eviction, V(operator_down) to list and patch
    deployments and to list pods of all namespaces, O(failure_commands) with C(end) and
    O(load[].headers), but for O(url), to get, create, patch and delete secrets, the loss of a node to get leases.
  - A command that a killed check has left in its Secret is run only by the user and on the machine that noted it down, which a
    signature proves, or when O(failure_commands) has the same C(end). Otherwise the module fails, and says what to do. The key is in
    C(rayops.serve_ha/undo.key) under E(XDG_STATE_HOME) or C(~/.local/state); it is made when it is needed first.
seealso:
  - module: rayops.serve_ha.ray_head_failure_undo
  - module: rayops.serve_ha.ray_head_failure_report
  - module: rayops.serve_ha.rayservice_wait
author:
  - The rayops.serve_ha authors (@rayops)
"""

EXAMPLES = r"""
- name: See what users notice when the head is gone
  rayops.serve_ha.ray_head_failure_check:
    name: mistral
    namespace: mistral
    report_dir: "{{ playbook_dir }}/reports"
  register: check

- name: Stop if they noticed anything
  ansible.builtin.assert:
    that: check.verdict == 'passed'
    fail_msg: "{{ check.reasons | join('; ') }}"

- name: Kill the head twenty times while people chat, from outside, and allow one failed request and no slow one
  rayops.serve_ha.ray_head_failure_check:
    name: mistral
    namespace: mistral
    failure: head_forced
    repeat: 20
    url: https://mistral.example.com
    load:
      - name: short
        path: /v1/chat/completions
        method: POST
        body: {model: tiny-mistral, max_tokens: 8, messages: [{role: user, content: Hello}]}
        rate: 10
      - name: chats
        path: /v1/chat/completions
        method: POST
        body: {model: tiny-mistral, max_tokens: 64, messages: [{role: user, content: Tell me a story}]}
        stream: true
        users: 5
        connection: kept
        request_timeout: 60
    max_failed_requests: 1
    max_slow_requests: 0

- name: Cut Redis off for ten seconds
  rayops.serve_ha.ray_head_failure_check:
    name: mistral
    namespace: mistral
    failure: redis_lost
    failure_commands:
      begin: [kubectl, -n, mistral, apply, -f, isolate-redis.yml]
      end: [kubectl, -n, mistral, delete, --ignore-not-found, -f, isolate-redis.yml]
    failure_seconds: 10
"""

RETURN = r"""
verdict:
  description: V(passed), V(failed), or V(skipped) in check mode.
  returned: success
  type: str
  sample: failed
reasons:
  description: Why the verdict is V(failed), in sentences. Empty if it is not.
  returned: success
  type: list
  elements: str
  sample:
    - 84 of 2700 requests failed, 0 allowed; the first was due +1.2 s after the failure, the last +13.0 s after the failure (84 × timed out)
    - "container ray-worker of worker mistral-x7k2p-workers-worker-5jqlz restarted (0 → 1 restarts)"
target:
  description: The URL that was loaded.
  returned: success
  type: str
  sample: http://mistral-serve-svc.mistral.svc:8000/infer?sentence=hello
head:
  description: Name of the head's pod before the failure.
  returned: success
  type: str
  sample: mistral-x7k2p-head-9wzbn
fault_tolerance:
  description: Whether the RayService keeps the state of its head outside of it.
  returned: success
  type: bool
  sample: true
criteria:
  description:
    - What the verdict is made of. Each has a C(name) (V(requests), V(slow) with O(max_slow_requests), V(p99) with O(max_p99_ratio),
      V(head_ready) with O(head_timeout), V(recovery), V(service), V(head), V(workers), V(replicas), V(measurement)), a C(title), its
      C(reasons), a C(note) on what was measured, if there is one, and an C(outcome), V(passed), V(failed), or V(skipped) if there
      was nothing to judge.
  returned: when the check was made
  type: list
  elements: dict
  sample: [{"name": "workers", "title": "Every worker pod stays, without a restart", "outcome": "passed", "reasons": [], "note": ""}]
summary:
  description: The figures.
  returned: when the check was made
  type: dict
  contains:
    requests:
      description: Requests in all.
      type: int
      sample: 1860
    failed:
      description: Failed ones among them.
      type: int
      sample: 0
    slow:
      description: Answered ones among them that took 250 ms more than the slowest of their kind before the failure.
      type: int
      sample: 0
    slow_starved:
      description: Slow ones among them that the machine without a free processor accounts for, see O(max_slow_requests).
      type: int
      sample: 0
    repeated:
      description: Requests that were sent twice, as a kept connection was closed by the server while they were on their way.
      type: int
      sample: 0
    unknown:
      description: Requests that were begun and of which nothing is known. Any makes the verdict V(failed).
      type: int
      sample: 0
    lateness_ms:
      description: How late the load generator itself began its requests, as C(p50), C(p90), C(p99), C(p999) and C(max) in ms.
      type: dict
      sample: {"p50": 0.4, "p90": 0.7, "p99": 1.9, "p999": 5.0, "max": 7.3}
    generator:
      description:
        - How the load generator fared, each half second. C(cpu) is the processors that it used, of which it cannot use more than about
          one, C(lag_ms) how late its event loop woke up, C(cpu_pressure) the share of the time in which some task of its machine
          waited for a processor (null where the kernel does not count it). Each as RV(summary.lateness_ms).
      type: dict
      sample: {"cpu": {"p50": 0.02, "p90": 0.03, "p99": 0.05, "p999": 0.05, "max": 0.05}}
    baseline:
      description:
        - The requests that ended before the first failure, as C(requests), C(failed), C(slow), C(slow_starved), C(repeated),
          C(errors) (text to count), C(latency_ms), C(first_token_ms), C(gap_ms), C(connect_ms) and C(lateness_ms) (each as
          RV(summary.lateness_ms)), C(replicas) and C(nodes) (name to number of answers) and C(generator).
        - C(load) has the same of each entry of O(load), by its name.
      type: dict
      sample: {"requests": 200, "failed": 0, "slow": 0, "errors": {}, "latency_ms": {"p50": 21.5, "p99": 44.0, "max": 61.3}}
    failure:
      description: All other requests, in the same shape. A request under way at the failure is one of them.
      type: dict
      sample: {"requests": 1660, "failed": 0, "slow": 0, "errors": {}, "latency_ms": {"p50": 22.1, "p99": 48.7, "max": 191.0}}
    recovery_seconds:
      description:
        - Seconds from the failure, or from the end of one with O(failure_seconds), until everything was back; the longest of all
          rounds. Null if it once never was.
      type: float
      sample: 18.4
    recovery_seconds_each:
      description: The same of each round.
      type: list
      elements: float
      sample: [18.4]
rounds:
  description:
    - What belongs to each failure. C(number), C(struck) (its time), C(second) (the same in seconds after the first failure),
      C(undone_seconds), C(head_seconds) (until one head was Ready for good), C(recovery_seconds), C(ended_seconds), C(done) (what
      was done, in words), C(requests), C(failed), C(slow), C(head), which says what became of it, V(replaced), V(restarted) or V(kept)
      (null where there was no one head to be seen), C(under_way), which has the requests that were under way when the failure began
      (streams from their first token on), load entry to number, and C(transitions), in order, as C(name), C(label) and C(seconds)
      after this failure.
    - Names are V(struck), V(effect_seen), V(old_head_gone), V(undone), V(new_head_created), V(new_head_scheduled), V(new_head_started),
      V(head_restarted), V(gcs_back), V(head_ready), V(serve_controller_back), V(workers_ready) and V(applications_running).
  returned: when the check was made
  type: list
  elements: dict
  sample: [{"number": 1, "recovery_seconds": 18.4, "transitions": [{"name": "old_head_gone", "label": "Old head gone", "seconds": 2.3}]}]
report:
  description: The paths of the files of the report.
  returned: when the check was made and O(report_dir) is set
  type: dict
  sample:
    json: /srv/reports/head-failure-mistral-mistral-20261123T123000Z.json
    markdown: /srv/reports/head-failure-mistral-mistral-20261123T123000Z.md
    html: /srv/reports/head-failure-mistral-mistral-20261123T123000Z.html
    junit: /srv/reports/head-failure-mistral-mistral-20261123T123000Z.xml
"""

from copy import deepcopy

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import (
    check,
    document,
    entries,
    failures,
    report,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import HEADERS, Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.evidence import Plan
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.interruption import Interrupted, listen
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import (
    Load,
    LoadError,
    LocalLoad,
    PodLoad,
    generator_program,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.pod import load_pod
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.undo import StrikeError
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import cluster as kuberay
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import task_is_over


def make_load(module: AnsibleK8SModule, cluster: Cluster, plan: Plan, ready: check.Ready, clock) -> Load:
    seconds = check.load_seconds(plan)
    log = SampleLog(plan.load, seconds)
    kind = LocalLoad if module.params["url"] else PodLoad
    program = generator_program([*entries.generator_arguments(ready.target, plan.load, seconds), *kind.arguments])
    headers = entries.headers(plan.load)
    if kind is LocalLoad:
        return LocalLoad(program, module._module.tmpdir, log, clock, headers)
    manifest = load_pod(
        plan.name,
        plan.namespace,
        module.params["image"] or ready.before.workers[0].image,
        program,
        sum(map(entries.nominal_rate, plan.load)),
        seconds + entries.patience(plan.load),
        ready.worker,
        ready.before.cluster_name,
        ready.aim.node,
        cluster.secret_name(HEADERS) if headers else "",
    )
    return PodLoad(cluster, manifest, log, clock, headers)


def run(module: AnsibleK8SModule) -> dict:
    """Make the check and return what the module returns."""
    params = module.params
    plan = Plan(**{name: params[name] for name in Plan.__dataclass_fields__})
    cluster = Cluster(kuberay.Cluster(lambda: get_api_client(module)), plan.namespace, plan.name)
    put_right = not module.check_mode and check.put_right(cluster, (plan.failure_commands or {}).get("end"))
    patience = plan.recovery_timeout if put_right else 0
    target = params["target"] or f"{plan.name}-serve-svc"
    ready = check.preconditions(cluster, params["url"], target, plan.promise, patience)
    result = {
        "changed": True,
        "head": ready.aim.head.name,
        "target": ready.target,
        "fault_tolerance": ready.fault_tolerance,
    }
    if module.check_mode:
        load = "; ".join(map(entries.describe, plan.load))
        times = f" {plan.repeat} times" if plan.repeat > 1 else ""
        text = (
            f"would cause the failure {plan.failure}{times} ({plan.promise.title}) under load on {ready.target}: {load}"
        )
        return {**result, "verdict": "skipped", "reasons": [], "msg": text}

    clock = check.wall_clock()
    with make_load(module, cluster, plan, ready, clock) as load:
        evidence = check.Run(plan, cluster, ready, load, clock).execute()
    verdict = judge(plan, evidence)
    whole = document.build(plan, evidence, verdict, load.log, ready.target, ready.fault_tolerance)
    totals = whole["summary"]
    check.report(f"{verdict.word}: {totals['requests']} requests, {totals['failed']} failed, {totals['slow']} slow")
    result |= {key: whole[key] for key in ("verdict", "reasons", "criteria", "summary", "rounds")}
    if params["report_dir"]:
        result["report"] = report.write(whole, params["report_dir"])
    return {**result, "changed": bool(put_right or evidence.rounds)}


def main() -> None:
    module = AnsibleK8SModule(
        argument_spec={
            **deepcopy(AUTH_ARG_SPEC),
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            **failures.ARGUMENT_SPEC,
            "load": entries.ARGUMENT_SPEC,
            "target": {"type": "str"},
            "url": {"type": "str"},
            "image": {"type": "str"},
            "baseline_seconds": {"type": "int", "default": 10},
            "report_dir": {"type": "path"},
        },
        mutually_exclusive=[("url", "target"), ("url", "image")],
        supports_check_mode=True,
    )
    params = module.params
    if problem := failures.problem(params) or entries.problem(params["load"], params["url"]):
        module.fail_json(msg=problem)
    listen(task_is_over)
    try:
        result = run(module)
    except check.Refusal as error:
        module.fail_json(msg=f"The check was not started: {error}")
    except StrikeError as error:
        module.fail_json(msg=f"The failure {params['failure']} could not be caused and undone: {error}")
    except (LoadError, ApiFailure, OSError) as error:
        module.fail_json(msg=f"The check could not be made: {error}")
    except Interrupted as error:
        module.fail_json(msg=f"The check was interrupted by {error}; the load was stopped and the failure undone.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
