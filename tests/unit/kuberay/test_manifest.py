# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's manifest, and when its CRDs are applied."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import manifest

CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations: {a: b}
  name: rayservices.ray.io
spec:
  names: {kind: RayService}
"""
REST = """---
# a comment alone
---
apiVersion: v1
kind: Namespace
metadata: {name: default}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: kuberay-operator, namespace: default}
spec:
  template:
    spec:
      containers:
        - {name: kuberay-operator, image: "quay.io/kuberay/operator:v1.6.2"}
        - {name: sidecar, image: other}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: kuberay-operator}
subjects: [{kind: ServiceAccount, name: kuberay-operator, namespace: default}]
---
"""
TEXT = CRD + REST


def test_objects_are_fitted() -> None:
    binding, deployment = manifest.operator_objects(TEXT, "ray", "x/operator:1")
    assert binding["subjects"][0]["namespace"] == "ray"
    assert "namespace" not in binding["metadata"]
    assert deployment["metadata"]["namespace"] == "ray"
    images = [one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]]
    assert images == ["x/operator:1", "other"]


def test_image_stays_without_another() -> None:
    deployment = manifest.operator_objects(TEXT, "ray", env={"A": "b"})[1]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["env"][-1] == {"name": "A", "value": "b"}
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "quay.io/kuberay/operator:v1.6.2"


def test_tolerations_are_added() -> None:
    more = [{"key": "node.kubernetes.io/unreachable", "operator": "Exists"}]
    pod = manifest.operator_objects(TEXT, "ray", tolerations=more)[1]["spec"]["template"]["spec"]
    assert pod["tolerations"] == more
    text = TEXT.replace("    spec:\n      containers", "    spec:\n      tolerations: [{key: own}]\n      containers")
    pod = manifest.operator_objects(text, "ray", tolerations=more)[1]["spec"]["template"]["spec"]
    assert pod["tolerations"] == [{"key": "own"}, *more]
    assert "tolerations" not in manifest.operator_objects(TEXT, "ray")[1]["spec"]["template"]["spec"]


@pytest.mark.parametrize("text", ["", CRD, "a: [", "- 1\n"])
def test_objects_refuse(text: str) -> None:
    with pytest.raises(ValueError, match="manifest"):
        manifest.operator_objects(text, "ray")


def test_crds_by_name_whatever_the_order_of_keys() -> None:
    turned = "kind: CustomResourceDefinition\napiVersion: a\nspec:\n  names: {}\nmetadata:\n  name: rayjobs.ray.io\n"
    assert sorted(manifest.crd_documents(TEXT + turned)) == ["rayjobs.ray.io", "rayservices.ray.io"]
    with pytest.raises(ValueError, match="no CustomResourceDefinition"):
        manifest.crd_documents(REST)


@pytest.mark.parametrize(
    ("metadata", "applied"),
    [
        ({}, False),
        ({"generation": 2}, False),
        ({"generation": 2, "annotations": {manifest.APPLIED: manifest.applied_mark(CRD, 2)}}, True),
        ({"generation": 3, "annotations": {manifest.APPLIED: manifest.applied_mark(CRD, 2)}}, False),
        ({"generation": 2, "annotations": {manifest.APPLIED: manifest.applied_mark(CRD + "x: 1", 2)}}, False),
    ],
    ids=["absent", "someone else's", "applied", "changed since", "another version"],
)
def test_is_applied(metadata: dict[str, Any], applied: bool) -> None:
    assert manifest.is_applied(CRD, metadata) is applied


def test_split_image() -> None:
    assert manifest.split_image("host:5000/a/b:v1") == {"repository": "host:5000/a/b", "tag": "v1"}
    for image in ("a/b", "host:5000/a", "a@sha256:0"):
        with pytest.raises(ValueError, match="tag"):
            manifest.split_image(image)


class Store:
    """An API server with CRDs, metadata only; counts what is written."""

    def __init__(self) -> None:
        self.metadata: dict[str, dict[str, Any]] = {}
        self.writes = 0

    def request(self, method: str, path: str, query: Any = None, body: Any = None, accept: str = "", content_type: str = "") -> Any:
        from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure

        name = path.rsplit("/", 1)[1]
        if method == "PATCH":
            self.writes += 1
            entry = self.metadata.setdefault(name, {"generation": 0, "annotations": {}})
            if content_type == "application/apply-patch+yaml":
                entry["generation"] += 1
            else:
                entry["annotations"] |= body["metadata"]["annotations"]
        if name not in self.metadata:
            raise ApiFailure("no", 404)
        answer = json.loads(json.dumps({"metadata": self.metadata[name]}))
        return SimpleNamespace(json=lambda: answer)


def test_crds_are_applied_once() -> None:
    from ansible_collections.rayops.serve_ha.plugins.modules import kuberay_crds

    store = Store()
    assert kuberay_crds.ensure(store, TEXT, True)["changed"]
    assert store.writes == 0
    assert kuberay_crds.ensure(store, TEXT, False)["applied"] == ["rayservices.ray.io"]
    written = store.writes
    assert not kuberay_crds.ensure(store, TEXT, False)["changed"]
    assert store.writes == written
    store.metadata["rayservices.ray.io"]["generation"] += 1
    assert kuberay_crds.ensure(store, TEXT, False)["changed"]
