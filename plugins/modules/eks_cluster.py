#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eks_cluster
short_description: Manage EKS clusters
version_added: 0.1.0
description:
  - Creates, updates, upgrades and deletes EKS clusters. A cluster that exists already is brought to what is wanted.
  - What AWS can change in place is changed, one kind of change after another because AWS takes no two at a time. What it cannot change
    is refused with the current and the wanted value.
  - The wait ends at once when the cluster or an update of it fails, with the health issues or errors that AWS reports.
author: The rayops.serve_ha authors (@rayops)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.tags
  - amazon.aws.boto3
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.full
  - rayops.serve_ha.attributes.action_group_aws
  - rayops.serve_ha.attributes.progress
  - rayops.serve_ha.aws_wait
attributes:
  check_mode:
    details:
      - Does not wait. What is under way is compared as AWS describes it now.
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  state:
    description:
      - Whether the cluster shall be there.
      - A cluster cannot be deleted while it has node groups, or while its O(deletion_protection) is on.
    type: str
    choices: [present, absent]
    default: present
  version:
    description:
      - Version of Kubernetes, such as V("1.33"), in quotes.
      - A higher one than the cluster has upgrades it, one minor version after another. A lower one is refused.
      - If this is not given, a new cluster gets AWS' default and an existing one keeps its version.
    type: str
  role_arn:
    description:
      - ARN of the IAM role of the control plane. Needed to create a cluster; cannot be changed later.
      - A role that was made a moment ago is asked for again for up to 90 s, until EKS takes it.
    type: str
  resources_vpc_config:
    description: The cluster's place in the VPC, and the ways to its API server.
    type: dict
    suboptions:
      subnet_ids:
        description: Subnets of the control plane's network interfaces, in two zones at least. Needed to create a cluster.
        type: list
        elements: str
      security_group_ids:
        description: Security groups of these interfaces, besides the one that EKS makes.
        type: list
        elements: str
      endpoint_public_access:
        description: Whether the API server can be reached from the Internet. AWS' default for a new cluster is V(true).
        type: bool
      endpoint_private_access:
        description: Whether nodes reach the API server without leaving the VPC. AWS' default for a new cluster is V(false).
        type: bool
      public_access_cidrs:
        description:
          - Who may use the public endpoint. AWS' default for a new cluster is everybody.
          - Has no meaning, and is not compared, while O(resources_vpc_config.endpoint_public_access) is V(false).
        type: list
        elements: str
  kubernetes_network_config:
    description: Addresses inside the cluster. Cannot be changed later.
    type: dict
    suboptions:
      service_ipv4_cidr:
        description: Addresses of services.
        type: str
      ip_family:
        description: Family of the addresses of pods and services, such as V(ipv4).
        type: str
  cluster_logging:
    description:
      - The control plane's logs that go to CloudWatch, such as V(api), V(audit), V(authenticator), V(controllerManager) and V(scheduler).
        All others are switched off, so V([]) switches all off.
    type: list
    elements: str
  encryption_config:
    description:
      - Keys of KMS that encrypt the cluster's Secrets. Can be added to a cluster that has none, but never be changed or taken away.
    type: list
    elements: dict
    suboptions:
      resources:
        description: What is encrypted. AWS knows V(secrets).
        type: list
        elements: str
        default: [secrets]
      provider:
        description: Where the key is.
        type: dict
        required: true
        suboptions:
          key_arn:
            description: ARN of the key. Not of an alias, which AWS would resolve so that it could not be compared.
            type: str
            required: true
  access_config:
    description: Who gets into the cluster, and how.
    type: dict
    suboptions:
      authentication_mode:
        description: V(CONFIG_MAP), V(API_AND_CONFIG_MAP) or V(API). AWS goes in this order only.
        type: str
      bootstrap_cluster_creator_admin_permissions:
        description: Whether who creates the cluster becomes its administrator. Counts when the cluster is created only.
        type: bool
  upgrade_policy:
    description: What happens when the support of the cluster's version ends.
    type: dict
    suboptions:
      support_type:
        description: V(STANDARD) to be upgraded then, V(EXTENDED) to stay, at extra cost.
        type: str
  zonal_shift_config:
    description: Whether traffic leaves a zone that is impaired.
    type: dict
    suboptions:
      enabled:
        description: Whether Amazon Application Recovery Controller may shift traffic.
        type: bool
  deletion_protection:
    description: Whether AWS refuses to delete the cluster.
    type: bool
  bootstrap_self_managed_addons:
    description:
      - Whether EKS installs C(vpc-cni), C(coredns) and C(kube-proxy) by itself, outside of its managed add-ons. AWS' default is V(true).
      - Counts when the cluster is created only.
    type: bool
  wait_timeout:
    description: Longest time to wait for the cluster, for each of its updates and for its deletion, in seconds.
    type: int
    default: 1800
notes:
  - An option that is not given, or an empty string, lets the current value be.
  - An unchanged cluster costs one call of the API.
  - Without O(wait) only the first of several updates is started, with a warning that names the others. A cluster on which AWS is still at
    work is not touched then.
seealso:
  - module: rayops.serve_ha.eks_nodegroup
  - module: rayops.serve_ha.eks_addon
  - module: rayops.serve_ha.eks_access_entry
"""

EXAMPLES = r"""
- name: Start the creation of a cluster
  rayops.serve_ha.eks_cluster:
    name: mistral
    version: "1.33"
    role_arn: arn:aws:iam::111122223333:role/mistral-eks-cluster
    resources_vpc_config:
      subnet_ids: [subnet-0a1b2c3d4e5f60718, subnet-0f1e2d3c4b5a69788]
      endpoint_private_access: true
    cluster_logging: [api, audit, authenticator]
    encryption_config:
      - provider:
          key_arn: arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
    access_config:
      authentication_mode: API
    tags:
      rayops.serve_ha/deployment: mistral
    wait: false

- name: Wait for it
  rayops.serve_ha.eks_cluster:
    name: mistral
  register: eks

- name: Upgrade it
  rayops.serve_ha.eks_cluster:
    name: mistral
    version: "1.34"

- name: Delete it
  rayops.serve_ha.eks_cluster:
    name: mistral
    state: absent
"""

RETURN = r"""
cluster:
  description:
    - The cluster as C(DescribeCluster) gives it, in snake_case. Empty with O(state=absent).
    - For a cluster that would be created it is, in check mode, what was asked for.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
      sample: mistral
    arn:
      description: Its ARN.
      type: str
      returned: when it exists
      sample: arn:aws:eks:us-west-2:111122223333:cluster/mistral
    status:
      description: C(CREATING), C(ACTIVE), C(UPDATING), C(DELETING), C(PENDING) or C(FAILED).
      type: str
      returned: when it exists
      sample: ACTIVE
    version:
      description: Its version of Kubernetes.
      type: str
      returned: when it exists
      sample: "1.33"
    endpoint:
      description: URL of its API server.
      type: str
      returned: when it is ACTIVE
      sample: https://0123456789ABCDEF0123456789ABCDEF.gr7.us-west-2.eks.amazonaws.com
    certificate_authority:
      description: The certificate authority of its API server.
      type: dict
      returned: when it is ACTIVE
      contains:
        data:
          description: Certificate in PEM, in base64.
          type: str
          returned: always
          sample: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t
    role_arn:
      description: ARN of the IAM role of the control plane.
      type: str
      returned: when it exists
      sample: arn:aws:iam::111122223333:role/mistral-eks-cluster
    resources_vpc_config:
      description: Its place in the VPC.
      type: dict
      returned: when it exists
      contains:
        cluster_security_group_id:
          description: The security group that EKS made for the cluster and its managed node groups.
          type: str
          returned: when it is ACTIVE
          sample: sg-0a1b2c3d4e5f60718
        endpoint_private_access:
          description: Whether the API server can be reached inside the VPC.
          type: bool
          returned: always
          sample: true
        endpoint_public_access:
          description: Whether the API server can be reached from the Internet.
          type: bool
          returned: always
          sample: true
        public_access_cidrs:
          description: Who may use the public endpoint.
          type: list
          elements: str
          returned: always
          sample: [0.0.0.0/0]
        security_group_ids:
          description: Further security groups of the control plane's network interfaces.
          type: list
          elements: str
          returned: always
          sample: []
        subnet_ids:
          description: Subnets of the control plane's network interfaces.
          type: list
          elements: str
          returned: always
          sample: [subnet-0a1b2c3d4e5f60718, subnet-0f1e2d3c4b5a69788]
        vpc_id:
          description: The VPC.
          type: str
          returned: always
          sample: vpc-0a1b2c3d4e5f60718
    identity:
      description: Its identity provider.
      type: dict
      returned: when it is ACTIVE
      sample: {oidc: {issuer: "https://oidc.eks.us-west-2.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"}}
    tags:
      description: Its tags.
      type: dict
      returned: always
      sample: {rayops.serve_ha/deployment: mistral}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.cluster import CLUSTER
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.common import EksErrors
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.eks.lifecycle import Resource, ensure
from ansible_collections.rayops.serve_ha.plugins.module_utils._aws.module import (
    finish,
    make_client,
    paginate,
    resource_options,
)
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def argument_spec() -> dict[str, t.Any]:
    strings = {"type": "list", "elements": "str"}
    vpc = {
        "subnet_ids": strings,
        "security_group_ids": strings,
        "endpoint_public_access": {"type": "bool"},
        "endpoint_private_access": {"type": "bool"},
        "public_access_cidrs": strings,
    }
    access = {
        "authentication_mode": {"type": "str"},
        "bootstrap_cluster_creator_admin_permissions": {"type": "bool"},
    }
    key = {"key_arn": {"type": "str", "required": True, "no_log": False}}
    encryption = {
        "resources": {**strings, "default": ["secrets"]},
        "provider": {"type": "dict", "required": True, "options": key},
    }
    network = {"service_ipv4_cidr": {"type": "str"}, "ip_family": {"type": "str"}}
    return {
        **resource_options(wait_timeout=1800),
        "name": {"type": "str", "required": True},
        "version": {"type": "str"},
        "role_arn": {"type": "str"},
        "resources_vpc_config": {"type": "dict", "options": vpc},
        "kubernetes_network_config": {"type": "dict", "options": network},
        "cluster_logging": strings,
        "encryption_config": {"type": "list", "elements": "dict", "options": encryption},
        "access_config": {"type": "dict", "options": access},
        "upgrade_policy": {"type": "dict", "options": {"support_type": {"type": "str"}}},
        "zonal_shift_config": {"type": "dict", "options": {"enabled": {"type": "bool"}}},
        "deletion_protection": {"type": "bool"},
        "bootstrap_self_managed_addons": {"type": "bool"},
    }


@EksErrors.list_error_handler("list the node groups of the EKS cluster", default_value=[])
def node_groups(client: t.Any, name: str) -> list[str]:
    return paginate(client, "list_nodegroups", "nodegroups", clusterName=name)


def main() -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    client = make_client(module, "eks")
    identity = {"name": params["name"]}
    cluster = Resource(client, CLUSTER, f"EKS cluster {params['name']}", identity, identity, params, report)

    def blocked() -> str:
        groups = node_groups(client, params["name"])
        return f"it still has the node groups {', '.join(sorted(groups))}; delete them first" if groups else ""

    finish(module, lambda: ensure(cluster, module.check_mode, blocked))


if __name__ == "__main__":
    main()
