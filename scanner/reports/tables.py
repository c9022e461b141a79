"""
The stored tables as plain rows: what every document reads, in the columns' stored order.

A value is a str, bool, int, an aware UTC datetime, or None where it is missing.
"""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa

from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.evidence.tables import users_schema

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


def list_user_columns(run: StoredRun) -> list[str]:
    """
    Return the names of the users table's columns, also where no account could be read.
    """
    return list(users_schema([check.check for check in run.summary.checks]).names)


def stream_users(run: StoredRun) -> Iterator[Row]:
    """
    Yield the users' rows, batch by batch, so that memory does not grow with the organization.

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
        yield from list_rows(frame[columns])
