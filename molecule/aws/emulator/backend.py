# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ministack as a child process, and the ways to ask it."""

from __future__ import annotations

import ctypes
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.wire import AwsError, Request, Response

HOST = "127.0.0.1"
#: Headers that belong to one connection, not to the message.
HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")
START_SECONDS = 60.0
#: Linux' prctl option: the signal that a child gets when its parent is gone.
PR_SET_PDEATHSIG = 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Backend:
    """ministack on a loopback port, without Docker; it ends with this process."""

    def __init__(self, state: Path, account: str, region: str) -> None:
        self.port = free_port()
        self._region = region
        self._local = threading.local()
        self._clients: dict[tuple[str, str], t.Any] = {}
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "MINISTACK_ACCOUNT_ID": account,
            "MINISTACK_REGION": region,
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": str(state),
            "DOCKER_HOST": "unix:///nonexistent",
        }
        with (state / "ministack.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                env=environment,
                cwd=state,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
            )

    def wait_started(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.forward(Request("GET", "/_ministack/health", {})).status == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("ministack did not start; see ministack.log in the state directory")

    def stop(self) -> None:
        """It keeps nothing, so there is nothing to end in order."""
        self._process.kill()
        self._process.wait()

    def forward(self, request: Request) -> Response:
        """Send the request as it is, its Host and signature too, and return the answer."""
        try:
            return self._send(request)
        except (http.client.HTTPException, ConnectionError):
            # The kept connection was closed meanwhile.
            self._local.connection = None
            return self._send(request)

    def _send(self, request: Request) -> Response:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        headers = {name: value for name, value in request.headers.items() if name not in HOP}
        headers.setdefault("host", f"{HOST}:{self.port}")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body)
        answer = connection.getresponse()
        body = answer.read()
        kept = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in HOP}
        return Response(answer.status, body, kept)

    def ask(self, service: str, operation: str, region: str = "", **params: t.Any) -> dict[str, t.Any]:
        """One operation (snake_case) as the account's root; AWS' errors come as AwsError."""
        key = (service, region or self._region)
        if key not in self._clients:
            self._clients[key] = botocore.session.Session().create_client(
                service,
                region_name=key[1],
                endpoint_url=f"http://{HOST}:{self.port}",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}),
            )
        try:
            return getattr(self._clients[key], operation)(**params)
        except ClientError as error:
            said = error.response["Error"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            raise AwsError(said.get("Code", "Unknown"), said.get("Message", ""), status) from error

    def caller(self, access_key: str, session_token: str) -> str:
        """The ARN of whom the access key belongs to; ministack does not look at the signature."""
        headers = {
            "authorization": f"AWS4-HMAC-SHA256 Credential={access_key}/20260101/{self._region}/sts/aws4_request,"
            " SignedHeaders=host, Signature=0",
            "content-type": "application/x-www-form-urlencoded",
        }
        if session_token:
            headers["x-amz-security-token"] = session_token
        answer = self.forward(Request("POST", "/", headers, b"Action=GetCallerIdentity&Version=2011-06-15"))
        found = re.search(rb"<Arn>([^<]+)</Arn>", answer.body)
        if not found:
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid", 403)
        return found[1].decode()
