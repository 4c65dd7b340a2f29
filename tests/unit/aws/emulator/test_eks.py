# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS: states, refusals, what belongs to what."""

from __future__ import annotations

from typing import Any

import pytest
from emulator.eks import catalog
from emulator.eks.clusters import enabled_logs, logging_of

ROLE = "arn:aws:iam::123456789012:role/"


def node_group(aws: Any, **more: Any) -> dict[str, Any]:
    params = {"clusterName": "m", "nodegroupName": "core", "nodeRole": ROLE + "node", "subnets": ["subnet-a"], **more}
    return aws("eks", "CreateNodegroup", **params)["nodegroup"]


def status(aws: Any) -> str:
    return aws("eks", "DescribeCluster", name="m")["cluster"]["status"]


def test_a_cluster_tells_its_endpoint_only_when_it_is_there(aws: Any, make_cluster: Any) -> None:
    made = make_cluster(aws)
    assert made["status"] == "CREATING" and "endpoint" not in made
    aws.pass_time(539)
    seen = aws("eks", "DescribeCluster", name="m")["cluster"]
    assert seen["status"] == "CREATING" and not seen["certificateAuthority"]
    assert "clusterSecurityGroupId" not in seen["resourcesVpcConfig"]
    aws.pass_time(1)
    seen = aws("eks", "DescribeCluster", name="m")["cluster"]
    assert seen["status"] == "ACTIVE" and seen["endpoint"].startswith("https://")
    assert seen["resourcesVpcConfig"]["clusterSecurityGroupId"] in aws.backend.groups


def test_the_endpoint_is_the_configured_one(cluster: Any, tmp_path: Any) -> None:
    (tmp_path / "ca.crt").write_text("PEM")
    cluster.world.config["eks"] |= {"endpoint": "https://k", "certificate_authority_file": str(tmp_path / "ca.crt")}
    seen = cluster("eks", "DescribeCluster", name="m")["cluster"]
    assert (seen["endpoint"], seen["certificateAuthority"]["data"]) == ("https://k", "UEVN")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"roleArn": ROLE + "nobody"}, "InvalidParameterException"),
        ({"resourcesVpcConfig": {"subnetIds": ["subnet-a"]}}, "InvalidParameterException"),
        ({"resourcesVpcConfig": {"subnetIds": ["subnet-x", "subnet-a"]}}, "InvalidParameterException"),
        ({"version": "1.1"}, "InvalidParameterException"),
    ],
)
def test_a_wrong_cluster_is_refused_and_leaves_nothing(aws: Any, change: dict[str, Any], code: str) -> None:
    params = {"name": "m", "roleArn": ROLE + "cluster", "resourcesVpcConfig": {"subnetIds": ["subnet-a", "subnet-b"]}}
    assert aws.refused("eks", "CreateCluster", **(params | change)) == code
    assert not aws.backend.groups and not aws.backend.interfaces


def test_a_cluster_goes_with_all_that_is_its_own(cluster: Any) -> None:
    node_group(cluster)
    assert cluster.refused("eks", "DeleteCluster", name="m") == "ResourceInUseException"
    cluster.pass_time(120)
    cluster("eks", "DeleteNodegroup", clusterName="m", nodegroupName="core")
    assert cluster.refused("eks", "DeleteCluster", name="m") == "ResourceInUseException"
    cluster.pass_time(120)
    cluster("eks", "CreateAddon", clusterName="m", addonName="coredns")
    assert cluster("eks", "DeleteCluster", name="m")["cluster"]["status"] == "DELETING"
    assert cluster.backend.groups
    cluster.pass_time(120)
    assert cluster.refused("eks", "DescribeCluster", name="m") == "ResourceNotFoundException"
    assert not cluster.backend.groups and not cluster.backend.interfaces
    assert not cluster.world.stores["us-west-2", "addons"] and not cluster.world.stores["us-west-2", "access_entries"]


def test_one_update_at_a_time_and_none_that_changes_nothing(cluster: Any) -> None:
    def logs(on: list[str]) -> dict[str, Any]:
        return {"name": "m", "logging": {"clusterLogging": [{"types": on, "enabled": True}]}}

    update = cluster("eks", "UpdateClusterConfig", **logs(["api"]))["update"]
    assert (update["status"], status(cluster)) == ("InProgress", "UPDATING")
    assert cluster.refused("eks", "UpdateClusterConfig", **logs(["audit"])) == "ResourceInUseException"
    cluster.pass_time(120)
    assert cluster("eks", "DescribeUpdate", name="m", updateId=update["id"])["update"]["status"] == "Successful"
    assert cluster("eks", "ListUpdates", name="m")["updateIds"] == [update["id"]]
    assert cluster.refused("eks", "UpdateClusterConfig", **logs(["api"])) == "InvalidParameterException"
    both = {**logs(["audit"]), "resourcesVpcConfig": {"endpointPrivateAccess": True}}
    assert cluster.refused("eks", "UpdateClusterConfig", **both) == "InvalidParameterException"
    assert cluster.refused("eks", "UpdateClusterVersion", name="m", version="1.34") == "InvalidParameterException"
    cluster("eks", "UpdateClusterVersion", name="m", version="1.36")
    cluster.pass_time(480)
    assert cluster("eks", "DescribeCluster", name="m")["cluster"]["version"] == "1.36"


def test_logging() -> None:
    assert enabled_logs({"clusterLogging": [{"types": ["api"], "enabled": False}]}, ["api", "audit"]) == ["audit"]
    shown = logging_of(["audit", "api"])["clusterLogging"]
    assert shown[0] == {"types": ["api", "audit"], "enabled": True} and not shown[1]["enabled"]


@pytest.mark.parametrize("kind", ["cluster", "nodegroup", "addon"])
def test_a_creation_can_be_doomed(cluster: Any, make_cluster: Any, kind: str) -> None:
    cluster.world.doomed[f"eks:{kind}"].append(("Reason", "because"))
    if kind == "cluster":
        make_cluster(cluster, name="n")
    elif kind == "nodegroup":
        node_group(cluster)
    else:
        cluster("eks", "CreateAddon", clusterName="m", addonName="vpc-cni")
    cluster.pass_time(600)
    seen = {
        "cluster": lambda: cluster("eks", "DescribeCluster", name="n")["cluster"],
        "nodegroup": lambda: cluster("eks", "DescribeNodegroup", clusterName="m", nodegroupName="core")["nodegroup"],
        "addon": lambda: cluster("eks", "DescribeAddon", clusterName="m", addonName="vpc-cni")["addon"],
    }[kind]()
    assert seen["status"] == ("FAILED" if kind == "cluster" else "CREATE_FAILED")
    assert seen["health"]["issues"][0]["message"] == "because"


def test_node_groups_change_only_when_active(cluster: Any) -> None:
    node_group(cluster, labels={"a": "1", "b": "2"}, scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 1})
    change = {
        "clusterName": "m",
        "nodegroupName": "core",
        "labels": {"addOrUpdateLabels": {"a": "9"}, "removeLabels": ["b"]},
        "taints": {"addOrUpdateTaints": [{"key": "x", "value": "y", "effect": "NO_SCHEDULE"}]},
        "scalingConfig": {"desiredSize": 3},
    }
    assert cluster.refused("eks", "UpdateNodegroupConfig", **change) == "ResourceInUseException"
    cluster.pass_time(120)
    assert len(cluster.backend.interfaces) == 3
    cluster("eks", "UpdateNodegroupConfig", **change)
    cluster.pass_time(60)
    seen = cluster("eks", "DescribeNodegroup", clusterName="m", nodegroupName="core")["nodegroup"]
    assert seen["labels"] == {"a": "9"} and seen["taints"][0]["key"] == "x"
    assert seen["scalingConfig"] == {"minSize": 1, "maxSize": 3, "desiredSize": 3}
    assert len(cluster.backend.interfaces) == 5
    assert cluster.refused("eks", "UpdateNodegroupConfig", **change) == "InvalidParameterException"


def test_an_add_on_without_nodes_is_degraded(cluster: Any) -> None:
    def seen() -> dict[str, Any]:
        return cluster("eks", "DescribeAddon", clusterName="m", addonName="coredns")["addon"]

    cluster("eks", "CreateAddon", clusterName="m", addonName="coredns")
    cluster.pass_time(60)
    assert seen()["status"] == "DEGRADED" and seen()["health"]["issues"]
    node_group(cluster)
    cluster.pass_time(120)
    assert seen()["status"] == "ACTIVE"


def test_an_add_on_owns_its_pod_identity(cluster: Any) -> None:
    account = {"serviceAccount": "ebs-csi-controller-sa", "roleArn": ROLE + "pod"}
    name = {"clusterName": "m", "addonName": "aws-ebs-csi-driver"}
    made = cluster("eks", "CreateAddon", **name, podIdentityAssociations=[account])["addon"]
    listed = cluster("eks", "ListPodIdentityAssociations", clusterName="m")["associations"]
    assert [item["ownerArn"] for item in listed] == [made["addonArn"]]
    owned = {"clusterName": "m", "associationId": listed[0]["associationId"]}
    assert cluster.refused("eks", "DeletePodIdentityAssociation", **owned) == "ResourceInUseException"
    cluster.pass_time(60)
    cluster("eks", "DeleteAddon", **name)
    cluster.pass_time(15)
    assert not cluster("eks", "ListPodIdentityAssociations", clusterName="m")["associations"]


def test_add_on_versions() -> None:
    assert catalog.versions("kube-proxy", "1.35")[0] == "v1.35.1-eksbuild.2"
    assert catalog.versions("nonsense", "1.35") == []
    offered = catalog.describe("vpc-cni", ["1.34", "1.35"])["addonVersions"]
    assert [part["clusterVersion"] for part in offered[0]["compatibilities"]] == ["1.34", "1.35"]
    assert offered[0]["compatibilities"][0]["defaultVersion"]


def test_add_ons_are_checked(cluster: Any) -> None:
    for change in ({"addonName": "nonsense"}, {"addonVersion": "v0"}, {"configurationValues": "[1"}):
        params = {"clusterName": "m", "addonName": "vpc-cni", **change}
        assert cluster.refused("eks", "CreateAddon", **params) == "InvalidParameterException"
    described = cluster("eks", "DescribeAddonVersions", kubernetesVersion="1.35")["addons"]
    assert {"vpc-cni", "coredns", "amazon-cloudwatch-observability"} <= {addon["addonName"] for addon in described}


def test_access(cluster: Any) -> None:
    creator = "arn:aws:iam::123456789012:user/operator"
    policies = cluster("eks", "ListAssociatedAccessPolicies", clusterName="m", principalArn=creator)
    assert policies["associatedAccessPolicies"][0]["policyArn"].endswith("AmazonEKSClusterAdminPolicy")
    entry = {"clusterName": "m", "principalArn": ROLE + "dev"}
    cluster("eks", "CreateAccessEntry", **entry, kubernetesGroups=["viewers"], tags={"a": "b"})
    assert cluster.refused("eks", "CreateAccessEntry", **entry) == "ResourceInUseException"
    assert cluster("eks", "ListAccessEntries", clusterName="m")["accessEntries"] == [entry["principalArn"], creator]
    cluster("eks", "UpdateAccessEntry", **entry, kubernetesGroups=[])
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
    cluster("eks", "AssociateAccessPolicy", **entry, policyArn=policy, accessScope={"type": "cluster"})
    cluster("eks", "DisassociateAccessPolicy", **entry, policyArn=policy)
    assert cluster.refused("eks", "DisassociateAccessPolicy", **entry, policyArn=policy) == "ResourceNotFoundException"
    cluster("eks", "DeleteAccessEntry", **entry)
    assert cluster.refused("eks", "DescribeAccessEntry", **entry) == "ResourceNotFoundException"


def test_tags(cluster: Any) -> None:
    arn = cluster("eks", "DescribeCluster", name="m")["cluster"]["arn"]
    cluster("eks", "TagResource", resourceArn=arn, tags={"a": "1", "b": "2"})
    cluster("eks", "UntagResource", resourceArn=arn, tagKeys=["a"])
    assert cluster("eks", "ListTagsForResource", resourceArn=arn)["tags"] == {"b": "2"}
    assert cluster.refused("eks", "ListTagsForResource", resourceArn=arn + "x") == "ResourceNotFoundException"


def test_versions_of_kubernetes(aws: Any) -> None:
    def states(**params: Any) -> dict[str, str]:
        found = aws("eks", "DescribeClusterVersions", **params)["clusterVersions"]
        return {item["clusterVersion"]: item["versionStatus"] for item in found}

    assert states() == {"1.36": "STANDARD_SUPPORT", "1.35": "STANDARD_SUPPORT", "1.34": "STANDARD_SUPPORT",
                        "1.33": "EXTENDED_SUPPORT", "1.32": "EXTENDED_SUPPORT"}  # fmt: skip
    assert states(includeAll=True)["1.31"] == "UNSUPPORTED"
    assert states(defaultOnly=True) == {"1.35": "STANDARD_SUPPORT"}
