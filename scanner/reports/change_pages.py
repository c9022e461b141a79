"""
What changed since the previous run as the PDF prints it: the counts, the accounts that came and went, and the gravest changes.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scanner.evidence import StoredRun
from scanner.history import State, describe_gap
from scanner.model import AccountOutcome, Severity, Verdict
from scanner.reports.census import mark_stale
from scanner.reports.doubts import describe_outcome
from scanner.reports.tables import list_records, select_changes
from scanner.reports.wording import (
    CHANGES,
    MISSING,
    NO_PREVIOUS_RUN,
    VERDICTS,
    describe_moves,
    format_moment,
    list_changes,
    say_unclear_changes,
)

CHANGES_LIMIT = 60
"""
How many changes of findings are listed.
"""

ACCOUNTS_LIMIT = 60
"""
How many accounts that joined or left are listed, those first of which nothing is known.
"""

_MOVES = {State.ACCOUNT_JOINED: "joined", State.ACCOUNT_LEFT: "left"}


def describe_changes(run: StoredRun) -> dict[str, Any]:
    """
    Return what changed since the previous run: the numbers, the gravest of the changes, the trend.

    What is still open is counted and not listed: the findings say of each since when it is.
    """
    summary = run.summary
    changes = select_changes(run)
    is_account = changes["finding_id"].isna()
    findings = changes[~is_account]
    moved = _order_changes(findings[findings["state"] != str(State.STILL_OPEN)])
    accounts = _list_accounts(run, changes[is_account])
    return {
        "previous": summary.previous,
        "none": NO_PREVIOUS_RUN,
        "previous_started": format_moment(summary.previous.started) if summary.previous else None,
        "gap": describe_gap(summary.previous, summary.window.started),
        "counts": list_changes(summary),
        "unclear": say_unclear_changes(summary),
        "moves": describe_moves(summary),
        "accounts": {"number": len(accounts), "rows": accounts[:ACCOUNTS_LIMIT]},
        "number": len(moved),
        "in_all": len(findings),
        "rows": [_describe_change(row) for row in list_records(_pick_changes(moved))],
        "trend": summary.trend,
    }


def _list_accounts(run: StoredRun, changes: pd.DataFrame) -> list[dict[str, Any]]:
    """
    Return the accounts that joined or left, those first that were not read, or by a report that was too old.

    What left has the name, the OU and the outcome that it had in the previous run.
    """
    before = run.previous_accounts()
    known = {
        State.ACCOUNT_JOINED: _index_accounts(run.accounts()),
        State.ACCOUNT_LEFT: {} if before is None else _index_accounts(before),
    }
    rows = []
    for change in list_records(changes):
        state = State(str(change["state"]))
        account = known[state].get(change["account_id"], {})
        rows.append(_describe_account(state, change, account))
    return sorted(rows, key=lambda row: row["rank"])


def _index_accounts(accounts: pd.DataFrame) -> dict[object, dict[str, Any]]:
    marked = accounts.assign(is_stale=mark_stale(accounts))
    return {row["account_id"]: row for row in list_records(marked)}


def _describe_account(
    state: State, change: Mapping[str, Any], account: Mapping[str, Any]
) -> dict[str, Any]:
    words = describe_outcome(account) if account else None
    has_left = state is State.ACCOUNT_LEFT
    if has_left:
        words = f"no longer listed{f'; {words} in the previous run' if words else ''}"
    is_unread = bool(account) and account["outcome"] == AccountOutcome.NOT_COLLECTED
    is_open = not has_left and (is_unread or account.get("is_stale", False))
    return {
        "account_id": change["account_id"],
        "name": account.get("name") or change["account_name"],
        "ou_path": account.get("ou_path"),
        "words": _MOVES[state],
        "outcome_words": words or MISSING,
        "is_open": is_open,
        "rank": (0 if is_unread else 1) if is_open else 2 if has_left else 3,
    }


def _order_changes(changes: pd.DataFrame) -> pd.DataFrame:
    states = {str(state): rank for rank, state in enumerate(CHANGES)}
    severities = {str(severity): rank for rank, severity in enumerate(Severity)}
    ordered = changes.assign(
        first=changes["state"].astype("str").map(states),
        second=changes["severity"].astype("str").map(severities),
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
        "closed": format_moment(row["closed"])[:10],
    }
