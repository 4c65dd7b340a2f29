#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_head_failure_report
short_description: Put reports of head failure checks side by side
version_added: 0.1.0
description:
  - Reads JSON reports of M(rayops.serve_ha.ray_head_failure_check) and writes what is to be seen side by side, as Markdown and as one
    self-contained HTML page. That is verdicts and their criteria, the configuration that differs, the percentiles of each phase and
    load entry, failed and slow requests, the times of the transitions, and the distributions of latency in one plot.
options:
  reports:
    description: Paths of the JSON reports. They are called A, B, C and so on, in this order; after Z comes AA.
    type: list
    elements: path
    required: true
  dest:
    description: Path of the two files, without their suffixes C(.md) and C(.html). Its directory is created if needed.
    type: path
    required: true
extends_documentation_fragment:
  - rayops.serve_ha.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
requirements:
  - python >= 3.11
seealso:
  - module: rayops.serve_ha.ray_head_failure_check
author:
  - The rayops.serve_ha authors (@rayops)
"""

EXAMPLES = r"""
- name: See what another setting has changed
  rayops.serve_ha.ray_head_failure_report:
    reports:
      - reports/head-failure-mistral-mistral-20261123T123000Z.json
      - reports/head-failure-mistral-mistral-20261123T130000Z.json
    dest: reports/comparison
"""

RETURN = r"""
report:
  description: The paths of the two files.
  returned: success
  type: dict
  sample:
    markdown: /srv/reports/comparison.md
    html: /srv/reports/comparison.html
verdicts:
  description: The verdicts, in the order of O(reports).
  returned: success
  type: list
  elements: str
  sample: [failed, passed]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure import comparison


def read(path: str) -> str:
    """A file's text; empty if it is not there. Raises OSError, ValueError (not UTF-8)."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "reports": {"type": "list", "elements": "path", "required": True},
            "dest": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    paths, dest = module.params["reports"], module.params["dest"]
    if len(paths) < 2:
        module.fail_json(msg=f"reports has {len(paths)} entries; expected: at least 2")
    documents = []
    for path in paths:
        try:
            documents.append(comparison.read(read(path)))
        except (OSError, ValueError) as error:
            module.fail_json(msg=f"reports: {path} cannot be compared: {error}")
    files = {f"{dest}.md": comparison.to_markdown(documents), f"{dest}.html": comparison.to_html(documents)}
    changed = []
    try:
        changed = [path for path, text in files.items() if read(path) != text]
        if not module.check_mode:
            os.makedirs(os.path.dirname(os.path.abspath(dest)), exist_ok=True)
            for path in changed:
                with open(path, "w", encoding="utf-8") as stream:
                    stream.write(files[path])
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"dest: {dest} cannot be written: {error}")
    module.exit_json(
        changed=bool(changed),
        report=dict(zip(("markdown", "html"), files, strict=True)),
        verdicts=[document["verdict"] for document in documents],
    )


if __name__ == "__main__":
    main()
