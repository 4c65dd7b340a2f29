# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the AWS half, on the stand-ins of the scenario aws: what waiting costs, and what an unchanged run asks of AWS.

The emulated AWS takes its time in one first run and none in the other; the difference is what site.yml waited. It is compared
with the longest chain of waits that AWS' own times allow: cluster, node group, add-ons one after the other, the replication
group beside them. The whole run is compared with it too, at AWS' real times: what is not waited is added once.

Ends with 1 if a figure is beyond its limit.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3

PROJECT = Path(__file__).parents[1]
URL = "http://127.0.0.1:4566/_emulator"
#: A sixth of AWS' times: long against the pause of 10 s between two looks of a wait, as the real ones are.
SCALE = 1 / 6
WAIT_LIMIT, CALLS_LIMIT = 1.15, 3.0
CHAIN = ("cluster_create", "nodegroup_create", "addon_create")
ARGUMENTS = ["--extra-vars", json.dumps({"head_failure_check_run": "never"})]


def emulator(path: str, body: object = None, method: str = "GET") -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"{}")


def environment() -> dict[str, str]:
    """What molecule.yml gives the scenario's playbooks."""
    folders = sorted(Path.home().glob(".ansible/tmp/molecule.*.aws/emulator/ready.json"), key=os.path.getmtime)
    if not folders:
        sys.exit("The stand-ins of the scenario aws do not run: molecule create -s aws")
    folder = folders[-1].parents[1]
    return os.environ | {
        "MOLECULE_PROJECT_DIRECTORY": str(PROJECT),
        "MOLECULE_EPHEMERAL_DIRECTORY": str(folder),
        "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / ".collections"),
        "AWS_ENDPOINT_URL": URL.removesuffix("/_emulator"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "emulator/credentials"),
        "AWS_PROFILE": "operator",
    }


def playbook(name: str) -> tuple[float, str]:
    """Run a playbook; returns its seconds and its output."""
    inventories = [f"--inventory={PROJECT}/inventories/aws", f"--inventory={PROJECT}/molecule/aws/inventory"]
    start = time.monotonic()
    result = subprocess.run(
        ["ansible-playbook", *inventories, f"rayops.serve_ha.{name}", *ARGUMENTS],
        cwd=PROJECT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        sys.exit(f"{name} failed:\n{result.stdout[-5000:]}")
    return time.monotonic() - start, result.stdout


def resources() -> tuple[int, int]:
    """How many there are: what the emulated account has, but for network interfaces, which are AWS' own; and how many hang on
    them and are looked at too, which Terraform would count as well: policies of roles and targets of rules."""
    kept = environment()
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = kept["AWS_SHARED_CREDENTIALS_FILE"]
    session = boto3.Session(profile_name=kept["AWS_PROFILE"], region_name=emulator("config")["region"])
    iam, events = (session.client(name, endpoint_url=kept["AWS_ENDPOINT_URL"]) for name in ("iam", "events"))
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    attached = sum(len(iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]) for role in roles)
    inline = sum(len(iam.list_role_policies(RoleName=role)["PolicyNames"]) for role in roles)
    rules = [rule["Name"] for rule in events.list_rules()["Rules"]]
    targets = sum(len(events.list_targets_by_rule(Rule=rule)["Targets"]) for rule in rules)
    found = {kind: len(ones) for kind, ones in emulator("inventory").items() if kind != "NetworkInterfaces"}
    return sum(found.values()), attached + inline + targets


def verdict(figure: float, limit: float) -> str:
    return f"{figure:.2f}, limit {limit:g}: {'met' if figure <= limit else 'NOT MET'}"


def main() -> None:
    settings = emulator("config")
    chain = sum(settings["seconds"][kind] for kind in CHAIN) * SCALE
    seconds = {}
    for scale in (0, SCALE):
        playbook("teardown")
        emulator("config", {"scale": scale}, "POST")
        seconds[scale], _output = playbook("site")
        print(f"site.yml, first run, AWS' times x {scale:.2f}: {seconds[scale]:.0f} s", flush=True)
    waited = seconds[SCALE] - seconds[0]
    share, whole = waited / chain, (seconds[0] + waited / SCALE) / (chain / SCALE)
    print(f"of these waited: {waited:.0f} s; by the longest chain of {chain:.0f} s: {verdict(share, WAIT_LIMIT)}")
    print(f"with AWS' own times, all of the run by the longest chain: {verdict(whole, WAIT_LIMIT)}")

    emulator("calls", method="DELETE")
    again, output = playbook("site")
    calls = emulator("calls")["total"]
    there, parts = resources()
    emulator("config", {"scale": settings["scale"]}, "POST")
    changed = re.search(r"changed=(\d+)", output).group(1)
    print(f"site.yml again: changed={changed}, {again:.0f} s, {calls} calls")
    print(f"by the {there} resources: {verdict(calls / there, CALLS_LIMIT)}")
    print(f"by these and {parts} policies of roles and targets of rules: {calls / (there + parts):.2f}")
    if max(share, whole) > WAIT_LIMIT or calls / there > CALLS_LIMIT:
        sys.exit(1)


if __name__ == "__main__":
    main()
