"""
What people wrote beside findings in an older workbook, carried over by `finding_id`.

The older workbook went through many hands and several programs: it is untrusted, and is read in a process of its
own, with limits. Its formulas are taken as the text that they are.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanner.errors import EvidenceError, SettingsError
from scanner.evidence.quarantine import Limits, Quarantine
from scanner.evidence.store import hash_file
from scanner.model import show
from scanner.reports.sheets import Entry
from scanner.reports.tables import Row
from scanner.reports.text import CELL_LIMIT, make_visible
from scanner.reports.wording import count

STATUSES = ("open", "in progress", "fixed", "accepted", "not an issue")

ENTRIES: Mapping[str, Entry] = {
    "status": Entry(
        "How far is it? Choose from the list; leave empty what nobody looked at.", STATUSES
    ),
    "assignee": Entry("Who sees to it? At most 100 characters.", longest=100),
    "note": Entry(
        "What was found or agreed? At most 2,000 characters. The next workbook takes it over with "
        "`orgproof render RUN --carry-notes` and this file.",
        longest=2_000,
    ),
}
"""
The columns of the sheet Findings that people fill in.
"""

ABOUT = ("account_id", "user", "check")
"""
The columns of a finding that say whom a note is about.
"""

LEFT_OVER = "Notes left over"

LEFT_OVER_COLUMNS = ("finding_id", *ABOUT, *ENTRIES, "why")

_UNPACK = Path(__file__).with_name("unpack.py")
_ANSWER = 256 * 1024 * 1024
_FINDING_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
_ACCOUNT_DIGITS = 12

_GONE, _TWICE, _NO_ID, _OTHER = (
    "this run has no such finding: it was fixed, or is no longer looked at",
    "another row before it has the same finding_id, with another text",
    "its finding_id is none",
    "its finding_id is that of another account, user or check",
)

_NOT_CARRIED = (
    "Only status, assignee and note are carried over: columns that people added, comments on cells and "
    "colours stay in that file."
)


@dataclass(frozen=True, slots=True)
class Note:
    """
    What stood in one row: the finding's id as it stood there, the texts by column, and whom it was about.

    `about` lacks the columns that the old workbook lacks, and holds an empty text where one was empty.
    """

    finding_id: str
    texts: Mapping[str, str | None]
    about: Mapping[str, str]

    def is_about(self, finding: Mapping[str, object]) -> bool:
        """
        Say whether the row was about the account, user and check of a finding, as far as it says.
        """
        return not any(self.about.values()) or all(
            _spell(name, text) == _spell(name, finding[name])
            for name, text in self.about.items()
            if name in finding
        )


def _spell(name: str, value: object) -> str:
    """
    Write a value as both an old cell and a new finding have it.
    """
    shown = make_visible(value) if isinstance(value, str) else ""
    text = "".join(shown[:CELL_LIMIT].split()).casefold()
    # Spreadsheets like to make a number of an account's id, which then lacks its zeros.
    return text.zfill(_ACCOUNT_DIGITS) if name == "account_id" else text


@dataclass(slots=True)
class Notes:
    """
    The notes of a workbook. Each can be taken once, by the finding that it belongs to; `list_left` lists the others.
    """

    file: str
    sha256: str
    notes: Sequence[Note]
    _by_finding: dict[str, list[Note]] = field(default_factory=dict)
    _met: set[str] = field(default_factory=set)
    _taken: dict[str, Note] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """
        Find the notes by finding.
        """
        for note in self.notes:
            self._by_finding.setdefault(note.finding_id, []).append(note)

    def take(self, finding_id: str, about: Mapping[str, object]) -> Mapping[str, str | None]:
        """
        Return what was written beside a finding, nothing where nobody wrote anything.

        `about` is the finding's account, user and check: a row that says others came by its finding_id in error.
        """
        self._met.add(finding_id)
        for note in self._by_finding.get(finding_id, ()):
            if note.is_about(about):
                self._taken[finding_id] = note
                return note.texts
        return {}

    def list_left(self) -> Iterator[Row]:
        """
        Yield the notes that nothing took. Columns: `LEFT_OVER_COLUMNS`.
        """
        for note, why in self._find_left():
            about = (note.about.get(name) or None for name in ABOUT)
            texts = (note.texts.get(name) for name in ENTRIES)
            yield (note.finding_id, *about, *texts, why)

    def _find_left(self) -> Iterator[tuple[Note, str]]:
        for note in self.notes:
            taken = self._taken.get(note.finding_id)
            if not _FINDING_ID.fullmatch(note.finding_id):
                yield note, _NO_ID
            elif note.finding_id not in self._met:
                yield note, _GONE
            elif taken is None or not note.is_about(taken.about):
                yield note, _OTHER
            elif note.texts != taken.texts:
                yield note, _TWICE

    def describe(self) -> list[str]:
        """
        Say in a few lines what became of the notes.
        """
        left = Counter(why for _, why in self._find_left())
        source = f"{show(self.file)} (SHA-256 {self.sha256})"
        lines = [
            f"Notes of {count(len(self._taken), 'finding')} were carried over from {source}.",
            _NOT_CARRIED,
        ]
        if gone := left.pop(_GONE, 0):
            lines.append(f"{count(gone, 'note')} left over: this run has no such finding.")
        for why, number in left.items():
            lines.append(f"{count(number, 'row')} with notes could not be used: {why}.")
        if gone or left:
            lines.append(f"They stand on the sheet {LEFT_OVER}, so that none is lost.")
        return lines


def read_notes(path: Path, limits: Limits | None = None) -> Notes:
    """
    Read what people wrote in an older workbook.

    Raises `SettingsError` where it is no workbook of orgproof's, or one that was made to do harm.
    """
    try:
        digest = hash_file(path)
        given = limits or Limits(output=_ANSWER)
        with Quarantine(path, _UNPACK, ("openpyxl",), ["notes"], given) as reading:
            found = reading.finish()
    except EvidenceError as exc:
        raise SettingsError(
            f"--carry-notes {show(str(path))}: {_shorten(exc, path)}; give a workbook (.xlsx) that orgproof drew "
            "and that Excel or LibreOffice saved"
        ) from exc
    return collect_notes(path.name, digest, found["rows"])


def _shorten(exc: EvidenceError, path: Path) -> str:
    return show(str(exc).removeprefix(f"{path}: "))


def collect_notes(file: str, sha256: str, rows: Iterable[Mapping[str, Any]]) -> Notes:
    """
    Take rows that were read, each once. Of several of one finding the first counts.
    """
    notes: dict[tuple[object, ...], Note] = {}
    for row in rows:
        texts = {name: row.get(name) for name in ENTRIES}
        about = {name: row[name] for name in ABOUT if name in row}
        note = Note(str(row.get("finding_id") or "").strip().lower(), texts, about)
        key = (note.finding_id, *texts.values(), *about.items())
        notes.setdefault(key, note)
    return Notes(file, sha256, list(notes.values()))
