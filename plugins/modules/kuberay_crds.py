#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kuberay_crds
short_description: Install and upgrade KubeRay's CRDs
version_added: 0.1.0
description:
  - Applies the CustomResourceDefinitions of a manifest, server-side and by force, and leaves everything else of the manifest alone.
  - Each of them has about a megabyte. What was applied is noted in an annotation, together with the generation that this made, so that a
    run with nothing to do sends and reads next to nothing, and a CRD that someone else changed is still noticed.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.action_group_k8s
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details:
      - Names the CRDs and their generations, not the fields that differ.
  idempotent:
    support: full
options:
  src:
    description: Path of the manifest, one or more YAML documents.
    type: path
  definition:
    description: The manifest itself.
    type: str
requirements:
  - python >= 3.11
  - kubernetes >= 24.2.0
  - PyYAML >= 3.11
"""

EXAMPLES = r"""
- name: Install or upgrade the CRDs
  rayops.serve_ha.kuberay_crds:
    src: /srv/kuberay-operator.yaml
"""

RETURN = r"""
crds:
  description: Names of the CRDs in the manifest.
  returned: success
  type: list
  elements: str
  sample: [rayclusters.ray.io, rayjobs.ray.io, rayservices.ray.io]
applied:
  description: Names of those that were missing or differed.
  returned: success
  type: list
  elements: str
  sample: [rayservices.ray.io]
"""

import copy
import typing as t

from ansible_collections.kubernetes.core.plugins.module_utils.ansiblemodule import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
from ansible_collections.kubernetes.core.plugins.module_utils.k8s.core import AnsibleK8SModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import manifest
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.api import ApiFailure
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay.cluster import Cluster

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
# The API server leaves spec and status out of its answer.
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
FIELD_MANAGER = "rayops.serve_ha"


def argument_spec() -> dict[str, t.Any]:
    return copy.deepcopy(AUTH_ARG_SPEC) | {"src": {"type": "path"}, "definition": {"type": "str"}}


def current(cluster: Cluster, name: str) -> dict[str, t.Any]:
    """Metadata of the CRD, {} if there is none."""
    try:
        return cluster.request("GET", PATH + name, accept=METADATA_ONLY).json()["metadata"]
    except ApiFailure as failure:
        if failure.status == 404:
            return {}
        raise


def apply(cluster: Cluster, name: str, document: str) -> dict[str, t.Any]:
    """Apply one CRD and note what was applied; returns its new metadata."""
    answer = cluster.request(
        "PATCH",
        PATH + name,
        {"fieldManager": FIELD_MANAGER, "force": "true"},
        manifest.parse(document),
        METADATA_ONLY,
        "application/apply-patch+yaml",
    )
    mark = manifest.applied_mark(document, answer.json()["metadata"]["generation"])
    note = {"metadata": {"annotations": {manifest.APPLIED: mark}}}
    # Another field manager, lest the next apply takes the annotation away.
    query = {"fieldManager": f"{FIELD_MANAGER}-note"}
    return cluster.request("PATCH", PATH + name, query, note, METADATA_ONLY, "application/merge-patch+json").json()["metadata"]


def ensure(cluster: Cluster, text: str, check_mode: bool) -> dict[str, t.Any]:
    documents = manifest.crd_documents(text)
    before: dict[str, t.Any] = {}
    after: dict[str, t.Any] = {}
    for name, document in documents.items():
        metadata = current(cluster, name)
        if manifest.is_applied(document, metadata):
            continue
        before[name] = {"generation": metadata["generation"]} if metadata else None
        after[name] = {"generation": "to be applied" if check_mode else apply(cluster, name, document)["generation"]}
    return {
        "changed": bool(after),
        "crds": sorted(documents),
        "applied": sorted(after),
        "diff": {"before": before, "after": after},
    }


def main() -> None:
    module = AnsibleK8SModule(
        module_class=AnsibleModule,
        argument_spec=argument_spec(),
        mutually_exclusive=[("src", "definition")],
        required_one_of=[("src", "definition")],
        supports_check_mode=True,
    )
    try:
        text = module.params["definition"]
        if text is None:
            with open(module.params["src"], encoding="utf-8") as stream:
                text = stream.read()
        result = ensure(Cluster(lambda: get_api_client(module)), text, module.check_mode)
    except (ApiFailure, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    if not module._diff:
        del result["diff"]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
