# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What eks_cluster and eks_addons are given in a play."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Render

TAGS = {"rayops.serve_ha/deployment": "mistral"}
CALLER = {"arn": "arn:aws:sts::111122223333:assumed-role/admin/me", "account": "111122223333"}
GIVEN: dict[str, dict[str, Any]] = {
    "eks_cluster": {
        "eks_cluster_name": "mistral",
        "eks_cluster_region": "us-west-2",
        "eks_cluster_vpc_id": "vpc-1",
        "eks_cluster_subnet_ids": ["subnet-1", "subnet-2"],
        "eks_cluster_tags": TAGS,
        "eks_cluster__caller": CALLER,
        "eks_cluster__names": {"owned": [], "foreign": [], "missing": [], "foreign_text": ""},
        "ansible_playbook_python": "/nowhere/bin/python",
    },
    "eks_addons": {
        "eks_addons_cluster_name": "mistral",
        "eks_addons_region": "us-west-2",
        "eks_addons_vpc_id": "vpc-1",
        "eks_addons_subnet_ids": ["subnet-1", "subnet-2"],
        "eks_addons_cluster_security_group_id": "sg-cluster",
        "eks_addons_node_security_group_id": "sg-node",
        "eks_addons_kubernetes_version": "1.34",
        "eks_addons_tags": TAGS,
        "eks_addons__caller": CALLER,
        "eks_addons__names": {"owned": [], "foreign": [], "missing": [], "foreign_text": ""},
        "eks_addons__found": {"addons": []},
    },
}


@pytest.fixture(scope="session", name="render")
def render_with_given(render: Render) -> Render:
    """As render(), with what these roles are given too."""
    return lambda role, expression, **given: render(role, expression, **GIVEN[role] | given)


def in_cluster(*objects: dict[str, Any]) -> dict[str, Any]:
    """What the look into the cluster has found: objects of C(seen()), with C(ours)."""
    sorted_: dict[str, list[dict[str, Any]]] = {"owned": [], "foreign": []}
    for one in objects:
        sorted_["owned" if one["ours"] else "foreign"].append({key: one[key] for key in one if key != "ours"})
    return {"eks_addons__in_cluster": sorted_}


def seen(kind: str, name: str, ours: bool = False, program: str = "", **annotations: str) -> dict[str, Any]:
    labels = {"k8s-app" if program == "kube-dns" else "app.kubernetes.io/name": program} if program else {}
    metadata = {"name": name, "labels": labels, "annotations": annotations} | (
        {"namespace": "kube-system"} if program else {}
    )
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "ours": ours}
