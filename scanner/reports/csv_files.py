"""
The tables as CSV: for spreadsheets and for scripts that read text.

RFC 4180 with a byte order mark, every field quoted, lines ended by CR LF. Times are ISO 8601 in UTC,
booleans `true` and `false`, and a missing value is empty. Names are made visible and can never be
formulas, so a value may differ from AWS's in those characters: the Parquet tables and the JSON
document hold the exact ones.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.reports.naming import claim
from scanner.reports.tables import (
    ACCEPTANCE_COLUMNS,
    Row,
    list_acceptances,
    list_rows,
    list_user_columns,
    stream_changes,
    stream_findings,
    stream_users,
)
from scanner.reports.text import guard_formula, make_visible
from scanner.reports.wording import format_iso

_PART = 10_000


def render_csv(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write findings.csv, accounts.csv, users.csv, controls.csv, acceptances.csv and changes.csv.

    See `Renderer`. The last two hold their header alone where there are no accepted risks, or there is no
    previous run.
    """
    paths = {name: claim(folder / f"{name}.csv") for name in _TABLES}
    for name, read in _TABLES.items():  # one at a time: memory follows the largest of them
        write_csv(paths[name], *read(run))
    return list(paths.values())


def draw_table(run: StoredRun, name: str, limit: int) -> bytes | None:
    """
    Return the bytes of one of those files, such as `findings`, or None when they are more than `limit`.
    """
    file = _Limited(limit)
    try:
        write_rows(file, *_TABLES[name](run))
    except _LimitReachedError:
        return None
    return file.getvalue()


class _LimitReachedError(Exception):
    """
    There are more bytes than were asked for.
    """


class _Limited(io.BytesIO):
    """
    A file in memory that stops whoever writes too much, long before memory ends.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, content: Any, /) -> int:  # noqa: ANN401 - what `io.BytesIO` takes
        """
        Take more bytes. See `io.BytesIO.write`.
        """
        written = super().write(content)
        if self.tell() > self._limit:
            raise _LimitReachedError
        return written


def _take(frame: pd.DataFrame) -> tuple[list[str], Iterator[Row]]:
    return [str(column) for column in frame.columns], _list_in_parts(frame)


def _list_in_parts(frame: pd.DataFrame) -> Iterator[Row]:
    # Rows of plain values take ten times the memory that they take in the frame.
    for start in range(0, len(frame), _PART):
        yield from list_rows(frame.iloc[start : start + _PART])


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """
    Write rows as this module's text says, one for each line. See `scanner.reports.tables` for values.
    """
    with create_file(path) as file:
        write_rows(file, columns, rows)


def write_rows(file: BinaryIO, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """
    Write rows into an open file as this module's text says.
    """
    # Excel reads UTF-8 as another encoding unless the byte order mark is there.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    try:
        writer.writerow(columns)
        writer.writerows([_format(value) for value in row] for row in rows)
    finally:
        text.detach()


def _format(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return guard_formula(make_visible(value))
        case bool():
            return "true" if value else "false"
        case datetime():
            return format_iso(value)
        case _:
            return str(value)


_TABLES: dict[str, Callable[[StoredRun], tuple[Sequence[str], Iterable[Row]]]] = {
    "findings": stream_findings,
    "accounts": lambda run: _take(run.accounts()),
    "users": lambda run: (list_user_columns(run), stream_users(run)),
    "controls": lambda run: _take(run.controls()),
    "acceptances": lambda run: (ACCEPTANCE_COLUMNS, list_acceptances(run)),
    "changes": stream_changes,
}
