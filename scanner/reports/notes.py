"""
What people wrote beside findings in an older workbook, carried over by `finding_id`.

The older workbook went through many hands and several programs: it is untrusted, and is read in a process of its
own, with limits. Its formulas are taken as the text that they are.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanner.errors import EvidenceError, SettingsError
from scanner.evidence.quarantine import Limits, Quarantine
from scanner.evidence.store import hash_file
from scanner.model import show
from scanner.reports.sheets import Entry
from scanner.reports.tables import Row
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

LEFT_OVER = "Notes left over"

LEFT_OVER_COLUMNS = ("finding_id", "account_id", "user", "check", *ENTRIES, "why")

_UNPACK = Path(__file__).with_name("unpack.py")
_ANSWER = 256 * 1024 * 1024
_FINDING_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)

_GONE, _TWICE, _NO_ID = (
    "this run has no such finding: it was fixed, or is no longer looked at",
    "another row before it has the same finding_id, with another text",
    "its finding_id is none",
)


@dataclass(frozen=True, slots=True)
class Note:
    """
    What stood in one row: the finding's id as it stood there, the texts by column, and whom it was about.
    """

    finding_id: str
    texts: Mapping[str, str | None]
    about: Mapping[str, str | None]


@dataclass(slots=True)
class Notes:
    """
    The notes of a workbook. Each can be taken once, by the finding that it belongs to; `list_left` lists the others.
    """

    file: str
    sha256: str
    notes: Mapping[str, Note]
    surplus: tuple[tuple[Note, str], ...] = ()
    taken: set[str] = field(default_factory=set)

    def take(self, finding_id: object) -> Mapping[str, str | None]:
        """
        Return what was written beside a finding, nothing where nobody wrote anything.
        """
        note = self.notes.get(str(finding_id))
        if note is None:
            return {}
        self.taken.add(note.finding_id)
        return note.texts

    def list_left(self) -> Iterator[Row]:
        """
        Yield the notes that nothing took. Columns: `LEFT_OVER_COLUMNS`.
        """
        left = [(note, _GONE) for key, note in self.notes.items() if key not in self.taken]
        for note, why in (*left, *self.surplus):
            about = (note.about.get(name) for name in ("account_id", "user", "check"))
            texts = (note.texts.get(name) for name in ENTRIES)
            yield (note.finding_id, *about, *texts, why)

    def describe(self) -> list[str]:
        """
        Say in a few lines what became of the notes.
        """
        left = len(self.notes) - len(self.taken)
        taken = count(len(self.taken), "finding")
        source = f"{show(self.file)} (SHA-256 {self.sha256})"
        lines = [f"Notes of {taken} were carried over from {source}."]
        if left:
            lines.append(f"{count(left, 'note')} left over: this run has no such finding.")
        for why, number in Counter(why for _, why in self.surplus).items():
            lines.append(f"{count(number, 'row')} with notes could not be used: {why}.")
        if left or self.surplus:
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


def collect_notes(file: str, sha256: str, rows: list[Mapping[str, Any]]) -> Notes:
    """
    Sort rows that were read by finding. The first row of a finding counts; another one like it is the same note.
    """
    notes: dict[str, Note] = {}
    surplus = []
    for row in rows:
        texts = {name: row.get(name) for name in ENTRIES}
        about = {name: row.get(name) for name in ("account_id", "user", "check")}
        note = Note(str(row.get("finding_id") or "").strip().lower(), texts, about)
        if not _FINDING_ID.fullmatch(note.finding_id):
            surplus.append((note, _NO_ID))
        elif note.finding_id not in notes:
            notes[note.finding_id] = note
        elif notes[note.finding_id].texts != texts:
            surplus.append((note, _TWICE))
    return Notes(file, sha256, notes, tuple(surplus))
