# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances take their own volumes with them."""

from __future__ import annotations

import typing as t

from emulator.world import Call, amends

Record = dict[str, t.Any]


@amends("ec2", "TerminateInstances")
def terminate(call: Call, result: Record) -> Record:
    for volume in call.ask("ec2", "describe_volumes")["Volumes"]:
        for attachment in volume["Attachments"]:
            if attachment["InstanceId"] in call.params["InstanceIds"] and attachment["DeleteOnTermination"]:
                call.ask("ec2", "detach_volume", VolumeId=volume["VolumeId"])
                call.ask("ec2", "delete_volume", VolumeId=volume["VolumeId"])
    return result
