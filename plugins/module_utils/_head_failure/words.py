# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How numbers and texts are put in reports. Pure."""

from __future__ import annotations


def milliseconds(value: float | None) -> str:
    """C(44), C(1320), C(3.2); C(–) of nothing."""
    if value is None:
        return "–"
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def seconds(value: float) -> str:
    """Relative seconds, always signed but for zero: C(+12.3), C(-5.0), C(0.0)."""
    return f"{value:+.1f}" if round(value, 1) else "0.0"


def cell(text: str) -> str:
    """A text that does not break a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
