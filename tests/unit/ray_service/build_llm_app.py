# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ray's own builder makes of Serve configs, without vLLM: a program, since stand-ins for modules stay in a process.

Reads a list of Serve configs (JSON) and writes for each application the deployments that Ray would run: name -> num_replicas,
bundles, strategy, max_replicas_per_node, autoscaling.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
import types
from typing import Any

from pydantic import BaseModel

ENGINE = [("tensor_parallel_size", int), ("max_model_len", int)]


class StandIn(types.ModuleType):
    """A module in which every name is a class without fields."""

    __version__ = "0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (BaseModel,), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what ray[llm] brings along and ray[serve] does not."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        known = name.split(".")[0] in ("vllm", "pyarrow")
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def deployments(config: dict[str, Any]) -> dict[str, Any]:
    from ray.serve._private.application_state import override_deployment_info
    from ray.serve._private.build_app import build_app
    from ray.serve._private.deployment_info import DeploymentInfo
    from ray.serve.schema import ServeDeploySchema

    (application,) = ServeDeploySchema.model_validate(config).applications
    module, builder = application.import_path.split(":")
    built = build_app(getattr(importlib.import_module(module), builder)(application.args), name=application.name)
    infos = {
        one.name: DeploymentInfo(one._deployment_config, one._replica_config, start_time_ms=0, deployer_job_id="")
        for one in built.deployments
    }
    return {
        name: {
            "num_replicas": info.deployment_config.num_replicas,
            "autoscaling": info.deployment_config.autoscaling_config is not None,
            "max_replicas_per_node": info.replica_config.max_replicas_per_node,
            "bundles": info.replica_config.placement_group_bundles,
            "strategy": info.replica_config.placement_group_strategy,
        }
        for name, info in override_deployment_info(infos, application).items()
    }


if __name__ == "__main__":
    # No Ray is started for this: the builder wants to know the environment of its process only.
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
    import ray

    ray.get_runtime_context = lambda: types.SimpleNamespace(runtime_env={})
    sys.meta_path.insert(0, Finder())
    # Of these two Ray reads the fields.
    arguments = importlib.import_module("vllm.engine.arg_utils")
    arguments.AsyncEngineArgs = dataclasses.make_dataclass("AsyncEngineArgs", ENGINE)
    frontend = importlib.import_module("vllm.entrypoints.launchers.cli_args")
    frontend.FrontendArgs = dataclasses.make_dataclass("FrontendArgs", [])
    json.dump([deployments(config) for config in json.load(sys.stdin)], sys.stdout)
