"""
Two finished runs side by side: what `orgproof diff` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scanner.errors import SettingsError
from scanner.evidence import StoredRun
from scanner.evidence.seal import check_seal
from scanner.history import History, Previous, State, is_change
from scanner.model import AccountId
from scanner.records import encode
from scanner.summary import PreviousRun, Summary

_HEADINGS = {
    State.NEW: "new",
    State.REOPENED: "reopened",
    State.STILL_OPEN: "still open",
    State.FIXED: "fixed",
    State.NOT_SCANNED: "not scanned this time, so not known to be fixed",
    State.ACCOUNT_JOINED: "accounts that joined",
    State.ACCOUNT_LEFT: "accounts that left",
}


@dataclass(frozen=True)
class Changes:
    """
    What changed from `older` to `newer`. `rows` has the columns of the history table.
    """

    newer: Summary
    older: Summary
    rows: pd.DataFrame


def compare_runs(newer: StoredRun, older: StoredRun) -> Changes:
    """
    Return what changed between two runs of one organization.

    Raises `SettingsError` when they are of different organizations or stand in the wrong order, and
    `EvidenceError` when either is not what was sealed.
    """
    for run in (newer, older):
        check_seal(run.folder)
    if newer.summary.organization_id != older.summary.organization_id:
        raise SettingsError(
            f"{older.folder}: is a run of {older.summary.organization_id}, and {newer.folder} one of "
            f"{newer.summary.organization_id}; compare runs of one organization"
        )
    began, before = newer.summary.window.started, older.summary.window.started
    if before > began:
        raise SettingsError(f"{older.folder}: is the newer of the two; give the newer run first")
    history = History(_take(older), began, [total.check for total in newer.summary.checks])
    accounts = newer.accounts()
    _, rows = history.advance(newer.findings(), accounts)
    rows = pd.concat([rows, history.finish()], ignore_index=True)
    return Changes(newer.summary, older.summary, rows[is_change(rows, began)])


def describe_changes(changes: Changes) -> list[str]:
    """
    Write the changes as lines for a terminal.
    """
    newer, older = changes.newer, changes.older
    heading = f"from run {older.run_id} ({older.period}) to run {newer.run_id} ({newer.period})"
    lines = [f"{heading}, organization {newer.organization_id}"]
    about = changes.rows["finding_id"].notna()
    for state, heading in _HEADINGS.items():
        of_account = state in (State.ACCOUNT_JOINED, State.ACCOUNT_LEFT)
        rows = changes.rows[(changes.rows["state"] == str(state)) & (about != of_account)]
        lines += ["", f"{heading}: {len(rows)}"]
        lines += [f"  {_describe_row(row)}" for row in rows.to_dict("records")]
        if state is State.ACCOUNT_LEFT:
            left = int((about & (changes.rows["state"] == str(state))).sum())
            lines += [f"  with {left} findings that were open"] if left else []
    return lines


def encode_changes(changes: Changes) -> str:
    """
    Write the changes as a JSON object: both runs, the counts by state, and every row.

    The counts of accounts that joined and left count accounts, all others findings.
    """
    rows = changes.rows.astype("object").where(changes.rows.notna(), None)
    about = rows["finding_id"].notna()
    is_account = rows["state"].isin([str(State.ACCOUNT_JOINED), str(State.ACCOUNT_LEFT)])
    counts = rows.loc[about != is_account, "state"].value_counts().to_dict()
    return encode(
        {
            "newer": {"run_id": changes.newer.run_id, "period": changes.newer.period},
            "older": {"run_id": changes.older.run_id, "period": changes.older.period},
            "counts": {str(state): int(counts.get(str(state), 0)) for state in _HEADINGS},
            "changes": [
                {key: _plain(value) for key, value in row.items()}
                for row in rows.to_dict("records")
            ],
        }
    ).decode()


def _take(run: StoredRun) -> Previous:
    summary = run.summary
    return Previous(
        PreviousRun(summary.run_id, summary.period, summary.window.started, run.manifest_sha256),
        run.history_in_batches(),
        frozenset(AccountId(account) for account in run.accounts()["account_id"]),
    )


def _describe_row(row: Mapping[Any, Any]) -> str:
    account = f"{row['account_id']}" + (
        f" ({row['account_name']})" if _is(row["account_name"]) else ""
    )
    if not _is(row["finding_id"]):
        return account
    who = row["user"] if _is(row["user"]) else "account"
    return f"{account}  {who}  {row['check']}  {row['severity']}"


def _is(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _plain(value: object) -> object:
    if isinstance(value, pd.Timestamp):
        return value.isoformat().replace("+00:00", "Z")
    return value
