# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a request: recognise, record, perhaps fail, answer or pass on, perhaps amend."""

from __future__ import annotations

import datetime
import re
import threading
import time
import traceback
import typing as t

from emulator import models, reading, writing
from emulator.faults import Faults
from emulator.journal import Journal, without_secrets
from emulator.wire import AwsError, Request, Response
from emulator.world import AMENDMENTS, ANSWERS, GUARDS, Call, World

#: Services that are ours as a whole: an operation without an answer is an error, never ministack's.
OURS = ("eks", "service-quotas")
SECRETS_IN = {"CreateAccessKey": ("AccessKey",), "AssumeRole": ("Credentials",), "GetSessionToken": ("Credentials",)}


class Gateway:
    """Answers AWS requests, one at a time."""

    def __init__(self, world: World, backend: t.Any, journal: Journal, faults: Faults) -> None:
        self.world = world
        self.journal = journal
        self.faults = faults
        self._backend = backend
        self.lock = threading.RLock()

    def handle(self, request: Request) -> Response:
        began = time.perf_counter()
        identity = models.identify(request, self.world.config["region"])
        token = request.headers.get("x-amz-security-token", "")
        call = Call(self.world, identity.service, identity.operation, identity.region, identity.access_key, token, {})
        by, error = "ministack", ""
        with self.lock:
            self.world.timeline.settle()
            try:
                by, response = self._answer(call, identity.model, request)
            except AwsError as refused:
                by, error = "emulator", f"{refused.code}: {refused.message}"
                response = writing.write_error(identity.model, refused)
            except Exception as broken:
                traceback.print_exc()
                by, error = "emulator", f"EmulatorBroken: {broken!r}"
                response = writing.write_error(identity.model, AwsError("EmulatorBroken", repr(broken), 400))
            if not error and response.status >= 400:
                error = _error_of(response)
            self._record(call, identity.model, request, response, by, error, began)
        return response

    def _answer(self, call: Call, model: t.Any, request: Request) -> tuple[str, Response]:
        """Who answered (ministack, both or emulator), and what."""
        key = (call.service, call.operation)
        if reading.can_read(model):
            call.params = reading.read(model, request)
        self.faults.before(call)
        if key in ANSWERS:
            result = ANSWERS[key](call) or {}
            self.faults.created(call, result)
            return "emulator", writing.write(model, result)
        if call.service in OURS or (not call.service and not request.path.startswith("/_ministack")):
            raise AwsError("EmulatorLacks", f"the emulator has no {call.service}.{call.operation}", 501)
        if key in GUARDS:
            GUARDS[key](call)
        response = self._backend.forward(request)
        if response.status >= 400 or not reading.can_read(model):
            return "ministack", response
        if key not in AMENDMENTS and call.operation not in SECRETS_IN and not self.faults.watches_creations:
            return "ministack", response
        result = writing.parse(model, response)
        self._learn_secrets(call.operation, result)
        self.faults.created(call, result)
        if key not in AMENDMENTS:
            return "ministack", response
        return "both", writing.write(model, AMENDMENTS[key](call, result))

    def _learn_secrets(self, operation: str, result: dict[str, t.Any]) -> None:
        for name in SECRETS_IN.get(operation, ()):
            self.world.secrets[result[name]["AccessKeyId"]] = result[name]["SecretAccessKey"]

    def _record(
        self, call: Call, model: t.Any, request: Request, response: Response, by: str, error: str, began: float
    ) -> None:
        shape = model.input_shape if model is not None else None
        self.journal.add(
            time=datetime.datetime.now(datetime.UTC).isoformat(),
            service=call.service,
            operation=call.operation or f"{request.method} {request.path}",
            region=call.region,
            parameters=without_secrets(shape, call.params) if shape is not None else {},
            status=response.status,
            error=error,
            by=by,
            attempt=request.headers.get("amz-sdk-request", ""),
            milliseconds=round((time.perf_counter() - began) * 1000, 1),
        )

    def reset(self) -> None:
        """Forget everything, ministack too; the caller holds the lock."""
        self._backend.forward(Request("POST", "/_ministack/reset", {}))
        self.world.forget()
        self.faults.clear()
        self.journal.clear()


def _error_of(response: Response) -> str:
    """The code of ministack's error, or the beginning of what it said."""
    code = re.search(rb"<Code>([^<]+)</Code>", response.body)
    if code:
        return code[1].decode()
    return response.headers.get("x-amzn-errortype", "") or response.body.decode(errors="replace")[:300]
