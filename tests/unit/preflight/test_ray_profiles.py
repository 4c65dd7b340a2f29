# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile, applications of the user's own, the model and the token for it: what is wrong with them is told, and no secret."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.ray_service import ray_service_problems
from ansible_collections.rayops.serve_ha.plugins.modules import preflight

OPTIONS = preflight.OPTIONS["ray_service"]["options"]
ROLE: dict[str, Any] = {name: option.get("default") for name, option in OPTIONS.items()} | {
    "name": "mistral",
    "namespace": "mistral",
    "image": "ray:1",
    "redis": {"address": "redis://redis.redis.svc:6379"},
}
SECRET = {"namespace": "a", "name": "b", "key": "c"}
DEPLOYMENTS = [{"name": "Mistral"}]
PROFILE = {
    "head": {"a": 1},
    "worker": {"a": 1},
    "request_path": "/",
    "import_path": "m:build",
    "deployments": DEPLOYMENTS,
}
OWN = [{"import_path": "a:b", "deployments": DEPLOYMENTS}]
HUB = PROFILE | {"hub": True, "model": "mistralai/Mistral-7B-Instruct-v0.2", "image": "ray:1"}
OLD = PROFILE | {"unsupported": "it is old", "ray_version": "2.22.0"}
TOKEN = "hf_" + "a1B2" * 8
CLAIM = {"persistentVolumeClaim": {"claimName": "models"}}
SHA256 = "0aF" * 21 + "b"


def problems(values: dict[str, Any], backend: str | None = None, local: bool = False) -> list[str]:
    return ray_service_problems(ROLE | values, backend, local, lambda path: False, lambda path: None)


@pytest.mark.parametrize(
    "values",
    [
        {"profile_content": PROFILE},
        {"profile_content": PROFILE, "image": "", "redis": {}} | {"profile_content": PROFILE | {"image": "ray:1"}},
        {"profile_content": OLD, "accept_unsupported": True},
        {"profile_content": HUB, "hf_token": TOKEN},
        # A token for all profiles of an inventory.
        {"profile_content": PROFILE | {"uses": []}, "hf_token": TOKEN, "model": "m"},
        {"profile_content": PROFILE | {"uses": ["model_cache"]}, "model_cache": CLAIM},
        {"env": ["HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN"]},
        {"profile_content": HUB, "hf_token_secret": SECRET},
        {"profile_content": HUB, "hf_token_secret": SECRET, "hf_secret_token": TOKEN},
        # Fetched from elsewhere, or given to everybody.
        {"profile_content": HUB, "model_source": "s3://models/mistral"},
        {"profile_content": HUB, "model_source": "/cache/models/mistral"},
        {"profile_content": HUB, "model": "Qwen/Qwen2.5-7B-Instruct"},
        {"profile_content": PROFILE, "model": "mistralai/Mistral-7B-Instruct-v0.2"},
        # In place of the model of the hub.
        {"profile_content": HUB, "applications": OWN},
        {"profile_content": HUB, "applications": OWN, "openai_api": True, "model": "mistralai/Mistral-7B-Instruct-v0.2"},
        {
            "model": "tiny-mistral_2.Q4",
            "tensor_parallel_size": 8,
            "model_cache": CLAIM,
            "compile_cache": {"emptyDir": {}},
        },
        {"gguf_path": "a/b.gguf", "gguf_volume": CLAIM},
        {"gguf_path": "/a/b.gguf", "gguf_volume": CLAIM},
        {"gguf_url": "https://example.org/m.gguf?x=y", "gguf_sha256": SHA256},
        {"profile_content": PROFILE, "applications": [{"import_path": "a.b.c:d", "deployments": DEPLOYMENTS}]},
        {
            "profile_content": {"head": {"a": 1}, "worker": {"a": 1}, "request_path": "/"},
            "num_replicas": 3,
            "applications": [
                {"import_path": "a:b", "deployments": [{"name": "x", "num_replicas": 2, "max_replicas_per_node": 1}]},
                {
                    "name": "other",
                    "route_prefix": "/other",
                    "import_path": "a.b",
                    "deployments": [
                        {"name": "x", "autoscaling_config": {"min_replicas": 2, "max_replicas": 3}},
                        {"name": "y", "placement_group_bundles": [{"GPU": 1}], "num_replicas": 9},
                    ],
                },
                {"name": "inner", "route_prefix": None, "import_path": "a:b", "deployments": DEPLOYMENTS},
                {"name": "inmost", "route_prefix": None, "import_path": "a:b", "deployments": DEPLOYMENTS},
            ],
        },
    ],
)
def test_good_profiles_and_models(values: dict[str, Any]) -> None:
    assert problems(values) == []


def deployment(**values: Any) -> dict[str, Any]:
    return {
        "applications": [{"import_path": "a:b", "deployments": [{"name": "x"} | values]}],
        "profile_content": PROFILE,
    }


@pytest.mark.parametrize(
    ("values", "start", "expectation"),
    [
        ({"profile_content": {}}, "ray_service_profile is 'cpu'", "with head, worker, request_path"),
        ({"profile_content": PROFILE | {"worker": {}}}, "ray_service_profile is 'cpu'", "with worker (docs"),
        ({"profile_content": OLD}, "ray_service_profile is 'cpu'", "it is old; ray_service_accept_unsupported: true"),
        (
            {"profile_content": PROFILE | {"import_path": "build"}},
            "In the profile 'cpu', ray_service__profile.import_path is 'build'",
            "module:builder",
        ),
        (
            {"profile_content": PROFILE | {"deployments": []}},
            "In the profile 'cpu', ray_service__profile.deployments is []",
            "every deployment",
        ),
        (
            {"profile_content": {key: PROFILE[key] for key in ("head", "worker", "request_path")}},
            "ray_service_applications is []",
            "the profile 'cpu' brings none",
        ),
        (
            {"profile_content": PROFILE, "applications": [{"deployments": DEPLOYMENTS}]},
            "ray_service_applications[0].import_path is ''",
            "module:application",
        ),
        (
            {"profile_content": PROFILE, "applications": [{"import_path": "a:b"}]},
            "ray_service_applications[0].deployments is []",
            "the one that takes the requests included",
        ),
        (deployment(name=""), "ray_service_applications[0].deployments[0] is {'name': ''}", "with a name"),
        (deployment(num_replicas=1), "ray_service_applications[0].deployments[0].num_replicas is 1", "at least 2"),
        (
            deployment(num_replicas="auto"),
            "ray_service_applications[0].deployments[0].num_replicas is 'auto'",
            "at least 2",
        ),
        (
            deployment(num_replicas=3),
            "ray_service_applications[0].deployments[0].num_replicas is 3",
            "at most 2, the number",
        ),
        (
            deployment(max_replicas_per_node=2),
            "ray_service_applications[0].deployments[0].max_replicas_per_node is 2",
            "on different workers",
        ),
        (
            deployment(autoscaling_config={"min_replicas": 1, "max_replicas": 2}),
            "ray_service_applications[0].deployments[0].autoscaling_config.min_replicas is 1",
            "at least 2",
        ),
        (
            deployment(autoscaling_config={"min_replicas": 2, "max_replicas": 9}),
            "ray_service_applications[0].deployments[0].autoscaling_config.max_replicas is 9",
            "at most 2",
        ),
        ({"model": "a b"}, "ray_service_model is 'a b'", "letters"),
        ({"model": "/a"}, "ray_service_model is '/a'", "letters"),
        ({"tensor_parallel_size": -1}, "ray_service_tensor_parallel_size is -1", "at least 1"),
        ({"model_cache": {"claimName": "x"}}, "ray_service_model_cache is {'claimName': 'x'}", "persistentVolumeClaim"),
        ({"compile_cache": CLAIM | {"emptyDir": {}}}, "ray_service_compile_cache is {", "one of"),
        ({"compile_cache": {"emptyDir": None}}, "ray_service_compile_cache is {", "one of"),
        ({"hf_token": "s3cret"}, "ray_service_hf_token is a text of 6 characters", "hf_ and at least 30"),
        ({"hf_token": TOKEN + "\n"}, "ray_service_hf_token is a text of 36 characters", "no line end"),
        ({"hf_token": "hf_" + "-" * 34}, "ray_service_hf_token is a text of 37 characters", "letters and digits"),
        (
            {"hf_token": TOKEN, "hf_token_secret": SECRET},
            "ray_service_hf_token and ray_service_hf_token_secret",
            "one of them",
        ),
        ({"hf_token_secret": {"name": "x"}}, "ray_service_hf_token_secret is {'name': 'x'}", "namespace, name and key"),
        ({"hf_token_secret": SECRET | {"key": ""}}, "ray_service_hf_token_secret is {", "namespace, name and key"),
        (
            {"hf_token_secret": SECRET, "hf_secret_token": "s3cret"},
            "The value in ray_service_hf_token_secret {'namespace': 'a', 'name': 'b', 'key': 'c'} is a text of 6",
            "hf_ and at least 30",
        ),
        ({"profile_content": HUB}, "ray_service_hf_token is empty", "mistralai/Mistral-7B-Instruct-v0.2 is given only"),
        (
            {"profile_content": HUB, "model": "meta-llama/X"},
            "ray_service_hf_token is empty",
            "meta-llama/X is given only",
        ),
        ({"openai_api": True}, "ray_service_openai_api is True", "without ray_service_applications"),
        (
            {"profile_content": PROFILE, "applications": OWN, "openai_api": True},
            "ray_service_model is ''",
            "with ray_service_openai_api",
        ),
        # A profile without an application of its own speaks of the user's.
        (
            {"profile_content": {key: HUB[key] for key in HUB if key != "import_path"}, "applications": OWN},
            "ray_service_hf_token is empty",
            "mistralai",
        ),
        *(
            ({"env": ["A", name]}, f"ray_service_env, or the profile's env, sets {name}:", "ray_service_hf_token_secret")
            for name in ("HF_TOKEN", "HF_API_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
        ),
        ({"tokens_in": ["ray_service_env"]}, "ray_service_env has something in it that looks like a token", "in a Secret"),
        *(
            ({"profile": "x", "profiles": ["x"], "profile_content": PROFILE | {"uses": used}, name: value}, start, "'x' makes no use")
            for used, name, value, start in (
                ([], "model_source", "/cache/models", "ray_service_model_source is '/cache/models': expected nothing"),
                (["model_source"], "tensor_parallel_size", 2, "ray_service_tensor_parallel_size is 2: expected nothing"),
                (["compile_cache"], "model_cache", CLAIM, "ray_service_model_cache is {'persistentVolumeClaim'"),
                ([], "compile_cache", CLAIM, "ray_service_compile_cache is {"),
                ([], "gguf_path", "/m.gguf", "ray_service_gguf_path is '/m.gguf'"),
            )
        ),
        (
            {"profile_content": PROFILE | {"uses": ["gguf_sha256"]}, "gguf_url": "https://h/m?s3cret", "gguf_sha256": SHA256},
            "ray_service_gguf_url is 'https://h/m?***': expected nothing",
            "no use",
        ),
        ({"gguf_volume": CLAIM}, "ray_service_gguf_path is ''", "in ray_service_gguf_volume"),
        ({"gguf_volume": CLAIM, "gguf_path": "a/../b"}, "ray_service_gguf_path is 'a/../b'", "without '..'"),
        ({"gguf_volume": {"nfs": "x"}, "gguf_path": "a"}, "ray_service_gguf_volume is {'nfs': 'x'}", "a volume"),
        ({"gguf_sha256": SHA256}, f"ray_service_gguf_sha256 is '{SHA256}'", "nothing without ray_service_gguf_url"),
        ({"gguf_url": "https://h/m", "gguf_sha256": "abc"}, "ray_service_gguf_sha256 is 'abc'", "64 hexadecimal"),
        ({"gguf_url": "ftp://h/m", "gguf_sha256": SHA256}, "ray_service_gguf_url is 'ftp://h/m'", "https://"),
        ({"gguf_url": "https://h", "gguf_sha256": SHA256}, "ray_service_gguf_url is 'https://h'", "a path"),
        (
            {"gguf_url": "https://u:s3cret@h/m?s3cret", "gguf_sha256": SHA256},
            "ray_service_gguf_url is 'https://***@h/m?***'",
            "without user",
        ),
        (
            {"gguf_url": "https://h/m", "gguf_sha256": SHA256, "gguf_path": "/m"},
            "ray_service_gguf_url is set beside",
            "one of them",
        ),
    ],
)
def test_one_problem_of_profile_or_model(values: dict[str, Any], start: str, expectation: str) -> None:
    (one,) = problems(values)
    assert one.startswith(start)
    assert expectation in one
    for secret in ("s3cret", "a1B2"):
        assert secret not in one


def test_accelerators_are_not_of_this_machine() -> None:
    (one,) = problems({"profile_content": PROFILE | {"accelerator": "gpu"}}, local=True)
    assert one.startswith("ray_service_profile is 'cpu': expected one that needs no accelerator")
    assert problems({"profile_content": PROFILE | {"accelerator": "gpu"}}) == []


def test_replicas_without_fault_tolerance() -> None:
    """One is enough, and no more than one worker has."""
    one = {"applications": [{"import_path": "a:b", "deployments": DEPLOYMENTS}], "profile_content": PROFILE}
    assert problems({"num_replicas": 1} | one, "none") == []


def test_all_of_an_application_at_once() -> None:
    assert len(problems(deployment(num_replicas=3, max_replicas_per_node=2))) == 2
    twice = [{"import_path": "a:b", "deployments": DEPLOYMENTS}] * 2
    assert problems({"applications": twice, "profile_content": PROFILE}) == [
        "ray_service_applications[].name is ['mistral', 'mistral']: expected another one for each application",
        "ray_service_applications[].route_prefix is ['/', '/']: expected another one for each application",
    ]
