"""
The findings as the PDF prints them: one by one where they are few, else the gravest and totals.

Nothing is left out in silence: what is not printed is counted, and the page says where it stands.
"""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import pandas as pd

from scanner.checks import CHECKS, Subject
from scanner.evidence import StoredRun
from scanner.findings import CONFIRMED_CHECK
from scanner.history import State
from scanner.model import Confirmation, Severity, Verdict
from scanner.reports.tables import list_records
from scanner.reports.wording import CONFIRMATIONS, VERDICTS, count

FINDINGS_LIMIT = 1_000
"""
How many findings are printed one by one.
"""

TOTALS_LIMIT = 1_500
"""
How many lines the totals by account may have. More accounts are totalled by OU.
"""

_MAIN_CHECKS = (CONFIRMED_CHECK, "root-console-no-mfa")
"""
What an auditor asks first: who signs in with a password alone. Listed whatever the severity.
"""

_GRAVE = (Severity.CRITICAL, Severity.HIGH)
_VERDICTS = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.NEEDS_REVIEW)
_SEVERITIES = [str(severity) for severity in Severity]
_OPEN = (Confirmation.STILL_OPEN, Confirmation.NOT_CHECKED)


def build_findings(run: StoredRun) -> dict[str, Any]:
    """
    Return the findings of a run, grouped by OU path and account, the most severe of an account first.

    Above `FINDINGS_LIMIT` only exceptions of critical and high severity, and sign-in without MFA whatever its
    severity, are `units`, as many as the limit allows and critical ones first, and `totals` counts all findings by account.
    """
    findings = run.findings()
    is_listed = len(findings) <= FINDINGS_LIMIT
    ranked = _rank(findings)
    grave = ranked if is_listed else ranked[_is_grave(ranked)].sort_values("rank", kind="stable")
    shown = grave.head(FINDINGS_LIMIT)
    is_compared = run.summary.previous is not None
    return {
        "number": len(findings),
        "accounts": int(findings["account_id"].nunique()),
        "is_listed": is_listed,
        "grave": len(grave),
        "shown": len(shown),
        "units": _group(shown, is_compared=is_compared),
        "totals": None if is_listed else _total(findings),
    }


def _rank(findings: pd.DataFrame) -> pd.DataFrame:
    severities = {str(severity): rank for rank, severity in enumerate(Severity)}
    verdicts = {str(verdict): rank for rank, verdict in enumerate(_VERDICTS)}
    ranked = findings.assign(
        rank=findings["severity"].astype("str").map(severities),
        order=findings["verdict"].astype("str").map(verdicts),
        unit=findings["ou_path"].fillna(""),
    )
    return ranked.sort_values(["unit", "account_id", "rank", "order"], kind="stable")


def _is_grave(findings: pd.DataFrame) -> pd.Series:
    is_exception = findings["verdict"] == str(Verdict.FAIL)
    is_severe = findings["severity"].isin([str(severity) for severity in _GRAVE])
    return is_exception & (is_severe | findings["check"].isin(_MAIN_CHECKS))


def _group(findings: pd.DataFrame, *, is_compared: bool) -> list[tuple[str, list[dict[str, Any]]]]:
    ordered = findings.sort_values(["unit", "account_id", "rank", "order"], kind="stable")
    accounts: list[dict[str, Any]] = [
        {"first": rows[0], "rows": [_describe(row, is_compared=is_compared) for row in rows]}
        for _, group in groupby(list_records(ordered), key=lambda row: row["account_id"])
        for rows in [list(group)]
    ]
    return [
        (str(unit), list(group))
        for unit, group in groupby(accounts, key=lambda account: account["first"]["unit"])
    ]


def _describe(row: Mapping[str, Any], *, is_compared: bool) -> dict[str, Any]:
    name = str(row["check"])
    check = CHECKS.get(name.partition(":")[0])
    state = Confirmation(row["confirmation"] or Confirmation.NOT_CHECKED)
    is_account = check is not None and check.subject is Subject.ACCOUNT
    return {
        **row,
        "who": "the account itself" if is_account else None,
        "title": check.title if check else name,
        "verdict_words": VERDICTS[Verdict(row["verdict"])],
        # Only this check's findings are asked about: beside the others "not checked" would say nothing.
        "confirmation_words": CONFIRMATIONS[state] if name == CONFIRMED_CHECK else None,
        "is_closed": state not in _OPEN,
        "since": _say_since(row) if is_compared else None,
    }


def _say_since(row: Mapping[str, Any]) -> str | None:
    """
    Say since when a finding is known, in a run that is compared with another one.
    """
    match row["state"]:
        case State.NEW:
            return "new"
        case State.REOPENED:
            return "open again after it was fixed"
        case _ if row["days_open"] is not None:
            return f"open for {count(int(row['days_open']), 'day')}"
        case _:
            return None


def _total(findings: pd.DataFrame) -> dict[str, Any]:
    """
    Count all findings by account, or by OU where the accounts are too many. The last line is the sum.

    Exceptions and leads are counted by severity, unknown verdicts for themselves.
    """
    is_open = findings["verdict"] == str(Verdict.UNKNOWN)
    words = findings["severity"].astype("str").mask(is_open, "unknown")
    by_account = findings["account_id"].nunique() <= TOTALS_LIMIT
    keys = ["ou_path", "account_id", "account_name"] if by_account else ["ou_path"]
    named = findings[keys].fillna("").astype("str").assign(word=words)
    counts = named.groupby([*keys, "word"], sort=True).size().unstack("word", fill_value=0)
    counts = counts.reindex(columns=[*_SEVERITIES, "unknown"], fill_value=0)
    if len(counts) > TOTALS_LIMIT:
        counts = counts.iloc[:0]
    figures = [*_SEVERITIES, "unknown"]
    sums = {figure: int((words == figure).sum()) for figure in figures}
    return {
        "by_account": by_account,
        "figures": figures,
        "rows": list_records(counts.reset_index()),
        "sums": sums,
    }
