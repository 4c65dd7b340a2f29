# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: what ministack lacks of VPCs, NAT gateways, network interfaces and instance types; the rest is ministack's."""

from emulator.ec2 import filters, guards, instance_types, instances, interfaces, nat, tags, templates, vpc  # noqa: F401
