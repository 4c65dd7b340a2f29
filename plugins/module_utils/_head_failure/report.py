# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of one report."""

from __future__ import annotations

import json
import os

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import html, junit, markdown


def write(document: dict, directory: str) -> dict[str, str]:
    """Write the files and return {json, markdown, html, junit: path}. Raises OSError."""
    os.makedirs(directory, exist_ok=True)
    stamp = "".join(letter for letter in document["started"][:19] if letter.isdigit() or letter == "T") + "Z"
    stem = os.path.join(directory, f"head-failure-{document['namespace']}-{document['name']}-{stamp}")
    texts = {
        "json": (".json", json.dumps(document, separators=(",", ":")) + "\n"),
        "markdown": (".md", markdown.page(document)),
        "html": (".html", html.page(document)),
        "junit": (".xml", junit.suite(document)),
    }
    paths = {}
    for kind, (suffix, text) in texts.items():
        paths[kind] = stem + suffix
        with open(paths[kind], "w", encoding="utf-8") as stream:
            stream.write(text)
    return paths
