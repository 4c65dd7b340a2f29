# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's settings: defaults, and the JSON file that changes some of them."""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

#: Seconds that real AWS takes; C(scale) shortens them all. 1/60 makes EKS' nine minutes nine seconds.
SECONDS = {
    "cluster_create": 540,
    "cluster_update": 120,
    "cluster_upgrade": 480,
    "cluster_delete": 120,
    "nodegroup_create": 120,
    "nodegroup_update": 60,
    "nodegroup_delete": 120,
    "addon_create": 60,
    "addon_update": 60,
    "addon_delete": 15,
    "replication_group_create": 480,
    "replication_group_modify": 240,
    "replication_group_replica": 240,
    "replication_group_delete": 240,
    "nat_gateway_create": 90,
    "nat_gateway_delete": 60,
}

DEFAULTS: dict[str, t.Any] = {
    "account": "123456789012",
    "region": "us-west-2",
    # IAM users made at start, each with an access key in a profile of its name in the state directory's file "credentials".
    "users": ["operator"],
    "scale": 1 / 60,
    "seconds": SECONDS,
    "eks": {
        "default_version": "1.35",
        "versions": ["1.32", "1.33", "1.34", "1.35", "1.36"],
        # Those that no cluster can have any more.
        "retired_versions": ["1.30", "1.31"],
        # The Kubernetes that stands behind every cluster: its URL, and its CA as base64 or as a PEM file.
        "endpoint": "",
        "certificate_authority": "",
        "certificate_authority_file": "",
    },
    "elasticache": {
        # The Redis that stands behind every replication group; empty: a name as AWS would give it.
        "host": "",
        "port": 6379,
        # Its port for groups without encryption in transit.
        "plain_port": 6379,
        # A command that is run, with a file's path as its last argument, whenever the AUTH tokens change.
        "auth_hook": [],
        "engines": {
            "redis": {"versions": ["5.0.6", "6.2", "7.0", "7.1"], "families": ["redis5.0", "redis6.x", "redis7"]},
            "valkey": {"versions": ["7.2", "8.0", "8.1", "8.2"], "families": ["valkey7", "valkey8"]},
        },
    },
    "ec2": {
        # Zones (letters) of families that are not offered in all.
        "family_zones": {"inf2": "bc", "trn1": "bc", "trn1n": "b", "trn2": "b"},
    },
    # Values of service quotas by quota code; another code gets the default quota's 100.
    "quotas": {
        "L-1216C47A": 512.0,
        "L-1945791B": 192.0,
        "L-2C3B7624": 128.0,
        "L-34B43A08": 512.0,
        "L-F678F1CE": 5.0,
        "L-0263D0A3": 5.0,
        "L-1194D53C": 100.0,
    },
    # Patterns of IAM actions that SimulatePrincipalPolicy denies.
    "denied_actions": [],
}


def merge(base: dict[str, t.Any], change: dict[str, t.Any], where: str = "") -> dict[str, t.Any]:
    """C(base) with C(change) in it, mappings key by key. Pure.

    Raises:
        ValueError: for a setting that does not exist (only quotas, seconds aside, and family_zones may grow).
    """
    free = where in ("quotas.", "ec2.family_zones.")
    merged = copy.deepcopy(base)
    for key, value in change.items():
        if key not in base and not free:
            raise ValueError(f"there is no setting {where}{key}")
        old = base.get(key)
        merged[key] = merge(old, value, f"{where}{key}.") if isinstance(old, dict) else value
    return merged


def load(path: Path | None) -> dict[str, t.Any]:
    """The defaults with the file's changes."""
    return merge(DEFAULTS, json.loads(path.read_text()) if path else {})
