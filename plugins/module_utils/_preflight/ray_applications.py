# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for the profile and for the applications of a Ray service. Pure: values -> list of problems."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import problem

IMPORT_PATH = re.compile(r"[\w.]+[:.]\w+")


# What every profile says; the rest has defaults.
PROFILE_KEYS = ("head", "worker", "request_path")


def profile_problems(values: dict[str, t.Any], local: bool, exists: t.Callable[[str], bool]) -> list[str]:
    """Rules for the profile.

    Args:
        values: profile (a name, or the path of a file), profiles (the known names), profile_content (what the file sets, None
            if nobody has looked), accept_unsupported.
        local: whether the cluster is one of this machine.
    """
    variable, profile, content = "ray_service_profile", values["profile"], values["profile_content"]
    if "/" in profile:
        if not os.path.isabs(profile) or not exists(profile):
            return [problem(variable, profile, "the absolute path of a file that exists")]
    elif profile not in values["profiles"]:
        known = ", ".join(values["profiles"])
        return [problem(variable, profile, f"one of {known}, or the path of a profile of your own")]
    if content is None:
        return []
    found = []
    lacks = [key for key in PROFILE_KEYS if not content.get(key)]
    if lacks:
        found.append(
            problem(
                variable, profile, f"a file that sets ray_service__profile, with {', '.join(lacks)} (docs/profiles.md)"
            )
        )
    if local and content.get("accelerator"):
        found.append(
            problem(variable, profile, "one that needs no accelerator, such as 'cpu', on a cluster of this machine")
            + f"; this needs {content['accelerator']}: set local_cluster_kubeconfig, or deploy to the inventory's group aws"
        )
    if content.get("unsupported") and not values["accept_unsupported"]:
        found.append(
            problem(variable, profile, "one that is supported")
            + f": {content['unsupported']}; ray_service_accept_unsupported: true takes it all the same"
        )
    return found


def serves(values: dict[str, t.Any], profile: dict[str, t.Any]) -> bool:
    """Whether what the profile says of its own application is true of what is served, as the role has it."""
    return not (values["applications"] and "import_path" in profile)


def api_problems(values: dict[str, t.Any]) -> list[str]:
    """Rules for OpenAI's API of the user's applications: who asks there has to name a model."""
    if not values["openai_api"]:
        return []
    variable = "ray_service_openai_api"
    if not values["applications"]:
        return [problem(variable, True, "false without ray_service_applications: of its own the profile says it itself")]
    return [] if values["model"] else [problem("ray_service_model", "", f"the model's name in the API, with {variable}")]


def application_problems(values: dict[str, t.Any], least: int) -> list[str]:
    """Rules for the applications: the user's, as in a Serve config, or else the profile's.

    Args:
        values: applications, name (of the service), profile, profile_content, num_replicas (of the workers; a deployment that says nothing itself has
            as many replicas, each on another worker).
        least: how many replicas each deployment has to have.
    """
    given, content = values["applications"], values["profile_content"]
    if given:
        named = {f"ray_service_applications[{index}]": one for index, one in enumerate(given)}
    elif "import_path" in content:
        named = {f"In the profile {values['profile']!r}, ray_service__profile": content}
    else:
        return [
            problem("ray_service_applications", given, "one application or more, as in a Serve config file")
            + f", since the profile {values['profile']!r} brings none"
        ]
    found = [
        text
        for variable, one in named.items()
        for text in one_application(variable, one, values["num_replicas"], least)
    ]
    for what, default in (("name", values["name"]), ("route_prefix", "/")):
        said = [one.get(what, default) for one in named.values() if isinstance(one, dict)]
        # An application without a route (null) is asked by others only.
        if len({*said} - {None}) < len(said) - said.count(None):
            found.append(problem(f"ray_service_applications[].{what}", said, "another one for each application"))
    return found


def one_application(variable: str, application: t.Any, num_replicas: int, least: int) -> list[str]:
    """Rules for one application; see C(application_problems)."""
    if not isinstance(application, dict):
        return [problem(variable, application, "a dictionary, as in a Serve config file")]
    found = []
    import_path = str(application.get("import_path") or "")
    if not IMPORT_PATH.fullmatch(import_path):
        found.append(problem(f"{variable}.import_path", import_path, "module:application, or module:builder"))
    deployments = application.get("deployments") or []
    if not deployments:
        found.append(
            problem(f"{variable}.deployments", deployments, "every deployment of the application by its name")
            + ", the one that takes the requests included: one that is not named may have a single replica"
        )
    for index, one in enumerate(deployments):
        found += deployment_problems(f"{variable}.deployments[{index}]", one, num_replicas, least)
    return found


def deployment_problems(variable: str, one: t.Any, num_replicas: int, least: int) -> list[str]:
    """Rules for one deployment; see C(application_problems)."""
    if not isinstance(one, dict) or not one.get("name"):
        return [problem(variable, one, "a dictionary with a name, as in a Serve config file")]
    found = []
    scaling = one.get("autoscaling_config")
    if isinstance(scaling, dict):
        what, replicas = "autoscaling_config.min_replicas", scaling.get("min_replicas", 1)
        most = scaling.get("max_replicas", 1)
    else:
        what, replicas = "num_replicas", one.get("num_replicas", num_replicas)
        most = replicas
    if not isinstance(replicas, int) or replicas < least:
        found.append(problem(f"{variable}.{what}", replicas, f"at least {least}, so that one worker can be lost"))
    if "placement_group_bundles" in one:
        return found
    if one.get("max_replicas_per_node", 1) != 1:
        expectation = "1, or nothing, so that replicas are on different workers"
        found.append(problem(f"{variable}.max_replicas_per_node", one["max_replicas_per_node"], expectation))
    if isinstance(most, int) and most > num_replicas:
        what = "autoscaling_config.max_replicas" if isinstance(scaling, dict) else "num_replicas"
        found.append(
            problem(
                f"{variable}.{what}", most, f"at most {num_replicas}, the number of workers (ray_service_num_replicas)"
            )
            + ": each has one replica"
        )
    return found
