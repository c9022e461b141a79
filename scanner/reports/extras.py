"""
What a workbook can hold besides its run, where it is asked for: notes of people, and a sample for an auditor.
"""

from dataclasses import dataclass

from scanner.evidence.sample import Sample
from scanner.reports.notes import Notes


@dataclass(frozen=True, slots=True)
class Extras:
    """
    Notes carried over from an older workbook, and a drawn sample. Without them a workbook depends on its run alone.
    """

    notes: Notes | None = None
    sample: Sample | None = None
