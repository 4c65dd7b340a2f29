# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.cluster import load_pod_selector
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.entries import generator_arguments
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.load import generator_program
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.pod import load_pod

WORKER = {
    "spec": {
        "imagePullSecrets": [{"name": "registry"}],
        "tolerations": [
            {"key": "aws.amazon.com/neuron", "operator": "Exists"},
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300},
        ],
    }
}


def manifest(program=("-c", "pass"), rate=20.0, worker=None):
    return load_pod("svc", "ns", "ray:1", program, rate, 250.5, WORKER if worker is None else worker, "svc-abcde")


def test_it_ends_by_itself_and_is_found_again():
    got = manifest()
    assert got["metadata"] == {
        "generateName": "svc-head-failure-check-",
        "namespace": "ns",
        "labels": {"app.kubernetes.io/managed-by": "rayops.serve_ha", "rayops.io/head-failure-check": "svc"},
    }
    assert load_pod_selector("svc") == "app.kubernetes.io/managed-by=rayops.serve_ha,rayops.io/head-failure-check=svc"
    spec = got["spec"]
    assert (spec["restartPolicy"], spec["activeDeadlineSeconds"], spec["terminationGracePeriodSeconds"]) == (
        "Never",
        551,
        1,
    )
    assert spec["automountServiceAccountToken"] is False


def test_it_runs_the_program_with_small_means():
    container = manifest()["spec"]["containers"][0]
    assert container["command"] == ["python3", "-c", "pass"]
    assert container["resources"]["requests"] == {"cpu": "60m", "memory": "128Mi"}
    assert manifest(rate=1000.0)["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "550m"


def test_it_can_be_where_the_workers_image_is():
    spec = manifest()["spec"]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["tolerations"] == [{"key": "aws.amazon.com/neuron", "operator": "Exists"}]
    away = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]
    assert away["podAffinityTerm"]["labelSelector"] == {
        "matchLabels": {"ray.io/cluster": "svc-abcde", "ray.io/node-type": "head"}
    }
    assert manifest(worker={})["spec"]["tolerations"] == []


def test_it_is_not_where_a_node_will_be_lost():
    assert "nodeAffinity" not in manifest()["spec"]["affinity"]
    got = load_pod("svc", "ns", "ray:1", ["-c", "pass"], 20.0, 250.5, WORKER, "svc-abcde", "node-7")
    term = {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-7"]}]}
    assert got["spec"]["affinity"]["nodeAffinity"] == {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}
    }


def test_headers_come_from_a_secret():
    assert manifest()["spec"]["containers"][0]["env"] == []
    got = load_pod("svc", "ns", "ray:1", ["-c", "pass"], 20.0, 250.5, WORKER, "svc-abcde", headers_secret="svc-h")
    assert got["spec"]["containers"][0]["env"] == [
        {"name": "RAYOPS_LOAD_HEADERS", "valueFrom": {"secretKeyRef": {"name": "svc-h", "key": "text"}}}
    ]


def test_the_kubelet_must_not_read_the_program_as_variables():
    command = manifest(["-c", "print('$(HOME)')", "$(x)"])["spec"]["containers"][0]["command"]
    assert command[-2:] == ["print('$$(HOME)')", "$$(x)"]


def test_the_program_fits_into_a_command_line(build):
    program = generator_program(generator_arguments("http://x", [build.entry()], 10))
    # An argument of a process holds 128 KiB at most.
    assert max(map(len, program)) < 64 * 1024
