# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape in which the modules return a RayService. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import pods as pod_rules
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.readiness import assess


def summarize(rayservice: dict[str, t.Any], pods: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """One RayService with the pods of its RayClusters; documented in rayservice_info."""
    metadata, status = rayservice["metadata"], rayservice.get("status") or {}
    active, pending = (status.get(part) or {} for part in ("activeServiceStatus", "pendingServiceStatus"))
    verdict = assess(rayservice)
    reasons = list(verdict.reasons)
    if not verdict.ready:
        reasons += [finding.text for finding in pod_rules.findings(pods)]
    shown = [pod_rules.summarize(pod) for pod in pods]
    heads = [one for one in shown if one["node_type"] == "head" and one["ray_cluster"] == active.get("rayClusterName")]
    applications = (pending if pending.get("rayClusterName") else active).get("applicationStatuses") or {}
    return {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "uid": metadata["uid"],
        "generation": metadata["generation"],
        "ready": verdict.ready,
        "terminal": verdict.terminal,
        "reasons": reasons,
        "applications": {name: one.get("status") for name, one in applications.items()},
        "ray_cluster": active.get("rayClusterName") or "",
        "pending_ray_cluster": pending.get("rayClusterName") or "",
        "serve_endpoints": status.get("numServeEndpoints") or 0,
        "serve_service": f"{metadata['name']}-serve-svc",
        # While an old head goes and a new one comes there are two: the one that stays is meant.
        "head": min(heads, key=lambda one: one["deleting"], default={}),
        "pods": shown,
        "nodes": sorted({one["node"] for one in shown if one["node"]}),
    }
