"""
What judging costs: parsing, typing, all checks of all frameworks, findings, history and Parquet.

    make bench                                      10,000 accounts of 100 users, and a tenth of that
    python tools/bench_judgement.py 1000 100        another size

It writes the raw answers of a made-up organization into a temporary folder (not measured) and derives the
tables from them in a process of its own, then once more with the first as the previous run. It prints CPU time for
each user and the peak memory, which must follow the batch and not the organization.
"""

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanner.model import Terms

STARTED = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
MADE = STARTED - timedelta(minutes=5)
MANAGEMENT = "000000000001"
PATTERNS = 50
"""
How many different reports are made; the accounts share them, each with its own id.
"""


def main() -> None:
    """
    Measure the sizes asked for.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("accounts", nargs="?", type=int, default=0)
    parser.add_argument("users", nargs="?", type=int, default=100)
    parser.add_argument("--derive", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.derive:
        derive(*given.derive)
        return
    sizes = [given.accounts] if given.accounts else [1_000, 10_000]
    print("accounts  users      previous  findings   CPU µs/user  wall s  peak MB  table MB")
    for accounts in sizes:
        with tempfile.TemporaryDirectory() as folder:
            run, next_run = Path(folder) / "first", Path(folder) / "next"
            write_run(run, accounts, given.users)
            shutil.copytree(run / "inputs", next_run / "inputs")
            for target, previous in ((run, "no"), (next_run, "yes")):
                command = [sys.executable, __file__, "--derive", str(run / "raw"), str(target)]
                found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                tables = sum(path.stat().st_size for path in (target / "tables").iterdir())
                print(
                    f"{accounts:<9,} {found['users']:<10,} {previous:<9} {found['findings']:<10,} "
                    f"{found['cpu'] / found['rows'] * 1e6:<12.2f} {found['wall']:<7.1f} "
                    f"{found['peak']:<8.0f} {tables / 1e6:.0f}"
                )
                if target is run:
                    hand_on(run, next_run)


def hand_on(run: Path, next_run: Path) -> None:
    """
    Copy what a run takes from the one before it.
    """
    taken = next_run / "inputs" / "previous"
    taken.mkdir()
    (taken / "manifest.json").write_bytes(b"{}")
    for name in ("summary.json", "tables/accounts.parquet", "tables/history.parquet"):
        shutil.copy(run / name, taken)


def derive(raw: Path, folder: Path) -> None:
    """
    Derive one run's tables and print what it cost, as JSON.
    """
    from scanner.evidence.replay import derive_tables
    from scanner.records import encode

    cpu, wall = time.process_time(), time.perf_counter()
    summary = derive_tables(folder, raw=raw)
    (folder / "summary.json").write_bytes(encode(summary))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "users": summary.users.users,
                "rows": summary.users.users + summary.users.roots,
                "findings": summary.findings,
                "cpu": time.process_time() - cpu,
                "wall": time.perf_counter() - wall,
                "peak": usage.ru_maxrss / 1024,
            }
        )
    )


def write_run(run: Path, accounts: int, users: int) -> None:
    """
    Write the raw answers and the inputs of a run, as a scan would leave them before judging.
    """
    from scanner.evidence.sittings import name_began, name_ended
    from scanner.frameworks import find_frameworks, load_framework
    from scanner.model import Notes, SittingBegan, SittingEnded
    from scanner.records import encode

    names = tuple(find_frameworks())
    ids = [f"{number:012d}" for number in range(1, accounts + 1)]
    files = {
        "inputs/settings.json": encode(make_terms(names)),
        "inputs/notes.json": encode(Notes(STARTED, ())),
        f"raw/{name_began(1)}": encode(
            SittingBegan(STARTED, f"arn:aws:iam::{MANAGEMENT}:user/auditor", "0")
        ),
        f"raw/{name_ended(1)}": encode(SittingEnded(STARTED, interrupted=False)),
        "raw/caller.json": encode(
            {"Account": MANAGEMENT, "Arn": f"arn:aws:iam::{MANAGEMENT}:user/auditor"}
        ),
        "raw/organization.json": encode(
            {"Organization": {"Id": "o-benchmark1", "MasterAccountId": MANAGEMENT}}
        ),
        "raw/accounts.json": encode({"pages": [{"Accounts": [describe(name) for name in ids]}]}),
        "raw/organizational-units.json": encode({}),
        **{f"inputs/frameworks/{name}.yaml": load_framework(name).source for name in names},
    }
    for name, content in files.items():
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    reports = [write_report(seed, users) for seed in range(min(PATTERNS, accounts))]
    for number, name in enumerate(ids):
        folder = run / "raw" / name
        folder.mkdir()
        report = reports[number % len(reports)].replace(b"ACCOUNT_ID", name.encode())
        (folder / "credential-report.csv").write_bytes(report)
        (folder / "outcome-1.json").write_bytes(encode(describe_attempt(name)))
        (folder / "account-summary.json").write_bytes(encode({"SummaryMap": {"Users": users}}))


def make_terms(frameworks: tuple[str, ...]) -> "Terms":
    """
    Return the settings of a run.
    """
    from scanner.model import Selection, Terms

    return Terms(
        period="2026-Q4",
        selection=Selection(),
        scopes=(),
        max_report_age_hours=24,
        frameworks=frameworks,
        formats=(),
        role_name="orgproof-reader",
        roles={},
        uses_external_id=False,
        confirm=False,
        owner_tags=(),
        workers=1,
        account_deadline=120.0,
        endpoint=None,
        simulated=True,
        organization_name="",
        prepared_by="",
    )


def describe(account: str) -> dict[str, object]:
    """
    Return an account as ListAccounts describes it.
    """
    return {"Id": account, "Name": f"account {account}", "Email": "", "State": "ACTIVE"}


def describe_attempt(account: str) -> dict[str, object]:
    """
    Return an attempt that fetched a report.
    """
    moment, made = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (STARTED, MADE))
    return {
        "account_id": account,
        "started": moment,
        "finished": moment,
        "identity": "role",
        "reason_code": None,
        "reason": None,
        "generated_time": made,
        "fetched": moment,
        "requests": [],
    }


def write_report(seed: int, users: int) -> bytes:
    """
    Write one account's report. Four in ten users have a password, six in ten a key, one in ten two.
    """
    from scanner.credentials import REPORT_COLUMNS

    rng = random.Random(seed)
    lines = [",".join(REPORT_COLUMNS)]
    lines.append(
        "<root_account>,arn:aws:iam::ACCOUNT_ID:root,2020-01-01T00:00:00Z,false,N/A,N/A,not_supported,"
        "false,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
    )
    lines += [",".join(draw_user(rng, number)) for number in range(users)]
    return "\n".join(lines).encode()


def draw_user(rng: random.Random, number: int) -> Iterator[str]:
    """
    Yield the values of one user, in the order of the report.
    """

    def ago(days: int) -> str:
        return f"{MADE - timedelta(seconds=rng.randrange(days * 86400)):%Y-%m-%dT%H:%M:%SZ}"

    name = f"person.{number}"
    password = rng.random() < 0.4
    yield name
    yield f"arn:aws:iam::ACCOUNT_ID:user/{name}"
    yield ago(1500)
    yield "true" if password else "false"
    yield (ago(60) if rng.random() < 0.9 else "no_information") if password else "N/A"
    yield ago(300) if password else "N/A"
    yield "N/A"
    yield "true" if password and rng.random() < 0.95 else "false"
    for share in (0.6, 0.1):
        active = rng.random() < share
        used = active and rng.random() < 0.9
        yield "true" if active else "false"
        yield ago(120) if active else "N/A"
        yield ago(60) if used else "N/A"
        yield "eu-central-1" if used else "N/A"
        yield "s3" if used else "N/A"
    yield from ("false", "N/A", "false", "N/A")


if __name__ == "__main__":
    main()
