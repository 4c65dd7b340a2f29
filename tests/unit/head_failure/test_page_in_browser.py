# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page in Chromium: nothing sticks out, on a screen, on a phone, on paper."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import document, html
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.judge import judge
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.samples import SampleLog

CHROMIUM = "/usr/bin/chromium"
SAMPLES = Path(__file__).parents[3] / "docs" / "samples"
PICTURE = SAMPLES / "head-failure-passed.png"
MOST_BYTES = 200_000
# (media, pixels across): a screen, two phones, and A4 without its margins.
WIDTHS = [("screen", 1200), ("screen", 390), ("screen", 360), ("print", 695)]
# What is seen and lies, by more than half a pixel, outside of the page or of the cell of the table that it is in.
STICKING_OUT = """() => [...document.body.querySelectorAll("*")].filter((one) => {
    const inner = one.getBoundingClientRect();
    const cell = one.closest("td, th, .figure, .verdict");
    const outer = (cell || document.documentElement).getBoundingClientRect();
    return inner.width > 0 && (inner.left < outer.left - 0.5 || inner.right > outer.right + 0.5);
}).map((one) => one.outerHTML.slice(0, 200))"""
# Labels of a plot that lie on each other, in pairs.
OVERLAPPING = """() => [...document.querySelectorAll("figure > svg")].flatMap((plot) => {
    const labels = [...plot.querySelectorAll(":scope > text")].map((one) => [one.textContent, one.getBoundingClientRect()]);
    return labels.flatMap(([words, one], number) => labels.slice(number + 1).filter(([, other]) =>
        Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1
        && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 4
    ).map(([others]) => [words, others]));
})"""

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"{CHROMIUM} (Debian's chromium) is not installed")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """open_page(path, media, width): the page, which may load nothing."""
    contexts = []

    def opened(path, media, width):
        contexts.append(browser.new_context(viewport={"width": width, "height": 1000}, offline=True))
        page = contexts[-1].new_page()
        page.emulate_media(media=media)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        assert asked == [path.as_uri()]
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("media", "width"), WIDTHS)
@pytest.mark.parametrize("name", ["passed", "failed", "repeated", "compared"])
def test_samples(open_page, name, media, width):
    page = open_page(SAMPLES / f"head-failure-{name}.html", media, width)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert page.evaluate(STICKING_OUT) == page.evaluate(OVERLAPPING) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize(("media", "width"), WIDTHS)
def test_long_words(open_page, build, tmp_path, media, width):
    long = "x" * 300
    plan = replace(build.plan, name=long, namespace=long, load=[build.entry(long, stream=True, path=f"/{long}")])
    faults = {"entry": long, "status": 0, "error": long, "replica": long, "node": long, "gap": 1.0, "first": 1.0}
    evidence = build.evidence(faults=dict.fromkeys(range(101), faults))
    log = SampleLog(plan.load, 10.0)
    whole = document.build(plan, evidence, judge(plan, evidence), log, f"http://{long}", True)
    whole["notes"] = [{"seconds": 1.0, "text": long}]
    path = tmp_path / "long.html"
    path.write_text(html.page(whole), encoding="utf-8")
    page = open_page(path, media, width)
    assert page.evaluate(STICKING_OUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("transition", ["New head's containers started", "As many workers Ready as before"])
def test_labels_of_the_timeline(open_page, build, tmp_path, transition):
    """Wherever a transition falls, a phone shows its label."""
    check = document.build(
        build.plan, build.evidence(), judge(build.plan, build.evidence()), SampleLog(build.plan.load, 10.0), "", True
    )
    entries = [{"name": "", "label": transition, "seconds": number / 2} for number in range(17)]
    whole = check | {"rounds": [check["rounds"][0] | {"transitions": entries}]}
    path = tmp_path / "labels.html"
    path.write_text(html.page(whole), encoding="utf-8")
    for width in (1200, 390, 360):
        assert open_page(path, "screen", width).evaluate(STICKING_OUT) == []


def test_printed(open_page):
    """As many pages as there should be: a table that is cut off, or an empty page, would show here."""
    for name, most in (("passed", 4), ("failed", 4), ("repeated", 5)):
        pdf = open_page(SAMPLES / f"head-failure-{name}.html", "print", 695).pdf(format="A4")
        assert 3 <= pdf.count(b"/Type /Page\n") <= most


def test_picture(open_page):
    """It is in the documentation; UPDATE_GOLDEN=1 takes it anew."""
    if os.environ.get("UPDATE_GOLDEN"):
        page = open_page(SAMPLES / "head-failure-passed.html", "screen", 1200)
        page.screenshot(path=PICTURE, clip={"x": 0, "y": 0, "width": 1200, "height": 1250}, full_page=True)
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
    assert PICTURE.stat().st_size < MOST_BYTES
