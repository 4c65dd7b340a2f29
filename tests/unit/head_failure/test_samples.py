# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.lines import FIELDS, pack, unpack
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog


def row(number, entry=0, **values):
    value = {
        **{
            "entry": entry,
            "n": number,
            "due": number * 100.0,
            "late": 1,
            "lat": 20,
            "conn": 2,
            "age": 0,
            "status": 200,
        },
        **{"err": "", "replica": "", "node": "", "first": None, "gap": None, "again": 0},
        **values,
    }
    return tuple(value[name] for name in FIELDS)


def line(at, rows=(), begun=(0, 0)):
    value = {"at": at, "cpu": 0.1, "lag": 2.0, "pressure": 0.25, "begun": begun}
    return json.dumps({**value, "rows": pack(rows)} if rows else value)


HELLO = json.dumps({"hello": 1, "start": 100.0})


@pytest.fixture
def log(build):
    """Of ten requests a second for five seconds, and of users."""
    return SampleLog([build.entry(), build.entry("users", users=3)], 5.0)


def test_what_is_packed_is_unpacked():
    rows = [row(0), row(1, err="timed out", first=1.25)]
    assert unpack(pack(rows)) == rows


def test_samples_take_little_room():
    # A log of 10 MiB has to hold all of the longest checks at the highest rate: some 40 bytes for each request.
    rows = [
        row(n, late=n % 7 / 10, lat=20 + n * 37 % 91 / 10, replica=f"D#r{n % 2}", node=f"n{n % 2}") for n in range(500)
    ]
    assert len(pack(rows)) / len(rows) < 25


def test_lines_are_counted_once_in_whatever_order_they_come(log):
    last = line(100.5, [row(1), row(0)])
    for text in (last, HELLO, last, line(100.5, [row(2)])[:-9], "", "Traceback", "[1]", '{"begun": 1, "rows": "?"}'):
        log.feed(text)
    assert [(sample.entry, sample.number, sample.due) for sample in log.samples()] == [
        ("short", 0, 100.0),
        ("short", 1, 100.1),
    ]
    assert log.counts() == (2, 0)
    assert [(beat.at, beat.cpu, beat.lag, beat.pressure) for beat in log.beats()] == [(100.5, 0.1, 2.0, 0.25)]


def test_failed_ones_are_counted(log):
    log.feed(line(100.5, [row(0, status=503), row(1, err="timed out"), row(2)]))
    assert log.counts() == (3, 2)


@pytest.mark.parametrize(
    ("moment", "begun", "unknown"), [(99.9, 0, 0), (100.0, 1, 0), (100.1, 2, 0), (100.35, 4, 1), (1e9, 50, 47)]
)
def test_what_was_begun_at_a_rate_is_known_without_the_generator(log, moment, begun, unknown):
    for text in (HELLO, line(100.5, [row(0), row(1), row(2)])):
        log.feed(text)
    assert log.begun_until(moment) == [begun, 0]
    assert log.unknown_until(moment) == unknown


@pytest.mark.parametrize(("moment", "begun"), [(100.2, 4), (100.5, 4), (100.6, 9), (200.0, 9)])
def test_what_users_began_is_told_by_the_generator(log, moment, begun):
    for text in (HELLO, line(100.5, begun=(5, 4)), line(101.0, begun=(10, 9))):
        log.feed(text)
    assert log.begun_until(moment)[1] == begun


def test_a_users_request_without_a_sample_is_unknown(log):
    rows = [row(n) for n in range(6)] + [row(0, entry=1), row(2, entry=1)]
    for text in (HELLO, line(100.5, rows, begun=(6, 3))):
        log.feed(text)
    assert log.unknown_until(100.5) == 1


def test_silence(log):
    log.feed(HELLO)
    assert log.silence(103.0) == 3.0
    log.feed(line(101.0))
    assert log.silence(103.0) == 2.0
    assert log.silence(100.5) == 0.0


def test_nothing_is_known_before_the_generator_speaks(log):
    assert log.begun_until(1e9) == [0, 0]
    assert log.samples() == []


@pytest.mark.parametrize(
    ("delay", "offset"),
    [(0.01, 0.0), (0.25, 0.0), (-0.1, 0.0), (5.0, 5.0), (-3600.0, -3600.0)],
    ids=["transport", "slow transport", "a little ahead", "behind", "an hour ahead"],
)
def test_clocks(log, delay, offset):
    log.feed(HELLO)
    # The second line came slower: the best case counts.
    log.feed(line(100.5, [row(0)]), arrived=100.5 + delay)
    log.feed(line(101.0), arrived=101.0 + delay + 0.4)
    assert log.offset == pytest.approx(offset)
    assert log.samples()[0].due == pytest.approx(100.0 + offset)
    assert log.started == pytest.approx(100.0 + offset)
    assert log.beats()[0].at == pytest.approx(100.5 + offset)
