"""
From stored evidence to tables and totals. Reads only the run folder, so it can be done again offline.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from scanner.checks import BoundCheck
from scanner.credentials import build_table
from scanner.errors import EvidenceError
from scanner.evidence.accounts import Reading, read_account
from scanner.evidence.store import read_file
from scanner.evidence.tables import (
    ACCOUNTS,
    CONTROLS,
    FINDINGS,
    open_table,
    users_schema,
    write_table,
)
from scanner.frameworks import Framework, bind_checks, read_framework
from scanner.judge import Tally, judge_controls, judge_table, list_findings, name_controls
from scanner.model import (
    AccountOutcome,
    AccountTotals,
    CheckTotals,
    Collected,
    NotCollected,
    Organization,
    ScanRecord,
    Summary,
    Terms,
    Window,
)
from scanner.organization import (
    ACCOUNTS_FILE,
    CALLER_FILE,
    ORGANIZATION_FILE,
    UNITS_FILE,
    read_answers,
)
from scanner.records import decode

BATCH_USERS = 20_000
"""
How many rows are typed and judged at a time: memory follows the batch, not the organization.
"""


@dataclass(slots=True)
class Ledger:
    """
    What has been derived so far about accounts and findings.
    """

    rows: list[Mapping[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    outcomes: Counter[AccountOutcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    generated: list[datetime] = field(default_factory=list)

    def enter(self, reading: Reading) -> None:
        """
        Enter one account with its one outcome.
        """
        self.rows.append(reading.entry)
        match reading.outcome:
            case NotCollected() as missed:
                self.outcomes[missed.outcome] += 1
                if missed.outcome is AccountOutcome.NOT_COLLECTED:
                    self.reasons[str(missed.reason_code)] += 1
            case Collected() as read:
                self.outcomes[AccountOutcome.COLLECTED] += 1
                self.generated.append(read.generated_time)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """
    What the tables of a run are derived from, besides the accounts' own answers.
    """

    run_id: str
    terms: Terms
    scan: ScanRecord
    organization: Organization
    frameworks: tuple[Framework, ...]


def derive_tables(folder: Path) -> Summary:
    """
    Derive the four tables of a run from its raw answers and inputs, write them, and return the totals.

    Raises `EvidenceError` when a file is missing, damaged or there already, and when the totals do
    not tie out; then the run must not be sealed.
    """
    inputs = _read_inputs(folder)
    checks = bind_checks(inputs.frameworks)
    tally, ledger = Tally(checks), Ledger()
    _judge_users(folder, inputs, checks, tally, ledger)
    not_collected = ledger.outcomes[AccountOutcome.NOT_COLLECTED]
    controls = judge_controls(inputs.frameworks, tally.checks(), not_collected)
    tables = folder / "tables"
    write_table(tables / "accounts.parquet", ACCOUNTS, ledger.rows)
    write_table(tables / "findings.parquet", FINDINGS, ledger.findings)
    write_table(tables / "controls.parquet", CONTROLS, controls)
    summary = _summarise(inputs, tally, ledger)
    check_totals(summary)
    return summary


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
    wrong += [
        f"check {total.check} has {total.rows} rows, but "
        f"{total.evaluated + total.not_applicable + total.unknown} verdicts"
        for total in summary.checks
        if total.rows != total.evaluated + total.not_applicable + total.unknown
    ]
    reported = sum(total.failed + total.needs_review + total.unknown for total in summary.checks)
    if summary.findings != reported:
        wrong.append(f"{summary.findings} findings, but {reported} verdicts that make one")
    if wrong:
        raise EvidenceError("the totals do not tie out: " + "; ".join(wrong))


def _read_inputs(folder: Path) -> _Inputs:
    terms = decode(Terms, read_file(folder / "inputs" / "settings.json"), "inputs/settings.json")
    answers = (CALLER_FILE, ORGANIZATION_FILE, ACCOUNTS_FILE, UNITS_FILE)
    return _Inputs(
        run_id=folder.name,
        terms=terms,
        scan=decode(ScanRecord, read_file(folder / "raw" / "scan.json"), "raw/scan.json"),
        organization=read_answers({name: read_file(folder / "raw" / name) for name in answers}),
        frameworks=tuple(_read_catalog(folder, name) for name in terms.frameworks),
    )


def _read_catalog(folder: Path, name: str) -> Framework:
    filename = f"{name}.yaml"
    return read_framework(read_file(folder / "inputs" / "frameworks" / filename), filename)


def _judge_users(
    folder: Path, inputs: _Inputs, checks: Sequence[BoundCheck], tally: Tally, ledger: Ledger
) -> None:
    """
    Write the users table batch by batch, and enter accounts, findings and counts as they come.
    """
    accounts = {account.id: account for account in inputs.organization.accounts}
    controls = name_controls(inputs.frameworks)
    schema = users_schema([check.name for check in checks])
    with open_table(folder / "tables" / "users.parquet", schema) as writer:
        for batch in _read_in_batches(folder, inputs, ledger):
            table = build_table(reading.rows for reading in batch if reading.rows)
            judged = judge_table(table, checks)
            live = {arn: state for reading in batch for arn, state in reading.live.items()}
            ledger.findings += list_findings(judged, checks, accounts, live, controls)
            tally.add(judged)
            writer.write(judged)


def _read_in_batches(folder: Path, inputs: _Inputs, ledger: Ledger) -> Iterator[list[Reading]]:
    """
    Yield the readable accounts in order of id, and enter every account in the ledger.
    """
    partition = inputs.organization.caller.partition
    batch: list[Reading] = []
    users = 0
    for account in inputs.organization.accounts:
        reading = read_account(folder / "raw" / account.id, account, inputs.terms, partition)
        ledger.enter(reading)
        if reading.rows is None:
            continue
        batch.append(reading)
        users += len(reading.rows.rows)
        if users >= BATCH_USERS:
            yield batch
            batch, users = [], 0
    if batch:
        yield batch


def _summarise(inputs: _Inputs, tally: Tally, ledger: Ledger) -> Summary:
    terms, scan, organization = inputs.terms, inputs.scan, inputs.organization
    totals = tally.checks()
    accounts = AccountTotals(
        listed=len(organization.accounts),
        collected=ledger.outcomes[AccountOutcome.COLLECTED],
        not_collected=ledger.outcomes[AccountOutcome.NOT_COLLECTED],
        excluded=ledger.outcomes[AccountOutcome.EXCLUDED],
        not_active=ledger.outcomes[AccountOutcome.NOT_ACTIVE],
    )
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
        interrupted=scan.interrupted,
        tool_version=scan.tool_version,
        prepared_by=terms.prepared_by,
        organization_name=terms.organization_name,
        selection=terms.selection,
        window=Window(
            started=scan.started,
            finished=scan.finished,
            oldest_report=min(ledger.generated, default=None),
            newest_report=max(ledger.generated, default=None),
        ),
        accounts=accounts,
        reasons=dict(sorted(ledger.reasons.items())),
        users=tally.users(),
        checks=totals,
        findings=len(ledger.findings),
        findings_by_verdict=_count_by(ledger.findings, "verdict"),
        findings_by_confirmation=_count_by(ledger.findings, "confirmation"),
        frameworks=tuple(framework.ref for framework in inputs.frameworks),
        exit_status=decide_exit_status(totals, accounts, interrupted=scan.interrupted),
    )


def decide_exit_status(
    totals: Sequence[CheckTotals], accounts: AccountTotals, *, interrupted: bool
) -> int:
    """
    Return the exit status of a scan: 5 interrupted, 3 incomplete or unknown, 1 exceptions, else 0.

    A scan that read no account at all (all those selected are closed, say) has shown nothing: 3.
    """
    if interrupted:
        return 5
    if accounts.not_collected or not accounts.collected:
        return 3
    if any(total.unknown for total in totals):
        return 3
    return 1 if any(total.failed for total in totals) else 0


def _count_by(findings: Sequence[Mapping[str, Any]], column: str) -> dict[str, int]:
    return dict(sorted(Counter(str(row[column]) for row in findings).items()))
