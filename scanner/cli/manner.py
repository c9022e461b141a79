"""
How much a command says, in which form, and how its progress is shown.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from scanner.stopping import Watched


class LogFormat(StrEnum):
    """
    How progress is written without a terminal.
    """

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Manner:
    """
    How much a command says, and in which form.
    """

    quiet: bool = False
    log_format: LogFormat | None = None

    @property
    def is_drawn(self) -> bool:
        """
        Whether results are drawn for somebody at a terminal, rather than written in plain lines.
        """
        from scanner.console import is_terminal

        return not self.quiet and self.log_format is None and is_terminal(sys.stdout)


@contextmanager
def watch(manner: Manner) -> Iterator[Watched]:
    """
    Show a scan's progress in a manner, until the block ends.
    """
    from scanner.console import choose_watcher

    watcher = choose_watcher(quiet=manner.quiet, log_format=manner.log_format)
    try:
        yield Watched(watcher)
    finally:
        watcher.close()
