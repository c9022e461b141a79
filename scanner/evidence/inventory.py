"""
What a manifest and `documents.json` list, read as claims to be tested, and held against what is on the disk.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from scanner.errors import EvidenceError
from scanner.evidence.documents import sum_documents
from scanner.evidence.seal import (
    CHECKSUMS,
    DOCUMENTS,
    DOCUMENTS_SIGNATURE,
    MANIFEST,
    SIGNATURE,
    DocumentList,
    FileEntry,
    list_sums,
)
from scanner.evidence.store import PARTIAL, hash_bytes
from scanner.evidence.survey import Survey, hash_regular, limit_size, read_regular
from scanner.records import decode, decode_object, encode_canonical

DERIVED = "derived"
REPORTS = "reports"

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+=,-]{0,199}", re.ASCII)
_DEPTH = 8
_SIZE = 2**53


@dataclass(frozen=True, slots=True)
class Inventory:
    """
    What a folder says it holds: the manifest's bytes, facts and files, and its documents.

    `documents` is None where `documents.json` cannot be read. `problems` says, each naming its file, what of this
    is not as orgproof writes it.
    """

    manifest: bytes
    facts: Mapping[str, Any]
    files: tuple[FileEntry, ...]
    documents: DocumentList | None
    problems: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """
        The manifest's SHA-256, in hex: the seal.
        """
        return hash_bytes(self.manifest)


def read_inventory(
    folder: Path,
    found: Survey,
    *,
    below: Callable[[str], bool],
    has_documents: Callable[[Mapping[str, Any]], bool] = lambda _: True,
) -> Inventory:
    """
    Read what a folder says it holds. `below` tells whether the manifest may list a path.

    `has_documents` tells by the manifest's facts whether there must be a `documents.json`. Raises `EvidenceError`
    when the manifest cannot be read at all.
    """
    content = _read(folder, MANIFEST, found)
    claims = decode_object(content, MANIFEST)
    problems = [*_check_canonical(content, claims, MANIFEST)]
    files = tuple(_read_entries(claims.pop("files", None), MANIFEST, problems))
    problems += _check_paths(files, MANIFEST, below)
    problems += _check_sums(folder, found, files, content)
    documents = None
    if has_documents(claims):
        documents = _read_documents(folder, found, hash_bytes(content), problems)
    return Inventory(content, claims, files, documents, tuple(problems))


def check_files(folder: Path, entries: Iterable[FileEntry], found: Survey) -> Iterator[str]:
    """
    Yield what is wrong with each listed file: missing, of another size, of other content.
    """
    for entry in entries:
        size = found.files.get(entry.path)
        if entry.path in found.oddities:
            yield f"{entry.path}: {found.oddities[entry.path]}, and is not opened"
        elif size is None:
            yield f"{entry.path}: is missing"
        elif size != entry.size:
            yield f"{entry.path}: has {size:,} bytes, and {entry.size:,} were sealed"
        else:
            sha256 = hash_regular(folder / entry.path, entry.size)
            if sha256 != entry.sha256:
                yield f"{entry.path}: is not the file that was sealed, for its SHA-256 is {sha256}"


def find_odd(found: Survey) -> Iterator[str]:
    """
    Yield what is neither file nor folder, or too large for evidence. See `find_extra`.
    """
    for path in _outside(found.oddities):
        yield f"{path}: {found.oddities[path]}; evidence holds none"


def find_extra(found: Survey, inventory: Inventory) -> Iterator[str]:
    """
    Yield every file and folder that nothing lists.

    What lies in `derived/` has manifests of its own, and is not looked at here.
    """
    listed = {MANIFEST, CHECKSUMS, SIGNATURE, DOCUMENTS, DOCUMENTS_SIGNATURE}
    listed |= {entry.path for entry in inventory.files}
    documents = inventory.documents.documents if inventory.documents else ()
    listed |= {entry.path for entry in documents}
    folders = {
        "/".join(parts[:depth])
        for path in listed
        for parts in [path.split("/")]
        for depth in range(1, len(parts))
    }
    for path in _outside(found.files.keys() - listed - found.oddities.keys()):
        if path.endswith(PARTIAL):
            yield f"{path}: is what a broken write left; remove it"
        else:
            yield f"{path}: is listed nowhere, so it was added later; remove it"
    for path in _outside(found.folders - folders - {DERIVED}):
        yield f"{path}: is a folder in which nothing is listed; remove it"


def _outside(paths: Iterable[str]) -> list[str]:
    return sorted(path for path in paths if not path.startswith(f"{DERIVED}/"))


def _read(folder: Path, name: str, found: Survey) -> bytes:
    if name in found.oddities:
        raise EvidenceError(f"{name}: {found.oddities[name]}, and is not opened")
    if name not in found.files:
        raise EvidenceError(f"{name}: is missing")
    return read_regular(folder / name, limit_size(name))


def _check_canonical(content: bytes, value: object, name: str) -> Iterator[str]:
    """
    Hold a file against its only canonical form: so no key can stand in it twice, and no two files say the same.
    """
    try:
        is_canonical = encode_canonical(value) == content
    except (ValueError, RecursionError):
        is_canonical = False
    if not is_canonical:
        yield f"{name}: is not in the canonical form of RFC 8785, so orgproof did not write it so"


def _read_entries(value: object, name: str, problems: list[str]) -> Iterator[FileEntry]:
    if not isinstance(value, list):
        problems.append(f"{name}: lists no files")
        return
    for number, entry in enumerate(value, 1):
        match entry:
            case {"path": str(path), "size": int(size), "sha256": str(sha256), **other} if (
                not other
            ):
                if not (0 <= size < _SIZE and _SHA256.fullmatch(sha256)):
                    problems.append(f"{name}: {path}: has no possible size and SHA-256")
                yield FileEntry(path, size, sha256)
            case _:
                problems.append(f"{name}: entry {number} is no path with size and SHA-256")


def _check_paths(
    entries: Sequence[FileEntry], name: str, below: Callable[[str], bool]
) -> Iterator[str]:
    """
    Yield each path that leads elsewhere, stands there twice or out of order.
    """
    paths = [entry.path for entry in entries]
    for path in paths:
        if why := _find_fault(path):
            yield f"{name}: lists {path}, {why}"
        elif not below(path):
            yield f"{name}: lists {path}, which is no place for evidence"
    for before, after in pairwise(paths):
        if before.split("/") > after.split("/"):
            yield f"{name}: lists {after} out of order"
    yield from _check_twins(paths, name)


def _check_twins(paths: Sequence[str], name: str) -> Iterator[str]:
    seen: dict[str, str] = {}
    for path in paths:
        folded = unicodedata.normalize("NFC", path).casefold()
        twin = seen.get(folded)
        seen[folded] = path
        if twin == path:
            yield f"{name}: lists {path} twice"
        elif twin is not None:
            yield f"{name}: lists {path} and {twin}, which are one file where case does not count"


def _find_fault(path: str) -> str | None:
    if path.startswith("/"):
        return "an absolute path"
    if "\\" in path:
        return "with a backslash"
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "a path that leads elsewhere"
    if len(parts) > _DEPTH or not all(_PART.fullmatch(part) for part in parts):
        return "a name that orgproof never gives"
    return None


def _check_sums(
    folder: Path, found: Survey, files: Sequence[FileEntry], manifest: bytes
) -> Iterator[str]:
    try:
        sums = _read(folder, CHECKSUMS, found)
    except EvidenceError as exc:
        yield str(exc)
        return
    try:
        expected = list_sums(files, manifest)
    except UnicodeEncodeError:
        yield f"{MANIFEST}: lists a path that is no text, so {CHECKSUMS} cannot be its own"
        return
    if sums == expected:
        return
    lines, right = sums.split(b"\n"), expected.split(b"\n")
    pairs = zip(lines, right, strict=False)
    number = next((n for n, (line, other) in enumerate(pairs, 1) if line != other), None)
    if number is None:
        yield f"{CHECKSUMS}: has {len(lines):,} lines, and the manifest makes {len(right):,}"
        return
    about = right[number - 1].decode("utf-8", "replace").partition("  ")[2] or "the end of the file"
    yield f"{CHECKSUMS}: line {number} is not the one that {MANIFEST} makes, about {about}"


def _read_documents(
    folder: Path, found: Survey, seal: str, problems: list[str]
) -> DocumentList | None:
    try:
        content = _read(folder, DOCUMENTS, found)
        value = decode_object(content, DOCUMENTS)
        listed = decode(DocumentList, content, DOCUMENTS)
    except EvidenceError as exc:
        problems.append(str(exc))
        return None
    problems += _check_canonical(content, value, DOCUMENTS)
    if unknown := sorted(value.keys() - DocumentList.__dataclass_fields__.keys()):
        problems.append(f"{DOCUMENTS}: says {', '.join(unknown)}, which it never holds")
    if listed.format != 1 or listed.checksum != sum_documents(listed):
        problems.append(f"{DOCUMENTS}: was changed, for its checksum is another")
    if listed.manifest_sha256 != seal:
        problems.append(f"{DOCUMENTS}: names another manifest than {MANIFEST}")
    # Once more, for what a list of typed entries lets pass.
    entries = tuple(_read_entries(value.get("documents"), DOCUMENTS, problems))
    problems += _check_paths(entries, DOCUMENTS, lambda path: path.startswith(f"{REPORTS}/"))
    return listed
