# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find, and delete, the keys that Ray keeps in Redis. Runs in a pod, as C(python -c), with the standard library only.

Ray's image has Python but no client for Redis, and the store (in the cluster, or in a VPC) is reached from there. All
settings come by environment variables, the password among them, so that none shows in a process list. Writes one line
of JSON to standard output: C({"keys": {namespace: [key, …]}, "deleted": n}) or C({"error": text, "reached": bool}).

Ray 2.38 and later has the keys C(RAY<namespace>@<table>); the namespace is the RayCluster's UID unless it was set.
Only SCAN and DEL are sent, which Ray itself needs and every access list that is made for Ray therefore allows.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import ssl
import sys

# Ray refuses a namespace with an "@"; the tables are JOB, ACTOR, ACTOR_TASK_SPEC, PLACEMENT_GROUP, NODE, WORKERS, KV,
# INTERNAL_CONFIG and the counter JobCounter; rayops_head is the role ray_service's (claim.py).
KEY = re.compile(r"RAY(?P<namespace>[^@]+)@[A-Za-z_]+")
PATTERN = "RAY*@*"
BATCH = 500
TIMEOUT_SECONDS = 20


class RedisError(Exception):
    """Redis answered with an error."""


def encode(*words):
    """A command as Redis' protocol (RESP) wants it: an array of byte strings."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def decode(stream):
    """Read one answer from a binary file: bytes, int, list or None. Raises RedisError on an error that Redis reports."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the connection was closed in the middle of an answer")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest
    if kind == b"-":
        raise RedisError(rest.decode("utf-8", "replace"))
    if kind == b":":
        return int(rest)
    if kind == b"$":
        size = int(rest)
        if size < 0:
            return None
        data = stream.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionError("the connection was closed in the middle of an answer")
        return data[:-2]
    if kind == b"*":
        return None if int(rest) < 0 else [decode(stream) for _element in range(int(rest))]
    raise ConnectionError("this is not Redis: it answered %r" % line[:80])


def split_address(address):
    """(host, port, tls) of redis://host:port, rediss://host:port or host:port. Raises ValueError without a port."""
    scheme, separator, rest = address.strip().rpartition("://")
    if scheme not in ("", "redis", "rediss") or (separator and not scheme):
        raise ValueError("the address %r starts with neither redis:// nor rediss://" % address)
    match = re.fullmatch(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:/@\[\]]+)):(?P<port>\d{1,5})/?", rest)
    if not match:
        raise ValueError("the address %r is not of the form redis://host:port" % address)
    return match["v6"] or match["host"], int(match["port"]), scheme == "rediss"


def select(keys, wanted, spared):
    """{namespace: [key, …]} of those keys that are Ray's and of a namespace in wanted (all, if it is empty) and not in spared.

    Compares whole namespaces: a namespace that is another one's beginning, or holds a glob character, matches itself only.
    """
    found = {}
    for key in keys:
        match = KEY.fullmatch(key)
        if not match:
            continue
        namespace = match["namespace"]
        if (not wanted or namespace in wanted) and namespace not in spared:
            found.setdefault(namespace, set()).add(key)
    return {namespace: sorted(found[namespace]) for namespace in sorted(found)}


def scan(send):
    """All keys that look like Ray's; SCAN may name a key twice."""
    cursor, keys = b"0", []
    while True:
        cursor, page = send("SCAN", cursor, "MATCH", PATTERN, "COUNT", 1000)
        keys += [key.decode("utf-8", "surrogateescape") for key in page]
        if cursor == b"0":
            return keys


def run(send, wanted, spared, delete):
    """Look and, if C(delete), remove; returns what the module reads."""
    found = select(scan(send), wanted, spared)
    keys = [key.encode("utf-8", "surrogateescape") for some in found.values() for key in some]
    deleted = 0
    if delete:
        for start in range(0, len(keys), BATCH):
            deleted += send("DEL", *keys[start : start + BATCH])
        left = select(scan(send), wanted, spared)
        if left:
            raise RedisError("keys of %s came back while they were deleted: something still writes them" % ", ".join(left))
    return {"keys": found, "deleted": deleted}


def trust():
    """What a certificate is judged by: the authorities in REDIS_CA, or without them those of the image."""
    return ssl.create_default_context(cadata=os.environ.get("REDIS_CA") or None)


@contextlib.contextmanager
def connected(address, username, password, context, timeout):
    """A function that sends a command and returns the answer. C(context): gives the SSL context, and is asked only where there is TLS."""
    host, port, tls = split_address(address)
    with socket.create_connection((host, port), timeout) as plain:
        connection = context().wrap_socket(plain, server_hostname=host) if tls else plain
        with connection, connection.makefile("rb") as stream:

            def send(*words):
                connection.sendall(encode(*words))
                return decode(stream)

            if password:
                send("AUTH", *([username] if username else []), password)
            yield send


def main():
    given = os.environ
    reached = False
    try:
        user, password = given.get("REDIS_USERNAME"), given.get("REDIS_PASSWORD")
        with connected(given["REDIS_ADDRESS"], user, password, trust, TIMEOUT_SECONDS) as send:
            reached = True
            result = run(send, set(json.loads(given["WANTED"])), set(json.loads(given["SPARED"])), given["DELETE"] == "1")
    except (OSError, RedisError, ValueError) as error:
        # A Redis that refuses the password has not been reached: a teardown can do as little there as where nobody answers.
        result = {"error": str(error) or type(error).__name__, "reached": reached}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
