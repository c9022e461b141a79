"""
The previous run: which one it is, and what this run takes from it.

What is taken is copied, byte for byte, into this run's `inputs/previous/`, after it was held against the
previous run's manifest. So this run's history can be derived again without the other folder, and the
other's manifest, whose hash this run carries, chains the two together.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scanner.errors import EvidenceError
from scanner.evidence.seal import CHECKSUMS, MANIFEST, list_sealed
from scanner.evidence.store import hash_bytes, hash_file, read_file
from scanner.evidence.tables import read_batches, read_table
from scanner.history import Previous
from scanner.model import AccountId
from scanner.records import decode
from scanner.summary import PreviousRun, Summary

FOLDER = "previous"
"""
The folder under `inputs/`.
"""

TAKEN = ("summary.json", "tables/accounts.parquet", "tables/history.parquet")
"""
The files, beside the manifest, that a run takes from the one before it.
"""


@dataclass(frozen=True, slots=True)
class Search:
    """
    What was found when the previous run was looked for: its folder, or None, and what was passed over.
    """

    folder: Path | None
    warnings: tuple[str, ...]


def find_previous(organization: Path, now: datetime) -> Search:
    """
    Return the newest sealed run with a full selection under an organization's folder, of those before `now`.

    A run that cannot be read, or is not what was sealed, is passed over with a warning. One that completes an
    earlier run is as old as that: its evidence is older than that of a run begun in between.
    """
    warnings: list[str] = []
    for folder in sorted(organization.glob("*/*/"), key=_sort_key, reverse=True):
        try:
            if not ((folder / MANIFEST).is_file() and (folder / CHECKSUMS).is_file()):
                continue
            take_previous(folder)
            summary = read_summary(folder / "summary.json")
        except (EvidenceError, OSError) as exc:
            warnings.append(f"run {folder.name} is no previous run to compare with: {exc}")
            continue
        if summary.run_id != folder.name:
            warnings.append(
                f"folder {folder.name} holds run {summary.run_id}, and is taken for a copy"
            )
        elif summary.window.started > now:
            warnings.append(f"run {folder.name} began after this one: is the clock right?")
        elif summary.selection.is_full:
            return Search(folder, tuple(warnings))
    return Search(None, tuple(warnings))


def locate_previous(run: Path, summary: Summary, given: Path | None) -> Path | None:
    """
    Return the folder of the run that a finished run was compared with, None where there is none at hand.

    `given` is the folder that was named for it; else it lies under the same output folder.
    """
    before = summary.previous
    if before is None:
        return None
    folder = given or run.parent.parent / before.period / before.run_id
    with suppress(EvidenceError, OSError):
        if hash_file(folder / MANIFEST) == before.manifest_sha256:
            return folder
    return None


def take_previous(folder: Path) -> dict[str, bytes]:
    """
    Return the files that a run takes from the previous one, by name under `inputs/previous/`.

    Raises `EvidenceError` when a file is missing or is not what the previous run sealed.
    """
    manifest = read_file(folder / MANIFEST)
    sums = read_file(folder / CHECKSUMS).decode("utf-8", "replace").splitlines()
    if f"{hash_bytes(manifest)}  {MANIFEST}" not in sums:
        raise EvidenceError(f"{folder}: {MANIFEST} is not the one that {CHECKSUMS} lists")
    sealed = list_sealed(folder)
    taken = {MANIFEST: manifest}
    for name in TAKEN:
        content = read_file(folder / name)
        if sealed.get(name) != hash_bytes(content):
            raise EvidenceError(f"{folder / name}: is not the file that was sealed")
        taken[Path(name).name] = content
    return taken


def read_summary(path: Path) -> Summary:
    """
    Read a run's `summary.json`, or raise `EvidenceError`.
    """
    return decode(Summary, read_file(path), str(path))


def read_previous(inputs: Path) -> tuple[Previous, Summary] | None:
    """
    Read what a run took from the previous one, from its `inputs/` folder; None where it took nothing.
    """
    folder = inputs / FOLDER
    if not folder.is_dir():
        return None
    summary = read_summary(folder / "summary.json")
    findings = read_batches(folder / "history.parquet")
    accounts = read_table(folder / "accounts.parquet")
    run = PreviousRun(
        summary.run_id,
        summary.period,
        summary.window.started,
        hash_file(folder / MANIFEST),
    )
    known = frozenset(AccountId(account) for account in accounts["account_id"])
    return Previous(run, findings, known), summary


def name_inputs(taken: Mapping[str, bytes]) -> dict[str, bytes]:
    """
    Return the files taken from a previous run by their names under `inputs/`.
    """
    return {f"{FOLDER}/{name}": content for name, content in taken.items()}


def _sort_key(folder: Path) -> tuple[str, str, int]:
    moment, _, number = folder.name.partition("-")
    began = moment
    # Whether it can be used at all is asked when its turn comes.
    with suppress(EvidenceError, OSError):
        began = f"{read_summary(folder / 'summary.json').window.started:%Y%m%dT%H%M%SZ}"
    return began, moment, int(number) if number.isdecimal() else 1
