# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import build, processes
from ansible_collections.rayops.serve_ha.plugins.modules import container_image, go_tools


def test_a_key_depends_on_content_and_limits_of_parts():
    assert build.key([b"ab", b"c"]) != build.key([b"a", b"bc"])
    assert len(build.key([])) == 12


def test_a_tree_is_its_paths_modes_and_content(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    first = build.tree_parts(str(tmp_path))
    (tmp_path / "README.md").write_text("for people")
    assert build.tree_parts(str(tmp_path)) == first
    (tmp_path / "Dockerfile").chmod(0o755)
    assert build.tree_parts(str(tmp_path)) != first


def test_a_failed_build_leaves_no_result(tmp_path):
    target = tmp_path / "cache" / "thing"
    with pytest.raises(RuntimeError), build.filling(str(target)) as product:
        with open(product, "w", encoding="utf-8") as file:
            file.write("half")
        raise RuntimeError
    assert not target.exists()
    assert [path.name for path in target.parent.iterdir()] == [".thing.lock"]


def test_a_thing_is_built_once(tmp_path):
    target = tmp_path / "thing"
    for expected in (True, False):
        with build.filling(str(target)) as product:
            assert (product is not None) is expected
            if product:
                with open(product, "w", encoding="utf-8") as file:
                    file.write("whole")
    assert target.read_text() == "whole"


def test_a_stream_hands_on_each_line():
    lines = []
    build.stream([sys.executable, "-c", "print('a'); print('b')"], lines.append, lambda seconds: None)
    assert lines == ["a", "b"]


def test_a_failure_shows_the_end_of_the_output():
    with pytest.raises(build.BuildFailed, match="(?s)ended with 3.*the reason"):
        build.stream(
            [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], lambda line: None, lambda seconds: None
        )


def test_silence_is_told(monkeypatch):
    monkeypatch.setattr(build, "HEARTBEAT", 0.05)
    told = []
    build.stream([sys.executable, "-c", "import time; time.sleep(0.5)"], lambda line: None, told.append)
    assert told


def test_a_missing_program_is_named():
    with pytest.raises(build.BuildFailed, match="no-such-program"):
        build.stream(["no-such-program"], lambda line: None, lambda seconds: None)


def test_an_image_is_named_after_what_it_is_made_from(tmp_path):
    (tmp_path / "Dockerfile").write_text("ARG BASE_IMAGE=debian\nFROM ${BASE_IMAGE}\n")
    params = {
        "images": [{"name": "x", "context": str(tmp_path), "files": {}}],
        "cache_dir": "/cache",
        "debian_suite": "bookworm",
        "debian_packages": ["b", "a"],
    }
    first = container_image.plan(params)["x"]
    assert first["base"]
    assert first["archive"] == f"/cache/images/x-{first['reference'].rsplit(':', 1)[1]}.tar"
    assert container_image.plan({**params, "debian_packages": ["a", "b"]})["x"] == first
    assert container_image.plan({**params, "debian_suite": "trixie"})["x"]["reference"] != first["reference"]


def test_tools_are_named_after_what_they_are_made_from(tmp_path):
    source = tmp_path / "cluster"
    source.mkdir()
    (source / "go.mod").write_text("module x\n")
    params = {"src": str(source), "cache_dir": "/cache", "ldflags": "", "rename": {}, "module_dirs": {}}
    first = go_tools.target_path(params)
    assert first.startswith("/cache/cluster-")
    assert go_tools.target_path({**params, "ldflags": "-X a=b"}) != first
    (source / "go.sum").write_text("x v1 h1:\n")
    assert go_tools.target_path(params) != first


def test_mounts_are_unmounted_deepest_first_and_only_ours():
    text = (
        "tmpfs /state/nodes/a tmpfs rw 0 0\n"
        "tmpfs /state/nodes/a/b\\040c tmpfs rw 0 0\n"
        "tmpfs /state-of-another tmpfs rw 0 0\n"
        "tmpfs / tmpfs rw 0 0\n"
    )
    assert processes.mounts_below("/state", text) == ["/state/nodes/a/b c", "/state/nodes/a"]
