# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.rayops.serve_ha.plugins.module_utils._kuberay import manifest


def kuberay_operator_objects(
    text: str,
    namespace: str,
    image: str = "",
    env: dict[str, str] | None = None,
    tolerations: list[dict[str, t.Any]] | None = None,
) -> list[dict[str, t.Any]]:
    try:
        return manifest.operator_objects(text, namespace, image, env, tolerations)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


def split_image(image: str) -> dict[str, str]:
    try:
        return manifest.split_image(image)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kuberay_operator_objects": kuberay_operator_objects, "split_image": split_image}
