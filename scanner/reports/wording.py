"""
The words that people read: verdicts, times, the conclusion, and the notices on every page.

Documents speak of exceptions and of evidence. What they mean for a standard is the assessor's to say.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from scanner.model import AccountOutcome, Confirmation, Summary, Verdict

VERDICTS = {
    Verdict.PASS: "no exception noted",
    Verdict.FAIL: "exception noted",
    Verdict.UNKNOWN: "unable to determine",
    Verdict.NOT_APPLICABLE: "not applicable",
    Verdict.NOT_TESTED: "not tested",
    Verdict.NEEDS_REVIEW: "needs review",
}

CONFIRMATIONS = {
    Confirmation.STILL_OPEN: "still open",
    Confirmation.FIXED_SINCE_REPORT: "fixed since the report",
    Confirmation.PASSWORD_REMOVED: "password removed",
    Confirmation.USER_DELETED: "user deleted",
    Confirmation.NOT_CHECKED: "not checked",
}

OUTCOMES = {
    AccountOutcome.COLLECTED: "collected",
    AccountOutcome.NOT_COLLECTED: "not collected",
    AccountOutcome.EXCLUDED: "excluded",
    AccountOutcome.NOT_ACTIVE: "not active",
}

MISSING = "\u2013"
"""
What stands where there is no value.
"""

TITLE = "Who can sign in to the AWS console without MFA"

_CONSOLE_CHECK = "console-no-mfa"


@dataclass(frozen=True, slots=True)
class Notice:
    """
    What a reader must know before believing any page, and so stands on each of them.
    """

    kind: str
    label: str
    sentence: str


def format_moment(moment: datetime | None) -> str:
    """
    Write a time for people: `2026-11-24 10:15 UTC`.
    """
    return MISSING if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def format_iso(moment: datetime) -> str:
    """
    Write a time for machines: `2026-11-24T10:15:00Z`, with milliseconds only where there are any.
    """
    exact = moment.astimezone(UTC)
    precision = "milliseconds" if exact.microsecond else "seconds"
    return exact.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def format_age(seconds: int | None) -> str:
    """
    Write an age: `3 h 05 min`. A negative one, from clocks that differ, keeps its sign.
    """
    if seconds is None:
        return MISSING
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else ''}{hours} h {minutes:02} min"


def count(number: int, noun: str) -> str:
    """
    Write a number with its noun: `1 account`, `1,204 accounts`.
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def conclude(summary: Summary) -> str:
    """
    Say in one sentence what was found, or that nothing can be said.
    """
    read = summary.accounts.collected
    if not read:
        return "No account was read, so nothing can be concluded about any user."
    users = summary.users
    noted = _list_exceptions(summary)
    unclear = summary.unknown_verdicts
    if unclear:
        noted.append(f"{count(unclear, 'verdict')} could not be reached from the reports")
    if not noted:
        return (
            f"No exceptions were noted among {count(users.console, 'console user')} and "
            f"{count(users.roots, 'root user')} in the {count(read, 'account')} read."
        )
    return f"{'; '.join(noted)}."


def complete(summary: Summary) -> str:
    """
    Say in one sentence whether every account that was to be read was read.
    """
    accounts = summary.accounts
    missed, listed = accounts.not_collected, accounts.listed
    if not accounts.collected and not missed:
        return f"This evidence is incomplete: none of {count(listed, 'account')} was read."
    if not summary.is_complete:
        why = "the run was interrupted, and " if summary.interrupted else ""
        whose = "its users" if missed == 1 else "their users"
        return (
            f"This evidence is incomplete: {why}{missed:,} of {count(listed, 'account')} could not "
            f"be read, so nothing is said about {whose}."
        )
    if listed and accounts.collected == listed:
        return (
            f"This evidence is complete: every one of {count(listed, 'account')} listed was read."
        )
    beside = [
        f"{number:,} {words}"
        for number, words in (
            (accounts.excluded, "left out on purpose"),
            (accounts.not_active, "not active"),
        )
        if number
    ]
    return (
        f"Every account that was to be read was read: {accounts.collected:,} of "
        f"{count(listed, 'account')} listed{'; ' if beside else ''}{' and '.join(beside)}."
    )


def list_notices(summary: Summary) -> list[Notice]:
    """
    Return what must stand on every page of this run's documents, gravest first.
    """
    notices = []
    missed, listed = summary.accounts.not_collected, summary.accounts.listed
    if not summary.is_complete:
        sentence = f"{missed:,} of {count(listed, 'account')} could not be read"
        if not (missed or summary.accounts.collected):
            sentence = f"none of {count(listed, 'account')} was read"
        if summary.interrupted:
            sentence = f"the run was interrupted; {sentence}"
        notices.append(Notice("incomplete", "INCOMPLETE", sentence))
    if summary.simulated:
        sentence = "this organization is simulated; nothing here is evidence about a real one"
        notices.append(Notice("simulated", "SIMULATED", sentence))
    elif summary.endpoint:
        sentence = "the answers did not come from AWS's usual address"
        notices.append(Notice("endpoint", "ENDPOINT OVERRIDDEN", sentence))
    if not summary.selection.is_full:
        sentence = f"{count(summary.accounts.excluded, 'account')} of {listed:,} left out"
        notices.append(Notice("partial", "PARTIAL SELECTION", sentence))
    return notices


def describe_selection(summary: Summary) -> str:
    """
    Say which accounts the run was asked to look at.
    """
    selection = summary.selection
    if selection.is_full:
        named = count(len(selection.exclusions), "account")
        return f"all but {named} excluded by name" if selection.exclusions else "all"
    parts = [
        f"{label} {', '.join(names)}"
        for label, names in (("accounts", selection.accounts), ("OUs", selection.ous))
        if names
    ]
    return f"only {' and '.join(parts)}"


_SETTLED = (
    Confirmation.FIXED_SINCE_REPORT,
    Confirmation.PASSWORD_REMOVED,
    Confirmation.USER_DELETED,
)


def _list_exceptions(summary: Summary) -> list[str]:
    users = summary.users
    noted = []
    if users.console_without_mfa:
        sentence = (
            f"{users.console_without_mfa:,} of {count(users.console, 'console user')} "
            "can sign in with a password alone"
        )
        settled = sum(summary.findings_by_confirmation.get(state, 0) for state in _SETTLED)
        if settled:
            sentence = (
                f"By their accounts' reports {sentence}; {settled:,} no longer could when asked"
            )
        noted.append(sentence)
    further = [
        f"{check.title[:1].lower()}{check.title[1:]} ({check.failed:,})"
        for check in summary.checks
        if check.failed and check.check != _CONSOLE_CHECK
    ]
    if further:
        noted.append(f"{'also noted' if noted else 'Exceptions were noted'}: {', '.join(further)}")
    return noted
