"""
The evidence's totals and tables as one JSON document, every value exactly as stored.

For machines: names are not made visible here, and nothing is guarded against spreadsheets.
"""

import json
from datetime import datetime
from pathlib import Path

import pandas as pd

from scanner.evidence import StoredRun
from scanner.evidence.store import write_file
from scanner.records import encode
from scanner.reports.naming import claim, name_document
from scanner.reports.tables import list_records, select_changes
from scanner.reports.wording import format_iso


def render_json(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write `orgproof-<period>.json`: summary, accounts, findings, controls, changes and the seal.

    See `Renderer`. Scopes, accepted risks, the previous run and the trend are in the summary. Users can be
    a hundred thousand, so the document says where they are instead.
    """
    path = claim(folder / name_document(run.summary, "json"))
    document = {
        "format": 1,
        "manifest_sha256": run.manifest_sha256,
        "summary": json.loads(encode(run.summary)),
        "accounts": _list_plain(run.accounts()),
        "findings": _list_plain(run.findings()),
        "controls": _list_plain(run.controls()),
        "changes": _list_plain(select_changes(run)),
        "users_are_in": ["tables/users.parquet", "users.csv"],
    }
    write_file(path, encode(document))
    return [path]


def _list_plain(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [
        {name: _to_json(value) for name, value in record.items()} for record in list_records(frame)
    ]


def _to_json(value: object) -> object:
    return format_iso(value) if isinstance(value, datetime) else value
