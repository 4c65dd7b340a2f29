# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wait for a RayService: when a look counts, when it is over, and what is said then.

All I/O is the caller's: a reader (C(cluster.RayServiceReader) or a script of answers), a clock, a progress function.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.rayops.serve_ha.plugins.module_utils._clock import Clock
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import pods as pod_rules
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Answer, ApiFailure, is_passing
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.readiness import (
    Assessment,
    assess,
    cluster_of,
    generation_observed,
    missing_replicas,
)

POLL_SECONDS = 1.0
#: The operator looks every 2 s, and its first look at a new generation reports the old applications (readiness.py):
#: a verdict counts once the generation has been observed for two of its looks.
SETTLE_SECONDS = 5.0
#: A status older than this, by the cluster's own clock, has settled long ago.
OLD_STATUS_SECONDS = 30.0
#: An operator that has not looked at the spec for so long is not going to change what the pods suffer from.
UNOBSERVED_SECONDS = 15.0
#: Rights are refused for moments while tokens or role bindings are renewed; for longer, they are refused.
FORBIDDEN_SECONDS = 60.0
#: How long a ready service may answer the request with something else than 2xx (its proxies learn the routes), or lack replicas.
REQUEST_SECONDS = 60.0
REPORT_SECONDS = 15.0


class Reader(t.Protocol):
    def rayservice(self) -> tuple[dict[str, t.Any] | None, float | None]: ...

    def pods(self, ray_cluster: str) -> list[dict[str, t.Any]]: ...

    def previous_log(self, pod: str, container: str) -> str: ...

    def warnings(self) -> list[str]: ...

    def get(self, path: str) -> Answer: ...

    def served(self, head: str) -> Answer: ...


@dataclass
class Outcome:
    """How the wait ended. C(end): ready, terminal, timeout or error (the API server refuses us)."""

    end: str = ""
    message: str = ""
    rayservice: dict[str, t.Any] | None = None
    pods: list[dict[str, t.Any]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    response: Answer | None = None
    seconds: float = 0.0


def status_age(rayservice: dict[str, t.Any], server_time: float | None) -> float:
    """Seconds since the operator last wrote the status, by the cluster's clock; 0 if that cannot be told."""
    written = (rayservice.get("status") or {}).get("lastUpdateTime")
    if not written or server_time is None:
        return 0.0
    return server_time - datetime.fromisoformat(written.replace("Z", "+00:00")).timestamp()


class Wait:
    """One wait. C(run) never raises ApiFailure: that is an outcome too."""

    def __init__(
        self,
        reader: Reader,
        label: str,
        timeout: float,
        request_path: str | None = None,
        clock: Clock | None = None,
        report: t.Callable[[str], None] = lambda text: None,
    ) -> None:
        self.reader = reader
        self.label = label
        self.timeout = timeout
        self.request_path = request_path
        self.clock = clock or Clock()
        self.report = report
        self.last = Outcome()
        self._began = self.clock.now()
        self._answered = False
        self._since: dict[t.Any, float] = {}
        self._logs: dict[tuple[str, str, int], str] = {}
        self._reported: tuple[str, float] = ("", self._began)

    def run(self) -> Outcome:
        while True:
            pause = POLL_SECONDS
            try:
                end = self._look()
                self._answered = True
                self._keep("forbidden", False)
            except ApiFailure as failure:
                end = self._judge_failure(failure)
                pause = max(pause, failure.retry_after or 0.0)
            waited = self.clock.now() - self._began
            if not end and waited + pause > self.timeout:
                end = self._time_out()
            if end:
                self.last.end, self.last.seconds = end, round(self.clock.now() - self._began, 1)
                return self.last
            self._tell(waited)
            self.clock.sleep(pause)

    # -- one look ------------------------------------------------------------------------------------------------

    def _look(self) -> str:
        rayservice, server_time = self.reader.rayservice()
        self.last.rayservice = rayservice
        if rayservice is None:
            self.last.reasons = [f"there is no RayService {self.label}"]
            return self._terminal_after("absent", SETTLE_SECONDS, self.last.reasons[0])
        self._keep("absent", False)
        ray_cluster = cluster_of(rayservice)
        pods = self.last.pods = self.reader.pods(ray_cluster) if ray_cluster else []
        verdict = self._with_head(assess(rayservice), pods)
        findings = pod_rules.findings(pods)
        # A pod's trouble is the cause of all that the status says.
        self.last.reasons = ([] if verdict.ready else [one.text for one in findings]) + verdict.reasons
        settled = self._settled(rayservice, server_time)
        self._keep("terminal", verdict.terminal)
        if verdict.ready:
            return self._confirm(rayservice, pods) if settled else ""
        self._keep("request", False)
        self._keep("replicas", False)
        if verdict.terminal:
            return self._terminal_after("terminal", SETTLE_SECONDS, "\n".join(verdict.reasons))
        return self._judge_pods(findings, pods, settled)

    @staticmethod
    def _with_head(verdict: Assessment, pods: list[dict[str, t.Any]]) -> Assessment:
        """The status stands still while the head is away, so a ready verdict needs a ready head beside it."""
        if not verdict.ready or any(pod_rules.is_head(pod) and pod_rules.is_ready(pod) for pod in pods):
            return verdict
        return Assessment(ready=False, terminal=False, reasons=["no head pod is ready"])

    def _settled(self, rayservice: dict[str, t.Any], server_time: float | None) -> bool:
        generation = (rayservice["metadata"].get("uid"), rayservice["metadata"].get("generation"))
        observed = generation_observed(rayservice)
        for key in [one for one in self._since if one[0] == "generation" and one != ("generation", generation, observed)]:
            del self._since[key]
        lasted = self._lasted(("generation", generation, observed))
        if observed:
            return lasted >= SETTLE_SECONDS or status_age(rayservice, server_time) >= OLD_STATUS_SECONDS
        return lasted >= UNOBSERVED_SECONDS

    def _judge_pods(self, findings: list[pod_rules.Finding], pods: list[dict[str, t.Any]], settled: bool) -> str:
        present = {("finding", finding.key) for finding in findings}
        for key in [one for one in self._since if one[0] == "finding" and one not in present]:
            del self._since[key]
        for finding in findings:
            lasted = self._lasted(("finding", finding.key))
            log = self._log_of(finding, pods)
            hopeless = pod_rules.permanent_line(log)
            spent = finding.patience is not None and lasted >= finding.patience and not pod_rules.is_passing(log)
            if settled and (hopeless or spent):
                return self._end("terminal", self._describe(finding, log, hopeless))
        return ""

    @staticmethod
    def _describe(finding: pod_rules.Finding, log: str, hopeless: str) -> str:
        if hopeless:
            return f"{finding.text}, and says:\n{hopeless}"
        tail = pod_rules.last_lines(log)
        return finding.text + (f"\nThe last lines it wrote:\n{tail}" if tail else "")

    def _log_of(self, finding: pod_rules.Finding, pods: list[dict[str, t.Any]]) -> str:
        """What a crashed container of a head wrote; read once a crash."""
        pod = next((one for one in pods if one["metadata"]["name"] == finding.pod), None)
        if not finding.crashed or pod is None or not pod_rules.is_head(pod):
            return ""
        key = (finding.pod, finding.crashed, pod_rules.restarts(pod))
        if key not in self._logs:
            self._logs[key] = self.reader.previous_log(finding.pod, finding.crashed)
        return self._logs[key]

    def _confirm(self, rayservice: dict[str, t.Any], pods: list[dict[str, t.Any]]) -> str:
        """Ask Ray itself for what the status does not tell, and then the applications."""
        head = next(pod["metadata"]["name"] for pod in pods if pod_rules.is_head(pod) and pod_rules.is_ready(pod))
        answer = self.reader.served(head)
        if answer.status == 200:
            problems = missing_replicas(rayservice, answer.json())
        else:
            problems = [f"the dashboard of {head} answers {answer.status} to who asks for the replicas: {answer.body.strip()[:600]}"]
        self._keep("replicas", bool(problems))
        if not problems:
            return self._request()
        self.last.reasons = problems
        return self._terminal_after("replicas", REQUEST_SECONDS, "it is ready, but " + "; ".join(problems))

    def _request(self) -> str:
        if self.request_path is None:
            return self._end("ready", "")
        answer = self.last.response = self.reader.get(self.request_path)
        if 200 <= answer.status < 300:
            return self._end("ready", "")
        text = f"it is ready, but GET {self.request_path} answers {answer.status}: {answer.body.strip()[:600]}"
        self.last.reasons = [text]
        return self._terminal_after("request", REQUEST_SECONDS, text)

    # -- time and failures ---------------------------------------------------------------------------------------

    def _lasted(self, key: t.Any) -> float:
        """For how many seconds this has been seen in every look."""
        now = self.clock.now()
        return now - self._since.setdefault(key, now)

    def _keep(self, key: str, present: bool) -> None:
        """Forget since when something has lasted that is not there now."""
        if not present:
            self._since.pop((key,), None)

    def _terminal_after(self, key: str, seconds: float, message: str) -> str:
        return self._end("terminal", message) if self._lasted((key,)) >= seconds else ""

    def _end(self, end: str, message: str) -> str:
        self.last.message = message
        return end

    def _judge_failure(self, failure: ApiFailure) -> str:
        """Requests fail in the middle of a long wait: that must not end it. At its beginning they tell of a wrong setting."""
        self.last.reasons = [str(failure)]
        status = failure.status
        passing = is_passing(status, self._answered)
        if self._answered and status == 403:
            passing = self._lasted(("forbidden",)) < FORBIDDEN_SECONDS
        return "" if passing else self._end("error", str(failure))

    def _time_out(self) -> str:
        parts = [f"not ready after {self.timeout:g} s. Last seen:", *(f"- {reason}" for reason in self.last.reasons)]
        try:
            self.last.events = self.reader.warnings()
        except ApiFailure as failure:
            parts.append(f"(no events: {failure})")
        if self.last.events:
            parts += ["Warning events:", *(f"- {event}" for event in self.last.events)]
        return self._end("timeout", "\n".join(parts))

    def _tell(self, waited: float) -> None:
        text = "; ".join(reason.splitlines()[0][:160] for reason in self.last.reasons[:3]) or "ready, settling"
        said, when = self._reported
        if text != said or self.clock.now() - when >= REPORT_SECONDS:
            self._reported = (text, self.clock.now())
            self.report(f"RayService {self.label}, {waited:.0f} s: {text}")
