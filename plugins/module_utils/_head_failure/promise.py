# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was promised and what came of it: the verdict in a sentence, and criterion by criterion. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.tables import Table, many
from ansible_collections.rayops.serve_ha.plugins.module_utils._head_failure.words import milliseconds

OUTCOMES = {"passed": "kept", "failed": "broken", "skipped": "not judged"}


def sentence(document: dict) -> str:
    """The verdict as one sentence: C(With …, none of 930 requests failed, and everything was back after 20.4 s.)"""
    rounds, totals = document["rounds"], document["summary"]
    if not rounds:
        return upper(f"{document['reasons'][0]}.")
    failed = f"{totals['failed']:,}" if totals["failed"] else "none"
    title = document["promise"]["title"] + (f" {len(rounds)} times in a row" if len(rounds) > 1 else "")
    told = f"With {title}, {failed} of {totals['requests']:,} requests failed, and {_back(document)}"
    # Of the requests and the recovery the sentence speaks anyway.
    broken = [
        entry["title"][0].lower() + entry["title"][1:]
        for entry in document["criteria"]
        if entry["outcome"] == "failed" and entry["name"] not in ("requests", "recovery")
    ]
    return told + (f"; not kept: {'; '.join(broken)}." if broken else ".")


def criteria(document: dict) -> Table:
    """A line for each criterion: what was promised, what was measured, and C(kept), C(broken) or C(not judged)."""
    rows = [[entry["title"], _measured(document, entry), OUTCOMES[entry["outcome"]]] for entry in document["criteria"]]
    return Table("Promised and measured", ("promised", "measured", "outcome|o"), rows)


def upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _back(document: dict) -> str:
    took = document["summary"]["recovery_seconds_each"]
    if None in took:
        return "not everything came back" + _in_round(took)
    undone = document["rounds"][0]["undone_seconds"] is not None
    allowed = document["plan"]["recovery_timeout"]
    return (
        f"everything was back {'only ' if max(took) > allowed else ''}after {max(took):.1f} s"
        + (" at most" if len(took) > 1 else "")
        + (", counted from when the failure was undone" if undone else "")
        + (f", {allowed:g} s allowed" if max(took) > allowed else "")
    )


def _in_round(took: list[float | None]) -> str:
    return f" in round {took.index(None) + 1}" if len(took) > 1 else ""


def _measured(document: dict, criterion: dict) -> str:
    if criterion["note"]:
        return criterion["note"]
    if criterion["outcome"] == "skipped":
        return "–"
    known = dict(OF_LOAD)
    if document["after"]:
        known |= OF_STATE
    if criterion["name"] in known:
        return known[criterion["name"]](document)
    return "; ".join(criterion["reasons"]) or "as promised"


def _failed(document: dict) -> str:
    return f"{document['summary']['failed']:,} of {document['summary']['requests']:,} failed"


def _slow(document: dict) -> str:
    totals = document["summary"]
    starved = totals["slow_starved"]
    words = f", {starved:,} more while none was free" if starved else ""
    return f"{totals['slow'] - starved:,} of {totals['requests']:,} slow while processors were free{words}"


def _head_ready(document: dict) -> str:
    return _took([one["head_seconds"] for one in document["rounds"]])


def _recovery(document: dict) -> str:
    return _took(document["summary"]["recovery_seconds_each"])


def _took(took: list[float | None]) -> str:
    if None in took:
        return "not back" + _in_round(took)
    return f"{took[0]:.1f} s" if len(took) == 1 else f"{min(took):.1f} to {max(took):.1f} s in {len(took)} rounds"


def _service(document: dict) -> str:
    after = document["after"]
    state = "not ready" if after["service_problems"] else "ready"
    same = "the same" if after["cluster_uid"] == document["before"]["cluster_uid"] else "another"
    return f"{same} RayCluster, {after['cluster_name'] or 'none'}; {state}"


def _heads(document: dict) -> str:
    heads = document["after"]["heads"]
    words = [
        f"{pod['name']}: {'Ready' if pod['ready'] else 'not Ready'}, {many(sum(pod['restarts'].values()), 'restart')}"
        for pod in heads
    ]
    return "; ".join(words) or "no head"


def _workers(document: dict) -> str:
    before, after = (
        {pod["uid"]: sum(pod["restarts"].values()) for pod in snapshot["workers"]}
        for snapshot in (document["before"], document["after"])
    )
    stayed = before.keys() & after.keys()
    restarts = sum(after[uid] - before[uid] for uid in stayed)
    return f"{len(stayed)} of {len(before)} stayed, {many(restarts, 'restart')}"


def _replicas(document: dict) -> str:
    before, after = (
        {(one["application"], one["deployment"], one["replica_id"], one["actor_id"]) for one in snapshot["replicas"]}
        for snapshot in (document[end]["serve"] or {"replicas": ()} for end in ("before", "after"))
    )
    return f"{len(before & after)} of {len(before)} are the same"


def _measurement(document: dict) -> str:
    totals = document["summary"]
    late = milliseconds(totals["lateness_ms"]["p99"])
    return f"99 % of the requests begun within {late} ms of their time, {totals['unknown']} of unknown outcome"


OF_LOAD: dict[str, Callable[[dict], str]] = {
    "requests": _failed,
    "slow": _slow,
    "head_ready": _head_ready,
    "recovery": _recovery,
    "measurement": _measurement,
}
OF_STATE: dict[str, Callable[[dict], str]] = {
    "service": _service,
    "head": _heads,
    "workers": _workers,
    "replicas": _replicas,
}
