"""
The tables of a run, as Parquet files: accounts, users, findings, controls, and their history.

Each table is sorted, so it does not depend on the order in which accounts finished: accounts by id,
users and findings by account id and ARN, controls by framework and control. Columns are text unless
said; a missing value is null, never an empty string.

    accounts   account_id name email state ou_ids ou_path outcome reason_code reason
               generated_time (timestamp[ms, UTC])  report_age_seconds (int64: the report's age when it
               was fetched)  report_sha256  users (int64: IAM users in the report, root not counted)
               iam_users (int64: IAM's own count, from GetAccountSummary)
               users_added users_gone (int64: users made, or deleted, since the report, from ListUsers; null
               where it was not asked)  population (in words, how report and count compare)
               then one verdict column for each check about accounts
    users      account_id user arn is_root (bool), the report's other 20 columns typed as
               `scanner.credentials` documents, generated_time, sentinels, uninterpretable,
               other_columns, then one verdict column for each check and set of parameters in use
    findings   finding_id account_id account_name ou_path user arn check severity verdict observation
               controls confirmation confirmation_note acceptance acceptance_note owner state
               first_seen (timestamp) last_seen (timestamp) days_open (int64)
               One row for each user, root user or account and check whose verdict is fail, needs-review or
               unknown. `user` is null where the finding is about an account
    controls   framework version control_id title relation verdict evaluated failed unknown
               not_tested (accounts) accepted: the last five int64
    history    finding_id account_id account_name user arn check severity verdict state first_seen
               opened last_seen closed (the last four timestamps)
               Every finding of this run and of the runs before it, and every account that joined or left
               since the previous run (without finding_id). See `scanner.history`
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scanner.credentials import BOOLEAN_COLUMNS, REPORT_COLUMNS, TIME_COLUMNS
from scanner.errors import EvidenceError
from scanner.evidence.store import create_file

_TIME = pa.timestamp("ms", tz="UTC")
_TEXT = pa.string()
_COUNT = pa.int64()
_WORD = pa.dictionary(pa.int32(), pa.string())
"""
Text of few distinct values. In the file it is plain text: Parquet keeps such columns as codes by itself.
"""


def _schema(columns: str, **types: pa.DataType) -> pa.Schema:
    return pa.schema([(name, types.get(name, _TEXT)) for name in columns.split()])


ACCOUNTS = _schema(
    "account_id name email state ou_ids ou_path outcome reason_code reason generated_time "
    "report_age_seconds report_sha256 users iam_users users_added users_gone population",
    generated_time=_TIME,
    report_age_seconds=_COUNT,
    users=_COUNT,
    iam_users=_COUNT,
    users_added=_COUNT,
    users_gone=_COUNT,
)
FINDINGS = _schema(
    "finding_id account_id account_name ou_path user arn check severity verdict observation controls "
    "confirmation confirmation_note acceptance acceptance_note owner state first_seen last_seen days_open",
    **dict.fromkeys(("account_name", "ou_path", "check", "severity", "verdict"), _WORD),
    **dict.fromkeys(("controls", "confirmation", "confirmation_note"), _WORD),
    **dict.fromkeys(("owner", "state"), _WORD),
    first_seen=_TIME,
    last_seen=_TIME,
    days_open=_COUNT,
)
CONTROLS = _schema(
    "framework version control_id title relation verdict evaluated failed unknown not_tested accepted",
    evaluated=_COUNT,
    failed=_COUNT,
    unknown=_COUNT,
    not_tested=_COUNT,
    accepted=_COUNT,
)

HISTORY = _schema(
    "finding_id account_id account_name user arn check severity verdict state first_seen opened "
    "last_seen closed",
    **dict.fromkeys(("account_name", "check", "severity", "verdict", "state"), _WORD),
    **dict.fromkeys(("first_seen", "opened", "last_seen", "closed"), _TIME),
)


def accounts_schema(checks: Sequence[str]) -> pa.Schema:
    """
    Return the schema of the accounts table with one verdict column for each check named.
    """
    return pa.schema([*ACCOUNTS, *((name, _WORD) for name in checks)])


def users_schema(checks: Sequence[str]) -> pa.Schema:
    """
    Return the schema of the users table with one verdict column for each check named.
    """
    types = dict.fromkeys(BOOLEAN_COLUMNS, pa.bool_()) | dict.fromkeys(TIME_COLUMNS, _TIME)
    fields = [("account_id", _TEXT), ("user", _TEXT), ("arn", _TEXT), ("is_root", pa.bool_())]
    fields += [(name, types.get(name, _TEXT)) for name in REPORT_COLUMNS[2:]]
    fields += [("generated_time", _TIME)]
    fields += [(name, _WORD) for name in ("sentinels", "uninterpretable")]
    fields += [("other_columns", _TEXT), *((name, _WORD) for name in checks)]
    return pa.schema(fields)


class TableWriter:
    """
    Appends frames to one table's file. See `open_table`.
    """

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema

    def write(self, frame: pd.DataFrame) -> None:
        """
        Append the frame's rows. Every column of the schema must be in it; others are left out.
        """
        self._writer.write_table(
            pa.Table.from_pandas(frame, schema=self._schema, preserve_index=False)
        )


@contextmanager
def open_table(path: Path, schema: pa.Schema) -> Iterator[TableWriter]:
    """
    Yield a writer for a table written batch by batch. The file takes its name only when it is whole.

    Raises `EvidenceError` when the disk refuses, naming the file.
    """
    words = [column.name for column in schema if column.type == _WORD]
    with (
        create_file(path) as file,
        pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            use_dictionary=words,
            write_statistics=False,  # nobody searches these files, and they cost as much as the rest
            store_schema=False,
        ) as writer,
    ):
        yield TableWriter(writer, schema)


def write_table(path: Path, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> None:
    """
    Write a table that fits in memory. Each row holds the schema's columns, absent ones being null.
    """
    with open_table(path, schema) as writer:
        writer.write(build_frame(schema, rows))


def build_frame(schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """
    Make a frame with the schema's columns and dtypes from rows.
    """
    plain = pa.schema(
        [(field.name, _TEXT if field.type == _WORD else field.type) for field in schema]
    )
    return _to_frame(pa.Table.from_pylist(list(rows), schema=plain))


def read_table(path: Path) -> pd.DataFrame:
    """
    Read a whole table into a frame of nullable dtypes, or raise `EvidenceError` naming the file.
    """
    try:
        return _to_frame(pq.read_table(path))
    except (OSError, pa.ArrowException) as exc:
        raise EvidenceError(f"{path}: cannot be read as a table: {exc}") from exc


def read_batches(
    path: Path, rows: int = 20_000, *, columns: Sequence[str] | None = None
) -> Iterator[pd.DataFrame]:
    """
    Read a table, or some of its columns, in frames of at most `rows` rows, or raise `EvidenceError` naming the file.
    """
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=columns):
                yield _to_frame(pa.Table.from_batches([batch]))
    except (OSError, pa.ArrowException) as exc:
        raise EvidenceError(f"{path}: cannot be read as a table: {exc}") from exc


_DTYPES = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.string(): pd.StringDtype(na_value=pd.NA),
}


def _to_frame(table: pa.Table) -> pd.DataFrame:
    """
    Convert with nullable dtypes: pandas defaults would turn a count that is not known into a float.
    """
    frame: pd.DataFrame = table.to_pandas(types_mapper=_DTYPES.get)
    return frame
