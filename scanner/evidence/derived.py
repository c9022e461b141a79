"""
The manifest of what was derived from a sealed run later, in a folder of its own under `derived/`.

The run itself never changes. What is derived from it names it by id and seal, so that nobody can pass off
one run's sample or judgement as another's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scanner.errors import EvidenceError
from scanner.evidence.seal import MANIFEST, list_files, write_manifest
from scanner.evidence.store import hash_file, read_file
from scanner.records import decode


@dataclass(frozen=True, slots=True)
class _Identity:
    run_id: str


def seal_derived(folder: Path, run: Path, facts: Mapping[str, object]) -> None:
    """
    Write `manifest.json` over every file of a derived folder, and `SHA256SUMS` beside it.

    The manifest names the run by its id and by the SHA-256 of its own manifest. `facts` say what this is:
    JSON values, under any names but those three that the manifest has itself. Raises `EvidenceError` when
    the run has no manifest, and when the folder holds one already.
    """
    own = {
        "format": 1,
        "run": {
            "run_id": decode(_Identity, read_file(run / MANIFEST), str(run / MANIFEST)).run_id,
            "manifest_sha256": hash_file(run / MANIFEST),
        },
    }
    if taken := sorted(facts.keys() & {*own, "files"}):
        raise ValueError(f"facts of a derived folder cannot be called {', '.join(taken)}")
    if (folder / MANIFEST).exists():
        raise EvidenceError(f"{folder}: is sealed already, and evidence is written once")
    write_manifest(folder, {**facts, **own}, list_files(folder, ["."]))
