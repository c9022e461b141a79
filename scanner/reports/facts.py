"""
A run's facts as labelled lists, the same in every document: identity, coverage, scopes, users, checks.
"""

from dataclasses import dataclass

import pandas as pd

from scanner.acceptances import State
from scanner.evidence import StoredRun
from scanner.findings import CONFIRMED_CHECK
from scanner.model import Confirmation, Verdict
from scanner.reports.census import mark_stale
from scanner.reports.tables import ACCEPTANCE_COLUMNS, list_acceptances
from scanner.reports.wording import (
    ACCEPTANCES,
    CONFIRMATIONS,
    MISSING,
    count,
    describe_selection,
    format_age,
    format_moment,
)
from scanner.summary import (
    CheckTotals,
    ScopeTotals,
    Sitting,
    Summary,
    Window,
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

    `outdated` of the `agreeing` accounts had a report too old to be used.
    """

    compared: int
    agreeing: int
    outdated: int
    explained: int
    collected: int
    youngest: str
    oldest: str


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What the accounts said about the exceptions that they were asked about: how many, and the parts of that.

    `unclear` are the answers about users on whom the report gave no verdict, which no exception counts.
    """

    number: int
    answers: list[tuple[str, int]]
    unclear: list[tuple[str, int]]


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
        *list_parts(summary),
        *_list_continued(summary),
        ("Reports made", _describe_range(window)),
        ("Frameworks", frameworks or MISSING),
        ("Accounts looked at", describe_selection(summary)),
        (
            "Oldest report allowed",
            f"{count(summary.max_report_age_hours, 'hour')} old when fetched",
        ),
        ("Accepted risks", _describe_acceptances(summary)),
        ("Acceptances held to", format_moment(summary.judged)),
        ("Previous run", _describe_previous(summary)),
        ("Caller", summary.caller_arn),
        ("Role in each account", summary.role_name),
        ("AWS endpoint", summary.endpoint or "AWS's own"),
        ("Prepared by", summary.prepared_by or MISSING),
        ("Made with", f"orgproof {summary.tool_version}"),
        ("Run", summary.run_id),
        ("Seal (SHA-256 of manifest.json)", run.manifest_sha256),
        ("Signature", describe_signature(run)),
        *([("Judges again the run sealed as", summary.parent)] if summary.parent else []),
    ]


SHOWN_PARTS = 4
"""
How many of the times at which a run was collected its cover names.
"""


def describe_signature(run: StoredRun, digits: int | None = None) -> str:
    """
    Say which key the run's signature names, by all or the first digits of its id, or that it is unsigned.

    Whether the signature is good, only somebody with the public key can tell.
    """
    key_id = run.signed_by
    if key_id is None:
        return "unsigned"
    shown = key_id if digits is None or len(key_id) <= digits else f"{key_id[:digits]}\u2026"
    return f"signed by key {shown}"


def list_parts(summary: Summary) -> list[tuple[str, str]]:
    """
    Return when each part of a run was collected that was stopped and resumed; nothing if it was done at once.
    """
    number = len(summary.sittings)
    if number < 2:
        return []
    return [
        (f"Part {index} of {number}", f"{_describe_time(part)}{_describe_change(part, summary)}")
        for index, part in enumerate(summary.sittings, 1)
    ]


def _describe_time(part: Sitting) -> str:
    if part.finished is None:
        return f"from {format_moment(part.started)}, and ended without notice"
    words = f"{format_moment(part.started)} to {format_moment(part.finished)}"
    return f"{words}, interrupted" if part.interrupted else words


def _describe_change(part: Sitting, summary: Summary) -> str:
    """
    Say what was different in a part: somebody else may have gone on, with another version.
    """
    caller = "" if part.caller_arn == summary.caller_arn else f", by {part.caller_arn}"
    version = part.tool_version
    tool = "" if version == summary.tool_version else f", with orgproof {version}"
    return f"{caller}{tool}"


def describe_parts(summary: Summary) -> list[str]:
    """
    Say in sentences that the evidence was not collected at once, and when it was; nothing if it was.
    """
    sentences = []
    if number := len(list_parts(summary)):
        times = [_describe_time(part) for part in summary.sittings[:SHOWN_PARTS]]
        if number > SHOWN_PARTS:
            times.append(f"and {count(number - SHOWN_PARTS, 'more part')}, listed with the method")
        sentences.append(
            f"This evidence was collected in {number:,} parts, not at once: {'; '.join(times)}."
        )
    if summary.continues is not None:
        before = summary.continues
        sentences.append(
            f"It continues run {before.run_id} of {before.period}, begun on {format_moment(before.started)} and "
            "sealed incomplete: what that run had read was taken over and not read again."
        )
    return sentences


def _list_continued(summary: Summary) -> list[tuple[str, str]]:
    before = summary.continues
    if before is None:
        return []
    began = format_moment(before.started)
    words = f"{before.run_id} of {before.period}, begun on {began}, seal {before.manifest_sha256}"
    return [("Continues run", words)]


def _describe_acceptances(summary: Summary) -> str:
    if summary.acceptances_sha256 is None:
        return "no file was given"
    number = count(len(summary.acceptances), "acceptance")
    return f"{number} in inputs/acceptances.yaml, SHA-256 {summary.acceptances_sha256}"


def _describe_previous(summary: Summary) -> str:
    before = summary.previous
    if before is None:
        return "none"
    return f"{before.run_id} of {before.period}, seal {before.manifest_sha256}"


def _describe_range(window: Window) -> str:
    if window.oldest_report is None:
        return "none was read"
    return f"{format_moment(window.oldest_report)} to {format_moment(window.newest_report)}"


def list_coverage(summary: Summary) -> list[Figure]:
    """
    Return the coverage ledger: the first figure is the sum of the others, which follow `AccountOutcome`.
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
        Figure(
            "Not clear",
            users.unknown,
            "the report does not say password or device, or was too old",
        ),
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


def describe_verdicts(summary: Summary) -> str:
    """
    Say how many findings there are of each verdict that makes one. They add up to all of them.
    """
    failed, leads, unclear = (
        summary.findings_by_verdict.get(verdict, 0)
        for verdict in (Verdict.FAIL, Verdict.NEEDS_REVIEW, Verdict.UNKNOWN)
    )
    return (
        f"{count(failed, 'exception')}, {count(leads, 'lead')} to review and "
        f"{count(unclear, 'verdict')} that could not be reached"
    )


def describe_asked(summary: Summary) -> Asked:
    """
    Return what the accounts said, when asked, about the findings of the one check that is asked about.
    """
    number = sum(
        total.failed + total.needs_review
        for total in summary.checks
        if total.check == CONFIRMED_CHECK
    )
    states = [state for state in CONFIRMATIONS if state is not Confirmation.NOT_CHECKED]
    unclear = {state: summary.unclear_by_confirmation.get(state, 0) for state in states}
    said = {
        state: summary.findings_by_confirmation.get(state, 0) - unclear[state] for state in states
    }
    # Every other check's findings are not checked either, and say nothing of those that were to be.
    silent = number - sum(said.values())
    answers = [(CONFIRMATIONS[state], found) for state, found in said.items()]
    if silent:
        answers.append((CONFIRMATIONS[Confirmation.NOT_CHECKED], silent))
    return Asked(
        number,
        answers,
        [(CONFIRMATIONS[state], found) for state, found in unclear.items() if found],
    )


def list_accepted_risks(run: StoredRun) -> list[dict[str, object]]:
    """
    Return every accepted risk as `ACCEPTANCE_COLUMNS` has it, with its state in `words`, and its warnings as `notes`.
    """
    return [
        dict(zip(ACCEPTANCE_COLUMNS, row, strict=True))
        | {"words": ACCEPTANCES[State(entry.state)], "notes": entry.warnings}
        for entry, row in zip(run.summary.acceptances, list_acceptances(run), strict=True)
    ]


def describe_scope(summary: Summary, framework: str) -> list[tuple[str, str]]:
    """
    Say for which accounts a framework speaks, who said so, and how many of them were read.
    """
    scope = next((scope for scope in summary.scopes if scope.framework == framework), None)
    if scope is None:
        return [("Scope", "not recorded in this run")]
    facts = [
        ("Scope", f"{'declared: ' if scope.is_declared else ''}{scope.words}"),
        ("Accounts in scope", _describe_reach(scope)),
    ]
    if scope.source is not None:
        facts.append(("Declared in", f"{scope.source}, SHA-256 {scope.sha256}"))
    return facts


def _describe_reach(scope: ScopeTotals) -> str:
    active = f"{scope.accounts:,} active"
    if not scope.not_tested:
        return f"{active}, each of them read"
    return f"{active}, {scope.not_tested:,} of them not tested: not read, or by a report that was too old"


def describe_population(run: StoredRun) -> Population:
    """
    Compare the reports with IAM's own count of users, account by account.
    """
    accounts = run.accounts()
    read = accounts[accounts["outcome"] == "collected"]
    both = read[read["users"].notna() & read["iam_users"].notna()]
    agrees = both["users"] == both["iam_users"]
    ages = read["report_age_seconds"].dropna()
    return Population(
        compared=len(both),
        agreeing=int(agrees.sum()),
        outdated=int((agrees & mark_stale(both)).sum()),
        explained=int((~agrees & both["users_added"].notna()).sum()),
        collected=len(read),
        youngest=format_age(int(ages.min()) if len(ages) else None),
        oldest=format_age(int(ages.max()) if len(ages) else None),
    )


EXPLAINED, UNEXPLAINED, UNCOMPARED = (
    "different, and explained",
    "different, and not explained",
    "could not be compared",
)


def list_differences(accounts: pd.DataFrame) -> pd.DataFrame:
    """
    Return the accounts that were read whose users IAM counts differently, or does not count.

    The column `difference` says which of the three it is. Those not explained come first.
    """
    read = accounts[accounts["outcome"] == "collected"]
    uncounted = read["iam_users"].isna()
    differs = (read["iam_users"] != read["users"]).fillna(value=False).astype("bool")
    words = pd.Series(EXPLAINED, index=read.index, dtype="str")
    words = words.mask(read["users_added"].isna(), UNEXPLAINED).mask(uncounted, UNCOMPARED)
    found = read.assign(difference=words)[uncounted | differs]
    order = found["difference"].map({UNEXPLAINED: 0, UNCOMPARED: 1, EXPLAINED: 2})
    return found.loc[order.sort_values(kind="stable").index]
