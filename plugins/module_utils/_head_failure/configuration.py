# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a RayService is set up, as its object says: for reports, so without anything that is secret. Pure."""

from __future__ import annotations

import json
import re
import typing as t

from ansible.module_utils.common.yaml import yaml_load

# Of a pod and of its container in which Ray is: what decides how a failure goes.
OF_POD = ("terminationGracePeriodSeconds", "tolerations", "nodeSelector", "priorityClassName")
OF_CONTAINER = ("env", "envFrom", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources")
OF_GROUP = ("replicas", "minReplicas", "maxReplicas", "rayStartParams")
OF_SERVICE = ("excludeHeadPodFromServeSvc", "upgradeStrategy")
HIDDEN = "(not shown)"
# Names of what is nobody's business. The tokens of max_tokens are others.
SECRET = re.compile(r"token(?![a-z])|passw|secret|credential|(api|access|private|signing)[-_]?key", re.IGNORECASE)
USER = re.compile(r"(?<=://)[^/@\s]+(?=@)")  # of a URL


def read(rayservice: dict) -> dict[str, str]:
    """Every setting of a RayService that is ready, by the way to it: C(head.env.RAY_x) to its value.

    What comes from somewhere else, such as a Secret, is named and not looked up; a value whose name sounds secret is not shown.
    """
    spec = rayservice.get("spec") or {}
    cluster = spec.get("rayClusterConfig") or {}
    head = cluster.get("headGroupSpec") or {}
    found = {
        **_chosen(spec, OF_SERVICE),
        "redis": cluster.get("gcsFaultToleranceOptions") or {},
        "head": _group(head),
        "workers": {group.get("groupName", ""): _group(group) for group in cluster.get("workerGroupSpecs") or []},
        "serve": yaml_load(spec.get("serveConfigV2") or "{}"),
    }
    return dict(_flat("", found))


def _group(group: dict) -> dict:
    pod = (group.get("template") or {}).get("spec") or {}
    container = (pod.get("containers") or [{}])[0]
    return {**_chosen(group, OF_GROUP), **_chosen(pod, OF_POD), **_chosen(container, OF_CONTAINER)}


def _chosen(values: dict, names: tuple[str, ...]) -> dict:
    return {name: values[name] for name in names if name in values}


def _flat(where: str, value: t.Any) -> list[tuple[str, str]]:
    name = where.rpartition(".")[2]
    if isinstance(value, dict) and ("valueFrom" in value or SECRET.search(name)):
        return [(where, _source(value.get("valueFrom") or {}))]
    if isinstance(value, dict) and set(value) == {"value"}:
        return _flat(where, value["value"])
    if isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
        value = {one["name"]: {key: inner for key, inner in one.items() if key != "name"} for one in value}
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{where}.{key}" if where else key, inner)]
    if SECRET.search(name):
        return [(where, HIDDEN)]
    text = value if isinstance(value, str) else json.dumps(value)
    return [(where, USER.sub("…", text))]


def _source(source: dict) -> str:
    """C(from the Secret mistral-redis, key password); what a value comes from."""
    for kind, words in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if kind in source:
            return f"from the {words} {source[kind].get('name', '')}, key {source[kind].get('key', '')}"
    for kind, key in (("fieldRef", "fieldPath"), ("resourceFieldRef", "resource")):
        if kind in source:
            return f"from {source[kind].get(key, '')}"
    return HIDDEN
