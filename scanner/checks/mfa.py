"""
Who can sign in to the AWS Management Console with a password alone.

An enabled MFA device is asked for at every console sign-in (EnableMFADevice, IAM API reference), so
a password without a device is one factor. Access keys are another matter: they work without MFA
unless a policy says otherwise.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from scanner.checks.registry import (
    NoParameters,
    Subject,
    check,
    decide,
    is_odd,
    name_uninterpretable,
)
from scanner.credentials import NOT_SUPPORTED, says
from scanner.model import Severity, Verdict

_COLUMNS = ("password_enabled", "mfa_active")


def _say_last_use(row: Mapping[str, Any], never: str) -> str:
    used = row["password_last_used"]
    if not pd.isna(used):
        return f"last signed in {used:%Y-%m-%d}"
    return "last sign-in not clear" if is_odd(row, "password_last_used") else never


def _observe_user(row: Mapping[str, Any], verdict: Verdict) -> str:
    if verdict is not Verdict.FAIL:
        return name_uninterpretable(row, _COLUMNS)
    keys = sum(row[f"access_key_{slot}_active"] is True for slot in (1, 2))
    also = f"; {keys} active access key{'s' if keys > 1 else ''}" if keys else ""
    return f"console password, no MFA device; {_say_last_use(row, 'never signed in')}{also}"


@check(
    "console-no-mfa",
    title="Console password without MFA",
    subject=Subject.USER,
    severity=Severity.HIGH,
    condition=(
        "An IAM user (not root) with password_enabled true and mfa_active false. "
        "Without a password the check does not apply."
    ),
    columns=_COLUMNS,
    observe=_observe_user,
)
def judge_console_no_mfa(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Fail each IAM user that has a console password and no MFA device.

    Source: reference of the credential report, columns password_enabled and mfa_active.
    """
    return decide(
        table,
        about=~table["is_root"],
        applies=table["password_enabled"],
        violated=~table["mfa_active"],
    )


def _observe_root(row: Mapping[str, Any], verdict: Verdict) -> str:
    if verdict is not Verdict.FAIL:
        return name_uninterpretable(row, _COLUMNS)
    signed_in = _say_last_use(row, "no sign-in on record")
    return f"root can sign in with a password and has no MFA device; {signed_in}"


@check(
    "root-console-no-mfa",
    title="Root password without MFA",
    subject=Subject.ROOT,
    severity=Severity.CRITICAL,
    condition=(
        "The root user with mfa_active false, unless password_enabled is false: then root has no "
        "console password, and the check does not apply. Older reports write not_supported for "
        "root's password_enabled; root is then taken to have a password. In AWS GovCloud (US) root "
        "cannot sign in to the console, and the check does not apply."
    ),
    columns=_COLUMNS,
    observe=_observe_root,
)
def judge_root_console_no_mfa(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Fail each root user that may have a console password and has no MFA device.

    Source: IAM user guide on the credential report (root's password_enabled is false where no root
    credentials exist, as in new member accounts); GovCloud user guide on root users.
    """
    old_report = says(table, "password_enabled", NOT_SUPPORTED)
    govcloud = table["arn"].str.startswith("arn:aws-us-gov:")
    applies = table["password_enabled"].mask(old_report, other=True).mask(govcloud, other=False)
    return decide(table, about=table["is_root"], applies=applies, violated=~table["mfa_active"])
