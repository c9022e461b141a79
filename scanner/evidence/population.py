"""
Whether every listed account has one outcome, and every raw report and every row belongs to its account.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scanner.credentials import parse_report
from scanner.errors import EvidenceError, ReportError
from scanner.evidence.accounts import REPORT_FILE, read_attempt
from scanner.evidence.run import SETTINGS_JSON
from scanner.evidence.sittings import name_began
from scanner.evidence.store import hash_bytes, list_names, read_file
from scanner.model import Account, AccountId, AccountOutcome, Organization, Terms
from scanner.organization import ANSWERS, leave_out, read_answers
from scanner.records import decode

_BATCH = 20_000
_COLUMNS = ["account_id", "outcome", "report_sha256", "users"]
_SITTINGS = name_began(1).partition("/")[0]


@dataclass(frozen=True, slots=True)
class Population:
    """
    The accounts that AWS listed, and what the accounts table says became of each.
    """

    raw: Path
    terms: Terms
    organization: Organization
    rows: tuple[Mapping[str, Any], ...]


def read_population(folder: Path, raw: Path, accounts: Path) -> Population:
    """
    Read the account list from the raw answers, and the accounts table from a file that is safe to read.

    Raises `EvidenceError`.
    """
    settings = f"inputs/{SETTINGS_JSON}"
    try:
        rows = pq.read_table(accounts, columns=_COLUMNS, use_threads=False).to_pylist()
    except (OSError, ValueError, pa.ArrowException) as exc:
        raise EvidenceError(f"tables/accounts.parquet: cannot be read: {str(exc)[:120]}") from exc
    return Population(
        raw,
        decode(Terms, read_file(folder / settings), settings),
        read_answers({name: read_file(raw / name) for name in ANSWERS}),
        tuple(rows),
    )


def check_accounts(population: Population) -> Iterator[str]:
    """
    Yield each account that has no outcome, or two, or one that its raw answers do not bear out.
    """
    listed = {account.id: account for account in population.organization.accounts}
    yield from _check_rows_of(listed, population.rows)
    for row in population.rows:
        account = listed.get(row["account_id"])
        if account and (fault := _find_fault(population, account, row)):
            yield f"tables/accounts.parquet: account {account.id}: {fault}"
    for name in sorted(list_names(population.raw)):
        if name.isdecimal() and name not in listed:
            yield f"raw/{name}: holds answers of an account that raw/accounts.json does not list"


def _check_rows_of(
    listed: Mapping[AccountId, Account], rows: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    counts = Counter(str(row["account_id"]) for row in rows)
    for account_id, number in sorted(counts.items()):
        if account_id not in listed:
            yield f"tables/accounts.parquet: account {account_id} is not listed in raw/accounts.json"
        elif number > 1:
            yield f"tables/accounts.parquet: account {account_id} has {number} rows"
    for account_id in sorted(listed.keys() - counts.keys()):
        yield f"tables/accounts.parquet: account {account_id} is listed in raw/accounts.json and has no row"


def _find_fault(population: Population, account: Account, row: Mapping[str, Any]) -> str | None:
    outcome = row["outcome"]
    if outcome not in set(AccountOutcome):
        return f"its outcome is {outcome!r}"
    left_out = leave_out(account, population.terms.selection)
    names = list_names(population.raw / account.id)
    if left_out is not None:
        if outcome != left_out.outcome:
            return f"it is {outcome}, and was not to be read: it is {left_out.outcome}"
        return f"it was not to be read, and raw/{account.id} holds answers" if names else None
    if outcome not in {AccountOutcome.COLLECTED, AccountOutcome.NOT_COLLECTED}:
        return f"it is {outcome}, and the settings do not leave it out"
    if outcome == AccountOutcome.COLLECTED and REPORT_FILE not in names:
        return f"it is collected, and raw/{account.id}/{REPORT_FILE} is missing"
    return None


def check_reports(population: Population) -> Iterator[str]:
    """
    Yield each raw report that is not its account's and counts all the same, or that is not the one recorded.
    """
    for row in population.rows:
        raw = population.raw / str(row["account_id"])
        if REPORT_FILE in list_names(raw):
            for fault in _check_report(raw, row):
                yield f"raw/{raw.name}/{REPORT_FILE}: {fault}"


def _check_report(raw: Path, row: Mapping[str, Any]) -> Iterator[str]:
    content = read_file(raw / REPORT_FILE)
    recorded = row["report_sha256"]
    if recorded is not None and recorded != hash_bytes(content):
        yield "is not the report whose SHA-256 tables/accounts.parquet holds"
    if row["outcome"] != AccountOutcome.COLLECTED:
        # It came and could not be used, or a call after it failed: then its rows count for nothing.
        return
    attempt = read_attempt(raw)
    if attempt is None or attempt.generated_time is None:
        yield "has no time at which it was made, and its account counts as collected"
        return
    try:
        rows = parse_report(content, AccountId(raw.name), attempt.generated_time)
    except ReportError as exc:
        why = "belongs to another account" if exc.foreign else "cannot be used"
        yield f"{why}, and account {raw.name} counts as collected: {exc}"
        return
    if row["users"] != rows.users:
        yield f"has {rows.users:,} users, and tables/accounts.parquet says {row['users']}"


def check_rows(population: Population, users: Path) -> Iterator[str]:
    """
    Yield each account whose rows of the users table carry another account's ARNs, or are more or fewer than read.

    `users` is a file that is safe to read.
    """
    counted, foreign = _count_rows(users, population.organization.caller.partition)
    for account, number in sorted(foreign.items()):
        yield f"tables/users.parquet: {number:,} rows of account {account} carry ARNs of another account"
    for row in population.rows:
        account = str(row["account_id"])
        # The root user has a line of its own in every report.
        due = (row["users"] or 0) + 1 if row["outcome"] == AccountOutcome.COLLECTED else 0
        if (found := counted.pop(account, 0)) != due:
            yield f"tables/users.parquet: has {found:,} rows of account {account}, and {due:,} were read"
    for account, number in sorted(counted.items()):
        yield f"tables/users.parquet: has {number:,} rows of account {account}, which has no outcome"


def _count_rows(users: Path, partition: str) -> tuple[Counter[str], Counter[str]]:
    """
    Count the rows of each account, and those of them that carry an ARN of another.
    """
    counted: Counter[str] = Counter()
    foreign: Counter[str] = Counter()
    try:
        with pq.ParquetFile(users) as file:
            for batch in file.iter_batches(
                _BATCH, columns=["account_id", "arn"], use_threads=False
            ):
                accounts, arns = (column.to_pylist() for column in batch.columns)
                counted.update(map(str, accounts))
                foreign.update(
                    str(account)
                    for account, arn in zip(accounts, arns, strict=True)
                    if not str(arn).startswith(f"arn:{partition}:iam::{account}:")
                )
    except (OSError, ValueError, pa.ArrowException) as exc:
        raise EvidenceError(f"tables/users.parquet: cannot be read: {str(exc)[:120]}") from exc
    return counted, foreign


def count_reports(population: Population) -> int:
    """
    Return how many raw reports there are.
    """
    folders = (population.raw / str(row["account_id"]) for row in population.rows)
    return sum((folder / REPORT_FILE).exists() for folder in folders)


def find_strays(raw: Path) -> Iterator[str]:
    """
    Yield folders below `raw/` that are neither an account's nor the sittings'.
    """
    for name in sorted(list_names(raw)):
        if (
            (raw / name).is_dir()
            and name != _SITTINGS
            and not (name.isdecimal() and len(name) == 12)
        ):
            yield f"raw/{name}: is no account's folder"
