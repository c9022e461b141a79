"""
The documents of a run: their list with hashes, and whether documents drawn later are the same.
"""

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from scanner.errors import EvidenceError
from scanner.evidence.seal import (
    DOCUMENTS,
    DOCUMENTS_SIGNATURE,
    MANIFEST,
    DocumentList,
    describe_file,
)
from scanner.evidence.store import hash_bytes, hash_file, read_file, write_file
from scanner.interfaces import Signer
from scanner.records import decode, encode_canonical


def list_documents(
    folder: Path, documents: Iterable[Path], made_with: Mapping[str, str]
) -> DocumentList:
    """
    Return what `documents.json` says of these documents.
    """
    listed = DocumentList(
        hash_file(folder / MANIFEST),
        tuple(describe_file(folder, path) for path in sorted(documents)),
        made_with,
    )
    return replace(listed, checksum=sum_documents(listed))


def sum_documents(listed: DocumentList) -> str:
    """
    Return the checksum that a list of documents must carry.
    """
    return hash_bytes(encode_canonical(replace(listed, checksum="")))


def write_documents(folder: Path, listed: DocumentList, signer: Signer | None = None) -> None:
    """
    Write `documents.json`, and the signature before it where there is a key.
    """
    content = encode_canonical(listed)
    if signer is not None:
        about = {"manifest_sha256": listed.manifest_sha256}
        write_file(folder / DOCUMENTS_SIGNATURE, signer.attest(DOCUMENTS, content, about))
    write_file(folder / DOCUMENTS, content)


def clear_documents(folder: Path) -> None:
    """
    Remove documents that were drawn and never listed, because somebody stopped it. Raises `EvidenceError`.
    """
    if (folder / DOCUMENTS).exists():
        raise EvidenceError(f"{folder / DOCUMENTS}: exists already, and evidence is written once")
    try:
        if (folder / "reports").exists():
            shutil.rmtree(folder / "reports")
        (folder / DOCUMENTS_SIGNATURE).unlink(missing_ok=True)
    except OSError as exc:
        raise EvidenceError(f"{folder / 'reports'}: cannot be removed: {exc.strerror}") from exc


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    How documents drawn again compare with those that the run lists.

    `differences` names each document that is not the same, with what differs; `tools` what it is made with that
    has another version now.
    """

    is_same: bool
    differences: tuple[str, ...]
    tools: tuple[str, ...]


def compare_documents(
    folder: Path,
    documents: Iterable[Path],
    made_with: Mapping[str, str],
    compare: Callable[[Path, Path], str | None],
) -> Comparison:
    """
    Hold documents drawn again against those that a run lists. `compare` says how the content of two differs.

    A signature is no part of a document's content: it is appended to the bytes that were drawn, and changes
    nothing that `compare` sees.
    """
    listed = decode(DocumentList, read_file(folder / DOCUMENTS), str(folder / DOCUMENTS))
    names = {entry.path for entry in listed.documents}
    differences = tuple(
        line for path in documents for line in _compare(folder, names, path, compare)
    )
    tools = tuple(
        f"{name} {listed.made_with[name]} then, {made_with[name]} now"
        # What only one of them names was not needed for the other's documents, such as a font.
        for name in sorted(listed.made_with.keys() & made_with.keys())
        if listed.made_with[name] != made_with[name]
    )
    return Comparison(not differences, differences, tools)


def _compare(
    folder: Path, names: Collection[str], new: Path, compare: Callable[[Path, Path], str | None]
) -> Iterator[str]:
    name = f"reports/{new.name}"
    if name not in names:
        yield f"{new.name}: was not drawn then"
        return
    drawn, listed = read_file(new), read_file(folder / name)
    if drawn == listed:
        return
    difference = compare(folder / name, new)
    is_signed = new.suffix == ".pdf" and listed.startswith(drawn)
    if difference or not is_signed:
        yield f"{new.name}: {difference or 'equal content in other bytes'}"
