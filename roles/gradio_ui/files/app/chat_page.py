# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chat page.

Not gr.ChatInterface: it keeps the conversation in the process, and with its replica the conversation would be lost. Here the
browser keeps it, in the storage of its tab, and sends it along. When a replica goes, the next question is another's; when it
goes in the middle of an answer, the page loads itself anew, and the question is asked again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import gradio as gr
from answers import Ask, Writers
from conversation import Message, message, shown, text_of, turns_of, up_to_question

#: Answers that one replica writes at the same time; more wait in line.
CONCURRENCY = 100

FORGET = "() => sessionStorage.removeItem('conversation')"
# A conversation for which the browser has no room goes on; a reload then shows it without what came last.
KEEP = """(conversation) => {
    try {
        sessionStorage.setItem("conversation", JSON.stringify(conversation));
    } catch (error) {
        console.warn("The browser cannot keep the conversation:", error);
    }
}"""
# Gradio reports the empty conversation, with which every page begins, as a change too.
STORE = f"(history) => {{if (history?.length) ({KEEP})(history)}}"
# The history, and whether its newest question was neither answered nor refused: its replica was lost while it answered.
RESTORE = """() => {
    const history = JSON.parse(sessionStorage.getItem("conversation") || "[]");
    const last = history.at(-1);
    return [history, last?.role === "user" || last?.metadata?.status === "pending"];
}"""
# A browser sends the whole conversation with each question. Of one that has more characters than any model takes, the oldest
# questions leave the page: requests (door.py) and the browser's storage have room for the rest.
MOST_CHARACTERS = 2_000_000
FIT = f"""(history) => {{
    const sizes = history.map((one) => JSON.stringify(one).length);
    let size = sizes.reduce((sum, one) => sum + one, 0);
    let first = 0;
    while (size > {MOST_CHARACTERS} || (first > 0 && first < history.length && history[first].role !== "user")) {{
        size -= sizes[first];
        first += 1;
    }}
    return history.slice(first);
}}"""
# Before the question leaves the browser: whatever happens on its way, it is not lost.
STORE_QUESTION = f"""(text, history) => {{
    const kept = ({FIT})(history);
    if (text.trim()) {{
        const question = {{role: "user", content: [{{type: "text", text: text.trim()}}], metadata: {{}}, options: null}};
        ({KEEP})([...kept, question]);
    }}
    return [text, kept];
}}"""


async def no_file(_path: object) -> None:
    """Where Gradio would fetch what a message names as its file, from wherever, and keep it: the page knows none."""


def chat_page(ask: Ask, title: str) -> gr.Blocks:
    """The page. C(ask): sends the messages of a chat completion to the model and yields its answer piece by piece."""

    writers = Writers(ask)

    async def answer(history: list[Message], request: gr.Request) -> AsyncIterator[list[Message]]:
        *earlier, question = history
        session = str(request.session_hash)
        async with aclosing(writers.write(session, turns_of(earlier), text_of(question))) as answers:
            async for reply in answers:
                yield shown(history, reply)

    async def asked(text: str, history: list[Message], request: gr.Request) -> AsyncIterator[tuple[Any, list[Message]]]:
        typed: Any = ""
        if not text.strip():
            yield typed, history
            return
        async for now in answer([*history, message("user", text.strip(), {})], request):
            yield typed, now
            # Emptied once: the next question may be written while this one is answered.
            typed = gr.skip()

    async def asked_again(history: list[Message], request: gr.Request) -> AsyncIterator[list[Message]]:
        async for now in answer(up_to_question(history), request):
            yield now

    async def stopped(request: gr.Request) -> None:
        writers.stop(str(request.session_hash))

    with gr.Blocks(title=title, analytics_enabled=False, fill_height=True) as page:
        gr.Markdown(f"# {title}")
        chatbot = gr.Chatbot(
            show_label=False, scale=1, buttons=["copy"], allow_tags=False, feedback_options=None, layout="bubble"
        )
        box = gr.Textbox(
            show_label=False, placeholder="Ask a question", autofocus=True, submit_btn=True, stop_btn=True, max_lines=8
        )

        for block in (chatbot, box):
            block.async_move_resource_to_block_cache = no_file

        interrupted = gr.Checkbox(value=False, visible="hidden")

        # Hidden: the chatbot itself shows that it waits.
        busy = {
            "concurrency_limit": CONCURRENCY,
            "concurrency_id": "answers",
            "api_visibility": "private",
            "show_progress": "hidden",
        }
        box.submit(asked, [box, chatbot], [box, chatbot], js=STORE_QUESTION, **busy)
        chatbot.retry(asked_again, chatbot, chatbot, **busy)
        # Done by the browser alone. Gradio can lose a question that is asked in the moment in which another event ends.
        page.load(None, None, [chatbot, interrupted], js=RESTORE)
        interrupted.change(asked_again, chatbot, chatbot, **busy)
        box.stop(stopped, None, None, queue=False, api_visibility="private")
        chatbot.change(None, chatbot, None, js=STORE)
        chatbot.clear(None, None, None, js=FORGET)
    return page
