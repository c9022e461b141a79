"""
`orgproof scan --resume`: the real command, killed for good and sent on, against the simulated organization.
"""

import json
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import Outcome, Scanner, clean_environment
from pandas.testing import assert_frame_equal

from scanner.evidence import StoredRun
from scanner.evidence.seal import check_seal
from scanner.evidence.store import hold
from scanner.simulator import Fault, FaultKind, FaultPlan, Simulator, build_world

pytestmark = pytest.mark.functional

LAB = Path(__file__).parents[1] / "crash_lab.py"
LIST = "organizations:ListAccounts"
WORLD = build_world(accounts=16, users=4, seed=4, offenders=0.3)


def begin(scanner: Scanner, *arguments: str) -> "subprocess.Popen[str]":
    """
    Start a scan, in a process that can be killed.
    """
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "scanner", "scan", *arguments),
            *("--log-format", "json"),
        ],
        env={**clean_environment(), **scanner.simulator.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def scan_arguments(scanner: Scanner) -> list[str]:
    """
    Return the options of a new scan.
    """
    return [
        *("--output", str(scanner.output), "--endpoint-url", scanner.simulator.url),
        *("--format", "json", "--workers", "4"),
    ]


def list_runs(scanner: Scanner) -> list[Path]:
    """
    Return the run folders that there are.
    """
    return sorted(path for path in scanner.output.glob("o-*/*/[0-9]*") if path.is_dir())


def resume(scanner: Scanner, run: Path, *arguments: str) -> Outcome:
    """
    Go on with a run.
    """
    return scanner.command(
        *("scan", "--resume", str(run), *arguments), environment=scanner.simulator.environment()
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_scan_killed_at_a_hundred_random_moments_loses_nothing(tmp_path, seed):
    """
    Or met by a full disk: what was collected stays, and the resumed run equals one that nobody disturbed.

    See `tests/crash_lab.py`.
    """
    # Coverage is measured elsewhere, and would triple the time.
    environment = {
        name: value for name, value in clean_environment().items() if "COV" not in name.upper()
    }
    done = subprocess.run(
        [sys.executable, str(LAB), str(seed), "100", str(tmp_path)],
        env={**environment, "PYTHONPATH": str(LAB.parent)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["trials"] == 100
    assert told["disturbed"] > 100


@pytest.mark.parametrize("seed", range(4))
def test_a_command_killed_for_good_goes_on_where_it_was(scanning, seed):
    """
    SIGKILL at a random moment of a real scan, twice; the tables equal those of a scan that was left alone.
    """
    dice = random.Random(seed)  # noqa: S311 - the same seed is the same moments
    with scanning(WORLD, report_seconds=0.1) as scanner:
        whole = scanner.scan().run
        others = list_runs(scanner)
        for _ in range(2):
            runs = [path for path in list_runs(scanner) if path not in others]
            arguments = ["--resume", str(runs[-1])] if runs else scan_arguments(scanner)
            process = begin(scanner, *arguments)
            time.sleep(dice.uniform(0.8, 3.5))
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=20)
        runs = [path for path in list_runs(scanner) if path not in others]
        done = resume(scanner, runs[-1]) if runs else scanner.scan()

    assert done.status in {1, 2}, done.stderr
    run = StoredRun(runs[-1] if runs else done.folder)
    check_seal(run.folder, with_raw=True)
    assert run.summary.users == whole.summary.users
    assert run.summary.accounts == whole.summary.accounts
    for old, new in (
        (whole.accounts(), run.accounts()),
        (whole.findings(), run.findings()),
    ):
        changes = ["report_age_seconds", "state", "first_seen", "last_seen", "days_open"]
        assert_frame_equal(
            old.drop(columns=changes, errors="ignore"), new.drop(columns=changes, errors="ignore")
        )


def test_an_interrupted_scan_says_how_to_go_on(scanning):
    """
    And the command that it prints completes it, in a run of its own that names the first.
    """
    with scanning(build_world(accounts=400, users=3, seed=4), report_seconds=0.0) as scanner:
        process = begin(scanner, *scan_arguments(scanner)[:-1], "1")
        assert process.stderr is not None
        seen = 0
        for line in process.stderr:
            seen += json.loads(line).get("event") == "collected"
            if seen == 3:
                break
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
        *lines, first = stdout.splitlines()
        prefix = "next: go on with this scan: orgproof "
        (told,) = [line for line in lines if line.startswith(prefix)]
        words = shlex.split(told.removeprefix(prefix))
        done = scanner.command(*words, environment=scanner.simulator.environment())

    assert process.returncode == 5
    assert words == ["scan", "--resume", first]
    assert done.status == 1, done.stderr
    assert done.folder != Path(first)
    assert done.run.summary.continues is not None
    assert done.run.summary.continues.run_id == Path(first).name
    assert not done.run.summary.accounts.not_collected
    assert StoredRun(Path(first)).summary.accounts.not_collected > 0


def test_accounts_put_right_are_read_on_demand(command, tmp_path):
    """
    A missing role stays missing until somebody puts it there, and `--retry-failed` says that they have.
    """
    denied = WORLD.accounts[5].id
    plan = FaultPlan((Fault(FaultKind.ROLE_MISSING, account=denied),))
    with Simulator(WORLD, plan, report_seconds=0.0) as simulator:
        port = urlsplit(simulator.url).port or 0
        scanner = Scanner(simulator, command, tmp_path / "runs")
        first = scanner.scan()
        by_itself = resume(scanner, first.folder)
    with Simulator(WORLD, port=port, report_seconds=0.0) as simulator:
        scanner = Scanner(simulator, command, tmp_path / "runs")
        done = resume(scanner, first.folder, "--retry-failed")

    assert by_itself.status == 2
    assert "is finished" in by_itself.stderr
    assert done.folder != first.folder
    before = first.run.accounts().set_index("account_id")["outcome"]
    after = done.run.accounts().set_index("account_id")["outcome"]
    assert (before[denied], after[denied]) == ("not-collected", "collected")
    assert before.drop(denied).equals(after.drop(denied))
    outcomes = sorted(p.name for p in (done.folder / "raw" / denied).glob("outcome-*"))
    assert outcomes == ["outcome-1.json", "outcome-2.json"]


def test_a_scan_on_a_full_disk_goes_on_when_there_is_room(scanning):
    """
    The message that names the file also says how.
    """
    # Coverage keeps a file of its own, which would meet the same limit.
    environment = {
        name: value for name, value in clean_environment().items() if "COV" not in name.upper()
    }
    with scanning(build_world(accounts=3, users=2000, seed=1)) as scanner:
        limited = subprocess.run(
            [
                *("sh", "-c", 'ulimit -f 120; exec "$@"', "sh", sys.executable, "-m", "scanner"),
                *("scan", "--format", "json", "--endpoint-url", scanner.simulator.url),
                *("--output", str(scanner.output)),
            ],
            env={**environment, **scanner.simulator.environment()},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        told = limited.stderr.splitlines()[-1].removeprefix("orgproof: to go on: orgproof ")
        done = scanner.command(*shlex.split(told), environment=scanner.simulator.environment())

    assert limited.returncode == 5
    assert done.status in {1, 3}, done.stderr
    assert done.run.summary.accounts.collected == 3
    assert len(done.run.summary.sittings) == 2


# What is refused


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--period", "2027-Q1"), "scan.period"),
        (("--account", "123456789012"), "accounts.accounts"),
        (("--framework", "iso-27001-2022"), "scan.frameworks"),
        (("--role-name", "other"), "aws.role_name"),
        (("--endpoint-url", "http://127.0.0.1:1"), "aws.endpoint_url"),
        (("--output", "elsewhere"), "scan.output"),
        (("--no-confirm",), "confirm.enabled"),
        (("--format", "json"), "scan.formats"),
    ],
)
def test_what_a_run_is_to_do_cannot_be_changed(command, tmp_path, arguments, named):
    """
    A run is one thing from beginning to end; what bears on its result is fixed when it begins.
    """
    done = command("scan", "--resume", str(tmp_path), *arguments)

    assert done.status == 2
    assert named in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--resume", "missing"), "is no folder"),
        (("--resume", "."), "is no run folder"),
        (("--retry-failed",), "goes with --resume"),
    ],
)
def test_what_cannot_be_resumed_is_refused(command, arguments, said):
    """
    Without a traceback.
    """
    done = command("scan", *arguments)

    assert done.status in {2, 5}
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_begun_with_a_key_goes_on_with_a_key(scanning, tmp_path):
    """
    The key is not kept, and without it the run would end unsigned without a word.
    """
    key = tmp_path / "run.key"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    plan = FaultPlan((Fault(FaultKind.ROLE_MISSING, account=WORLD.accounts[5].id),))
    with scanning(WORLD, plan, report_seconds=0.0) as scanner:
        folder = scanner.scan("--sign-key", str(key)).folder
        without = resume(scanner, folder, "--retry-failed")
        with_key = resume(scanner, folder, "--retry-failed", "--sign-key", str(key))

    assert without.status == 2
    assert "give --sign-key or --sign-kms" in without.stderr
    assert with_key.status == 3, with_key.stderr
    assert with_key.run.signed_by == StoredRun(folder).signed_by


def test_the_second_of_two_is_refused(scanning):
    """
    Two commands in one run folder would write over each other.
    """
    with scanning(WORLD, report_seconds=0.0) as scanner:
        folder = scanner.scan().folder
        with hold(folder):
            done = resume(scanner, folder)

    assert done.status == 2
    assert "another orgproof is at work" in done.stderr


def test_evidence_that_was_changed_is_not_taken_over(scanning):
    """
    Status 4, and which file.
    """
    plan = FaultPlan((Fault(FaultKind.ROLE_MISSING, account=WORLD.accounts[5].id),))
    with scanning(WORLD, plan, report_seconds=0.0) as scanner:
        folder = scanner.scan().folder
        report = next(folder.rglob("credential-report.csv"))
        report.write_bytes(report.read_bytes().replace(b"true", b"false", 1))
        done = resume(scanner, folder, "--retry-failed")

    assert done.status == 4
    assert str(report) in done.stderr
    assert len(list_runs(scanner)) == 1


def test_accounts_are_read_while_aws_still_lists(scanning):
    """
    The first account has its outcome before the last page of the list has come.
    """
    world = build_world(accounts=400, users=2, seed=5)
    with scanning(
        world, FaultPlan((Fault(FaultKind.THROTTLE, operation=LIST, page=20, times=4),))
    ) as scanner:
        run = scanner.scan().run

    listed = (run.folder / "raw" / "accounts.json").stat().st_mtime
    read = sorted(path.stat().st_mtime for path in run.folder.glob("raw/*/outcome-1.json"))
    assert len(read) == 400
    assert read[0] < listed
    assert run.summary.accounts.collected == 400


def test_a_list_that_breaks_off_loses_nothing_that_was_read(scanning):
    """
    The scan fails and names what to do; the resumed run lists anew, reads the rest, and verifies.
    """
    world = build_world(accounts=60, users=3, seed=6)
    slow = Fault(FaultKind.THROTTLE, operation=LIST, page=4, times=4)
    broken = Fault(FaultKind.ACTION_DENIED, operation=LIST, page=4, times=5)
    with scanning(world, FaultPlan((slow, broken))) as scanner:
        failed = scanner.scan()
        (folder,) = list_runs(scanner)
        before = {path: path.read_bytes() for path in folder.rglob("raw/*/*") if path.is_file()}
        done = resume(scanner, folder)
        checked = scanner.command("verify", str(folder))

    assert failed.status == 2, failed.stderr
    assert "organizations:ListAccounts answered AccessDenied" in failed.stderr
    assert f"--resume {folder}" in failed.stderr
    assert sum(path.name == "outcome-1.json" for path in before) >= 1
    assert done.status == 1, done.stderr
    assert done.run.summary.accounts.collected == 60
    assert all(path.read_bytes() == content for path, content in before.items())
    assert not list(folder.glob("raw/*/outcome-2.json")), "nothing was read twice"
    assert checked.status == 0, checked.stdout
