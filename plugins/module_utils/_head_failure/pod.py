# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest of the pod that carries the load generator. Pure."""

from __future__ import annotations

import math

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import SECRET_KEY, load_pod_labels
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.generator.run import HEADERS_VARIABLE

CONTAINER = "load"
# What the pod may take beyond the generator's own limits before the cluster itself ends it: start-up and image pull.
DEADLINE_MARGIN = 300
# Thousandths of a processor: at all, and for each request a second.
CPU_LEAST, CPU_EACH = 50, 0.5


def load_pod(
    name: str,
    namespace: str,
    image: str,
    program: list[str],
    rate: float,
    seconds: float,
    worker: dict,
    cluster_name: str,
    avoid: str = "",
    headers_secret: str = "",
) -> dict:
    """Return the manifest.

    program: arguments of python3; it travels in the pod's own command, so that this pod is all that ever has to be cleaned
    up. rate: requests a second. seconds: how long the load lasts at most. worker: a worker Pod object, whose pull secrets
    and tolerations are taken because its image is. avoid: name of a node on which the pod must not be, as it will be lost, if
    any. headers_secret: name of the Secret with the load's headers, if any. The pod prefers a node without the head, and one where
    the image is.
    """
    spec = worker.get("spec", {})
    tolerations = [
        entry
        for entry in spec.get("tolerations") or []
        if not str(entry.get("key", "")).startswith("node.kubernetes.io/")
    ]
    of_cluster = {"ray.io/cluster": cluster_name}
    headers = {"valueFrom": {"secretKeyRef": {"name": headers_secret, "key": SECRET_KEY}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{name}-head-failure-check-",
            "namespace": namespace,
            "labels": load_pod_labels(name),
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": math.ceil(seconds) + DEADLINE_MARGIN,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "imagePullSecrets": spec.get("imagePullSecrets") or [],
            "tolerations": tolerations,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": CONTAINER,
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    # $( would be read as a variable of the container's environment; $$( is how it is meant literally.
                    "command": ["python3", *(argument.replace("$(", "$$(") for argument in program)],
                    "env": [{"name": HEADERS_VARIABLE, **headers}] if headers_secret else [],
                    "resources": {
                        "requests": {"cpu": f"{CPU_LEAST + CPU_EACH * rate:.0f}m", "memory": "128Mi"},
                        "limits": {"memory": "256Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
            "affinity": {
                **(_away_from(avoid) if avoid else {}),
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        _near({**of_cluster, "ray.io/node-type": "head"}, weight=100)
                    ]
                },
                "podAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        _near({**of_cluster, "ray.io/node-type": "worker"}, weight=50)
                    ]
                },
            },
        },
    }


def _away_from(node: str) -> dict:
    others = [{"key": "metadata.name", "operator": "NotIn", "values": [node]}]
    term = {"nodeSelectorTerms": [{"matchFields": others}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}


def _near(labels: dict[str, str], weight: int) -> dict:
    return {
        "weight": weight,
        "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": labels}},
    }
