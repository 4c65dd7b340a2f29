# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as others than browsers use it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from chat_page import chat_page
from gradio import processing_utils
from gradio.blocks import Blocks


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Blocks:
    async def fetched(*given: Any, **more: Any) -> str:
        raise AssertionError(f"it was fetched: {given}")

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_download", fetched)
    return chat_page(lambda messages: None, "Mistral")


@pytest.mark.parametrize("file", [{"path": "https://example.org/x"}, {"path": "/etc/hostname"}])
def test_no_message_can_have_the_page_fetch_a_file(
    page: Blocks, monkeypatch: pytest.MonkeyPatch, file: dict[str, Any]
) -> None:
    """As Gradio does it with everything that a request says, here with a history that names a file."""
    monkeypatch.setattr(processing_utils, "_check_allowed", lambda *given: None)
    history = [{"role": "user", "content": [{"type": "file", "file": file | {"meta": {"_type": "gradio.FileData"}}}]}]
    inputs = [block for function in page.fns.values() if function.fn for block in function.inputs]
    assert len(inputs) == 4
    for block in inputs:
        with pytest.raises(ValueError, match="Did not determine a file path"):
            asyncio.run(processing_utils.async_move_files_to_cache(history, block))
