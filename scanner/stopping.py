"""
What ends a command before its time: a signal, of which the second stops it at once, or an error.
"""

import os
import shlex
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from scanner.errors import (
    AcceptanceError,
    CatalogError,
    DeliveryError,
    DiscoveryError,
    OrgproofError,
    SealError,
    SettingsError,
)
from scanner.interfaces import Progress
from scanner.model import Outcome

NOTHING_JUDGED = 2
UNREADABLE = 3
DOES_NOT_VERIFY = 4
STOPPED = 5
"""
The exit status of a command that was stopped.
"""


_STATUSES: Mapping[type[OrgproofError], int] = {
    SettingsError: NOTHING_JUDGED,
    CatalogError: NOTHING_JUDGED,
    AcceptanceError: NOTHING_JUDGED,
    SealError: DOES_NOT_VERIFY,
    DeliveryError: STOPPED,
}
"""
The errors that mean the same whatever the command.
"""


@dataclass
class Stop:
    """
    Whether the command was told to stop, and whether it can do so now.

    While accounts are read it ends those that it has begun. While tables are judged and sealed it cannot stop: a run half
    sealed would be of no use to anybody. `redeliver` is the command that completes the delivery of a run that is
    finished, None before that.
    """

    asked: bool = False
    is_held: bool = False
    is_due: bool = False
    folder: Path | None = None
    redeliver: str | None = None


STOP = Stop()


@dataclass(frozen=True, slots=True)
class End:
    """
    How a command ends that did not come to its own end: what to say, and the exit status.
    """

    lines: Sequence[str]
    status: int


def explain_end(exc: BaseException, evidence_status: int) -> End:
    """
    Say what went wrong and what to do. `evidence_status` is what evidence that cannot be used amounts to.

    A scan that kept something says where, and how to go on with it.
    """
    for kind, status in _STATUSES.items():
        if isinstance(exc, kind):
            return End(str(exc).splitlines(), status)
    match exc:
        case DiscoveryError():
            return End([*str(exc).splitlines(), *_say_what_is_kept()], NOTHING_JUDGED)
        case OrgproofError():
            return End([*str(exc).splitlines(), *_say_what_is_kept()], evidence_status)
        case KeyboardInterrupt():
            return End(["stopped", *_say_what_is_kept()], STOPPED)
        case OSError():
            what = f"{exc.filename or 'system'}: {exc.strerror or exc}"
            return End([what, *_say_what_is_kept()], STOPPED)
        case _:
            # The message of an unforeseen error may quote an answer that holds a key; where it happened may not.
            frames = "".join(traceback.format_tb(exc.__traceback__)).splitlines()
            what = f"an error nobody foresaw ({type(exc).__name__}); please report the lines above"
            return End([*frames, what, *_say_what_is_kept()], STOPPED)


def say_how_to_resume(folder: Path) -> str:
    """
    Return the command that goes on with a run.
    """
    return f"to go on: orgproof scan --resume {shlex.quote(str(folder))}"


def _say_what_is_kept() -> list[str]:
    if STOP.folder is None:
        return []
    if STOP.redeliver is not None:
        return [f"the run is finished, in {STOP.folder}", f"to deliver it: {STOP.redeliver}"]
    return [f"what was collected is kept in {STOP.folder}", say_how_to_resume(STOP.folder)]


class Watched:
    """
    Passes a scan's progress on, and minds when the scan can be stopped and where its evidence is.

    The thread that lists accounts says what it found, so that the watcher hears one thing at a time.
    """

    def __init__(self, watcher: Progress) -> None:
        self._watcher = watcher
        self._turn = RLock()  # a signal may come while its thread holds it

    def opened(self, folder: Path) -> None:
        """
        Remember the run folder. See `Progress`.
        """
        STOP.folder = folder
        self._watcher.opened(folder)

    def found(self, accounts: int) -> None:
        """
        Pass it on. See `Progress`.
        """
        with self._turn:
            self._watcher.found(accounts)

    def listed(self, accounts: int, selected: int) -> None:
        """
        Pass it on. See `Progress`.
        """
        with self._turn:
            self._watcher.listed(accounts, selected)

    def collected(self, outcome: Outcome) -> None:
        """
        Pass it on. See `Progress`.
        """
        with self._turn:
            self._watcher.collected(outcome)

    def stage(self, name: str) -> None:
        """
        Hold signals back from the first account to the seal. See `Progress`.
        """
        STOP.is_held = name in {"collect", "stop", "judge", "seal"}
        self._watcher.stage(name)
        if STOP.is_due and not STOP.is_held:
            STOP.is_due = False
            raise KeyboardInterrupt

    def drawing(self, name: str, number: int, total: int) -> None:
        """
        Pass it on. See `Progress`.
        """
        self._watcher.drawing(name, number, total)

    def must_stop(self) -> bool:
        """
        Tell of a signal that came while accounts are read, and say that it was heard. See `Progress`.
        """
        if not STOP.is_due:
            return False
        STOP.is_due = False
        self.stage("stop")
        return True


def interrupt(*_: object) -> None:
    """
    Take a signal. The first ends the work in good order, or raises `KeyboardInterrupt`; the second exits.
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
