# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entries of the load, as the module's option C(load) has them. Pure."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

MOST_REQUESTS = 1000.0  # a second, in all: what one generator holds
ARGUMENT_SPEC = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "path": {"type": "str", "required": True},
        "method": {"type": "str", "choices": ["GET", "POST"], "default": "GET"},
        "body": {"type": "dict"},
        "headers": {"type": "dict", "no_log": True},
        "stream": {"type": "bool", "default": False},
        "rate": {"type": "float"},
        "users": {"type": "int"},
        "think_seconds": {"type": "float", "default": 1},
        "connection": {"type": "str", "choices": ["new", "kept"], "default": "new"},
        "request_timeout": {"type": "float", "default": 10},
        "max_gap_seconds": {"type": "float", "default": 5},
    },
    "mutually_exclusive": [("rate", "users")],
    "required_one_of": [("rate", "users")],
    "default": [{"name": "requests", "path": "/infer?sentence=hello", "rate": 20}],
}
# By RFC 9110; of the connection the client itself takes care.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OWN_HEADERS = ("connection", "content-length", "host", "transfer-encoding")
POSITIVE = ("rate", "users", "think_seconds", "request_timeout", "max_gap_seconds")


def problem(load: list[dict], url: str | None) -> str:
    """What is wrong with the load, and the URL it goes to, beyond the types; empty if nothing is."""
    if url:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            return "url has a user, or a password, in it; expected: none, as the URL is shown in reports"
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            return f"url is {url!r}; expected: http:// or https://, a host, and no query, as paths are appended"
    if not load:
        return "load must have at least one entry"
    for entry in load:
        if words := _entry_problem(entry):
            return f"load entry {entry['name']!r}: {words}"
    names = [entry["name"] for entry in load]
    if double := next((name for name in names if names.count(name) > 1), None):
        return f"load has two entries with the name {double!r}; expected: a name of its own for each"
    asked = sum(map(nominal_rate, load))
    if asked > MOST_REQUESTS:
        return f"load asks for up to {asked:g} requests a second in all; expected: at most {MOST_REQUESTS:g}"
    return ""


def _entry_problem(entry: dict) -> str:
    for name in POSITIVE:
        if entry[name] is not None and entry[name] <= 0:
            return f"{name} is {entry[name]:g}; expected: more than 0"
    path = entry["path"]
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        return f"path is {path!r}; expected: a path from / on, with its query, in printable ASCII without blanks"
    if entry["body"] is not None and entry["method"] == "GET":
        return "it has a body; expected: none with method GET"
    for name, value in (entry["headers"] or {}).items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in OWN_HEADERS:
            return f"it has a header {name!r}; expected: a name of letters, digits and -, and none of {', '.join(OWN_HEADERS)}"
        # What it is belongs into no message.
        if not isinstance(value, str | int) or not str(value).isascii() or not str(value).isprintable():
            return f"its header {name} has a value that cannot be sent; expected: printable ASCII"
    return ""


def as_sent(entry: dict) -> dict:
    """The entry on the generator's command line: the body of a stream asks for a stream, and headers are no one else's business."""
    sent = {key: value for key, value in entry.items() if key != "headers"}
    if entry["stream"] and entry["body"] is not None:
        sent["body"] = {**entry["body"], "stream": True}
    return sent


def headers(load: list[dict]) -> str:
    """The headers of each entry that has any, by its name, as the generator finds them in its environment; "" for none at all."""
    given = {entry["name"]: entry["headers"] for entry in load if entry["headers"]}
    return json.dumps(given) if given else ""


def nominal_rate(entry: dict) -> float:
    """Requests a second: of users, as many as if every answer came at once."""
    return entry["rate"] or entry["users"] / entry["think_seconds"]


def patience(load: list[dict]) -> float:
    """Seconds after which the last request of a load has ended, one way or the other."""
    return max(entry["request_timeout"] for entry in load)


def describe(entry: dict) -> str:
    """For progress lines and reports: C(20 GET /infer?sentence=hello a second, a new connection each)."""
    what = f"{'streams of ' if entry['stream'] else ''}{entry['method']} {entry['path']}"
    connections = "a new connection each" if entry["connection"] == "new" else "kept connections"
    if entry["rate"]:
        return f"{entry['rate']:g} {what} a second, {connections}"
    users = "1 user" if entry["users"] == 1 else f"{entry['users']} users"
    return f"{users} of {what}, {entry['think_seconds']:g} s to think, {connections}"


def generator_arguments(url: str, load: list[dict], seconds: float) -> list[str]:
    """The command line of the generator. url: what the paths of the load are appended to."""
    sent = json.dumps([as_sent(entry) for entry in load], separators=(",", ":"))
    return ["--url", url, "--seconds", str(seconds), "--load", sent]
