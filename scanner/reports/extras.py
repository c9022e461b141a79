"""
What a workbook can hold besides its run, where it is asked for: notes of people, and a sample for an auditor.
"""

from dataclasses import dataclass
from pathlib import Path

from scanner.evidence import StoredRun
from scanner.evidence.sample import Sample
from scanner.evidence.store import hash_bytes
from scanner.records import encode
from scanner.reports.notes import Notes, read_notes
from scanner.reports.wording import count


@dataclass(frozen=True, slots=True)
class Extras:
    """
    Notes carried over from an older workbook, and a drawn sample. Without them a workbook depends on its run alone.
    """

    notes: Notes | None = None
    sample: Sample | None = None

    def identify(self) -> dict[str, object]:
        """
        Return what a manifest says of them: where the notes came from, and which sample it is.
        """
        facts: dict[str, object] = {}
        if self.notes is not None:
            facts["notes"] = {"file": self.notes.file, "sha256": self.notes.sha256}
        if self.sample is not None:
            facts["sample"] = {"sample_json_sha256": hash_bytes(encode(self.sample))}
        return facts

    def describe(self) -> list[str]:
        """
        Say in a few lines what went into the workbook.
        """
        lines = [] if self.notes is None else self.notes.describe()
        if self.sample is not None:
            drawn = count(self.sample.size_drawn, "item")
            lines.append(f"The sheet Sample holds {drawn}, drawn with seed {self.sample.seed}.")
        return lines


def read_extras(run: StoredRun, notes: Path | None, sample: Path | None) -> Extras:
    """
    Read an older workbook's notes and a sample of this run, each where it is named.

    Raises `SettingsError` where one of them is not what it should be.
    """
    # It needs what draws a workbook, and this module does not.
    from scanner.reports.sample import read_sample  # noqa: PLC0415

    return Extras(
        read_notes(notes) if notes is not None else None,
        read_sample(run, sample) if sample is not None else None,
    )
