# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The KubeRay operator's rendered manifest: its CRDs, and the rest made to fit another namespace and image. Pure.

Of the 4 MB of YAML all but 10 kB are the schemas of four CRDs, which take a second to parse. The documents are therefore
told apart as text, and a CRD is parsed only when it has to be applied.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible.module_utils.common.yaml import yaml_load

#: Kinds of the operator's manifest, other than CRDs, that live in no namespace.
CLUSTER_SCOPED = ("ClusterRole", "ClusterRoleBinding")
OPERATOR = "kuberay-operator"
#: Annotation of a CRD: what was applied, and the generation that this made. Whoever changes the CRD afterwards raises
#: the generation, so one small read tells whether it is still what was applied.
APPLIED = "rayops.serve-ha/applied"

_CRD = re.compile(r"^kind: *[\"']?CustomResourceDefinition[\"']? *$", re.MULTILINE)
_SEPARATOR = re.compile(r"^---(?: .*)?$\n?", re.MULTILINE)


def parse(text: str) -> dict[str, t.Any]:
    """One YAML document. Raises ValueError if it is no Kubernetes object."""
    try:
        document = yaml_load(text)
    except Exception as error:  # PyYAML's own hierarchy; it may be absent where this file is only imported
        raise ValueError(f"the manifest is not YAML: {error}") from error
    if not isinstance(document, dict) or "kind" not in document or "metadata" not in document:
        raise ValueError("the manifest holds something that is no Kubernetes object")
    return document


def crd_documents(text: str) -> dict[str, str]:
    """The CRDs of a manifest as text, by name. Raises ValueError if there are none."""
    documents = [one for one in _SEPARATOR.split(text) if _CRD.search(one)]
    if not documents:
        raise ValueError("the manifest has no CustomResourceDefinition: it is not the KubeRay operator's")
    return {_name_of(one): one for one in documents}


def _name_of(document: str) -> str:
    # Up to the spec it is a few lines; if the keys are in another order the whole has to be read.
    head = document.split("\nspec:", 1)[0]
    try:
        return parse(head)["metadata"]["name"]
    except ValueError:
        return parse(document)["metadata"]["name"]


def applied_mark(document: str, generation: int) -> str:
    """The value of the annotation C(APPLIED)."""
    return f"{hashlib.sha256(document.strip().encode()).hexdigest()}@{generation}"


def is_applied(document: str, metadata: dict[str, t.Any]) -> bool:
    """Is the CRD with this metadata what the document says?"""
    mark = (metadata.get("annotations") or {}).get(APPLIED)
    return not metadata.get("deletionTimestamp") and mark == applied_mark(document, metadata.get("generation") or 0)


def operator_objects(
    text: str,
    namespace: str,
    image: str = "",
    env: dict[str, str] | None = None,
    tolerations: list[dict[str, t.Any]] | None = None,
) -> list[dict[str, t.Any]]:
    """All objects but the CRDs and the namespace, in the order to apply them: what is cluster-wide first.

    C(image): image of the operator, "" keeps the manifest's. C(env), C(tolerations): more of them for it. Raises ValueError if this is no
    manifest of the operator.
    """
    documents = [one for one in _SEPARATOR.split(text) if re.search(r"^[^#\s]", one, re.MULTILINE) and not _CRD.search(one)]
    objects = [parse(one) for one in documents]
    if not any(one["kind"] == "Deployment" for one in objects):
        raise ValueError("the manifest has no Deployment: it is not the KubeRay operator's")
    fitted = [_fitted(one, namespace, image, env or {}, tolerations or []) for one in objects if one["kind"] != "Namespace"]
    # The sort is stable: the manifest's order stays.
    return sorted(fitted, key=lambda one: one["kind"] not in CLUSTER_SCOPED)


def _fitted(
    document: dict[str, t.Any], namespace: str, image: str, env: dict[str, str], tolerations: list[dict[str, t.Any]]
) -> dict[str, t.Any]:
    if document["kind"] not in CLUSTER_SCOPED:
        document["metadata"]["namespace"] = namespace
    for subject in document.get("subjects") or []:
        if subject.get("kind") == "ServiceAccount":
            subject["namespace"] = namespace
    if document["kind"] == "Deployment":
        pod = document["spec"]["template"]["spec"]
        if tolerations:
            pod["tolerations"] = [*(pod.get("tolerations") or []), *tolerations]
        for container in pod["containers"]:
            if container["name"] == OPERATOR:
                container["image"] = image or container["image"]
                if env:
                    container["env"] = [
                        *(one for one in container.get("env") or [] if one["name"] not in env),
                        *({"name": name, "value": value} for name, value in env.items()),
                    ]
    return document


def split_image(image: str) -> dict[str, str]:
    """An image reference as Helm charts want it. Raises ValueError without a tag (a digest cannot be given to this chart)."""
    repository, separator, tag = image.rpartition(":")
    if not separator or "/" in tag or "@" in image:
        raise ValueError(f"the image {image} needs a tag, and no digest")
    return {"repository": repository, "tag": tag}
