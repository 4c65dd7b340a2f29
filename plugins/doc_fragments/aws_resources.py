# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The tags of a deployment, and resources to look up by type and name; each module documents what for
    DOCUMENTATION = r"""
options:
  tags:
    description: Tags that all of the deployment's resources carry; at least one.
    type: dict
    required: true
  resources:
    type: list
    elements: dict
    suboptions:
      type:
        description: Its type.
        type: str
        required: true
        choices:
          - ec2:launch-template
          - eks:cluster
          - elasticache:parametergroup
          - elasticache:replicationgroup
          - elasticache:subnetgroup
          - events:rule
          - iam:instance-profile
          - iam:policy
          - iam:role
          - kms:alias
          - logs:log-group
          - secretsmanager:secret
          - sqs:queue
      name:
        description: Its name. For C(kms:alias) with or without C(alias/), and it is the key's tags that count.
        type: str
        required: true
"""
