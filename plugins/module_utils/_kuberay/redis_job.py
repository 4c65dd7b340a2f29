# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Job in which redis_script.py runs, and which storage namespaces are in use. Pure."""

from __future__ import annotations

import json
import typing as t

CONTAINER = "redis"
#: A module that is killed cannot clean up: Kubernetes then does, this many seconds after the Job ended.
LINGER_SECONDS = 120


def storage_namespaces(raycluster: dict[str, t.Any]) -> set[str]:
    """The names under which a RayCluster may keep its state (kuberay: option, else annotation, else its UID)."""
    metadata = raycluster["metadata"]
    options = (raycluster.get("spec") or {}).get("gcsFaultToleranceOptions") or {}
    named = [
        options.get("externalStorageNamespace"),
        (metadata.get("annotations") or {}).get("ray.io/external-storage-namespace"),
        metadata.get("uid"),
    ]
    return {name for name in named if name}


def job(
    params: dict[str, t.Any], script: str, wanted: list[str], spared: list[str], delete: bool, seconds: int
) -> dict[str, t.Any]:
    """The Job: one pod, one try, under the "restricted" pod security standard, without access to the API server."""
    environment: list[dict[str, t.Any]] = [
        {"name": "REDIS_ADDRESS", "value": params["address"]},
        {"name": "REDIS_USERNAME", "value": params["username"]},
        {"name": "WANTED", "value": json.dumps(wanted)},
        {"name": "SPARED", "value": json.dumps(spared)},
        {"name": "DELETE", "value": "1" if delete else "0"},
    ]
    if params["password_secret"]:
        environment.append({"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": dict(params["password_secret"])}})
    if params["ca_config_map"]:
        environment.append({"name": "REDIS_CA", "valueFrom": {"configMapKeyRef": dict(params["ca_config_map"])}})
    labels = {"app.kubernetes.io/name": "ray-redis-keys", "app.kubernetes.io/managed-by": "rayops.serve_ha"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "ray-redis-keys-", "namespace": params["namespace"], "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": LINGER_SECONDS,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 1,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 65534,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": CONTAINER,
                            "image": params["image"],
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["python", "-c", script],
                            "env": environment,
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                                "readOnlyRootFilesystem": True,
                            },
                            "resources": {
                                "requests": {"cpu": "50m", "memory": "64Mi"},
                                "limits": {"cpu": "500m", "memory": "256Mi"},
                            },
                        }
                    ],
                },
            },
        },
    }
