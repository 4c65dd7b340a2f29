# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes of the commands that undo failures, signed here: who may write one must not choose what is run on this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

KEY_BYTES = 32
# Of a failure or of a node, and a signature: nothing else is shown of what may be anybody's.
NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?")
HEXADECIMAL = re.compile(r"[0-9a-f]*")


@dataclass(frozen=True)
class Note:
    """A command that undoes a failure, whoever wrote that. node: "" for a failure of none."""

    failure: str
    node: str
    end: list[str]
    signature: str = ""


def key_path() -> Path:
    # State of this user on this machine. Not a cache, which may be cleared between a killed check and the next one, and nowhere near
    # the inventory or the collection, which are shared and committed.
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state, "rayops.serve_ha", "undo.key")


def read_key() -> bytes:
    """Raises OSError: FileNotFoundError if nothing was signed here yet."""
    path = key_path()
    with path.open("rb") as stream:
        about, key = os.fstat(stream.fileno()), stream.read()
    # A key that others know, or an empty one, would prove nothing.
    if about.st_uid != os.geteuid() or about.st_mode & 0o077 or len(key) != KEY_BYTES:
        raise PermissionError(f"{path} is not a key of {KEY_BYTES} bytes that belongs to this user and is closed to all others")
    return key


def make_key() -> None:
    """Make a key if there is none. Raises OSError."""
    path = key_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, new = tempfile.mkstemp(dir=path.parent)  # of mode 0600
    try:
        with open(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        # Whole from the start, and never in the place of the one that another check has made meanwhile.
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        os.unlink(new)


def signature(key: bytes, namespace: str, name: str, note: Note) -> str:
    """Of a note about the RayService of that name: for another one it is worth nothing."""
    what = {**asdict(note), "namespace": namespace, "name": name}
    del what["signature"]
    canonical = json.dumps(what, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest()


def written(namespace: str, name: str, note: Note) -> str:
    """The text of a note, signed. Raises OSError."""
    try:
        key = read_key()
    except FileNotFoundError:
        make_key()
        key = read_key()
    return json.dumps({**asdict(note), "signature": signature(key, namespace, name, note)})


def parsed(text: str) -> Note | None:
    """A note that may be anybody's; None if it is none."""
    try:
        note = Note(**json.loads(text))
        shapes = [NAME.fullmatch(note.failure), note.node == "" or NAME.fullmatch(note.node), HEXADECIMAL.fullmatch(note.signature)]
    except (TypeError, ValueError, RecursionError):
        return None
    return note if all(shapes) else None


def ours(namespace: str, name: str, note: Note) -> bool:
    """Whether this user has written it on this machine, about the RayService of that name. Raises OSError."""
    try:
        key = read_key()
    except FileNotFoundError:
        return False
    return hmac.compare_digest(note.signature, signature(key, namespace, name, note))
