"""
The sittings of a run: each time that it was collected at, from its raw folder.

A sitting has two files: one is written when it begins, the other when it ends. So a sitting that was killed
shows, and a run that was collected in several says so.
"""

import re
from pathlib import Path

from scanner.errors import EvidenceError
from scanner.evidence.store import list_names, read_file
from scanner.model import SittingBegan, SittingEnded
from scanner.records import decode
from scanner.summary import Sitting

_FOLDER = "sittings"
_BEGAN = re.compile(r"([1-9][0-9]{0,5})-began\.json", re.ASCII)


def name_began(number: int) -> str:
    """
    Return the name, below `raw/`, of the file that says when a sitting began.
    """
    return f"{_FOLDER}/{number}-began.json"


def name_ended(number: int) -> str:
    """
    Return the name, below `raw/`, of the file that says when a sitting ended.
    """
    return f"{_FOLDER}/{number}-ended.json"


def name_answer(number: int, name: str) -> str:
    """
    Return the name, below `raw/`, of what AWS answered when a run was resumed, such as who the caller is.
    """
    return f"{_FOLDER}/{number}-{name}"


def read_sittings(raw: Path) -> tuple[Sitting, ...]:
    """
    Return a run's sittings in order, or raise `EvidenceError`. A run has one at least.
    """
    numbers = sorted(
        int(found[1]) for name in list_names(raw / _FOLDER) if (found := _BEGAN.fullmatch(name))
    )
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise EvidenceError(
            f"{raw / _FOLDER}: the sittings found are {numbers or 'none'}, and they count from 1"
        )
    return tuple(_read_sitting(raw, number) for number in numbers)


def _read_sitting(raw: Path, number: int) -> Sitting:
    began, ended = name_began(number), name_ended(number)
    start = decode(SittingBegan, read_file(raw / began), f"raw/{began}")
    end = None
    if (raw / ended).exists():
        end = decode(SittingEnded, read_file(raw / ended), f"raw/{ended}")
    return Sitting(
        start.started,
        end.finished if end else None,
        end.interrupted if end else True,
        start.caller_arn,
        start.tool_version,
    )
