"""
What a table of credentials says, in three values: yes, no, and not known.

Ages are whole days, counted from a time to the report's own `generated_time` and rounded down, so the
same report gives the same ages years later.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from scanner.credentials import (
    NO_INFORMATION,
    NOT_SUPPORTED,
    is_false,
    is_true,
    is_uninterpretable,
    says,
)
from scanner.model import ROOT_USER

SLOTS = (1, 2)
"""
The report shows two access keys and two signing certificates of each user, each by itself.
"""

_DAY = 24 * 60 * 60 * 1000
_MINUTE = 60 * 1000
_NEVER = np.iinfo("int64").min


def every_row(table: pd.DataFrame, *, value: bool = True) -> pd.Series:
    """
    Return a nullable boolean that has one value in every row.
    """
    return pd.Series(value, index=table.index, dtype="boolean")


def has_active_key(table: pd.DataFrame) -> pd.Series:
    """
    Tell whether either access key is active. One active key is enough; both must be readable for a no.
    """
    return table["access_key_1_active"] | table["access_key_2_active"]


def has_active_certificate(table: pd.DataFrame) -> pd.Series:
    """
    Tell whether either signing certificate is active.
    """
    return table["cert_1_active"] | table["cert_2_active"]


def moments(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """
    Return a column of times as milliseconds (int64) and a mask of those that are missing.
    """
    index = pd.DatetimeIndex(table[column])
    return index.asi8, np.asarray(index.isna())


_AGED = (
    "password_last_used",
    "password_last_changed",
    *(f"access_key_{slot}_{what}" for slot in SLOTS for what in ("last_rotated", "last_used_date")),
)


def remember_facts(table: pd.DataFrame) -> pd.DataFrame:
    """
    Return the table with the facts that many checks ask for, so that each is found out once.

    The further columns are named by what they hold, such as `days since password_last_used`.
    """
    ages = {_days(column): count_days(table, column) for column in _AGED}
    uses = [column for column in _AGED if "used" in column]
    never = {_never(column): is_never(table, column) for column in uses}
    return table.assign(**ages, **never, **{_UNUSED: was_password_never_used(table)})


_UNUSED = "password never used"


def _days(column: str) -> str:
    return f"days since {column}"


def _never(column: str) -> str:
    return f"never {column}"


def count_days(table: pd.DataFrame, column: str) -> pd.Series:
    """
    Return the whole days from a time to the report's own (Int64), missing where the time is.
    """
    if _days(column) in table:
        return table[_days(column)]
    values, missing = moments(table, column)
    made, _ = moments(table, "generated_time")
    days = (made - np.where(missing, made, values)) // _DAY
    return pd.Series(pd.arrays.IntegerArray(days, missing.copy()), index=table.index)


def count_minutes_between(table: pd.DataFrame, earlier: str, later: str) -> pd.Series:
    """
    Return the minutes from one column's time to another's (Float64), missing where either is.
    """
    first, first_missing = moments(table, earlier)
    second, second_missing = moments(table, later)
    missing = first_missing | second_missing
    minutes = np.where(missing, 0, second - first) / _MINUTE
    return pd.Series(pd.arrays.FloatingArray(minutes, missing), index=table.index)


def is_never(table: pd.DataFrame, column: str) -> pd.Series:
    """
    Tell where AWS wrote `N/A`, as a nullable boolean: <NA> where it wrote what it does not document there.
    """
    if _never(column) in table:
        return table[_never(column)]
    present = table[column].notna()
    other = is_uninterpretable(table, column) | says_other(table, column)
    return (~present).astype("boolean").mask(~present & other)


def says_other(table: pd.DataFrame, column: str) -> pd.Series:
    """
    Return a bool mask of the rows where AWS wrote another word than `N/A` for a missing value.
    """
    return says(table, column, NO_INFORMATION) | says(table, column, NOT_SUPPORTED)


def was_password_never_used(table: pd.DataFrame) -> pd.Series:
    """
    Tell where no use of the password is on record, as a nullable boolean.

    `no_information` says so, and `N/A` says that there is no password; with a password, `N/A` contradicts
    itself (IAM user guide, credential reports) and is not known.
    """
    if _UNUSED in table:
        return table[_UNUSED]
    column = "password_last_used"
    no_password = is_never(table, column)
    never = no_password.mask(says(table, column, NO_INFORMATION), other=True)
    return never.mask(is_true(no_password) & ~is_false(table["password_enabled"]))


def write_dates(rows: pd.DataFrame, column: str) -> list[str]:
    """
    Write a column of times as dates such as `2026-07-27`, empty where the time is missing.
    """
    return write_newest(rows, {column: None})


def write_newest(rows: pd.DataFrame, columns: Mapping[str, pd.Series | None]) -> list[str]:
    """
    Write the date of the newest of several times in each row, empty where all are missing.

    A column may come with a bool mask of the rows in which it counts.
    """
    newest = np.full(len(rows), _NEVER)
    for column, counts in columns.items():
        values, missing = moments(rows, column)
        passed = missing if counts is None else missing | ~counts.to_numpy()
        newest = np.maximum(newest, np.where(passed, _NEVER, values))
    # There are few days and many times, and writing a date is the dear part.
    days, place = np.unique(newest // _DAY, return_inverse=True)
    first = 1 if len(days) and days[0] == _NEVER // _DAY else 0
    dates = np.array(
        [""] * first + list(np.datetime_as_string(days[first:].astype("M8[D]"))), dtype=object
    )
    return [str(date) for date in dates[place]]


def list_active(rows: pd.DataFrame, prefix: str, noun: str) -> list[str]:
    """
    Name the active keys or certificates of each row, with the date since which each is there.
    """
    words = [""] * len(rows)
    for slot in SLOTS:
        active = is_true(rows[f"{prefix}_{slot}_active"])
        dates = write_dates(rows, f"{prefix}_{slot}_last_rotated")
        for index, (held, date) in enumerate(zip(active, dates, strict=True)):
            if held:
                since = f" since {date}" if date else ""
                words[index] += f"{'; ' if words[index] else ''}{noun} {slot} active{since}"
    return words


def name_unclear(rows: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """
    Say which of the columns that a check reads leave it open, one text for each row.
    """
    odd = _list_by_row(rows, {column: _is_unclear(rows, column) for column in columns})
    missing = _list_by_row(rows, {column: rows[column].isna() for column in columns})
    return [
        "the report was too old when it was fetched to say anything"
        if stale
        else f"the report does not make clear: {', '.join(first or second)}"
        for stale, first, second in zip(rows["is_stale"], odd, missing, strict=True)
    ]


def _is_unclear(rows: pd.DataFrame, column: str) -> pd.Series:
    """
    Return a bool mask of the rows where a column holds what AWS does not document there.
    """
    odd = is_uninterpretable(rows, column)
    if column == "password_last_used" and "password_enabled" in rows:
        return odd | was_password_never_used(rows).isna() & rows[column].isna()
    if column == "password_enabled":
        # Older reports write it of root, and `has_root_password` knows what it means there.
        is_root = (rows["user"] == ROOT_USER).to_numpy()
        return odd | says_other(rows, column) & ~is_root
    return odd | says_other(rows, column)


def _list_by_row(rows: pd.DataFrame, masks: dict[str, pd.Series]) -> list[list[str]]:
    named: list[list[str]] = [[] for _ in range(len(rows))]
    for column, mask in masks.items():
        for index in mask.to_numpy().nonzero()[0].tolist():
            named[index].append(column)
    return named
