# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that serves and its head, to be spoilt by the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def rayservice() -> dict[str, Any]:
    return yaml.safe_load((FIXTURES / "rayservice_ready.yaml").read_text())


@pytest.fixture
def head() -> dict[str, Any]:
    return yaml.safe_load((FIXTURES / "head_pod.yaml").read_text())
