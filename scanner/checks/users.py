"""
The user as a whole: inactive, shared, without credentials, or with more than the report shows.
"""

import json
import re
from typing import Any

import pandas as pd
from pydantic import Field

from scanner.checks.facts import (
    count_days,
    every_row,
    has_active_certificate,
    has_active_key,
    is_never,
    was_password_never_used,
    write_dates,
    write_newest,
)
from scanner.checks.limits import AgeLimit, Over90Days
from scanner.checks.registry import NoParameters, Parameters, Subject, check, decide
from scanner.credentials import NOT_APPLICABLE, is_true
from scanner.model import Severity

_ENABLED = ("password_enabled", "access_key_1_active", "access_key_2_active")
_USED = ("password_last_used", "access_key_1_last_used_date", "access_key_2_last_used_date")
_ISSUED = ("password_last_changed", "access_key_1_last_rotated", "access_key_2_last_rotated")
_CERTIFICATES = ("cert_1_active", "cert_2_active")
_EXTRA = "additional_credentials_info"


def _observe_inactive(rows: pd.DataFrame, _: AgeLimit) -> list[str]:
    used = write_newest(rows, dict.fromkeys(_USED))
    enabled = (is_true(rows[column]) for column in _ENABLED)
    issued = write_newest(rows, dict(zip(_ISSUED, enabled, strict=True)))
    return [
        f"no activity since {last}" if last else f"never active; newest credential of {issue}"
        for last, issue in zip(used, issued, strict=True)
    ]


@check(
    "user-inactive",
    title="Inactive user",
    subject=Subject.USER,
    severity=Severity.MEDIUM,
    condition=(
        "An IAM user with a password or an active access key whose newest use of any credential (those "
        "switched off included) is {operator} {days} whole days before the report. Where none was ever "
        "used, the newest issue date of an enabled credential counts."
    ),
    exempt="the user has neither a console password nor an active access key",
    columns=(*_ENABLED, *_USED, *_ISSUED),
    observe=_observe_inactive,
    parameters=Over90Days,
)
def judge_user_inactive(table: pd.DataFrame, parameters: AgeLimit) -> pd.Series:
    """
    Fail each IAM user none of whose credentials was used for too long: the account, not one credential.

    Source: PCI SSC FAQ 1066: an account is inactive when it was not used in over 90 days.
    """
    never = (was_password_never_used(table), *(is_never(table, column) for column in _USED[1:]))
    used = every_row(table, value=False)
    in_use = every_row(table, value=False)
    is_new = every_row(table, value=False)
    for enabled, last, issued, unused in zip(_ENABLED, _USED, _ISSUED, never, strict=True):
        idle = is_true(unused)
        used = used | (~unused).mask(table[last].notna(), other=True)
        in_use = in_use | (~parameters.exceeds(count_days(table, last))).mask(idle, other=False)
        is_new = is_new | (table[enabled] & ~parameters.exceeds(count_days(table, issued)))
    return decide(
        table,
        about=~table["is_root"],
        applies=table["password_enabled"] | has_active_key(table),
        violated=~in_use & (used | ~is_new),
    )


def _observe_both(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return ["console password and active access key: a person's user or a workload's"] * len(rows)


@check(
    "console-and-active-key",
    title="Console password beside an access key",
    subject=Subject.USER,
    severity=Severity.INFO,
    condition=(
        "An IAM user with password_enabled true and an active access key. A workload's user needs no "
        "password; the report does not show whose the user is."
    ),
    exempt="the user has no console password",
    columns=_ENABLED,
    observe=_observe_both,
    is_lead=True,
)
def judge_console_and_active_key(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Ask about each IAM user that has both a console password and an active access key.
    """
    return decide(
        table,
        about=~table["is_root"],
        applies=table["password_enabled"],
        violated=has_active_key(table),
    )


class NamePatterns(Parameters):
    """
    Which names look shared: `*` stands for anything, `?` for one character, and case does not count.
    """

    patterns: list[str] = Field(
        default=[
            "admin",
            "admin?",
            "admin??",
            "administrator",
            "root",
            "test*",
            "shared*",
            "*-shared",
            "generic*",
            "temp*",
            "guest*",
            "default",
            "user",
            "user?",
            "user??",
            "service",
            "svc-*",
            "svc_*",
            "support",
            "ops",
            "devops",
            "dev",
            "backup",
            "break-glass*",
            "breakglass*",
        ],
        min_length=1,
    )


def _compile(patterns: list[str]) -> str:
    """
    Turn patterns into one regular expression.
    """
    parts = [re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in patterns]
    return f"(?i)(?:{'|'.join(parts)})"


def _observe_generic(rows: pd.DataFrame, _: NamePatterns) -> list[str]:
    return ["the name looks like one that several people share"] * len(rows)


@check(
    "generic-username",
    title="Name that looks shared",
    subject=Subject.USER,
    severity=Severity.INFO,
    condition="An IAM user whose name matches, whatever its case, one of: {patterns}.",
    columns=("user",),
    observe=_observe_generic,
    parameters=NamePatterns,
    is_lead=True,
)
def judge_generic_username(table: pd.DataFrame, parameters: NamePatterns) -> pd.Series:
    """
    Ask about each IAM user whose name looks as if several people shared it.
    """
    matches = table["user"].str.fullmatch(_compile(parameters.patterns)).astype("boolean")
    return decide(table, about=~table["is_root"], applies=every_row(table), violated=matches)


def _observe_none(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    made = write_dates(rows, "user_creation_time")
    return [
        f"no password, no active access key, no active certificate; made on {date or 'unknown date'}"
        for date in made
    ]


@check(
    "no-visible-credentials",
    title="User without visible credentials",
    subject=Subject.USER,
    severity=Severity.INFO,
    condition=(
        "An IAM user with password_enabled false, no active access key and no active signing certificate. "
        "SSH keys and service-specific credentials are not in the report."
    ),
    columns=(*_ENABLED, *_CERTIFICATES),
    observe=_observe_none,
    tells=("user_creation_time",),
    is_lead=True,
)
def judge_no_visible_credentials(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Ask about each IAM user that can do nothing with what the report shows of its credentials.
    """
    held = table["password_enabled"] | has_active_key(table) | has_active_certificate(table)
    return decide(table, about=~table["is_root"], applies=every_row(table), violated=~held)


def _read_extra(others: Any) -> str | None:  # noqa: ANN401 - a cell: text, or missing
    if not isinstance(others, str):
        return None
    value = json.loads(others).get(_EXTRA)
    return None if value is None else str(value)


def _list_extra(table: pd.DataFrame) -> pd.Series:
    column = table["other_columns"]
    found = {text: _read_extra(text) for text in column.dropna().unique()}
    return column.map(found).astype("str") if found else column


def _observe_extra(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return [f"more credentials than the report shows: {extra}" for extra in _list_extra(rows)]


@check(
    "extra-credentials",
    title="More credentials than the report shows",
    subject=Subject.ROW,
    severity=Severity.INFO,
    condition=(
        f"A user or root user whose {_EXTRA} is there and neither empty nor {NOT_APPLICABLE}: the row is "
        "incomplete, and the rest must be listed through the API. Reports without that column say nothing of it."
    ),
    exempt=f"the report has no column {_EXTRA}",
    columns=(),
    observe=_observe_extra,
    tells=("other_columns",),
    is_lead=True,
)
def judge_extra_credentials(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Ask about each row of which AWS itself says that it does not show every credential.

    Source: IAM user guide, credential reports: more than two access keys or certificates.
    """
    extra = _list_extra(table)
    return decide(
        table,
        about=every_row(table).astype("bool"),
        applies=extra.notna().astype("boolean"),
        violated=(~extra.isin(["", NOT_APPLICABLE])).astype("boolean"),
    )
