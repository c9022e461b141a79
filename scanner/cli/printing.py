"""
Printing results and messages, to whoever still reads. Alone in printing.
"""

import errno
import json
import os
import sys
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

from scanner.cli.manner import LogFormat, Manner
from scanner.model import show
from scanner.stopping import STOPPED

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def say(line: str) -> None:
    """
    Print a line, to whoever still reads.
    """
    _write(line, sys.stdout)


def print_lines(lines: Iterable[str]) -> None:
    """
    Print lines of which parts come from AWS: nothing in them can steer a terminal.
    """
    for line in lines:
        say(show(line))


def warn(lines: Iterable[str], manner: Manner) -> None:
    """
    Write to standard error, in the form that whoever reads the log expects.
    """
    for line in map(show, lines):
        if manner.log_format is LogFormat.JSON:
            _write(json.dumps({"event": "message", "message": line}), sys.stderr)
        else:
            _write(f"orgproof: {line}", sys.stderr)


def open_terminal() -> "Console":
    """
    Return standard output as something to draw on.
    """
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def draw(console: "Console", *parts: "RenderableType", soft_wrap: bool = False) -> None:
    """
    Draw on the terminal. `soft_wrap` leaves long lines to it, so that they can be copied whole.
    """
    try:
        for part in parts:
            console.print(part, soft_wrap=soft_wrap)
    except OSError as exc:
        _leave(sys.stdout, exc)


def flush() -> None:
    """
    Write out what was printed. A full disk is an error, a reader who has left is none.
    """
    try:
        for stream in (sys.stderr, sys.stdout):
            if stream is None:
                continue
            try:
                stream.flush()
            except OSError as exc:
                _leave(stream, exc)
    except OSError as exc:
        _write(f"orgproof: {exc.filename}: {exc.strerror}", sys.stderr)
        sys.exit(STOPPED)


def _write(line: str, stream: IO[str] | None) -> None:
    if stream is None:  # it was closed before the command began
        return
    try:
        print(line, file=stream)
    except OSError as exc:
        _leave(stream, exc)


def _leave(stream: IO[str], exc: OSError) -> None:
    """
    Go on in silence when nobody reads a stream any more: what was done keeps its own exit status.
    """
    # Whatever is still in the stream's buffer is written once more when the process ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    if exc.errno not in {errno.EPIPE, errno.EIO}:
        exc.filename = exc.filename or "standard output"
        raise exc
