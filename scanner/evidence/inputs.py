"""
What the tables of a run are derived from besides its accounts' own answers: settings, catalogs, organization, history.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scanner.acceptances import AcceptanceFile, read_acceptances
from scanner.errors import EvidenceError
from scanner.evidence.previous import read_previous
from scanner.evidence.sittings import read_sittings
from scanner.evidence.store import hash_bytes, read_file
from scanner.frameworks import Framework, read_framework
from scanner.history import Previous
from scanner.model import Notes, Organization, Terms
from scanner.organization import (
    ACCOUNTS_FILE,
    CALLER_FILE,
    FEATURES_FILE,
    ORGANIZATION_FILE,
    TAGS_FILE,
    UNITS_FILE,
    read_answers,
    read_central_root,
    read_tags,
)
from scanner.records import decode
from scanner.scopes import Tags
from scanner.summary import PreviousRun, Sitting, Summary

SETTINGS_FILE = "settings.toml"
ACCEPTANCES_FILE = "acceptances.yaml"
NOTES_FILE = "notes.json"
CONTINUES_FILE = "continues.json"


@dataclass(frozen=True, slots=True)
class Inputs:
    """
    What the tables of a run are derived from, besides the accounts' own answers.
    """

    run_id: str
    terms: Terms
    sittings: tuple[Sitting, ...]
    continues: PreviousRun | None
    notes: Notes
    organization: Organization
    frameworks: tuple[Framework, ...]
    tags: Tags
    settings_sha256: str | None
    acceptances: AcceptanceFile | None
    managed_centrally: bool | None
    previous: Previous | None
    earlier: Summary | None

    @property
    def started(self) -> datetime:
        """
        When the first sitting began.
        """
        return self.sittings[0].started

    @property
    def finished(self) -> datetime:
        """
        When the last sitting ended.
        """
        if self.sittings[-1].finished is None:
            raise EvidenceError(
                "the last sitting was cut short; go on with `orgproof scan --resume` before judging"
            )
        return self.sittings[-1].finished


def read_inputs(folder: Path, raw: Path, run_id: str) -> Inputs:
    """
    Read what a folder's `inputs/` and the raw answers about the organization hold, or raise `EvidenceError`.
    """
    inputs = folder / "inputs"
    terms = decode(Terms, read_file(inputs / "settings.json"), "inputs/settings.json")
    answers = (CALLER_FILE, ORGANIZATION_FILE, ACCOUNTS_FILE, UNITS_FILE)
    settings, tags, features = inputs / SETTINGS_FILE, raw / TAGS_FILE, raw / FEATURES_FILE
    notes = inputs / NOTES_FILE
    continues = inputs / CONTINUES_FILE
    before = read_previous(inputs)
    return Inputs(
        run_id=run_id,
        terms=terms,
        sittings=read_sittings(raw),
        continues=decode(PreviousRun, read_file(continues), f"inputs/{CONTINUES_FILE}")
        if continues.exists()
        else None,
        notes=decode(Notes, read_file(notes), f"inputs/{NOTES_FILE}"),
        organization=read_answers({name: read_file(raw / name) for name in answers}),
        frameworks=tuple(_read_catalog(inputs, name) for name in terms.frameworks),
        tags=read_tags(read_file(tags)) if tags.exists() else {},
        settings_sha256=hash_bytes(read_file(settings)) if settings.exists() else None,
        acceptances=_read_acceptances(inputs / ACCEPTANCES_FILE),
        managed_centrally=read_central_root(read_file(features)) if features.exists() else None,
        previous=before[0] if before else None,
        earlier=before[1] if before else None,
    )


def _read_catalog(inputs: Path, name: str) -> Framework:
    filename = f"{name}.yaml"
    return read_framework(read_file(inputs / "frameworks" / filename), filename)


def _read_acceptances(path: Path) -> AcceptanceFile | None:
    return read_acceptances(read_file(path), path.name) if path.exists() else None
