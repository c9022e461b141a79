"""
The stored tables batch by batch, as columns of text or of plain values: what files of many lines are written from.

A whole column is turned into text at once, which costs a tenth of doing it value by value.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scanner.evidence import StoredRun
from scanner.evidence.tables import FINDINGS, HISTORY
from scanner.reports.tables import (
    ACCEPTANCE_COLUMNS,
    batch_changes,
    batch_users,
    list_acceptances,
    list_user_columns,
)
from scanner.reports.wording import format_iso

_PART = 4_000
_ISO = "%Y-%m-%dT%H:%M:%SZ"

Batches = tuple[Sequence[str], Iterator[pa.Table]]
"""
A table's column names, and its rows in parts that fit in memory.
"""


def is_text(column: pa.ChunkedArray) -> bool:
    """
    Tell whether a column holds text: from AWS, from people, or of ours.
    """
    return (
        is_word(column) or pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    )


def is_word(column: pa.ChunkedArray) -> bool:
    """
    Tell whether a column holds text of few distinct values.
    """
    return bool(pa.types.is_dictionary(column.type))


def spell(column: pa.ChunkedArray) -> list[str | None]:
    """
    Return a column's values as text: times ISO 8601 in UTC, `true` and `false`, None where one is missing.
    """
    if pa.types.is_timestamp(column.type):
        return _spell_times(column)
    texts: list[str | None] = column.cast(pa.string()).to_pylist()
    return texts


def list_values(column: pa.ChunkedArray) -> list[object]:
    """
    Return a column's values as JSON has them: text, numbers, true and false, times as text, None.
    """
    values: list[object] = column.to_pylist() if _is_plain(column) else [*spell(column)]
    return values


def _is_plain(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_boolean(column.type) or pa.types.is_integer(column.type))


def _spell_times(column: pa.ChunkedArray) -> list[str | None]:
    try:
        whole = column.cast(pa.timestamp("s", tz="UTC"))
    except pa.ArrowInvalid:  # one has milliseconds, which no report has
        return [None if value is None else format_iso(value) for value in column.to_pylist()]
    texts: list[str | None] = pc.strftime(whole, format=_ISO).to_pylist()
    return texts


def _convert(frames: Iterable[pd.DataFrame]) -> Iterator[pa.Table]:
    for frame in frames:
        # Plain values take ten times the memory that they take in the frame.
        for start in range(0, len(frame), _PART):
            yield pa.Table.from_pandas(frame.iloc[start : start + _PART], preserve_index=False)


def _take(frame: pd.DataFrame) -> Batches:
    return [str(column) for column in frame.columns], _convert([frame])


def _take_acceptances(run: StoredRun) -> Batches:
    rows = list_acceptances(run)
    columns = dict(zip(ACCEPTANCE_COLUMNS, zip(*rows, strict=True), strict=True)) if rows else {}
    return ACCEPTANCE_COLUMNS, iter([pa.table(columns)] if rows else [])


TABLES: dict[str, Callable[[StoredRun], Batches]] = {
    "findings": lambda run: (FINDINGS.names, _convert(run.findings_in_batches())),
    "accounts": lambda run: _take(run.accounts()),
    "users": lambda run: (list_user_columns(run), _convert(batch_users(run))),
    "controls": lambda run: _take(run.controls()),
    "acceptances": _take_acceptances,
    "changes": lambda run: (HISTORY.names, _convert(batch_changes(run))),
}
"""
How each table is read, by the name that its files have.
"""
