"""
What the commands print where nobody looks through a terminal, line by line. Pure.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from scanner.checks import BoundCheck, Subject
from scanner.doctor import CheckUp
from scanner.evidence.documents import Comparison
from scanner.evidence.verify import Result, Step, conclude
from scanner.examination import MEANINGS, Cause, count_causes
from scanner.frameworks import Control, Framework
from scanner.model import Confirmation
from scanner.summary import CheckTotals, Summary


def describe_run(summary: Summary, documents: Sequence[Path]) -> Iterator[str]:
    """
    Yield what a run found: coverage, users, exceptions, changes, what is missing, and its documents.
    """
    accounts, users = summary.accounts, summary.users
    yield f"organization {summary.organization_id}, period {summary.period}"
    yield (
        f"accounts: {accounts.listed} listed = {accounts.collected} collected + "
        f"{accounts.not_collected} not collected + {accounts.excluded} excluded + "
        f"{accounts.not_active} not active"
    )
    yield (
        f"users: {users.users} read, {users.console} with a console password, "
        f"{users.console_without_mfa} of them without MFA"
    )
    fixed = summary.findings_by_confirmation.get(Confirmation.FIXED_SINCE_REPORT, 0)
    if fixed:
        yield f"       {fixed} got MFA since their account's report was made"
    for total in summary.checks:
        yield from _describe_check(total)
    yield from _describe_state(summary)
    for path in documents:
        yield f"document: {path}"


def describe_comparison(comparison: Comparison, listed: Path) -> Iterator[str]:
    """
    Yield whether documents drawn again are those that a run lists, and what differs.
    """
    word = "the same, byte for byte, as" if comparison.is_same else "NOT the same bytes as"
    yield f"the documents are {word} those listed in {listed}"
    for difference in comparison.differences:
        yield f"  {difference}"
    for tool in comparison.tools:
        yield f"  made with {tool}"


def describe_step(step: Step) -> Iterator[str]:
    """
    Yield a step of a verification with its result, and a line for each fault.
    """
    word = "FAILED" if step.result is Result.FAILED else str(step.result)
    said = f": {step.said}" if step.said and step.result is not Result.FAILED else ""
    yield f"{step.number:>2}. {word:<8} {step.title}{said}"
    for fault in step.faults:
        yield f"             {fault}"


def describe_verification(steps: Sequence[Step]) -> Iterator[str]:
    """
    Yield what a verification did not show, and in the last line what it came to.
    """
    limits = [limit for step in steps for limit in step.limits]
    if limits:
        yield "Not shown:"
        yield from (f"  {limit}" for limit in limits)
    failed = [str(step.number) for step in steps if step.result is Result.FAILED]
    if conclude(steps):
        skipped = [step.title for step in steps if step.result is Result.SKIPPED]
        beside = f" (skipped: {', '.join(skipped)})" if skipped else ""
        yield f"this evidence verifies{_say_partly(steps)}{beside}"
    else:
        number = "step" if len(failed) == 1 else "steps"
        yield f"this evidence does NOT verify: see {number} {', '.join(failed)}"


def _say_partly(steps: Sequence[Step]) -> str:
    """
    Say of how many documents not everything was compared, for what stands above is easily missed.
    """
    number = sum(len(step.partly) for step in steps)
    if not number:
        return ""
    were = "was" if number == 1 else "were"
    return f'; {_count(number, "document")} {were} checked in part only: see "Not shown"'


def describe_check_up(check_up: CheckUp) -> Iterator[str]:
    """
    Yield what stands in a scan's way: of the whole, of each account with its fix, and by cause.
    """
    for symptom in check_up.symptoms:
        yield f"{'ok  ' if symptom.is_sound else 'FAIL'} {symptom.topic}: {symptom.seen}"
        if symptom.fix:
            yield f"       fix: {symptom.fix}"
    for diagnosis in check_up.diagnoses:
        if diagnosis.cause is not Cause.READY:
            word = "warn" if diagnosis.cause.is_readable else "FAIL"
            yield f"{word} account {diagnosis.account}: {MEANINGS[diagnosis.cause]} ({diagnosis.seen})"
            yield f"       fix: {diagnosis.fix}"
    if check_up.diagnoses:
        yield f"by cause, of {_count(len(check_up.diagnoses), 'account')} to be read:"
    for cause, accounts in count_causes(check_up.diagnoses).items():
        yield f"  {len(accounts):>6}  {cause}: {MEANINGS[cause]}"
    if check_up.is_ready:
        yield "a scan would read every account that it is to read"
    else:
        yield "a scan would NOT read every account that it is to read"


def _describe_check(total: CheckTotals) -> Iterator[str]:
    """
    Yield one line for a check that found something, and none for one that did not.
    """
    found = [
        _count(total.failed, "exception") + " noted" if total.failed else "",
        f"{total.needs_review} to review" if total.needs_review else "",
        f"{total.accepted} accepted" if total.accepted else "",
        f"{total.unknown} unable to determine" if total.unknown else "",
    ]
    if any(found):
        yield f"check {total.check}: {', '.join(filter(None, found))}"


def _describe_state(summary: Summary) -> Iterator[str]:
    """
    Yield what changed, what is missing, and what somebody must look at.
    """
    if summary.previous:
        changes = ", ".join(f"{number} {state}" for state, number in summary.changes.items())
        yield f"since run {summary.previous.run_id}: {changes or 'nothing changed'}"
    if summary.interrupted:
        yield "INCOMPLETE: the scan was stopped; accounts that were not read say so"
    elif not summary.accounts.collected:
        yield "INCOMPLETE: no account was read, so nothing is shown about any user"
    elif not summary.is_complete:
        missed = _count(summary.accounts.not_collected, "account")
        yield f"INCOMPLETE: {missed} could not be read ({list_reasons(summary)})"
    for warning in summary.warnings:
        yield f"warning: {warning}"


def list_reasons(summary: Summary) -> str:
    """
    Return the reasons for which accounts were not read, each with their number.
    """
    return ", ".join(f"{count} {code}" for code, count in summary.reasons.items())


def describe_framework(framework: Framework) -> Iterator[str]:
    """
    Yield a framework's controls, what bears on each with its thresholds, and what nothing bears on.
    """
    yield f"{framework.name} {framework.version} ({framework.id}), SHA-256 {framework.sha256}"
    yield framework.status
    for remark in framework.remarks:
        yield f"remark: {remark}"
    for control in framework.controls:
        yield from _describe_control(control)
    for gap in framework.not_evidenced:
        yield ""
        yield f"not evidenced: {', '.join(gap.ids)}: {gap.because}"


def _describe_control(control: Control) -> Iterator[str]:
    relation = control.relation if control.checks else "not tested"
    yield ""
    yield f"{control.id}  {control.title}  [{relation}]"
    yield f"  {control.requirement}"
    for edition, ids in control.crosswalk.items():
        yield f"  edition {edition}: {', '.join(ids)}"
    for mapped in control.checks:
        yield f"  {mapped.relation}: {mapped.bound.name}: {mapped.because}"
        yield f"    {_name_result(mapped.bound)}: {mapped.bound.condition}"
    if control.not_tested:
        yield f"  not tested: {control.not_tested}"
    for text in control.notes:
        yield f"  note: {text}"
    for text in control.cannot_show:
        yield f"  cannot show: {text}"


def _name_result(bound: BoundCheck) -> str:
    """
    Say what it amounts to when a check's condition holds.
    """
    if bound.check.is_lead:
        return "lead"
    return "unable to determine" if bound.check.subject is Subject.ACCOUNT else "exception"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
