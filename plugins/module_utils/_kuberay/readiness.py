# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is a RayService ready, on its way, or beyond help? Pure functions of the object as the API server returns it.

KubeRay's status (1.3 and later) says less than it seems to; C(controllers/ray/rayservice_controller.go) of v1.6.2:

- C(Ready=True) means "at least one serve endpoint" and nothing more.
- During a cluster upgrade the applications of the active cluster are frozen; the pending cluster's are alive.
- A Ready=False of C(ValidationFailed) stays after the spec was mended, until the first endpoint is ready. It is the
  operator's present opinion only while the condition carries the same observedGeneration as the status, for a failed
  validation does not move the status' observedGeneration, a successful one does.
- The pass that first observes a new generation reads the applications I(before) it sends them the new configuration:
  for one pass (2 s) the old applications' states stand beside the new observedGeneration. No single look can tell;
  C(wait.py) therefore lets a verdict settle.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.yaml import yaml_load

#: Ready=False with one of these is the end: neither heals without another spec (or another object).
TERMINAL_REASONS = ("ValidationFailed", "InitializingTimeout")

#: Longest message of an application that is handed on whole; a traceback of Ray Serve has about 3000 characters.
MESSAGE_LIMIT = 6000


@dataclass(frozen=True)
class Assessment:
    """What can be said of a RayService. C(reasons) says why it is not ready; it is empty exactly when it is."""

    ready: bool
    terminal: bool
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ServeConfig:
    """What serveConfigV2 demands: the names of the applications, and how many nodes must serve at the least.

    C(replicas): how many each deployment must have at the least, by application and name; 0 where only its code says it.
    """

    applications: tuple[str, ...]
    endpoints: int
    replicas: dict[tuple[str, str], int]


def shorten(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """Cut a long text in its middle: a traceback's cause is on its last lines, where it came from on its first."""
    text = text.strip()
    if len(text) <= limit:
        return text
    head = limit // 4
    return text[:head].rstrip() + "\n[...]\n" + text[-(limit - head) :].lstrip()


def parse_serve_config(text: str) -> ServeConfig:
    """Read serveConfigV2. Raises ValueError if it is no YAML mapping with a list of applications."""
    try:
        config = yaml_load(text or "{}")
    except Exception as error:  # PyYAML's own hierarchy; it may be absent where this file is only imported
        raise ValueError(f"serveConfigV2 is not YAML: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("applications") or [], list):
        raise ValueError("serveConfigV2 must be a mapping with a list of applications")
    applications = [app for app in config.get("applications") or [] if isinstance(app, dict)]
    # Ray calls an application without a name "default", and so does KubeRay.
    names = tuple(app.get("name") or "default" for app in applications)
    deployments = [
        (name, one)
        for name, app in zip(names, applications, strict=True)
        for one in app.get("deployments") or []
        if isinstance(one, dict)
    ]
    # Only max_replicas_per_node 1 lets us say that replicas are on as many nodes.
    nodes = [_replicas_of(one) for _name, one in deployments if one.get("max_replicas_per_node") == 1]
    replicas = {(name, one.get("name") or ""): _replicas_of(one) for name, one in deployments}
    return ServeConfig(names, max([1, *nodes]), replicas)


def _replicas_of(deployment: dict[str, t.Any]) -> int:
    """Replicas that a deployment must have at any time, as far as the config says it."""
    replicas = deployment.get("num_replicas")
    if isinstance(replicas, int):
        return replicas
    # num_replicas "auto" or absent, with autoscaling
    scaling = deployment.get("autoscaling_config")
    return int(scaling.get("min_replicas", 1) or 0) if isinstance(scaling, dict) else 0


def condition_of(rayservice: dict[str, t.Any], kind: str) -> dict[str, t.Any]:
    """The condition of this type, or an empty dict."""
    conditions = (rayservice.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind), {})


def generation_observed(rayservice: dict[str, t.Any]) -> bool:
    """Has the operator looked at the spec as it is now?"""
    return (rayservice.get("status") or {}).get("observedGeneration") == rayservice["metadata"].get("generation")


def cluster_of(rayservice: dict[str, t.Any]) -> str:
    """The RayCluster that decides: the pending one while there is one, else the active one; "" before the first."""
    status = rayservice.get("status") or {}
    names = ((status.get(part) or {}).get("rayClusterName") for part in ("pendingServiceStatus", "activeServiceStatus"))
    return next((name for name in names if name), "")


def assess(rayservice: dict[str, t.Any], endpoints: int | None = None) -> Assessment:
    """Judge one RayService object (KubeRay 1.3 and later).

    C(endpoints): ready endpoints of its serve service where the caller counted them itself; None takes the operator's
    count, C(status.numServeEndpoints).
    """
    hopeless = _terminal_reasons(rayservice)
    if hopeless:
        return Assessment(ready=False, terminal=True, reasons=hopeless)
    reasons = _unready_reasons(rayservice, endpoints)
    return Assessment(ready=not reasons, terminal=False, reasons=reasons)


def _terminal_reasons(rayservice: dict[str, t.Any]) -> list[str]:
    status = rayservice.get("status") or {}
    ready = condition_of(rayservice, "Ready")
    reason = ready.get("reason")
    if ready.get("status") == "False" and reason in TERMINAL_REASONS:
        stale = (ready.get("observedGeneration") or 0) != (status.get("observedGeneration") or 0)
        # InitializingTimeout holds whatever the spec becomes: KubeRay wants such a RayService deleted.
        if reason == "InitializingTimeout" or not stale:
            return [f"{reason}: {shorten(ready.get('message') or '')}"]
    if not generation_observed(rayservice):
        return []
    return [
        f"application {name} is DEPLOY_FAILED: {_message_of(application)}"
        for name, application in sorted(_applications(rayservice).items())
        if application.get("status") == "DEPLOY_FAILED"
    ]


def _applications(rayservice: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """Applications of the cluster that decides (a pending one's, for the active one's are frozen meanwhile)."""
    status = rayservice.get("status") or {}
    pending = status.get("pendingServiceStatus") or {}
    decisive = pending if pending.get("rayClusterName") else status.get("activeServiceStatus") or {}
    return decisive.get("applicationStatuses") or {}


def _message_of(application: dict[str, t.Any]) -> str:
    """The application's message; where it has none, those of its deployments."""
    message = application.get("message") or ""
    if not message:
        deployments = application.get("serveDeploymentStatuses") or {}
        message = "\n".join(
            f"{name}: {one['message']}" for name, one in sorted(deployments.items()) if one.get("message")
        )
    return shorten(message) or "no message was given"


def _unready_reasons(rayservice: dict[str, t.Any], endpoints: int | None) -> list[str]:
    metadata, status = rayservice["metadata"], rayservice.get("status") or {}
    reasons = []
    if metadata.get("deletionTimestamp"):
        reasons.append("it is being deleted")
    if not generation_observed(rayservice):
        seen = status.get("observedGeneration") or "none"
        reasons.append(f"the operator has not acted on the present spec yet (generation {metadata.get('generation')}, seen {seen})")
    ready = condition_of(rayservice, "Ready")
    if ready.get("status") != "True":
        reasons.append(f"condition Ready is {ready.get('status', 'not set')} ({ready.get('reason', 'no reason yet')})")
    upgrade = condition_of(rayservice, "UpgradeInProgress")
    if upgrade.get("status") == "True":
        reasons.append(f"an upgrade is in progress ({upgrade.get('reason')})")
    pending = (status.get("pendingServiceStatus") or {}).get("rayClusterName")
    if pending:
        reasons.append(f"RayCluster {pending} is pending")
    if not (status.get("activeServiceStatus") or {}).get("rayClusterName"):
        reasons.append("no RayCluster is active")
    return reasons + _unready_applications(rayservice, endpoints)


def _unready_applications(rayservice: dict[str, t.Any], endpoints: int | None) -> list[str]:
    try:
        config = parse_serve_config((rayservice.get("spec") or {}).get("serveConfigV2") or "")
    except ValueError as error:
        return [str(error)]
    applications = _applications(rayservice)
    reasons = [] if applications else ["no application is reported"]
    reasons += [f"application {name} is not reported" for name in config.applications if applications and name not in applications]
    for name, application in sorted(applications.items()):
        if application.get("status") != "RUNNING":
            message = (application.get("message") or "").strip()
            reasons.append(f"application {name} is {application.get('status')}" + (f": {shorten(message, 600)}" if message else ""))
        for deployment, state in sorted((application.get("serveDeploymentStatuses") or {}).items()):
            if state.get("status") != "HEALTHY":
                message = (state.get("message") or "").strip()
                reasons.append(
                    f"deployment {deployment} of application {name} is {state.get('status')}"
                    + (f": {shorten(message, 600)}" if message else "")
                )
    count = (rayservice.get("status") or {}).get("numServeEndpoints") or 0 if endpoints is None else endpoints
    if count < config.endpoints:
        reasons.append(f"{count} of at least {config.endpoints} serve endpoints are ready")
    return reasons


def missing_replicas(rayservice: dict[str, t.Any], served: dict[str, t.Any]) -> list[str]:
    """Deployments with fewer running replicas than serveConfigV2 demands.

    The status does not tell: a deployment that something scales to none is HEALTHY with none.

    C(served): the dashboard's C(/api/serve/applications/) (ServeInstanceDetails of Ray 2.x).
    """
    config = parse_serve_config((rayservice.get("spec") or {}).get("serveConfigV2") or "")
    applications = served.get("applications") or {}
    reasons = []
    for (application, name), wanted in sorted(config.replicas.items()):
        deployment = ((applications.get(application) or {}).get("deployments") or {}).get(name) or {}
        running = sum(one.get("state") == "RUNNING" for one in deployment.get("replicas") or [])
        if running < wanted:
            reasons.append(f"deployment {name} of application {application} has {running} running replicas of at least {wanted}")
    return reasons
