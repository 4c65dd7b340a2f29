# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real page in Chromium, against a model that does as it is told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import browser as scenario
import chat_browser
import chat_page
import head_phases
import pytest
from scripted import WORDS, ScriptedModel, serving
from stage import Stage

APP = Path(__file__).parents[3] / "roles" / "gradio_ui" / "files" / "app"
ANSWER = " ".join(WORDS)
PASSWORD = "pässwort:1"

pytestmark = pytest.mark.skipif(
    not os.path.exists(chat_browser.CHROMIUM), reason=f"{chat_browser.CHROMIUM} (Debian's chromium) is not installed"
)


@contextlib.contextmanager
def pages(backend: str, count: int = 1, **more: str) -> Iterator[list[tuple[str, subprocess.Popen[bytes]]]]:
    """Replicas of the page, each as in its pod: address and process."""
    started = []
    try:
        for _number in range(count):
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = probe.getsockname()[1]
            told = {
                "CHAT_BACKEND_URL": backend,
                "CHAT_MODEL": "",
                "CHAT_TIMEOUT": "5",
                "CHAT_TITLE": "Mistral",
                "CHAT_PORT": str(port),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            command = [sys.executable, str(APP / "chat_server.py")]
            started.append((f"http://127.0.0.1:{port}", subprocess.Popen(command, env=os.environ | told | more)))
        for url, process in started:
            wait_until_up(url, process)
        yield started
    finally:
        for _url, process in started:
            process.kill()
            process.wait()


def wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, "the page ended at its start"
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(f"{url}/healthz")
            return
        time.sleep(0.1)
    raise AssertionError("the page did not come up")


class Switch:
    """Connections to C(url) lead to one of several others, as a Service's lead to one of its pods."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.open: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def lead_to(self, target: str) -> None:
        """Lead new connections there, and end the old ones."""
        self.target = target
        while self.open:
            hang_up(self.open.pop())

    def accept(self) -> None:
        while True:
            client, _address = self.listener.accept()
            host, port = self.target.removeprefix("http://").split(":")
            server = socket.create_connection((host, int(port)))
            self.open += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=pump, args=(source, sink), daemon=True).start()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    hang_up(source)
    hang_up(sink)


def hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def texts(browser: chat_browser.ChatPage) -> list[str]:
    return [one["content"][0]["text"].strip() for one in browser.conversation()]


def prompts(model: ScriptedModel) -> list[list[str]]:
    return [[one["content"] for one in messages] for messages in model.asked]


@pytest.fixture(scope="module")
def replica() -> Iterator[tuple[ScriptedModel, str]]:
    """A page with a password and the model behind it, for all tests that do not end it."""
    model = ScriptedModel()
    with (
        serving(model.app) as backend,
        pages(backend, CHAT_USERNAME="anna", CHAT_PASSWORD=PASSWORD) as [(url, _process)],
    ):
        yield model, url


@pytest.fixture
def model(replica: tuple[ScriptedModel, str]) -> ScriptedModel:
    replica[0].begin_anew()
    return replica[0]


@pytest.fixture
def browser(replica: tuple[ScriptedModel, str], tmp_path: Path) -> Iterator[chat_browser.ChatPage]:
    with chat_browser.ChatPage(replica[1], tmp_path, "anna", PASSWORD) as opened:
        yield opened
        assert opened.elsewhere == []


def test_the_password_is_asked_for(replica: tuple[ScriptedModel, str]) -> None:
    for path in ("", "/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=x"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(replica[1] + path)


def test_a_conversation(model: ScriptedModel, browser: chat_browser.ChatPage) -> None:
    """An answer streams in; one failure is made good, two are told; what is too long is shortened; a reload loses nothing."""
    model.script[:] = ["answer", "die", "answer", "503", "503"]
    model.delay, model.most_messages = 0.02, 3
    first = browser.ask("Who are you?")
    assert first.text == ANSWER
    assert first.grew > len(WORDS) / 2
    assert first.asked_at[0] < first.first_at < first.done_at

    assert browser.ask("And who dies?").text == ANSWER
    assert prompts(model)[1:] == [["Who are you?", f"{ANSWER} ", "And who dies?"]] * 2

    with pytest.raises(chat_browser.NotAnswered, match=r"(?s)instead of.*busy with other questions.*asked twice"):
        browser.ask("Busy?")

    # With the refused question it would be seven messages, without it five; the model takes three.
    assert browser.ask("Too much?").text == ANSWER
    assert [len(one) for one in prompts(model)[-2:]] == [5, 3]
    assert prompts(model)[-1] == ["And who dies?", f"{ANSWER} ", "Too much?"]
    assert "the oldest question and its answer were left out" in texts(browser)[-2]

    before = texts(browser)
    browser.page.reload()
    browser.page.get_by_text("Too much?").wait_for()
    assert texts(browser) == before
    assert browser.ask("After a reload?").text == ANSWER

    browser.page.get_by_label("Clear").click()
    browser.page.reload()
    browser.page.locator("textarea").wait_for()
    assert browser.conversation() == []
    assert browser.errors == []


def test_a_fast_answer_is_seen_to_grow_too(model: ScriptedModel, browser: chat_browser.ChatPage) -> None:
    assert browser.ask("Quick?").grew >= 3


def test_an_answer_cannot_make_the_browser_fetch_anything(model: ScriptedModel, browser: chat_browser.ChatPage) -> None:
    model.words = ["![picture](http://127.0.0.1:1/secret.png)", "done"]
    assert browser.ask("A picture?").text.endswith("done")
    assert "secret.png" in "".join(one["content"][0]["text"] for one in browser.conversation())
    browser.page.wait_for_timeout(500)
    assert any("Content Security Policy" in one for one in browser.errors)


def test_stop(model: ScriptedModel, browser: chat_browser.ChatPage) -> None:
    """It stops the model; the question is not asked again by a reload, but by the button. To leave stops the model too.

    What is written while the answer comes stays where it is.
    """
    model.delay = 0.5
    browser.type("Slowly, please")
    browser.send()
    browser.begun()
    browser.type("Written meanwhile")
    browser.page.get_by_text(" ".join(WORDS[:4])).wait_for()
    assert browser.page.locator("textarea").input_value() == "Written meanwhile"
    browser.page.locator(".stop-button").click()
    assert model.hung_up.wait(10)
    browser.page.get_by_text("Stopped.").wait_for()
    browser.page.reload()
    browser.page.get_by_text("Stopped.").wait_for()
    assert len(model.asked) == 1

    model.delay = 0.0
    browser.page.get_by_label("Retry").click()
    browser.page.get_by_text(ANSWER).wait_for()
    assert texts(browser) == ["Slowly, please", ANSWER]
    assert len(model.asked) == 2

    model.delay = 0.5
    model.hung_up.clear()
    browser.type("And now?")
    browser.send()
    browser.begun()
    browser.page.close()
    assert model.hung_up.wait(20)


def test_the_oldest_questions_leave_a_page_that_is_full(browser: chat_browser.ChatPage) -> None:
    def fitted(*lengths: int) -> list[int]:
        roles = ("user", "assistant", "assistant")
        history = [{"role": roles[number % 3], "content": "x" * length} for number, length in enumerate(lengths)]
        return [len(one["content"]) for one in browser.page.evaluate(chat_page.FIT, history)]

    assert fitted() == []
    assert fitted(1, 2, 3, 4) == [1, 2, 3, 4]
    assert fitted(10, 20, 30, 900_000, 1_000_000, 40) == [10, 20, 30, 900_000, 1_000_000, 40]
    assert fitted(200_000, 20, 30, 900_000, 1_000_000, 40) == [900_000, 1_000_000, 40]
    assert fitted(10, 20, 30, 1_000_000, 1_000_000) == []


# As when there are five million characters in it.
FULL = """() => {
    const before = Storage.prototype.setItem;
    Storage.prototype.setItem = function (...item) {
        if (this === sessionStorage) throw new DOMException("full", "QuotaExceededError");
        before.apply(this, item);
    };
}"""


def test_a_browser_without_room_asks_all_the_same(model: ScriptedModel, browser: chat_browser.ChatPage) -> None:
    browser.page.evaluate(FULL)
    browser.type("Any room?")
    browser.send()
    browser.page.get_by_text(ANSWER).wait_for()
    assert browser.conversation() == []
    assert browser.errors == []


def test_replicas_go(tmp_path: Path) -> None:
    """Between two questions nobody notices, an answer in the making is asked for again, and who goes in peace ends it."""
    model = ScriptedModel(delay=0.01)
    with serving(model.app) as backend, pages(backend, 2) as [(first, first_process), (second, second_process)]:
        switch = Switch()
        switch.lead_to(first)
        with chat_browser.ChatPage(switch.url, tmp_path) as browser:
            browser.ask("One?")
            switch.lead_to(second)
            assert browser.ask("Two?").text == ANSWER
            assert prompts(model)[-1] == ["One?", f"{ANSWER} ", "Two?"]

            model.delay = 0.5
            browser.type("Three?")
            browser.send()
            browser.begun()
            second_process.kill()
            second_process.wait()
            switch.lead_to(first)
            model.delay = 0.01
            browser.page.wait_for_function(chat_browser.ANSWERED, arg=3, timeout=30000)
            assert texts(browser) == ["One?", ANSWER, "Two?", ANSWER, "Three?", ANSWER]
            assert len(model.asked) == 4

            model.delay = 0.1
            browser.type("Four?")
            browser.send()
            browser.begun()
            first_process.terminate()
            assert browser.answer(30).text == ANSWER
            # uvicorn ends by the signal that it was sent.
            assert first_process.wait(25) == -signal.SIGTERM


def test_the_scenario_asks_in_each_phase(model: ScriptedModel, browser: chat_browser.ChatPage) -> None:
    stage, answers = Stage(), []

    def note(phase: str, answer: chat_browser.Answer) -> None:
        answers.append((phase, answer.question))
        stage.noted(phase)

    phases = scenario.converse(browser, stage, note)
    assert [phase for _at, phase in phases] == ["there", "leaving", "gone", "starting", "back"]
    assert answers == list(scenario.QUESTIONS.items())
    assert [one["content"] for one in model.asked[-1]][::2] == list(scenario.QUESTIONS.values())


def test_the_scenario_knows_an_answer_that_came_too_late(model: ScriptedModel, browser: chat_browser.ChatPage) -> None:
    model.delay = 0.1
    with pytest.raises(head_phases.PhaseMissed, match=r"meant for the phase gone was asked or answered in .*starting"):
        scenario.converse(browser, Stage(hurried=True), lambda phase, answer: None)


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ([], 0, "head there: answered after"),
        (["503", "503"], 1, "FAILED: instead of an answer to 'Who are you?' the page says: ⚠️ The model is busy"),
    ],
)
def test_the_scenario_passes_and_fails(
    replica: tuple[ScriptedModel, str], model: ScriptedModel, tmp_path: Path, script: list[str], code: int, said: str
) -> None:
    model.script[:] = script
    model.delay = 0.02
    ran = subprocess.run(
        [sys.executable, scenario.__file__, "--url", replica[1], "--report-dir", str(tmp_path / "report")],
        env=os.environ | {"CHAT_USERNAME": "anna", "CHAT_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    assert said in ran.stdout + ran.stderr
    report = json.loads((tmp_path / "report" / "browser.json").read_text())
    assert bool(report["failed"]) == bool(code)
    assert len(report["questions"]) == 1 - code
    assert (tmp_path / "report" / ("failed.png" if code else "there.png")).stat().st_size > 1000
