# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster in memory that failures change, for the tests of what causes and undoes them."""

from __future__ import annotations

import json
from base64 import b64encode

from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure

NOTE = "rayops.io/head-failure-check"
NODE = "/api/v1/nodes/node-1"
OPERATOR = "/apis/apps/v1/namespaces/kuberay/deployments/operator"
SECRETS = "/api/v1/namespaces/ns/secrets"
SECRET, HEADERS = (f"{SECRETS}/svc-head-failure-{end}" for end in ("check", "load"))


class World:
    """The objects of a cluster, by their paths. Merge patches change them, evictions and deletions take them away.

    budget: how many evictions are refused before one is allowed. log: what was done, in short.
    """

    def __init__(self):
        self.objects = {
            NODE: {"metadata": {"name": "node-1"}, "spec": {}},
            OPERATOR: {
                "metadata": {"namespace": "kuberay", "name": "operator"},
                "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "operator"}}},
            },
        }
        self.on_node, self.head, self.load_pods, self.log = [], None, [], []
        self.budget = 0
        self.operator_pods = [["p1", "p2"], ["p2"], []]

    def find(self, path):
        found = self.head if "/pods/" in path else self.objects.get(path)
        if path in (SECRET, HEADERS) and found:
            return {**found, "data": {key: b64encode(text.encode()) for key, text in found["stringData"].items()}}
        return found

    get = find

    def items(self, path, **query):
        if path == "/api/v1/pods":
            assert query == {"fieldSelector": "spec.nodeName=node-1"}
            return self.on_node
        return [
            thing
            for key, thing in self.objects.items()
            if key.startswith(path) or ("deployments" in path and key == OPERATOR)
        ]

    def pods(self, namespace, _selector):
        return self.load_pods if namespace == "ns" else self.operator_pods.pop(0)

    def request(self, method, path, body, content_type=None):
        if method == "POST":
            self.create(path, body)
            return
        assert (method, content_type) == ("PATCH", "application/merge-patch+json")
        for part, values in body.items():
            merge(self.objects[path].setdefault(part, {}), values)
        self.log.append((path.rpartition("/")[2], body.get("spec")))
        return

    def create(self, path, body):
        where = f"{path}/{body['metadata']['name']}"
        if where in self.objects:
            raise ApiFailure("there is one", 409)
        self.objects[where] = body
        self.log.append(("create", body["kind"]))

    def once(self, method, path, body):
        assert (method, path.rpartition("/")[2], body["kind"]) == ("POST", "eviction", "Eviction")
        if path.endswith("/held/eviction") and self.budget:
            self.budget -= 1
            raise ApiFailure("the budget does not allow it", 429)
        self.log.append(("evict", body["metadata"]["name"]))

    def delete(self, path, body=None):
        self.objects.pop(path, None)
        self.log.append(("delete", path.rpartition("/")[2]))

    def execute(self, _namespace, pod, container, command, _seconds):
        self.log.append(("execute", pod, container, *command[3:]))
        raise ApiFailure("it broke off")

    def notes(self):
        return {
            path: note
            for path, thing in self.objects.items()
            if (note := thing["metadata"].get("annotations", {}).get(NOTE))
        }

    def noted(self):
        """What a failure has noted down in the Secret, None without one."""
        return json.loads(self.objects[SECRET]["stringData"]["text"]) if SECRET in self.objects else None


def merge(thing, values):
    for key, value in values.items():
        if value is None:
            thing.pop(key, None)
        elif isinstance(value, dict):
            merge(thing.setdefault(key, {}), value)
        else:
            thing[key] = value
