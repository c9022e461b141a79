"""
The manifest: what the evidence consists of, file by file, so that a later change can be found.

The manifest covers raw answers, inputs, tables and the summary. Documents are drawn afterwards, carry
the manifest's hash, and are listed in `documents.json`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from scanner.errors import EvidenceError
from scanner.evidence.store import PARTIAL, Store, hash_file, read_file, write_file
from scanner.records import decode, encode
from scanner.summary import Summary

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
DOCUMENTS = "documents.json"

_COVERED = ("raw", "inputs", "tables")
_DRAWN_FROM = ("inputs/", "tables/", "summary.json")


def seal(store: Store, summary: Summary) -> None:
    """
    Write `manifest.json` over everything the run holds so far, and `SHA256SUMS` beside it.

    `SHA256SUMS` is for `sha256sum -c` in the run folder and covers the manifest too.
    """
    files = list_files(store.folder, [*_COVERED, "summary.json"])
    facts = {
        "format": 1,
        "run_id": summary.run_id,
        "organization_id": summary.organization_id,
        "partition": summary.partition,
        "period": summary.period,
        "caller_arn": summary.caller_arn,
        "role_name": summary.role_name,
        "endpoint": summary.endpoint,
        "tool": {"name": "orgproof", "version": summary.tool_version},
        "frameworks": {ref.id: ref.sha256 for ref in summary.frameworks},
        "accounts": {
            "listed": summary.accounts.listed,
            "collected": summary.accounts.collected,
            "not_collected": summary.accounts.not_collected,
            "excluded": summary.accounts.excluded,
            "not_active": summary.accounts.not_active,
        },
        "started": _moment(summary.window.started),
        "finished": _moment(summary.window.finished),
        "oldest_report": _moment(summary.window.oldest_report),
        "newest_report": _moment(summary.window.newest_report),
    }
    write_manifest(store.folder, facts, files)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """
    One file as a manifest lists it. `path` is relative to the run folder, `size` in bytes.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Manifest:
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class DocumentList:
    """
    What `documents.json` holds: the hash of the manifest, and of each document drawn from it.
    """

    manifest_sha256: str
    documents: tuple[FileEntry, ...]
    format: int = 1


def list_documents(folder: Path, documents: Iterable[Path]) -> DocumentList:
    """
    Return what `documents.json` says of these documents.
    """
    return DocumentList(
        hash_file(folder / MANIFEST),
        tuple(_describe(folder, path) for path in sorted(documents)),
    )


def check_seal(folder: Path, *, with_raw: bool = False) -> None:
    """
    Raise `EvidenceError` unless what documents are drawn from is what the manifest lists.

    It covers inputs, tables and the summary, `with_raw` the raw answers too: each file as it was sealed,
    and no other beside them. It holds the manifest against `SHA256SUMS` and `documents.json`, and is no proof
    against somebody who rewrote all three.
    """
    sealed = hash_file(folder / MANIFEST)
    sums = read_file(folder / CHECKSUMS).decode("utf-8", "replace").splitlines()
    if f"{sealed}  {MANIFEST}" not in sums:
        raise EvidenceError(f"{folder}: {MANIFEST} is not the one that {CHECKSUMS} lists")
    if (folder / DOCUMENTS).exists():
        listed = decode(DocumentList, read_file(folder / DOCUMENTS), str(folder / DOCUMENTS))
        if listed.manifest_sha256 != sealed:
            raise EvidenceError(f"{folder}: {MANIFEST} is not the one that {DOCUMENTS} names")
    _check_files(folder, with_raw=with_raw)


def _check_files(folder: Path, *, with_raw: bool) -> None:
    sealed_files = list_sealed(folder)
    for path, sha256 in sealed_files.items():
        if (with_raw or path.startswith(_DRAWN_FROM)) and hash_file(folder / path) != sha256:
            raise EvidenceError(f"{folder / path}: is not the file that was sealed")
    for name in _COVERED if with_raw else _COVERED[1:]:
        for found in (folder / name, *sorted((folder / name).rglob("*"))):
            _check_found(found, found.relative_to(folder).as_posix() in sealed_files)


def _check_found(found: Path, is_sealed: bool) -> None:  # noqa: FBT001 - what the manifest says of it
    """
    Refuse what was put beside the evidence: a file that is not listed, or a link to anywhere.
    """
    if found.is_symlink():
        raise EvidenceError(f"{found}: is a link, and evidence holds none; remove it")
    # What a broken write leaves is read by nobody.
    if not (is_sealed or found.is_dir() or found.name.endswith(PARTIAL)) and found.exists():
        raise EvidenceError(f"{found}: was added after the run was sealed; remove it")


def list_sealed(folder: Path) -> dict[str, str]:
    """
    Return the SHA-256 of each file that the manifest lists, by its path relative to the run folder.
    """
    manifest = decode(_Manifest, read_file(folder / MANIFEST), str(folder / MANIFEST))
    return {entry.path: entry.sha256 for entry in manifest.files}


def write_manifest(folder: Path, facts: Mapping[str, object], files: Sequence[FileEntry]) -> None:
    """
    Write a manifest that says `facts` and lists `files`, and `SHA256SUMS` beside it.
    """
    content = {**facts, "files": [asdict(entry) for entry in files]}
    write_file(folder / MANIFEST, encode(content))
    lines = [f"{entry.sha256}  {entry.path}" for entry in files]
    lines.append(f"{hash_file(folder / MANIFEST)}  {MANIFEST}")
    write_file(folder / CHECKSUMS, ("\n".join(lines) + "\n").encode())


def list_files(folder: Path, names: Iterable[str]) -> list[FileEntry]:
    """
    Return the files of these names in a folder, and all those in the folders of these names, by path.
    """
    found = [
        path
        for name in names
        for path in (
            [folder / name] if (folder / name).is_file() else sorted((folder / name).rglob("*"))
        )
        if path.is_file() and not path.name.endswith(PARTIAL)
    ]
    return [_describe(folder, path) for path in sorted(found)]


def _describe(folder: Path, path: Path) -> FileEntry:
    name = path.relative_to(folder).as_posix()
    return FileEntry(name, path.stat().st_size, hash_file(path))


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
