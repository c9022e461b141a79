import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from conftest import clean_environment

from scanner.frameworks import find_frameworks
from scanner.simulator import Simulator, build_world

pytestmark = pytest.mark.functional


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("scan",),
        ("demo",),
        ("render",),
        ("sample",),
        ("deliver",),
        ("frameworks",),
        ("frameworks", "list"),
        ("frameworks", "show"),
        ("frameworks", "check"),
    ],
    ids=" ".join,
)
def test_every_command_explains_itself(command, words):
    """
    `--help` of each command ends with status 0 and says what the command does.
    """
    done = command(*words, "--help")

    assert done.status == 0
    assert "Usage:" in done.stdout
    assert len(done.stdout.splitlines()) > 5


def test_help_waits_for_no_heavy_library():
    """
    What only a scan or a document needs is imported when one is made.
    """
    code = (
        "import sys; from scanner.cli import app; app(['scan', '--help'], standalone_mode=False); "
        "print(sorted({'boto3', 'pandas', 'pyarrow', 'rich', 'weasyprint'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "words",
    [("scan",), ("demo",), ("render",), ("sample",), ("deliver",), ("frameworks", "check")],
)
def test_help_has_an_example(command, words):
    """
    The commands that take arguments show one example.
    """
    done = command(*words, "--help")

    assert "Example: orgproof" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "words", [("nonsense",), ("frameworks", "nonsense"), ("render",), ("sample",)]
)
def test_a_wrong_command_is_status_2(command, words):
    """
    What is no command, or lacks its argument, ends with status 2.
    """
    done = command(*words)

    assert done.status == 2
    assert "Traceback" not in done.stderr


def test_version(command):
    """
    `--version` prints one line.
    """
    done = command("--version")

    assert done.status == 0
    assert re.fullmatch(r"orgproof \d+\.\d+\.\d+\n", done.stdout)


def test_frameworks_are_listed(command):
    """
    The list names every catalog that ships.
    """
    done = command("frameworks", "list")

    assert done.status == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(find_frameworks())


def test_a_framework_is_shown(command):
    """
    Showing a framework prints its controls, relations and checks.
    """
    done = command("frameworks", "show", "pci-dss-4.0.1")

    assert done.status == 0
    assert "8.4.2" in done.stdout
    assert "direct: console-no-mfa" in done.stdout


def test_an_unknown_framework_names_those_there_are(command):
    """
    A misspelt framework is refused with the ids to choose from.
    """
    done = command("frameworks", "show", "pci-dss")

    assert done.status == 2
    assert "pci-dss-4.0.1" in done.stderr


def test_a_shipped_catalog_passes_its_own_check(command):
    """
    `frameworks check` accepts what ships.
    """
    done = command("frameworks", "check", str(find_frameworks()["iso-27001-2022"]))

    assert done.status == 0
    assert "no problem found" in done.stdout


def test_a_bad_catalog_is_refused_with_every_problem(command, tmp_path):
    """
    Each problem is one line with file, control and field; a missing file is one too.
    """
    (tmp_path / "bad-1.yaml").write_text(
        "format: 1\nid: bad\ncontrols:\n"
        "  - id: on\n    checks: [{check: console-nomfa, relation: direct, because: x}]\n"
    )

    done = command("frameworks", "check", "bad-1.yaml")
    missing = command("frameworks", "check", "nowhere.yaml")

    assert done.status == missing.status == 2
    problems = done.stderr.splitlines()
    assert len(problems) > 5
    assert all(line.startswith("orgproof: bad-1.yaml: ") for line in problems)
    assert any("control True" in line and "field id" in line for line in problems)
    assert "nowhere.yaml" in missing.stderr


def test_the_demo_can_only_be_served(command, tmp_path):
    """
    `demo --serve` serves until stopped; a scan of it ends as the demo does.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "scanner", "demo", "--serve"],
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(2)]
        variables = {}
        for line in process.stdout:
            if not line.startswith("export "):
                break
            name, _, value = line.removeprefix("export ").strip().partition("=")
            variables[name] = value
        url = line.split()[-1]

        done = command(
            *("scan", "--endpoint-url", url, "--output", str(tmp_path / "runs")),
            *("--format", "json", "--account", "308750977240"),
            environment=variables,
        )
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)

    assert "serving o-" in told[0]
    assert done.status == 1, done.stderr
    assert done.run.summary.accounts.excluded == 22
    assert done.run.summary.endpoint == url


def read_terminal(terminal: int, process: subprocess.Popen[bytes]) -> str:
    """
    Return what a program writes to its terminal until it ends.
    """
    seen = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        try:
            seen += os.read(terminal, 65536) if ready else b""
        except OSError:
            break
        if not ready and process.poll() is not None:
            break
    return seen.decode()


def test_a_terminal_shows_a_bar(tmp_path):
    """
    On a terminal a bar shows how many accounts are read, with rate and how many were not.
    """
    world = build_world(accounts=60, users=3, seed=1)
    with Simulator(world, report_seconds=0.5) as simulator:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "scanner", "scan", "--endpoint-url", simulator.url),
                *("--output", str(tmp_path / "runs"), "--format", "json", "--workers", "2"),
            ],
            env={**clean_environment(), **simulator.environment(), "TERM": "xterm"},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        shown = read_terminal(ours, process)
        os.close(ours)

    assert process.wait(timeout=10) == 1
    assert "reading accounts" in shown
    assert re.search(r"\d+/60", shown)
    assert re.search(r"\d+\.\d/s", shown)
