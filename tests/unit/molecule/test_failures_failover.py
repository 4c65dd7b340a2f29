# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis' failover and the way back: what is done, in which order, by a scripted kubectl."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

MODULE = runpy.run_path(str(Path(__file__).parents[3] / "molecule" / "failures" / "failover.py"))
POD_NAME = MODULE["POD_NAME"]


class Kubectl:
    """Stands for the program: remembers what it was asked, and answers as a cluster would whose Service selects that pod."""

    def __init__(self, selected: str = "") -> None:
        self.selector = {"app.kubernetes.io/name": "redis"} | ({POD_NAME: selected} if selected else {})
        self.asked: list[str] = []
        self.roles = {"redis-0": "slave" if selected == "redis-1" else "master"}

    def __call__(self, *words: str) -> str:
        text = " ".join(words)
        if "jsonpath={.spec.selector}" in text:
            return json.dumps(self.selector)
        if "podIP" in text:
            return "10.244.1.7"
        if "info replication" in text:
            return f"# Replication\r\nrole:{self.roles.get(words[1], 'slave')}\r\nmaster_link_status:up\r\n"
        if text.endswith("redis-cli failover"):
            self.roles["redis-0"] = "master"
        self.asked.append(text)
        return "done"


def run(step: str, kubectl: Kubectl) -> list[str]:
    redis = MODULE["Redis"](["kubectl"])
    redis.ask = kubectl
    getattr(redis, step)()
    return kubectl.asked


def place(asked: list[str], part: str) -> int:
    (found,) = [number for number, text in enumerate(asked) if part in text]
    return found


def test_a_field_of_the_replication() -> None:
    assert MODULE["field"]("# Replication\r\nrole:slave\r\n", "role") == "slave"
    assert MODULE["field"]("# Replication\r\nrole:master\r\n", "master_link_status") == ""


def test_the_service_names_the_first_before_there_is_a_second() -> None:
    asked = run("begin", Kubectl())
    assert place(asked, '"redis-0"}') < place(asked, "--replicas=2") < place(asked, "REPLICAOF 10.244.1.7")


def test_the_second_is_promoted_before_it_is_asked() -> None:
    asked = run("over", Kubectl("redis-0"))
    assert place(asked, "delete pod redis-0") < place(asked, "replicaof no one") < place(asked, '"redis-1"}')


def test_the_way_back_loses_nothing() -> None:
    asked = run("back", Kubectl("redis-1"))
    order = ["REPLICAOF", "redis-cli failover", '"redis-0"}', "--replicas=1", "null}", "delete persistentvolumeclaim data-redis-1"]
    assert [place(asked, part) for part in order] == sorted(place(asked, part) for part in order)


@pytest.mark.parametrize(("selected", "expected"), [("", 0), ("redis-0", 4)])
def test_the_way_back_from_less(selected: str, expected: int) -> None:
    asked = run("back", Kubectl(selected))
    assert len(asked) == expected
    assert not [text for text in asked if "REPLICAOF" in text or "failover" in text]


def test_no_password_on_a_command_line() -> None:
    assert '"$REDISCLI_AUTH" | redis-cli' in MODULE["FOLLOW"]
