"""
What changed since the previous run as the PDF prints it: the counts, and the gravest changes of each kind.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scanner.evidence import StoredRun
from scanner.history import State, describe_gap
from scanner.model import Severity, Verdict
from scanner.reports.tables import list_records, select_changes
from scanner.reports.wording import (
    CHANGES,
    NO_PREVIOUS_RUN,
    VERDICTS,
    format_moment,
    list_changes,
)

CHANGES_LIMIT = 12
"""
How many changes are listed, so that they fit on the page with the trend.
"""


def describe_changes(run: StoredRun) -> dict[str, Any]:
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
        "trend": summary.trend,
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
