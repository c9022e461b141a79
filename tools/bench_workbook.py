"""
What the workbook's largest sheet costs, against openpyxl alone.

    make bench                             100,000 users
    python tools/bench_workbook.py 1000000

It writes a users table into a temporary folder (not measured), and then, each in a process of its own, appends its
values to a bare write-only sheet, plain and prepared beforehand, and draws the sheet Users from the table. It prints
CPU time and the peak memory of both. Reading the table is part of what ours costs, and not of what is bare.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MADE = datetime(2026, 11, 24, 10, 10, tzinfo=UTC)
CHECKS = [f"check-{number:02}" for number in range(23)]
PART = 20_000
"""
How many different rows there are; the table repeats them.
"""


def main() -> None:
    """
    Measure the size asked for.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("users", nargs="?", type=int, default=100_000)
    parser.add_argument("--draw", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.draw:
        kind, path = given.draw
        measure(kind, Path(path))
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "users.parquet"
        write_users(table, given.users)
        found = {}
        for kind in ("bare", "ours"):
            command = [sys.executable, __file__, "--draw", kind, str(table)]
            done = subprocess.run(command, check=True, capture_output=True)
            found[kind] = json.loads(done.stdout)
            print(
                f"{kind}  {given.users:,} users  {found[kind]['cpu']:.1f} s CPU  "
                f"{found[kind]['cpu'] / given.users * 1e6:.0f} µs a user  {found[kind]['peak']:.0f} MB"
            )
        print(f"ratio {found['ours']['cpu'] / found['bare']['cpu']:.2f}")


def write_users(path: Path, users: int) -> None:
    """
    Write a table of made-up users in the form that a run stores.
    """
    from scanner.evidence.tables import build_frame, open_table, users_schema

    schema = users_schema(CHECKS)
    frame = build_frame(schema, [describe(number) for number in range(min(PART, users))])
    with open_table(path, schema) as table:
        for start in range(0, users, PART):
            table.write(frame.head(min(PART, users - start)))


def describe(number: int) -> dict[str, Any]:
    """
    Return one user: six in ten have a key, four in ten a password.
    """
    account = f"{number // 100:012}"
    has_password, has_key = number % 10 < 4, number % 10 > 3
    used = MADE - timedelta(seconds=number * 977 % 7_000_000)
    return {
        "account_id": account,
        "user": f"person.{number}",
        "arn": f"arn:aws:iam::{account}:user/person.{number}",
        "is_root": False,
        "user_creation_time": used - timedelta(days=400),
        "password_enabled": has_password,
        "password_last_used": used if has_password else None,
        "password_last_changed": used - timedelta(days=90) if has_password else None,
        "mfa_active": has_password and number % 20 > 0,
        "access_key_1_active": has_key,
        "access_key_1_last_rotated": used - timedelta(days=30) if has_key else None,
        "access_key_1_last_used_date": used if has_key else None,
        "access_key_1_last_used_region": "eu-central-1" if has_key else None,
        "access_key_1_last_used_service": "s3" if has_key else None,
        "access_key_2_active": False,
        "cert_1_active": False,
        "cert_2_active": False,
        "generated_time": MADE,
        **{
            check: ("pass", "fail", "not-applicable")[(number + i) % 3]
            for i, check in enumerate(CHECKS)
        },
    }


def measure(kind: str, table: Path) -> None:
    """
    Draw one workbook and print what it cost, as JSON.
    """
    import scanner.reports  # noqa: F401 - it says which XML library openpyxl writes with
    from scanner.evidence.store import make_folder

    folder = table.parent / kind
    make_folder(folder)
    cpu = draw_bare(table, folder) if kind == "bare" else draw_ours(table, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu, "peak": peak}))


def draw_bare(table: Path, folder: Path) -> float:
    """
    Append the table's values to a sheet as openpyxl takes them, and return the CPU time of that alone.
    """
    from openpyxl import Workbook

    workbook = Workbook(write_only=True)
    sheet: Any = workbook.create_sheet("Users")
    spent = 0.0
    for rows in prepare(table):
        before = time.process_time()
        for row in rows:
            sheet.append(row)
        spent += time.process_time() - before
    before = time.process_time()
    workbook.save(folder / "bare.xlsx")
    return spent + time.process_time() - before


def prepare(table: Path) -> Iterator[list[tuple[Any, ...]]]:
    """
    Yield the table's rows as plain values without time zones.
    """
    from scanner.evidence.tables import read_batches
    from scanner.reports.tables import list_rows

    for frame in read_batches(table, 2_000):
        yield [
            tuple(
                value.replace(tzinfo=None) if isinstance(value, datetime) else value
                for value in row
            )
            for row in list_rows(frame)
        ]


def draw_ours(table: Path, folder: Path) -> float:
    """
    Draw the sheet Users from the table as a workbook does, and return the CPU time of all of it.
    """
    from openpyxl.packaging.core import DocumentProperties

    from scanner.evidence.tables import read_batches, users_schema
    from scanner.reports.archive import open_workbook, save_workbook
    from scanner.reports.sheet_rows import batch_frames
    from scanner.reports.sheets import Book, Print, TableLayout, write_table
    from scanner.reports.widths import WIDTHS

    before = time.process_time()
    names = list(users_schema(CHECKS).names)
    layout = TableLayout("Users", names, "", WIDTHS, frozenset(CHECKS), frozen=2)
    with open_workbook(DocumentProperties()) as workbook:
        write_table(Book(workbook, Print("", "", "")), layout, batch_frames(read_batches(table)))
        with (folder / "ours.xlsx").open("wb") as file:
            save_workbook(workbook, file, MADE)
    return time.process_time() - before


if __name__ == "__main__":
    main()
