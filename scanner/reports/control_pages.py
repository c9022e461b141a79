"""
The controls of each framework as the PDF prints them: direct ones first, and each in its framework's words.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from scanner.evidence import StoredRun
from scanner.frameworks import Control, Framework
from scanner.model import Relation, Verdict
from scanner.reports import facts
from scanner.reports.tables import list_records
from scanner.reports.wording import describe_result
from scanner.summary import Summary

_UNTESTED = "not tested by this tool"

NO_LEAD = "no-lead"
"""
The result of a control whose checks found no lead or nothing to evaluate, among the verdicts.
"""

RESULTS = (
    (str(Verdict.FAIL), "exceptions noted"),
    (str(Verdict.NEEDS_REVIEW), "needs review"),
    (str(Verdict.UNKNOWN), "unable to determine"),
    (str(Verdict.PASS), "no exceptions"),
    (str(Verdict.NOT_APPLICABLE), "not applicable"),
    (NO_LEAD, "no lead, or nothing to evaluate"),
    (str(Verdict.NOT_TESTED), "not tested by this tool"),
)
"""
What controls are counted by, in the order of an overview.
"""


def count_results(framework: Framework, rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """
    Count a framework's controls by result, each of them once. Keys: those of `RESULTS`.
    """
    bare = {control.id for control in framework.controls if control.not_tested}
    return Counter(
        NO_LEAD
        if row["verdict"] == Verdict.NOT_TESTED and row["control_id"] not in bare
        else str(row["verdict"])
        for row in rows
        if row["framework"] == framework.id
    )


def list_frameworks(run: StoredRun) -> list[dict[str, Any]]:
    """
    Return each framework with its scope, its controls in groups, and how many came to which result.
    """
    rows = list_records(run.controls())
    return [
        {
            "catalog": framework,
            "scope": facts.describe_scope(run.summary, framework.id),
            "needs_scope": framework.scope_must_be_declared
            and not _is_declared(run.summary, framework.id),
            "groups": _group_controls(framework, rows),
            "counts": count_results(framework, rows),
        }
        for framework in run.frameworks
    ]


def _is_declared(summary: Summary, framework: str) -> bool:
    return any(scope.is_declared for scope in summary.scopes if scope.framework == framework)


def _group_controls(
    framework: Framework, rows: list[dict[str, Any]]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """
    Return the controls with direct checks, those with supporting ones, and those without any.
    """
    results = {row["control_id"]: row for row in rows if row["framework"] == framework.id}
    groups: dict[str, list[dict[str, Any]]] = {
        str(Relation.DIRECT): [],
        str(Relation.SUPPORTING): [],
        _UNTESTED: [],
    }
    for control in framework.controls:
        if row := results.get(control.id):
            entry = {
                "control": control,
                "row": row,
                "words": describe_result(framework, row),
            }
            groups[_name_group(control)].append(entry)
    return [(name, controls) for name, controls in groups.items() if controls]


def _name_group(control: Control) -> str:
    return _UNTESTED if control.not_tested else str(control.relation)
