"""
What the PDF's template is filled with: plain values, grouped as they stand on the pages.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from scanner.acceptances import State as AcceptanceState
from scanner.evidence import StoredRun
from scanner.frameworks import Control, Framework
from scanner.history import State, describe_gap
from scanner.model import (
    Relation,
    Severity,
    Verdict,
)
from scanner.reports import facts, method
from scanner.reports.annexes import plan_annexes
from scanner.reports.attachments import collect_attachments
from scanner.reports.container import LEVELS
from scanner.reports.doubts import build_doubts, build_ledger
from scanner.reports.finding_pages import build_findings
from scanner.reports.tables import (
    ACCEPTANCE_COLUMNS,
    list_acceptances,
    list_records,
    select_changes,
)
from scanner.reports.volume_pages import describe_annexes
from scanner.reports.wording import (
    ACCEPTANCES,
    CHANGES,
    NO_PREVIOUS_RUN,
    TITLE,
    VERDICTS,
    complete,
    conclude,
    describe_accepted,
    describe_parent,
    describe_result,
    format_iso,
    format_moment,
    list_changes,
    list_notices,
)
from scanner.summary import Summary, TrendPoint

CHANGES_LIMIT = 12
"""
How many changes are listed, so that they fit on the page with the trend.
"""

WARNINGS_LIMIT = 25
"""
How many warnings are printed on the summary's page.
"""

KEY_DIGITS = 16
"""
How many digits of the id of the key that signed the run stand beside the seal.
"""

FRAMEWORKS_ON_COVER = 6
"""
With more frameworks than this the list of contents has a page of its own.
"""

_CHAPTERS = (
    ("summary", "Summary"),
    ("controls", "Results by control"),
    ("findings", "Findings by account"),
    ("accepted", "Accepted risks"),
    ("changes", "Since the previous run"),
    ("not-assessed", "Accounts not assessed or in doubt"),
    ("method", "Method and limits"),
)
NUMBERS = {name: number for number, (name, _) in enumerate(_CHAPTERS, 1)}
"""
The chapters' numbers, for a sentence that points to one.
"""


def build_pages(run: StoredRun) -> dict[str, Any]:
    """
    Return every value that the template prints.
    """
    summary = run.summary
    accounts, annexes = run.accounts(), plan_annexes(run)
    doubts = build_doubts(accounts, summary)
    return {
        "title": TITLE,
        "created": format_iso(summary.window.finished),
        "summary": summary,
        "seal": run.manifest_sha256,
        "signature": facts.describe_signature(run, KEY_DIGITS),
        "parts": facts.describe_parts(summary),
        "attached": collect_attachments(run),
        "level": LEVELS[0],
        "chapters": {name: f"{NUMBERS[name]} {title}" for name, title in _CHAPTERS},
        "numbers": NUMBERS,
        "notices": list_notices(summary),
        "conclusion": conclude(summary),
        "completeness": complete(summary),
        "parent": describe_parent(summary),
        "warnings": summary.warnings[:WARNINGS_LIMIT],
        "identity": dict(facts.list_identity(run)),
        "coverage": facts.list_coverage(summary),
        "coverage_sum": facts.add_up_coverage(summary),
        "users": facts.list_users(summary),
        "checks": [(check, facts.list_check_figures(check)) for check in summary.checks],
        "verdict_words": facts.describe_verdicts(summary),
        "accepted_words": describe_accepted(summary),
        "asked": facts.describe_asked(summary),
        "population": facts.describe_population(run),
        "frameworks": _list_frameworks(run),
        "frameworks_on_cover": FRAMEWORKS_ON_COVER,
        "findings": build_findings(run, annexes),
        "volumes": describe_annexes(run, annexes),
        "acceptances": _list_acceptances(run),
        "changes": _describe_changes(run),
        "doubts": doubts,
        "differences": doubts["differences"],
        "ledger": build_ledger(accounts, annexes),
        "method": method,
        "calls": method.list_calls(run),
        "conditions": method.list_conditions(run),
    }


def _list_frameworks(run: StoredRun) -> list[dict[str, Any]]:
    rows = list_records(run.controls())
    return [
        {
            "catalog": framework,
            "scope": facts.describe_scope(run.summary, framework.id),
            "needs_scope": framework.scope_must_be_declared
            and not _is_declared(run.summary, framework.id),
            "groups": _group_controls(framework, rows),
            "counts": Counter(row["verdict"] for row in rows if row["framework"] == framework.id),
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
        "not tested": [],
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
    return "not tested" if control.not_tested else str(control.relation)


def _list_acceptances(run: StoredRun) -> list[dict[str, Any]]:
    return [
        record
        | {
            "words": ACCEPTANCES[AcceptanceState(entry.state)],
            "notes": entry.warnings,
        }
        for entry, row in zip(run.summary.acceptances, list_acceptances(run), strict=True)
        for record in [dict(zip(ACCEPTANCE_COLUMNS, row, strict=True))]
    ]


def _describe_changes(run: StoredRun) -> dict[str, Any]:
    """
    Return what changed since the previous run: the numbers, the gravest of the changes, the trend.

    What is still open is counted and not listed: the findings say of each since when it is.
    """
    summary = run.summary
    changes = select_changes(run)
    moved = _order_changes(changes[changes["state"] != str(State.STILL_OPEN)])
    return {
        "previous": summary.previous,
        "none": NO_PREVIOUS_RUN,
        "previous_started": format_moment(summary.previous.started) if summary.previous else None,
        "gap": describe_gap(summary.previous, summary.window.started),
        "counts": list_changes(summary),
        "number": len(moved),
        "in_all": len(changes),
        "rows": [_describe_change(row) for row in list_records(_pick_changes(moved))],
        "trend": _draw_trend(summary.trend),
    }


def _order_changes(changes: pd.DataFrame) -> pd.DataFrame:
    states = {str(state): rank for rank, state in enumerate(CHANGES)}
    severities = {str(severity): rank for rank, severity in enumerate(Severity)}
    ordered = changes.assign(
        first=changes["state"].astype("str").map(states),
        # Accounts that joined or left have no severity, and stand before the findings in them.
        second=changes["severity"].astype("str").map(severities).fillna(-1),
    )
    return ordered.sort_values(["first", "second"], kind="stable", ignore_index=True)


def _pick_changes(ordered: pd.DataFrame) -> pd.DataFrame:
    """
    Return as many changes as are listed, the first of each kind before the second of any.
    """
    place = ordered.groupby("first").cumcount().sort_values(kind="stable")
    chosen = ordered.loc[place.index[:CHANGES_LIMIT]]
    return chosen.sort_values(["first", "second"], kind="stable")


def _describe_change(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "words": CHANGES[State(row["state"])],
        "verdict_words": VERDICTS[Verdict(row["verdict"])] if row["verdict"] else None,
        "first_seen": format_moment(row["first_seen"])[:10],
    }


def _draw_trend(trend: tuple[TrendPoint, ...]) -> list[dict[str, Any]]:
    """
    Return the periods with the lengths of their bars, in hundredths of the longest.
    """
    longest = max((point.exceptions + point.accepted for point in trend), default=0)
    return [
        {
            "point": point,
            "open": _measure(point.exceptions, longest),
            "accepted": _measure(point.accepted, longest),
        }
        for point in trend
    ]


def _measure(number: int, longest: int) -> float:
    return round(100 * number / longest, 2) if longest else 0
