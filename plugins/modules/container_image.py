#!/usr/bin/python
# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_image
short_description: Build container images into a cache, without a registry
version_added: 0.1.0
author:
  - The rayops.serve_ha authors (@rayops)
description:
  - Builds images from Dockerfiles with buildah and keeps each as an archive whose name, like the image's tag, is a
    digest of what it was made from.
  - Where a Dockerfile has C(ARG BASE_IMAGE), the base is a Debian system made with debootstrap from Debian's packages,
    in place of the base image that a registry would give.
  - Where an archive exists, nothing is done.
requirements:
  - root on Debian
  - buildah
  - debootstrap
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
  images:
    description: Images to build.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the image, which becomes C(localhost/rayops/NAME:DIGEST).
        type: str
        required: true
      context:
        description: Directory with the C(Dockerfile) and all files that it copies.
        type: path
        required: true
      files:
        description:
          - More files for the build, as a mapping of the path in the context to a path on this machine.
          - Their content is not read for the digest, only path and size. Give files that never change in place, such as
            those of M(rayops.serve_ha.go_tools).
        type: dict
        default: {}
  cache_dir:
    description: Directory of the archives and of buildah's own storage.
    type: path
    required: true
  debian_suite:
    description: Release of Debian for the base.
    type: str
    default: bookworm
  debian_packages:
    description: Packages of the base, beside the essential ones.
    type: list
    elements: str
    default: [ca-certificates, python3, python3-venv]
"""

EXAMPLES = r"""
- name: Build the image of the Ray nodes
  rayops.serve_ha.container_image:
    cache_dir: "{{ ansible_env.HOME }}/.cache/rayops.serve_ha"
    images:
      - name: ray-cpu
        context: images/ray-cpu
  register: built
"""

RETURN = r"""
images:
  description: Reference and archive of each image, by its name.
  returned: always
  type: dict
  sample:
    ray-cpu:
      reference: localhost/rayops/ray-cpu:3f2a91c07d55
      archive: /root/.cache/rayops.serve_ha/images/ray-cpu-3f2a91c07d55.tar
"""

import json
import os
import shutil
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rayops.serve_ha.plugins.module_utils._local_cluster import build
from ansible_collections.rayops.serve_ha.plugins.module_utils._progress import report

#: The machine's own trust store: a build reaches the same package registries as the machine, by the same trust.
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def uses_base(context: str) -> bool:
    with open(os.path.join(context, "Dockerfile"), encoding="utf-8") as file:
        return any(line.split()[:1] == ["ARG"] and "BASE_IMAGE" in line for line in file)


def base_key(params: dict) -> str:
    return build.key([json.dumps([params["debian_suite"], sorted(params["debian_packages"])]).encode()])


def plan(params: dict) -> dict[str, dict]:
    """Image name → the option's entry with C(reference), C(archive) and C(base) (whether it stands on the base)."""
    planned = {}
    for image in params["images"]:
        based = uses_base(image["context"])
        parts = build.tree_parts(image["context"])
        for destination, source in sorted(image["files"].items()):
            parts += [destination.encode(), source.encode(), str(os.path.getsize(source)).encode()]
        if based:
            parts.append(base_key(params).encode())
        digest = build.key(parts)
        planned[image["name"]] = {
            **image,
            "base": based,
            "reference": f"localhost/rayops/{image['name']}:{digest}",
            "archive": os.path.join(params["cache_dir"], "images", f"{image['name']}-{digest}.tar"),
        }
    return planned


class Builder:
    """buildah with a storage of its own below the cache directory."""

    def __init__(self, params: dict) -> None:
        self.params = params
        self.storage = os.path.join(params["cache_dir"], "buildah")
        self.command = ["buildah", "--root", self.storage, "--runroot", "/run/rayops-buildah"]
        self.base = f"localhost/rayops/debian:{base_key(params)}"

    def run(self, title: str, *arguments: str) -> list[str]:
        """Run buildah with these arguments; its steps become progress. Returns the lines of its output."""
        return self.stream(title, [*self.command, *arguments])

    def stream(self, title: str, command: list[str]) -> list[str]:
        lines: list[str] = []

        def on_line(line: str) -> None:
            lines.append(line)
            if "STEP " in line:
                report(f"{title}: {line[:120]}")

        build.stream(
            command,
            on_line,
            lambda seconds: report(f"{title}: {seconds:.0f} s, last: {lines[-1][:100] if lines else 'nothing yet'}"),
        )
        return lines

    def make_base(self, work: str) -> None:
        """Make the base image with debootstrap unless the storage has it."""
        if any(self.run("base", "images", "--quiet", "--filter", f"reference={self.base}")):
            return
        root = os.path.join(work, "debian")
        report(f"base: Debian {self.params['debian_suite']} by debootstrap")
        self.stream(
            "base",
            ["debootstrap", "--variant=minbase", f"--include={','.join(self.params['debian_packages'])}"]
            + [self.params["debian_suite"], root],
        )
        for leftover in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
            shutil.rmtree(os.path.join(root, leftover), ignore_errors=True)
        os.makedirs(os.path.join(root, "var/cache/apt/archives/partial"))
        container = self.run("base", "from", "scratch")[-1]
        self.run("base", "add", container, root, "/")
        self.run("base", "commit", "--rm", container, self.base)

    def make(self, image: dict, product: str) -> None:
        """Build one image and write its archive to C(product)."""
        work = os.path.dirname(product)
        context = os.path.join(work, "context")
        shutil.copytree(image["context"], context, ignore=shutil.ignore_patterns("__pycache__"))
        for destination, source in image["files"].items():
            path = os.path.join(context, destination)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copy2(source, path)
        arguments = ["build", "--layers", "--isolation", "chroot", "--network", "host", "--pull-never"]
        if image["base"]:
            self.make_base(work)
            arguments += ["--build-arg", f"BASE_IMAGE={self.base}"]
            arguments += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
        self.run(image["name"], *arguments, "--tag", image["reference"], context)
        report(f"{image['name']}: writing the archive")
        self.run(image["name"], "push", image["reference"], f"docker-archive:{product}:{image['reference']}")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "context": {"type": "path", "required": True},
                    "files": {"type": "dict", "default": {}},
                },
            },
            "cache_dir": {"type": "path", "required": True},
            "debian_suite": {"type": "str", "default": "bookworm"},
            "debian_packages": {
                "type": "list",
                "elements": "str",
                "default": ["ca-certificates", "python3", "python3-venv"],
            },
        },
        supports_check_mode=True,
    )
    try:
        planned = plan(module.params)
    except OSError as error:
        module.fail_json(msg=f"images: {error}")
    result = {"images": {name: {k: image[k] for k in ("reference", "archive")} for name, image in planned.items()}}
    missing = [image for image in planned.values() if not os.path.exists(image["archive"])]
    if missing and not module.check_mode:
        builder = Builder(module.params)
        try:
            for image in missing:
                start = time.monotonic()
                with build.filling(image["archive"]) as product:
                    if product is not None:
                        builder.make(image, product)
                report(f"{image['name']}: done in {time.monotonic() - start:.0f} s")
        except build.BuildFailed as error:
            module.fail_json(msg=f"{image['name']}: {error}", **result)
    module.exit_json(changed=bool(missing), **result)


if __name__ == "__main__":
    main()
