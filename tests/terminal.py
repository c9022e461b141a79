"""
A terminal for the tests: what a command writes to it, and what is left of that on the screen.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass

from conftest import clean_environment

_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TELLS_A_TERMINAL = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")


@dataclass(frozen=True)
class Seen:
    """
    What a command wrote to its terminal, and its exit status.
    """

    status: int
    written: str

    @property
    def codes(self) -> set[str]:
        """
        Return every escape sequence.
        """
        return set(_STEERING.findall(self.written))

    @property
    def plain(self) -> str:
        """
        Return what was written without escape sequences.
        """
        return _STEERING.sub("", self.written)

    @property
    def left(self) -> list[str]:
        """
        Return the lines that stay when the bar is gone. A line that was erased is none of them.
        """
        lines = self.written.replace("\r\n", "\n").split("\n")
        kept: list[str] = []
        for line in lines:
            head, erased, tail = line.rpartition("\x1b[2K")
            if erased and "\x1b[1A" in head:
                kept = kept[: -head.count("\x1b[1A")]
            kept.append(_STEERING.sub("", tail).rstrip())
        return kept[:-1]


def run_on_terminal(
    *arguments: str,
    columns: int = 100,
    environment: Mapping[str, str] | None = None,
    timeout: float = 90,
) -> Seen:
    """
    Run `orgproof` with a terminal for input, output and errors.
    """
    base = {k: v for k, v in clean_environment().items() if k not in _TELLS_A_TERMINAL}
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "scanner", *arguments],
        env={**base, "TERM": "xterm-256color", **(environment or {})},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        written = _read(ours, time.monotonic() + timeout)
        os.close(ours)
        status = process.wait(timeout=10)
    return Seen(status, written)


def _read(terminal: int, until: float) -> str:
    written = b""
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        try:
            more = os.read(terminal, 65536)
        except OSError:  # nobody holds the other end any more
            break
        if not more:
            break
        written += more
    return written.decode()
