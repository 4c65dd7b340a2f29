# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launch templates: those asked for by name or id have to be there."""

from __future__ import annotations

import typing as t

from emulator.wire import AwsError
from emulator.world import Call, amends, answers

Record = dict[str, t.Any]


@amends("ec2", "DescribeLaunchTemplates")
def describe(call: Call, result: Record) -> Record:
    found = result.get("LaunchTemplates", [])
    for option, member, code in (
        ("LaunchTemplateNames", "LaunchTemplateName", "InvalidLaunchTemplateName.NotFoundException"),
        ("LaunchTemplateIds", "LaunchTemplateId", "InvalidLaunchTemplateId.NotFound"),
    ):
        lacking = set(call.params.get(option, [])) - {template[member] for template in found}
        if lacking:
            raise AwsError(code, "At least one of the launch templates specified in the request does not exist.")
    return result


@amends("ec2", "DescribeLaunchTemplateVersions")
def describe_versions(call: Call, result: Record) -> Record:
    if not result.get("LaunchTemplateVersions") and call.params.get("Versions"):
        raise AwsError("InvalidLaunchTemplateId.VersionNotFound", "Could not find the launch template version")
    gone = call.store("launch_template_versions").get(call.params.get("LaunchTemplateId"), set())
    left = [one for one in result.get("LaunchTemplateVersions", []) if str(one["VersionNumber"]) not in gone]
    return result | {"LaunchTemplateVersions": left}


@answers("ec2", "DeleteLaunchTemplateVersions")
def delete_versions(call: Call) -> Record:
    """ministack has no such operation: the versions are only hidden, until the template goes."""
    template = call.params["LaunchTemplateId"]
    gone = call.store("launch_template_versions").setdefault(template, set())
    gone.update(call.params["Versions"])
    deleted = [{"LaunchTemplateId": template, "VersionNumber": int(version)} for version in call.params["Versions"]]
    return {"SuccessfullyDeletedLaunchTemplateVersions": deleted}
