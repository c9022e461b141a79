"""
From stored evidence to tables and totals. Reads only the run folder, so it can be done again offline.

What an account's answers mean is decided here and not while they were fetched: `outcome-N.json`
says what the network did, and an account whose report was fetched but is malformed, cut short or
another account's counts as not collected.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from scanner.checks import BoundCheck
from scanner.confirmation import LiveState, read_live
from scanner.credentials import ReportRows, build_table, parse_report
from scanner.errors import EvidenceError, ReportError
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
    Account,
    AccountOutcome,
    AccountTotals,
    Attempt,
    CheckTotals,
    Collected,
    NotCollected,
    Organization,
    Outcome,
    ReasonCode,
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
    leave_out,
    read_answers,
)
from scanner.records import decode, decode_object

BATCH_USERS = 20_000
"""
How many rows are typed and judged at a time: memory follows the batch, not the organization.
"""

SETTLING = timedelta(minutes=15)
"""
A user made this shortly before the report may be missing from it without anything being wrong.
"""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""
How far ahead of this machine's clock a report may claim to be made: AWS accepts signatures within 15.
"""

REPORT_FILE = "credential-report.csv"
SUMMARY_FILE = "account-summary.json"
USERS_FILE = "users.json"


@dataclass(slots=True)
class Ledger:
    """
    What has been derived so far about accounts and findings.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    outcomes: Counter[AccountOutcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    generated: list[datetime] = field(default_factory=list)


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
            judged = judge_table(build_table(batch), checks)
            live = _read_live_states(folder, batch, inputs.terms)
            ledger.findings += list_findings(judged, checks, accounts, live, controls)
            tally.add(judged)
            writer.write(judged)


def _read_catalog(folder: Path, name: str) -> Framework:
    filename = f"{name}.yaml"
    return read_framework(read_file(folder / "inputs" / "frameworks" / filename), filename)


def _read_in_batches(folder: Path, inputs: _Inputs, ledger: Ledger) -> Iterator[list[ReportRows]]:
    """
    Yield the readable reports in order of account id, and enter every account in the ledger.
    """
    batch: list[ReportRows] = []
    for account in inputs.organization.accounts:
        rows = _read_account(folder, account, inputs.terms, ledger)
        if rows:
            batch.append(rows)
        if sum(len(report.rows) for report in batch) >= BATCH_USERS:
            yield batch
            batch = []
    if batch:
        yield batch


def _read_account(
    folder: Path, account: Account, terms: Terms, ledger: Ledger
) -> ReportRows | None:
    raw = folder / "raw" / account.id
    entry: dict[str, Any] = {
        "account_id": account.id,
        "name": account.name,
        "email": account.email,
        "state": account.state,
        "ou_ids": "; ".join(account.ou_ids),
        "ou_path": account.ou_path,
    }
    outcome: Outcome | None = leave_out(account, terms.selection)
    rows = None
    if outcome is None:
        attempt = read_attempt(raw)
        outcome = read_transport(account, attempt)
        if attempt and isinstance(outcome, Collected):
            outcome, rows = _read_report(raw, account, attempt, entry)
    match outcome:
        case NotCollected():
            entry |= {"reason_code": str(outcome.reason_code), "reason": outcome.reason}
            ledger.outcomes[outcome.outcome] += 1
            if outcome.outcome is AccountOutcome.NOT_COLLECTED:
                ledger.reasons[str(outcome.reason_code)] += 1
            entry["outcome"] = str(outcome.outcome)
        case Collected():
            ledger.outcomes[AccountOutcome.COLLECTED] += 1
            ledger.generated.append(outcome.generated_time)
            entry["outcome"] = str(AccountOutcome.COLLECTED)
    ledger.rows.append(entry)
    return rows


def read_attempt(raw: Path) -> Attempt | None:
    """
    Return the last attempt at an account from its raw folder, or None when none was finished.
    """
    numbers = [
        int(path.stem.removeprefix("outcome-"))
        for path in raw.glob("outcome-*.json")
        if path.stem.removeprefix("outcome-").isdecimal()
    ]
    if not numbers:
        return None
    name = f"outcome-{max(numbers)}.json"
    return decode(Attempt, read_file(raw / name), f"raw/{raw.name}/{name}")


def read_transport(account: Account, attempt: Attempt | None) -> Outcome:
    """
    Say what the network did for a selected account: its report was fetched, or why it was not.
    """
    if attempt is None:
        return NotCollected(
            account,
            ReasonCode.INTERRUPTED,
            f"account {account}: the scan was stopped before this account was read; scan it again",
        )
    if attempt.account_id != account.id:
        raise EvidenceError(
            f"raw/{account.id}: holds the outcome of account {attempt.account_id}; the folder was altered"
        )
    if attempt.reason_code is None and attempt.generated_time is not None:
        return Collected(account, attempt.generated_time)
    return NotCollected(
        account, attempt.reason_code or ReasonCode.BAD_RESPONSE, attempt.reason or ""
    )


def _read_report(
    raw: Path, account: Account, attempt: Attempt, entry: dict[str, Any]
) -> tuple[Outcome, ReportRows | None]:
    """
    Parse a fetched report; a report that cannot be used makes the account not collected.
    """
    content = read_file(raw / REPORT_FILE)
    generated = attempt.generated_time
    if generated is None or attempt.fetched is None:
        raise EvidenceError(f"raw/{account.id}: the outcome names no time for a fetched report")
    entry |= {
        "generated_time": generated,
        "report_age_seconds": int((attempt.fetched - generated).total_seconds()),
        "report_sha256": hashlib.sha256(content).hexdigest(),
        "iam_users": _count_users(raw),
    }
    ahead = generated - attempt.fetched
    if ahead > CLOCK_TOLERANCE:
        reason = (
            f"account {account}: its credential report claims to be {ahead} ahead of this machine's clock, "
            "so no age can be told; set the clock right and scan the account again"
        )
        return NotCollected(account, ReasonCode.CLOCK_SKEW, reason), None
    try:
        rows = parse_report(content, account.id, generated)
        _check_population(raw, rows, entry["iam_users"])
    except ReportError as exc:
        code = ReasonCode.WRONG_ACCOUNT if exc.foreign else ReasonCode.MALFORMED_REPORT
        reason = (
            f"account {account}: its credential report cannot be used: {exc}; "
            f"see raw/{account.id}/{REPORT_FILE}, and scan the account again"
        )
        return NotCollected(account, code, reason), None
    entry["users"] = rows.users
    return Collected(account, generated), rows


def _count_users(raw: Path) -> int | None:
    """
    Return how many IAM users GetAccountSummary counted, or None where that was not answered.
    """
    path = raw / SUMMARY_FILE
    if not path.exists():
        return None
    counts = decode_object(read_file(path), str(path)).get("SummaryMap")
    if not isinstance(counts, dict):
        raise EvidenceError(f"{path}: SummaryMap is no object")
    count = counts.get("Users")
    return count if isinstance(count, int) else None


def _check_population(raw: Path, rows: ReportRows, counted: int | None) -> None:
    """
    Refuse a report that lacks users who existed before it was made, or may lack them.

    A report cut off exactly between two lines looks whole. When IAM's own count differed, ListUsers was
    asked: users who are newer than the report are expected to be missing from it, older ones are not.
    """
    path = raw / USERS_FILE
    if not path.exists():
        if counted is not None and counted > rows.users:
            raise ReportError(
                f"it lists {rows.users} users and IAM counts {counted}, and iam:ListUsers did not answer "
                "whether those are newer than the report; allow iam:ListUsers"
            )
        return
    known = {row[0].casefold() for row in rows.rows}
    listed = decode_object(read_file(path), str(path)).get("Users")
    if not isinstance(listed, list) or not all(isinstance(user, dict) for user in listed):
        raise EvidenceError(f"{path}: Users is no list of users")
    missing = [
        str(user.get("UserName", ""))
        for user in listed
        if str(user.get("UserName", "")).casefold() not in known
        and _is_before(user.get("CreateDate"), rows.generated_time - SETTLING)
    ]
    if missing:
        raise ReportError(
            f"it lists {rows.users} users but lacks {len(missing)} that existed before it was made, "
            "so it is not whole"
        )


def _is_before(moment: object, limit: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(moment)) < limit
    except (ValueError, TypeError):
        # Nobody can tell that this user is newer than the report, so the report may lack one it should have.
        return True


def _read_live_states(
    folder: Path, batch: Sequence[ReportRows], terms: Terms
) -> Mapping[str, LiveState]:
    """
    Return what the accounts of a batch said about single users, by ARN.
    """
    states: dict[str, LiveState] = {}
    for report in batch:
        arns = {row[1] for row in report.rows}
        for path in sorted((folder / "raw" / report.account_id / "live").glob("*.json")):
            record = decode_object(read_file(path), str(path))
            arn = str(record.get("arn"))
            if arn not in arns:
                raise EvidenceError(f"{path}: is about {arn!r}, who is not in the account's report")
            try:
                states[arn] = read_live(record, terms.owner_tags)
            except EvidenceError as exc:
                raise EvidenceError(f"{path}: {exc}") from exc
    return states


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
