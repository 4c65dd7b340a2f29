# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose is what is in a cluster: where it is looked for, and by which labels it is ours."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import ownership

OURS = {"app.kubernetes.io/managed-by": "rayops.serve_ha", "rayops.serve-ha/deployment": "mistral"}


def resource(api_version: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"api_version": api_version, "kind": kind, "name": "", "namespace": "", "label_selectors": []} | more


def stored(name: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels, **more}}


class Store:
    """An API server: path -> one object, or a list of them."""

    def __init__(self, objects: dict[str, Any]) -> None:
        self.objects = objects
        self.asked: list[tuple[str, dict[str, str]]] = []

    def find(self, path: str) -> dict[str, Any] | None:
        self.asked.append((path, {}))
        return self.objects.get(path)

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        self.asked.append((path, query))
        return self.objects.get(path, [])


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        (resource("v1", "ConfigMap", name="a", namespace="b"), "/api/v1/namespaces/b/configmaps/a"),
        (resource("storage.k8s.io/v1", "StorageClass", name="gp3"), "/apis/storage.k8s.io/v1/storageclasses/gp3"),
        (resource("karpenter.k8s.aws/v1", "EC2NodeClass"), "/apis/karpenter.k8s.aws/v1/ec2nodeclasses"),
        (resource("networking.k8s.io/v1", "NetworkPolicy"), "/apis/networking.k8s.io/v1/networkpolicies"),
        (resource("apps/v1", "Deployment"), "/apis/apps/v1/deployments"),
    ],
)
def test_where_it_is(asked: dict[str, Any], path: str) -> None:
    assert ownership.path_of(asked) == path


def test_ours_and_theirs() -> None:
    theirs = OURS | {"rayops.serve-ha/deployment": "other"}
    store = Store({
        "/apis/storage.k8s.io/v1/storageclasses": [stored("gp2"), stored("gp3", OURS, annotations={"a": "b"})],
        "/apis/karpenter.sh/v1/nodepools": [stored("head", theirs), stored("worker", OURS | {"team": "ml"})],
    })  # fmt: skip
    asked = [resource("storage.k8s.io/v1", "StorageClass"), resource("karpenter.sh/v1", "NodePool")]
    found = ownership.look(store, asked, OURS)
    assert [one["metadata"]["name"] for one in found["owned"]] == ["gp3", "worker"]
    assert [one["metadata"]["name"] for one in found["foreign"]] == ["gp2", "head"]
    # As it is, an entry names the object to a module that removes it.
    assert found["owned"][0] == {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "gp3", "labels": OURS, "annotations": {"a": "b"}},
    }


def test_what_a_chart_has_made_is_ours_by_the_labels_of_its_pods() -> None:
    made = stored("karpenter", {"app.kubernetes.io/managed-by": "Helm"}, namespace="kube-system")
    theirs = stored("karpenter", {"app.kubernetes.io/managed-by": "Helm"}, namespace="karpenter")
    store = Store(
        {"/apis/apps/v1/deployments": [made | {"spec": {"template": {"metadata": {"labels": OURS}}}}, theirs]}
    )
    asked = resource("apps/v1", "Deployment", label_selectors=["app.kubernetes.io/name=karpenter", "a"])
    found = ownership.look(store, [asked], OURS)
    assert [one["metadata"]["namespace"] for one in found["owned"]] == ["kube-system"]
    assert [one["metadata"]["namespace"] for one in found["foreign"]] == ["karpenter"]
    assert store.asked == [("/apis/apps/v1/deployments", {"labelSelector": "app.kubernetes.io/name=karpenter,a"})]


def test_each_object_once_and_none_where_there_is_none() -> None:
    store = Store({"/apis/storage.k8s.io/v1/storageclasses": [stored("gp3")],
                   "/apis/storage.k8s.io/v1/storageclasses/gp3": stored("gp3")})  # fmt: skip
    classes = resource("storage.k8s.io/v1", "StorageClass")
    asked = [classes, classes | {"name": "gp3"}, classes | {"name": "none"}, resource("karpenter.sh/v1", "NodePool")]
    found = ownership.look(store, asked, OURS)
    assert found["owned"] == []
    assert [one["metadata"]["name"] for one in found["foreign"]] == ["gp3"]
