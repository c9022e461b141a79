"""
How the page shows its tables: which columns, which filters, and in which words.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scanner.checks import Subject, title_check
from scanner.model import AccountOutcome, Severity, Verdict
from scanner.reports.census import list_root_checks
from scanner.reports.page_tables import ROOT_FACTS
from scanner.reports.wording import CHANGES, CONFIRMATIONS, MISSING, OUTCOMES, URGENCY, VERDICTS
from scanner.summary import Summary

_VERDICT_WORDS = {str(verdict): words for verdict, words in VERDICTS.items()}
_VERDICT_RANKS = tuple(map(str, (*URGENCY, Verdict.PASS)))
_OUTCOMES = (
    AccountOutcome.NOT_COLLECTED,
    AccountOutcome.NOT_ACTIVE,
    AccountOutcome.EXCLUDED,
    AccountOutcome.COLLECTED,
)


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column: the table's column that it shows and sorts by, its title, and how it looks.

    `kind` is text, name (from AWS), number, time, or the column whose words are marked: severity, verdict, outcome;
    `under` a column that stands below it, small.
    """

    name: str
    title: str
    kind: str = "text"
    under: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """
    One list to choose from. `label` is a column whose words stand before those chosen from.
    """

    name: str
    title: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """
    One table that is filtered and sorted. `order` are columns, the first one first.
    """

    id: str
    title: str
    noun: str
    columns: Sequence[Column]
    filters: Sequence[Filter]
    order: Sequence[str]


def list_grids(summary: Summary) -> list[Grid]:
    """
    Return the page's grids: findings, accounts, root users.
    """
    return [_lay_out_findings(), _lay_out_accounts(summary), _lay_out_roots(summary)]


def _lay_out_findings() -> Grid:
    return Grid(
        "findings",
        "Findings",
        "findings",
        (
            Column("severity", "Severity", "severity"),
            Column("verdict", "Result", "verdict"),
            Column("check", "Check, and what was seen", under="observation"),
            Column("account_name", "Account", "name", under="account_id"),
            Column("ou_path", "OU", "name"),
            Column("user", "User", "name"),
            Column("confirmation", "When asked again"),
            Column("acceptance", "Accepted risk", "name"),
            Column("owner", "Owner", "name"),
            Column("state", "State"),
            Column("days_open", "Days open", "number"),
        ),
        (
            Filter("verdict", "Result"),
            Filter("severity", "Severity"),
            Filter("check", "Check"),
            Filter("ou_path", "OU"),
            Filter("account_id", "Account", label="account_name"),
            Filter("state", "State"),
            Filter("confirmation", "When asked again"),
            Filter("acceptance", "Accepted risk"),
        ),
        ("severity", "verdict"),
    )


def _lay_out_accounts(summary: Summary) -> Grid:
    return Grid(
        "accounts",
        "Accounts",
        "accounts",
        (
            Column("name", "Account", "name", under="account_id"),
            Column("ou_path", "OU", "name"),
            Column("outcome", "Outcome, and state at AWS", "outcome", under="state"),
            Column("reason", "Why, and the next step", "name", under="reason_code"),
            Column("users", "Users", "number"),
            Column("iam_users", "IAM's count", "number"),
            Column("generated_time", "Report made", "time"),
            *(Column(name, title_check(name), "verdict") for name in _list_account_checks(summary)),
        ),
        (
            Filter("outcome", "Outcome"),
            Filter("reason_code", "Reason"),
            Filter("ou_path", "OU"),
            Filter("state", "State at AWS"),
        ),
        ("outcome", "name"),
    )


def _lay_out_roots(summary: Summary) -> Grid:
    slots = (("Key 1", "access_key_1"), ("Key 2", "access_key_2"))
    return Grid(
        "roots",
        "Root users",
        "root users",
        (
            Column("account_name", "Account", "name", under="account_id"),
            Column("ou_path", "OU", "name"),
            Column("mfa_active", "MFA"),
            Column("password_enabled", "Password, last used", under="password_last_used"),
            *(
                Column(f"{slot}_active", f"{title}, last used", under=f"{slot}_last_used_date")
                for title, slot in slots
            ),
            *(Column(name, title_check(name), "verdict") for name in list_root_checks(summary)),
        ),
        (Filter("mfa_active", "MFA"), Filter("ou_path", "OU")),
        ("mfa_active", "account_name"),
    )


def _list_account_checks(summary: Summary) -> list[str]:
    return [total.check for total in summary.checks if total.subject == Subject.ACCOUNT]


def describe_settings(summary: Summary, grids: Sequence[Grid]) -> dict[str, Any]:
    """
    Return what the page's script must know: the grids, and the words and the order of what they hold.
    """
    return {
        "file": f"orgproof-{summary.period}",
        "missing": MISSING,
        "grids": [asdict(grid) for grid in grids],
        "words": _list_words(summary),
        "ranks": _list_ranks(summary),
    }


def _list_words(summary: Summary) -> dict[str, dict[str, str]]:
    """
    Return, by column, the words that people read for those that are stored.
    """
    checks = {total.check: title_check(total.check) for total in summary.checks}
    facts = [name for name in ROOT_FACTS if name.endswith(("_active", "_enabled"))]
    return {
        "check": checks,
        "confirmation": {str(key): words for key, words in CONFIRMATIONS.items()},
        "outcome": {str(key): words for key, words in OUTCOMES.items()},
        "state": {str(key): words for key, words in CHANGES.items()},
        **{name: {"true": "yes", "false": "no"} for name in facts},
        **dict.fromkeys(("verdict", *checks), _VERDICT_WORDS),
    }


def _list_ranks(summary: Summary) -> dict[str, Sequence[str]]:
    """
    Return, by column, in which order the stored words stand: the gravest first.
    """
    checks = [total.check for total in summary.checks]
    return {
        "severity": [str(severity) for severity in Severity],
        "outcome": [str(outcome) for outcome in _OUTCOMES],
        "mfa_active": ["false", "true"],
        **dict.fromkeys(("verdict", *checks), _VERDICT_RANKS),
    }
