"""
Credential report bytes to a typed table. Pure: no disk, no network, no clock.

`parse_report` reads one account's report into text rows after checking everything about its shape;
`build_table` types the rows of many accounts at once. A report that is not what AWS sends is a
`ReportError` with line and column, never a table without rows.

The table has one row for each root and IAM user, and these columns:

    account_id       str       twelve digits
    user, arn        str       as AWS wrote them
    is_root          bool
    generated_time   datetime64[ms, UTC]   the report's own; checks measure ages against it
    *_active, *_enabled                          boolean (True, False, or <NA>)
    *_time, *_date, *_last_used, *_changed, *_rotated, *_rotation   datetime64[ms, UTC] or NaT
    *_region, *_service                          str, or missing for `N/A`
    sentinels        str       AWS's own words where a value is missing and they are not `N/A`:
                               `password_last_used=no_information; ...`, else missing
    uninterpretable  str       names of the columns whose value is none AWS documents, joined by
                               `; `, else missing
    other_columns    str       columns this version does not know, as JSON, else missing

So a missing boolean or time is one of: `N/A` (named nowhere), another sentinel (named in
`sentinels`), or not interpretable (named in `uninterpretable`).

Facts: IAM user guide, "Getting credential reports"; a live capture of September 2026 (22 columns,
lower-case booleans, `Z` times, LF, no final newline). Older reports write `+00:00` and the guide
writes TRUE/FALSE; both are accepted.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from scanner.errors import ReportError
from scanner.model import ROOT_USER, AccountId, show

BOOLEAN_COLUMNS = (
    "password_enabled",
    "mfa_active",
    "access_key_1_active",
    "access_key_2_active",
    "cert_1_active",
    "cert_2_active",
)
TIME_COLUMNS = (
    "user_creation_time",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "cert_1_last_rotated",
    "cert_2_last_rotated",
)
TEXT_COLUMNS = (
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
)
REPORT_COLUMNS = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
)
"""
The report's 22 columns in AWS's order. All are required; their order in a report is not.
"""

NOT_APPLICABLE = "N/A"
NO_INFORMATION = "no_information"
NOT_SUPPORTED = "not_supported"

MAX_REPORT_BYTES = 16 * 1024 * 1024
"""
Three times the largest report that AWS's limits allow (5,000 users of about 1 kB each).
"""

_SENTINELS = frozenset({NOT_APPLICABLE, NO_INFORMATION, NOT_SUPPORTED})
_BOOLEANS = {"true": True, "false": False}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00)", re.ASCII)
_USER_ARN = re.compile(r"arn:[a-z0-9-]+:iam::(\d{12}):(user/.+|root)", re.ASCII | re.DOTALL)
TIME_DTYPE = pd.DatetimeTZDtype(unit="ms", tz="UTC")


@dataclass(frozen=True, slots=True)
class ReportRows:
    """
    One account's report, its shape checked and its values still text, in `REPORT_COLUMNS` order.

    `others` holds, for each row, the columns this version does not know, as JSON text or None.
    """

    account_id: AccountId
    generated_time: datetime
    rows: Sequence[Sequence[str]]
    others: Sequence[str | None]

    @property
    def users(self) -> int:
        """
        How many IAM users the report lists; the root row is not one.
        """
        return len(self.rows) - 1

    @property
    def partition(self) -> str:
        """
        The AWS partition that all rows' ARNs name, such as `aws`.
        """
        return self.rows[0][1].split(":", 2)[1]


def parse_report(content: bytes, account_id: AccountId, generated_time: datetime) -> ReportRows:
    """
    Check the shape of one account's report and return its rows as text, or raise `ReportError`.

    Checked: UTF-8, the required columns and no column twice, the width of each line, that every
    row's ARN belongs to `account_id` and ends in the row's user, exactly one root row, and no user
    twice. What it cannot show is a report cut off exactly between two lines: `IAM` knows how many
    users there are, and `scanner.evidence.replay` compares.
    """
    lines = list(_split_lines(content))
    header = _parse_header(lines[0][1])
    order = [header.index(name) for name in REPORT_COLUMNS]
    known = set(REPORT_COLUMNS)
    extra = [index for index, name in enumerate(header) if name not in known]
    rows: list[list[str]] = []
    others: list[str | None] = []
    seen: set[str] = set()
    for number, line in lines[1:]:
        fields = _parse_line(line, number, header)
        row = [fields[index] for index in order]
        _check_identity(row[0], row[1], account_id, number)
        # User names are unique in an account without regard to case (IAM quotas page).
        if row[0].casefold() in seen:
            raise ReportError("the user appears a second time", line=number, column="user")
        seen.add(row[0].casefold())
        rows.append(row)
        others.append(_describe_others(header, fields, extra) if extra else None)
    if len({row[1].split(":", 2)[1] for row in rows}) > 1:
        raise ReportError("rows of more than one AWS partition", column="arn")
    if ROOT_USER not in seen:
        raise ReportError(f"no {ROOT_USER} row among {len(rows)} rows; the report is not whole")
    return ReportRows(account_id, generated_time, rows, others)


def build_table(reports: Iterable[ReportRows]) -> pd.DataFrame:
    """
    Type the rows of many reports into one table, sorted by account id and ARN.

    The module's own text lists the columns and their dtypes. It never raises for a value it cannot
    interpret: the cell is missing and the column is named in `uninterpretable`.
    """
    reports = list(reports)
    rows = [row for report in reports for row in report.rows]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(REPORT_COLUMNS)
    text = {
        name: pd.Series(values, dtype="str")
        for name, values in zip(REPORT_COLUMNS, columns, strict=True)
    }
    counts = [len(report.rows) for report in reports]
    table = pd.DataFrame(
        {
            "account_id": _repeat([str(r.account_id) for r in reports], counts, "str"),
            "user": text["user"],
            "arn": text["arn"],
            "is_root": (text["user"] == ROOT_USER).astype("bool"),
            "generated_time": _repeat([r.generated_time for r in reports], counts, TIME_DTYPE),
        }
    )
    sentinels, uninterpretable = _Notes(len(rows)), _Notes(len(rows))
    for name in REPORT_COLUMNS[2:]:
        table[name] = _type_column(name, text[name], sentinels, uninterpretable)
    table["sentinels"] = sentinels.as_series()
    table["uninterpretable"] = uninterpretable.as_series()
    table["other_columns"] = pd.Series(
        [other for report in reports for other in report.others], dtype="str"
    )
    return table.sort_values(["account_id", "arn"], ignore_index=True, kind="stable")


def is_true(column: pd.Series) -> pd.Series:
    """
    Return a bool mask of the rows of a nullable boolean column that are known to be true.
    """
    return column.fillna(value=False).astype("bool")


def is_false(column: pd.Series) -> pd.Series:
    """
    Return a bool mask of the rows of a nullable boolean column that are known to be false.
    """
    return ~column.fillna(value=True).astype("bool")


def says(table: pd.DataFrame, column: str, sentinel: str) -> pd.Series:
    """
    Return a bool mask of the rows where AWS wrote `sentinel` (not `N/A`) in `column`.
    """
    return _mentions(table["sentinels"], f"{column}={sentinel}")


def is_uninterpretable(table: pd.DataFrame, column: str) -> pd.Series:
    """
    Return a bool mask of the rows whose `column` holds a value AWS does not document.
    """
    return _mentions(table["uninterpretable"], column)


def _mentions(notes: pd.Series, note: str) -> pd.Series:
    if notes.isna().all():
        return pd.Series(False, index=notes.index, dtype="bool")  # noqa: FBT003 - the mask's value
    padded = "; " + notes.fillna("") + "; "
    return padded.str.contains(f"; {note}; ", regex=False).astype("bool")


def _split_lines(content: bytes) -> Iterator[tuple[int, str]]:
    """
    Yield the numbered lines. A line feed always ends a row, since no IAM name or path can hold one.
    """
    if not content.strip():
        raise ReportError("the report is empty")
    if len(content) > MAX_REPORT_BYTES:
        raise ReportError(f"the report has {len(content)} bytes, more than IAM's limits allow")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise ReportError(f"byte {exc.start} is not UTF-8", line=line) from exc
    text = text.removeprefix("\ufeff").removesuffix("\n")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if len(lines) == 1:
        raise ReportError("a header and no rows; even an account without users has a root row")
    yield from enumerate(lines, start=1)


def _parse_header(line: str) -> list[str]:
    header = _read_csv_line(line, 1)
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice:
        raise ReportError("the column appears twice", line=1, column=show(", ".join(twice))[:200])
    missing = [name for name in REPORT_COLUMNS if name not in header]
    if missing:
        known = "" if set(header) & set(REPORT_COLUMNS) else "; this is not a credential report"
        raise ReportError(f"required column is missing{known}", line=1, column=", ".join(missing))
    return header


def _read_csv_line(line: str, number: int) -> list[str]:
    try:
        parsed = list(csv.reader([line], strict=True))
    except csv.Error as exc:
        raise ReportError(f"not a CSV row: {exc}", line=number) from exc
    return parsed[0] if parsed else []


def _parse_line(line: str, number: int, header: Sequence[str]) -> list[str]:
    try:
        fields = _read_csv_line(line, number)
    except ReportError:
        fields = []
    if len(fields) == len(header):
        return fields
    # How AWS quotes a comma or a quotation mark in a name or a path is documented nowhere, so a row
    # of another width may be an unquoted one. Names hold no colon or slash, and the columns after
    # the ARN hold no comma, so such a row can be read in exactly one way, or not at all.
    recovered = _recover_line(line, header)
    if recovered is None:
        raise ReportError(f"{len(fields)} fields where the header has {len(header)}", line=number)
    return recovered


def _recover_line(line: str, header: Sequence[str]) -> list[str] | None:
    if list(header[:2]) != ["user", "arn"]:
        return None
    parts = line.split(",")
    tail = len(header) - 2
    start = next((index for index, part in enumerate(parts) if part.startswith("arn:")), 0)
    end = len(parts) - tail
    if not 0 < start < end or any('"' in part for part in parts[end:]):
        return None
    user, arn = ",".join(parts[:start]), ",".join(parts[start:end])
    return [user, arn, *parts[end:]] if arn.endswith(f"/{user}") else None


def _check_identity(user: str, arn: str, account_id: AccountId, number: int) -> None:
    match = _USER_ARN.fullmatch(arn)
    if match is None:
        raise ReportError("not the ARN of a user or of root", line=number, column="arn")
    if match[1] != account_id:
        raise ReportError(
            f"the row belongs to account {match[1]}, not to {account_id}",
            line=number,
            column="arn",
            foreign=True,
        )
    kind, _, name = match[2].rpartition("/")
    is_root = not kind
    posing = not is_root and user.casefold() == ROOT_USER
    if not user or posing or user != (ROOT_USER if is_root else name):
        raise ReportError("the ARN does not end in the row's user", line=number, column="arn")


def _describe_others(
    header: Sequence[str], fields: Sequence[str], extra: Sequence[int]
) -> str | None:
    return json.dumps({header[index]: fields[index] for index in extra}, ensure_ascii=False)


def _repeat(values: Sequence[Any], counts: list[int], dtype: Any) -> pd.Series:  # noqa: ANN401 - pandas' own
    series: pd.Series = pd.Series(values, dtype=dtype)
    return series.repeat(counts).reset_index(drop=True)


class _Notes:
    """
    Notes on rows, joined by `; `. Nearly all rows have none, so only the others are touched.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._notes: dict[int, str] = {}

    def add(self, mask: pd.Series, note: str) -> None:
        for index in mask.to_numpy().nonzero()[0].tolist():
            before = self._notes.get(index)
            self._notes[index] = f"{before}; {note}" if before else note

    def as_series(self) -> pd.Series:
        notes = pd.Series([None] * self._rows, dtype="str")
        if self._notes:
            notes.iloc[list(self._notes)] = list(self._notes.values())
        return notes


def _type_column(
    name: str, text: pd.Series, sentinels: _Notes, uninterpretable: _Notes
) -> pd.Series:
    """
    Type one column by its few distinct values, and note sentinels and what cannot be interpreted.
    """
    if name in TEXT_COLUMNS:
        return text.where(~text.isin([NOT_APPLICABLE, ""]))
    distinct = text.drop_duplicates()
    for sentinel in (NO_INFORMATION, NOT_SUPPORTED):
        if (distinct == sentinel).any():
            sentinels.add(text == sentinel, f"{name}={sentinel}")
    if name in BOOLEAN_COLUMNS:
        meanings: dict[str, object] = {v: _BOOLEANS.get(v.lower()) for v in distinct}
        typed = text.map({v: m for v, m in meanings.items() if m is not None}).astype("boolean")
    else:
        meanings = {v: _parse_time(v) for v in distinct}
        typed = text.map(meanings).astype(TIME_DTYPE)
    odd = [v for v, meaning in meanings.items() if meaning is None and v not in _SENTINELS]
    if odd:
        uninterpretable.add(text.isin(odd), name)
    return typed


def _parse_time(value: str) -> datetime | None:
    if not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
