# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import load
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.lines import Writer
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure

KUBELET_KEEPS = 10 * 1024 * 1024  # bytes of a container's log, by its default
CRI_PREFIX = len("2026-11-23T12:30:00.000000000Z stdout F ")


class Cluster:
    """A pod whose log breaks off for those who follow it. logs: what each one who reads it gets, the last for all others."""

    def __init__(self, *logs):
        self.logs = list(logs)
        self.removed = threading.Event()
        self.calls, self.secrets = [], {}

    def create_pod(self, _manifest):
        return {"metadata": {"name": "load-1"}}

    def pod(self, _name):
        return {"status": {"phase": "Running"}}

    def log_lines(self, _pod, follow, silence):
        yield from self.logs.pop(0) if len(self.logs) > 1 else self.logs[0]
        if follow:
            raise ApiFailure("the answer broke off")

    def call_pod(self, name, port):
        self.calls.append((name, port))
        raise ApiFailure("not yet")

    def keep(self, kind, text):
        self.secrets[kind] = text

    def forget(self, kind):
        del self.secrets[kind]

    def remove_load_pods(self):
        self.removed.set()


class Lines(list):
    """As a stream to write to."""

    def write(self, line):
        self.append(line)

    def flush(self):
        pass


def row(number):
    """A request as it may be: everything that can differ does."""
    late, latency = number % 113 / 100, 20 + number * 7919 % 3001 / 100
    replica, node = f"mistral#Mistral#{'ab'[number % 2]}1b2c3d4", f"mistral-x7k2p-workers-worker-{number % 2}"
    return (0, number, number * 1.0, late, latency, 0.31, 0.0, 200, "", replica, node, None, None, 0)


def spoken(seconds, rate):
    """What the generator has written by now of so many requests a second."""
    lines, start = Lines(), time.time() - seconds
    writer = Writer(lines)
    writer.put({"hello": 1, "start": start})
    for half in range(2 * seconds):
        rows = [row(number) for number in range(half * rate // 2, (half + 1) * rate // 2)]
        beat = {
            "at": start + (half + 1) / 2,
            "cpu": 0.41,
            "lag": 1.31,
            "pressure": 0.12,
            "begun": [(half + 1) * rate // 2],
        }
        writer.put(beat, rows)
    writer.close()
    return lines


@pytest.fixture
def log(build):
    return SampleLog([build.entry(rate=1000.0)], 1000.0)


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(load, "FOLLOW_PAUSE", 0.01)
    monkeypatch.setattr(load, "CALL_SECONDS", 0.01)


def unknown_after(cluster, log, seconds):
    """How many requests are unknown when the log was followed and read again."""
    with load.PodLoad(cluster, {}, log, time.time) as running:
        running.start()
        running.complete(log.started + seconds, 0.3)
    assert cluster.removed.is_set()
    return log.unknown_until(log.started + seconds)


def test_the_longest_check_at_the_highest_rate_fits_into_the_log():
    """Ten minutes at 1000 requests a second: the module's defaults take a bit more than four."""
    lines = spoken(20, 1000)
    size = sum(len(line) + CRI_PREFIX for line in lines)
    assert size / 20 * 600 < KUBELET_KEEPS, size / 20_000


def test_what_was_followed_survives_the_logs_rotation(log):
    lines = spoken(4, 1000)
    # The first reader sees half of it; then the log is rotated, and all others get the end only.
    assert unknown_after(Cluster(lines[:5], lines[5:]), log, 3.99) == 0
    assert [sample.number for sample in log.samples()] == list(range(4000))


def test_what_nobody_saw_before_the_rotation_is_unknown(log):
    lines = spoken(4, 1000)
    assert unknown_after(Cluster(lines[:1] + lines[5:]), log, 3.99) == 2000


def test_a_pod_that_ends_at_once_is_told(log):
    cluster = Cluster(["Traceback", "SystemExit: cannot look up x"])
    cluster.pod = lambda _name: {"status": {"phase": "Failed"}}
    with (
        pytest.raises(load.LoadError, match=r"ended at once \(Failed\).*cannot look up x"),
        load.PodLoad(cluster, {}, log, time.time) as running,
    ):
        running.start()
    assert cluster.removed.is_set()


def test_the_pod_is_called_until_the_load_ends(log):
    cluster = Cluster(spoken(2, 10))
    with load.PodLoad(cluster, {}, log, time.time) as running:
        running.start()
        time.sleep(0.2)
    assert len(cluster.calls) >= 5
    assert set(cluster.calls) == {("load-1", int(running.arguments[1]))}
    time.sleep(0.1)
    calls = len(cluster.calls)
    time.sleep(0.1)
    assert len(cluster.calls) == calls


def test_headers_are_there_for_as_long_as_the_load(log):
    cluster = Cluster(spoken(2, 10))
    with load.PodLoad(cluster, {}, log, time.time, '{"a": {}}') as running:
        running.start()
        assert cluster.secrets == {"head-failure-load": '{"a": {}}'}
    assert cluster.secrets == {}
