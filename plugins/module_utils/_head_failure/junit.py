# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict as a JUnit file: a test case for each criterion, for the CI systems that show such files. Pure."""

from __future__ import annotations

from xml.etree import ElementTree

SUITE = "head failure check"


def suite(document: dict) -> str:
    """Return the XML. What could not be judged is a skipped test case."""
    criteria = document["criteria"]
    count = {outcome: sum(entry["outcome"] == outcome for entry in criteria) for outcome in ("failed", "skipped")}
    whole = {
        "tests": str(len(criteria)),
        "failures": str(count["failed"]),
        "errors": "0",
        "skipped": str(count["skipped"]),
        "time": f"{document['duration_seconds']:.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": SUITE, **whole})
    where = f"{document['namespace']}.{document['name']}"
    top = ElementTree.SubElement(
        root, "testsuite", {"name": f"{SUITE} {where}", **whole, "timestamp": document["started"][:19]}
    )
    for entry in criteria:
        case = ElementTree.SubElement(
            top, "testcase", {"classname": f"head_failure.{where}.{entry['name']}", "name": entry["title"], "time": "0"}
        )
        if entry["outcome"] == "failed":
            fail(case, entry["reasons"], "criterion")
        elif entry["outcome"] == "skipped":
            ElementTree.SubElement(case, "skipped", {"message": entry["note"] or "there was nothing to judge"})
    return to_xml(root)


def fail(case: ElementTree.Element, reasons: list[str], kind: str) -> None:
    """A test case has failed for these reasons."""
    ElementTree.SubElement(case, "failure", {"message": reasons[0], "type": kind}).text = "\n".join(reasons)


def to_xml(root: ElementTree.Element) -> str:
    """The file."""
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
