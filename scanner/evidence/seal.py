"""
The manifest: what the evidence consists of, file by file, so that a later change can be found.

It is in the canonical form of RFC 8785, so equal content gives equal bytes whoever writes it. It covers raw answers,
inputs, tables and the summary. Documents are drawn afterwards, carry the manifest's hash, and are listed in
`documents.json`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scanner.errors import SealError
from scanner.evidence.run import StoredRun
from scanner.evidence.store import PARTIAL, Store, hash_bytes, hash_file, read_file
from scanner.frameworks import Framework, bind_checks
from scanner.interfaces import Signer
from scanner.records import decode, encode_canonical, to_plain
from scanner.summary import Summary

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
SIGNATURE = "manifest.dsse.json"
DOCUMENTS = "documents.json"
DOCUMENTS_SIGNATURE = "documents.dsse.json"

_COVERED = ("raw", "inputs", "tables")
_ATTESTED = ("run_id", "organization_id", "period", "caller_arn", "tool", "totals", "window")
_DRAWN_FROM = ("inputs/", "tables/", "summary.json")


def seal(store: Store, summary: Summary, signer: Signer | None = None) -> None:
    """
    Seal a run: write `SHA256SUMS`, the signature where there is a key, and last of all `manifest.json`.

    The manifest lists everything that the run holds so far. A run is sealed from the moment its manifest is
    there, and the other two are there by then. `SHA256SUMS` is for `sha256sum -c` in the run folder and covers
    the manifest too.
    """
    files = list_files(store.folder, [*_COVERED, "summary.json"])
    facts = describe_run(summary, StoredRun(store.folder, is_sealed=False).frameworks)
    content = write_manifest(facts, files)
    store.write(CHECKSUMS, list_sums(files, content))
    if signer is not None:
        about = {name: facts[name] for name in _ATTESTED}
        store.write(SIGNATURE, signer.attest(MANIFEST, content, about))
    store.write(MANIFEST, content)


def describe_run(summary: Summary, frameworks: Iterable[Framework]) -> dict[str, object]:
    """
    Return what a manifest says of its run beside the files, as JSON values.
    """
    return {
        "format": 1,
        "run_id": summary.run_id,
        "organization_id": summary.organization_id,
        "management_account_id": summary.management_account_id,
        "partition": summary.partition,
        "period": summary.period,
        "caller_arn": summary.caller_arn,
        "role_name": summary.role_name,
        "endpoint": summary.endpoint,
        "simulated": summary.simulated,
        "tool": {"name": "orgproof", "version": summary.tool_version},
        "frameworks": {ref.id: ref.sha256 for ref in summary.frameworks},
        "parameters": {
            "max_report_age_hours": summary.max_report_age_hours,
            "checks": {
                bound.name: bound.parameters.model_dump(mode="json")
                for bound in bind_checks(tuple(frameworks))
            },
        },
        "selection": to_plain(summary.selection),
        "interrupted": summary.interrupted,
        "exit_status": summary.exit_status,
        "totals": {
            "accounts": to_plain(summary.accounts),
            "users": to_plain(summary.users),
            "findings": summary.findings,
            "findings_by_verdict": dict(summary.findings_by_verdict),
        },
        "window": to_plain(summary.window),
        "sittings": [to_plain(sitting) for sitting in summary.sittings],
        # What chains runs together: the hash of the manifest of the run before.
        "previous": to_plain(summary.previous) if summary.previous else None,
        "continues": to_plain(summary.continues) if summary.continues else None,
    }


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

    `made_with` names the programs, libraries and fonts that drew them, with their versions. `checksum` is the
    SHA-256 of the list with an empty one: no other file holds the list's hash, unless it is signed.
    """

    manifest_sha256: str
    documents: tuple[FileEntry, ...]
    made_with: Mapping[str, str] = field(default_factory=dict)
    checksum: str = ""
    format: int = 1


def check_seal(folder: Path, *, with_raw: bool = False) -> None:
    """
    Raise `SealError` unless what documents are drawn from is what the manifest lists.

    It covers inputs, tables and the summary, `with_raw` the raw answers too: each file as it was sealed,
    and no other beside them. It holds the manifest against `SHA256SUMS` and `documents.json`, and is no proof
    against somebody who rewrote all three.
    """
    sealed = hash_file(folder / MANIFEST)
    sums = read_file(folder / CHECKSUMS).decode("utf-8", "replace").splitlines()
    if f"{sealed}  {MANIFEST}" not in sums:
        raise SealError(f"{folder}: {MANIFEST} is not the one that {CHECKSUMS} lists")
    if (folder / DOCUMENTS).exists():
        listed = decode(DocumentList, read_file(folder / DOCUMENTS), str(folder / DOCUMENTS))
        if listed.manifest_sha256 != sealed:
            raise SealError(f"{folder}: {MANIFEST} is not the one that {DOCUMENTS} names")
    _check_files(folder, with_raw=with_raw)


def _check_files(folder: Path, *, with_raw: bool) -> None:
    sealed_files = list_sealed(folder)
    for path, sha256 in sealed_files.items():
        if (with_raw or path.startswith(_DRAWN_FROM)) and hash_file(folder / path) != sha256:
            raise SealError(f"{folder / path}: is not the file that was sealed")
    for name in _COVERED if with_raw else _COVERED[1:]:
        for found in (folder / name, *sorted((folder / name).rglob("*"))):
            _check_found(found, found.relative_to(folder).as_posix() in sealed_files)


def _check_found(found: Path, is_sealed: bool) -> None:  # noqa: FBT001 - what the manifest says of it
    """
    Refuse what was put beside the evidence: a file that is not listed, or a link to anywhere.
    """
    if found.is_symlink():
        raise SealError(f"{found}: is a link, and evidence holds none; remove it")
    # What a broken write leaves is read by nobody.
    if not (is_sealed or found.is_dir() or found.name.endswith(PARTIAL)) and found.exists():
        raise SealError(f"{found}: was added after the run was sealed; remove it")


def list_sealed(folder: Path) -> dict[str, str]:
    """
    Return the SHA-256 of each file that the manifest lists, by its path relative to the run folder.
    """
    manifest = decode(_Manifest, read_file(folder / MANIFEST), str(folder / MANIFEST))
    return {entry.path: entry.sha256 for entry in manifest.files}


def write_manifest(facts: Mapping[str, object], files: Sequence[FileEntry]) -> bytes:
    """
    Return a manifest that says `facts` and lists `files`, in the canonical form of RFC 8785.
    """
    return encode_canonical({**facts, "files": [asdict(entry) for entry in files]})


def list_sums(files: Iterable[FileEntry], manifest: bytes) -> bytes:
    """
    Return what `SHA256SUMS` holds: a line for each file of a manifest, and one for the manifest itself.
    """
    lines = [f"{entry.sha256}  {entry.path}" for entry in files]
    lines.append(f"{hash_bytes(manifest)}  {MANIFEST}")
    return ("\n".join(lines) + "\n").encode()


def list_files(folder: Path, names: Iterable[str]) -> list[FileEntry]:
    """
    Return the files of these names in a folder, and all those in the folders of these names, by path.
    """
    found = [path for name in names for path in _walk(folder / name)]
    return [describe_file(folder, path) for path in sorted(found, key=lambda path: path.parts)]


def _walk(place: Path) -> Iterator[Path]:
    """
    Yield a file, or all those in a folder, but what a broken write left.
    """
    if place.is_file():
        yield place
    for folder, _, names in os.walk(place):
        yield from (Path(folder, name) for name in names if not name.endswith(PARTIAL))


def describe_file(folder: Path, path: Path) -> FileEntry:
    """
    Return a file's size and hash, and its path relative to a folder.
    """
    name = path.relative_to(folder).as_posix()
    return FileEntry(name, path.stat().st_size, hash_file(path))
