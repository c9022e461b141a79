"""
What a person or a log sees while a scan runs: bars on a terminal, plain lines or JSON lines without.

Everything here goes to standard error. Names from AWS pass through `show` before they are written, and
nothing in them is read as markup.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from scanner.model import (
    Collected,
    NotCollected,
    Outcome,
    show,
)

_STAGES = {
    "discover": "listing accounts",
    "collect": "reading accounts",
    "judge": "judging",
    "seal": "sealing",
    "render": "drawing documents",
}
_EVERY = 3.0


class Quiet:
    """
    Says nothing. See `Progress`.
    """

    def opened(self, folder: Path) -> None:
        """
        Say nothing.
        """

    def listed(self, accounts: int, selected: int) -> None:
        """
        Say nothing.
        """

    def collected(self, outcome: Outcome) -> None:
        """
        Say nothing.
        """

    def stage(self, name: str) -> None:
        """
        Say nothing.
        """

    def close(self) -> None:
        """
        Say nothing.
        """


class Bars(Quiet):
    """
    A bar with rate and time left, on a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._unread = 0
        self._done = 0
        self._began = time.monotonic()
        self._progress.start()

    def listed(self, accounts: int, selected: int) -> None:
        """
        Set the bar's length.
        """
        self._began = time.monotonic()
        self._set(total=selected, description=f"reading {selected} of {accounts} accounts")

    def collected(self, outcome: Outcome) -> None:
        """
        Move the bar by one account.
        """
        self._done += 1
        self._unread += isinstance(outcome, NotCollected)
        seconds = max(time.monotonic() - self._began, 0.001)
        rate = f"{self._done / seconds:.1f}/s"
        if self._unread:
            rate += f", {self._unread} not read"
        self._set(completed=self._done, rate=rate)

    def stage(self, name: str) -> None:
        """
        Name the stage beside the bar.
        """
        self._set(description=_STAGES.get(name, name))

    def close(self) -> None:
        """
        Take the bar away.
        """
        self._progress.stop()

    def _set(
        self,
        *,
        total: int | None = None,
        completed: int | None = None,
        description: str | None = None,
        rate: str = "",
    ) -> None:
        if self._task is None:
            self._task = self._progress.add_task("", total=None, rate="")
        self._progress.update(
            self._task, total=total, completed=completed, description=description, rate=rate
        )


class Lines(Quiet):
    """
    A plain line every few seconds, for logs and pipes, and one for each account that was not read.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._selected = 0
        self._counts: Counter[bool] = Counter()
        self._last = time.monotonic()

    def listed(self, accounts: int, selected: int) -> None:
        """
        Say how many accounts there are.
        """
        self._selected = selected
        self._write(f"{accounts} accounts listed, {selected} to be read")

    def collected(self, outcome: Outcome) -> None:
        """
        Say why an account was not read, and every few seconds how far the scan is.
        """
        self._counts[isinstance(outcome, Collected)] += 1
        if isinstance(outcome, NotCollected):
            self._write(show(outcome.reason))
        done = sum(self._counts.values())
        if time.monotonic() - self._last >= _EVERY or done == self._selected:
            self._last = time.monotonic()
            self._write(f"{done} of {self._selected} accounts done, {self._counts[False]} not read")

    def stage(self, name: str) -> None:
        """
        Name the stage.
        """
        self._write(_STAGES.get(name, name))

    def _write(self, line: str) -> None:
        print(f"orgproof: {line}", file=self._stream, flush=True)


class JsonLines(Quiet):
    """
    One JSON object for each event, for machines that read logs.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr

    def listed(self, accounts: int, selected: int) -> None:
        """
        Write how many accounts there are.
        """
        self._write(event="listed", accounts=accounts, selected=selected)

    def collected(self, outcome: Outcome) -> None:
        """
        Write one account's outcome.
        """
        match outcome:
            case Collected():
                self._write(event="collected", account_id=outcome.account.id)
            case NotCollected():
                self._write(
                    event="not-collected",
                    account_id=outcome.account.id,
                    reason_code=str(outcome.reason_code),
                    reason=show(outcome.reason),
                )

    def stage(self, name: str) -> None:
        """
        Write which stage begins.
        """
        self._write(event="stage", stage=name)

    def _write(self, **fields: object) -> None:
        print(json.dumps(fields), file=self._stream, flush=True)


def choose_watcher(*, quiet: bool, log_format: str | None) -> Quiet:
    """
    Return who watches a scan: nobody, JSON lines, bars on a terminal, or plain lines.
    """
    if quiet:
        return Quiet()
    if log_format == "json":
        return JsonLines()
    console = Console(stderr=True)
    if console.is_terminal and log_format is None:
        return Bars(console)
    return Lines()
