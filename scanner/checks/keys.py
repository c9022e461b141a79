"""
Access keys: how old, how long unused, how many. Each of the two slots is judged by itself.

The report shows at most two keys of a user. `access_key_n_last_rotated` is the time the key was made
(a live capture of September 2026: it keeps its value when a key's status changes).
"""

import pandas as pd
from pydantic import Field

from scanner.checks.facts import (
    SLOTS,
    count_days,
    count_minutes_between,
    has_active_key,
    is_never,
    write_dates,
)
from scanner.checks.limits import AgeLimit, Days45OrMore, Over90Days
from scanner.checks.registry import Parameters, Subject, check, decide
from scanner.credentials import is_true
from scanner.model import Severity

_ACTIVE = ("access_key_1_active", "access_key_2_active")
_ROTATED = ("access_key_1_last_rotated", "access_key_2_last_rotated")
_USED = ("access_key_1_last_used_date", "access_key_2_last_used_date")


def count_unused_days(table: pd.DataFrame, slot: int) -> pd.Series:
    """
    Return the whole days a key went unused (Int64): since its last use, or since it was made.

    A key that was never used counts from its issue date (CIS AWS Foundations Benchmark, audit of unused
    credentials).
    """
    never = is_true(is_never(table, _USED[slot - 1]))
    return count_days(table, _USED[slot - 1]).mask(never, count_days(table, _ROTATED[slot - 1]))


def _fails(table: pd.DataFrame, parameters: AgeLimit, slot: int, days: pd.Series) -> pd.Series:
    return table[_ACTIVE[slot - 1]] & parameters.exceeds(days)


def _tell(first: list[str], second: list[str]) -> list[str]:
    """
    Put what is said of both keys into one text for each row.
    """
    return [
        f"{one}; {two}" if one and two else one or two
        for one, two in zip(first, second, strict=True)
    ]


def _observe_unused(rows: pd.DataFrame, parameters: AgeLimit) -> list[str]:
    words = []
    for slot in SLOTS:
        days = count_unused_days(rows, slot)
        failed = is_true(_fails(rows, parameters, slot, days))
        never = is_true(is_never(rows, _USED[slot - 1]))
        words.append(
            [
                ""
                if not fails
                else f"access key {slot} never used, {count} days old"
                if unused
                else f"access key {slot} unused for {count} days"
                for fails, unused, count in zip(
                    failed.tolist(), never.tolist(), days.tolist(), strict=True
                )
            ]
        )
    return _tell(*words)


@check(
    "access-key-unused",
    title="Unused access key",
    subject=Subject.USER,
    severity=Severity.MEDIUM,
    condition=(
        "An IAM user with an active access key whose last_used_date (or last_rotated, where the key was "
        "never used) is {operator} {days} whole days before the report. Each key is judged by itself."
    ),
    exempt="the user has no active access key",
    columns=(*_ACTIVE, *_USED, *_ROTATED),
    observe=_observe_unused,
    parameters=Days45OrMore,
)
def judge_access_key_unused(table: pd.DataFrame, parameters: AgeLimit) -> pd.Series:
    """
    Fail each IAM user with an active access key that was not used for too long.

    Source: CIS AWS Foundations Benchmark, credentials unused for 45 days or greater.
    """
    first, second = (
        _fails(table, parameters, slot, count_unused_days(table, slot)) for slot in SLOTS
    )
    return decide(
        table, about=~table["is_root"], applies=has_active_key(table), violated=first | second
    )


def _observe_age(rows: pd.DataFrame, parameters: AgeLimit) -> list[str]:
    words = []
    for slot in SLOTS:
        days = count_days(rows, _ROTATED[slot - 1])
        failed = is_true(_fails(rows, parameters, slot, days))
        dates = write_dates(rows, _ROTATED[slot - 1])
        words.append(
            [
                f"access key {slot} is {count} days old (since {date})" if fails else ""
                for fails, count, date in zip(failed.tolist(), days.tolist(), dates, strict=True)
            ]
        )
    return _tell(*words)


@check(
    "access-key-age",
    title="Old access key",
    subject=Subject.USER,
    severity=Severity.MEDIUM,
    condition=(
        "An IAM user with an active access key whose last_rotated is {operator} {days} whole days before "
        "the report. Each key is judged by itself."
    ),
    exempt="the user has no active access key",
    columns=(*_ACTIVE, *_ROTATED),
    observe=_observe_age,
    parameters=Over90Days,
)
def judge_access_key_age(table: pd.DataFrame, parameters: AgeLimit) -> pd.Series:
    """
    Fail each IAM user with an active access key that is too old.

    Source: CIS AWS Foundations Benchmark, access keys rotated every 90 days or less.
    """
    first, second = (
        _fails(table, parameters, slot, count_days(table, _ROTATED[slot - 1])) for slot in SLOTS
    )
    return decide(
        table, about=~table["is_root"], applies=has_active_key(table), violated=first | second
    )


class Setup(Parameters):
    """
    How soon after its user a key was made to count as made at set-up. None counts every key.
    """

    within_minutes: int | None = Field(default=None, ge=0, le=60 * 24 * 365)


def _made_at_setup(table: pd.DataFrame, parameters: Setup, slot: int) -> pd.Series:
    never = table[_ACTIVE[slot - 1]] & is_never(table, _USED[slot - 1])
    if parameters.within_minutes is None:
        return never
    minutes = count_minutes_between(table, "user_creation_time", _ROTATED[slot - 1])
    return never & (minutes <= parameters.within_minutes)


def _observe_setup(rows: pd.DataFrame, parameters: Setup) -> list[str]:
    words = []
    for slot in SLOTS:
        failed = is_true(_made_at_setup(rows, parameters, slot))
        dates = write_dates(rows, _ROTATED[slot - 1])
        words.append(
            [
                f"console password, and access key {slot} of {date or 'unknown date'} never used"
                if fails
                else ""
                for fails, date in zip(failed.tolist(), dates, strict=True)
            ]
        )
    return _tell(*words)


@check(
    "setup-key-never-used",
    title="Access key of a console user, never used",
    subject=Subject.USER,
    severity=Severity.LOW,
    condition=(
        "An IAM user with password_enabled true and an active access key whose last_used_date is N/A. "
        "Keys made within {within_minutes} minutes of the user count."
    ),
    exempt="the user has no console password, or no active access key",
    columns=("password_enabled", *_ACTIVE, *_USED, *_ROTATED, "user_creation_time"),
    observe=_observe_setup,
    parameters=Setup,
)
def judge_setup_key_never_used(table: pd.DataFrame, parameters: Setup) -> pd.Series:
    """
    Fail each console user who holds an access key that was never used, in either slot.

    Source: CIS AWS Foundations Benchmark up to 6.0, no access keys at set-up of console users.
    """
    first, second = (_made_at_setup(table, parameters, slot) for slot in SLOTS)
    return decide(
        table,
        about=~table["is_root"],
        applies=table["password_enabled"] & has_active_key(table),
        violated=first | second,
    )


class Grace(Parameters):
    """
    For how many days after the newer key was made two are allowed, so that keys can be exchanged.
    """

    grace_days: int = Field(default=0, ge=0, le=3650)


def _observe_two(rows: pd.DataFrame, _: Grace) -> list[str]:
    first, second = (write_dates(rows, column) for column in _ROTATED)
    return [
        f"two active access keys, of {one or 'unknown date'} and {two or 'unknown date'}"
        for one, two in zip(first, second, strict=True)
    ]


@check(
    "two-active-keys",
    title="Two active access keys",
    subject=Subject.USER,
    severity=Severity.LOW,
    condition=(
        "An IAM user with access_key_1_active and access_key_2_active true. With days of grace "
        "({grace_days}; 0 is none) both keys are also older than that many whole days."
    ),
    exempt="the user has no active access key",
    columns=(*_ACTIVE, *_ROTATED),
    observe=_observe_two,
    parameters=Grace,
)
def judge_two_active_keys(table: pd.DataFrame, parameters: Grace) -> pd.Series:
    """
    Fail each IAM user with two active access keys.

    Source: CIS AWS Foundations Benchmark up to 6.0, one active access key for a user.
    """
    both = table[_ACTIVE[0]] & table[_ACTIVE[1]]
    if parameters.grace_days:
        for column in _ROTATED:
            both = both & (count_days(table, column) > parameters.grace_days)
    return decide(table, about=~table["is_root"], applies=has_active_key(table), violated=both)
