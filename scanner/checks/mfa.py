"""
Who can sign in to the AWS Management Console with a password alone, and who works without any MFA.

An enabled MFA device is asked for at every console sign-in (EnableMFADevice, IAM API reference), so
a password without a device is one factor. Access keys are another matter: they work without MFA
unless a policy says otherwise.
"""

from collections.abc import Sequence

import pandas as pd

from scanner.checks.facts import (
    count_days,
    every_row,
    has_active_key,
    was_password_never_used,
    write_dates,
)
from scanner.checks.registry import NoParameters, Subject, check, decide
from scanner.credentials import NOT_SUPPORTED, is_true, says
from scanner.model import Severity

LATELY = 90
"""
A sign-in within this many days counts as lately: one quarter, the time between two runs.
"""

_COLUMNS = ("password_enabled", "mfa_active")
_KEYS = ("access_key_1_active", "access_key_2_active")
_USED = "password_last_used"


def _say_last_use(rows: pd.DataFrame, never: str) -> list[str]:
    unclear = was_password_never_used(rows).isna()
    return [
        f"last signed in {date}" if date else "last sign-in not clear" if open_ else never
        for date, open_ in zip(write_dates(rows, _USED), unclear.tolist(), strict=True)
    ]


def _observe_user(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    first, second = (is_true(rows[column]).astype("int") for column in _KEYS)
    also = {0: "", 1: "; 1 active access key", 2: "; 2 active access keys"}
    return [
        f"console password, no MFA device; {used}{also[held]}"
        for used, held in zip(
            _say_last_use(rows, "never signed in"), (first + second).tolist(), strict=True
        )
    ]


def _grade_user(rows: pd.DataFrame, _: NoParameters) -> Sequence[Severity]:
    """
    Critical where somebody signed in lately; medium where nobody ever did and no key is active; else high.
    """
    lately = is_true(count_days(rows, _USED) <= LATELY)
    idle = is_true(was_password_never_used(rows)) & is_true(~has_active_key(rows))
    return [
        Severity.CRITICAL if used else Severity.MEDIUM if unused else Severity.HIGH
        for used, unused in zip(lately.tolist(), idle.tolist(), strict=True)
    ]


@check(
    "console-no-mfa",
    title="Console password without MFA",
    subject=Subject.USER,
    severity=Severity.HIGH,
    condition=(
        "An IAM user (not root) with password_enabled true and mfa_active false. "
        "Without a password the check does not apply."
    ),
    exempt="the user has no console password",
    columns=_COLUMNS,
    observe=_observe_user,
    tells=(_USED, *_KEYS),
    grade=_grade_user,
    graded=(
        f"critical where the user last signed in at most {LATELY} whole days before the report; medium where no "
        "sign-in is on record and no access key is active; else high"
    ),
)
def judge_console_no_mfa(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Fail each IAM user that has a console password and no MFA device.

    Source: IAM user guide, credential reports, columns password_enabled and mfa_active.
    """
    return decide(
        table,
        about=~table["is_root"],
        applies=table["password_enabled"],
        violated=~table["mfa_active"],
    )


def _observe_programmatic(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return ["active access key, no MFA device; a person or a workload"] * len(rows)


@check(
    "programmatic-no-mfa",
    title="Access key user without MFA",
    subject=Subject.USER,
    severity=Severity.INFO,
    condition=(
        "An IAM user with password_enabled false, an active access key and mfa_active false. The report "
        "does not show whether a person or a workload uses the key."
    ),
    exempt="the user has a console password, or no active access key",
    columns=(*_COLUMNS, *_KEYS),
    observe=_observe_programmatic,
    is_lead=True,
)
def judge_programmatic_no_mfa(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Ask about each IAM user that has no password, an active access key and no MFA device.

    Source: AWS Security Hub, IAM.19, which counts every IAM user; the console has a check of its own.
    """
    return decide(
        table,
        about=~table["is_root"],
        applies=~table["password_enabled"] & has_active_key(table),
        violated=~table["mfa_active"],
    )


def has_root_password(table: pd.DataFrame) -> pd.Series:
    """
    Tell whether root has a console password, as a nullable boolean.

    Older reports write `not_supported` for root: then root is taken to have one, unless IAM's own
    AccountPasswordPresent says that it has none.
    """
    old_report = says(table, "password_enabled", NOT_SUPPORTED)
    assumed = table["password_present"].mask(table["password_present"].isna(), other=True)
    return table["password_enabled"].mask(old_report, assumed)


def _observe_root(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return [
        f"root can sign in with a password and has no MFA device; {used}"
        for used in _say_last_use(rows, "no sign-in on record")
    ]


@check(
    "root-console-no-mfa",
    title="Root password without MFA",
    subject=Subject.ROOT,
    severity=Severity.CRITICAL,
    condition=(
        "The root user with mfa_active false, unless password_enabled is false: then root has no "
        "console password, and the check does not apply. Older reports write not_supported for "
        "root's password_enabled; root is then taken to have a password, unless GetAccountSummary gives "
        "AccountPasswordPresent 0. In AWS GovCloud (US) root cannot sign in to the console, and the check "
        "does not apply."
    ),
    exempt="root has no console password, or lies in AWS GovCloud (US), which has no console for root",
    columns=_COLUMNS,
    observe=_observe_root,
    tells=(_USED,),
)
def judge_root_console_no_mfa(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Fail each root user that may have a console password and has no MFA device.

    Source: IAM user guide on the credential report (root's password_enabled is false where no root
    credentials exist, as in new member accounts); GovCloud user guide on root users.
    """
    govcloud = table["arn"].str.startswith("arn:aws-us-gov:")
    return decide(
        table,
        about=table["is_root"],
        applies=has_root_password(table).mask(govcloud, every_row(table, value=False)),
        violated=~table["mfa_active"],
    )
