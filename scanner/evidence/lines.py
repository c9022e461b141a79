"""
Where a user stands in the raw reports: the file, its hash and the line, so that a person can look it up.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scanner.credentials import REPORT_COLUMNS, parse_report
from scanner.errors import EvidenceError, ReportError
from scanner.evidence.accounts import REPORT_FILE
from scanner.evidence.store import read_file
from scanner.model import AccountId


@dataclass(frozen=True, slots=True)
class RawReport:
    """
    One account's raw report: its path below the run folder, and its bytes with their SHA-256.
    """

    path: str
    content: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of a raw report: its number, the header's being 1, and its values as AWS wrote them.
    """

    number: int
    values: Mapping[str, str]


def read_raw_report(
    folder: Path, account_id: AccountId, *, sealed: Mapping[str, str], recorded: str
) -> RawReport:
    """
    Read a raw report that is the one which was sealed, and the one the accounts table was derived from.

    `sealed` is what the manifest lists, `recorded` the hash in the accounts table. Raises `EvidenceError`
    where they differ.
    """
    path = f"raw/{account_id}/{REPORT_FILE}"
    if path not in sealed:
        raise EvidenceError(f"{folder}: manifest.json does not list {path}")
    content = read_file(folder / path)
    report = RawReport(path, content, hashlib.sha256(content).hexdigest())
    if report.sha256 != sealed[path]:
        raise EvidenceError(f"{folder / path}: is not the file that was sealed")
    if report.sha256 != recorded:
        raise EvidenceError(f"{folder / path}: is not the report whose hash accounts.parquet holds")
    return report


def find_lines(
    report: RawReport, account_id: AccountId, generated: datetime
) -> dict[tuple[str, str], Line]:
    """
    Return the lines of a raw report by user and ARN, or raise `EvidenceError` where it cannot be read.
    """
    try:
        rows = parse_report(report.content, account_id, generated).rows
    except ReportError as exc:
        raise EvidenceError(f"{report.path}: cannot be read again: {exc}") from exc
    # Rows stand in the file's order, a line feed ends each, and none is skipped: the first is line 2.
    return {
        (row[0], row[1]): Line(number, dict(zip(REPORT_COLUMNS, row, strict=True)))
        for number, row in enumerate(rows, start=2)
    }
