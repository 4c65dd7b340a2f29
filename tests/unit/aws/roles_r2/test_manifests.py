# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What eks_addons sends to Kubernetes: golden files, Karpenter's own schemas, and what would silently not work.

`UPDATE_GOLDEN=1 pytest tests/unit/aws/roles_r2` writes the golden files anew.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

GOLDEN = Path(__file__).parent / "golden"
POOLS: dict[str, dict[str, Any]] = {
    "cpu": {},
    "neuron": {"eks_addons_accelerator": "neuron"},
    "changed": {
        "eks_addons_node_pools": {
            "head": None,
            "worker": {
                "capacity_types": ["spot", "on-demand"],
                "instance_types": ["m6i.4xlarge"],
                "zones": ["us-west-2a"],
                "labels": {"team": "ml"},
            },
            "gpu": {"instance_families": ["g6"], "taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]},
        },
        "eks_addons_ami_alias": "al2023@v20250103",
    },
}
MODULE = "github.com/aws/karpenter-provider-aws"


@pytest.mark.parametrize("case", POOLS)
def test_node_pools(render: Any, golden: Any, case: str) -> None:
    golden(GOLDEN / f"node_pools_{case}.yml", render("eks_addons", "eks_addons__node_objects", **POOLS[case]))


def test_neuron(render: Any, golden: Any) -> None:
    golden(GOLDEN / "neuron.yml", render("eks_addons", "eks_addons__objects", eks_addons_accelerator="neuron"))


def schema(crds: zipfile.ZipFile, version: str, kind: str) -> dict[str, Any]:
    """The schema of a CRD, closed: a field that it does not know is an error, as with strict validation of the API server."""
    file = {"NodePool": "karpenter.sh_nodepools", "EC2NodeClass": "karpenter.k8s.aws_ec2nodeclasses"}[kind]
    crd = yaml.safe_load(crds.read(f"{MODULE}@v{version}/pkg/apis/crds/{file}.yaml"))
    (served,) = [one for one in crd["spec"]["versions"] if one["name"] == "v1"]

    def close(node: Any) -> Any:
        if isinstance(node, list):
            return [close(one) for one in node]
        if not isinstance(node, dict):
            return node
        closed = {key: close(value) for key, value in node.items()}
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            closed.setdefault("additionalProperties", False)
        # A schema's "properties" may itself have a property called type or properties: those are schemas, not types.
        if closed.pop("x-kubernetes-int-or-string", False):
            closed.pop("type", None)
        return closed

    top = close(served["schema"]["openAPIV3Schema"])
    top["properties"]["metadata"] = {"type": "object"}
    return top


@pytest.fixture(scope="module")
def crds(render: Any) -> Any:
    """The CRDs of the Karpenter that the role installs, where Go has its module already."""
    version = render("eks_addons", "eks_addons__versions")["karpenter"]
    cache = os.environ.get("GOMODCACHE") or str(Path(os.environ.get("GOPATH", str(Path.home() / "go"))) / "pkg/mod")
    archive = Path(cache) / "cache/download" / MODULE / "@v" / f"v{version}.zip"
    if not archive.exists():
        pytest.skip(f"Go's module cache has no {MODULE}@v{version} (go mod download brings it)")
    with zipfile.ZipFile(archive) as opened:
        yield opened


@pytest.mark.parametrize("case", POOLS)
def test_karpenters_schema(render: Any, crds: zipfile.ZipFile, case: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    version = render("eks_addons", "eks_addons__versions")["karpenter"]
    for one in render("eks_addons", "eks_addons__node_objects", **POOLS[case]):
        errors = list(jsonschema.Draft202012Validator(schema(crds, version, one["kind"])).iter_errors(one))
        assert not errors, f"{one['kind']} {one['metadata']['name']}: {[error.message for error in errors]}"


def test_schema_knows_a_mistake(render: Any, crds: zipfile.ZipFile) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    version = render("eks_addons", "eks_addons__versions")["karpenter"]
    node_class, pool = render("eks_addons", "eks_addons__node_objects")[:2]
    node_class["spec"]["blockDevice"] = []
    pool["spec"]["template"]["spec"]["requirements"][0]["operator"] = "Is"
    for one in (node_class, pool):
        assert not jsonschema.Draft202012Validator(schema(crds, version, one["kind"])).is_valid(one)


@pytest.mark.parametrize("case", POOLS)
def test_what_the_schema_cannot_say(render: Any, case: str) -> None:
    """Rules that Karpenter has in CEL, or finds at run time only."""
    objects = render("eks_addons", "eks_addons__node_objects", **POOLS[case])
    classes = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "EC2NodeClass"}
    pools = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "NodePool"}
    assert list(classes) == list(pools)
    for name, pool in pools.items():
        spec = pool["template"]["spec"]
        assert spec["nodeClassRef"]["name"] in classes
        assert pool["template"]["metadata"]["labels"]["rayops.serve-ha/pool"] == name
        for requirement in spec["requirements"]:
            assert requirement["values"] and all(isinstance(value, str) for value in requirement["values"])
            if requirement["operator"] == "Gt":
                assert len(requirement["values"]) == 1 and int(requirement["values"][0]) >= 0
        keys = [requirement["key"] for requirement in spec["requirements"]]
        assert len(set(keys)) == len(keys)
        assert spec["terminationGracePeriod"] and spec["expireAfter"]
        assert pool["disruption"]["budgets"]
    for spec in classes.values():
        assert ("role" in spec) != ("instanceProfile" in spec)
        assert [term["id"] for term in spec["securityGroupSelectorTerms"]] == ["sg-cluster", "sg-node"]
        restricted = ("kubernetes.io/cluster", "karpenter.sh/", "karpenter.k8s.aws/", "eks:eks-cluster-name")
        assert not [key for key in spec["tags"] if key.startswith(restricted)]
        assert spec["tags"]["rayops.serve_ha/deployment"] == "mistral"


def test_neuron_pool_has_room(render: Any) -> None:
    """The blueprint's had not: its volume was never the one asked for, and its memory limit stopped at two nodes."""
    objects = render("eks_addons", "eks_addons__node_objects", eks_addons_accelerator="neuron")
    node_class, pool = [one["spec"] for one in objects if one["metadata"]["name"] == "neuron"]
    assert node_class["blockDeviceMappings"][0]["ebs"]["volumeSize"] == "500Gi"
    assert int(pool["limits"]["memory"].removesuffix("Gi")) >= 5 * 384
    assert pool["template"]["spec"]["taints"] == [
        {"key": "aws.amazon.com/neuron", "value": "true", "effect": "NoSchedule"}
    ]


def test_neuron_objects_find_each_other(render: Any) -> None:
    objects = render("eks_addons", "eks_addons__objects", eks_addons_accelerator="neuron")
    by_kind: dict[str, dict[str, Any]] = {}
    for one in objects:
        named = by_kind.setdefault(one["kind"], {})
        assert one["metadata"]["name"] not in named
        named[one["metadata"]["name"]] = one
    built_in = {"system:kube-scheduler", "system:volume-scheduler", "extension-apiserver-authentication-reader"}
    for binding in [*by_kind["ClusterRoleBinding"].values(), *by_kind["RoleBinding"].values()]:
        role = binding["roleRef"]
        assert role["name"] in built_in or role["name"] in by_kind[role["kind"]]
        assert binding["subjects"][0]["name"] in by_kind["ServiceAccount"]
    for workload in [*by_kind["Deployment"].values(), *by_kind["DaemonSet"].values()]:
        spec = workload["spec"]["template"]
        assert workload["spec"]["selector"]["matchLabels"].items() <= spec["metadata"]["labels"].items()
        assert spec["spec"]["serviceAccountName"] in by_kind["ServiceAccount"]
    service = by_kind["Service"]["k8s-neuron-scheduler"]["spec"]
    extension = by_kind["Deployment"]["k8s-neuron-scheduler"]["spec"]["template"]
    assert service["selector"].items() <= extension["metadata"]["labels"].items()
    config = yaml.safe_load(by_kind["ConfigMap"]["my-scheduler"]["data"]["config.yaml"])
    assert config["profiles"][0]["schedulerName"] == "my-scheduler"
    assert config["extenders"][0]["urlPrefix"] == "http://k8s-neuron-scheduler.kube-system.svc:12345"
    pool = render("eks_addons", "eks_addons__node_objects", eks_addons_accelerator="neuron")[-1]
    plugin = by_kind["DaemonSet"]["neuron-device-plugin"]["spec"]["template"]["spec"]
    assert plugin["nodeSelector"].items() <= pool["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(("version", "tag"), [("1.34", "v1.34.4"), ("1.99", "v1.99.0")])
def test_second_scheduler_is_of_the_clusters_version(render: Any, version: str, tag: str) -> None:
    images = render("eks_addons", "eks_addons__images", eks_addons_kubernetes_version=version)
    assert images["kube_scheduler"].strip() == f"registry.k8s.io/kube-scheduler:{tag}"


def test_no_accelerator_no_neuron(render: Any) -> None:
    assert [one["kind"] for one in render("eks_addons", "eks_addons__objects")] == ["StorageClass"]
    assert render("eks_addons", "eks_addons__objects", eks_addons_storage_class="") == []


def test_values_of_the_user_win(render: Any) -> None:
    values = render("eks_addons", "eks_addons__karpenter_values", eks_addons_karpenter_values={"replicas": 0})
    assert values["replicas"] == 0 and values["settings"]["clusterName"] == "mistral"
    given = {"eks_addons_load_balancer_controller_values": {"ingressClass": "own", "defaultTags": {"a": "b"}}}
    values = render("eks_addons", "eks_addons__load_balancer_values", **given)
    assert values["defaultTags"] == {"rayops.serve_ha/deployment": "mistral", "a": "b"}
    assert render("eks_addons", "eks_addons__ingress_class", **given) == "own"


def test_addons_of_others_are_let_be(render: Any) -> None:
    ours = {"addon_name": "coredns", "tags": {"rayops.serve_ha/deployment": "mistral", "a": "b"}}
    base = ours | {"addon_name": "vpc-cni"}
    theirs = {"addon_name": "metrics-server", "tags": {"rayops.serve_ha/deployment": "other"}}
    given = {"eks_addons__found": {"addons": [ours, base, theirs]}}
    names = [one["addon_name"] for one in render("eks_addons", "eks_addons__addons", **given)]
    assert names == ["coredns", "aws-ebs-csi-driver"]
    assert render("eks_addons", "eks_addons__removed_addons", **given) == [{"addon_name": "coredns"}]


def test_addons_have_their_roles_and_settings(render: Any) -> None:
    given = {
        "eks_addons_observability": True,
        "eks_addons_configuration": {"coredns": {"replicaCount": 3}},
        "eks_addons_versions": {"coredns": "latest"},
    }
    addons = {one.pop("addon_name"): one for one in render("eks_addons", "eks_addons__addons", **given)}
    assert addons["coredns"] == {"addon_version": "latest", "configuration_values": {"replicaCount": 3}}
    assert addons["metrics-server"] == {"addon_version": ""}
    associations = addons["aws-ebs-csi-driver"]["pod_identity_associations"]
    assert associations[0]["role_arn"] == "arn:aws:iam::111122223333:role/mistral-ebs-csi"
    assert (
        addons["amazon-cloudwatch-observability"]["pod_identity_associations"][0]["service_account"]
        == "cloudwatch-agent"
    )


@pytest.mark.parametrize(
    ("tag", "version", "given", "asked"),
    [
        ("1.34", "1.34", {}, ""),
        ("1.33", "1.34", {}, "default"),
        ("1.33", "1.34", {"coredns": "v1.12.4-eksbuild.1"}, "v1.12.4-eksbuild.1"),
        # Neither the run nor the add-on says which version it is for.
        ("", "1.34", {}, ""),
        ("1.33", "", {}, ""),
    ],
)
def test_add_ons_follow_the_clusters_version(render: Any, tag: str, version: str, given: Any, asked: str) -> None:
    for role, name, addons in (
        ("eks_addons", "coredns", "eks_addons__found"),
        ("eks_cluster", "kube-proxy", "eks_cluster__addons_found"),
    ):
        tags = {"rayops.serve_ha/deployment": "mistral"} | ({"rayops.serve_ha/kubernetes": tag} if tag else {})
        found: dict[str, Any] = {addons: {"addons": [{"addon_name": name, "tags": tags}]}}
        found |= {"eks_addons_kubernetes_version": version, "eks_addons_versions": given}
        found |= {"eks_cluster__described": {"cluster": {"version": version}}}
        found["eks_cluster_addon_versions"] = dict.fromkeys([name] if given else [], given.get("coredns"))
        (addon,) = [one for one in render(role, f"{role}__addons", **found) if one["addon_name"] == name]
        assert addon["addon_version"] == asked
        marked = render(role, f"{role}__addon_tags", **found)
        assert marked.get("rayops.serve_ha/kubernetes", "") == version


def test_only_own_associations_are_removed(render: Any) -> None:
    owned = [{"type": "iam:role", "name": "mistral-karpenter"}]
    names = {"owned": owned, "foreign": [], "missing": [], "foreign_text": ""}
    found = render("eks_addons", "eks_addons__own_associations", eks_addons__names=names)
    assert [one["service_account"] for one in found] == ["karpenter"]
