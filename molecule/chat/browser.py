# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person at the chat page, in headless Chromium: asks a question and sees the answer come; with --kubeconfig, deletes the head
of the Ray cluster then, and asks on while there is none, while a new one starts, and when it is back. The KubeRay operator is
scaled to 0 until the question without a head is answered, and back in any case.

Writes screenshots and browser.json to --report-dir. Ends with 1, and one line that says why, if a question was not answered, an
answer did not stream in, a phase was missed, or the page fetched anything from elsewhere. User and password of the page are
taken from the environment, CHAT_USERNAME and CHAT_PASSWORD.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chat_browser import Answer, ChatPage, NotAnswered
from head_phases import BACK, GONE, STARTING, THERE, HeadWatch, PhaseMissed, head_of, transitions
from kubernetes import client, config
from port_forward import NotForwarded, port_forward

QUESTIONS = {
    THERE: "Who are you?",
    GONE: "The head of the cluster has just been deleted. Do you notice?",
    STARTING: "And now that a new head is starting?",
    BACK: "The new head is there. Was anything lost?",
}
#: An answer that streams in is seen to grow at least so often.
LEAST_GROWTH = 3
#: Seconds that an answer, and a phase, may take to come.
ANSWER_LIMIT, PHASE_LIMIT = 60.0, 120.0
HEADS = "ray.io/node-type=head"
OPERATOR = "app.kubernetes.io/component=kuberay-operator"
#: Seconds for the operator's pod to go, and between two looks at it.
OPERATOR_LIMIT, OPERATOR_PERIOD = 60.0, 0.2


class Wrong(Exception):
    """What was seen is not what was promised."""


class Cluster:
    """The Kubernetes cluster with the service behind the page."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self.core, self.apps = client.CoreV1Api(api), client.AppsV1Api(api)
        self.namespace = namespace

    def heads(self) -> list[dict[str, Any]]:
        pods = self.core.list_namespaced_pod(self.namespace, label_selector=HEADS, _request_timeout=10)
        return self.core.api_client.sanitize_for_serialization(pods.items)

    def delete(self, pod: dict[str, Any]) -> None:
        """Delete this pod, and no other that may have taken its name."""
        only = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=pod["metadata"]["uid"]))
        self.core.delete_namespaced_pod(pod["metadata"]["name"], self.namespace, body=only)

    @contextmanager
    def without_operator(self) -> Iterator[None]:
        """Nobody makes a new head for as long as the block lasts.

        Raises:
            Wrong: there is not one operator, or it does not go.
        """
        found = self.apps.list_deployment_for_all_namespaces(label_selector=OPERATOR, _request_timeout=10).items
        if len(found) != 1:
            raise Wrong(f"expected one Deployment of the KubeRay operator ({OPERATOR}), found {len(found)}")
        (operator,) = found
        pods = ",".join(f"{key}={value}" for key, value in operator.spec.selector.match_labels.items())
        try:
            self.scale(operator, 0)
            until = time.monotonic() + OPERATOR_LIMIT
            while self.core.list_namespaced_pod(
                operator.metadata.namespace, label_selector=pods, _request_timeout=10
            ).items:
                if time.monotonic() > until:
                    raise Wrong(f"pods of the KubeRay operator are still there after {OPERATOR_LIMIT:.0f} s")
                time.sleep(OPERATOR_PERIOD)
            yield
        finally:
            self.scale(operator, operator.spec.replicas)

    def scale(self, deployment: client.V1Deployment, replicas: int) -> None:
        self.apps.patch_namespaced_deployment_scale(
            deployment.metadata.name, deployment.metadata.namespace, {"spec": {"replicas": replicas}}
        )


def converse(browser: ChatPage, cluster: Any, note: Callable[[str, Answer], None]) -> list[tuple[float, str]]:
    """Ask a question in each phase of the head's life, or one without a cluster. C(note): called with each phase's answer.

    Returns the phases that were seen, with the times of the first look at each.
    """
    note(THERE, browser.ask(QUESTIONS[THERE], ANSWER_LIMIT))
    if not cluster:
        return []
    ready = [pod for pod in cluster.heads() if head_of(pod).ready and not head_of(pod).deleting]
    if len(ready) != 1:
        raise Wrong(f"expected one head that is ready, found {len(ready)}")
    with HeadWatch(cluster.heads, ready[0]["metadata"]["uid"]) as watch:

        def ask_in(phase: str) -> None:
            """Send what is written as soon as the phase has come, which has to last until all of the answer is there."""
            watch.wait_for(phase, PHASE_LIMIT)
            browser.send()
            answer = browser.answer(ANSWER_LIMIT)
            watch.require(phase, answer.asked_at[0], answer.done_at)
            note(phase, answer)

        watch.wait_for(THERE, PHASE_LIMIT)
        with cluster.without_operator():
            browser.type(QUESTIONS[GONE])
            cluster.delete(ready[0])
            ask_in(GONE)
        for phase in (STARTING, BACK):
            browser.type(QUESTIONS[phase])
            ask_in(phase)
        return transitions(watch.samples)


def described(phase: str, answer: Answer) -> dict[str, Any]:
    """One question for the report; times in seconds."""
    return {
        "head": phase,
        "question": answer.question,
        "characters": len(answer.text),
        "seen_to_grow": answer.grew,
        "asked_at": answer.asked_at[0],
        "first_text_after": round(answer.first_at - answer.asked_at[0], 3),
        "answered_after": round(answer.done_at - answer.asked_at[0], 3),
    }


def run(options: argparse.Namespace, report: dict[str, Any]) -> None:
    """Ask everything, filling the report.

    Raises:
        NotAnswered, PhaseMissed, NotForwarded, Wrong: see each.
    """
    with ExitStack() as stack:
        url = options.url or stack.enter_context(port_forward(options.port_forward))
        given = os.environ.get("CHAT_USERNAME", ""), os.environ.get("CHAT_PASSWORD", "")
        browser = stack.enter_context(ChatPage(url, options.report_dir, *given))

        def note(phase: str, answer: Answer) -> None:
            report["questions"].append(described(phase, answer))
            browser.picture(phase)
            print(f"head {phase}: answered after {report['questions'][-1]['answered_after']} s", flush=True)
            if answer.grew < LEAST_GROWTH:
                raise Wrong(
                    f"the answer to {answer.question!r} was seen to grow {answer.grew} times, expected {LEAST_GROWTH}"
                )

        try:
            cluster = (
                Cluster(config.new_client_from_config(options.kubeconfig), options.namespace)
                if options.kubeconfig
                else None
            )
            report["head"] = [{"at": at, "phase": phase} for at, phase in converse(browser, cluster, note)]
        except (NotAnswered, PhaseMissed, Wrong):
            browser.picture("failed")
            raise
        report["elsewhere"] = browser.elsewhere
        if browser.elsewhere:
            raise Wrong(f"the page fetched from elsewhere: {', '.join(browser.elsewhere)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="address of the page")
    where.add_argument("--port-forward", help="line with kubectl port-forward that leads to it")
    parser.add_argument("--kubeconfig", help="of the cluster whose head is deleted; without it one question is asked")
    parser.add_argument("--namespace", default="mistral", help="of the RayService")
    parser.add_argument("--report-dir", type=Path, required=True)
    options = parser.parse_args()
    options.report_dir.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"begun_at": time.time(), "questions": [], "failed": ""}
    try:
        run(options, report)
    except (NotAnswered, NotForwarded, PhaseMissed, Wrong) as error:
        report["failed"] = str(error)
        print(f"FAILED: {error}", file=sys.stderr)
    (options.report_dir / "browser.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
