"""
The totals of a run: what is counted while accounts are judged, what comes of it, and whether it ties out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from scanner.acceptances import AcceptanceLedger
from scanner.checks import EVIDENCE_CHECKS, BoundCheck, Subject
from scanner.errors import EvidenceError
from scanner.evidence.accounts import Reading
from scanner.evidence.inputs import SETTINGS_FILE, Inputs
from scanner.evidence.store import hash_bytes
from scanner.findings import CONFIRMED_CHECK
from scanner.history import History, describe_gap, extend_trend
from scanner.judge import Tally, count_open
from scanner.model import AccountId, AccountOutcome, Collected, NotCollected, Verdict
from scanner.organization import NOT_ACTIVE_STATES
from scanner.scopes import Scope
from scanner.summary import AccountTotals, CheckTotals, ScopeTotals, Summary, TrendPoint, Window


@dataclass(slots=True)
class Ledger:
    """
    What has been derived so far about accounts and findings.
    """

    outcomes: Counter[AccountOutcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    generated: list[datetime] = field(default_factory=list)
    read: set[AccountId] = field(default_factory=set)
    stale: int = 0
    findings: int = 0
    accepted: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    confirmations: Counter[str] = field(default_factory=Counter)
    unclear: Counter[str] = field(default_factory=Counter)

    def enter(self, reading: Reading) -> None:
        """
        Enter one account with its one outcome.
        """
        match reading.outcome:
            case NotCollected() as missed:
                self.outcomes[missed.outcome] += 1
                if missed.outcome is AccountOutcome.NOT_COLLECTED:
                    self.reasons[str(missed.reason_code)] += 1
            case Collected() as read:
                self.outcomes[AccountOutcome.COLLECTED] += 1
                self.generated.append(read.generated_time)
                # A report that was too old shows nothing: its account counts as not tested.
                if reading.facts.is_stale:
                    self.stale += 1
                else:
                    self.read.add(read.account.id)

    def count(self, findings: pd.DataFrame) -> None:
        """
        Count a batch of findings.
        """
        self.findings += len(findings)
        self.accepted += int(findings["acceptance"].notna().sum())
        self.verdicts.update(_count_values(findings["verdict"]))
        self.confirmations.update(_count_values(findings["confirmation"]))
        is_unclear = findings["verdict"] == str(Verdict.UNKNOWN)
        self.unclear.update(_count_values(findings["confirmation"][is_unclear]))


@dataclass(frozen=True, slots=True)
class Judges:
    """
    Everything that a batch of accounts passes through, with what each keeps count of.
    """

    checks: tuple[BoundCheck, ...]
    scopes: tuple[Scope, ...]
    tally: Tally
    ledger: Ledger
    acceptances: AcceptanceLedger
    history: History


def check_totals(summary: Summary) -> None:
    """
    Raise `EvidenceError` unless every total is the sum of its parts.
    """
    ledger, users = summary.accounts, summary.users
    parts = ledger.collected + ledger.not_collected + ledger.excluded + ledger.not_active
    wrong = []
    if ledger.listed != parts:
        wrong.append(f"{ledger.listed} accounts are listed, but {parts} have an outcome")
    if ledger.collected != users.roots:
        wrong.append(f"{ledger.collected} accounts are collected, with {users.roots} root users")
    for total in summary.checks:
        about_accounts = total.subject == Subject.ACCOUNT
        wrong += _check_total(total, ledger.listed if about_accounts else users.users + users.roots)
    reported = sum(total.failed + total.needs_review + total.unknown for total in summary.checks)
    if summary.findings != reported:
        wrong.append(f"{summary.findings} findings, but {reported} verdicts that make one")
    if summary.accepted != sum(total.accepted for total in summary.checks):
        wrong.append(f"{summary.accepted} findings are accepted, but the checks count otherwise")
    if wrong:
        raise EvidenceError("the totals do not tie out: " + "; ".join(wrong))


def _check_total(total: CheckTotals, rows: int) -> Iterator[str]:
    verdicts = total.evaluated + total.not_applicable + total.unknown
    if not rows == total.rows == verdicts:
        yield f"check {total.check} has {total.rows} rows of {rows}, but {verdicts} verdicts"
    if total.accepted > total.failed + total.needs_review:
        yield f"check {total.check} has {total.accepted} accepted, more than it found"


def cover(inputs: Inputs, judges: Judges) -> tuple[ScopeTotals, ...]:
    """
    Count, for each framework's scope, its active accounts and those of them that were not read.
    """
    active = {
        account.id
        for account in inputs.organization.accounts
        if account.state not in NOT_ACTIVE_STATES
    }
    totals = []
    for scope in judges.scopes:
        within = {account for account in active if scope.holds(account)}
        totals.append(
            ScopeTotals(
                framework=scope.framework,
                is_declared=scope.is_declared,
                words=scope.words,
                accounts=len(within),
                not_tested=len(within - judges.ledger.read),
                source=f"inputs/{SETTINGS_FILE}" if scope.is_declared else None,
                sha256=inputs.settings_sha256 if scope.is_declared else None,
            )
        )
    return tuple(totals)


def summarise(
    inputs: Inputs,
    judges: Judges,
    totals: Mapping[str, Sequence[CheckTotals]],
    covered: tuple[ScopeTotals, ...],
    parent: str | None,
) -> Summary:
    """
    Return the totals that every document prints. `totals` are those of each framework's checks.
    """
    terms, organization, ledger = inputs.terms, inputs.organization, judges.ledger
    checks = judges.tally.checks()
    accounts = AccountTotals(
        listed=len(organization.accounts),
        collected=ledger.outcomes[AccountOutcome.COLLECTED],
        not_collected=ledger.outcomes[AccountOutcome.NOT_COLLECTED],
        excluded=ledger.outcomes[AccountOutcome.EXCLUDED],
        not_active=ledger.outcomes[AccountOutcome.NOT_ACTIVE],
    )
    exceptions, unknown = count_open(inputs.frameworks, totals)
    # Nothing at all is known of a scope in which no account was read.
    unknown += sum(scope.not_tested == scope.accounts for scope in covered)
    unknown += sum(total.unknown for total in checks if total.check in EVIDENCE_CHECKS)
    previous = inputs.previous.run if inputs.previous else None
    accepted = judges.acceptances.totals()
    gap = describe_gap(previous, inputs.started)
    return Summary(
        run_id=inputs.run_id,
        period=terms.period,
        organization_id=organization.id,
        management_account_id=organization.management_account_id,
        partition=organization.caller.partition,
        caller_arn=organization.caller.arn,
        role_name=terms.role_name,
        endpoint=terms.endpoint,
        simulated=terms.simulated,
        interrupted=inputs.sittings[-1].interrupted,
        tool_version=inputs.sittings[-1].tool_version,
        prepared_by=terms.prepared_by,
        organization_name=terms.organization_name,
        selection=terms.selection,
        window=Window(
            started=inputs.started,
            finished=inputs.finished,
            oldest_report=min(ledger.generated, default=None),
            newest_report=max(ledger.generated, default=None),
        ),
        accounts=accounts,
        reasons=dict(sorted(ledger.reasons.items())),
        users=judges.tally.users(),
        checks=checks,
        findings=ledger.findings,
        findings_by_verdict=dict(sorted(ledger.verdicts.items())),
        findings_by_confirmation=dict(sorted(ledger.confirmations.items())),
        frameworks=tuple(framework.ref for framework in inputs.frameworks),
        exit_status=decide_exit_status(
            accounts,
            exceptions=exceptions,
            unknown=unknown,
            interrupted=inputs.sittings[-1].interrupted,
        ),
        accepted=ledger.accepted,
        stale=ledger.stale,
        max_report_age_hours=terms.max_report_age_hours,
        scopes=covered,
        acceptances=accepted,
        acceptances_sha256=inputs.acceptances.sha256 if inputs.acceptances else None,
        previous=previous,
        changes=dict(sorted(judges.history.changes.items())) if previous else {},
        unclear_changes=dict(sorted(judges.history.unclear.items())) if previous else {},
        unclear_by_confirmation=dict(sorted(ledger.unclear.items())),
        trend=extend_trend(
            inputs.earlier.trend if inputs.earlier else (), _mark(inputs, judges, accounts)
        ),
        warnings=(
            *inputs.notes.warnings,
            *([gap] if gap else []),
            *(f"acceptance {entry.id}: {text}" for entry in accepted for text in entry.warnings),
        ),
        judged=inputs.notes.judged,
        parent=parent,
        sittings=inputs.sittings,
        continues=inputs.continues,
    )


def _mark(inputs: Inputs, judges: Judges, accounts: AccountTotals) -> TrendPoint:
    """
    Return this run's own point of the trend.
    """
    users = judges.tally.users()
    confirmed = next(
        (total for total in judges.tally.checks() if total.check == CONFIRMED_CHECK), None
    )
    return TrendPoint(
        period=inputs.terms.period,
        run_id=inputs.run_id,
        started=inputs.started,
        listed=accounts.listed,
        collected=accounts.collected,
        users=users.users,
        console=users.console,
        without_mfa=users.console_without_mfa,
        exceptions=confirmed.failed - confirmed.accepted if confirmed else 0,
        accepted=confirmed.accepted if confirmed else 0,
        not_collected=accounts.not_collected,
        stale=judges.ledger.stale,
        read_sha256=hash_bytes("\n".join(sorted(judges.ledger.read)).encode()),
    )


def decide_exit_status(
    accounts: AccountTotals, *, exceptions: int, unknown: int, interrupted: bool
) -> int:
    """
    Return the exit status of a scan: 5 interrupted, 3 incomplete or unknown, 1 exceptions, else 0.

    `exceptions` and `unknown` count what is open within the frameworks' scopes. A scan that read no account
    at all (all those selected are closed, say) has shown nothing: 3.
    """
    if interrupted:
        return 5
    if accounts.not_collected or not accounts.collected or unknown:
        return 3
    return 1 if exceptions else 0


def _count_values(column: pd.Series) -> dict[str, int]:
    return {str(value): int(number) for value, number in column.value_counts().items() if number}
