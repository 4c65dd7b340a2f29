# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The wait for a resource of AWS; each module documents its own wait_timeout
    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Whether to wait until AWS is done with what this task asks for. Without, the task ends as soon as AWS has taken it, and
        a later task with O(wait=true) goes on from there.
      - The wait ends at once where AWS says that it has failed, with AWS' own reason.
    type: bool
    default: true
  wait_delay:
    description: Seconds between two looks of the wait.
    type: int
    default: 10
"""

    # The wait for the groups that a replication group of ElastiCache uses
    CACHE_GROUP = r"""
options:
  wait:
    description:
      - With O(state=absent), go on trying while AWS says that the group is in use. It does so for some time after the last
        replication group that used it is gone.
    type: bool
    default: true
  wait_timeout:
    description: For how many seconds.
    type: int
    default: 180
  wait_delay:
    description: Seconds between two tries.
    type: int
    default: 10
"""
