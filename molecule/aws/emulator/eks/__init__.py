# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EKS, whole: what it has in common, and its parts."""

from emulator.eks import access, addons, clusters, nodegroups, pod_identity, tags  # noqa: F401
