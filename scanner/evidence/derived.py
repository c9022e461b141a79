"""
The manifest of what was derived from a sealed run later, in a folder of its own under `derived/`.

The run itself never changes. What is derived from it names it by id and seal, so that nobody can pass off
one run's sample or judgement as another's.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scanner.errors import EvidenceError
from scanner.evidence.seal import CHECKSUMS, MANIFEST, list_files, list_sums, write_manifest
from scanner.evidence.store import Store, hash_file, read_file, stage_run, write_file
from scanner.records import decode


@dataclass(frozen=True, slots=True)
class _Identity:
    run_id: str


@contextmanager
def stage_derived(run: Path, moment: datetime) -> Iterator[Store]:
    """
    Yield the store of a new folder `derived/<moment>/` of a run, which appears when the block ends well.

    After any failure nothing is left of it: what it holds can be derived again.
    """
    with stage_run(run / "derived", moment) as store:
        try:
            yield store
        except BaseException:
            shutil.rmtree(store.folder, ignore_errors=True)
            raise


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
    files = list_files(folder, ["."])
    content = write_manifest({**facts, **own}, files)
    write_file(folder / CHECKSUMS, list_sums(files, content))
    write_file(folder / MANIFEST, content)
