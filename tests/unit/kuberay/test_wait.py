# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait, with a clock that costs nothing and an API server that follows a script."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import wait as waiting
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Answer, ApiFailure

LATER = datetime(2026, 11, 23, 14, 0, tzinfo=UTC).timestamp()
RECENT = datetime(2026, 11, 23, 12, 52, 35, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def replicas(count: int) -> Answer:
    deployments = {"Mistral": {"status": "HEALTHY", "replicas": [{"state": "RUNNING"}] * count}}
    return Answer(200, {}, json.dumps({"applications": {"mistral": {"status": "RUNNING", "deployments": deployments}}}))


class Script:
    """A reader whose answers are functions of the time."""

    def __init__(self, clock: Clock, rayservice: Callable[[float], Any], pods: Callable[[float], list[dict[str, Any]]]) -> None:
        self.clock = clock
        self._rayservice = rayservice
        self._pods = pods
        self.server_time: float | None = LATER
        self.answers = [Answer(200, {}, "[]")]
        self.dashboard: Callable[[float], Answer] = lambda time: replicas(2)
        self.log = ""
        self.logs_read = 0

    def rayservice(self) -> tuple[Any, float | None]:
        found = self._rayservice(self.clock.time)
        if isinstance(found, Exception):
            raise found
        return copy.deepcopy(found), self.server_time

    def pods(self, ray_cluster: str) -> list[dict[str, Any]]:
        return self._pods(self.clock.time)

    def previous_log(self, pod: str, container: str) -> str:
        self.logs_read += 1
        return self.log

    def warnings(self) -> list[str]:
        return ["Pod a: FailedScheduling: no memory"]

    def get(self, path: str) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def served(self, head: str) -> Answer:
        assert head == "mistral-mdpr9-head-fsgf9"
        return self.dashboard(self.clock.time)


class Bench:
    def __init__(self, rayservice: dict[str, Any], head: dict[str, Any]) -> None:
        self.clock = Clock()
        self.good, self.head = rayservice, head
        self.reader = Script(self.clock, lambda time: rayservice, lambda time: [head])
        self.said: list[str] = []

    def at(self, *steps: tuple[float, Any]) -> None:
        """The RayService is, from each time on, what stands beside it."""
        self.reader._rayservice = lambda time: [value for start, value in steps if start <= time][-1]

    def run(self, timeout: float = 100, request_path: str | None = None) -> waiting.Outcome:
        return waiting.Wait(self.reader, "ns/mistral", timeout, request_path, self.clock, self.said.append).run()

    def variant(self, **status: Any) -> dict[str, Any]:
        return self.good | {"status": self.good["status"] | status}

    def deploying(self, state: str = "DEPLOYING", message: str = "") -> dict[str, Any]:
        applications = {"mistral": {"status": state, "message": message}}
        return self.variant(activeServiceStatus={"rayClusterName": "mistral-mdpr9", "applicationStatuses": applications})


@pytest.fixture
def bench(rayservice: dict[str, Any], head: dict[str, Any]) -> Bench:
    return Bench(rayservice, head)


def test_what_has_long_been_ready_costs_no_time(bench: Bench) -> None:
    outcome = bench.run()
    assert (outcome.end, outcome.seconds) == ("ready", 0)


@pytest.mark.parametrize("server_time", [RECENT, None], ids=["written just now", "no clock"])
def test_a_new_status_has_to_settle(bench: Bench, server_time: float | None) -> None:
    """The operator's first look at a new generation shows the old applications, which run."""
    bench.reader.server_time = server_time
    bench.at((0, bench.good), (2, bench.deploying()), (20, bench.good))
    outcome = bench.run()
    assert (outcome.end, outcome.seconds) == ("ready", 20)


def test_what_was_observed_long_before_it_is_ready_needs_not_settle(bench: Bench) -> None:
    bench.reader.server_time = RECENT
    bench.at((0, bench.deploying()), (30, bench.good))
    assert bench.run().seconds == 30


def test_a_changed_spec_settles_anew(bench: Bench) -> None:
    bench.reader.server_time = RECENT
    newer = bench.good | {"metadata": bench.good["metadata"] | {"generation": 5}}
    seen = newer | {"status": bench.good["status"] | {"observedGeneration": 5}}
    bench.at((0, bench.deploying()), (10, newer), (12, seen))
    assert bench.run().seconds == 17


def test_the_head_must_be_ready_too(bench: Bench) -> None:
    """While the head is away the status stands still and shows the best."""
    bench.reader._pods = lambda time: [bench.head] if time >= 12 else []
    outcome = bench.run()
    assert (outcome.end, outcome.seconds) == ("ready", 12)
    assert "no head pod is ready" in bench.said[0]


def test_time_out_tells_what_was_seen(bench: Bench) -> None:
    bench.at((0, bench.deploying()))
    outcome = bench.run(timeout=30)
    assert outcome.end == "timeout"
    assert outcome.seconds <= 30
    assert outcome.message.startswith("not ready after 30 s. Last seen:\n- application mistral is DEPLOYING")
    assert outcome.message.endswith("Warning events:\n- Pod a: FailedScheduling: no memory")


def test_a_failed_application_ends_it_at_once(bench: Bench) -> None:
    bench.at((0, bench.deploying()), (10, bench.deploying("DEPLOY_FAILED", "Traceback\nValueError: no")))
    outcome = bench.run()
    assert (outcome.end, outcome.seconds) == ("terminal", 15)
    assert outcome.message.endswith("ValueError: no")


def test_a_failure_of_the_configuration_before_does_not(bench: Bench) -> None:
    bench.at((0, bench.deploying("DEPLOY_FAILED", "old")), (3, bench.deploying()), (10, bench.good))
    assert bench.run().end == "ready"


def test_an_object_that_is_not_there(bench: Bench) -> None:
    bench.at((0, None))
    outcome = bench.run()
    assert (outcome.end, outcome.message) == ("terminal", "there is no RayService ns/mistral")
    bench.clock.time = 0
    bench.at((0, None), (3, bench.good))
    assert bench.run().end == "ready"


def sick(head: dict[str, Any], reason: str, message: str, **more: Any) -> dict[str, Any]:
    sick_head = copy.deepcopy(head)
    sick_head["status"]["conditions"] = []
    sick_head["status"]["containerStatuses"][0] |= {"ready": False, "state": {"waiting": {"reason": reason, "message": message}}} | more
    return sick_head


def test_an_image_that_does_not_exist_ends_it_at_once(bench: Bench) -> None:
    bench.at((0, bench.deploying()))
    bench.reader._pods = lambda time: [sick(bench.head, "ErrImagePull", "x:1: not found")]
    outcome = bench.run()
    assert outcome.end == "terminal"
    assert outcome.seconds <= 1
    assert "x:1: not found" in outcome.message


def test_the_pods_of_an_old_spec_do_not(bench: Bench) -> None:
    """The image was mended a moment ago; the pods are still those of the cluster with the wrong one."""
    older = bench.deploying() | {"metadata": bench.good["metadata"] | {"generation": 5}}
    newer = older | {"status": older["status"] | {"observedGeneration": 5}}
    bench.at((0, older), (2, newer), (20, newer | {"status": bench.good["status"] | {"observedGeneration": 5}}))
    bench.reader.server_time = RECENT
    bench.reader._pods = lambda time: [sick(bench.head, "ErrImagePull", "x:1: not found")] if time < 6 else [bench.head]
    assert bench.run().end == "ready"


def test_a_registry_gets_its_time(bench: Bench) -> None:
    bench.at((0, bench.deploying()))
    turns = ("ErrImagePull", "ImagePullBackOff")
    bench.reader._pods = lambda time: [sick(bench.head, turns[int(time) % 2], "i/o timeout")]
    outcome = bench.run(timeout=300)
    assert (outcome.end, outcome.seconds) == ("terminal", 75)


def crashed(head: dict[str, Any], count: int) -> dict[str, Any]:
    ended = {"lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}, "restartCount": count}
    return sick(head, "CrashLoopBackOff", "back-off", **ended)


def test_a_wrong_redis_password_ends_it_at_the_first_crash(bench: Bench) -> None:
    bench.at((0, bench.deploying()))
    bench.reader._pods = lambda time: [crashed(bench.head, 1)]
    bench.reader.log = "start\nRedisError: WRONGPASS invalid username-password pair\nframe\n"
    outcome = bench.run()
    assert (outcome.end, outcome.seconds) == ("terminal", 0)
    assert outcome.message.endswith("says:\nRedisError: WRONGPASS invalid username-password pair")


def test_other_crashes_are_counted_and_their_log_is_read_once_each(bench: Bench) -> None:
    bench.at((0, bench.deploying()))
    bench.reader._pods = lambda time: [crashed(bench.head, 1 + int(time // 10))]
    bench.reader.log = "Connection refused\n"
    outcome = bench.run()
    assert (outcome.end, outcome.seconds) == ("terminal", 20)
    assert outcome.message.endswith("The last lines it wrote:\nConnection refused")
    assert bench.reader.logs_read == 3


def test_a_slow_machine_is_no_crash(bench: Bench) -> None:
    bench.at((0, bench.deploying()), (40, bench.good))
    bench.reader._pods = lambda time: [bench.head] if time >= 40 else [crashed(bench.head, 5)]
    bench.reader.log = "Exception: The current node timed out during startup."
    assert bench.run().end == "ready"


INTERRUPTIONS = {
    "401": ApiFailure("unauthorized", 401),
    "403": ApiFailure("forbidden", 403),
    "429": ApiFailure("too many", 429),
    "500": ApiFailure("internal", 500),
    "503": ApiFailure("unavailable", 503),
    "connection reset": ApiFailure("reset", None),
}


@pytest.mark.parametrize("failure", INTERRUPTIONS.values(), ids=INTERRUPTIONS)
def test_failures_in_the_middle_do_not_end_it(bench: Bench, failure: ApiFailure) -> None:
    bench.at((0, bench.deploying()), (5, failure), (30, bench.good))
    outcome = bench.run()
    assert outcome.end == "ready"


@pytest.mark.parametrize("status", [401, 403, None, 404])
def test_failures_at_the_start_tell_of_a_wrong_setting(bench: Bench, status: int | None) -> None:
    bench.at((0, ApiFailure("no", status)))
    outcome = bench.run()
    assert (outcome.end, outcome.message, outcome.seconds) == ("error", "no", 0)


@pytest.mark.parametrize("status", [429, 503])
def test_an_api_server_that_is_busy_at_the_start_gets_time(bench: Bench, status: int) -> None:
    bench.at((0, ApiFailure("busy", status)), (5, bench.good))
    assert bench.run().end == "ready"


def test_rights_that_stay_away_end_it(bench: Bench) -> None:
    bench.at((0, bench.deploying()), (10, ApiFailure("forbidden", 403)))
    outcome = bench.run(timeout=600)
    assert (outcome.end, outcome.seconds) == ("error", 70)


def test_retry_after_is_honoured(bench: Bench) -> None:
    looks: list[float] = []

    def look(time: float) -> Any:
        looks.append(time)
        return ApiFailure("too many", 429, retry_after=7) if time == 0 else bench.good

    bench.reader._rayservice = look
    assert bench.run().end == "ready"
    assert looks == [0, 7]


def test_failures_to_the_end_are_told(bench: Bench) -> None:
    bench.at((0, bench.deploying()), (5, ApiFailure("unavailable", 503)))
    outcome = bench.run(timeout=20)
    assert (outcome.end, outcome.reasons) == ("timeout", ["unavailable"])


def test_a_request_is_repeated_until_it_is_answered(bench: Bench) -> None:
    bench.reader.answers = [Answer(503, {}, "no endpoints"), Answer(404, {}, "no route"), Answer(200, {"a": "b"}, '["hello"]')]
    outcome = bench.run(request_path="/infer")
    assert (outcome.end, outcome.seconds) == ("ready", 2)
    assert outcome.response.excerpt() == {"status": 200, "headers": {"a": "b"}, "body": '["hello"]'}


def test_a_request_that_keeps_failing_ends_it(bench: Bench) -> None:
    bench.reader.answers = [Answer(500, {}, "Internal Server Error")]
    outcome = bench.run(timeout=600, request_path="/infer")
    assert (outcome.end, outcome.seconds) == ("terminal", 60)
    assert outcome.message == "it is ready, but GET /infer answers 500: Internal Server Error"


def test_replicas_that_come_late_are_waited_for(bench: Bench) -> None:
    bench.reader.dashboard = lambda time: Answer(503, {}, "") if time < 10 else replicas(1 if time < 20 else 2)
    outcome = bench.run(request_path="/infer")
    assert (outcome.end, outcome.seconds) == ("ready", 20)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (replicas(0), "deployment Mistral of application mistral has 0 running replicas of at least 2"),
        (Answer(403, {}, "no pods/proxy"), "mistral-mdpr9-head-fsgf9 answers 403 to who asks for the replicas: no pods/proxy"),
    ],
)
def test_replicas_that_do_not_come_end_it(bench: Bench, answer: Answer, words: str) -> None:
    """The status is the best there is, but the code scales to none."""
    bench.reader.dashboard = lambda time: answer
    outcome = bench.run(timeout=600, request_path="/infer")
    assert (outcome.end, outcome.seconds, outcome.response) == ("terminal", 60, None)
    assert words in outcome.message


def test_progress_on_change_and_every_fifteen_seconds(bench: Bench) -> None:
    bench.at((0, bench.deploying()), (40, bench.deploying("UNHEALTHY")), (50, bench.good))
    bench.run()
    assert [line.split(",")[1].split(":")[0].strip() for line in bench.said] == ["0 s", "15 s", "30 s", "40 s"]
