"""
Ctrl-C and its like, sent to the real command: once it ends what it has begun, twice it stops at once.
"""

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Scanner, clean_environment

from scanner.evidence import StoredRun
from scanner.evidence.seal import check_seal
from scanner.simulator import Fault, FaultKind, FaultPlan, Simulator, build_world

pytestmark = pytest.mark.functional

WORLD = build_world(accounts=300, users=3, seed=4)
LIST = "organizations:ListAccounts"


def begin(scanner: Scanner, *arguments: str) -> "subprocess.Popen[str]":
    """
    Start a scan that says in JSON what it does, in a process that can be sent signals.
    """
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "scanner", "scan", "--log-format", "json", *arguments),
            *("--output", str(scanner.output), "--endpoint-url", scanner.simulator.url),
        ],
        env={**clean_environment(), **scanner.simulator.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_event(process: "subprocess.Popen[str]", **fields: str) -> None:
    """
    Read what a scan says until it says this.
    """
    assert process.stderr is not None
    for line in process.stderr:
        if fields.items() <= json.loads(line).items():
            return
    raise AssertionError(f"it never said {fields}")


def name_run(scanner: Scanner) -> Path:
    """
    Return the one run folder there is.
    """
    (folder,) = (path for path in scanner.output.glob("o-*/*/[0-9]*") if path.is_dir())
    return folder


@pytest.fixture(name="slow")
def serve_slowly(command, tmp_path):
    """
    Serve 300 accounts that each take two seconds to make a report, of which some 40 a second are begun.
    """
    with Simulator(WORLD, report_seconds=2.0, latency=0.05) as simulator:
        yield Scanner(simulator, command, tmp_path / "runs")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_what_is_in_flight_is_read_to_its_end(slow, sent):
    """
    Every account that was entered is read, no further one is entered, and the printed command reads the rest.
    """
    process = begin(slow, "--format", "json", "--workers", "4")
    await_event(process, event="collected")
    process.send_signal(sent)
    await_event(process, event="stage", stage="stop")
    entered = slow.simulator.requests["sts:AssumeRole"]
    stdout, stderr = process.communicate(timeout=60)
    *lines, first = stdout.splitlines()
    entered_at_last = slow.simulator.requests["sts:AssumeRole"]
    (told,) = [line for line in lines if line.startswith("next: go on with this scan: ")]
    words = shlex.split(told.partition("orgproof ")[2])
    done = slow.command(*words, environment=slow.simulator.environment())

    run = StoredRun(Path(first))
    accounts = run.accounts()
    assert process.returncode == 5
    assert run.summary.interrupted
    assert len(accounts) == 300
    missed = accounts[accounts["outcome"] == "not-collected"]
    assert set(missed["reason_code"]) == {"interrupted"}
    assert 0 < len(missed) < 300
    # The management account is read without a role.
    own = WORLD.management_id not in set(missed["account_id"])
    assert run.summary.accounts.collected == entered_at_last + own
    # Four were about to be entered, at most.
    assert entered_at_last - entered <= 4
    assert '"stage": "seal"' in stderr
    check_seal(run.folder, with_raw=True)
    assert done.status == 1, done.stderr
    assert done.run.summary.accounts.collected == 300
    assert done.run.summary.continues is not None


@pytest.mark.parametrize(
    ("event", "is_sealed"),
    [
        ({"event": "stage", "stage": "collect"}, False),
        ({"event": "collected"}, False),
        ({"event": "stage", "stage": "judge"}, False),
        ({"event": "stage", "stage": "seal"}, None),
        ({"event": "stage", "stage": "render"}, True),
        ({"event": "drawing", "document": "html"}, True),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_two_signals_stop_at_once_and_spoil_nothing(scanning, event, is_sealed):
    """
    Whatever goes on: status 5 without a delay, and the folder goes on to a run that is whole and verifies.
    """
    with scanning(build_world(accounts=60, users=40, seed=4), report_seconds=0.3) as scanner:
        process = begin(scanner, "--format", "json,html", "--workers", "4")
        await_event(process, **event)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
        folder = name_run(scanner)
        was_sealed = (folder / "manifest.json").exists()
        done = scanner.command(
            "scan", "--resume", str(folder), environment=scanner.simulator.environment()
        )
        checked = scanner.command("verify", str(done.folder))

    assert process.returncode == 5
    assert is_sealed in (None, was_sealed)
    assert done.status == 1, done.stderr
    assert done.folder == folder
    assert done.run.summary.accounts.collected == 60
    assert checked.status == 0, checked.stdout + checked.stderr


def test_a_signal_before_the_list_is_whole_keeps_what_was_read(command, tmp_path):
    """
    Nobody can say which accounts are missing, so nothing is sealed; accounts in flight are read all the same.
    """
    plan = FaultPlan((Fault(FaultKind.THROTTLE, operation=LIST, page=3, times=4),))
    world = build_world(accounts=60, users=3, seed=6)
    with Simulator(world, plan, report_seconds=2.0) as simulator:
        scanner = Scanner(simulator, command, tmp_path / "runs")
        process = begin(scanner, "--format", "json", "--workers", "4")
        await_event(process, event="stage", stage="collect")
        while simulator.requests.get("sts:AssumeRole", 0) < 10:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        folder = name_run(scanner)
        read = len(list(folder.glob("raw/*/outcome-1.json")))
        was_listed = (folder / "raw" / "accounts.json").exists()
        done = scanner.command("scan", "--resume", str(folder), environment=simulator.environment())

    assert process.returncode == 5
    assert f"--resume {folder}" in stderr
    assert not was_listed
    assert read >= 10
    assert done.status == 1, done.stderr
    assert done.folder == folder
    assert done.run.summary.accounts.collected == 60
    assert not list(folder.glob("raw/*/outcome-2.json")), "nothing was read twice"
