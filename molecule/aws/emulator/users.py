# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM users that tests act as."""

from __future__ import annotations

import os
from pathlib import Path

from emulator.world import World


def make_users(world: World, path: Path) -> None:
    """Make the configured users with a key each, in an AWS credentials file: the first is the default profile too."""
    lines = []
    for place, user in enumerate(world.config["users"]):
        world.backend.ask("iam", "create_user", UserName=user)
        key = world.backend.ask("iam", "create_access_key", UserName=user)["AccessKey"]
        world.secrets[key["AccessKeyId"]] = key["SecretAccessKey"]
        for profile in (user, "default")[: 2 if place == 0 else 1]:
            lines += [
                f"[{profile}]",
                f"aws_access_key_id = {key['AccessKeyId']}",
                f"aws_secret_access_key = {key['SecretAccessKey']}",
                "",
            ]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines))
