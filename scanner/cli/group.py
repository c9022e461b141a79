"""
`orgproof scan` for several organizations: each by a command of its own, one after the other, and one overview.

A process for each keeps their credentials, clients and signals apart, and one that fails costs the others nothing.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, NoReturn

import typer

from scanner.cli.manner import Manner
from scanner.cli.printing import print_lines, say
from scanner.errors import OrgproofError, SettingsError
from scanner.group import Member
from scanner.stopping import STOPPED

if TYPE_CHECKING:
    from scanner.overview import Entry

_SHOWN_LINES = 3
_SHOWN = 400


def choose_members(
    members: Sequence[Member], names: Collection[str], filename: str
) -> list[Member]:
    """
    Return the organizations to scan, all where none is named, or raise `SettingsError` for a name that is not there.
    """
    unknown = sorted(set(names) - {member.name for member in members})
    if unknown:
        there = ", ".join(member.name for member in members) or "none"
        raise SettingsError(f"{filename}: has no organization {', '.join(unknown)}; it has {there}")
    return [member for member in members if not names or member.name in names]


def scan_group(
    members: Sequence[Member], chosen: Sequence[Member], output: Path, manner: Manner
) -> NoReturn:
    """
    Scan each chosen organization of a group, write the overview, and end with the gravest status.
    """
    from scanner.evidence.store import make_folder, write_file
    from scanner.overview import NOT_SCANNED, Entry, sum_up
    from scanner.records import encode
    from scanner.reports.overview import write_overview
    from scanner.wiring import SystemClock

    clock = SystemClock()
    began = clock.now()
    children = _Children()
    entries = []
    for member in members:
        if member not in chosen:
            entries.append(Entry(member.name, NOT_SCANNED, reason="left out by --organization"))
        elif children.is_stopped:
            reason = "the command was stopped before its turn"
            entries.append(Entry(member.name, NOT_SCANNED, STOPPED, reason))
        else:
            if not manner.quiet:
                say(f"organization {member.name}")
            entries.append(_scan(member.name, children, manner))
    overview = sum_up(entries, clock.now())
    folder = output / "overview" / f"{began:%Y%m%dT%H%M%SZ}"
    make_folder(folder)
    write_file(folder / "overview.json", encode(overview))
    write_file(folder / "overview.md", write_overview(overview).encode())
    if not manner.quiet:
        print_lines(_tell(overview.organizations))
    say(str(folder))
    raise typer.Exit(overview.exit_status)


def _scan(name: str, children: "_Children", manner: Manner) -> "Entry":
    from scanner.evidence import StoredRun
    from scanner.overview import FAILED, Entry, describe

    status, printed, complaint = children.run(name)
    last = printed[-1] if printed else ""
    if not manner.quiet:
        print_lines(printed)
    folder = Path(last)
    try:
        if last and (folder / "manifest.json").is_file():
            run = StoredRun(folder)
            return describe(name, run.summary, str(folder), run.manifest_sha256)
    except OrgproofError as exc:
        complaint = str(exc)
    # A status of 0 without a run is nothing to rely on.
    return Entry(name, FAILED, status or STOPPED, complaint or "its scan said nothing")


def _tell(entries: Sequence["Entry"]) -> list[str]:
    from scanner.overview import SCANNED

    lines = ["overview of organizations:"]
    for entry in entries:
        if entry.state == SCANNED:
            lines.append(
                f"  {entry.name}: status {entry.status}; {entry.collected:,} of {entry.listed:,} accounts collected, "
                f"{entry.without_mfa:,} of {entry.console:,} console users without MFA"
            )
        else:
            lines.append(f"  {entry.name}: {entry.state}: {entry.reason}")
    return lines


class _Children:
    """
    Runs one scan at a time. Signals are passed on to it, and after the first no further scan begins.
    """

    def __init__(self) -> None:
        self.is_stopped = False
        self._process: subprocess.Popen[str] | None = None
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name, signal.SIGTERM), self._pass_on)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self.is_stopped = True
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def run(self, name: str) -> tuple[int, list[str], str]:
        """
        Scan one organization. Return the exit status, the lines it printed, and the last that it complained of.
        """
        command = [sys.executable, "-m", "scanner", *_name_one(sys.argv[1:], name)]
        process = subprocess.Popen(  # noqa: S603 - this very command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=dict(os.environ),
            # A terminal's Ctrl-C would reach it twice, which means stop at once.
            start_new_session=True,
        )
        self._process = process
        last: list[str] = []
        reader = threading.Thread(target=_pass_lines, args=(process.stderr, last))
        reader.start()
        printed = process.stdout.read().splitlines() if process.stdout else []
        status = process.wait()
        reader.join()
        return (status if status >= 0 else STOPPED), printed, " ".join(map(_plain, last))[:_SHOWN]


def _pass_lines(stream: IO[str] | None, last: list[str]) -> None:
    for line in stream or ():
        sys.stderr.write(line)
        sys.stderr.flush()
        last.append(line.strip())
        del last[:-_SHOWN_LINES]


def _plain(line: str) -> str:
    """
    Return what a line of progress or complaint says, whichever form it has.
    """
    try:
        said = json.loads(line)
    except ValueError:
        return re.sub(r"^orgproof: ", "", line)
    return str(said.get("message", "")) if isinstance(said, dict) else line


def _name_one(words: Sequence[str], name: str) -> list[str]:
    """
    Return a command's words with this organization in place of those it named.
    """
    kept: list[str] = []
    is_value = False
    for word in words:
        if is_value or word.startswith("--organization="):
            is_value = False
        elif word == "--organization":
            is_value = True
        else:
            kept.append(word)
    return [*kept, f"--organization={name}"]
