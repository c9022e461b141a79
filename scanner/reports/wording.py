"""
The words that people read: verdicts, times, the conclusion, and the notices on every page.

Documents speak of exceptions and of evidence. What they mean for a standard is the assessor's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scanner.acceptances import State as AcceptanceState
from scanner.checks import Subject, title_check
from scanner.findings import CONFIRMED_CHECK
from scanner.frameworks import Framework
from scanner.history import State
from scanner.model import (
    AccountOutcome,
    Confirmation,
    Relation,
    Severity,
    Verdict,
)
from scanner.summary import CheckTotals, Summary, TrendPoint

VERDICTS = {
    Verdict.PASS: "no exception noted",
    Verdict.FAIL: "exception noted",
    Verdict.UNKNOWN: "unable to determine",
    Verdict.NOT_APPLICABLE: "not applicable",
    Verdict.NOT_TESTED: "not tested",
    Verdict.NEEDS_REVIEW: "needs review",
}

URGENCY = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.NEEDS_REVIEW)
"""
The verdicts that somebody must look at, in the order in which documents list them.
"""

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

CHANGES = {
    State.NEW: "new",
    State.REOPENED: "open again after it was fixed",
    State.STILL_OPEN: "still open",
    State.FIXED: "fixed",
    State.NOT_SCANNED: "not scanned this time",
    State.ACCOUNT_JOINED: "account joined",
    State.ACCOUNT_LEFT: "account left",
    State.LEFT_BEFORE: "account left before the previous run",
}
"""
What became of a finding or an account, in the order in which it is told.
"""

ACCEPTANCES = {
    AcceptanceState.IN_FORCE: "in force",
    AcceptanceState.EXPIRED: "expired",
    AcceptanceState.NOT_YET: "not yet in force",
}

NO_PREVIOUS_RUN = "There is no previous run to compare with, so nothing is said about what changed."

MISSING = "\u2013"
"""
What stands where there is no value.
"""

TITLE = "Who can sign in to the AWS console without MFA"

_GRAVE = (Severity.CRITICAL, Severity.HIGH)
_NAMED_CHECKS = 3


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
    # Accounts that were not read have verdicts of their own, and say nothing of the users that were.
    whole = sum(total.unknown for total in summary.checks if total.subject == Subject.ACCOUNT)
    if not noted and unclear == whole:
        among = "account" if read == 1 else f"{count(read, 'account')}"
        noted.append(
            f"No exceptions were noted among {count(users.console, 'console user')} and "
            f"{count(users.roots, 'root user')} in the {among} read"
        )
    if unclear:
        noted.append(_say_unclear(unclear, whole))
    # Asked live, the account has said more of them than its report decides.
    seen = summary.unclear_by_confirmation.get(Confirmation.STILL_OPEN, 0)
    if seen:
        whose = (
            "user whom no verdict is given on" if seen == 1 else "users whom no verdict is given on"
        )
        noted.append(f"when asked, {seen:,} {whose} had a password and no MFA device")
    leads = sum(total.needs_review for total in summary.checks)
    if leads:
        noted.append(f"{count(leads, 'lead')} {'needs' if leads == 1 else 'need'} review")
    return f"{'; '.join(noted)}."


def _say_unclear(unclear: int, whole: int) -> str:
    sentence = f"{count(unclear, 'verdict')} could not be reached"
    if not whole:
        return sentence
    which = f"{whole:,} of them " if unclear > 1 else ""
    return f"{sentence}, {which}about an account as a whole"


def describe_accepted(summary: Summary) -> str:
    """
    Say how many exceptions and leads are accepted risks. Their number does not shrink by it.
    """
    failed = sum(total.failed for total in summary.checks)
    leads = sum(total.needs_review for total in summary.checks)
    if not summary.acceptances:
        return f"No accepted risks were given: {_say_open(failed, leads)}."
    are = "is an accepted risk" if summary.accepted == 1 else "are accepted risks"
    return (
        f"{summary.accepted:,} of the {count(failed, 'exception')} and {count(leads, 'lead')} {are}. They "
        "stay in every figure and in every list: accepting one says who answers for it and until when."
    )


def _say_open(failed: int, leads: int) -> str:
    counted = [
        count(number, noun) for number, noun in ((failed, "exception"), (leads, "lead")) if number
    ]
    if not counted:
        return "there is no exception and no lead that one could be about"
    every = "all " if max(failed, leads) > 1 else ""
    return f"{every}{' and '.join(counted)} {'is' if failed + leads == 1 else 'are'} open"


def complete(summary: Summary) -> str:
    """
    Say whether every account that was to be read was read, and whether every report was recent enough.
    """
    return _say_coverage(summary) + _say_stale(summary)


def _say_stale(summary: Summary) -> str:
    if not summary.stale:
        return ""
    one = summary.stale == 1
    return (
        f" {count(summary.stale, 'report')} {'was' if one else 'were'} older than "
        f"{count(summary.max_report_age_hours, 'hour')} when fetched: "
        f"{'it decides nothing about its' if one else 'they decide nothing about their'} users."
    )


def _say_coverage(summary: Summary) -> str:
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
        every = f"very one of {count(listed, 'account')} listed was read"
        if summary.stale:
            return f"E{every}, but this evidence is not complete."
        return f"This evidence is complete: e{every}."
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
    notices = _list_gaps(summary)
    if summary.simulated:
        sentence = "this organization is simulated; nothing here is evidence about a real one"
        notices.append(Notice("simulated", "SIMULATED", sentence))
    elif summary.endpoint:
        sentence = "the answers did not come from AWS's usual address"
        notices.append(Notice("endpoint", "ENDPOINT OVERRIDDEN", sentence))
    if not summary.selection.is_full:
        excluded, listed = summary.accounts.excluded, summary.accounts.listed
        sentence = f"{count(excluded, 'account')} of {listed:,} left out"
        notices.append(Notice("partial", "PARTIAL SELECTION", sentence))
    if summary.parent is not None:
        sentence = (
            f"on {format_moment(summary.judged)}, from the sealed answers of an earlier judgement"
        )
        notices.append(Notice("derived", "JUDGED AGAIN", sentence))
    return notices


def _list_gaps(summary: Summary) -> list[Notice]:
    """
    Return the notices of accounts on whose users no verdict is given.
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
    if summary.stale:
        reports = count(summary.accounts.collected, "report")
        sentence = (
            f"{summary.stale:,} of {reports} {'was' if summary.stale == 1 else 'were'} older than "
            f"{count(summary.max_report_age_hours, 'hour')} when fetched; no verdict is given on the users there"
        )
        notices.append(Notice("stale", "REPORTS TOO OLD", sentence))
    return notices


def describe_parent(summary: Summary) -> str | None:
    """
    Say of a judgement that was made later whose evidence it judges again and when, else return None.
    """
    if summary.parent is None:
        return None
    return (
        f"The raw answers of run {summary.run_id} were judged again on {format_moment(summary.judged)}. "
        f"The judgement sealed with them stays as it was; its seal is {summary.parent}."
    )


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


def list_changes(summary: Summary) -> list[tuple[str, int]]:
    """
    Return how many findings changed since the previous run, and how. The first three add up to those of this run.
    """
    states = (State.NEW, State.REOPENED, State.STILL_OPEN, State.FIXED, State.NOT_SCANNED)
    counts = [(CHANGES[state], str(state)) for state in states]
    counts.append(("in accounts that left", str(State.ACCOUNT_LEFT)))
    return [(words, summary.changes.get(key, 0)) for words, key in counts]


def say_unclear_changes(summary: Summary) -> str:
    """
    Say how many of the changes are no exceptions but verdicts that could not be reached; nothing where none is.
    """
    counted = [
        f"{number:,} {CHANGES[state]}"
        for state in (State.NEW, State.REOPENED, State.STILL_OPEN, State.FIXED, State.NOT_SCANNED)
        if (number := summary.unclear_changes.get(state, 0))
    ]
    if not counted:
        return ""
    return f"Of these, verdicts that could not be reached and no exceptions: {', '.join(counted)}."


def describe_moves(summary: Summary) -> str:
    """
    Say in a sentence how many accounts joined the organization and left it since the previous run.
    """
    moves = [
        f"{count(number, 'account')} {verb}"
        for verb in ("joined", "left")
        if (number := summary.changes.get(f"accounts-{verb}", 0))
    ]
    return f"{' and '.join(moves) or 'No account joined or left'}."


def describe_read(point: TrendPoint) -> str:
    """
    Say for how many of the accounts that were to be read a point of the trend speaks.
    """
    return f"{point.read:,} of {count(point.due, 'account')}"


_SETTLED = (
    Confirmation.FIXED_SINCE_REPORT,
    Confirmation.PASSWORD_REMOVED,
    Confirmation.USER_DELETED,
)


def _list_exceptions(summary: Summary) -> list[str]:
    noted = []
    # Not the users counted without MFA: what a report too old to be used shows is no exception.
    alone = sum(total.failed for total in summary.checks if total.check == CONFIRMED_CHECK)
    if alone:
        sentence = (
            f"{alone:,} of {count(summary.users.console, 'console user')} "
            "can sign in with a password alone"
        )
        settled = sum(
            summary.findings_by_confirmation.get(state, 0)
            - summary.unclear_by_confirmation.get(state, 0)
            for state in _SETTLED
        )
        if settled:
            sentence = (
                f"By their accounts' reports {sentence}; {settled:,} no longer could when asked"
            )
        noted.append(sentence)
    further = _list_further(summary)
    if further:
        noted.append(f"{'also noted' if noted else 'Exceptions were noted'}: {', '.join(further)}")
    return noted


def describe_result(framework: Framework, row: Mapping[str, Any]) -> str:
    """
    Say what a row of the controls table amounts to, in the framework's own words where it has any.

    A control whose checks found no lead, or nothing to evaluate, was looked at all the same, as far as accounts
    were read. Only one without checks is not tested.
    """
    verdict = Verdict(str(row["verdict"]))
    [control] = [control for control in framework.controls if control.id == row["control_id"]]
    if verdict is not Verdict.NOT_TESTED or control.not_tested:
        return framework.wording[verdict]
    evaluated, unknown, missed = (int(row[key]) for key in ("evaluated", "unknown", "not_tested"))
    first, *others = _say_unreached(evaluated, unknown, missed)
    words = f"{', '.join([first, *others[:-1]])}, and {others[-1]}" if others else first
    decides = control.relation is Relation.DIRECT
    return words if decides else f"{words}; supporting checks decide nothing"


def _say_unreached(evaluated: int, unknown: int, missed: int) -> list[str]:
    """
    Say what checks without a lead came to, and what they did not reach.
    """
    words = []
    if evaluated:
        words.append("No lead noted in what was read" if unknown or missed else "No lead noted")
        words += [f"{count(unknown, 'verdict')} could not be reached"] if unknown else []
    else:
        words.append(
            "No verdict could be reached" if unknown else "Nothing to evaluate in what was read"
        )
    if missed:
        words.append(f"{count(missed, 'account')} {'was' if missed == 1 else 'were'} not tested")
    return words


def _list_further(summary: Summary) -> list[str]:
    """
    Name the gravest checks that noted exceptions, and count the others: a conclusion is read in one breath.
    """
    failed = [total for total in summary.checks if total.failed and total.check != CONFIRMED_CHECK]
    ranked = sorted(failed, key=_rank)
    grave = [total for total in ranked if total.severity in _GRAVE]
    named = (grave or ranked)[:_NAMED_CHECKS]
    rest = [total for total in ranked if total not in named]
    if len(rest) == 1:
        named, rest = ranked, []
    titles = [title_check(total.check) for total in named]
    words = [
        f"{title[:1].lower()}{title[1:]} ({total.failed:,})"
        for title, total in zip(titles, named, strict=True)
    ]
    if rest:
        number = sum(total.failed for total in rest)
        # A check with several thresholds has a line for each.
        checks = {total.check.partition(":")[0] for total in rest}
        often = ", counted once for each threshold" if len(checks) < len(rest) else ""
        named_rest = f"{count(number, 'exception')} of {count(len(checks), 'further check')}"
        words.append(f"{named_rest}{often}")
    return words


def _rank(total: CheckTotals) -> int:
    return list(Severity).index(total.severity)


def say_limits(summary: Summary) -> str:
    """
    Say for how many of the accounts that were to be read a number speaks, and of how many users it does not.
    """
    unclear = summary.users.unknown
    words = ""
    if summary.usable < summary.due:
        due = count(summary.due, "account")
        words = f" in the {summary.usable:,} of {due} whose report could be used"
    if unclear:
        words += f"; {count(unclear, 'user')} {'is' if unclear == 1 else 'are'} not clear"
    return words
