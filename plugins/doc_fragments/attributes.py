# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # What every module of the collection says about itself
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled/queried by the module has not changed in a relevant way.
"""

    # For the modules that foresee in check mode what they do, show it in diff mode, and do it once
    FULL = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    # For the modules that only read
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    # The members of the action group k8s: kubeconfig, context and the like by C(module_defaults)
    ACTION_GROUP_K8S = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/rayops.serve_ha.k8s) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - rayops.serve_ha.k8s
"""

    # The members of the action group aws: region, profile and the like by C(module_defaults)
    ACTION_GROUP_AWS = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/rayops.serve_ha.aws) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - rayops.serve_ha.aws
"""

    # The modules with an action plugin that shows their progress
    PROGRESS = r"""
options: {}
attributes:
  async:
    description: Supports being used with the C(async) keyword.
    support: none
  progress:
    description: Shows how far it is, in Ansible's own output, while it runs.
    support: full
    details:
      - Only with the C(local) connection. With others the result is the same and the lines are not shown.
"""
