"""
What the root user holds and does. Root's rights cannot be narrowed, so each of its credentials matters.
"""

from collections.abc import Sequence

import pandas as pd
from pydantic import Field

from scanner.checks.facts import (
    count_days,
    every_row,
    has_active_certificate,
    has_active_key,
    is_never,
    list_active,
    was_password_never_used,
    write_dates,
)
from scanner.checks.mfa import has_root_password
from scanner.checks.registry import NoParameters, Parameters, Subject, check, decide
from scanner.credentials import is_true
from scanner.model import Severity

_KEYS = ("access_key_1_active", "access_key_2_active")
_CERTIFICATES = ("cert_1_active", "cert_2_active")
_KEY_DATES = ("access_key_1_last_rotated", "access_key_2_last_rotated")
_CERTIFICATE_DATES = ("cert_1_last_rotated", "cert_2_last_rotated")
_USES = ("password_last_used", "access_key_1_last_used_date", "access_key_2_last_used_date")


def _observe_keys(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return [f"root: {words}" for words in list_active(rows, "access_key", "access key")]


@check(
    "root-access-key-active",
    title="Active root access key",
    subject=Subject.ROOT,
    severity=Severity.CRITICAL,
    condition="The root user with access_key_1_active or access_key_2_active true.",
    columns=_KEYS,
    observe=_observe_keys,
    tells=_KEY_DATES,
)
def judge_root_access_key_active(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Fail each root user with an active access key in either slot.

    One active key is enough to fail; both slots must be readable to pass.
    """
    return decide(
        table,
        about=table["is_root"],
        applies=every_row(table),
        violated=has_active_key(table),
    )


def _observe_certificates(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return [f"root: {words}" for words in list_active(rows, "cert", "signing certificate")]


@check(
    "root-signing-cert-active",
    title="Active root signing certificate",
    subject=Subject.ROOT,
    severity=Severity.HIGH,
    condition="The root user with cert_1_active or cert_2_active true.",
    columns=_CERTIFICATES,
    observe=_observe_certificates,
    tells=_CERTIFICATE_DATES,
)
def judge_root_signing_cert_active(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Fail each root user with an active X.509 signing certificate in either slot.
    """
    return decide(
        table,
        about=table["is_root"],
        applies=every_row(table),
        violated=has_active_certificate(table),
    )


class RecentUse(Parameters):
    """
    Within how many days a use of root counts: by default a quarter, the time between two runs.
    """

    days: int = Field(default=90, ge=0, le=36500)


def _observe_use(rows: pd.DataFrame, parameters: RecentUse) -> list[str]:
    words = [""] * len(rows)
    for column, noun in zip(_USES, ("password", "access key 1", "access key 2"), strict=True):
        recent = is_true(count_days(rows, column) <= parameters.days)
        for index, (used, date) in enumerate(zip(recent, write_dates(rows, column), strict=True)):
            if used:
                words[index] += f"{', ' if words[index] else ''}{noun} {date}"
    return [f"root was used: {uses}" for uses in words]


@check(
    "root-recent-use",
    title="Recent use of root",
    subject=Subject.ROOT,
    severity=Severity.MEDIUM,
    condition=(
        "The root user whose password_last_used, access_key_1_last_used_date or "
        "access_key_2_last_used_date lies at most {days} whole days before the report."
    ),
    columns=("password_enabled", *_USES),
    observe=_observe_use,
    parameters=RecentUse,
)
def judge_root_recent_use(table: pd.DataFrame, parameters: RecentUse) -> pd.Series:
    """
    Fail each root user one of whose credentials was used lately, a key as well as the password.
    """

    def is_recent(column: str, never: pd.Series) -> pd.Series:
        return (count_days(table, column) <= parameters.days).mask(never, other=False)

    password, *keys = _USES
    recent = is_recent(password, is_true(was_password_never_used(table)))
    for column in keys:
        recent = recent | is_recent(column, is_true(is_never(table, column)))
    return decide(table, about=table["is_root"], applies=every_row(table), violated=recent)


def _observe_credentials(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    password = is_true(has_root_password(rows))
    keys = list_active(rows, "access_key", "access key")
    certificates = list_active(rows, "cert", "signing certificate")
    return [
        "root of a member account: "
        + "; ".join(filter(None, ["password" if has else "", key, certificate]))
        for has, key, certificate in zip(password, keys, certificates, strict=True)
    ]


def _grade_credentials(rows: pd.DataFrame, _: NoParameters) -> Sequence[Severity]:
    """
    Medium where the organization manages root centrally: then a member's root needs no credentials.
    """
    central = is_true(rows["managed_centrally"])
    return [Severity.MEDIUM if managed else Severity.INFO for managed in central]


@check(
    "root-credentials-present",
    title="Root credentials in a member account",
    subject=Subject.ROOT,
    severity=Severity.INFO,
    condition=(
        "The root user of a member account with password_enabled true, an active access key or an active "
        "signing certificate. Member accounts need no root credentials where the organization manages root "
        "access centrally."
    ),
    exempt="the management account keeps its root credentials",
    columns=("password_enabled", *_KEYS, *_CERTIFICATES),
    observe=_observe_credentials,
    tells=(*_KEY_DATES, *_CERTIFICATE_DATES, "password_present", "managed_centrally"),
    grade=_grade_credentials,
    graded=(
        "medium where the organization manages root access centrally; else, or where nobody could tell, info"
    ),
    is_lead=True,
)
def judge_root_credentials_present(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Ask about each member account whose root user holds any credential.

    Source: IAM user guide, centrally manage root access for member accounts.
    """
    held = has_root_password(table) | has_active_key(table) | has_active_certificate(table)
    return decide(
        table,
        about=table["is_root"],
        applies=(~table["is_management"]).astype("boolean"),
        violated=held,
    )
