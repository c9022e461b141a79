"""
What a signal does to a command: the first stops it in good order, the second at once.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from scanner.interfaces import Progress
from scanner.model import Outcome

STOPPED = 5
"""
The exit status of a command that was stopped.
"""


@dataclass
class Stop:
    """
    Whether the command was told to stop, and whether it can do so now.

    While tables are judged and sealed it cannot: a run half sealed would be of no use to anybody.
    """

    asked: bool = False
    is_held: bool = False
    is_due: bool = False
    folder: Path | None = None


STOP = Stop()


class Watched:
    """
    Passes a scan's progress on, and minds when the scan can be stopped and where its evidence is.
    """

    def __init__(self, watcher: Progress) -> None:
        self._watcher = watcher

    def opened(self, folder: Path) -> None:
        """
        Remember the run folder. See `Progress`.
        """
        STOP.folder = folder
        self._watcher.opened(folder)

    def listed(self, accounts: int, selected: int) -> None:
        """
        Pass it on. See `Progress`.
        """
        self._watcher.listed(accounts, selected)

    def collected(self, outcome: Outcome) -> None:
        """
        Pass it on. See `Progress`.
        """
        self._watcher.collected(outcome)

    def stage(self, name: str) -> None:
        """
        Hold signals back from judging to sealing. See `Progress`.
        """
        STOP.is_held = name in {"judge", "seal"}
        self._watcher.stage(name)
        if STOP.is_due and not STOP.is_held:
            STOP.is_due = False
            raise KeyboardInterrupt


def interrupt(*_: object) -> None:
    """
    Take a signal. The first raises `KeyboardInterrupt`, now or once the run is sealed; the second exits.
    """
    if STOP.asked:
        where = f"; what was collected is in {STOP.folder}" if STOP.folder else ""
        os.write(2, f"\norgproof: stopped at once{where}\n".encode())
        os._exit(STOPPED)
    STOP.asked = True
    if STOP.is_held:
        STOP.is_due = True
    else:
        raise KeyboardInterrupt
