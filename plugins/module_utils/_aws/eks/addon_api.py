# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls of EKS for add-ons.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.addon import offers
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import EksErrors, issues_text
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import paginate


class AddonApi:
    """The add-ons of one cluster. Every method raises AnsibleAWSError for what AWS refuses."""

    def __init__(self, client: t.Any, cluster_name: str) -> None:
        self.client = client
        self.cluster = cluster_name

    def describe(self, name: str) -> dict[str, t.Any] | None:
        """C(addon) of DescribeAddon; None where the add-on or the cluster does not exist."""
        ask = EksErrors.list_error_handler(f"describe add-on {name}", {})(self.client.describe_addon)
        return ask(clusterName=self.cluster, addonName=name, aws_retry=True).get("addon")

    def names(self) -> list[str]:
        """The names of the cluster's add-ons, sorted; none where there is no such cluster."""
        ask = EksErrors.list_error_handler(f"list the add-ons of cluster {self.cluster}", [])(paginate)
        return sorted(ask(self.client, "list_addons", "addons", clusterName=self.cluster))

    def roles(self, addon: dict[str, t.Any]) -> dict[str, str]:
        """Role ARN by service account of the add-on's pod identity associations; one call for each."""
        ask = EksErrors.list_error_handler(
            f"describe the pod identity associations of add-on {addon['addonName']}", {}
        )(self.client.describe_pod_identity_association)
        found = {}
        for arn in addon.get("podIdentityAssociations", []):
            # arn:aws:eks:us-west-2:111122223333:podidentityassociation/cluster/a-abcdefghijklmnop1
            answer = ask(clusterName=self.cluster, associationId=arn.rsplit("/", 1)[-1], aws_retry=True)
            if "association" in answer:
                found[answer["association"]["serviceAccount"]] = answer["association"]["roleArn"]
        return found

    def create(self, name: str, request: dict[str, t.Any], tags: dict[str, str] | None) -> dict[str, t.Any]:
        """C(addon) as AWS answers the creation."""
        ask = EksErrors.common_error_handler(f"create add-on {name}")(self.client.create_addon)
        more = {"tags": tags} if tags else {}
        # With a token of our own a retry after an answer that was lost does not find that the name is taken, by itself.
        more["clientRequestToken"] = str(uuid.uuid4())
        return ask(clusterName=self.cluster, addonName=name, **request, **more, aws_retry=True)["addon"]

    def update(self, name: str, request: dict[str, t.Any]) -> str:
        """The id of the update."""
        ask = EksErrors.common_error_handler(f"update add-on {name}")(self.client.update_addon)
        token = str(uuid.uuid4())
        answer = ask(clusterName=self.cluster, addonName=name, **request, clientRequestToken=token, aws_retry=True)
        return answer["update"]["id"]

    def update_errors(self, name: str, update: str) -> str:
        """Why the update failed; empty if it has not."""
        ask = EksErrors.list_error_handler(f"describe the update of add-on {name}", {})(self.client.describe_update)
        answer = ask(name=self.cluster, addonName=name, updateId=update, aws_retry=True).get("update", {})
        if answer.get("status") not in ("Failed", "Cancelled"):
            return ""
        return f"update {answer['status']}: {issues_text(answer.get('errors', [])) or 'AWS gives no reason'}"

    def delete(self, name: str, preserve: bool) -> None:
        """With C(preserve) what runs in the cluster stays. An add-on that is gone already is no error."""
        ask = EksErrors.deletion_error_handler(f"delete add-on {name}")(self.client.delete_addon)
        ask(clusterName=self.cluster, addonName=name, preserve=preserve, aws_retry=True)

    def kubernetes_version(self) -> str | None:
        """The cluster's Kubernetes version, e.g. C(1.34); None where there is no such cluster."""
        ask = EksErrors.list_error_handler(f"describe cluster {self.cluster}", {})(self.client.describe_cluster)
        return ask(name=self.cluster, aws_retry=True).get("cluster", {}).get("version")

    def offers(self, name: str, kubernetes_version: str) -> list[dict[str, t.Any]]:
        """The versions that AWS has of an add-on for this Kubernetes, as addon.offers() returns them."""
        ask = EksErrors.list_error_handler(f"describe the versions of add-on {name}", [])(paginate)
        query = {"addonName": name, "kubernetesVersion": kubernetes_version}
        return offers(ask(self.client, "describe_addon_versions", "addons", **query), kubernetes_version)
