"""
What of a run is delivered, and in which order, once the run has been found to be what was sealed.
"""

import hashlib
import io
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from scanner.delivery.destination import Contents, Parcel
from scanner.delivery.paths import CHUNK, enter, open_regular
from scanner.errors import EvidenceError, SealError, SettingsError
from scanner.evidence.inventory import check_files, find_extra, read_inventory
from scanner.evidence.seal import (
    CHECKSUMS,
    DOCUMENTS,
    DOCUMENTS_SIGNATURE,
    MANIFEST,
    SIGNATURE,
    FileEntry,
)
from scanner.evidence.signature import inspect_envelope
from scanner.evidence.store import hash_bytes
from scanner.evidence.survey import limit_size, read_regular, survey
from scanner.records import decode

LISTS = (DOCUMENTS_SIGNATURE, DOCUMENTS, SIGNATURE, CHECKSUMS, MANIFEST)
"""
What says which files belong to a run. These go last, in this order, so that who sees a list sees all it lists.
"""

_SAFE_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_PROBLEMS_SAID = 5
_KEPT_IN_MEMORY = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Facts:
    run_id: str
    organization_id: str
    period: str


@dataclass(frozen=True, slots=True)
class Cargo:
    """
    A run that verifies, and the size and SHA-256 of each of its files.
    """

    folder: Path
    run_id: str
    organization_id: str
    period: str
    manifest_sha256: str
    sealed: tuple[FileEntry, ...]
    documents: tuple[FileEntry, ...]
    lists: tuple[FileEntry, ...]

    def pack(self, contents: Contents) -> tuple[tuple[Parcel, ...], tuple[Parcel, ...]]:
        """
        Return the files to deliver, in any order, and the lists to deliver after them, in this order.
        """
        chosen: Mapping[Contents, tuple[FileEntry, ...]] = {
            "seal": (),
            "documents": self.documents,
            "run": self.sealed + self.documents,
        }
        files = chosen[contents]
        return tuple(map(self._wrap, files)), tuple(map(self._wrap, self.lists))

    def _wrap(self, entry: FileEntry) -> Parcel:
        key = f"{self.organization_id}/{self.period}/{self.run_id}/{entry.path}"
        return Parcel(entry.path, key, entry.size, entry.sha256)


def inspect_run(folder: Path) -> Cargo:
    """
    Check a run folder against its manifest and `documents.json`, and return what can be delivered of it.

    Raises `SealError` where a file is changed, missing, added or a link, and `SettingsError` when the folder
    is not that of a run with documents. Who signed is not looked at, nor whether the figures follow from the
    raw reports: `orgproof verify` does that.
    """
    found = survey(folder)
    if MANIFEST not in found.files or "raw" not in found.folders:
        raise SettingsError(
            f"{folder}: is not the folder of a finished run; give the folder that a scan printed"
        )
    if DOCUMENTS not in found.files:
        raise SettingsError(
            f"{folder}: has no documents yet; run `orgproof render {folder}`, then deliver it"
        )
    inventory = read_inventory(folder, found, below=_is_evidence)
    documents = inventory.documents.documents if inventory.documents else ()
    problems = [*inventory.problems, *find_extra(found, inventory)]
    if not problems:
        # What is listed wrongly is not opened.
        problems += check_files(folder, [*inventory.files, *documents], found)
    if problems:
        said = "; ".join(problems[:_PROBLEMS_SAID])
        raise SealError(
            f"{folder}: is not what was sealed, and nothing of it was delivered: {said}; see `orgproof verify`"
        )
    lists = {
        name: read_regular(folder / name, limit_size(name)) for name in LISTS if name in found.files
    }
    _check_signatures(folder, lists)
    facts = _read_facts(folder, lists[MANIFEST])
    return Cargo(
        folder=folder,
        run_id=facts.run_id,
        organization_id=facts.organization_id,
        period=facts.period,
        manifest_sha256=inventory.sha256,
        sealed=inventory.files,
        documents=documents,
        lists=tuple(
            FileEntry(name, len(content), hash_bytes(content)) for name, content in lists.items()
        ),
    )


@contextmanager
def take_copy(folder: Path, parcel: Parcel) -> Iterator[IO[bytes]]:
    """
    Yield a file's bytes as they were sealed, in a copy that nobody else can reach.

    The file is read once. So what was compared with the seal and what is sent are the same bytes, whatever
    happens to the file meanwhile. Raises `SealError` when it is not what was sealed.
    """
    digest, size = hashlib.sha256(), 0
    with (
        _open_file(folder, parcel.path) as source,
        tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY) as copy,
    ):
        while size <= parcel.size and (chunk := source.read(CHUNK)):
            size += len(chunk)
            digest.update(chunk)
            copy.write(chunk)
        if size != parcel.size or digest.hexdigest() != parcel.sha256:
            raise SealError(
                f"{folder / parcel.path}: was changed while the run was being delivered; it was not sent"
            )
        copy.seek(0)
        yield copy


def _open_file(folder: Path, path: str) -> io.BufferedReader:
    *parts, name = path.split("/")
    try:
        with enter(folder, parts) as handle:
            return open_regular(name, handle)
    except OSError as exc:
        raise EvidenceError(f"{folder / path}: cannot be read: {exc.strerror}") from exc


def _is_evidence(path: str) -> bool:
    return path == "summary.json" or path.startswith(("raw/", "inputs/", "tables/"))


def _read_facts(folder: Path, manifest: bytes) -> _Facts:
    facts = decode(_Facts, manifest, str(folder / MANIFEST))
    for part in (facts.run_id, facts.organization_id, facts.period):
        if not _SAFE_PART.fullmatch(part):
            raise SealError(f"{folder / MANIFEST}: {part!r} is not the name of a run")
    return facts


def _check_signatures(folder: Path, lists: Mapping[str, bytes]) -> None:
    """
    Refuse a signature that is about something else than the list beside it.
    """
    for envelope, name in ((SIGNATURE, MANIFEST), (DOCUMENTS_SIGNATURE, DOCUMENTS)):
        if envelope in lists:
            try:
                inspect_envelope(lists[envelope], name, lists[name])
            except EvidenceError as exc:
                raise SealError(f"{folder / envelope}: {exc}") from exc
