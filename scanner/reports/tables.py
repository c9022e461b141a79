"""
The stored tables as plain rows: what every document reads, in the columns' stored order.

A value is a str, bool, int, an aware UTC datetime, or None where it is missing.
"""

from collections import Counter
from collections.abc import Iterator

import pandas as pd
import pyarrow as pa

from scanner.acceptances import State
from scanner.checks import Subject
from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.evidence.tables import FINDINGS, HISTORY, users_schema
from scanner.history import is_change

Row = tuple[object, ...]


def list_rows(frame: pd.DataFrame) -> list[Row]:
    """
    Return a frame's rows as tuples of plain values.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if not table.num_rows:
        return []
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def list_records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """
    Return a frame's rows as dictionaries from column name to plain value.
    """
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in list_rows(frame)]


def stream_findings(run: StoredRun) -> tuple[list[str], Iterator[Row]]:
    """
    Return the findings table's columns and its rows, read batch by batch.
    """
    rows = (row for frame in run.findings_in_batches() for row in list_rows(frame))
    return list(FINDINGS.names), rows


def stream_changes(run: StoredRun) -> tuple[list[str], Iterator[Row]]:
    """
    Return the columns and rows that `select_changes` selects, read batch by batch.
    """
    return list(HISTORY.names), (row for frame in batch_changes(run) for row in list_rows(frame))


def batch_changes(run: StoredRun) -> Iterator[pd.DataFrame]:
    """
    Yield the rows that `select_changes` selects, in frames.
    """
    if run.summary.previous is None:
        return
    for frame in run.history_in_batches():
        yield frame[is_change(frame, run.summary.window.started)]


def list_user_columns(run: StoredRun) -> list[str]:
    """
    Return the names of the users table's columns, also where no account could be read.

    The verdicts of checks about accounts are columns of the accounts table.
    """
    checks = [total.check for total in run.summary.checks if total.subject != Subject.ACCOUNT]
    return list(users_schema(checks).names)


def list_account_checks(run: StoredRun) -> list[str]:
    """
    Return the names of the accounts table's verdict columns.
    """
    return [total.check for total in run.summary.checks if total.subject == Subject.ACCOUNT]


def batch_users(run: StoredRun) -> Iterator[pd.DataFrame]:
    """
    Yield the users table in frames of the columns that `list_user_columns` names.

    Raises `RenderError` when the table lacks a column of a check that the summary names.
    """
    columns = list_user_columns(run)
    for frame in run.users():
        missing = [name for name in columns if name not in frame.columns]
        if missing:
            raise RenderError(
                f"users.parquet has no column {', '.join(missing)}; "
                "check the run with `sha256sum --check SHA256SUMS`"
            )
        yield frame[columns]


def select_changes(run: StoredRun) -> pd.DataFrame:
    """
    Return the rows of the history table that are about this run: none where there is no previous run.

    What was fixed before this run stays in the evidence and is no change of this run.
    """
    history = run.history()
    if run.summary.previous is None:
        return history.iloc[:0]
    return history[is_change(history, run.summary.window.started)].reset_index(drop=True)


ACCEPTANCE_COLUMNS = (
    "id",
    "kind",
    "account",
    "user",
    "check",
    "reason",
    "owner",
    "approver",
    "ticket",
    "from",
    "until",
    "state",
    "matched",
    "open_again",
    "warnings",
)
"""
The accepted risks as a table. `matched` and `open_again` are numbers of findings, the others are text.
"""


def list_acceptances(run: StoredRun) -> list[Row]:
    """
    Return every accepted risk, in its file's order, expired ones included. Columns: `ACCEPTANCE_COLUMNS`.

    `open_again` counts the findings that an expired one no longer covers, and no other one does.
    """
    if not run.summary.acceptances:
        return []
    again = _count_open_again(run)
    return [
        (
            entry.id,
            entry.kind,
            entry.account,
            entry.user,
            entry.check,
            entry.reason,
            entry.owner,
            entry.approver,
            entry.ticket,
            entry.begins,
            entry.until,
            entry.state,
            entry.matched,
            again.get(entry.id, 0),
            "; ".join(entry.warnings),
        )
        for entry in run.summary.acceptances
    ]


def _count_open_again(run: StoredRun) -> dict[str, int]:
    """
    Count, by id, the findings beside which it stands that an acceptance has expired.
    """
    judged = run.summary.judged
    if judged is None:
        return {}
    today = judged.date()
    expired = {
        entry.note_on(today): entry.id
        for entry in run.acceptances
        if entry.state_on(today) is State.EXPIRED
    }
    if not expired:
        return {}
    counted: Counter[str] = Counter()
    for findings in run.findings_in_batches():
        counted.update(findings["acceptance_note"].dropna())
    return {name: counted[note] for note, name in expired.items()}
