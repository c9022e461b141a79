"""
Console passwords: how long unused, how old where nothing else protects them, and overdue changes.
"""

import pandas as pd
from pydantic import Field

from scanner.checks.facts import (
    count_days,
    count_minutes_between,
    is_never,
    moments,
    was_password_never_used,
    write_dates,
)
from scanner.checks.limits import AgeLimit, Days45OrMore, Over90Days
from scanner.checks.registry import NoParameters, Parameters, Subject, check, decide
from scanner.credentials import NO_INFORMATION, NOT_APPLICABLE, says
from scanner.model import Severity

_ENABLED = "password_enabled"
_USED = "password_last_used"
_CHANGED = "password_last_changed"
_NEXT = "password_next_rotation"


def _count_unused_days(table: pd.DataFrame) -> pd.Series:
    """
    Return the whole days a password went unused (Int64): since its last use, or since it was set.
    """
    never = says(table, _USED, NO_INFORMATION)
    return count_days(table, _USED).mask(never, count_days(table, _CHANGED))


def _observe_unused(rows: pd.DataFrame, _: AgeLimit) -> list[str]:
    days = _count_unused_days(rows)
    return [
        f"console password unused for {count} days"
        if used
        else f"console password never used, set {count} days ago"
        for count, used in zip(days.tolist(), rows[_USED].notna().tolist(), strict=True)
    ]


@check(
    "password-unused",
    title="Unused console password",
    subject=Subject.USER,
    severity=Severity.MEDIUM,
    condition=(
        "An IAM user with password_enabled true whose password_last_used (or password_last_changed, where "
        "that is no_information) is {operator} {days} whole days before the report."
    ),
    exempt="the user has no console password",
    columns=(_ENABLED, _USED, _CHANGED),
    observe=_observe_unused,
    parameters=Days45OrMore,
)
def judge_password_unused(table: pd.DataFrame, parameters: AgeLimit) -> pd.Series:
    """
    Fail each IAM user with a console password that was not used for too long.

    Source: CIS AWS Foundations Benchmark, credentials unused for 45 days or greater.
    """
    return decide(
        table,
        about=~table["is_root"],
        applies=table[_ENABLED],
        violated=parameters.exceeds(_count_unused_days(table)),
    )


def _observe_age(rows: pd.DataFrame, _: AgeLimit) -> list[str]:
    days = count_days(rows, _CHANGED)
    return [
        f"password without MFA is {count} days old (since {date})"
        for count, date in zip(days.tolist(), write_dates(rows, _CHANGED), strict=True)
    ]


@check(
    "single-factor-password-age",
    title="Old password as the only factor",
    subject=Subject.USER,
    severity=Severity.MEDIUM,
    condition=(
        "An IAM user with password_enabled true and mfa_active false whose password_last_changed is "
        "{operator} {days} whole days before the report. With MFA the check does not apply."
    ),
    exempt="the user has no console password, or has MFA",
    columns=(_ENABLED, "mfa_active", _CHANGED),
    observe=_observe_age,
    parameters=Over90Days,
)
def judge_single_factor_password_age(table: pd.DataFrame, parameters: AgeLimit) -> pd.Series:
    """
    Fail each IAM user whose password is the only factor and is too old.

    Source: PCI SSC FAQ 1590: the rule on the age of passwords is about those that are the sole factor.
    """
    return decide(
        table,
        about=~table["is_root"],
        applies=table[_ENABLED] & ~table["mfa_active"],
        violated=parameters.exceeds(count_days(table, _CHANGED)),
    )


class FirstMinutes(Parameters):
    """
    How close to its user a password was set to count as the first one.
    """

    minutes: int = Field(default=5, ge=0, le=60 * 24 * 365)


def _observe_initial(rows: pd.DataFrame, _: FirstMinutes) -> list[str]:
    return [
        f"signed in on {used} with the password of {changed}, when the user was made"
        for used, changed in zip(write_dates(rows, _USED), write_dates(rows, _CHANGED), strict=True)
    ]


@check(
    "initial-password-unchanged",
    title="First password still in use",
    subject=Subject.USER,
    severity=Severity.LOW,
    condition=(
        "An IAM user with password_enabled true who has signed in and whose password_last_changed lies "
        "within {minutes} minutes of user_creation_time. The report does not show whether a change was asked for."
    ),
    exempt="the user has no console password",
    columns=(_ENABLED, _USED, _CHANGED, "user_creation_time"),
    observe=_observe_initial,
    parameters=FirstMinutes,
    is_lead=True,
)
def judge_initial_password_unchanged(table: pd.DataFrame, parameters: FirstMinutes) -> pd.Series:
    """
    Ask about each IAM user who signs in with the password that was set when the user was made.
    """
    minutes = count_minutes_between(table, "user_creation_time", _CHANGED).abs()
    used = (~was_password_never_used(table)).mask(table[_USED].notna(), other=True)
    return decide(
        table,
        about=~table["is_root"],
        applies=table[_ENABLED],
        violated=used & (minutes <= parameters.minutes),
    )


def _observe_overdue(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return [f"password change was due on {date}" for date in write_dates(rows, _NEXT)]


@check(
    "password-rotation-overdue",
    title="Password change overdue",
    subject=Subject.USER,
    severity=Severity.LOW,
    condition=(
        "An IAM user whose password_next_rotation lies before the report's own time. Where it is "
        f"{NOT_APPLICABLE}, the account asks for no regular change, and the check does not apply."
    ),
    exempt="the account asks for no regular change of this user's password",
    columns=(_NEXT,),
    observe=_observe_overdue,
)
def judge_password_rotation_overdue(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Fail each IAM user whose password should have been changed by the account's own policy.
    """
    due, missing = moments(table, _NEXT)
    made, _ = moments(table, "generated_time")
    return decide(
        table,
        about=~table["is_root"],
        applies=~is_never(table, _NEXT),
        violated=pd.Series(pd.arrays.BooleanArray(due < made, missing.copy()), index=table.index),
    )
