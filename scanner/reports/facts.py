"""
A run's facts as labelled lists, the same in every document: identity, coverage, users, checks.
"""

from dataclasses import dataclass

from scanner.evidence import StoredRun
from scanner.model import CheckTotals, Confirmation, Summary, Window
from scanner.reports.wording import (
    CONFIRMATIONS,
    MISSING,
    describe_selection,
    format_age,
    format_moment,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One number of the totals and what it counts.
    """

    label: str
    number: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Population:
    """
    How IAM's own count of users compares with the reports, and how old the reports were.
    """

    compared: int
    agreeing: int
    collected: int
    youngest: str
    oldest: str


def list_identity(run: StoredRun) -> list[tuple[str, str]]:
    """
    Say what was looked at, when, by whom and with what.
    """
    summary = run.summary
    window = summary.window
    frameworks = ", ".join(f"{ref.name} {ref.version}" for ref in summary.frameworks)
    return [
        ("Organization", summary.organization_name or MISSING),
        ("Organization id", summary.organization_id),
        ("Management account", summary.management_account_id),
        ("Partition", summary.partition),
        ("Period", summary.period),
        ("Collection started", format_moment(window.started)),
        ("Collection finished", format_moment(window.finished)),
        ("Reports made", _describe_range(window)),
        ("Frameworks", frameworks or MISSING),
        ("Accounts looked at", describe_selection(summary)),
        ("Caller", summary.caller_arn),
        ("Role in each account", summary.role_name),
        ("AWS endpoint", summary.endpoint or "AWS's own"),
        ("Prepared by", summary.prepared_by or MISSING),
        ("Made with", f"orgproof {summary.tool_version}"),
        ("Run", summary.run_id),
        ("Seal (SHA-256 of manifest.json)", run.manifest_sha256),
    ]


def _describe_range(window: Window) -> str:
    if window.oldest_report is None:
        return "none was read"
    return f"{format_moment(window.oldest_report)} to {format_moment(window.newest_report)}"


def list_coverage(summary: Summary) -> list[Figure]:
    """
    Return the coverage ledger: the first figure is the sum of the others.
    """
    accounts = summary.accounts
    return [
        Figure("Listed", accounts.listed, "every account that AWS Organizations lists"),
        Figure("Collected", accounts.collected, "the credential report was read whole"),
        Figure(
            "Not collected", accounts.not_collected, "could not be read; nothing is said of them"
        ),
        Figure("Excluded", accounts.excluded, "left out by the settings or the selection"),
        Figure("Not active", accounts.not_active, "suspended, closed or not yet active"),
    ]


def add_up_coverage(summary: Summary) -> str:
    """
    Write the coverage ledger out as a sum.
    """
    listed, *parts = list_coverage(summary)
    terms = " + ".join(f"{part.number:,} {part.label.lower()}" for part in parts)
    return f"{listed.number:,} listed = {terms}"


def list_users(summary: Summary) -> list[Figure]:
    """
    Return the totals of the users in the accounts that were read.
    """
    users = summary.users
    return [
        Figure("IAM users", users.users, "root users not counted"),
        Figure("Console users", users.console, "IAM users with a console password"),
        Figure("with MFA", users.console_with_mfa, "console users with an MFA device"),
        Figure("without MFA", users.console_without_mfa, "console users without an MFA device"),
        Figure("Not clear", users.unknown, "the report does not say password or device"),
        Figure("Root users", users.roots, "one in each account that was read"),
    ]


def list_check_figures(check: CheckTotals) -> list[tuple[str, int]]:
    """
    Return a check's rows and what became of them: the first is the sum of the others.
    """
    return [
        ("rows read", check.rows),
        ("exception", check.failed),
        ("no exception", check.passed),
        ("needs review", check.needs_review),
        ("unable to determine", check.unknown),
        ("not applicable", check.not_applicable),
    ]


def list_confirmations(summary: Summary) -> list[tuple[str, int]]:
    """
    Return how many findings were still open, fixed and so on when the accounts were asked.
    """
    return [
        (words, summary.findings_by_confirmation.get(state, 0))
        for state, words in CONFIRMATIONS.items()
        if state is not Confirmation.NOT_CHECKED or summary.findings_by_confirmation.get(state)
    ]


def describe_population(run: StoredRun) -> Population:
    """
    Compare the reports with IAM's own count of users, account by account.
    """
    accounts = run.accounts()
    read = accounts[accounts["outcome"] == "collected"]
    both = read[read["users"].notna() & read["iam_users"].notna()]
    ages = read["report_age_seconds"].dropna()
    return Population(
        compared=len(both),
        agreeing=int((both["users"] == both["iam_users"]).sum()),
        collected=len(read),
        youngest=format_age(int(ages.min()) if len(ages) else None),
        oldest=format_age(int(ages.max()) if len(ages) else None),
    )
