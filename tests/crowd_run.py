"""
One scan of many accounts that all answer differently: every row must be that of its own account.

    PYTHONPATH=tests python tests/crowd_run.py ACCOUNTS FOLDER
"""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from scanner.evidence import StoredRun
from scanner.simulator import Simulator, World, build_world
from scanner.simulator.report import write_report

WORKERS = 64
FLAGS = ("password_enabled", "mfa_active", "access_key_1_active", "access_key_2_active")


def make_crowd(accounts: int) -> World:
    """
    Return an organization in which no two users have the same name, so that no report is like another.
    """
    world = build_world(accounts=accounts, users=4, seed=6, offenders=0.3)
    return replace(
        world,
        accounts=tuple(
            replace(
                account,
                users=tuple(
                    replace(user, name=f"{user.name}.{account.id}") for user in account.users
                ),
            )
            for account in world.accounts
        ),
    )


def scan_crowd(world: World, output: Path) -> StoredRun:
    """
    Scan with the real command and as many threads as there may be, and hold every row against the truth.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with Simulator(world, report_seconds=0.2) as simulator:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "scanner", "scan", "--endpoint-url", simulator.url),
                *("--output", str(output), "--workers", str(WORKERS), "--format", "json"),
            ],
            env={**environment, **simulator.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        run = StoredRun(Path(done.stdout.splitlines()[-1]))
        compare(run, world, simulator.clock.start)
    return run


def compare(run: StoredRun, world: World, start: datetime) -> None:
    """
    See that each account's report is the one it sent, and the table of users holds those rows and no other.
    """
    due: set[tuple[Any, ...]] = set()
    for account in world.accounts:
        sent = write_report(
            account_id=account.id,
            joined=account.joined,
            root=account.root,
            users=account.users,
            start=start,
        )
        kept = (run.folder / "raw" / account.id / "credential-report.csv").read_bytes()
        assert kept == sent, f"account {account.id} has another report"
        due.update(_read_rows(account.id, sent))
    rows = [row for batch in run.users() for row in batch.to_dict("records")]
    got = {
        (
            row["account_id"],
            row["user"],
            row["arn"],
            row["user_creation_time"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            *(bool(row[flag]) for flag in FLAGS),
        )
        for row in rows
    }
    assert len(rows) == len(due)
    assert got == due, sorted(got ^ due)[:5]


def _read_rows(account_id: str, sent: bytes) -> Iterator[tuple[Any, ...]]:
    for row in csv.DictReader(io.StringIO(sent.decode())):
        flags = (row[flag] == "true" for flag in FLAGS)
        yield (account_id, row["user"], row["arn"], row["user_creation_time"], *flags)


def main(accounts: int, output: Path) -> None:
    """
    Scan so many accounts, and print how many rows were compared.
    """
    run = scan_crowd(make_crowd(accounts), output)
    users = run.summary.users
    print(json.dumps({"accounts": accounts, "rows": users.users + users.roots}))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
