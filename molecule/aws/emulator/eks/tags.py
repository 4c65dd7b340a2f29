# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of everything in EKS."""

from __future__ import annotations

from emulator.eks.clusters import find_by_arn
from emulator.eks.common import Record
from emulator.world import Call, answers


@answers("eks", "TagResource")
def tag(call: Call) -> None:
    find_by_arn(call, call.params["resourceArn"])["tags"].update(call.params["tags"])


@answers("eks", "UntagResource")
def untag(call: Call) -> None:
    tags = find_by_arn(call, call.params["resourceArn"])["tags"]
    for key in call.params["tagKeys"]:
        tags.pop(key, None)


@answers("eks", "ListTagsForResource")
def list_tags(call: Call) -> Record:
    return {"tags": find_by_arn(call, call.params["resourceArn"])["tags"]}
