# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's liveness probe: a head that is cut off from Redis ends, one that is slow does not."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REDIS, OTHER = "18EB", "2049"
ESTABLISHED, CONNECTING = "01", "02"
Done = subprocess.CompletedProcess


def line(peer: str, port: str, state: str, again: int) -> str:
    return f"  15: 0B01F40A:96F4 {peer}:{port} {state} 00000000:00000000 01:00000014 {again:08X}  1000        0 7172020 1\n"


V4, V6 = "DD2E600A", "B80D01200000000067452301EFCDAB89"


@pytest.fixture(name="look")
def fixture_look(render, tmp_path: Path):
    """Run the probe on these connections; healthy: what Ray itself says."""
    probe = render("ray_service__head_probe", ray_service_redis={"address": "rediss://redis.example:6379"})
    command = probe["livenessProbe"]["exec"]["command"]
    script = command[2].replace("/proc/net/tcp", f"{tmp_path}/tcp").replace("/tmp/healthy", f"{tmp_path}/healthy")
    (tmp_path / "bin").mkdir()

    def look(v4: str = "", v6: str = "", healthy: bool = True) -> Done:
        (tmp_path / "tcp").write_text(HEADER + v4, encoding="utf-8")
        (tmp_path / "tcp6").write_text(HEADER + v6, encoding="utf-8")
        wget = tmp_path / "bin/wget"
        wget.write_text(f"#!/bin/sh\nexit {0 if healthy else 4}\n", encoding="utf-8")
        wget.chmod(0o755)
        environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        return subprocess.run(
            [*command[:2], script, *command[3:]], capture_output=True, text=True, check=False, timeout=20, env=environment
        )

    return look


@pytest.mark.parametrize(
    ("connections", "code"),
    [
        ({}, 0),
        ({"v4": line(V4, REDIS, ESTABLISHED, 0)}, 0),
        # Unanswered for 6 s, as when Redis is away for 10 s: that passes.
        ({"v4": line(V4, REDIS, ESTABLISHED, 5)}, 0),
        ({"v4": line(V4, REDIS, ESTABLISHED, 6)}, 1),
        ({"v4": line(V4, REDIS, ESTABLISHED, 0) + line(V4, REDIS, ESTABLISHED, 10)}, 1),
        ({"v6": line(V6, REDIS, ESTABLISHED, 17)}, 1),
        # A worker that is silent is the GCS' business, and a Redis that was never reached too.
        ({"v4": line(V4, OTHER, ESTABLISHED, 9)}, 0),
        ({"v4": line(V4, REDIS, CONNECTING, 6)}, 0),
    ],
)
def test_a_head_that_redis_does_not_answer_ends(look, connections: dict[str, str], code: int) -> None:
    done = look(**connections)
    assert (done.returncode, done.stderr) == (code, "")
    assert ("Redis has not answered" in done.stdout) == bool(code)


def test_a_head_that_is_not_healthy_ends_after_ten_minutes(look, tmp_path: Path) -> None:
    assert look(healthy=False).returncode == 0, "one that starts has the same time"
    assert look(healthy=False).returncode == 0
    os.utime(tmp_path / "healthy", (time.time() - 660,) * 2)
    done = look(healthy=False)
    assert (done.returncode, done.stdout) == (1, "Ray has not been healthy for 600 s\n")
    assert look().returncode == 0
    assert look(healthy=False).returncode == 0, "it was healthy a moment ago"


def test_the_port_is_that_of_the_address(render) -> None:
    probe = render("ray_service__head_probe", ray_service_redis={"address": "redis://redis.example:16380"})
    assert probe["livenessProbe"]["exec"]["command"][-1] == "3FFC"
    assert render("ray_service__head_probe", ray_service_redis={}) == {}
