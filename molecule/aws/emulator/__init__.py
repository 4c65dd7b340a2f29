# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AWS endpoint for the collection's tests: ministack, and before it what ministack lacks. See README.md."""

from emulator import ec2, eks, elasticache, others  # noqa: F401 (they register their operations)
