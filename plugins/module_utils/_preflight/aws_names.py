# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS' rules for names, each service its own. Pure: values -> list of problems, each one line for the user."""

from __future__ import annotations

import re

LETTERS_AND_HYPHENS = (
    r"[a-z](-?[a-z0-9])*",
    "lower case letters, digits and single hyphens, a letter first, no hyphen last",
)
#: Type -> the most characters, what they may be, and that in words. From the API references of the services; ElastiCache keeps
#: names in lower case, so that others would never be found again.
RULES: dict[str, tuple[int, str, str]] = {
    "ec2:launch-template": (128, r"[a-zA-Z0-9().\-/_]{3,}", "at least 3 letters, digits and ().-/_"),
    "eks:cluster": (100, r"[0-9A-Za-z][0-9A-Za-z_-]*", "letters, digits, '-' and '_', a letter or digit first"),
    "elasticache:parametergroup": (255, *LETTERS_AND_HYPHENS),
    "elasticache:replicationgroup": (40, *LETTERS_AND_HYPHENS),
    "elasticache:subnetgroup": (50, *LETTERS_AND_HYPHENS),
    "events:rule": (64, r"[.\-_A-Za-z0-9]+", "letters, digits and .-_"),
    "iam:instance-profile": (128, r"[\w+=,.@-]+", "letters, digits and +=,.@-_"),
    "iam:policy": (128, r"[\w+=,.@-]+", "letters, digits and +=,.@-_"),
    "iam:role": (64, r"[\w+=,.@-]+", "letters, digits and +=,.@-_"),
    "kms:alias": (250, r"[a-zA-Z0-9/_-]+", "letters, digits and /_-"),
    "logs:log-group": (512, r"[.\-_/#A-Za-z0-9]+", "letters, digits and .-_/#"),
    "secretsmanager:secret": (512, r"[A-Za-z0-9/_+=.@-]+", "letters, digits and /_+=.@-"),
    "sqs:queue": (80, r"[A-Za-z0-9_-]+", "letters, digits and -_"),
}


def name_problems(name: str, resources: list[dict[str, str]]) -> list[str]:
    """Names that AWS would refuse, as far as they follow from the deployment's name.

    Args:
        name: of the deployment.
        resources: {type, name} of what will be made.
    """
    longer: list[tuple[int, dict[str, str], int]] = []
    odd: dict[str, list[str]] = {}
    for one in resources:
        most, pattern, words = RULES[one["type"]]
        if len(one["name"]) > most:
            longer.append((len(one["name"]) - most, one, most))
        if not re.fullmatch(pattern, one["name"], re.ASCII):
            odd.setdefault(words, []).append(f"{one['type']} {one['name']!r}")
    found = [
        f"deployment_name is {name!r}, which gives {', '.join(those)}: expected {words}; choose another name"
        for words, those in odd.items()
    ]
    if longer:
        # The one that has to be shortened most settles it for all.
        excess, one, most = max(longer, key=lambda entry: entry[0])
        found.append(
            f"deployment_name is {name!r}, which gives {one['type']} {one['name']!r} of {len(one['name'])} characters: expected at"
            f" most {most}, so a name of at most {max(len(name) - excess, 1)} characters"
        )
    return found
