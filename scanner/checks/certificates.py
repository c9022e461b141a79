"""
X.509 signing certificates of users: an old kind of credential that few still need.
"""

from collections.abc import Sequence

import pandas as pd

from scanner.checks.facts import (
    SLOTS,
    count_days,
    every_row,
    has_active_certificate,
    list_active,
)
from scanner.checks.registry import NoParameters, Subject, check, decide
from scanner.credentials import is_true
from scanner.model import Severity

_OLD_DAYS = 365


def _observe(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return list_active(rows, "cert", "signing certificate")


def _grade(rows: pd.DataFrame, _: NoParameters) -> Sequence[Severity]:
    """
    Medium where an active certificate is older than a year, or nobody can tell how old it is.
    """
    old = pd.Series(data=False, index=rows.index)
    for slot in SLOTS:
        days = count_days(rows, f"cert_{slot}_last_rotated")
        old |= is_true(rows[f"cert_{slot}_active"]) & ~is_true(days <= _OLD_DAYS)
    return [Severity.MEDIUM if is_old else Severity.LOW for is_old in old]


@check(
    "signing-cert-active",
    title="Active signing certificate",
    subject=Subject.USER,
    severity=Severity.LOW,
    condition="An IAM user with cert_1_active or cert_2_active true.",
    columns=("cert_1_active", "cert_2_active"),
    observe=_observe,
    tells=("cert_1_last_rotated", "cert_2_last_rotated"),
    grade=_grade,
    graded=(
        f"medium where an active certificate is more than {_OLD_DAYS} whole days old, or nobody can tell its age; "
        "else low"
    ),
)
def judge_signing_cert_active(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Fail each IAM user with an active signing certificate in either slot.
    """
    return decide(
        table,
        about=~table["is_root"],
        applies=every_row(table),
        violated=has_active_certificate(table),
    )
