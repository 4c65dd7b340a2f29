# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the load generator, in a pod or on this machine, and reads its samples while it runs and once more at the end."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import threading
import time
import typing as t
from collections.abc import Callable, Iterable

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import state
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import HEADERS, Cluster
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator import (
    answer,
    client,
    life,
    lines,
    run,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.interruption import deferred
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure

START_SECONDS = 180.0  # for the pod to be scheduled, its image pulled and the first line to arrive
LOG_SILENCE = 30.0
FOLLOW_PAUSE = 1.0
POLL_SECONDS = 0.2
CALL_SECONDS = 5.0
LIFE_PORT = 8099  # of the load pod, at which we call it as a sign of life
# Waiting reasons that do not pass by waiting.
HOPELESS = (
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerError",
    "CreateContainerConfigError",
)


class LoadError(Exception):
    """The load could not be started."""


# The program is a few files, and there may be no place to write them to: its sources come as the first argument.
LOADER = """
import json, sys, types
for name, source in json.loads(sys.argv.pop(1)).items():
    module = sys.modules[name] = types.ModuleType(name)
    module.__package__ = "generator"
    exec(compile(source, name, "exec"), module.__dict__)
sys.modules["generator.run"].main(sys.argv[1:])
"""


def generator_program(arguments: list[str]) -> list[str]:
    """The load generator as arguments of any python3."""
    # Each after those it imports from.
    sources = {"generator": ""}
    for module in (answer, client, life, lines, run):
        sources[f"generator.{module.__name__.rpartition('.')[2]}"] = inspect.getsource(module)
    return ["-I", "-u", "-c", LOADER, json.dumps(sources), *arguments]


class Load:
    """What both kinds have in common: a thread that follows the lines into C(log).

    Used as a context manager: leaving it ends the load, whatever happened.
    """

    def __init__(self, log: SampleLog, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stop = threading.Event()
        self.log = log

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        with deferred():
            self._stop.set()
            self._end()

    def start(self) -> None:
        """Start the load and return once its first request is announced. Raises LoadError."""
        self._begin()
        threading.Thread(target=self._follow, daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        while self.log.start is None:
            if problem := self._problem():
                raise LoadError(problem)
            if time.monotonic() > deadline:
                raise LoadError(f"the load generator did not start within {START_SECONDS:.0f} s: {self._where()}")
            time.sleep(POLL_SECONDS)

    def complete(self, moment: float, patience: float) -> None:
        """Wait until every request due until C(moment) has a sample, at most C(patience) seconds; then read all again."""
        deadline = time.monotonic() + patience
        while (self.log.silence(moment) or self.log.unknown_until(moment)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        self._read_again()

    def _take(self, lines: Iterable[str], live: bool) -> None:
        for line in lines:
            self.log.feed(line, self._clock() if live else None)

    def _begin(self) -> None:
        raise NotImplementedError

    def _follow(self) -> None:
        raise NotImplementedError

    def _read_again(self) -> None:
        raise NotImplementedError

    def _problem(self) -> str:
        raise NotImplementedError

    def _where(self) -> str:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError


class PodLoad(Load):
    """The load generator in a pod of the cluster. It ends C(life.SILENCE_SECONDS) after our last call, thus when we are gone.

    headers: as C(entries.headers), for the pod that has them from the Secret.
    """

    arguments = ("--end-without-calls", str(LIFE_PORT))

    def __init__(
        self, cluster: Cluster, manifest: dict, log: SampleLog, clock: Callable[[], float], headers: str = ""
    ) -> None:
        super().__init__(log, clock)
        self._cluster = cluster
        self._manifest = manifest
        self._headers = headers
        self.name = ""

    def _begin(self) -> None:
        try:
            if self._headers:
                self._cluster.keep(HEADERS, self._headers)
            self.name = self._cluster.create_pod(self._manifest)["metadata"]["name"]
        except ApiFailure as error:
            raise LoadError(f"the load pod cannot be created: {error}") from error
        threading.Thread(target=self._call, daemon=True).start()

    def _call(self) -> None:
        while not self._stop.is_set():
            try:
                self._cluster.call_pod(self.name, LIFE_PORT)
            except ApiFailure:
                pass  # not started yet, or a hiccup of the API server
            self._stop.wait(CALL_SECONDS)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._take(self._cluster.log_lines(self.name, follow=True, silence=LOG_SILENCE), live=True)
            except ApiFailure:
                pass  # not started yet, or a hiccup of the API server: read again from the start, nothing is counted twice
            self._stop.wait(FOLLOW_PAUSE)

    def _read_again(self) -> None:
        for _attempt in range(5):
            try:
                return self._take(self._cluster.log_lines(self.name, follow=False, silence=LOG_SILENCE), live=False)
            except ApiFailure:
                time.sleep(FOLLOW_PAUSE)
        # What is still missing is counted as unknown by the judge.
        return None

    def _problem(self) -> str:
        pod = self._cluster.pod(self.name)
        if pod is None:
            return f"the load pod {self.name} was deleted"
        trouble = state.pod_trouble(pod)
        phase = pod.get("status", {}).get("phase")
        if phase in ("Failed", "Succeeded"):
            return f"the load pod {self.name} ended at once ({phase}): {trouble} {self._last_words()}".strip()
        if any(reason in trouble for reason in HOPELESS):
            return f"the load pod {self.name} cannot start: {trouble}"
        return ""

    def _last_words(self) -> str:
        try:
            return " ".join(list(self._cluster.log_lines(self.name, follow=False, silence=LOG_SILENCE))[-3:])
        except ApiFailure:
            return ""

    def _where(self) -> str:
        pod = self._cluster.pod(self.name) or {}
        parsed = state.parse_pod(pod)
        return f"pod {self.name} is {parsed.phase or 'gone'} {parsed.trouble}".strip()

    def _end(self) -> None:
        self._cluster.remove_load_pods()
        if self._headers:
            self._cluster.forget(HEADERS)


class LocalLoad(Load):
    """The load generator as a process of this machine. It ends with the pipe that we hold, thus when we are gone.

    headers: as C(entries.headers).
    """

    arguments = ("--end-with-stdin",)

    def __init__(
        self, program: list[str], directory: str, log: SampleLog, clock: Callable[[], float], headers: str = ""
    ) -> None:
        super().__init__(log, clock)
        self._environment = {**os.environ, **({run.HEADERS_VARIABLE: headers} if headers else {})}
        self._program = program
        self._output = os.path.join(directory, "head-failure-load.jsonl")
        self._errors = os.path.join(directory, "head-failure-load.err")
        self._process: subprocess.Popen | None = None

    def _begin(self) -> None:
        with open(self._output, "wb") as output, open(self._errors, "wb") as errors:
            streams = {"stdin": subprocess.PIPE, "stdout": output, "stderr": errors}
            # It goes on while the module works; run_command would wait for its end.
            # pylint: disable-next=ansible-bad-function
            self._process = subprocess.Popen([sys.executable, *self._program], env=self._environment, **streams)

    def _follow(self) -> None:
        pending = ""
        with open(self._output, encoding="utf-8") as stream:
            while not self._stop.is_set():
                *lines, pending = (pending + stream.read()).split("\n")
                self._take(lines, live=True)
                self._stop.wait(POLL_SECONDS)

    def _read_again(self) -> None:
        with open(self._output, encoding="utf-8") as stream:
            self._take(stream, live=False)

    def _problem(self) -> str:
        if self._process is None or self._process.poll() is None:
            return ""
        with open(self._errors, encoding="utf-8") as stream:
            last = (stream.read().strip().splitlines() or [""])[-1]
        return f"the load generator ended at once: {last}"

    def _where(self) -> str:
        return "it runs and is silent"

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
        for path in (self._output, self._errors):
            if os.path.exists(path):
                os.unlink(path)
