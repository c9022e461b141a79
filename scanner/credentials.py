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
    password_present, managed_centrally          boolean   facts of the account, see `AccountFacts`
    is_management, is_stale                      bool      facts of the account
    *_active, *_enabled                          boolean (True, False, or <NA>)
    *_time, *_date, *_last_used, *_changed, *_rotated, *_rotation   datetime64[ms, UTC] or NaT
    *_region, *_service                          str, or missing for `N/A`
    sentinels        category of str   AWS's own words where a value is missing and they are not `N/A`:
                               `password_last_used=no_information; ...`, else missing
    uninterpretable  category of str   names of the columns whose value is none AWS documents, joined by
                               `; `, else missing
    other_columns    str       columns this version does not know, as JSON, else missing

So a missing boolean or time is one of: `N/A` (named nowhere), another sentinel (named in
`sentinels`), or not interpretable (named in `uninterpretable`). A time that lies more than a day after
the report's own is not interpretable either, but for `password_next_rotation`, which may.

Facts: IAM user guide, "Getting credential reports"; a live capture of September 2026 (22 columns,
lower-case booleans, `Z` times, LF, no final newline). Older reports write `+00:00` and the guide
writes TRUE/FALSE; both are accepted.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

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

NEXT_ROTATION = "password_next_rotation"

AHEAD = timedelta(days=1)
"""
How far after its report a time in it may lie. Last uses arrive late and reports take a while; what lies
further ahead is no time that anything happened.
"""

MAX_LINE = 64 * 1024
"""
The longest line read, in characters: sixty times a row whose values are as long as IAM allows.
"""

SEPARATOR = "\x1f"
"""
The unit separator, which no report holds: one that does is refused.
"""

_USUAL_HEADER = ",".join(REPORT_COLUMNS)
_SENTINELS = frozenset({NOT_APPLICABLE, NO_INFORMATION, NOT_SUPPORTED})
_BOOLEANS = {"true": True, "false": False}
_YEAR = r"(?:\d{3}[1-9]|\d\d[1-9]\d|\d[1-9]\d\d|[1-9]\d{3})"  # there is no year 0000
_TIME = rf"^{_YEAR}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00)$"
_CONTROLS = ("\x00", "\r", SEPARATOR)
_ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)
_USER_ARN = re.compile(r"arn:[a-z0-9-]+:iam::(\d{12}):(user/.+|root)", re.ASCII | re.DOTALL)
TIME_DTYPE = pd.DatetimeTZDtype(unit="ms", tz="UTC")
_TIME_TYPE = pa.timestamp("ms", tz="UTC")


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """
    What is known of an account besides its report, where a check needs it.

    `password_present` is GetAccountSummary's AccountPasswordPresent (does root have a password), and
    `managed_centrally` whether the organization manages root credentials centrally
    (ListOrganizationsFeatures): None where AWS did not say. `is_stale` marks a report that was older when
    fetched than the settings allow: then nothing can be told of its rows.
    """

    password_present: bool | None = None
    managed_centrally: bool | None = None
    is_management: bool = False
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class ReportRows:
    """
    One account's report, its shape checked and its values still text, in `REPORT_COLUMNS` order.

    `lines` holds one text for each row, its values parted by `SEPARATOR`: a list for each row would cost
    more than all that is done with most of them. `others` holds, for each row, the columns this version
    does not know, as JSON text or None. `partition` is what all rows' ARNs name, such as `aws`.
    """

    account_id: AccountId
    generated_time: datetime
    partition: str
    lines: Sequence[str]
    others: Sequence[str | None]

    @property
    def users(self) -> int:
        """
        How many IAM users the report lists; the root row is not one.
        """
        return len(self.lines) - 1

    @property
    def rows(self) -> list[list[str]]:
        """
        The rows as lists of values, root's among them, in the report's order.
        """
        return [line.split(SEPARATOR) for line in self.lines]


def parse_report(content: bytes, account_id: AccountId, generated_time: datetime) -> ReportRows:
    """
    Check the shape of one account's report and return its rows as text, or raise `ReportError`.

    Checked: UTF-8, the required columns and no column twice, the width of each line, that every
    row's ARN belongs to `account_id` and ends in the row's user, exactly one root row, and no user
    twice. What it cannot show is a report cut off exactly between two lines: `IAM` knows how many
    users there are, and `scanner.evidence.replay` compares.
    """
    header, *lines = _split_lines(content)
    rows = _read_usual(header, lines, account_id)
    if rows is not None:
        return ReportRows(account_id, generated_time, "aws", rows, [None] * len(rows))
    return _read_lines(_parse_header(header), lines, account_id, generated_time)


def _read_usual(header: str, lines: Sequence[str], account_id: AccountId) -> list[str] | None:
    """
    Read a report that is as nearly all are, or return None: then `_read_lines` has to look at it.

    Usual is the live layout in the commercial partition, without quotation marks and paths, and everything
    right with it. It only ever says what `_read_lines` would say, at a fifth of the cost.
    """
    text = "\n".join(lines)
    if header != _USUAL_HEADER or '"' in text or not _ACCOUNT_ID.fullmatch(account_id):
        return None
    rows = text.replace(",", SEPARATOR).split("\n")
    prefix, width = f"arn:aws:iam::{account_id}:user/", len(REPORT_COLUMNS) - 1
    root = f"{ROOT_USER}{SEPARATOR}arn:aws:iam::{account_id}:root{SEPARATOR}"
    users = []
    for row in rows:
        user, _, rest = row.partition(SEPARATOR)
        known = rest.startswith(f"{prefix}{user}{SEPARATOR}")
        if user == ROOT_USER:
            known = row.startswith(root)
        if row.count(SEPARATOR) != width or not known:
            return None
        users.append(user)
    # IAM names hold neither of these; only root's own row has one, once.
    if "/" in "".join(users) or "".join(users).count("<") != 1 or "" in users:
        return None
    if len({user.casefold() for user in users}) != len(users) or ROOT_USER not in users:
        return None
    return rows


def _read_lines(
    header: Sequence[str], lines: Sequence[str], account_id: AccountId, generated_time: datetime
) -> ReportRows:
    """
    Read a report line by line, whatever its layout, or raise `ReportError` for the first that is wrong.
    """
    order = [header.index(name) for name in REPORT_COLUMNS]
    known = set(REPORT_COLUMNS)
    extra = [index for index, name in enumerate(header) if name not in known]
    rows: list[str] = []
    others: list[str | None] = []
    seen: set[str] = set()
    partitions: set[str] = set()
    for number, line in enumerate(lines, start=2):
        fields = _parse_line(line, number, header)
        values = [fields[index] for index in order]
        user, arn = values[:2]
        partitions.add(_check_identity(user, arn, account_id, number))
        # User names are unique in an account without regard to case (IAM quotas page).
        folded = user.casefold()
        if folded in seen:
            raise ReportError("the user appears a second time", line=number, column="user")
        seen.add(folded)
        rows.append(SEPARATOR.join(values))
        others.append(_describe_others(header, fields, extra) if extra else None)
    if len(partitions) > 1:
        raise ReportError("rows of more than one AWS partition", column="arn")
    if ROOT_USER not in seen:
        raise ReportError(f"no {ROOT_USER} row among {len(rows)} rows; the report is not whole")
    return ReportRows(account_id, generated_time, partitions.pop(), rows, others)


def build_table(
    reports: Iterable[ReportRows], facts: Mapping[AccountId, AccountFacts] | None = None
) -> pd.DataFrame:
    """
    Type the rows of many reports into one table, sorted by account id and ARN.

    `facts` holds what else is known of each account; an account that is missing there has
    `AccountFacts()`. The module's own text lists the columns and their dtypes. It never raises for a value
    it cannot interpret: the cell is missing and the column is named in `uninterpretable`.
    """
    reports = list(reports)
    text = _list_columns(reports)
    repeat = _Repeat(reports)
    generated = repeat([report.generated_time for report in reports], _TIME_TYPE)
    sentinels, uninterpretable = _Notes(text.num_rows), _Notes(text.num_rows)
    typed = {
        name: _type_column(name, text[name].combine_chunks(), generated, sentinels, uninterpretable)
        for name in REPORT_COLUMNS[2:]
    }
    known = [(facts or {}).get(report.account_id, AccountFacts()) for report in reports]
    table = pa.table(
        {
            "account_id": repeat([str(report.account_id) for report in reports], pa.string()),
            "user": text["user"],
            "arn": text["arn"],
            "is_root": pc.equal(text["user"], ROOT_USER),
            "generated_time": generated,
            **typed,
            "sentinels": sentinels.as_array().dictionary_encode(),
            "uninterpretable": uninterpretable.as_array().dictionary_encode(),
            "other_columns": pa.array(
                [other for report in reports for other in report.others], pa.string()
            ),
            **{
                name: repeat([getattr(fact, name) for fact in known], pa.bool_())
                for name in AccountFacts.__slots__
            },
        }
    )
    order = pc.sort_indices(table, sort_keys=[("account_id", "ascending"), ("arn", "ascending")])
    frame: pd.DataFrame = table.take(order).to_pandas(types_mapper=_DTYPES.get)
    return frame.astype(dict.fromkeys(("is_root", "is_management", "is_stale"), "bool"))


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
    """
    Return a bool mask of the rows whose notes hold this one. The few distinct notes are read, not the rows.
    """
    hits = [note in distinct.split("; ") for distinct in notes.cat.categories]
    if not any(hits):
        return pd.Series(np.zeros(len(notes), "bool"), index=notes.index)
    # The last one answers for rows without notes, whose code is -1.
    return pd.Series(np.array([*hits, False])[notes.cat.codes.to_numpy()], index=notes.index)


def _refuse_controls(text: str) -> None:
    for control in _CONTROLS:
        if control in text:
            number = text.count("\n", 0, text.index(control)) + 1
            raise ReportError("a control character, which no report holds", line=number)


def _split_lines(content: bytes) -> list[str]:
    """
    Return the lines. A line feed always ends a row, since no IAM name or path can hold one.
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
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").removesuffix("\r").removesuffix("\n")
    _refuse_controls(text)
    lines = text.split("\n")
    if max(map(len, lines)) > MAX_LINE:
        longest = max(lines, key=len)
        raise ReportError(
            f"a line of {len(longest)} characters, more than a row can have",
            line=lines.index(longest) + 1,
        )
    if len(lines) == 1:
        raise ReportError("a header and no rows; even an account without users has a root row")
    return lines


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


def _check_identity(user: str, arn: str, account_id: AccountId, number: int) -> str:
    """
    Hold a row's user against its ARN and the account that was asked for, and return the ARN's partition.
    """
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
    return arn.split(":", 2)[1]


def _describe_others(
    header: Sequence[str], fields: Sequence[str], extra: Sequence[int]
) -> str | None:
    return json.dumps({header[index]: fields[index] for index in extra}, ensure_ascii=False)


_DTYPES = {pa.bool_(): pd.BooleanDtype()}


_READ = pa_csv.ReadOptions(column_names=list(REPORT_COLUMNS), use_threads=False)
_PARSE = pa_csv.ParseOptions(delimiter=SEPARATOR, quote_char=False, escape_char=False)
_CONVERT = pa_csv.ConvertOptions(
    column_types=dict.fromkeys(REPORT_COLUMNS, pa.string()), strings_can_be_null=False
)


def _list_columns(reports: Sequence[ReportRows]) -> pa.Table:
    """
    Turn the rows of many reports into one text column for each of the report's columns.

    Each line was checked before: it has all the values, and nothing in it can be taken for another row.
    """
    lines = "\n".join(line for report in reports for line in report.lines)
    if not lines:
        return pa.table({name: pa.array([], pa.string()) for name in REPORT_COLUMNS})
    table = pa_csv.read_csv(pa.BufferReader(lines.encode()), _READ, _PARSE, _CONVERT)
    return table.combine_chunks()


class _Repeat:
    """
    Repeats one value of each report for all of its rows.
    """

    def __init__(self, reports: Sequence[ReportRows]) -> None:
        counts = [len(report.lines) for report in reports]
        self._index = pa.array(
            [index for index, n in enumerate(counts) for _ in range(n)], pa.int64()
        )

    def __call__(self, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind).take(self._index)


class _Notes:
    """
    Notes on rows, joined by `; `. Nearly all rows have none, so only the others are touched.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._notes: dict[int, str] = {}

    def add(self, mask: pa.Array, note: str) -> None:
        for index in pc.indices_nonzero(pc.fill_null(mask, fill_value=False)).to_pylist():
            before = self._notes.get(index)
            self._notes[index] = f"{before}; {note}" if before else note

    def as_array(self) -> pa.Array:
        if not self._notes:
            return pa.nulls(self._rows, pa.string())
        return pa.array([self._notes.get(index) for index in range(self._rows)], pa.string())


def _type_column(
    name: str, text: pa.Array, generated: pa.Array, sentinels: _Notes, uninterpretable: _Notes
) -> pa.Array:
    """
    Type one column by its distinct values, and note sentinels and what cannot be interpreted.
    """
    if name in TEXT_COLUMNS:
        named = pc.is_in(text, pa.array([NOT_APPLICABLE, ""]))
        return pc.if_else(named, pa.scalar(None, pa.string()), text)
    encoded = text.dictionary_encode()
    values: list[str] = encoded.dictionary.to_pylist() if name in BOOLEAN_COLUMNS else []
    if name in BOOLEAN_COLUMNS:
        meanings = pa.array([_BOOLEANS.get(value.lower()) for value in values], pa.bool_())
    else:
        meanings = _parse_times(encoded.dictionary)
    for sentinel in (NO_INFORMATION, NOT_SUPPORTED):
        code = pc.index(encoded.dictionary, sentinel).as_py()
        if code >= 0:
            sentinels.add(pc.equal(encoded.indices, code), f"{name}={sentinel}")
    unclear = pc.and_(
        pc.is_null(meanings), pc.invert(pc.is_in(encoded.dictionary, pa.array(sorted(_SENTINELS))))
    )
    if pc.any(unclear).as_py():
        uninterpretable.add(unclear.take(encoded.indices), name)
    typed = meanings.take(encoded.indices)
    if name in TIME_COLUMNS and name != NEXT_ROTATION:
        return _refuse_future(name, typed, generated, uninterpretable)
    return typed


def _refuse_future(
    name: str, times: pa.Array, generated: pa.Array, uninterpretable: _Notes
) -> pa.Array:
    """
    Take out times at which nothing can have happened yet when the report was made.
    """
    ahead = pc.greater(times, pc.add(generated, pa.scalar(AHEAD, pa.duration("ms"))))
    if not pc.any(ahead).as_py():
        return times
    uninterpretable.add(ahead, name)
    return pc.if_else(pc.fill_null(ahead, fill_value=False), pa.scalar(None, _TIME_TYPE), times)


def _parse_times(values: pa.Array) -> pa.Array:
    """
    Read times as AWS writes them; what is none becomes null.
    """
    well_formed = pc.if_else(
        pc.match_substring_regex(values, _TIME), values, pa.scalar(None, pa.string())
    )
    try:
        return pc.cast(well_formed, _TIME_TYPE)
    except pa.ArrowInvalid:  # one of them is no day of the calendar, so each is tried alone
        return pa.array([_parse_time(value) for value in well_formed.to_pylist()], _TIME_TYPE)


def _parse_time(value: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
