"""
What to do next with a run: the three commands that its state asks for, ready to be copied. Pure.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scanner.evidence.resumption import LASTING
from scanner.model import ReasonCode
from scanner.summary import Summary

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Next:
    """
    A command that is of use now, as words for a shell, and what it is for.
    """

    purpose: str
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        """
        Return the command as it is typed: a path with spaces is quoted.
        """
        return shlex.join(("orgproof", *self.words))


def choose_next(
    summary: Summary,
    folder: Path,
    *,
    older: Path | None = None,
    access: Sequence[str] = (),
) -> list[Next]:
    """
    Return three commands at most, the most urgent first; checking the evidence is always one of them.

    `older` is the folder of the run that this one is compared with, None where it is not at hand. `access` are
    the options with which AWS and the key were reached, and that a further scan needs again.
    """
    found = list(_list_urgent(summary, str(folder), older, access))
    verify = Next("check that this evidence is whole and unchanged", ("verify", str(folder)))
    return [*found[: _SHOWN - 1], verify]


def describe_next(steps: Sequence[Next]) -> Iterator[str]:
    """
    Yield one line for each command, the command last in it.
    """
    for step in steps:
        yield f"next: {step.purpose}: {step.command}"


def _list_urgent(
    summary: Summary, folder: str, older: Path | None, access: Sequence[str]
) -> Iterator[Next]:
    yield from _list_scans(summary, folder, access)
    if older is not None:
        yield Next("see what changed since the run before", ("diff", folder, str(older)))
    if any(check.failed for check in summary.checks) and summary.acceptances_sha256 is None:
        yield Next(
            "judge again, once accepted.yaml names the risks that are accepted",
            ("render", folder, "--acceptances", "accepted.yaml"),
        )
    if summary.users.users + summary.users.roots:
        yield Next("draw a sample for the auditor", ("sample", folder))


def _list_scans(summary: Summary, folder: str, access: Sequence[str]) -> Iterator[Next]:
    """
    Yield how to read what was not read. The demo's organization is gone when the demo ends: it starts anew.
    """
    if summary.simulated:
        if summary.interrupted:
            yield Next("see the whole demo", ("demo",))
        return
    resume = ("scan", "--resume", folder)
    if summary.interrupted:
        yield Next("go on with this scan", (*resume, *access))
    elif not LASTING.isdisjoint(summary.reasons):
        yield Next(
            "read the missing accounts, once their causes are put right",
            (*resume, "--retry-failed", *access),
        )
    elif ReasonCode.CALLER_EXPIRED in summary.reasons:
        yield Next(
            "your own credentials ended; sign in and read the missing accounts", (*resume, *access)
        )
    elif summary.accounts.not_collected:
        yield Next("try the missing accounts again", (*resume, *access))
