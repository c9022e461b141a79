"""
One account's stored answers, read into what became of it. Reads only the account's raw folder.

What the answers mean is decided here and not while they were fetched: `outcome-N.json` says what the
network did, and an account whose report was fetched but is malformed, cut short or another account's
counts as not collected.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from scanner.confirmation import LiveState, read_live
from scanner.credentials import AccountFacts, ReportRows, parse_report
from scanner.errors import EvidenceError, ReportError
from scanner.evidence.store import list_names, read_file
from scanner.model import (
    ROOT_USER,
    Account,
    AccountOutcome,
    Attempt,
    Collected,
    NotCollected,
    Organization,
    Outcome,
    ReasonCode,
    Terms,
)
from scanner.organization import leave_out
from scanner.records import decode, decode_object

SETTLING = timedelta(minutes=15)
"""
A user made this shortly before the report may be missing from it without anything being wrong.
"""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""
How far ahead of this machine's clock a report may claim to be made: AWS accepts signatures within 15.
"""

_OUTCOME = re.compile(r"outcome-(\d+)\.json", re.ASCII)

REPORT_FILE = "credential-report.csv"
SUMMARY_FILE = "account-summary.json"
USERS_FILE = "users.json"


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What became of one account: its outcome, its row of the accounts table, and its report's rows.

    `rows` is None unless the outcome is `Collected`; `live` maps an ARN to what the account said of that
    user since the report, and `facts` is what else the checks may need.
    """

    outcome: Outcome
    entry: Mapping[str, Any]
    rows: ReportRows | None
    live: Mapping[str, LiveState]
    facts: AccountFacts


def read_account(
    raw: Path,
    account: Account,
    terms: Terms,
    organization: Organization,
    *,
    centrally: bool | None = None,
) -> Reading:
    """
    Read one account from its raw folder. `centrally` says whether root is managed centrally.

    Raises `EvidenceError` when a file is missing or damaged.
    """
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
    facts = AccountFacts()
    if outcome is None:
        attempt = read_attempt(raw)
        outcome = read_transport(account, attempt)
        if attempt and isinstance(outcome, Collected):
            counts = _read_counts(raw)
            entry["iam_users"] = _read_count(counts.get("Users"))
            partition = organization.caller.partition
            outcome, rows = _read_report(raw, account, attempt, partition, entry)
            facts = AccountFacts(
                password_present=_read_flag(counts.get("AccountPasswordPresent")),
                managed_centrally=centrally,
                is_management=account.id == organization.management_account_id,
                is_stale=entry["report_age_seconds"] > terms.max_report_age_hours * 3600,
            )
    match outcome:
        case NotCollected():
            entry |= {
                "outcome": str(outcome.outcome),
                "reason_code": str(outcome.reason_code),
                "reason": outcome.reason,
            }
        case Collected():
            entry["outcome"] = str(AccountOutcome.COLLECTED)
    live = _read_live_states(raw, rows, terms) if rows else {}
    return Reading(outcome, entry, rows, live, facts)


def read_attempt(raw: Path) -> Attempt | None:
    """
    Return the last attempt at an account from its raw folder, or None when none was finished.
    """
    numbers = [int(found[1]) for name in list_names(raw) if (found := _OUTCOME.fullmatch(name))]
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
    raw: Path, account: Account, attempt: Attempt, partition: str, entry: dict[str, Any]
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
        _check_partition(rows, partition)
        entry |= _compare_population(raw, rows, entry["iam_users"])
    except ReportError as exc:
        code = ReasonCode.WRONG_ACCOUNT if exc.foreign else ReasonCode.MALFORMED_REPORT
        reason = (
            f"account {account}: its credential report cannot be used: {exc}; "
            f"see raw/{account.id}/{REPORT_FILE}, and scan the account again"
        )
        return NotCollected(account, code, reason), None
    entry["users"] = rows.users
    return Collected(account, generated), rows


def _read_counts(raw: Path) -> Mapping[str, Any]:
    """
    Return what GetAccountSummary counted, or nothing where that was not answered.
    """
    path = raw / SUMMARY_FILE
    if not path.exists():
        return {}
    counts = decode_object(read_file(path), str(path)).get("SummaryMap")
    if not isinstance(counts, dict):
        raise EvidenceError(f"{path}: SummaryMap is no object")
    return counts


def _read_count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _read_flag(value: object) -> bool | None:
    return bool(value) if isinstance(value, int) else None


def _compare_population(raw: Path, rows: ReportRows, counted: int | None) -> dict[str, Any]:
    """
    Hold a report's users against IAM's own, and refuse a report that lacks users it should have.

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
        return {"population": _describe_counts(rows.users, counted)}
    known = {row[0].casefold() for row in rows.rows} - {ROOT_USER}
    listed = decode_object(read_file(path), str(path)).get("Users")
    if not isinstance(listed, list) or not all(isinstance(user, dict) for user in listed):
        raise EvidenceError(f"{path}: Users is no list of users")
    made = {str(user.get("UserName", "")).casefold(): user.get("CreateDate") for user in listed}
    added = made.keys() - known
    missing = [name for name in added if _is_before(made[name], rows.generated_time - SETTLING)]
    if missing:
        raise ReportError(
            f"it lists {rows.users} users but lacks {len(missing)} that existed before it was made, "
            "so it is not whole"
        )
    gone = known - made.keys()
    return {
        "users_added": len(added),
        "users_gone": len(gone),
        "population": f"{rows.users} in the report; since then {len(added)} made and {len(gone)} deleted, "
        f"{len(made)} listed by IAM",
    }


def _describe_counts(reported: int, counted: int | None) -> str:
    if counted is None:
        return f"{reported} in the report; IAM gave no count to compare with"
    if counted == reported:
        return f"{reported} in the report and in IAM's own count"
    return (
        f"{reported} in the report and {counted} in IAM's own count; users may have been deleted since, but "
        "iam:ListUsers did not answer which"
    )


def _is_before(moment: object, limit: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(moment)) < limit
    except (ValueError, TypeError):
        # Nobody can tell that this user is newer than the report, so the report may lack one it should have.
        return True


def _check_partition(rows: ReportRows, partition: str) -> None:
    """
    Refuse a report from another AWS partition: the same account id there is another account.
    """
    if rows.partition != partition:
        raise ReportError(
            f"its rows belong to partition {rows.partition}, and the scan runs in {partition}",
            column="arn",
            foreign=True,
        )


def _read_live_states(raw: Path, report: ReportRows, terms: Terms) -> Mapping[str, LiveState]:
    """
    Return what an account said about single users, by ARN.
    """
    states: dict[str, LiveState] = {}
    folder = raw / "live"
    files = sorted(folder / name for name in list_names(folder) if name.endswith(".json"))
    arns = {row[1] for row in report.rows} if files else set()
    for path in files:
        record = decode_object(read_file(path), str(path))
        arn = str(record.get("arn"))
        if arn not in arns:
            raise EvidenceError(f"{path}: is about {arn!r}, who is not in the account's report")
        try:
            states[arn] = read_live(record, terms.owner_tags)
        except EvidenceError as exc:
            raise EvidenceError(f"{path}: {exc}") from exc
    return states
