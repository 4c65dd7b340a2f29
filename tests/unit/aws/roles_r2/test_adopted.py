# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What eks_addons makes of a cluster that has some of it already: used, refused, or its own and no longer asked for."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import in_cluster, seen

DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}
KARPENTER = seen("Deployment", "karpenter", program="karpenter")
CONTROLLER = seen("Deployment", "aws-load-balancer-controller", program="aws-load-balancer-controller")
ROLES = [{"type": "iam:role", "name": f"mistral-{name}"} for name in ("karpenter", "load-balancer")]
NAMES = {"eks_addons__names": {"owned": ROLES, "foreign": [], "missing": [], "foreign_text": ""}}


def ours(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"ours": True}


def names(objects: list[dict[str, Any]]) -> list[str]:
    return [f"{one['kind']} {one['metadata']['name']}" for one in objects]


@pytest.mark.parametrize(
    ("tags", "mark"),
    [
        ({"rayops.serve_ha/deployment": "mistral", "team": "a"}, "mistral"),
        ({"team": "a b/c", "cost": "1"}, "a-b-c-1"),
        ({"rayops.serve_ha/deployment": "x" * 62 + "-_y"}, "x" * 62),
    ],
)
def test_the_mark_is_a_label_that_kubernetes_takes(render: Any, tags: dict[str, str], mark: str) -> None:
    labels = render("eks_addons", "eks_addons__labels", eks_addons_tags=tags)
    assert labels == {"app.kubernetes.io/managed-by": "rayops.serve_ha", "rayops.serve-ha/deployment": mark}


def test_all_that_is_made_is_looked_for_and_has_the_mark(render: Any) -> None:
    """Whatever is switched off now, an earlier run may have made; what is foreign there must not be overwritten."""
    given = {"eks_addons_accelerator": "neuron"}
    objects = render("eks_addons", "eks_addons__objects + eks_addons__node_objects", **given)
    labels = render("eks_addons", "eks_addons__labels")
    looked_for = render("eks_addons", "eks_addons__looked_for")
    for one in objects:
        assert labels.items() <= one["metadata"]["labels"].items()
        assert [
            asked
            for asked in looked_for
            if (asked["api_version"], asked["kind"]) == (one["apiVersion"], one["kind"])
            and asked.get("name") in (None, one["metadata"]["name"])
        ]
    for values in ("eks_addons__karpenter_values", "eks_addons__load_balancer_values"):
        assert render("eks_addons", values)["podLabels"] == labels


@pytest.mark.parametrize(
    ("running", "made"),
    [
        ([], ["coredns", "aws-ebs-csi-driver", "metrics-server"]),
        ([seen("Deployment", "coredns", program="kube-dns")], ["aws-ebs-csi-driver", "metrics-server"]),
        (
            [
                seen("Deployment", "ebs-csi-controller", program="aws-ebs-csi-driver"),
                seen("DaemonSet", "ebs-csi-node", program="aws-ebs-csi-driver"),
                seen("Deployment", "own-metrics", program="metrics-server"),
            ],
            ["coredns"],
        ),
    ],
)
def test_what_runs_already_is_no_add_on_of_ours(render: Any, running: list[dict[str, Any]], made: list[str]) -> None:
    given = in_cluster(*running)
    assert [one["addon_name"] for one in render("eks_addons", "eks_addons__addons", **given)] == made
    assert render("eks_addons", "eks_addons__problems", **given) == []
    # Nor is there a role for it.
    roles = [one["name"] for one in render("eks_addons", "eks_addons__roles", **given)]
    assert ("mistral-ebs-csi" in roles) == ("aws-ebs-csi-driver" in made)
    told = render("eks_addons", "eks_addons__used", **given)
    assert all(any(one["metadata"]["name"] in text for text in told) for one in running)


def test_what_our_add_on_runs_is_not_taken_for_somebodys(render: Any) -> None:
    found = {"addons": [{"addon_name": "coredns", "tags": {"rayops.serve_ha/deployment": "mistral"}}]}
    given = in_cluster(seen("Deployment", "coredns", program="kube-dns")) | {"eks_addons__found": found}
    assert render("eks_addons", "eks_addons__addons", **given)[0]["addon_name"] == "coredns"
    assert render("eks_addons", "eks_addons__used", **given) == []


@pytest.mark.parametrize(
    ("running", "here"), [([], True), ([seen("DaemonSet", "agent", program="eks-pod-identity-agent")], False)]
)
def test_an_adopted_cluster_gets_the_agent_if_it_lacks_it(render: Any, running: list[Any], here: bool) -> None:
    given = in_cluster(*running) | {"eks_addons_cluster_adopted": True}
    made = [one["addon_name"] for one in render("eks_addons", "eks_addons__addons", **given)]
    assert ("eks-pod-identity-agent" in made) == here
    assert "eks-pod-identity-agent" not in [one["addon_name"] for one in render("eks_addons", "eks_addons__addons")]


@pytest.mark.parametrize("adopted", [True, False])
def test_the_agent_goes_where_it_was_brought(render: Any, adopted: bool) -> None:
    tags = {"rayops.serve_ha/deployment": "mistral"}
    agent = {"addon_name": "eks-pod-identity-agent", "tags": tags}
    given = {"eks_addons__found": {"addons": [agent, agent | {"addon_name": "vpc-cni"}]}}
    removed = render("eks_addons", "eks_addons__removed_addons", eks_addons_cluster_adopted=adopted, **given)
    assert removed == ([{"addon_name": "eks-pod-identity-agent"}] if adopted else [])


@pytest.mark.parametrize(
    ("classes", "made", "default"),
    [
        ([], True, "true"),
        ([seen("StorageClass", "gp2")], True, "true"),
        ([seen("StorageClass", "standard", **DEFAULT)], True, "false"),
        ([seen("StorageClass", "gp3", ours=True, **DEFAULT)], True, "true"),
        ([seen("StorageClass", "gp3", **DEFAULT)], False, ""),
    ],
)
def test_storage_class(render: Any, classes: list[Any], made: bool, default: str) -> None:
    given = in_cluster(*classes)
    objects = render("eks_addons", "eks_addons__objects", **given)
    assert names(objects) == (["StorageClass gp3"] if made else [])
    assert [one["metadata"]["annotations"] for one in objects] == (
        [DEFAULT | {next(iter(DEFAULT)): default}] if made else []
    )
    assert render("eks_addons", "eks_addons__used", **given) == ([] if made else ["StorageClass gp3"])
    # What is somebody's stays, at the end too.
    own = names(render("eks_addons", "eks_addons__own_objects", **given))
    assert own == (["StorageClass gp3"] if made and classes and classes[0]["ours"] else [])


def test_a_load_balancer_controller_of_others_is_used(render: Any) -> None:
    given = in_cluster(CONTROLLER)
    assert render("eks_addons", "eks_addons__problems", **given) == []
    assert render("eks_addons", "eks_addons__makes_load_balancer", **given) is False
    assert "mistral-load-balancer" not in [one["name"] for one in render("eks_addons", "eks_addons__roles", **given)]
    accounts = [one["service_account"] for one in render("eks_addons", "eks_addons__associations", **given)]
    assert accounts == ["karpenter"]
    # The role of an earlier run does not make it ours.
    assert "aws-load-balancer-controller" not in render("eks_addons", "eks_addons__own_releases", **given, **NAMES)
    assert render("eks_addons", "eks_addons__makes_load_balancer", **in_cluster(ours(CONTROLLER), CONTROLLER)) is True


@pytest.mark.parametrize(
    ("there", "given", "texts"),
    [
        ([KARPENTER], {}, ["Deployment kube-system/karpenter", "eks_addons_karpenter: false"]),
        ([KARPENTER, seen("NodePool", "head")], {}, ["eks_addons_karpenter: false"]),
        ([seen("NodePool", "head"), seen("EC2NodeClass", "worker")], {}, ["NodePool head, EC2NodeClass worker", "{name: null}"]),
        (
            [seen("Deployment", "my-scheduler"), seen("ClusterRole", "neuron-device-plugin")],
            {"eks_addons_accelerator": "neuron"},
            ["ClusterRole neuron-device-plugin, Deployment my-scheduler", "eks_addons_accelerator"],
        ),
        ([ours(KARPENTER), seen("NodePool", "theirs")], {"eks_addons_karpenter": False}, ["NodePool theirs", "Remove them first"]),
    ],
)  # fmt: skip
def test_what_is_taken_is_refused_in_one_message(render: Any, there: list[Any], given: Any, texts: list[str]) -> None:
    (problem,) = render("eks_addons", "eks_addons__problems", **in_cluster(*there), **NAMES, **given)
    assert [text for text in texts if text not in problem] == []


@pytest.mark.parametrize(
    ("there", "given"),
    [
        # The variable that a message names is a way out.
        ([KARPENTER, seen("NodePool", "head")], {"eks_addons_karpenter": False}),
        ([seen("NodePool", "head")], {"eks_addons_node_pools": {"head": None}}),
        ([seen("Deployment", "my-scheduler")], {}),
        ([ours(KARPENTER), ours(seen("NodePool", "head")), seen("NodePool", "theirs")], {}),
        ([ours(CONTROLLER), ours(seen("StorageClass", "gp3"))], {}),
    ],
)
def test_what_is_not_in_the_way_is_not_refused(render: Any, there: list[Any], given: Any) -> None:
    assert render("eks_addons", "eks_addons__problems", **in_cluster(*there), **NAMES, **given) == []


def test_names_and_cluster_are_told_together(render: Any) -> None:
    names = {"owned": [], "foreign": [{}], "missing": [], "foreign_text": "iam:role 'x' exists"}
    assert len(render("eks_addons", "eks_addons__problems", eks_addons__names=names, **in_cluster(KARPENTER))) == 2


EVERYTHING = [
    ours(seen("StorageClass", "gp3")),
    ours(seen("StorageClass", "old")),
    seen("StorageClass", "theirs"),
    ours(seen("NodePool", "head")),
    ours(seen("NodePool", "gpu")),
    seen("NodePool", "theirs"),
    ours(seen("EC2NodeClass", "head")),
    ours(seen("EC2NodeClass", "gpu")),
    ours(seen("Deployment", "my-scheduler", program="my-scheduler")),
    ours(KARPENTER),
    ours(CONTROLLER),
]


@pytest.mark.parametrize(
    ("given", "pools", "releases", "objects"),
    [
        (
            {},
            ["NodePool gpu", "EC2NodeClass gpu"],
            [],
            ["StorageClass old", "Deployment my-scheduler"],
        ),
        (
            {"eks_addons_node_pools": {"gpu": {}, "head": None}, "eks_addons_accelerator": "neuron"},
            ["NodePool head", "EC2NodeClass head"],
            [],
            ["StorageClass old"],
        ),
        (
            {"eks_addons_karpenter": False, "eks_addons_load_balancer_controller": False, "eks_addons_storage_class": ""},
            ["NodePool head", "NodePool gpu", "EC2NodeClass head", "EC2NodeClass gpu"],
            ["aws-load-balancer-controller", "karpenter", "karpenter-crd"],
            ["StorageClass gp3", "StorageClass old", "Deployment my-scheduler"],
        ),
    ],
)  # fmt: skip
def test_what_is_ours_and_no_longer_asked_for_goes(
    render: Any, given: Any, pools: list[str], releases: list[str], objects: list[str]
) -> None:
    given = given | in_cluster(*EVERYTHING) | NAMES
    assert names(render("eks_addons", "eks_addons__dropped_pools", **given)) == pools
    assert render("eks_addons", "eks_addons__dropped_releases", **given) == releases
    assert names(render("eks_addons", "eks_addons__dropped_objects", **given)) == objects


def test_at_the_end_all_that_is_ours_goes_and_nothing_else(render: Any) -> None:
    given = in_cluster(*EVERYTHING) | NAMES
    pools = names(render("eks_addons", "eks_addons__own_pools", **given))
    assert pools == ["NodePool head", "NodePool gpu", "EC2NodeClass head", "EC2NodeClass gpu"]
    objects = names(render("eks_addons", "eks_addons__own_objects", **given))
    assert objects == ["StorageClass gp3", "StorageClass old", "Deployment my-scheduler"]
    assert len(render("eks_addons", "eks_addons__own_releases", **given)) == 3
    assert "NodePool theirs" in render("eks_addons", "eks_addons__orphans_text", **given)


def test_without_the_cluster_there_are_only_the_roles_to_go_by(render: Any) -> None:
    skipped = {"eks_addons__in_cluster": {"skipped": True, "changed": False}}
    assert render("eks_addons", "eks_addons__own_pools + eks_addons__own_objects", **skipped) == []
    assert len(render("eks_addons", "eks_addons__own_releases", **skipped, **NAMES)) == 3


def test_what_is_switched_off_and_gone_is_not_removed_again(render: Any) -> None:
    """Its role stays until the end."""
    given = in_cluster(ours(seen("StorageClass", "gp3")), ours(CONTROLLER)) | NAMES
    assert render("eks_addons", "eks_addons__dropped_releases", **given, eks_addons_karpenter=False) == []
