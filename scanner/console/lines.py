"""
What a log sees while a scan runs: plain lines, JSON lines, or nothing.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import IO

from scanner.model import Collected, NotCollected, Outcome, show

STAGES = {
    "discover": "listing accounts",
    "collect": "reading accounts",
    "stop": "stopping once the accounts under way are read, in seconds; another signal stops at once",
    "judge": "judging",
    "seal": "sealing",
    "render": "drawing documents",
}
"""
The stages of a scan in words, in the order in which they begin; "stop" only where somebody asked for it.
"""

_EVERY = 3.0
"""
Seconds between two lines that say how far the work is.
"""


class _Stream:
    """
    Standard error, or what stands for it. A scan does not end because nobody reads its log any more.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream or sys.stderr
        self._is_read = True

    def write(self, line: str) -> None:
        """
        Write a line at once, or nothing once the other end is closed.
        """
        if not self._is_read:
            return
        try:
            print(line, file=self._stream, flush=True)
        except BrokenPipeError:
            self._is_read = False


class Quiet:
    """
    Says nothing. See `Progress`.
    """

    def opened(self, folder: Path) -> None:
        """
        Say nothing.
        """

    def found(self, accounts: int) -> None:
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

    def drawing(self, name: str, number: int, total: int) -> None:
        """
        Say nothing.
        """

    def must_stop(self) -> bool:
        """
        Never ask for it.
        """
        return False

    def close(self) -> None:
        """
        Say nothing.
        """


class Lines(Quiet):
    """
    A plain line every few seconds, for logs and pipes, and one for each account that was not read.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = _Stream(stream)
        self._found, self._selected = 0, 0
        self._counts: Counter[bool] = Counter()
        self._last = time.monotonic()

    def found(self, accounts: int) -> None:
        """
        Say every few seconds how many accounts were found so far.
        """
        self._found = accounts
        if self._is_due():
            self._write(f"{accounts} accounts found so far")

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
        if self._is_due() or done == self._selected:
            accounts = f"{done} of {self._selected} accounts done"
            if not self._selected:
                accounts = f"{done} accounts done, {self._found} found so far"
            self._write(f"{accounts}, {self._counts[False]} not read")

    def stage(self, name: str) -> None:
        """
        Name the stage.
        """
        self._last = time.monotonic()
        self._write(STAGES.get(name, name))

    def drawing(self, name: str, number: int, total: int) -> None:
        """
        Say every few seconds which document is being drawn.
        """
        if self._is_due():
            self._write(f"drawing {name}, {number} of {total}")

    def _is_due(self) -> bool:
        if time.monotonic() - self._last < _EVERY:
            return False
        self._last = time.monotonic()
        return True

    def _write(self, line: str) -> None:
        self._stream.write(f"orgproof: {line}")


class JsonLines(Quiet):
    """
    One JSON object for each event, for machines that read logs.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = _Stream(stream)

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

    def drawing(self, name: str, number: int, total: int) -> None:
        """
        Write which document is drawn next.
        """
        self._write(event="drawing", document=name, number=number, total=total)

    def _write(self, **fields: object) -> None:
        self._stream.write(json.dumps(fields))
