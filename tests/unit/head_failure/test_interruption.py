# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals, as a process of its own meets them."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

BEGIN = """
import time
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.interruption import Interrupted, deferred, listen

listen(lambda: False)
try:
"""
END = """
except Interrupted as error:
    print("interrupted by", error, flush=True)
time.sleep(0.2)
print("end", flush=True)
"""
WORK = """
    print("work", flush=True)
    time.sleep(30)
"""
CLEANING = """
    with deferred():
        print("work", flush=True)
        time.sleep(0.5)
        print("cleaned", flush=True)
    print("not reached", flush=True)
"""
FAILING = """
    try:
        with deferred():
            print("work", flush=True)
            time.sleep(0.5)
            raise ValueError
    except ValueError:
        print("failed", flush=True)
"""
LEFT_ALONE = """
    with deferred():
        pass
    print("work", flush=True)
    time.sleep(30)
"""
OVER = WORK.replace("sleep(30)", "sleep(0.1); listen(lambda: True); time.sleep(30)")


def run(body, *numbers):
    """What a program says that gets these signals once it works."""
    process = subprocess.Popen([sys.executable, "-c", BEGIN + body + END], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "work\n"
    for number in numbers:
        process.send_signal(number)
    return process.communicate(timeout=20)[0].splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_work_ends_at_once(number):
    assert run(WORK, number) == [f"interrupted by {number.name}", "end"]


@pytest.mark.parametrize("times", [1, 2])
def test_cleaning_up_comes_to_its_end_first(times):
    assert run(CLEANING, *[signal.SIGTERM] * times) == ["cleaned", "interrupted by SIGTERM", "end"]


def test_cleaning_up_that_fails_is_what_is_told():
    assert run(FAILING, signal.SIGTERM) == ["failed", "end"]


def test_afterwards_signals_count_as_before():
    assert run(LEFT_ALONE, signal.SIGHUP) == ["interrupted by SIGHUP", "end"]


def test_nobody_waits_any_more():
    assert run(OVER) == ["interrupted by SIGTERM", "end"]
