"""
A run derived a second time from its raw answers, beside the stored one, and where the two differ.

The replica is a folder of its own, for the owner alone, that reads like the run: what is compared with a
document comes from there, so nobody has to trust a stored table.
"""

import filecmp
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scanner import __version__
from scanner.errors import EvidenceError
from scanner.evidence.quarantine import Limits, Quarantine
from scanner.evidence.replay import derive_tables
from scanner.evidence.run import StoredRun
from scanner.evidence.seal import CHECKSUMS, MANIFEST, SIGNATURE
from scanner.evidence.survey import limit_size, read_regular
from scanner.records import decode_json, encode
from scanner.summary import Summary

TABLES = ("accounts", "users", "findings", "controls", "history")

_PROBE = Path(__file__).with_name("probe.py")
_BATCH = 20_000
_PROBE_MODULES = ("pyarrow.parquet",)
_PROBE_LIMITS = Limits(memory=512 * 1024 * 1024)
"""
What a batch of a stored table may take, since it takes as much again in the process that compares it.
"""
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Source:
    """
    Where a run's tables are derived from. A judgement made later has no raw answers of its own.

    `parent` is the seal of the run whose answers were judged again, and `run_id` that run's id.
    """

    folder: Path
    raw: Path
    run_id: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """
    What was derived again: the totals, and the folder that reads like the run.
    """

    source: Source
    folder: Path
    summary: Summary
    probed: dict[Path, EvidenceError | None] = field(default_factory=dict)

    @property
    def run(self) -> StoredRun:
        """
        The run as documents are drawn from it, with the tables that were derived again.
        """
        return StoredRun(self.folder)

    def is_same(self, table: str) -> bool:
        """
        Tell whether a stored table is the derived one, byte for byte.
        """
        stored = self.source.folder / name_table(table)
        return stored.is_file() and filecmp.cmp(
            stored, self.folder / name_table(table), shallow=False
        )

    def choose(self, table: str) -> Path:
        """
        Return a file that holds what the stored table holds and is safe to read, or raise `EvidenceError`.
        """
        if self.is_same(table):
            return self.folder / name_table(table)
        stored = self.source.folder / name_table(table)
        self.probe_once(stored)
        return stored

    def probe_once(self, table: Path) -> None:
        """
        Probe a table, or raise again what was raised when that was done before.
        """
        if table not in self.probed:
            try:
                probe(table)
            except EvidenceError as exc:
                self.probed[table] = exc
            else:
                self.probed[table] = None
        if fault := self.probed[table]:
            raise fault


def name_table(table: str) -> str:
    """
    Return a table's path below its run.
    """
    return f"tables/{table}.parquet"


def probe(table: Path, limits: Limits | None = None) -> int:
    """
    Return how many rows a table has, after a process of its own could read it, or raise `EvidenceError`.
    """
    with Quarantine(table, _PROBE, _PROBE_MODULES, limits=limits or _PROBE_LIMITS) as reading:
        return int(reading.finish()["rows"])


def make_replica(source: Source, folder: Path) -> Replica:
    """
    Derive a run's tables and totals again into `folder`, or raise `EvidenceError`.

    The run folder must hold regular files of sane sizes only: see `scanner.evidence.survey`.
    """
    before = source.folder / "inputs" / "previous"
    for name in ("accounts.parquet", "history.parquet"):
        if (before / name).exists():
            probe(before / name)
    (folder / "inputs").symlink_to(source.folder.absolute() / "inputs")
    for name in (MANIFEST, CHECKSUMS, SIGNATURE):
        if (source.folder / name).exists():
            shutil.copyfile(source.folder / name, folder / name)
    summary = derive_tables(
        source.folder,
        raw=source.raw,
        parent=source.parent,
        run_id=source.run_id,
        tables=folder / "tables",
    )
    (folder / "summary.json").write_bytes(encode(summary))
    return Replica(source, folder, summary)


def compare_tables(replica: Replica) -> Iterator[str]:
    """
    Yield where a stored table differs from the derived one: table, row, account and column.
    """
    for table in TABLES:
        if replica.is_same(table):
            continue
        name = name_table(table)
        stored = replica.source.folder / name
        if not stored.exists():
            yield f"{name}: is missing"
            continue
        try:
            replica.probe_once(stored)
            difference = _find_difference(stored, replica.folder / name)
        except EvidenceError as exc:
            yield f"{name}: {exc}"
            continue
        if difference:
            yield f"{name}: {difference}"


def list_rewritten(replica: Replica) -> list[str]:
    """
    Return the tables of other bytes than those derived again, whose content is then equal.
    """
    return [name_table(table) for table in TABLES if not replica.is_same(table)]


def _find_difference(stored: Path, derived: Path) -> str | None:
    try:
        with pq.ParquetFile(stored) as left, pq.ParquetFile(derived) as right:
            if left.schema_arrow != right.schema_arrow:
                return _compare_columns(left.schema_arrow, right.schema_arrow)
            return _compare_rows(left, right)
    except (OSError, ValueError, pa.ArrowException) as exc:
        raise EvidenceError(f"cannot be read as a table: {str(exc)[:_SHOWN]}") from exc


def _compare_columns(stored: pa.Schema, derived: pa.Schema) -> str:
    for found, expected in zip_longest(stored, derived):
        if found is None:
            return f"has no column {expected.name}"
        if expected is None or found.name != expected.name:
            where = f" where {expected.name} belongs" if expected is not None else ""
            return f"has a column {found.name[:_SHOWN]}{where}"
        if found.type != expected.type:
            return f"column {found.name} holds {found.type}, and not {expected.type}"
    return "is described otherwise than it is derived"


def _compare_rows(left: pq.ParquetFile, right: pq.ParquetFile) -> str | None:
    """
    Compare two tables of the same columns in pieces of equal size, whatever batches they were written in.
    """
    done = 0
    for found, expected in zip_longest(_read_pieces(left), _read_pieces(right)):
        if found is None or expected is None or len(found) != len(expected):
            return (
                f"has {left.metadata.num_rows:,} rows, and {right.metadata.num_rows:,} "
                "follow from the raw reports"
            ) + _name_first(found, expected, done)
        if not found.equals(expected):
            return _name_cell(found, expected, done)
        done += len(found)
    return None


def _read_pieces(file: pq.ParquetFile) -> Iterator[pa.Table]:
    """
    Yield a table in pieces of `_BATCH` rows: batches end where row groups end, and those may differ.
    """
    waiting: list[pa.RecordBatch] = []
    number = 0
    for batch in file.iter_batches(_BATCH, use_threads=False):
        waiting.append(batch)
        number += batch.num_rows
        while number >= _BATCH:
            table = pa.Table.from_batches(waiting).unify_dictionaries()
            yield table.slice(0, _BATCH)
            rest = table.slice(_BATCH)
            waiting, number = rest.to_batches(), rest.num_rows
    if number:
        yield pa.Table.from_batches(waiting)


def _name_first(found: pa.Table | None, expected: pa.Table | None, done: int) -> str:
    if found is None or expected is None:
        return ""
    shorter = min(len(found), len(expected))
    words = _name_cell(found.slice(0, shorter), expected.slice(0, shorter), done)
    return f"; the first that differs: {words}" if words else ""


def _name_cell(found: pa.Table, expected: pa.Table, done: int) -> str:
    """
    Name the first row that differs, and the first column in it.
    """
    best: tuple[int, str, Any, Any] | None = None
    for name in found.column_names:
        pair = (found[name].to_pylist(), expected[name].to_pylist())
        row = next((n for n, (a, b) in enumerate(zip(*pair, strict=True)) if a != b), None)
        if row is not None and (best is None or row < best[0]):
            best = (row, name, pair[0][row], pair[1][row])
    if best is None:
        return ""
    row, name, value, right = best
    about = ""
    if "account_id" in expected.column_names:
        about = f" (account {expected['account_id'][row].as_py()})"
    return (
        f"row {done + row + 1}{about}: {name} is {_show(value)}, and {_show(right)} follows from the "
        "raw reports"
    )


def compare_summaries(replica: Replica) -> Iterator[str]:
    """
    Yield where the stored totals differ from the derived ones: the first field that does.
    """
    path = replica.source.folder / "summary.json"
    content = read_regular(path, limit_size("summary.json"))
    derived = encode(replica.summary)
    if content == derived:
        return
    stored, right = decode_json(content, "summary.json"), decode_json(derived, "summary.json")
    place = _find_field(stored, right)
    if place is None:
        yield "summary.json: says what follows from the raw reports, but not as orgproof writes it"
        return
    field, value, expected = place
    yield (
        f"summary.json: {field} is {_show(value)}, and {_show(expected)} follows from the raw reports"
        f"{describe_version(stored)}"
    )


def describe_version(stored: object) -> str:
    """
    Say by which version evidence was made, where it was another than this.
    """
    version = stored.get("tool_version") if isinstance(stored, dict) else None
    if not isinstance(version, str) or version == __version__:
        return ""
    return (
        f" by orgproof {__version__}; it was made by {version[:40]}, so verify it with that version"
    )


_MISSING = object()


def _find_field(stored: Any, derived: Any, where: str = "") -> tuple[str, Any, Any] | None:  # noqa: ANN401 - JSON values
    # `True == 1` in Python, and not in evidence.
    if type(stored) is not type(derived):
        return where or "it", stored, derived
    if isinstance(stored, dict):
        pairs: Any = (
            (str(key), stored.get(key, _MISSING), derived.get(key, _MISSING))
            for key in sorted({*stored, *derived})
        )
    elif isinstance(stored, list):
        pairs = (
            (str(number), value, right)
            for number, (value, right) in enumerate(
                zip_longest(stored, derived, fillvalue=_MISSING)
            )
        )
    else:
        return None if stored == derived else (where or "it", stored, derived)
    for key, value, right in pairs:
        if found := _find_field(value, right, f"{where}.{key}" if where else key):
            return found
    return None


def _show(value: object) -> str:
    if value is _MISSING:
        return "missing"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
