# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP in front of the gateway."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from emulator.control import PREFIX, Control
from emulator.wire import Request, Response

if t.TYPE_CHECKING:
    from emulator.gateway import Gateway


def serve(gateway: Gateway, control: Control, address: str, port: int, tls: tuple[Path, Path] | None = None) -> None:
    """Serve on an address in a thread of its own; with a certificate and key, over HTTPS, and then only C(/_emulator/)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # One write an answer.

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            if request.path.startswith(PREFIX):
                self.reply(control.handle(request))
            elif tls is not None:
                self.reply(Response(404))
            else:
                self.reply(gateway.handle(request))

        def reply(self, response: Response) -> None:
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_any

        def log_message(self, *_args: object) -> None:
            """The journal has every call."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64
        address_family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET

    server = Server((address, port), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True, name=f"{address}:{port}").start()
