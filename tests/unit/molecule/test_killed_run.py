# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios' kill: nothing that the command has started goes on, in whatever session it is."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[3]
SCRIPT = PROJECT / "molecule" / "killed_run.py"
MODULE = runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("7 (sleep) S 1 7 7 0", (7, "S", 1)),
        ("8 (a ) (b) R) Z 7 7 7 0", (8, "Z", 7)),
    ],
)
def test_a_name_may_look_like_anything(line: str, parsed: tuple[int, str, int]) -> None:
    assert MODULE["parse_stat"](line) == parsed


def test_tree() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1, 21: 20}
    assert MODULE["tree"](10, parents) == {10, 11, 12}
    assert MODULE["tree"](99, parents) == set()


# A worker in a session of its own, with a child that takes no notice of polite signals, as Ansible's modules may.
COMMAND = """
trap '' TERM HUP
setsid sh -c 'trap "" TERM HUP; sleep 300 & echo $! $$; wait' &
wait
"""


def test_what_goes_on_after_an_interrupt_is_told() -> None:
    root = subprocess.Popen(["sh", "-c", "trap '' INT; echo on; sleep 300"], stdout=subprocess.PIPE, text=True)
    try:
        assert root.stdout.readline() == "on\n"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(TimeoutError, match=str(root.pid)):
            patch.setitem(MODULE["end_one"].__globals__, "END_SECONDS", 0.5)
            MODULE["end_one"](root, signal.SIGINT)
    finally:
        MODULE["kill_tree"](root.pid)
        root.wait()
        root.stdout.close()


def test_everything_dies_and_nothing_else() -> None:
    bystander = subprocess.Popen(["sleep", "300"])
    root = subprocess.Popen(["sh", "-c", COMMAND], stdout=subprocess.PIPE, text=True)
    try:
        descendants = {int(word) for word in root.stdout.readline().split()}
        assert {os.getsid(pid) for pid in descendants} != {os.getsid(root.pid)}
        assert MODULE["kill_tree"](root.pid) >= {root.pid, *descendants}
        assert not descendants & MODULE["living"]().keys()
        assert root.wait() == -signal.SIGKILL
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        root.stdout.close()


PLAY = r"printf 'TASK [a]\nok\nTASK [b]\nTASK [c]\n'; "


@pytest.mark.parametrize(
    ("options", "command", "code", "said"),
    [
        (["--count=2"], PLAY + "sleep 300", 0, r"killed 0 s after: TASK [b]"),
        (["--at=^ok"], PLAY + "sleep 300", 0, r"after: ok"),
        (["--interrupt", "--at=ok"], PLAY + "trap 'sleep 1; exit 0' INT; while :; do sleep 0.1; done", 0, "interrupted 0 s after: ok"),
        (["--alone", "--at=ok"], "sleep 1 & " + PLAY + "sleep 1", 0, "processes killed 0 s after: ok"),
        (["--count=4"], PLAY, 2, "match 4 of"),
        (["--count=4"], PLAY + "exit 3", 1, "ended with 3"),
    ],
)
def test_where_it_is_killed(options: list[str], command: str, code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options, "sh", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, said in done.stdout) == (code, True), done.stdout


def test_the_default_scenario_kills_at_tasks_that_exist() -> None:
    """A task that was renamed would let a whole run go by, which takes minutes to show."""
    headers = [
        f"TASK [rayops.serve_ha.{path.parts[-3]} : {name}]"
        for path in PROJECT.glob("roles/*/tasks/*.yml")
        for name in re.findall(r"^ *- name: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    (play,) = yaml.safe_load((PROJECT / "molecule/default/side_effect.yml").read_text(encoding="utf-8"))
    places = [item["after"] for item in play["tasks"][0]["loop"]]
    assert len(places) == 3
    assert not [place for place in places if not any(re.search(place, header) for header in headers)]
