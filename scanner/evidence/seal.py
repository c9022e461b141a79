"""
The manifest: what the evidence consists of, file by file, so that a later change can be found.

The manifest covers raw answers, inputs, tables and the summary. Documents are drawn afterwards, carry
the manifest's hash, and are listed in `documents.json`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scanner.evidence.store import PARTIAL, Store, hash_file
from scanner.model import Summary
from scanner.records import encode

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
DOCUMENTS = "documents.json"

_COVERED = ("raw", "inputs", "tables")


def seal(store: Store, summary: Summary) -> None:
    """
    Write `manifest.json` over everything the run holds so far, and `SHA256SUMS` beside it.

    `SHA256SUMS` is for `sha256sum -c` in the run folder and covers the manifest too.
    """
    files = _list_files(store.folder, [*_COVERED, "summary.json"])
    manifest = {
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
        "files": files,
    }
    store.write(MANIFEST, encode(manifest))
    lines = [f"{entry['sha256']}  {entry['path']}" for entry in files]
    lines.append(f"{hash_file(store.folder / MANIFEST)}  {MANIFEST}")
    store.write(CHECKSUMS, ("\n".join(lines) + "\n").encode())


def list_documents(folder: Path, documents: Iterable[Path]) -> dict[str, Any]:
    """
    Return what `documents.json` says: the hash of the manifest and of each document drawn from it.
    """
    return {
        "format": 1,
        "manifest_sha256": hash_file(folder / MANIFEST),
        "documents": [_describe(folder, path) for path in sorted(documents)],
    }


def _list_files(folder: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    found = [
        path
        for name in names
        for path in (
            [folder / name] if (folder / name).is_file() else sorted((folder / name).rglob("*"))
        )
        if path.is_file() and not path.name.endswith(PARTIAL)
    ]
    return [_describe(folder, path) for path in sorted(found)]


def _describe(folder: Path, path: Path) -> dict[str, Any]:
    return {
        "path": path.relative_to(folder).as_posix(),
        "size": path.stat().st_size,
        "sha256": hash_file(path),
    }


def _moment(moment: object) -> str | None:
    return None if moment is None else str(moment)
