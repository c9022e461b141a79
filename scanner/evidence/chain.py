"""
Whether a run's copy of the run before it is whole, and is that run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scanner.errors import EvidenceError
from scanner.evidence.previous import FOLDER, TAKEN, read_summary
from scanner.evidence.seal import MANIFEST
from scanner.evidence.store import hash_bytes
from scanner.evidence.survey import limit_size, read_regular
from scanner.records import decode_object
from scanner.summary import PreviousRun, Summary


def check_copy(folder: Path, summary: Summary) -> Iterator[str]:
    """
    Yield what is wrong with what a run took from the run before it, held against that run's own manifest.

    The copied manifest is all that is left of it here: whether it is the one that was sealed then, only
    the other folder, or a seal that was published, can show.
    """
    copies = folder / "inputs" / FOLDER
    named = summary.previous
    if not copies.is_dir():
        if named is not None:
            yield f"summary.json: names the previous run {named.run_id}, and inputs/{FOLDER} is missing"
        return
    if named is None:
        yield f"inputs/{FOLDER}: holds another run, and summary.json names none"
        return
    place = f"inputs/{FOLDER}/{MANIFEST}"
    content = read_regular(copies / MANIFEST, limit_size(MANIFEST))
    manifest = decode_object(content, place)
    if hash_bytes(content) != named.manifest_sha256:
        yield f"{place}: is not the manifest that summary.json names as the previous run's"
    for field, value in (
        ("run_id", named.run_id),
        ("period", named.period),
        ("organization_id", summary.organization_id),
    ):
        if manifest.get(field) != value:
            yield f"{place}: {field} is not the one that summary.json names, {value}"
    yield from _check_taken(copies, manifest)
    yield from _check_summary(copies / "summary.json", named, summary)


def _check_taken(copies: Path, manifest: dict[str, Any]) -> Iterator[str]:
    files = manifest.get("files")
    entries = (
        [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []
    )
    sealed = {entry.get("path"): entry.get("sha256") for entry in entries}
    for path in TAKEN:
        name = Path(path).name
        content = read_regular(copies / name, limit_size(name))
        if sealed.get(path) != hash_bytes(content):
            yield f"inputs/{FOLDER}/{name}: is not the file {path} that the previous run sealed"


def _check_summary(path: Path, named: PreviousRun, summary: Summary) -> Iterator[str]:
    before = read_summary(path)
    place = f"inputs/{FOLDER}/{path.name}"
    if before.run_id != named.run_id or before.organization_id != summary.organization_id:
        yield f"{place}: is about another run or organization than summary.json names"
    if before.window.started != named.started:
        yield f"{place}: began at another moment than summary.json says of the previous run"
    if before.window.started > summary.window.started:
        yield f"{place}: began after the run that followed it"


def check_given(previous: Path, named: PreviousRun | None, sha256: str | None) -> Iterator[str]:
    """
    Yield why a run folder is not the one that this run names as its previous one.

    `sha256` is the hash of that folder's manifest, None where it has none.
    """
    if named is None:
        yield f"summary.json: names no previous run, and {previous} was given"
    elif sha256 is None:
        raise EvidenceError(f"{previous / MANIFEST}: is missing")
    elif sha256 != named.manifest_sha256:
        yield (
            f"{previous / MANIFEST}: is not the manifest that this run was chained to; its SHA-256 is {sha256}, "
            f"and {named.manifest_sha256} is named"
        )
