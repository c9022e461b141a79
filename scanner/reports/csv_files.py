"""
The four tables as CSV: for spreadsheets and for scripts that read text.

RFC 4180 with a byte order mark, every field quoted, lines ended by CR LF. Times are ISO 8601 in UTC,
booleans `true` and `false`, and a missing value is empty. Names are made visible and can never be
formulas, so a value may differ from AWS's in those characters: the Parquet tables and the JSON
document hold the exact ones.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.reports.naming import claim
from scanner.reports.tables import Row, list_rows, list_user_columns, stream_users
from scanner.reports.text import guard_formula, make_visible
from scanner.reports.wording import format_iso


def render_csv(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write findings.csv, accounts.csv, users.csv and controls.csv. See `Renderer`.
    """
    names = ("findings", "accounts", "users", "controls")
    paths = {name: claim(folder / f"{name}.csv") for name in names}
    frames = {"findings": run.findings(), "accounts": run.accounts(), "controls": run.controls()}
    for name, path in paths.items():
        if name == "users":
            _write(path, list_user_columns(run), stream_users(run))
        else:
            frame = frames[name]
            _write(path, [str(column) for column in frame.columns], list_rows(frame))
    return list(paths.values())


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with create_file(path) as file:
        # Excel reads UTF-8 as another encoding unless the byte order mark is there.
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        try:
            writer.writerow(columns)
            writer.writerows([_format(value) for value in row] for row in rows)
        finally:
            text.detach()


def _format(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return guard_formula(make_visible(value))
        case bool():
            return "true" if value else "false"
        case datetime():
            return format_iso(value)
        case _:
            return str(value)
