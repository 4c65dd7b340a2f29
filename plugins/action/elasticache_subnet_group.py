# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rayops.serve_ha.plugins.plugin_utils._progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    """Show the progress of the module elasticache_subnet_group."""
