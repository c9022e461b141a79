"""
The tables as JSON Lines: one object for each row, with a JSON Schema of it beside each file.

Every value is exactly as stored; a missing one is null and never left out. Times are ISO 8601 in UTC. Lines are plain
ASCII, with everything else escaped: so a direction mark in a name is read and not obeyed, and no program takes an odd
line break in one for the end of a line.
"""

import json
from pathlib import Path

from scanner.evidence import StoredRun
from scanner.evidence.store import create_file, write_file
from scanner.reports.batches import TABLES, list_values
from scanner.reports.naming import claim
from scanner.reports.schemas import write_schema

_TABLES = ("findings", "accounts", "users", "controls")
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def render_jsonl(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write findings.jsonl, accounts.jsonl, users.jsonl and controls.jsonl, and `.schema.json` beside each.

    See `Renderer`.
    """
    lines = {name: claim(folder / f"{name}.jsonl") for name in _TABLES}
    schemas = {name: claim(folder / f"{name}.jsonl.schema.json") for name in _TABLES}
    for name, path in lines.items():
        _write_lines(run, name, path)
        write_file(schemas[name], write_schema(name))
    return [*lines.values(), *schemas.values()]


def _write_lines(run: StoredRun, name: str, path: Path) -> None:
    columns, batches = TABLES[name](run)
    with create_file(path) as file:
        for batch in batches:
            rows = zip(*(list_values(column) for column in batch.columns), strict=True)
            lines = (_encode(dict(zip(columns, row, strict=True))) for row in rows)
            file.write("".join(f"{line}\n" for line in lines).encode())
