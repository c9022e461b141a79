"""
Credential reports for tests: rows with harmless values, changed where a test says so, and their bytes.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pandas as pd

from scanner.credentials import ReportRows, build_table, parse_report
from scanner.model import AccountId

ACCOUNT = AccountId("012345678901")
OTHER = AccountId("999999999999")
MADE = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
"""
When the reports of these tests were made.
"""

HEADER = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
)
"""
The header of a live report of September 2026.
"""

Row = dict[str, str]

_HARMLESS = dict.fromkeys(HEADER, "N/A") | {
    "user_creation_time": "2024-05-06T07:08:09Z",
    "password_enabled": "false",
    "mfa_active": "false",
    "access_key_1_active": "false",
    "access_key_2_active": "false",
    "cert_1_active": "false",
    "cert_2_active": "false",
}


def root_row(account: str = ACCOUNT, partition: str = "aws", **cells: str) -> Row:
    """
    Return the row of a root user without credentials.
    """
    arn = f"arn:{partition}:iam::{account}:root"
    rotation = {"password_next_rotation": "not_supported"}
    return _HARMLESS | {"user": "<root_account>", "arn": arn} | rotation | cells


def user_row(
    name: str, account: str = ACCOUNT, path: str = "/", partition: str = "aws", **cells: str
) -> Row:
    """
    Return the row of an IAM user without credentials.
    """
    arn = f"arn:{partition}:iam::{account}:user{path}{name}"
    return _HARMLESS | {"user": name, "arn": arn} | cells


def write_report(
    *rows: Row, header: Sequence[str] = HEADER, end: str = "\n", quoted: bool = True
) -> bytes:
    """
    Return the bytes of a report with these rows, without a line end after the last, as AWS writes it.

    Not `quoted`, cells are joined as they are: how AWS writes a comma in a path is not documented.
    """
    lines = [list(header), *([row[name] for name in header] for row in rows)]
    if not quoted:
        return end.join(",".join(cells) for cells in lines).encode()
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(lines)
    return text.getvalue().removesuffix(end).encode()


def parse(*rows: Row, account: AccountId = ACCOUNT) -> ReportRows:
    """
    Parse one account's report: its root row, unless one is given, and these rows.
    """
    roots = [row for row in rows if row["user"] == "<root_account>"]
    lines = rows if roots else (root_row(account), *rows)
    return parse_report(write_report(*lines), account, MADE)


def read_table(*rows: Row) -> pd.DataFrame:
    """
    Return the typed table of one account with a root user and these rows.
    """
    return build_table([parse(*rows)])


def name_users(reports: Iterable[ReportRows]) -> list[str]:
    """
    Return the users of parsed reports, in the reports' order, root users included.
    """
    return [row[0] for report in reports for row in report.rows]
