"""
What a person at a terminal sees of a scan, and what is printed when there is none.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import clean_environment, run_command
from rich.cells import cell_len
from terminal import Seen, run_on_terminal

from scanner.evidence import StoredRun
from scanner.simulator import Fault, FaultKind, FaultPlan, Simulator, build_hostile, build_world

pytestmark = pytest.mark.functional

MOVES = {"\x1b[?25l", "\x1b[?25h", "\x1b[2K", "\x1b[1A"}
"""
How one line is drawn again and again: hide the cursor, show it, erase the line, go up by one.
"""

COLOURS = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])(?:;[0-9]+)*m")


@dataclass(frozen=True)
class Story:
    """
    Two scans of one hostile organization, in which accounts with hostile names cannot be read.
    """

    wide: Seen
    narrow: Seen
    names: tuple[str, ...]
    organization: Path


@pytest.fixture(name="story", scope="module")
def scan_twice(tmp_path_factory):
    output = tmp_path_factory.mktemp("terminal") / "all runs"
    world = build_hostile()
    denied = [
        account for account in world.accounts if not account.name.isprintable() and account.users
    ]
    plan = FaultPlan(tuple(Fault(FaultKind.ROLE_MISSING, account=one.id) for one in denied))
    with Simulator(world, plan, report_seconds=0.3) as simulator:
        words = ("scan", "--endpoint-url", simulator.url, "--output", str(output))
        environment = simulator.environment()
        wide = run_on_terminal(*words, "--format", "json,csv", environment=environment)
        narrow = run_on_terminal(
            *(*words, "--format", "json"),
            columns=60,
            environment={**environment, "NO_COLOR": "1"},
        )
    names = tuple(account.name for account in denied)
    return Story(wide, narrow, names, output / world.organization_id)


def test_a_terminal_shows_the_end_as_a_table(story):
    """
    Coverage, users, checks, unknown verdicts and documents are there, and INCOMPLETE in red and in words.
    """
    shown = "\n".join(story.wide.left)

    run = StoredRun(Path(story.wide.left[-1])).summary
    accounts = run.accounts
    assert story.wide.status == run.exit_status == 3
    assert f"{accounts.listed} listed = {accounts.collected} collected + " in shown
    assert f"{accounts.not_collected} not collected ({accounts.not_collected} access-d" in shown
    assert f"{run.users.console_without_mfa} of them without MFA" in shown
    assert re.search(r"Console password without MFA +high +\d+ ", shown)
    assert f"{run.unknown_verdicts} verdicts: unable to determine" in shown
    assert re.search(r"reports/findings\.csv +\d+ kB", shown)
    assert re.search(r"\x1b\[1;31mINCOMPLETE: ", story.wide.written)


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_the_last_line_is_the_run_folder_alone_and_whole(story, width):
    """
    However long it is and however narrow the terminal: nothing breaks it, and nothing follows it.
    """
    seen = getattr(story, width)

    assert seen.written.endswith(f"\r\n{seen.left[-1]}\r\n")
    assert StoredRun(Path(seen.left[-1])).summary.period
    assert Path(seen.left[-1]).parent.parent == story.organization


def test_hostile_names_steer_no_terminal(story):
    """
    An unread account's name is shown where it did no harm: no bell, no colour of its own, no line of its own.
    """
    assert any("\x1b" in name for name in story.names)
    assert story.wide.codes - MOVES <= {
        code for code in story.wide.codes if re.fullmatch(r"\x1b\[[0-9;]*m", code)
    }
    for char in ("\x07", "\x01", "\u202e", "\x1b[31m null"):
        assert char not in story.wide.written
    assert "bell\ufffd escape\ufffd[31m null-ish\ufffd) access-denied" in story.wide.plain
    assert "line one\ufffdline two) access-denied" in story.wide.plain


def test_the_bar_goes_away(story):
    """
    It was there, one line at a time, and nothing of it is left when the scan is over.
    """
    written, left = story.wide.plain, "\n".join(story.wide.left)

    for words in ("listing accounts", "judging", "drawing json  1 of 2", "drawing csv  2 of 2"):
        assert words in written
        assert words not in left
    assert re.search(r"reading accounts  \d+/\d+  \d+\.\d/s  \d+:\d\d left  \d+ not read", written)
    assert "\x1b[?25h" in story.wide.written.rpartition("\x1b[?25l")[2]


def test_a_narrow_terminal_is_enough(story):
    """
    At 60 columns nothing but commands, which are to be copied, and the last line is longer than that.
    """
    long = [line for line in story.narrow.left[:-1] if cell_len(line) > 60]

    assert long
    assert all(line.startswith(("  ", "not read")) for line in long)
    assert [line for line in long if "orgproof " not in line and "accepted.yaml" not in line] == []
    assert "INCOMPLETE: " in "\n".join(story.narrow.left)
    frames = story.narrow.written.replace("\r\n", "\r").split("\r")
    bars = [frame for frame in frames if "reading accounts" in frame]
    assert bars
    assert all(cell_len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", bar)) <= 60 for bar in bars)


def test_no_color_is_minded(story):
    """
    With NO_COLOR nothing has a colour; without it something has.
    """
    assert COLOURS.search(story.wide.written)
    assert not COLOURS.search(story.narrow.written)


def test_what_to_do_next_can_be_copied(story):
    """
    A path with a space is quoted, and each command stands whole on a line of its own, the older run in it.
    """
    commands = [shlex.split(line) for line in story.narrow.left if line.startswith("    orgproof ")]

    older, newer = story.wide.left[-1], story.narrow.left[-1]
    assert commands == [
        ["orgproof", "scan", "--resume", newer, "--retry-failed"],
        ["orgproof", "diff", newer, older],
        ["orgproof", "verify", newer],
    ]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_without_a_terminal_everything_is_plain(tmp_path, log_format):
    """
    Whatever the environment says about colours: no escape sequence, commands in lines, JSON in every log line.
    """
    with Simulator(build_world(accounts=3, users=2, seed=5), report_seconds=0.2) as simulator:
        done = run_command(
            tmp_path,
            *("scan", "--endpoint-url", simulator.url, "--output", "runs", "--format", "json"),
            *("--log-format", log_format),
            environment={
                **simulator.environment(),
                "FORCE_COLOR": "1",
                "TTY_COMPATIBLE": "1",
            },
        )

    lines = done.stdout.splitlines()
    assert done.status == 1, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert [line.split(": ")[0] for line in lines[-4:-1]] == ["next"] * 3
    assert lines[-2].endswith(f": orgproof verify {lines[-1]}")
    assert (tmp_path / lines[-1] / "manifest.json").exists()
    if log_format == "json":
        events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
        assert {"listed", "collected", "stage", "drawing"} == set(events)


def test_a_log_of_json_lines_stays_one_when_something_goes_wrong(tmp_path):
    """
    The message of an error is an object of its own, and standard output stays empty.
    """
    done = run_command(tmp_path, "scan", "--log-format", "json", "--retry-failed")

    assert (done.status, done.stdout) == (2, "")
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["message"]


def test_a_finished_run_keeps_its_status_when_nobody_reads(tmp_path):
    """
    `orgproof scan | true`: the run is finished, its status is its own, and nothing is said of a broken pipe.
    """
    ours, theirs = os.pipe()
    os.close(ours)
    with Simulator(build_world(accounts=3, users=2, seed=5), report_seconds=0.2) as simulator:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "scanner", "scan", "--endpoint-url", simulator.url),
                *("--output", "runs", "--format", "json"),
            ],
            cwd=tmp_path,
            env={**clean_environment(), **simulator.environment()},
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    os.close(theirs)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "orgproof: drawing documents"
    assert len(list((tmp_path / "runs").glob("*/*/*/documents.json"))) == 1


def test_output_that_cannot_be_written_is_an_error(tmp_path):
    """
    A full disk is not a reader who has left: the list did not arrive, and the status says so.
    """
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "scanner", "--version"],
            cwd=tmp_path,
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 5
    assert done.stderr == "orgproof: standard output: No space left on device\n"
