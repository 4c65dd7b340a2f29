# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server whose every answer is scripted."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Serve-Replica: r1\r\nx-serve-node: n1\r\n\r\nhi"
CLOSE = None


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def read_request(connection):
    """One request with its body; b"" if the client has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _end, body = data.partition(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while sizes and len(body) < int(sizes[0]):
        piece = connection.recv(65536)
        body, data = body + piece, data + piece
    return data


class Server:
    """A web server of threads. script(number of the connection, of the request on it, its path) gives the answer, a list of
    bytes to send, seconds to wait, and CLOSE. seen: (number of the connection, request)."""

    def __init__(self, script):
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.seen = []

    def close(self):
        self._listener.close()

    def accept(self):
        for number in range(10**6):
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number):
        with connection:
            for turn in range(10**6):
                try:
                    request = read_request(connection)
                    if not request:
                        return
                    self.seen.append((number, request))
                    for step in self._script(number, turn, request.split()[1].decode()):
                        if step is CLOSE:
                            return
                        if isinstance(step, bytes):
                            connection.sendall(step)
                        else:
                            time.sleep(step)
                    if b"Connection: close\r\n" in request:
                        return
                except OSError:
                    return


@contextmanager
def server(script):
    running = Server(script)
    threading.Thread(target=running.accept, daemon=True).start()
    try:
        yield running
    finally:
        running.close()
