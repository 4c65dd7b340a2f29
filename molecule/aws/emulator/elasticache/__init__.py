# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ElastiCache: replication groups, their members, parameter groups and engine versions; the rest is ministack's."""

from emulator.elasticache import changes, groups, members, parameters, replicas, tags  # noqa: F401
