# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for the model of a Ray service: its name, its file, its volumes, the token for it.

Pure: values -> list of problems, each one line for the user. No line holds a token.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight import ray_applications
from ansible_collections.rayops.serve_ha.plugins.module_utils._preflight.problem import hide_credentials, problem

GGUF_MAGIC = b"GGUF"
HF_TOKEN = re.compile(r"hf_[A-Za-z0-9]{30,}")
SECRET_KEYS = ("namespace", "name", "key")
# Owners whose models the Hugging Face hub gives to those only who have agreed to a licence.
GATED = re.compile(r"(mistralai|meta-llama)/|google/gemma")
# What some profiles use, and others have no use for. A token that nothing needs does no harm.
USABLE = (
    "compile_cache",
    "gguf_path",
    "gguf_sha256",
    "gguf_url",
    "gguf_volume",
    "model_cache",
    "model_source",
    "tensor_parallel_size",
)
# Of a volume in a pod. A word that is none of them would be dropped without a word, and the pod would get an empty directory.
VOLUME_SOURCES = (
    "configMap",
    "csi",
    "emptyDir",
    "ephemeral",
    "hostPath",
    "image",
    "nfs",
    "persistentVolumeClaim",
    "projected",
    "secret",
)


def unused_problems(values: dict[str, t.Any], profile: dict[str, t.Any]) -> list[str]:
    """Variables that the profile does not use, if it says which it uses: who sets one means something by it."""
    if "uses" not in profile:
        return []
    return [
        problem(f"ray_service_{name}", hide_credentials(values[name]) if name == "gguf_url" else values[name], "nothing")
        + f", for the profile {values['profile']!r} makes no use of it"
        for name in USABLE
        if values[name] and name not in profile["uses"]
    ]


def model_problems(values: dict[str, t.Any]) -> list[str]:
    """Rules for the name of the model, the number of its parts, and the volumes of the caches."""
    found = []
    if values["model"] and not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", values["model"]):
        expectation = "a name of letters, digits, '.', '_', '-' and '/', such as mistralai/Mistral-7B-Instruct-v0.2"
        found.append(problem("ray_service_model", values["model"], expectation))
    if values["tensor_parallel_size"] < 0:
        found.append(
            problem(
                "ray_service_tensor_parallel_size", values["tensor_parallel_size"], "at least 1, or 0 for the profile's"
            )
        )
    for variable in ("model_cache", "compile_cache"):
        found += volume_problems(f"ray_service_{variable}", values[variable])
    return found


def volume_problems(variable: str, volume: dict[str, t.Any]) -> list[str]:
    """Rules for a volume source, as Kubernetes has it."""
    good = all(kind in VOLUME_SOURCES and isinstance(source, dict) for kind, source in volume.items())
    if good and len(volume) <= 1:
        return []
    kinds = ", ".join(VOLUME_SOURCES)
    return [
        problem(variable, volume, f"a volume of Kubernetes, one of {kinds}")
        + ", such as {persistentVolumeClaim: {claimName: models}}"
    ]


def token_problems(values: dict[str, t.Any], profile: dict[str, t.Any]) -> list[str]:
    """Rules for the token of the Hugging Face hub, and whether there has to be one.

    Args:
        values: hf_token (the token itself), or hf_token_secret (namespace, name and key of the Secret that holds it) and
            hf_secret_token (the token in it, None if nobody has looked); model, model_source, applications.
        profile: hub (whether the model is fetched from the hub, if nothing else is said), model.
    """
    variable = "ray_service_hf_token"
    token, secret = values["hf_token"], values["hf_token_secret"]
    hub = profile.get("hub") and ray_applications.serves(values, profile)
    hub_model = (values["model_source"] or values["model"] or profile.get("model", "")) if hub else ""
    if token and secret:
        return [f"{variable} and {variable}_secret are both set: expected one of them"]
    if token:
        return token_shape_problems(variable, token)
    if secret:
        if set(secret) != set(SECRET_KEYS) or not all(secret.values()):
            return [problem(f"{variable}_secret", secret, "namespace, name and key")]
        found = values["hf_secret_token"]
        return [] if found is None else token_shape_problems(f"The value in {variable}_secret {secret}", found)
    if GATED.match(hub_model):
        return [
            f"{variable} is empty, and so is {variable}_secret: expected a token of the Hugging Face hub, for {hub_model} is given"
            " only to accounts that have agreed to its licence; or fetch it from elsewhere, by ray_service_model_source"
        ]
    return []


def token_shape_problems(where: str, token: str) -> list[str]:
    """Whether it looks like a token; the message tells its length, and nothing else of it."""
    if HF_TOKEN.fullmatch(token):
        return []
    return [
        f"{where} is a text of {len(token)} characters, which is not shown: expected hf_ and at least 30 letters and digits, with no"
        " blank and no line end, as huggingface.co/settings/tokens makes it"
    ]


def gguf_problems(values: dict[str, t.Any], local: bool, read_start: t.Callable[[str], bytes | None]) -> list[str]:
    """Rules for the GGUF file: on the nodes, in a volume, or fetched from a URL.

    Args:
        values: gguf_path, gguf_volume, gguf_url, gguf_sha256.
        local: whether the cluster is one of this machine, whose nodes have this machine's files.
        read_start: path -> the first four bytes, None if there is no such file.
    """
    path, volume, url, digest = (values[f"gguf_{key}"] for key in ("path", "volume", "url", "sha256"))
    found = volume_problems("ray_service_gguf_volume", volume)
    if url and (path or volume):
        return [
            *found,
            "ray_service_gguf_url is set beside ray_service_gguf_path or ray_service_gguf_volume: expected one of them",
        ]
    if url:
        return found + url_problems(url, digest)
    if digest:
        found.append(problem("ray_service_gguf_sha256", digest, "nothing without ray_service_gguf_url"))
    if volume:
        if not path or ".." in path.split("/"):
            found.append(
                problem("ray_service_gguf_path", path, "the path of the file in ray_service_gguf_volume, without '..'")
            )
        return found
    return found + (path_problems(path, local, read_start) if path else [])


def url_problems(url: str, digest: str) -> list[str]:
    found = []
    if not re.fullmatch(r"https?://[^\s@/]+/\S+", url):
        expectation = "http:// or https://, a host without user and password, and a path"
        found.append(problem("ray_service_gguf_url", hide_credentials(url), expectation))
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        expectation = "the SHA-256 of the file, 64 hexadecimal digits: without it, a broken file would be served"
        found.append(problem("ray_service_gguf_sha256", digest, expectation))
    return found


def path_problems(path: str, local: bool, read_start: t.Callable[[str], bytes | None]) -> list[str]:
    """Rules for a file on the nodes; only on a cluster of this machine is it a file of this machine."""
    variable = "ray_service_gguf_path"
    if not os.path.isabs(path):
        return [problem(variable, path, "an absolute path, of a file that every node has")]
    if not local:
        return []
    start = read_start(path)
    if start is None:
        return [problem(variable, path, "a file that exists and can be read on this machine")]
    if start != GGUF_MAGIC:
        return [problem(variable, path, f"a GGUF file, which starts with 'GGUF'; this starts with {start!r}")]
    return []
