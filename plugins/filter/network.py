# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws import subnets


def network_subnets(
    zones: list[str], name: str, primary: str, secondary: str, tags: dict[str, str]
) -> list[dict[str, t.Any]]:
    try:
        return subnets.wanted_subnets(zones, name, primary, secondary, tags)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "network_subnets": network_subnets,
            "network_subnets_to_apply": subnets.subnets_to_apply,
            "network_tables_to_apply": subnets.tables_to_apply,
        }
