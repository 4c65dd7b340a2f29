# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chat page in headless Chromium: what a person sees and does there."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Error, Request, Response, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Every change of the newest answer's visible text, with its time since the epoch in seconds.
WATCH = """(before) => {
    window.growth = [];
    window.watcher?.disconnect();
    window.watcher = new MutationObserver(() => {
        const answers = document.querySelectorAll("[data-testid=bot]");
        const text = answers.length > before ? answers[answers.length - 1].textContent.trim() : "";
        if (text && text !== window.growth.at(-1)?.text) {
            window.growth.push({at: (performance.timeOrigin + performance.now()) / 1000, text: text});
        }
    });
    window.watcher.observe(document.body, {subtree: true, childList: true, characterData: true});
}"""
# What the page itself keeps says which question is answered, and whether by the model or by the page. While the event of a
# question has not ended, the page takes no other one, and the button for asking it again is disabled.
CONVERSATION = "() => JSON.parse(sessionStorage.getItem('conversation') || '[]')"
ANSWERED = """(questions) => {
    const messages = JSON.parse(sessionStorage.getItem("conversation") || "[]");
    const last = messages.at(-1);
    return messages.filter((one) => one.role === "user").length === questions
        && last.role === "assistant" && last.metadata?.status !== "pending"
        && document.querySelector("[aria-label=Retry]:not(:disabled)") !== null;
}"""


class NotAnswered(Exception):
    """The page did not show the model's answer; the message has what it showed instead."""


@dataclasses.dataclass
class Answer:
    """One question and what came of it; times in seconds since the epoch.

    C(growth): length of the visible text at each change of it, with its time.
    """

    question: str
    text: str
    asked_at: tuple[float, float]  # it was asked between these two
    first_at: float
    done_at: float
    growth: list[tuple[float, int]]

    @property
    def grew(self) -> int:
        """How often the text was seen longer than ever before."""
        lengths = [0]
        for _at, length in self.growth:
            if length > lengths[-1]:
                lengths.append(length)
        return len(lengths) - 1


class ChatPage:
    """The page at C(url), opened. Screenshots go to the directory C(pictures)."""

    def __init__(self, url: str, pictures: Path, username: str = "", password: str = "") -> None:
        self.url, self.pictures = url, pictures
        self.credentials = {"username": username, "password": password} if password else None
        self.elsewhere: list[str] = []
        self.errors: list[str] = []

    def __enter__(self) -> ChatPage:
        self.playwright = sync_playwright().start()
        self.browser = self.playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        self.page = self.browser.new_page(
            http_credentials=self.credentials,
            viewport={"width": 1100, "height": 720},  # type: ignore[arg-type]
        )
        self.page.on("requestfinished", self.note_request)
        self.page.on("requestfailed", self.note_request)
        self.page.on("response", self.note_response)
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.goto(self.url)
        self.page.locator("textarea").wait_for()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.browser.close()
        self.playwright.stop()

    def note_request(self, request: Request) -> None:
        """Note a request that went elsewhere, or would have gone if somebody were there."""
        local = urlsplit(request.url).scheme in ("data", "blob") or request.url.startswith(self.url)
        # The page's own policy had the browser not send it.
        if not local and request.failure != "csp":
            self.elsewhere.append(request.url)

    def note_response(self, response: Response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.request.method} {response.url}")

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.pictures / f"{name}.png")

    def conversation(self) -> list[dict[str, Any]]:
        return self.page.evaluate(CONVERSATION)

    def type(self, question: str) -> None:
        """Write the question, without sending it."""
        self.page.locator("textarea").fill(question)

    def send(self) -> None:
        """Send what is written."""
        self.question = self.page.locator("textarea").input_value()
        self.questions = sum(one["role"] == "user" for one in self.conversation()) + 1
        self.page.evaluate(WATCH, self.page.locator("[data-testid=bot]").count())
        before = time.time()
        self.page.locator("textarea").press("Enter")
        self.asked_at = before, time.time()

    def begun(self) -> None:
        """Wait for the first words of the answer to the question that was sent."""
        self.page.wait_for_function("() => window.growth.length > 0")

    def answer(self, seconds: float) -> Answer:
        """The answer to the question that was sent.

        Raises:
            NotAnswered: nothing came within these seconds, or the page said that the model does not answer.
        """
        try:
            self.page.wait_for_function(ANSWERED, arg=self.questions, timeout=1000 * seconds)
        except Error:
            shown = self.page.locator("body").inner_text()
            raise NotAnswered(
                f"no answer to {self.question!r} after {seconds:.0f} s; the page shows: {shown}"
            ) from None
        done_at = time.time()
        text = self.page.locator("[data-testid=bot]").last.inner_text().strip()
        if (self.conversation()[-1]["metadata"] or {}).get("id") == "note":
            raise NotAnswered(f"instead of an answer to {self.question!r} the page says: {text}")
        seen = self.page.evaluate("window.growth")
        if not seen:
            raise NotAnswered(f"the answer to {self.question!r} was never seen on the page")
        growth = [(one["at"], len(one["text"])) for one in seen]
        return Answer(self.question, text, self.asked_at, growth[0][0], done_at, growth)

    def ask(self, question: str, seconds: float = 60) -> Answer:
        self.type(question)
        self.send()
        return self.answer(seconds)
