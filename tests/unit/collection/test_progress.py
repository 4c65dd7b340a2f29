# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress lines: reported by modules, followed by action plugins."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import (
    PROGRESS_FILE_VARIABLE,
    report,
    task_is_over,
)
from ansible_collections.rayops.serve_ha.plugins.plugin_utils._progress import followed_file


def test_report_without_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS_FILE_VARIABLE, raising=False)
    report("nobody hears this")


def test_report_never_creates_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PROGRESS_FILE_VARIABLE, str(tmp_path / "removed"))
    report("too late")
    assert not (tmp_path / "removed").exists()


def test_each_report_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "progress"
    path.touch()
    monkeypatch.setenv(PROGRESS_FILE_VARIABLE, str(path))
    report("first")
    report("of two\n  lines ✓")
    assert path.read_text(encoding="utf-8") == "first\nof two lines ✓\n"


def test_lines_are_shown_while_the_block_runs() -> None:
    seen: list[str] = []
    shown = threading.Event()

    def show(line: str) -> None:
        seen.append(line)
        shown.set()

    with followed_file(show, poll_seconds=0.01) as path:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with open(path, "a", encoding="utf-8") as stream:
            stream.write("whole\nha")
            stream.flush()
            assert shown.wait(5)
            time.sleep(0.05)
            assert seen == ["whole"]
            stream.write("lf\n")
    assert seen == ["whole", "half"]
    assert not os.path.exists(path)


def test_the_last_lines_are_shown_and_the_file_is_removed_after_a_failure() -> None:
    seen: list[str] = []
    with pytest.raises(RuntimeError), followed_file(seen.append, poll_seconds=60) as path:
        Path(path).write_text("last words\n")
        raise RuntimeError
    assert seen == ["last words"]
    assert not os.path.exists(path)


def test_a_task_without_a_listener_is_not_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS_FILE_VARIABLE, raising=False)
    assert not task_is_over()


def test_a_task_is_over_when_its_file_is_let_go_or_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with followed_file(lambda _line: None) as path:
        monkeypatch.setenv(PROGRESS_FILE_VARIABLE, path)
        assert not task_is_over()
    assert task_is_over()
    (tmp_path / "let go").touch()
    monkeypatch.setenv(PROGRESS_FILE_VARIABLE, str(tmp_path / "let go"))
    assert task_is_over()


# As Ansible has it: the module is the child of a shell, which is the child of a worker, which is the child of ansible-playbook.
ANSIBLE = """
import os, subprocess, sys, time
from ansible_collections.rayops.serve_ha.plugins.plugin_utils._progress import followed_file

worker = os.fork()
if worker == 0:
    with followed_file(lambda line: None) as path:
        command = f"RAYOPS_PROGRESS_FILE={path} {sys.executable} -c '{sys.argv[1]}'; true"
        subprocess.run(["sh", "-c", command], check=True)
    os._exit(0)
print(worker, flush=True)
time.sleep(60)
"""
LONG_MODULE = """
import time
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import task_is_over

print("works", flush=True)
time.sleep(0.5)
print(task_is_over(), flush=True)
while not task_is_over():
    time.sleep(0.1)
print("over", flush=True)
"""


@pytest.mark.parametrize("killed", ["ansible", "worker"])
def test_a_module_notices_that_its_ansible_was_killed(killed: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", ANSIBLE, LONG_MODULE], stdout=subprocess.PIPE, text=True)
    try:
        worker = int(process.stdout.readline())
        assert [process.stdout.readline() for _line in range(2)] == ["works\n", "False\n"]
        os.kill(worker if killed == "worker" else process.pid, signal.SIGKILL)
        assert process.stdout.readline() == "over\n"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


MODULE = """
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report

module = AnsibleModule({"steps": {"type": "int"}}, supports_check_mode=True)
for step in range(module.params["steps"]):
    report(f"step {step}")
module.exit_json(changed=True, steps=module.params["steps"])
"""

ACTION = """
from ansible_collections.rayops.serve_ha.plugins.plugin_utils._progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    pass
"""

PLAYBOOK = """
- hosts: mistral
  gather_facts: false
  vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - rayops.serve_ha.toy: {steps: 2}
      register: result
    - ansible.builtin.assert: {that: [result is changed, result.steps == 2]}
    - rayops.serve_ha.toy: {steps: 3}
      no_log: true
"""


def test_a_module_runs_with_its_lines_shown(tmp_path: Path) -> None:
    collection = tmp_path / "ansible_collections/rayops/serve_ha/plugins"
    for directory, text in (("modules", MODULE), ("action", ACTION)):
        (collection / directory).mkdir(parents=True)
        (collection / directory / "toy.py").write_text(text)
    for directory in ("module_utils", "plugin_utils"):
        (collection / directory).symlink_to(Path(__file__).parents[3] / "plugins" / directory)
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAYBOOK)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
        "PYTHONPATH": "",
        "TMPDIR": str(tmp_path),
    }
    argv = ["ansible-playbook", "--inventory", "mistral,", str(playbook)]
    run = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    assert [line for line in run.stdout.splitlines() if line.startswith("[mistral]")] == [
        "[mistral] step 0",
        "[mistral] step 1",
    ]
    assert run.stdout.index("[mistral] step 1") < run.stdout.index("changed: [mistral]")
    assert list(tmp_path.glob("rayops-progress-*")) == []
