"""
Is the evidence itself whole? These checks are about accounts, and are judged over the accounts table.

None of them can fail. What could not be read, or is too old, leaves open what it would have shown: the
verdict is `unknown`, and an unknown is never a pass.
"""

from collections.abc import Sequence

import pandas as pd

from scanner.checks.facts import every_row
from scanner.checks.registry import NoParameters, Subject, check, decide
from scanner.model import AccountOutcome, ReasonCode, Severity

EVIDENCE_CHECKS = (
    "account-not-collected",
    "extra-credentials",
    "population-mismatch",
    "report-malformed",
    "report-stale",
)
"""
The checks that every run makes, whichever frameworks it is judged by.
"""

_UNUSABLE = (ReasonCode.MALFORMED_REPORT, ReasonCode.WRONG_ACCOUNT)


def _is_one_of(column: pd.Series, values: Sequence[str]) -> pd.Series:
    return column.isin([str(value) for value in values]).fillna(value=False).astype("bool")


def _open(mask: pd.Series) -> pd.Series:
    """
    Return a nullable boolean that is <NA> where the mask is set, and false elsewhere.
    """
    return every_row(mask.to_frame(), value=False).mask(mask.astype("bool"))


def _observe_nothing(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return [""] * len(rows)


def _explain_reason(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return [str(reason) for reason in rows["reason"]]


@check(
    "account-not-collected",
    title="Account that could not be read",
    subject=Subject.ACCOUNT,
    severity=Severity.HIGH,
    condition=(
        "An account that was to be read and whose credential report was not read whole. Nothing is known of "
        "its users, so the verdict is always unable to determine."
    ),
    exempt="the account was left out, or is not active",
    columns=("outcome",),
    observe=_observe_nothing,
    explain=_explain_reason,
)
def judge_account_not_collected(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Leave open every account that was to be read and was not.
    """
    missed = _is_one_of(table["outcome"], [AccountOutcome.NOT_COLLECTED])
    read = _is_one_of(table["outcome"], [AccountOutcome.COLLECTED])
    return decide(
        table,
        about=every_row(table).astype("bool"),
        applies=(read | missed).astype("boolean"),
        violated=_open(missed),
    )


@check(
    "report-malformed",
    title="Report that cannot be used",
    subject=Subject.ACCOUNT,
    severity=Severity.HIGH,
    condition=(
        "An account whose credential report arrived and is not what AWS sends, lacks users, or belongs to "
        "another account. Nothing is known of its users."
    ),
    exempt="no report arrived",
    columns=("reason_code",),
    observe=_observe_nothing,
    explain=_explain_reason,
)
def judge_report_malformed(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Leave open every account whose report arrived and cannot be used.
    """
    unusable = _is_one_of(table["reason_code"], _UNUSABLE)
    read = _is_one_of(table["outcome"], [AccountOutcome.COLLECTED])
    return decide(
        table,
        about=every_row(table).astype("bool"),
        applies=(read | unusable).astype("boolean"),
        violated=_open(unusable),
    )


def _explain_age(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return [
        f"the report was {int(age) // 3600} hours old when it was fetched, and may be "
        f"{int(limit)} hours old at most"
        for age, limit in zip(rows["report_age_seconds"], rows["max_report_age_hours"], strict=True)
    ]


@check(
    "report-stale",
    title="Report that was too old",
    subject=Subject.ACCOUNT,
    severity=Severity.MEDIUM,
    condition=(
        "An account whose credential report, when it was fetched, was older than max_report_age_hours in the "
        "settings (AWS keeps a report for four hours). Every verdict about its users is then unable to determine."
    ),
    exempt="no report was read",
    columns=("report_age_seconds",),
    observe=_observe_nothing,
    explain=_explain_age,
)
def judge_report_stale(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Leave open every account whose report was too old when it was fetched.
    """
    read = _is_one_of(table["outcome"], [AccountOutcome.COLLECTED])
    return decide(
        table,
        about=every_row(table).astype("bool"),
        applies=read.astype("boolean"),
        violated=_open(is_too_old(table)),
    )


def is_too_old(table: pd.DataFrame) -> pd.Series:
    """
    Return a bool mask of the accounts whose report was older than the settings allow.
    """
    limit = table["max_report_age_hours"].astype("Int64") * 3600
    return (table["report_age_seconds"].astype("Int64") > limit).fillna(value=False).astype("bool")


def _observe_uncounted(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return ["IAM did not say how many users there are, so the report stands alone"] * len(rows)


def _explain_population(rows: pd.DataFrame, _: NoParameters) -> list[str]:
    return [str(text) for text in rows["population"]]


@check(
    "population-mismatch",
    title="Report and IAM disagree on the users",
    subject=Subject.ACCOUNT,
    severity=Severity.MEDIUM,
    condition=(
        "An account whose report has another number of users than GetAccountSummary gives, where ListUsers "
        "does not explain it by users made or deleted since the report. Without IAM's own count there is "
        "nothing to compare with, and the account needs review."
    ),
    exempt="no report was read",
    columns=("users", "iam_users"),
    observe=_observe_uncounted,
    explain=_explain_population,
    is_lead=True,
)
def judge_population_mismatch(table: pd.DataFrame, parameters: NoParameters) -> pd.Series:  # noqa: ARG001
    """
    Leave open every account whose users IAM counts differently, without an explanation.
    """
    read = _is_one_of(table["outcome"], [AccountOutcome.COLLECTED])
    uncounted = table["iam_users"].isna()
    differs = (table["iam_users"] != table["users"]).fillna(value=False).astype("bool")
    listed = table["users"] + table["users_added"] - table["users_gone"]
    explained = (table["iam_users"] == listed).fillna(value=False).astype("bool")
    return decide(
        table,
        about=every_row(table).astype("bool"),
        applies=read.astype("boolean"),
        violated=_open(differs & ~explained).mask(uncounted, other=True),
    )
