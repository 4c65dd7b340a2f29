# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles against what judges them: Ray's schema and builder, KubeRay's reading, the pools of nodes, a real shell."""

from __future__ import annotations

import copy
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLE = Path(__file__).parents[3] / "roles" / "ray_service"
TOKEN = "hf_" + "a1B2" * 8
SCALING = {"autoscaling_config": {"min_replicas": 2, "max_replicas": 2}}
APPLICATION = {"import_path": "shop:app", "deployments": [{"name": "Till"}, {"name": "Shelf"} | SCALING]}
PROFILES: dict[str, dict[str, Any]] = {
    "cpu": {},
    "gpu": {"ray_service_profile": "gpu"},
    "gpu_parallel": {
        "ray_service_profile": "gpu",
        "ray_service_tensor_parallel_size": 4,
        "ray_service_num_replicas": 3,
    },
    "gpu_other_model": {
        "ray_service_profile": "gpu",
        "ray_service_model": "Qwen/Qwen2.5-0.5B-Instruct",
        "ray_service_model_source": "s3://models/qwen",
    },
    "neuron": {"ray_service_profile": "neuron", "ray_service_image": "r/ray-neuron:1"},
    "neuron_parallel": {
        "ray_service_profile": "neuron",
        "ray_service_image": "r/ray-neuron:1",
        "ray_service_tensor_parallel_size": 8,
    },
    "neuron_blueprint": {"ray_service_profile": "neuron_blueprint"},
    "custom": {
        "ray_service_profile": "custom",
        "ray_service_image": "r/shop:1",
        "ray_service_applications": [APPLICATION | {"name": "a"}, APPLICATION | {"name": "b", "route_prefix": "/b"}],
    },
}

# Ray's own, at its import.
pytestmark = pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`")
each_profile = pytest.mark.parametrize("case", PROFILES)


def service_of(render: Any, case: str, **given: Any) -> dict[str, Any]:
    return render("ray_service__rayservice_object", **(PROFILES[case] | given))["spec"]


def serve_config(service: dict[str, Any]) -> dict[str, Any]:
    return yaml.safe_load(service["serveConfigV2"])


def worker_of(service: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
    """rayStartParams, pod spec and container of the workers."""
    (group,) = service["rayClusterConfig"]["workerGroupSpecs"]
    spec = group["template"]["spec"]
    return group["rayStartParams"], spec, spec["containers"][0]


def test_every_profile_is_a_case() -> None:
    files = {path.stem for path in (ROLE / "vars" / "profiles").glob("*.yml")}
    assert files == {given.get("ray_service_profile", "cpu") for given in PROFILES.values()}


@each_profile
def test_ray_takes_the_serve_config(render: Any, case: str) -> None:
    """Ray lets names pass that it does not know, such as those of older versions: they are looked for by hand."""
    from ray.serve.schema import DeploymentSchema, RayActorOptionsSchema, ServeApplicationSchema, ServeDeploySchema

    config = serve_config(service_of(render, case))
    ServeDeploySchema.model_validate(config)
    assert set(config) <= set(ServeDeploySchema.model_fields)
    for application in config["applications"]:
        assert set(application) <= set(ServeApplicationSchema.model_fields)
        assert application["deployments"]
        for one in application["deployments"]:
            assert set(one) <= set(DeploymentSchema.model_fields)
            assert set(one.get("ray_actor_options", {})) <= set(RayActorOptionsSchema.model_fields)


@each_profile
def test_a_worker_can_be_lost(render: Any, case: str) -> None:
    """At least two replicas of each deployment, and on different workers: by Ray's rule, or since no more fits."""
    service = service_of(render, case)
    workers = PROFILES[case].get("ray_service_num_replicas", 2)
    start, _spec, container = worker_of(service)
    for application in serve_config(service)["applications"]:
        for one in application["deployments"]:
            replicas = one.get("num_replicas") or one["autoscaling_config"]["min_replicas"]
            assert workers >= replicas >= 2
            if "placement_group_bundles" not in one:
                assert one["max_replicas_per_node"] == 1
                continue
            gpus = sum(bundle.get("GPU", 0) for bundle in one["placement_group_bundles"])
            assert gpus == int(start["num-gpus"]) == container["resources"]["limits"]["nvidia.com/gpu"] > 0
            assert one["placement_group_strategy"] == "STRICT_PACK"


@each_profile
def test_a_worker_has_room_for_a_replica_of_each(render: Any, case: str) -> None:
    """CPUs and cores as Ray counts them, of what the container asks for, and not more than it may have."""
    service = service_of(render, case)
    start, _spec, container = worker_of(service)
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    cpus, cores = 0.0, 0
    for application in serve_config(service)["applications"]:
        for one in application["deployments"]:
            options = one.get("ray_actor_options", {})
            bundles = one.get("placement_group_bundles", [{"CPU": options.get("num_cpus", 1)}])
            cpus += sum(bundle.get("CPU", 0) for bundle in bundles)
            cores += options.get("resources", {}).get("neuron_cores", 0)
    if case != "custom":
        assert cpus <= int(start["num-cpus"])
    # A pod whose requests are above its limits is refused.
    assert int(requests["memory"].removesuffix("Gi")) <= int(limits["memory"].removesuffix("Gi"))
    assert ("aws.amazon.com/neuron" in limits) == (cores > 0)
    if cores:
        # As KubeRay reads it (getResourcesMap), and as the shell hands it to ray start.
        read = json.loads(start["resources"].strip("'\"` "))
        (word,) = shlex.split(f"--resources={start['resources']}")
        assert json.loads(word.removeprefix("--resources=")) == read
        assert read == {"neuron_cores": 2 * limits["aws.amazon.com/neuron"]}
        assert cores <= read["neuron_cores"]


@pytest.fixture(scope="module")
def built(render: Any) -> dict[str, Any]:
    """What Ray's own builder makes of the cases of the profile gpu; the last is one that Ray has to refuse."""
    cases = [case for case in PROFILES if case.startswith("gpu")]
    program = Path(__file__).parent / "build_llm_app.py"
    configs = json.dumps([serve_config(service_of(render, case)) for case in cases])
    done = subprocess.run([sys.executable, program], input=configs, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(cases, json.loads(done.stdout.splitlines()[-1]), strict=True))


@pytest.mark.parametrize(
    ("case", "gpus", "replicas"), [("gpu", 1, 2), ("gpu_parallel", 4, 3), ("gpu_other_model", 1, 2)]
)
def test_ray_builds_what_is_meant(render: Any, built: dict[str, Any], case: str, gpus: int, replicas: int) -> None:
    """Every deployment that the builder makes is named in the profile, and none is left to scale to one replica."""
    named = {one["name"] for one in serve_config(service_of(render, case))["applications"][0]["deployments"]}
    assert set(built[case]) == named
    ingress = built[case].pop("OpenAiIngress")
    assert ingress["max_replicas_per_node"] == 1
    ((_name, server),) = built[case].items()
    assert [bundle["GPU"] for bundle in server["bundles"]] == [1] * gpus
    assert server["strategy"] == "STRICT_PACK"
    for one in (ingress, server):
        assert one["num_replicas"] == replicas
        assert not one["autoscaling"]


def test_ray_refuses_the_simpler_way(render: Any) -> None:
    """Why the profile gpu spreads its replicas otherwise. If this fails, Ray has learnt it, and the profile can be simpler."""
    from ray.serve.schema import ServeDeploySchema

    config = serve_config(service_of(render, "gpu"))
    config["applications"][0]["deployments"][0]["max_replicas_per_node"] = 1
    with pytest.raises(ValueError, match="max_replicas_per_node is not allowed"):
        ServeDeploySchema.model_validate(config)


@pytest.mark.parametrize("case", ["neuron", "neuron_parallel", "neuron_blueprint"])
def test_neuron_fits_the_pools_of_nodes(render: Any, render_addons: Any, case: str) -> None:
    """Pods find the nodes that eks_addons makes: by labels, taints, scheduler and device."""
    pools = {pool["name"]: pool for pool in render_addons("eks_addons__pools")}
    config = service_of(render, case)["rayClusterConfig"]
    for pool, group in (("head", config["headGroupSpec"]), ("neuron", config["workerGroupSpecs"][0])):
        spec = group["template"]["spec"]
        assert spec["nodeSelector"]
        assert spec["nodeSelector"].items() <= pools[pool]["labels"].items()
        matching = [name for name, one in pools.items() if spec["nodeSelector"].items() <= one["labels"].items()]
        assert matching == [pool]
        tolerated = {(one["key"], one["operator"], one["effect"]) for one in spec["tolerations"]}
        for taint in pools[pool]["taints"]:
            assert (taint["key"], "Exists", taint["effect"]) in tolerated
    _start, spec, container = worker_of(service_of(render, case))
    objects = render_addons("eks_addons__objects")
    (text,) = [one["data"]["config.yaml"] for one in objects if one["kind"] == "ConfigMap"]
    scheduler = yaml.safe_load(text)
    assert spec["schedulerName"] in [profile["schedulerName"] for profile in scheduler["profiles"]]
    managed = {one["name"] for extender in scheduler["extenders"] for one in extender["managedResources"]}
    assert managed & container["resources"]["limits"].keys() == {"aws.amazon.com/neuron"}
    assert "schedulerName" not in config["headGroupSpec"]["template"]["spec"]


def test_what_was_compiled_is_for_one_model_and_image(render: Any) -> None:
    """vLLM would take what it finds, whether it fits or not."""

    def place(**given: Any) -> str:
        return render("ray_service__given_env", **(PROFILES["neuron"] | given))["NEURON_COMPILED_ARTIFACTS"]

    others = [
        {"ray_service_tensor_parallel_size": 4},
        {"ray_service_model_source": "/cache/models/other"},
        {"ray_service_image": "r/ray-neuron:2"},
    ]
    assert len({place(), *(place(**other) for other in others)}) == 4
    assert place(ray_service_num_replicas=5) == place()
    assert place().startswith("/cache/compiled/") and place().endswith("/$(NODE_NAME)")


@each_profile
def test_the_token_is_in_the_secret_only(render: Any, case: str) -> None:
    given = {"ray_service_hf_token": TOKEN, "ray_service__namespace_info": {"resources": [{"metadata": {}}]}}
    given |= PROFILES[case] | {"ray_service_redis": {}}
    (secret,) = render("ray_service__secret_objects", **given)
    assert secret["metadata"]["name"] == "mistral-hf-token"
    assert json.dumps(secret).count("token") == 2
    service = render("ray_service__rayservice_object", **given)
    visible = json.dumps([service, render("ray_service__objects", **given)])
    assert TOKEN not in visible
    assert secret["data"]["token"] not in visible
    for group in (
        service["spec"]["rayClusterConfig"]["headGroupSpec"],
        *service["spec"]["rayClusterConfig"]["workerGroupSpecs"],
    ):
        env = {one["name"]: one for one in group["template"]["spec"]["containers"][0]["env"]}
        assert env["HF_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "mistral-hf-token", "key": "token"}
        # $(…) is replaced only by what stands before it.
        names = list(env)
        for one in env.values():
            for name in ("HF_TOKEN", "NODE_NAME"):
                assert f"$({name})" not in one.get("value", "") or names.index(name) < names.index(one["name"])


def test_the_token_of_a_secret_is_copied(render: Any) -> None:
    given = {
        "ray_service_hf_token_secret": {"namespace": "vault", "name": "hub", "key": "t"},
        "ray_service__namespace_info": {"resources": [{"metadata": {}}]},
        "ray_service__hf_secret_info": {"resources": [{"data": {"t": "YWJj"}}]},
    }
    (secret,) = render("ray_service__secret_objects", **given)
    assert secret["metadata"]["namespace"] == "mistral"
    assert secret["data"] == {"token": "YWJj"}
    gone = given | {"ray_service__hf_secret_info": {"resources": []}}
    assert render("ray_service__hf_token_known", **gone) is False
    assert render("ray_service__secret_objects", **gone) == []


def test_without_a_token_nothing_speaks_of_one(render: Any) -> None:
    assert "hf-token" not in json.dumps(service_of(render, "gpu"))


def test_what_the_user_adds_to_pods(render: Any) -> None:
    """Added to what the role and the profile say, in the same words."""
    given = {
        "ray_service_head_pod": {"nodeSelector": {"disk": "fast"}, "imagePullSecrets": [{"name": "registry"}]},
        "ray_service_worker_pod": {
            "tolerations": [{"key": "team", "operator": "Exists"}],
            "securityContext": {"fsGroup": 7},
        },
        "ray_service_worker_resources": {"requests": {"cpu": "1", "memory": "9Gi"}, "limits": {"memory": "9Gi"}},
    }
    service = service_of(render, "gpu", **given)
    head = service["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
    assert head["nodeSelector"] == {"disk": "fast"}
    assert head["imagePullSecrets"] == [{"name": "registry"}]
    assert len(head["tolerations"]) == 2
    _start, worker, container = worker_of(service)
    assert [one["key"] for one in worker["tolerations"]] == ["nvidia.com/gpu", "team"]
    assert worker["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 7}
    # The accelerator stays, whatever memory is asked for.
    assert container["resources"]["limits"] == {"memory": "9Gi", "nvidia.com/gpu": 1}


def test_caches_of_the_user(render: Any) -> None:
    claim = {"persistentVolumeClaim": {"claimName": "cache"}}
    service = service_of(
        render, "neuron", ray_service_model_cache=claim, ray_service_compile_cache={"hostPath": {"path": "/c"}}
    )
    _start, spec, _container = worker_of(service)
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert volumes["models"] == {"name": "models"} | claim
    assert volumes["compiled"] == {"name": "compiled", "hostPath": {"path": "/c"}}


@pytest.mark.parametrize(
    ("statuses", "unnamed"),
    [
        ({"mistral": {"serveDeploymentStatuses": {"Mistral": {}}}}, []),
        ({"mistral": {"serveDeploymentStatuses": {"Mistral": {}, "Other": {}}}}, ["mistral/Other"]),
        ({"mistral": {}}, []),
    ],
)
def test_deployments_that_nobody_named(render: Any, statuses: dict[str, Any], unnamed: list[str]) -> None:
    found = {"resources": [{"status": {"activeServiceStatus": {"applicationStatuses": statuses}}}]}
    assert render("ray_service__unnamed_deployments", ray_service__served_info=found) == unnamed


def test_preflight_takes_what_the_role_hands_it(render: Any) -> None:
    """Each profile, with a token where there has to be one, is without problems; names of options are those of the module."""
    from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.ray_service import ray_service_problems
    from ansible_collections.rayops.serve_ha.plugins.modules.preflight import OPTIONS

    options = OPTIONS["ray_service"]["options"]
    for case, given in PROFILES.items():
        image = {} if case.startswith("gpu") or case == "neuron_blueprint" else {"ray_service_image": "i:1"}
        checked = render("ray_service__checked", **(image | given | {"ray_service_hf_token": TOKEN}))
        assert set(checked) <= set(options)
        values = copy.deepcopy({name: option.get("default") for name, option in options.items()}) | checked
        found = ray_service_problems(values, None, False, lambda path: True, lambda path: None)
        assert len(found) == (1 if case == "neuron_blueprint" else 0), found
    assert (
        "ray_service_accept_unsupported"
        in ray_service_problems(
            values | {"profile_content": render("ray_service__profile", ray_service_profile="neuron_blueprint")},
            None,
            False,
            lambda path: True,
            lambda path: None,
        )[0]
    )
