# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that only sleeping moves, an AWS that is a Python object behind botocore's own validation, and roles' variables."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from ansible_collections.amazon.aws.plugins.module_utils import modules
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import wait
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

ROLES = Path(__file__).parents[3] / "roles"
Render = Callable[..., Any]


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def aws_error(code: str, message: str = "", operation: str = "Operation") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message or code}}, operation)


@functools.cache
def client_meta(service: str) -> Any:
    """What botocore knows of a service: half a second each."""
    session = botocore.session.get_session()
    return session.create_client(
        service, region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x"
    ).meta


class FakeService:
    """Base of a fake: one method per boto3 operation (snake_case, keyword arguments as boto3's) that returns the response.

    Every request is checked against botocore's model before the method sees it, and every response against the model's
    members, so that neither the module nor the fake can make up a name. Both are copies, so that neither can change what is
    the other's. C(calls) keeps (operation, parameters) of the last run. C(errors) are raised by the next calls of an operation,
    None is no error.
    """

    service = ""
    #: Operations that change something.
    writes = re.compile(r"^(?!describe|list|get)")

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.errors: dict[str, list[Exception | None]] = {}
        self.meta = client_meta(self.service)
        self._names = dict(self.meta.method_to_api_mapping)

    def written(self) -> list[str]:
        return [name for name, _parameters in self.calls if self.writes.match(name)]

    def request(self, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        model = self.meta.service_model.operation_model(self._names[name])
        if model.input_shape is not None:
            validate_parameters(parameters, model.input_shape)
        self.calls.append((name, parameters))
        queue = self.errors.get(name)
        if queue and (error := queue.pop(0)):
            raise error
        response = copy.deepcopy(getattr(self, name)(**copy.deepcopy(parameters)) or {})
        known = set(model.output_shape.members) if model.output_shape is not None else set()
        assert set(response) <= known, f"{name} does not return {set(response) - known}"
        return response


class FakeClient:
    """What C(AnsibleAWSModule.client) gives, over a FakeService; C(aws_retry=True) is taken and means nothing here."""

    def __init__(self, service: FakeService) -> None:
        self._service = service
        self.meta = service.meta

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(aws_retry: bool = False, **parameters: Any) -> dict[str, Any]:
            return self._service.request(name, parameters)

        return call

    def get_paginator(self, operation: str) -> Any:
        client = self

        class Paginator:
            def paginate(self, **parameters: Any) -> Any:
                class Pages(list):
                    def build_full_result(self) -> dict[str, Any]:
                        return self[0]

                return Pages([getattr(client, operation)(**parameters)])

        return Paginator()


@pytest.fixture
def run_aws_module(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Callable[..., dict[str, Any]]:
    """Run a module's main() against fakes: run(module, {"eks": fake}, params, check=False) -> its result.

    The result of fail_json has C(failed: true). Waits use the fake clock.
    """
    from ansible.module_utils.testing import patch_module_args

    def run(
        module: Any, services: dict[str, FakeService], params: dict[str, Any], check: bool = False
    ) -> dict[str, Any]:
        class Exit(BaseException):
            pass

        result: dict[str, Any] = {}

        def leave(failed: bool) -> Callable[..., None]:
            def end(_self: Any, *_args: Any, **values: Any) -> None:
                result.update(values, failed=failed)
                raise Exit

            return end

        monkeypatch.setattr(
            modules.AnsibleAWSModule, "client", lambda _self, service, *_a, **_k: FakeClient(services[service])
        )
        monkeypatch.setattr(modules.AnsibleAWSModule, "exit_json", leave(False))
        monkeypatch.setattr(modules.AnsibleAWSModule, "fail_json", leave(True))
        monkeypatch.setattr(wait, "Clock", lambda: clock)
        arguments = dict(params, region="us-west-2", _ansible_check_mode=check, _ansible_diff=True)
        for service in services.values():
            service.calls.clear()
        with patch_module_args(arguments), pytest.raises(Exit):
            module.main()
        return result

    return run


UNCHANGED = {"before": {}, "after": {}}


def four_steps(
    run: Callable[..., dict[str, Any]], fake: FakeService, *what: Any, writes: list[str], reads: int, **more: Any
) -> dict[str, Any]:
    """Run in check mode, really, in check mode again, and again: C(run(*what, check=..., **more)); the result of the second.

    Check mode foretells what is done then, by the operations C(writes), and writes nothing. What is so already is seen by
    as many calls as C(reads) says.
    """
    foretold = run(*what, check=True, **more)
    assert not foretold["failed"], foretold
    assert (foretold["changed"], fake.written()) == (True, [])
    done = run(*what, check=False, **more)
    assert not done["failed"], done
    assert (done["changed"], fake.written()) == (True, writes)
    assert done["diff"] == foretold["diff"] != UNCHANGED
    for check in (True, False):
        again = run(*what, check=check, **more)
        assert not again["failed"], again
        assert (again["changed"], again["diff"], fake.written()) == (False, UNCHANGED, [])
        assert len(fake.calls) == reads, fake.calls
    return done


@pytest.fixture(scope="session")
def render() -> Render:
    """render(role, expression, **given): as a play would, with `given` over the role's defaults and variables; plain data."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar, trust_as_template

    loader = DataLoader()

    def rendered(role: str, expression: str, **given: Any) -> Any:
        path = ROLES / role
        variables: dict[str, Any] = {"ansible_check_mode": False}
        for file in [path / "defaults/main.yml", *sorted([*path.glob("vars/main.yml"), *path.glob("vars/main/*.yml")])]:
            variables |= loader.load_from_file(str(file), trusted_as_template=True)
        variables |= {"role_path": str(path), "ansible_search_path": [str(path)]} | given
        value = Templar(loader=loader, variables=variables).template(trust_as_template(f"{{{{ {expression} }}}}"))
        # As it would go to a module, without Ansible's tagged types.
        return json.loads(json.dumps(value))

    return rendered
