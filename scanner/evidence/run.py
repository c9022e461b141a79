"""
A finished run as documents are drawn from it: the summary, the tables, the catalogs, the seal.

Nothing here needs AWS or the network. The folder is read, never changed.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd

from scanner.acceptances import Acceptance, read_acceptances
from scanner.errors import EvidenceError
from scanner.evidence.store import read_file
from scanner.evidence.tables import read_batches, read_table
from scanner.frameworks import Framework, read_framework
from scanner.model import Terms
from scanner.records import decode, decode_object
from scanner.summary import Summary

SETTINGS_JSON = "settings.json"
_CATALOGS = "frameworks/"


def name_catalogs(frameworks: Iterable[Framework]) -> dict[str, bytes]:
    """
    Return the catalogs' exact bytes by their names under `inputs/`.
    """
    return {f"{_CATALOGS}{framework.id}.yaml": framework.source for framework in frameworks}


def is_catalog(name: str) -> bool:
    """
    Tell whether a name under `inputs/` is that of a catalog.
    """
    return name.startswith(_CATALOGS)


class StoredRun:
    """
    A run folder whose evidence is complete. Raises `EvidenceError` where a file is missing or damaged.

    `is_sealed` is false only while the run is being sealed: then there is no manifest yet.
    """

    def __init__(self, folder: Path, *, is_sealed: bool = True) -> None:
        self.folder = folder
        if is_sealed and not (folder / "manifest.json").is_file():
            raise EvidenceError(
                f"{folder}: is not a finished run, for it has no manifest.json; give the folder that a scan "
                "printed, or finish a run that was stopped with `orgproof scan --resume`"
            )

    @cached_property
    def summary(self) -> Summary:
        """
        The totals every document prints.
        """
        path = self.folder / "summary.json"
        return decode(Summary, read_file(path), str(path))

    @cached_property
    def terms(self) -> Terms:
        """
        What the run was asked to do.
        """
        path = self.folder / "inputs" / SETTINGS_JSON
        return decode(Terms, read_file(path), str(path))

    @cached_property
    def manifest_sha256(self) -> str:
        """
        The SHA-256 of `manifest.json`, in hex: the seal that documents print.
        """
        return hashlib.sha256(read_file(self.folder / "manifest.json")).hexdigest()

    @cached_property
    def signed_by(self) -> str | None:
        """
        The id of the key that the run's signature names, not verified; None where the run is not signed.
        """
        path = self.folder / "manifest.dsse.json"
        if not path.is_file():
            return None
        envelope = decode_object(read_file(path), str(path))
        match envelope.get("signatures"):
            case [{"keyid": str(key_id)}, *_]:
                return key_id
            case _:
                raise EvidenceError(f"{path}: is no signature; see `orgproof verify`")

    @cached_property
    def frameworks(self) -> tuple[Framework, ...]:
        """
        The catalogs the run was judged by, from the bytes kept with it.
        """
        folder = self.folder / "inputs" / "frameworks"
        names = [f"{ref.id}.yaml" for ref in self.summary.frameworks]
        return tuple(read_framework(read_file(folder / name), name) for name in names)

    def read_inputs(self) -> dict[str, bytes]:
        """
        Return the bytes of everything under `inputs/`, by name.
        """
        folder = self.folder / "inputs"
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): read_file(path) for path in files}

    @cached_property
    def acceptances(self) -> tuple[Acceptance, ...]:
        """
        The accepted risks the run was judged with, from the bytes kept with it.
        """
        path = self.folder / "inputs" / "acceptances.yaml"
        if not path.exists():
            return ()
        return read_acceptances(read_file(path), path.name).acceptances

    def history(self) -> pd.DataFrame:
        """
        Return the history table, sorted by account id, ARN and check. Columns: `scanner.history.COLUMNS`.
        """
        return read_table(self.folder / "tables" / "history.parquet")

    def history_in_batches(self) -> Iterator[pd.DataFrame]:
        """
        Yield the history table in batches, in order of account id.
        """
        return read_batches(self.folder / "tables" / "history.parquet")

    def accounts(self) -> pd.DataFrame:
        """
        Return the accounts table, sorted by account id. Columns: `scanner.evidence.tables`.
        """
        return read_table(self.folder / "tables" / "accounts.parquet")

    def previous_accounts(self) -> pd.DataFrame | None:
        """
        Return the accounts table of the previous run, which this run carries; None where there is none.
        """
        path = self.folder / "inputs" / "previous" / "accounts.parquet"
        return read_table(path) if path.is_file() else None

    def findings(self) -> pd.DataFrame:
        """
        Return the findings table, sorted by account id, ARN and check.
        """
        return read_table(self.folder / "tables" / "findings.parquet")

    def findings_in_batches(self) -> Iterator[pd.DataFrame]:
        """
        Yield the findings table in batches, in its order.
        """
        return read_batches(self.folder / "tables" / "findings.parquet")

    def controls(self) -> pd.DataFrame:
        """
        Return the controls table, in the catalogs' order.
        """
        return read_table(self.folder / "tables" / "controls.parquet")

    def users(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """
        Yield the users table, or some of its columns, in batches, sorted by account id and ARN.
        """
        return read_batches(self.folder / "tables" / "users.parquet", columns=columns)
