# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of Redis' and Valkey's parameter group families, as far as the collection might set them. Pure."""

from __future__ import annotations

import re
import typing as t

POLICIES = "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction"
#: Name -> default, allowed values (a list, a range, or none for any), data type, modifiable.
PARAMETERS: dict[str, tuple[str, str, str, bool]] = {
    "activedefrag": ("no", "yes,no", "string", True),
    "activerehashing": ("yes", "yes,no", "string", True),
    "appendfsync": ("everysec", "always,everysec,no", "string", False),
    "appendonly": ("no", "yes,no", "string", False),
    "client-output-buffer-limit-replica-hard-limit": ("0", "0-", "integer", False),
    "close-on-replica-write": ("yes", "yes,no", "string", True),
    "cluster-enabled": ("no", "yes,no", "string", False),
    "databases": ("16", "1-1200000", "integer", True),
    "hash-max-listpack-entries": ("512", "0-", "integer", True),
    "latency-tracking": ("no", "yes,no", "string", True),
    "lazyfree-lazy-eviction": ("no", "yes,no", "string", True),
    "lazyfree-lazy-expire": ("no", "yes,no", "string", True),
    "maxmemory-policy": ("volatile-lru", POLICIES, "string", True),
    "maxmemory-samples": ("3", "1-", "integer", True),
    "min-replicas-max-lag": ("10", "0-", "integer", True),
    "min-replicas-to-write": ("0", "0-", "integer", True),
    "notify-keyspace-events": ("", "", "string", True),
    "rename-commands": ("", "", "string", False),
    "repl-backlog-size": ("1048576", "16384-", "integer", True),
    "reserved-memory-percent": ("25", "0-100", "integer", True),
    "slowlog-log-slower-than": ("10000", "-", "integer", True),
    "slowlog-max-len": ("128", "0-", "integer", True),
    "tcp-keepalive": ("300", "0-", "integer", True),
    "timeout": ("0", "0,20-", "integer", True),
}


def allows(allowed: str, value: str) -> bool:
    """Whether a value is among the allowed ones: C(a,b), C(0-100), C(1-), C(0,20-), C(-) for any integer, or empty for any."""
    if not allowed:
        return True
    for part in allowed.split(","):
        span = re.fullmatch(r"(\d*)-(\d*)", part)
        if span is None:
            if part == value:
                return True
        elif re.fullmatch(r"-?\d+", value):
            low, high = span[1] or "-inf", span[2] or "inf"
            if float(low) <= int(value) <= float(high):
                return True
    return False


def describe(changed: dict[str, str], source: str = "") -> list[dict[str, t.Any]]:
    """All parameters with the group's own values; C(source) C(user) or C(system) leaves only those."""
    return [
        {
            "ParameterName": name,
            "ParameterValue": changed.get(name, default),
            "Description": name,
            "Source": "user" if name in changed else "system",
            "DataType": data_type,
            "AllowedValues": allowed,
            "IsModifiable": modifiable,
            "MinimumEngineVersion": "2.8.6",
            "ChangeType": "immediate",
        }
        for name, (default, allowed, data_type, modifiable) in PARAMETERS.items()
        if source in ("", "user" if name in changed else "system")
    ]
