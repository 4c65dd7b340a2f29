# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose is what is in a cluster: ours by its labels, or somebody else's. Reads only."""

from __future__ import annotations

import typing as t

from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import Api


def path_of(resource: dict[str, t.Any]) -> str:
    """Where the API server has these objects: one, with a name, or a list of them.

    The plural is made of the kind as Kubernetes' own C(UnsafeGuessKindToResource) makes it.
    """
    kind = resource["kind"].lower()
    plural = f"{kind}es" if kind.endswith("s") else f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    root = "apis" if "/" in resource["api_version"] else "api"
    namespace = f"/namespaces/{resource['namespace']}" if resource["namespace"] else ""
    name = f"/{resource['name']}" if resource["name"] else ""
    return f"/{root}/{resource['api_version']}{namespace}/{plural}{name}"


def entry(resource: dict[str, t.Any], found: dict[str, t.Any]) -> dict[str, t.Any]:
    """What is told of an object, in the shape of the object itself. Its labels are also those that it gives its pods: charts take
    labels for these, and not always for what makes them."""
    metadata = found["metadata"]
    of_pods = ((found.get("spec") or {}).get("template") or {}).get("metadata") or {}
    told = {
        "name": metadata["name"],
        "labels": (metadata.get("labels") or {}) | (of_pods.get("labels") or {}),
        "annotations": metadata.get("annotations") or {},
    }
    if "namespace" in metadata:
        told["namespace"] = metadata["namespace"]
    return {"apiVersion": resource["api_version"], "kind": resource["kind"], "metadata": told}


def judge(entries: list[dict[str, t.Any]], labels: dict[str, str]) -> dict[str, list[dict[str, t.Any]]]:
    """Sort into owned and foreign, in their order, each object once. What is ours carries all of the labels."""
    sorted_: dict[str, list[dict[str, t.Any]]] = {"owned": [], "foreign": []}
    seen = set()
    for one in entries:
        metadata = one["metadata"]
        identity = (one["apiVersion"], one["kind"], metadata.get("namespace"), metadata["name"])
        if identity in seen:
            continue
        seen.add(identity)
        sorted_["owned" if labels.items() <= metadata["labels"].items() else "foreign"].append(one)
    return sorted_


def look(cluster: Api, resources: list[dict[str, t.Any]], labels: dict[str, str]) -> dict[str, list[dict[str, t.Any]]]:
    """Look all of them up, one request each. What the API server does not know, even as a kind, is not there."""
    entries = []
    for resource in resources:
        path, selectors = path_of(resource), resource["label_selectors"]
        if resource["name"]:
            one = cluster.find(path)
            found = [one] if one else []
        else:
            found = cluster.items(path, **({"labelSelector": ",".join(selectors)} if selectors else {}))
        entries += [entry(resource, one) for one in found]
    return judge(entries, labels)
