"""
The caller's own credentials end in the middle of a scan, as those of a chained role do after an hour.
"""

import os
import shlex
from pathlib import Path

import pytest
from conftest import Command, Outcome, Scanner

from scanner.simulator import READER_ROLE, Fault, FaultKind, FaultPlan, Simulator, build_world

pytestmark = pytest.mark.functional

WORLD = build_world(accounts=300, users=3, seed=2)

LISTED_FIRST = f"""
[[accounts.exclude]]
account = "{WORLD.accounts[-1].id}"
reason = "accounts are read only once this one, which comes last, was listed"
"""

FORM = """\
{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "%s", "SessionToken": "%s", "Expiration": "@END@"}
"""

SOURCE = """\
#!/bin/sh
cd "$(dirname "$0")" || exit 1
number=$(cat number)
test -f "$number.json" || { echo "signed out" >&2; exit 1; }
echo $((number + 1)) > number
# botocore asks for others from 15 minutes before the end on, so these last for a second.
sed "s/@END@/$(date -u -d '+901 seconds' +%Y-%m-%dT%H:%M:%SZ)/" "$number.json"
"""


def end_after(calls: int, *, sign_ins: int | None = 1) -> FaultPlan:
    """
    Return a plan in which the caller's credentials end after so many calls, those of the first sign-ins or of all.
    """
    fault = Fault(FaultKind.CALLER_EXPIRED, WORLD.management_id, after=calls, times=sign_ins)
    return FaultPlan((fault,))


def follow(scanner: Scanner, line: str) -> Outcome:
    """
    Sign in anew and do what the scan said.
    """
    words = shlex.split(line.partition("orgproof scan ")[2])
    return scanner.command("scan", *words, environment=scanner.simulator.environment(sign_in=2))


def test_nobody_is_entered_after_the_credentials_ended(scanning):
    """
    What was entered is read, the rest has its reason without a call, and the command that is printed reads it.
    """
    with scanning(WORLD, end_after(110), report_seconds=1.0) as scanner:
        first = scanner.scan("--workers", "8", settings=LISTED_FIRST)
        calls = scanner.simulator.requests["sts:AssumeRole"]
        (told,) = (line for line in first.stdout.splitlines() if "your own credentials" in line)
        done = follow(scanner, told)

    accounts = first.run.accounts().set_index("account_id")
    missed = accounts[accounts["outcome"] == "not-collected"]
    entered = first.run.summary.accounts.collected - 1  # the management account, without a role
    assert first.status == 3, first.stderr
    assert not first.run.summary.interrupted
    assert set(missed["reason_code"]) == {"caller-expired"}
    assert missed["reason"].str.contains("sign in again").all()
    assert len(missed) > 200
    # As many calls as threads may have been on their way when the credentials ended.
    assert entered <= calls <= entered + 8
    assert len(list(first.folder.glob("raw/*/outcome-1.json"))) == 299
    assert done.status == 1, done.stderr
    assert done.run.summary.accounts.collected == 299


def test_credentials_that_end_while_aws_lists_keep_what_was_read(scanning):
    """
    There is no list, so there is no run yet; the printed command lists anew and reads nothing twice.
    """
    listing = "organizations:ListAccounts"
    slow = Fault(FaultKind.SLOW_BODY, operation=listing, after=5, times=1, seconds=3.0)
    plan = FaultPlan((*end_after(40).faults, slow))
    with scanning(WORLD, plan, report_seconds=0.0) as scanner:
        first = scanner.scan("--workers", "2")
        (folder,) = scanner.output.glob("o-*/*/[0-9]*")
        was_listed = (folder / "raw" / "accounts.json").exists()
        read = len(list(folder.glob("raw/*/credential-report.csv")))
        (told,) = (line for line in first.stderr.splitlines() if "--resume" in line)
        done = follow(scanner, told)

    assert first.status == 2
    assert "your own credentials have expired; sign in again" in first.stderr
    assert not was_listed
    assert 0 < read < 300
    assert done.status == 1, done.stderr
    assert done.folder == folder
    assert done.run.summary.accounts.collected == 300
    assert len(list(folder.glob("raw/*/superseded-*"))) == 0


def sign_in_by(process: Path, simulator: Simulator, sets: int) -> dict[str, str]:
    """
    Return the environment of somebody whose profile runs a process for credentials, which has so many sets of them.
    """
    process.mkdir()
    for number in range(sets):
        made = simulator.credentials_for(WORLD.management_id, sign_in=number + 1)
        keys = (made.access_key, made.secret_key, made.token)
        (process / f"{number}.json").write_text(FORM % keys)
    (process / "number").write_text("0")
    (process / "source").write_text(SOURCE)
    (process / "source").chmod(0o700)
    (process / "config").write_text(
        f"[profile auditor]\nregion = us-east-1\ncredential_process = {process / 'source'}\n"
    )
    return {
        "AWS_CONFIG_FILE": str(process / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture(name="rotating")
def scan_rotating(command: Command, tmp_path: Path):
    """
    Scan slowly with credentials that each serve 200 calls, of which a process has so many sets.
    """

    def scan(sets: int) -> tuple[Outcome, int, Simulator]:
        plan = end_after(200, sign_ins=None)
        with Simulator(WORLD, plan, report_seconds=0.2, latency=0.1) as simulator:
            done = command(
                *("scan", "--endpoint-url", simulator.url, "--output", str(tmp_path / "runs")),
                *("--profile", "auditor", "--role-name", READER_ROLE, "--workers", "8"),
                *("--format", "json"),
                environment=sign_in_by(tmp_path / "process", simulator, sets),
            )
        return done, int((tmp_path / "process" / "number").read_text()), simulator

    return scan


def test_credentials_are_refreshed_where_their_source_hands_out_others(rotating):
    """
    A scan outlives its caller's credentials several times.
    """
    done, sets, _ = rotating(50)

    assert done.status == 1, done.stderr
    assert done.run.summary.accounts.collected == 300
    assert sets > 3


def test_a_source_that_dries_up_ends_the_scan_in_good_order(rotating):
    """
    The last set of credentials is used to its end; after it accounts say why they were not read.
    """
    done, sets, simulator = rotating(2)

    accounts = done.run.accounts()
    assert done.status == 3, done.stderr
    assert sets == 2
    assert set(accounts["reason_code"].dropna()) == {"caller-expired"}
    assert 0 < done.run.summary.accounts.collected < 300
    assert simulator.requests["sts:AssumeRole"] < 300
    assert "signed out" not in done.stderr + done.stdout
    assert "sign in and read the missing accounts: orgproof scan --resume" in done.stdout
