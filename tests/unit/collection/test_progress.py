# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress lines: reported by modules, followed by action plugins."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
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


def toy(tmp_path: Path, module: str, playbook: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a playbook, with a module toy that has the action plugin."""
    collection = tmp_path / "ansible_collections/rayops/serve_ha/plugins"
    for directory, text in (("modules", module), ("action", ACTION)):
        (collection / directory).mkdir(parents=True)
        (collection / directory / "toy.py").write_text(text)
    for directory in ("module_utils", "plugin_utils"):
        (collection / directory).symlink_to(Path(__file__).parents[3] / "plugins" / directory)
    (tmp_path / "play.yml").write_text(playbook)
    paths = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "PYTHONPATH": "", "TMPDIR": str(tmp_path)}
    return ["ansible-playbook", "--inventory", "mistral,", str(tmp_path / "play.yml")], {**os.environ, **paths}


def test_a_module_runs_with_its_lines_shown(tmp_path: Path) -> None:
    argv, environment = toy(tmp_path, MODULE, PLAYBOOK)
    run = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    assert [line for line in run.stdout.splitlines() if line.startswith("[mistral]")] == [
        "[mistral] step 0",
        "[mistral] step 1",
    ]
    assert run.stdout.index("[mistral] step 1") < run.stdout.index("changed: [mistral]")
    assert list(tmp_path.glob("rayops-progress-*")) == []


LONG_MODULE = """
import os, time
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report, task_is_over

module = AnsibleModule({"said": {"type": "path"}})
time.sleep(1)
report(f"works, {'over' if task_is_over() else 'not over'}")
while not task_is_over():
    time.sleep(0.1)
open(module.params["said"], "w").close()
module.exit_json()
"""
LONG_PLAYBOOK = """
- hosts: mistral
  gather_facts: false
  vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - rayops.serve_ha.toy: {said: "{{ playbook_dir }}/over"}
"""


@pytest.mark.parametrize("worker_too", [False, True])
def test_a_module_notices_that_its_ansible_was_killed(tmp_path: Path, worker_too: bool) -> None:
    argv, environment = toy(tmp_path, LONG_MODULE, LONG_PLAYBOOK)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    try:
        assert "[mistral] works, not over\n" in iter(process.stdout.readline, "")
        worker = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        assert not (tmp_path / "over").exists()
        process.kill()
        if worker_too:
            os.kill(worker, signal.SIGKILL)
        until = time.monotonic() + 20
        while not (tmp_path / "over").exists():
            assert time.monotonic() < until
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
