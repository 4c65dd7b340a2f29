# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparison of what is with what is wanted. Pure.

This is a private module util: it may change in any release.
"""

from __future__ import annotations

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.tagging import compare_aws_tags


def given(values: dict[str, t.Any]) -> dict[str, t.Any]:
    """Without what the user did not set: None."""
    return {key: value for key, value in values.items() if value is not None}


def changes(current: dict[str, t.Any], desired: dict[str, t.Any]) -> dict[str, t.Any]:
    """The values of C(desired) that C(current) lacks or has otherwise; what is not desired is let be.

    Values are compared as they are: sort what has no order before.
    """
    return {key: value for key, value in given(desired).items() if current.get(key) != value}


def changed_tags(
    current: dict[str, str], desired: dict[str, str] | None, purge: bool
) -> tuple[dict[str, str], list[str], dict[str, str]]:
    """Tags to set, keys to remove, and all tags afterwards.

    C(desired=None) lets all be, and AWS' own (aws:...) are never touched.
    """
    if desired is None:
        return {}, [], current
    to_set, to_remove = compare_aws_tags(current, desired, purge_tags=purge)
    return to_set, to_remove, {key: value for key, value in (current | to_set).items() if key not in to_remove}


def has_tags(tags: dict[str, str], wanted: dict[str, str]) -> bool:
    """Whether C(wanted) are all among C(tags)."""
    # Not by comparing items(): those of a template's dictionary are no view.
    return all(tags.get(key) == value for key, value in wanted.items())


def make_diff(before: dict[str, t.Any], after: dict[str, t.Any]) -> dict[str, t.Any]:
    """Ansible's diff of the values that differ, so that a change of one is not lost among thirty."""
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return {
        "before": {key: before[key] for key in keys if key in before},
        "after": {key: after[key] for key in keys if key in after},
    }


def make_diffs(resources: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]]) -> dict[str, t.Any]:
    """Ansible's diff of several resources, by name; each is (before, after), and one that is not there is empty."""
    diffs = {name: make_diff(before, after) for name, (before, after) in resources.items()}
    return {
        side: {name: diff[side] for name, diff in diffs.items() if resources[name][index] and any(diff.values())}
        for index, side in enumerate(("before", "after"))
    }


def refuse_repeated(option: str, names: list[str]) -> None:
    """Raise AnsibleAWSError where the list of an option names a resource twice: which of the two should win?"""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise AnsibleAWSError(message=f"{option}: given more than once: {', '.join(repeated)}")
