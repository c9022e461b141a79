"""
The evidence's totals and tables as one JSON document, every value exactly as stored.

For machines: names are not made visible here, and nothing is guarded against spreadsheets.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pandas as pd

from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.records import encode
from scanner.reports.naming import claim, name_document
from scanner.reports.tables import Row, list_rows, stream_changes, stream_findings
from scanner.reports.wording import format_iso


def render_json(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write `orgproof-<period>.json`: summary, accounts, findings, controls, changes and the seal.

    See `Renderer`. `signed_by` is the id of the key that signed the run, null where it is unsigned. Scopes, accepted
    risks, the previous run and the trend are in the summary. Users can be a hundred thousand, so the document says
    where they are instead.
    """
    path = claim(folder / name_document(run.summary, "json"))
    members = {
        "format": 1,
        "manifest_sha256": run.manifest_sha256,
        "signed_by": run.signed_by,
        "summary": json.loads(encode(run.summary)),
        "accounts": _list_plain(_take(run.accounts())),
        "findings": _list_plain(stream_findings(run)),
        "controls": _list_plain(_take(run.controls())),
        "changes": _list_plain(stream_changes(run)),
        "users_are_in": ["tables/users.parquet", "users.csv"],
    }
    with create_file(path) as file:
        for part in _write_object(members):
            file.write(part)
    return [path]


def _take(frame: pd.DataFrame) -> tuple[list[str], Iterable[Row]]:
    return [str(name) for name in frame.columns], list_rows(frame)


def _list_plain(table: tuple[list[str], Iterable[Row]]) -> Iterator[dict[str, object]]:
    columns, rows = table
    return (dict(zip(columns, map(_to_json, row), strict=True)) for row in rows)


def _write_object(members: Mapping[str, object]) -> Iterator[bytes]:
    """
    Yield what `encode` makes of an object, piece by piece, with members that are written while they are read.
    """
    for number, name in enumerate(sorted(members)):
        yield b"," if number else b"{"
        yield f"\n {json.dumps(name)}: ".encode()
        value = members[name]
        if isinstance(value, Iterator):
            yield from _write_list(value)
        else:
            yield _indent(value, 1)
    yield b"\n}\n"


def _write_list(values: Iterator[object]) -> Iterator[bytes]:
    mark = b"["
    for value in values:
        yield mark + b"\n  " + _indent(value, 2)
        mark = b","
    yield b"[]" if mark == b"[" else b"\n ]"


def _indent(value: object, depth: int) -> bytes:
    # A line feed inside a text is escaped, so every one found here ends a line.
    return encode(value).rstrip(b"\n").replace(b"\n", b"\n" + b" " * depth)


def _to_json(value: object) -> object:
    return format_iso(value) if isinstance(value, datetime) else value
