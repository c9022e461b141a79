"""
From stored evidence to tables and totals. Reads only files, so it can be done again offline.

A run is judged from its own `raw/` and `inputs/`. It is judged again, under other catalogs or acceptances,
from the same `raw/` and other inputs, into another folder.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd

from scanner.acceptances import AcceptanceFile, AcceptanceLedger, read_acceptances
from scanner.checks import EVIDENCE_CHECKS, BoundCheck, Subject
from scanner.credentials import build_table
from scanner.errors import EvidenceError
from scanner.evidence.accounts import Reading, read_account
from scanner.evidence.previous import read_previous
from scanner.evidence.sittings import read_sittings
from scanner.evidence.store import hash_bytes, read_file
from scanner.evidence.tables import (
    ACCOUNTS,
    CONTROLS,
    FINDINGS,
    HISTORY,
    TableWriter,
    accounts_schema,
    build_frame,
    open_table,
    users_schema,
    write_table,
)
from scanner.findings import CONFIRMED_CHECK, list_findings
from scanner.frameworks import Framework, bind_checks, read_framework
from scanner.history import History, Previous, describe_gap, extend_trend
from scanner.judge import (
    Tally,
    count_open,
    judge_accounts,
    judge_controls,
    judge_table,
    name_controls,
)
from scanner.model import (
    AccountId,
    AccountOutcome,
    Collected,
    NotCollected,
    Notes,
    Organization,
    Terms,
)
from scanner.organization import (
    ACCOUNTS_FILE,
    CALLER_FILE,
    FEATURES_FILE,
    NOT_ACTIVE_STATES,
    ORGANIZATION_FILE,
    TAGS_FILE,
    UNITS_FILE,
    read_answers,
    read_central_root,
    read_tags,
)
from scanner.records import decode
from scanner.scopes import Scope, Tags, resolve_scopes
from scanner.summary import (
    AccountTotals,
    CheckTotals,
    PreviousRun,
    ScopeTotals,
    Sitting,
    Summary,
    TrendPoint,
    Window,
)

BATCH_USERS = 50_000
"""
How many rows are typed and judged at a time: memory follows the batch, not the organization.
"""

SETTINGS_FILE = "settings.toml"
ACCEPTANCES_FILE = "acceptances.yaml"
NOTES_FILE = "notes.json"
CONTINUES_FILE = "continues.json"


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


@dataclass(frozen=True, slots=True)
class _Inputs:
    """
    What the tables of a run are derived from, besides the accounts' own answers.
    """

    run_id: str
    terms: Terms
    sittings: tuple[Sitting, ...]
    continues: PreviousRun | None
    notes: Notes
    organization: Organization
    frameworks: tuple[Framework, ...]
    tags: Tags
    settings_sha256: str | None
    acceptances: AcceptanceFile | None
    managed_centrally: bool | None
    previous: Previous | None
    earlier: Summary | None

    @property
    def started(self) -> datetime:
        """
        When the first sitting began.
        """
        return self.sittings[0].started

    @property
    def finished(self) -> datetime:
        """
        When the last sitting ended.
        """
        if self.sittings[-1].finished is None:
            raise EvidenceError(
                "the last sitting was cut short; go on with `orgproof scan --resume` before judging"
            )
        return self.sittings[-1].finished


@dataclass(frozen=True, slots=True)
class _Judges:
    """
    Everything that a batch of accounts passes through, with what each keeps count of.
    """

    checks: tuple[BoundCheck, ...]
    scopes: tuple[Scope, ...]
    tally: Tally
    ledger: Ledger
    acceptances: AcceptanceLedger
    history: History


@dataclass(frozen=True, slots=True)
class _Writers:
    accounts: TableWriter
    users: TableWriter
    findings: TableWriter
    history: TableWriter


def derive_tables(
    folder: Path,
    *,
    raw: Path | None = None,
    parent: str | None = None,
    run_id: str | None = None,
    tables: Path | None = None,
) -> Summary:
    """
    Derive the tables of a run from raw answers and inputs, write them, and return the totals.

    `folder` holds `inputs/` and gets `tables/`; `raw` is the folder of the raw answers, by default its own.
    `parent` is the seal of the run whose answers are judged again, and `run_id` its id, by default the name
    of the folder. `tables` is where the tables go, by default below `folder`. Raises `EvidenceError` when a file is missing, damaged or there already, and when the totals do not tie out;
    then the run must not be sealed.
    """
    inputs = _read_inputs(folder, raw or folder / "raw", run_id or folder.name)
    judges = _appoint(inputs)
    tables = tables or folder / "tables"
    names = [bound.name for bound in judges.checks]
    about = [bound.name for bound in judges.checks if bound.check.subject is Subject.ACCOUNT]
    with ExitStack() as stack:
        writers = _Writers(
            *(
                stack.enter_context(open_table(tables / f"{name}.parquet", schema))
                for name, schema in (
                    ("accounts", accounts_schema(about)),
                    ("users", users_schema([name for name in names if name not in about])),
                    ("findings", FINDINGS),
                    ("history", HISTORY),
                )
            )
        )
        for batch in _read_in_batches(raw or folder / "raw", inputs, judges.ledger):
            _judge_batch(batch, inputs, judges, writers)
        writers.history.write(judges.history.finish())
    totals = {framework.id: judges.tally.checks(framework.id) for framework in inputs.frameworks}
    covered = _cover(inputs, judges)
    controls = judge_controls(
        inputs.frameworks,
        judges.scopes,
        totals,
        {scope.framework: scope.not_tested for scope in covered},
    )
    write_table(tables / "controls.parquet", CONTROLS, controls)
    summary = _summarise(inputs, judges, totals, covered, parent)
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


def _read_inputs(folder: Path, raw: Path, run_id: str) -> _Inputs:
    inputs = folder / "inputs"
    terms = decode(Terms, read_file(inputs / "settings.json"), "inputs/settings.json")
    answers = (CALLER_FILE, ORGANIZATION_FILE, ACCOUNTS_FILE, UNITS_FILE)
    settings, tags, features = inputs / SETTINGS_FILE, raw / TAGS_FILE, raw / FEATURES_FILE
    notes = inputs / NOTES_FILE
    continues = inputs / CONTINUES_FILE
    before = read_previous(inputs)
    return _Inputs(
        run_id=run_id,
        terms=terms,
        sittings=read_sittings(raw),
        continues=decode(PreviousRun, read_file(continues), f"inputs/{CONTINUES_FILE}")
        if continues.exists()
        else None,
        notes=decode(Notes, read_file(notes), f"inputs/{NOTES_FILE}"),
        organization=read_answers({name: read_file(raw / name) for name in answers}),
        frameworks=tuple(_read_catalog(inputs, name) for name in terms.frameworks),
        tags=read_tags(read_file(tags)) if tags.exists() else {},
        settings_sha256=hash_bytes(read_file(settings)) if settings.exists() else None,
        acceptances=_read_acceptances(inputs / ACCEPTANCES_FILE),
        managed_centrally=read_central_root(read_file(features)) if features.exists() else None,
        previous=before[0] if before else None,
        earlier=before[1] if before else None,
    )


def _read_catalog(inputs: Path, name: str) -> Framework:
    filename = f"{name}.yaml"
    return read_framework(read_file(inputs / "frameworks" / filename), filename)


def _read_acceptances(path: Path) -> AcceptanceFile | None:
    return read_acceptances(read_file(path), path.name) if path.exists() else None


def _appoint(inputs: _Inputs) -> _Judges:
    checks = bind_checks(inputs.frameworks)
    scopes = resolve_scopes(
        inputs.terms.frameworks, inputs.terms.scopes, inputs.organization, inputs.tags
    )
    started = inputs.started
    accepted = inputs.acceptances.acceptances if inputs.acceptances else ()
    return _Judges(
        checks=checks,
        scopes=scopes,
        tally=Tally(checks, scopes),
        ledger=Ledger(),
        acceptances=AcceptanceLedger(accepted, inputs.notes.judged.date()),
        history=History(inputs.previous, started, [bound.name for bound in checks]),
    )


def _judge_batch(
    batch: Sequence[Reading], inputs: _Inputs, judges: _Judges, writers: _Writers
) -> None:
    """
    Judge a batch of accounts, read or not, and write its part of every table.
    """
    organization, terms = inputs.organization, inputs.terms
    accounts = {reading.outcome.account.id: reading.outcome.account for reading in batch}
    facts = {reading.outcome.account.id: reading.facts for reading in batch}
    table = build_table((reading.rows for reading in batch if reading.rows), facts)
    users = judge_table(table, judges.checks)
    entries = build_frame(ACCOUNTS, [reading.entry for reading in batch]).assign(
        max_report_age_hours=terms.max_report_age_hours,
        arn=[_name_account(organization, account) for account in accounts],
    )
    listed = judge_accounts(entries, judges.checks)

    live = {arn: state for reading in batch for arn, state in reading.live.items()}
    named = name_controls(inputs.frameworks)
    findings = _merge(
        list_findings(users, judges.checks, accounts, live, named),
        list_findings(listed, judges.checks, accounts, {}, named),
    )
    findings = findings.assign(**judges.acceptances.annotate(findings))
    findings, history = judges.history.advance(findings, listed)

    for part in (users, listed):
        judges.tally.add(part)
    judges.tally.add_accepted(findings)
    judges.ledger.count(findings)
    writers.users.write(users)
    writers.accounts.write(listed)
    writers.findings.write(findings)
    writers.history.write(history)


def _merge(users: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    """
    Put the findings about users and about accounts into one table, sorted by account id, ARN and check.
    """
    if not len(accounts):
        return users
    joined = pd.concat([users, accounts], ignore_index=True)
    words = pd.api.types.union_categoricals
    for name in ("account_name", "ou_path", "check", "controls"):
        joined[name] = pd.Series(words([users[name], accounts[name]]))
    order = joined.assign(check=joined["check"].astype("str"))
    keys = order.sort_values(["account_id", "arn", "check"], kind="stable").index
    return joined.loc[keys].reset_index(drop=True)


def _name_account(organization: Organization, account_id: AccountId) -> str:
    """
    Return an account's ARN as AWS Organizations writes it.
    """
    return (
        f"arn:{organization.caller.partition}:organizations::{organization.management_account_id}:"
        f"account/{organization.id}/{account_id}"
    )


def _read_in_batches(raw: Path, inputs: _Inputs, ledger: Ledger) -> Iterator[list[Reading]]:
    """
    Yield every account, read or not, in order of id, and enter each in the ledger.
    """
    batch: list[Reading] = []
    users = 0
    for account in inputs.organization.accounts:
        reading = read_account(
            raw / account.id,
            account,
            inputs.terms,
            inputs.organization,
            centrally=inputs.managed_centrally,
        )
        ledger.enter(reading)
        batch.append(reading)
        users += len(reading.rows.lines) if reading.rows else 1
        if users >= BATCH_USERS:
            yield batch
            batch, users = [], 0
    if batch:
        yield batch


def _cover(inputs: _Inputs, judges: _Judges) -> tuple[ScopeTotals, ...]:
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


def _summarise(
    inputs: _Inputs,
    judges: _Judges,
    totals: Mapping[str, Sequence[CheckTotals]],
    covered: tuple[ScopeTotals, ...],
    parent: str | None,
) -> Summary:
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


def _mark(inputs: _Inputs, judges: _Judges, accounts: AccountTotals) -> TrendPoint:
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
