# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves the chat page. All that it needs to know comes by its environment; the role sets it."""

from __future__ import annotations

import os

# Read when Gradio is imported: nothing is sent anywhere, and nothing looked up.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

import uvicorn
from answers import Backend
from chat_page import chat_page
from door import Door, credentials
from fastapi import FastAPI
from gradio import mount_gradio_app, themes

#: Seconds for answers to come to their end after SIGTERM; the role gives the pod more.
FAREWELL = 20


def app(environment: dict[str, str]) -> Door:
    """The ASGI application.

    C(CHAT_BACKEND_URL), C(CHAT_MODEL), C(CHAT_TIMEOUT): see answers.Backend. C(CHAT_TITLE): of the page.
    C(CHAT_USERNAME), C(CHAT_PASSWORD): who may come in; everybody without them.
    """
    backend = Backend(environment["CHAT_BACKEND_URL"], environment["CHAT_MODEL"], float(environment["CHAT_TIMEOUT"]))
    gradio = mount_gradio_app(
        FastAPI(openapi_url=None),
        chat_page(backend.ask, environment["CHAT_TITLE"]),
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        show_error=False,
        theme=themes.Default(),
    )
    password = environment.get("CHAT_PASSWORD")
    return Door(gradio, credentials(environment["CHAT_USERNAME"], password) if password else b"")


if __name__ == "__main__":
    uvicorn.run(
        app(dict(os.environ)),
        host="0.0.0.0",
        port=int(os.environ["CHAT_PORT"]),
        log_level="warning",
        ws="none",
        timeout_graceful_shutdown=FAREWELL,
    )
