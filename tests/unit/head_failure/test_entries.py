# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import entries

README = Path(__file__).parents[3] / "roles/head_failure_check/README.md"


def taken(*load):
    """What becomes of the option."""
    result = ArgumentSpecValidator({"load": entries.ARGUMENT_SPEC}).validate({"load": list(load)} if load else {})
    assert result.error_messages == []
    return result.validated_parameters["load"]


def test_the_default():
    (entry,) = taken()
    assert entries.problem([entry], None) == ""
    assert entries.describe(entry) == "20 GET /infer?sentence=hello a second, a new connection each"
    assert (entry["request_timeout"], entry["stream"], entry["users"]) == (10.0, False, None)


@pytest.mark.parametrize("pace", [{}, {"rate": 1, "users": 1}])
def test_a_rate_or_users(pace):
    result = ArgumentSpecValidator({"load": entries.ARGUMENT_SPEC}).validate(
        {"load": [{"name": "a", "path": "/", **pace}]}
    )
    assert result.error_messages != []


WRONG = {
    "rate is 0; expected: more than 0": {"rate": 0},
    "users is -1; expected: more than 0": {"users": -1},
    "think_seconds is 0; expected: more than 0": {"users": 1, "think_seconds": 0},
    "request_timeout is 0; expected: more than 0": {"request_timeout": 0},
    "path is 'infer'; expected: a path from / on": {"path": "infer"},
    "path is '/a b'; expected: a path": {"path": "/a b"},
    "path is '/a\\r\\nX: y'; expected: a path": {"path": "/a\r\nX: y"},
    "path is '/ä'; expected: a path": {"path": "/ä"},
    "it has a header 'X:y'; expected: a name": {"headers": {"X:y": "s3cret"}},
    "it has a header 'Host'; expected: a name": {"headers": {"Host": "s3cret"}},
    "its header X has a value that cannot be sent; expected: printable ASCII": {"headers": {"X": "s3cret\r\nY: z"}},
    "its header Y has a value that cannot be sent; expected: printable": {"headers": {"X": 7, "Y": None}},
    "it has a body; expected: none with method GET": {"body": {"a": 1}},
}


@pytest.mark.parametrize(("words", "values"), WRONG.items(), ids=WRONG)
def test_wrong_entries(build, words, values):
    found = entries.problem([build.entry(**values)], None)
    assert found.startswith(f"load entry 'short': {words}")
    assert "s3cret" not in found


def test_wrong_loads(build):
    assert entries.problem([], None) == "load must have at least one entry"
    assert "two entries with the name 'short'" in entries.problem([build.entry(), build.entry()], None)
    load = [build.entry(rate=500.0), build.entry("users", users=501)]
    assert entries.problem(load, None) == ("load asks for up to 1001 requests a second in all; expected: at most 1000")


@pytest.mark.parametrize("url", ["mistral.example.com", "ftp://x", "http://", "http://x/?a=b", "http://x/#y"])
def test_wrong_urls(build, url):
    assert entries.problem([build.entry()], url).startswith(f"url is {url!r}; expected: http")
    assert entries.problem([build.entry()], "https://x:8443/prefix") == ""


@pytest.mark.parametrize("url", ["https://me:s3cret@x", "https://s3cret@x", "https://:s3cret@x"])
def test_a_url_with_a_password(build, url):
    words = entries.problem([build.entry()], url)
    assert words.startswith("url has a user, or a password, in it; expected: none")
    assert "s3cret" not in words


def test_in_words(build):
    stream = build.entry(stream=True, method="POST", path="/chat", connection="kept", users=5, think_seconds=1.5)
    assert entries.describe(stream) == "5 users of streams of POST /chat, 1.5 s to think, kept connections"
    assert entries.describe({**stream, "users": 1}).startswith("1 user of ")


def test_a_stream_asks_for_a_stream(build):
    load = [build.entry(method="POST", body={"model": "m"}, stream=True), build.entry("plain", method="POST", body={})]
    *_others, sent = entries.generator_arguments("http://x", load, 2.5)
    assert [entry["body"] for entry in json.loads(sent)] == [{"model": "m", "stream": True}, {}]


def test_headers_are_not_on_the_command_line(build):
    load = [build.entry(headers={"Authorization": "Bearer s3cret"}), build.entry("plain")]
    assert entries.problem(load, None) == ""
    assert "s3cret" not in "".join(entries.generator_arguments("http://x", load, 2.5))
    assert json.loads(entries.headers(load)) == {"short": {"Authorization": "Bearer s3cret"}}
    assert entries.headers(load[1:]) == ""


def test_the_mix_of_the_readme():
    _before, _fence, rest = README.read_text(encoding="utf-8").partition("```yaml\nhead_failure_check_load:")
    mix = taken(*yaml.safe_load(rest.partition("```")[0]))
    assert entries.problem(mix, None) == ""
    assert {entry["connection"] for entry in mix} == {"new", "kept"}
    assert any(entry["stream"] for entry in mix)
    assert any(entry["rate"] for entry in mix)
    assert any(entry["users"] for entry in mix)
