"""
The tables as CSV: for spreadsheets and for scripts that read text.

RFC 4180 with a byte order mark, every field quoted, lines ended by CR LF. Times are ISO 8601 in UTC,
booleans `true` and `false`, and a missing value is empty. Names are made visible and can never be
formulas, so a value may differ from AWS's in those characters: the Parquet tables and the JSON
document hold the exact ones.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

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
    select_changes,
    stream_users,
)
from scanner.reports.text import guard_formula, make_visible
from scanner.reports.wording import format_iso


def render_csv(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write findings.csv, accounts.csv, users.csv, controls.csv, acceptances.csv and changes.csv.

    See `Renderer`. The last two hold their header alone where there are no accepted risks, or there is no
    previous run.
    """
    tables: dict[str, Callable[[], tuple[Sequence[str], Iterable[Row]]]] = {
        "findings": lambda: _take(run.findings()),
        "accounts": lambda: _take(run.accounts()),
        "users": lambda: (list_user_columns(run), stream_users(run)),
        "controls": lambda: _take(run.controls()),
        "acceptances": lambda: (ACCEPTANCE_COLUMNS, list_acceptances(run)),
        "changes": lambda: _take(select_changes(run)),
    }
    paths = {name: claim(folder / f"{name}.csv") for name in tables}
    for name, read in tables.items():  # one at a time: memory follows the largest of them
        write_csv(paths[name], *read())
    return list(paths.values())


def _take(frame: pd.DataFrame) -> tuple[list[str], list[Row]]:
    return [str(column) for column in frame.columns], list_rows(frame)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """
    Write rows as this module's text says, one for each line. See `scanner.reports.tables` for values.
    """
    with create_file(path) as file:
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
