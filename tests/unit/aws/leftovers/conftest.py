# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account after its cluster has been deleted, with what controllers may leave."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import FakeService, aws_error

TAGS = {"rayops.serve_ha/deployment": "mistral"}
ARN = "arn:aws:{service}:us-west-2:123456789012:"


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class Ec2(FakeService):
    """Items by the key of their listing; C(in_use) makes deletions of these ids fail."""

    service = "ec2"

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.in_use: set[str] = set()

    def _list(self, key: str, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        wanted = {one["Name"]: one["Values"] for one in Filters}
        found = self.items.get(key, [])
        if "tag-key" in wanted:
            tags = "TagSet" if key == "NetworkInterfaces" else "Tags"
            found = [one for one in found if {tag["Key"] for tag in one.get(tags, [])} & set(wanted["tag-key"])]
        if "vpc-id" in wanted:
            found = [one for one in found if one.get("VpcId") in wanted["vpc-id"]]
        for name, permissions in (
            ("ip-permission.group-id", "IpPermissions"),
            ("egress.ip-permission.group-id", "IpPermissionsEgress"),
        ):
            if name in wanted:
                found = [one for one in found if wanted[name][0] in str(one.get(permissions))]
        return {key: found}

    def _delete(self, key: str, by: str, identity: str) -> None:
        if identity in self.in_use:
            raise aws_error("DependencyViolation", "has a dependent object")
        self.items[key] = [one for one in self.items[key] if one[by] != identity]

    def describe_instances(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        wanted = {one["Name"]: one["Values"] for one in Filters}
        keys = set(wanted.get("tag-key", []))
        found = [
            one
            for one in self.items.get("Instances", [])
            if one["State"]["Name"] in wanted["instance-state-name"]
            and (not keys or {tag["Key"] for tag in one["Tags"]} & keys)
            and one["InstanceId"] in wanted.get("instance-id", [one["InstanceId"]])
        ]
        return {"Reservations": [{"Instances": found}]}

    def terminate_instances(self, InstanceIds: list[str]) -> dict[str, Any]:
        for one in self.items["Instances"]:
            if one["InstanceId"] in InstanceIds:
                one["State"] = {"Name": "terminated"}
        return {}

    def describe_network_interfaces(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        return self._list("NetworkInterfaces", Filters)

    def describe_security_groups(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        return self._list("SecurityGroups", Filters)

    def describe_vpcs(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        return self._list("Vpcs", Filters)

    def describe_volumes(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        return self._list("Volumes", Filters)

    def describe_launch_templates(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        return self._list("LaunchTemplates", Filters)

    def describe_tags(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        wanted = {one["Name"]: one["Values"] for one in Filters}
        found = self.items.get("Tags", [])
        return {"Tags": [one for one in found if one["Key"] in wanted["key"] and one["Value"] in wanted["value"]]}

    def describe_nat_gateways(self, Filter: list[dict[str, Any]]) -> dict[str, Any]:
        wanted = {one["Name"]: one["Values"] for one in Filter}
        return {"NatGateways": [one for one in self.items.get("NatGateways", []) if one["State"] in wanted["state"]]}

    def delete_network_interface(self, NetworkInterfaceId: str) -> None:
        self._delete("NetworkInterfaces", "NetworkInterfaceId", NetworkInterfaceId)

    def delete_security_group(self, GroupId: str) -> dict[str, Any]:
        for group in self.items["SecurityGroups"]:
            if GroupId in str(group.get("IpPermissions")):
                raise aws_error("DependencyViolation", f"resource {GroupId} has a dependent object")
        self._delete("SecurityGroups", "GroupId", GroupId)
        return {}

    def revoke_security_group_ingress(self, GroupId: str, IpPermissions: list[dict[str, Any]]) -> dict[str, Any]:
        (group,) = (one for one in self.items["SecurityGroups"] if one["GroupId"] == GroupId)
        assert IpPermissions
        group["IpPermissions"] = []
        return {"Return": True}

    def delete_volume(self, VolumeId: str) -> None:
        self._delete("Volumes", "VolumeId", VolumeId)

    def delete_launch_template(self, LaunchTemplateId: str) -> dict[str, Any]:
        self._delete("LaunchTemplates", "LaunchTemplateId", LaunchTemplateId)
        return {}


class Elb(FakeService):
    service = "elbv2"

    def __init__(self) -> None:
        super().__init__()
        #: ARN -> tags.
        self.balancers: dict[str, dict[str, str]] = {}
        self.groups: dict[str, dict[str, str]] = {}
        #: ARN -> its VPC, where it is not the cluster's.
        self.vpcs: dict[str, str] = {}
        #: What goes between its listing and the question for its tags.
        self.going: set[str] = set()

    def describe_load_balancers(self, LoadBalancerArns: Any = None) -> dict[str, Any]:
        if LoadBalancerArns and not set(LoadBalancerArns) & set(self.balancers):
            raise aws_error("LoadBalancerNotFound")
        return {
            "LoadBalancers": [
                {"LoadBalancerArn": arn, "LoadBalancerName": arn[-1], "VpcId": self.vpcs.get(arn, "vpc-1")}
                for arn in self.balancers
            ]
        }

    def describe_target_groups(self) -> dict[str, Any]:
        return {
            "TargetGroups": [
                {
                    "TargetGroupArn": arn,
                    "TargetGroupName": arn[-1],
                    "LoadBalancerArns": [user for user in self.balancers if self.balancers[user] == tags],
                }
                for arn, tags in self.groups.items()
            ]
        }

    def describe_tags(self, ResourceArns: list[str]) -> dict[str, Any]:
        assert len(ResourceArns) <= 20
        for arn in self.going & set(ResourceArns):
            self.balancers.pop(arn, None)
            self.groups.pop(arn, None)
            raise aws_error("LoadBalancerNotFound" if arn.startswith("lb") else "TargetGroupNotFound")
        tags = self.balancers | self.groups
        return {"TagDescriptions": [{"ResourceArn": arn, "Tags": as_list(tags[arn])} for arn in ResourceArns]}

    def delete_load_balancer(self, LoadBalancerArn: str) -> dict[str, Any]:
        del self.balancers[LoadBalancerArn]
        return {}

    def delete_target_group(self, TargetGroupArn: str) -> dict[str, Any]:
        del self.groups[TargetGroupArn]
        return {}


class Eks(FakeService):
    service = "eks"

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, str] | None = None

    def describe_cluster(self, name: str) -> dict[str, Any]:
        if self.tags is None or name != "mistral":
            raise aws_error("ResourceNotFoundException")
        return {"cluster": {"arn": f"arn:{name}", "tags": self.tags}}


class Iam(FakeService):
    service = "iam"

    def __init__(self) -> None:
        super().__init__()
        #: Path and name -> names of roles.
        self.profiles: dict[tuple[str, str], list[str]] = {}

    def list_instance_profiles(self, PathPrefix: str) -> dict[str, Any]:
        found = [name for path, name in self.profiles if path.startswith(PathPrefix)]
        return {"InstanceProfiles": [{"InstanceProfileName": name, "Arn": f"arn:{name}"} for name in found]}

    def _key(self, name: str) -> tuple[str, str]:
        return next(key for key in self.profiles if key[1] == name)

    def get_instance_profile(self, InstanceProfileName: str) -> dict[str, Any]:
        roles = self.profiles[self._key(InstanceProfileName)]
        return {"InstanceProfile": {"Roles": [{"RoleName": role} for role in roles]}}

    def remove_role_from_instance_profile(self, InstanceProfileName: str, RoleName: str) -> None:
        self.profiles[self._key(InstanceProfileName)].remove(RoleName)

    def delete_instance_profile(self, InstanceProfileName: str) -> None:
        assert not self.profiles.pop(self._key(InstanceProfileName)), "DeleteConflict"

    def get_role(self, RoleName: str) -> dict[str, Any]:
        raise aws_error("NoSuchEntity")


class Logs(FakeService):
    service = "logs"

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[str] = []

    def describe_log_groups(self, logGroupNamePrefix: str) -> dict[str, Any]:
        found = [name for name in self.groups if name.startswith(logGroupNamePrefix)]
        return {
            "logGroups": [
                {"logGroupName": name, "arn": f"{ARN}log-group:{name}:*".format(service="logs")} for name in found
            ]
        }

    def list_tags_for_resource(self, resourceArn: str) -> dict[str, Any]:
        return {"tags": TAGS}

    def delete_log_group(self, logGroupName: str) -> None:
        self.groups.remove(logGroupName)


class Tagging(FakeService):
    service = "resourcegroupstaggingapi"

    def __init__(self) -> None:
        super().__init__()
        self.arns: list[str] = []

    def get_resources(self, TagFilters: list[dict[str, Any]]) -> dict[str, Any]:
        assert TagFilters == [{"Key": key, "Values": [value]} for key, value in TAGS.items()]
        return {"ResourceTagMappingList": [{"ResourceARN": arn} for arn in self.arns]}


class Kms(FakeService):
    service = "kms"

    def describe_key(self, KeyId: str) -> dict[str, Any]:
        state = "PendingDeletion" if KeyId.endswith("/gone") else "Enabled"
        return {"KeyMetadata": {"KeyId": KeyId, "KeyState": state}}


class Secrets(FakeService):
    service = "secretsmanager"

    def describe_secret(self, SecretId: str) -> dict[str, Any]:
        return {"ARN": SecretId, **({"DeletedDate": 1} if "gone" in SecretId else {})}


@pytest.fixture
def account() -> dict[str, Any]:
    return {one.service: one() for one in (Ec2, Elb, Eks, Iam, Logs, Tagging, Kms, Secrets)}
