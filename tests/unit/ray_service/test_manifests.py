# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role sends to Kubernetes: golden files, and what KubeRay would refuse or silently get wrong.

`UPDATE_GOLDEN=1 pytest tests/unit/ray_service` writes the golden files anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

GOLDEN = Path(__file__).parent / "golden"
IMAGE = {"ray_service_image": "registry.example/ray-cpu:1"}
REDIS = {
    "address": "redis://redis.redis.svc:6379",
    "username": "",
    "password_secret": {"namespace": "redis", "name": "redis", "key": "password"},
}
TLS = {
    "address": "rediss://master.mistral.abcdef.use1.cache.amazonaws.com:6379",
    "username": "ray",
    "password_secret": {"namespace": "redis", "name": "elasticache", "key": "token"},
}
INGRESS = {"enabled": True, "class_name": "nginx", "host": "mistral.example.org", "annotations": {"example.org/a": "b"}}
# As README.md has it.
ALB = {
    "enabled": True,
    "class_name": "alb",
    "host": "mistral.example.org",
    "tls": [{"hosts": ["mistral.example.org"]}],
    "annotations": {
        "alb.ingress.kubernetes.io/scheme": "internal",
        "alb.ingress.kubernetes.io/target-type": "ip",
        "alb.ingress.kubernetes.io/listen-ports": '[{"HTTPS": 443}]',
        "alb.ingress.kubernetes.io/healthcheck-path": "/-/healthz",
        "alb.ingress.kubernetes.io/healthcheck-interval-seconds": "5",
        "alb.ingress.kubernetes.io/healthcheck-timeout-seconds": "3",
        "alb.ingress.kubernetes.io/healthy-threshold-count": "2",
        "alb.ingress.kubernetes.io/unhealthy-threshold-count": "2",
        "alb.ingress.kubernetes.io/target-group-attributes": "deregistration_delay.timeout_seconds=20",
        "alb.ingress.kubernetes.io/tags": "rayops.serve_ha/deployment=mistral",
        "alb.ingress.kubernetes.io/group.name": "mistral",
    },
}
CASES: dict[str, dict[str, Any]] = {
    "default": {"ray_service_redis": REDIS},
    "tls": {"ray_service_redis": TLS, "ray_service_num_replicas": 3},
    "tls_private_ca": {"ray_service_redis": TLS, "ray_service_redis_ca": "-----BEGIN CERTIFICATE-----\n…\n"},
    "no_redis": {},
    "gguf": {"ray_service_redis": REDIS, "ray_service_gguf_path": "/data/mistral-7b.Q4_K_M.gguf"},
    "ingress": {"ray_service_redis": {"address": "redis://redis:6379"}, "ray_service_ingress": INGRESS},
    "alb": {"ray_service_redis": TLS, "ray_service_ingress": ALB},
    "gguf_volume": {
        "ray_service_redis": REDIS,
        "ray_service_gguf_path": "mistral/7b.Q4_K_M.gguf",
        "ray_service_gguf_volume": {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
    },
    "gguf_url": {
        "ray_service_redis": REDIS,
        "ray_service_gguf_url": "https://models.example.org/mistral-7b.Q4_K_M.gguf",
        "ray_service_gguf_sha256": "0123456789abcdef" * 4,
    },
    "gpu": {
        "ray_service_redis": REDIS,
        "ray_service_image": "",
        "ray_service_profile": "gpu",
        "ray_service_tensor_parallel_size": 2,
        "ray_service_hf_token": "hf_" + "x" * 34,
        "ray_service_model_cache": {"persistentVolumeClaim": {"claimName": "cache"}},
    },
    "neuron": {
        "ray_service_redis": TLS,
        "ray_service_profile": "neuron",
        "ray_service_hf_token_secret": {"namespace": "vault", "name": "hub", "key": "token"},
    },
    "neuron_blueprint": {
        "ray_service_redis": REDIS,
        "ray_service_image": "",
        "ray_service_profile": "neuron_blueprint",
        "ray_service_hf_token": "hf_" + "x" * 34,
    },
    "custom": {
        "ray_service_redis": REDIS,
        "ray_service_profile": "custom",
        "ray_service_applications": [{"import_path": "shop:app", "deployments": [{"name": "Till"}, {"name": "Shelf"}]}],
    },
}


def objects_of(render: Any, case: str) -> list[dict[str, Any]]:
    given = IMAGE | CASES[case]
    return [*render("ray_service__objects", **given), render("ray_service__rayservice_object", **given)]


def the(kind: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [o for o in objects if o["kind"] == kind]
    return found


def templates(service: dict[str, Any]) -> list[dict[str, Any]]:
    """Pod templates of head and workers."""
    config = service["spec"]["rayClusterConfig"]
    return [group["template"] for group in [config["headGroupSpec"], *config["workerGroupSpecs"]]]


@pytest.mark.parametrize("case", CASES)
def test_golden(render: Any, golden: Any, case: str) -> None:
    objects = objects_of(render, case)
    # The programs' own changes are no changes of the manifest.
    programs = [one for one in objects if any(name.endswith(".py") for name in one.get("data", {}))]
    digests = [one["metadata"]["name"].rpartition("-")[2] for one in programs]
    for config_map in programs:
        config_map["data"] = dict.fromkeys(config_map["data"], "…")
    for digest in digests:
        objects = json.loads(json.dumps(objects).replace(digest, "0123456789"))
    golden(GOLDEN / f"{case}.yml", objects)


@pytest.mark.parametrize("case", CASES)
def test_kuberay_accepts_it(render: Any, case: str) -> None:
    """Rules of ValidateRayClusterSpec, KubeRay 1.6: a breach shows only in a condition or an event."""
    service = the("RayService", objects_of(render, case))
    config = service["spec"]["rayClusterConfig"]
    annotations = service["metadata"].get("annotations", {})
    assert not {"ray.io/ft-enabled", "ray.io/external-storage-namespace"} & annotations.keys()
    assert ("gcsFaultToleranceOptions" in config) == bool(CASES[case].get("ray_service_redis"))
    assert "externalStorageNamespace" not in config.get("gcsFaultToleranceOptions", {})
    head = config["headGroupSpec"]
    assert not {"redis-password", "redis-username"} & head["rayStartParams"].keys()
    for template in templates(service):
        env = {entry["name"] for entry in template["spec"]["containers"][0]["env"]}
        assert not {"RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "REDIS_USERNAME", "RAY_external_storage_namespace"} & env
        assert not {"ray.io/ft-enabled"} & template["metadata"].get("annotations", {}).keys()
    ports = {port["name"] for port in head["template"]["spec"]["containers"][0]["ports"]}
    assert {"dashboard", "serve"} <= ports
    for group in [head, *config["workerGroupSpecs"]]:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_example_of_the_readme() -> None:
    text = (Path(__file__).parents[3] / "roles" / "ray_service" / "README.md").read_text(encoding="utf-8")
    (example,) = [block for block in text.split("```yaml\n") if block.startswith("ray_service_ingress:")]
    assert yaml.safe_load(example.split("```")[0]) == {"ray_service_ingress": ALB}


@pytest.mark.parametrize("case", CASES)
def test_head_is_expendable(render: Any, case: str) -> None:
    service = the("RayService", objects_of(render, case))
    config = service["spec"]["rayClusterConfig"]
    assert service["spec"]["excludeHeadPodFromServeSvc"] is True
    assert config["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    serve = yaml.safe_load(service["spec"]["serveConfigV2"])
    replicas = CASES[case].get("ray_service_num_replicas", 2)
    for deployment in serve["applications"][0]["deployments"]:
        assert deployment["num_replicas"] == replicas
        # Without CPUs it would run on the head, which has none.
        assert deployment.get("ray_actor_options", {}).get("num_cpus", 1) > 0
    assert [group["replicas"] for group in config["workerGroupSpecs"]] == [replicas]
    budget = the("PodDisruptionBudget", objects_of(render, case))
    assert budget["spec"]["minAvailable"] == replicas - 1


def test_changed_application_is_a_new_cluster(render: Any, tmp_path: Path) -> None:
    """Another content gives the ConfigMap another name, and the pods another volume."""
    profile = render("ray_service__profile")
    names = []
    for content in ("a = 1\n", "a = 2\n"):
        (tmp_path / "app.py").write_text(content)
        given = profile | {"files": [str(tmp_path / "app.py")]}
        variables = IMAGE | {"ray_service_profile": "none", "ray_service__profile": given}
        config_map = render("ray_service__app_object", **variables)
        names.append(config_map["metadata"]["name"])
        assert config_map["data"] == {"app.py": content}
        for template in templates(render("ray_service__rayservice_object", **variables)):
            assert template["spec"]["volumes"][0]["configMap"]["name"] == names[-1]
    assert names[0] != names[1]


def test_authorities_for_tls_only(render: Any) -> None:
    """Every mount has its volume, and without TLS there is none to trust anybody with."""
    given = IMAGE | {
        "ray_service_redis": REDIS,
        "ray_service_redis_ca": "-----BEGIN CERTIFICATE-----",
        "ray_service_head_guard": False,
    }
    assert render("ray_service__redis_env", **given) == {}
    assert [o["kind"] for o in render("ray_service__objects", **given)] == ["ConfigMap", "PodDisruptionBudget"]
    for case in CASES:
        for template in templates(the("RayService", objects_of(render, case))):
            spec = template["spec"]
            volumes = {volume["name"] for volume in spec["volumes"]}
            assert {mount["name"] for mount in spec["containers"][0]["volumeMounts"]} == volumes
            for container in spec.get("initContainers", []):
                assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


@pytest.mark.parametrize("group", ["head", "worker"])
def test_env_of_the_user_wins(render: Any, group: str) -> None:
    own = {"RAY_REDIS_CA_CERT": "/ca.pem", "NUMBER": 5, "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": 7}
    env = render("ray_service__env", ray_service_redis=TLS, ray_service_env=own)[group]
    values = {entry["name"]: entry.get("value") for entry in env}
    assert values["RAY_REDIS_CA_CERT"] == "/ca.pem"
    assert values["NUMBER"] == "5"
    assert values["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] == "7"
    assert len(values) == len(env)


def test_a_worker_outlives_its_drain_and_the_drain_its_replica(render: Any) -> None:
    given = {"ray_service_worker_drain_seconds": 100}
    (worker,) = render("ray_service__groups", **IMAGE, **given)["workerGroupSpecs"]
    spec = worker["template"]["spec"]
    env = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    assert env["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] == "100"
    assert spec["terminationGracePeriodSeconds"] == 115
    (application,) = render("ray_service__applications", **IMAGE, **given)
    assert [one["graceful_shutdown_timeout_s"] for one in application["deployments"]] == [90]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"ray_service_redis_password": "s3cret", "ray_service_redis": {"address": "redis://r:1"}}, "czNjcmV0"),
        (
            {"ray_service_redis": REDIS, "ray_service__secret_info": {"resources": [{"data": {"password": "YWJj"}}]}},
            "YWJj",
        ),
    ],
)
def test_secret(render: Any, given: dict[str, Any], expected: str) -> None:
    found = {"ray_service__namespace_info": {"resources": [{"metadata": {}}]}, "ray_service__secret_info": {}}
    (secret,) = render("ray_service__secret_objects", **IMAGE, **(found | given))
    assert secret["metadata"]["name"] == "mistral-redis"
    assert secret["metadata"]["namespace"] == "mistral"
    assert secret["data"] == {"password": expected}


def test_no_password_no_secret(render: Any) -> None:
    given = {"ray_service_redis": {"address": "redis://r:1"}}
    assert render("ray_service__password_given", **given) is False
    options = render("ray_service__fault_tolerance", **given)["gcsFaultToleranceOptions"]
    assert options == {"redisAddress": "redis://r:1"}


@pytest.mark.parametrize(
    ("namespace", "check", "kinds"),
    [
        ([], True, []),
        ([{"metadata": {}}], True, ["ConfigMap", "PodDisruptionBudget"]),
        ([], False, ["ConfigMap", "PodDisruptionBudget"]),
    ],
)
def test_dry_run_leaves_out_what_the_server_would_refuse(
    render: Any, namespace: list[Any], check: bool, kinds: list[str]
) -> None:
    objects = render(
        "ray_service__applicable_objects",
        **IMAGE,
        ansible_check_mode=check,
        ray_service__namespace_info={"resources": namespace},
    )
    assert [o["kind"] for o in objects] == kinds


@pytest.mark.parametrize(
    ("resources", "ours", "made"),
    [
        ([], False, ["Namespace"]),
        ([{"metadata": {"name": "mistral"}}], False, []),
        ([{"metadata": {"labels": {"rayops.serve-ha/service": "other"}}}], False, []),
        ([{"metadata": {"labels": {"rayops.serve-ha/service": "mistral"}}}], True, ["Namespace"]),
    ],
)
def test_namespace_of_somebody_else_is_let_alone(
    render: Any, resources: list[Any], ours: bool, made: list[str]
) -> None:
    found = {"ray_service__namespace_info": {"resources": resources}}
    assert render("ray_service__namespace_ours", **found) is ours
    assert [o["kind"] for o in render("ray_service__namespace_objects", **found)] == made
    last = [o["kind"] for o in render("ray_service__removed_last", **found)]
    assert last == (["Namespace"] if ours else ["Ingress", "Secret", "ConfigMap"])


def applied(*kinds: str) -> dict[str, Any]:
    """What kubernetes.core.k8s returns for one object, and for several."""
    results = [{"result": {"kind": kind, "metadata": {"resourceVersion": f"{kind}-1"}}} for kind in kinds]
    return {"changed": False, "result": results[0]["result"] if len(results) == 1 else {"results": results}}


@pytest.mark.parametrize(
    ("secret", "revision"),
    [
        (applied("Secret"), "uid/3/Secret-1"),
        (applied("Namespace", "Secret"), "uid/3/Secret-1"),
        ({"skipped": True}, "uid/3"),
    ],
)
def test_revision_tells_of_all_that_a_new_head_reads(render: Any, secret: dict[str, Any], revision: str) -> None:
    found = {
        "ray_service__secret_applied": secret,
        "ray_service__waited": {"rayservice": {"uid": "uid", "generation": 3}},
    }
    assert render("ray_service__revision", **found) == revision


def test_other_authorities_are_a_new_cluster(render: Any) -> None:
    names = set()
    for text in ("-----BEGIN CERTIFICATE-----\na", "-----BEGIN CERTIFICATE-----\nb"):
        given = IMAGE | {"ray_service_redis": TLS, "ray_service_redis_ca": text}
        config_map = render("ray_service__redis_ca_object", **given)
        names.add(config_map["metadata"]["name"])
        for template in templates(render("ray_service__rayservice_object", **given)):
            (volume,) = [one for one in template["spec"]["volumes"] if one["name"] == "redis-ca"]
            assert volume["configMap"]["name"] == config_map["metadata"]["name"]
    assert len(names) == 2
