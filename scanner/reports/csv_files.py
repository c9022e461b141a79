"""
The tables as CSV: for spreadsheets and for scripts that read text, each of them twice.

Both are RFC 4180, with a comma and lines ended by CR LF. Times are ISO 8601 in UTC, booleans `true` and `false`.

- `findings.csv` and so on are for people and their spreadsheets: with a byte order mark, every field quoted, a
  missing value empty. Names are made visible and can never be formulas, so a value may differ from AWS's in
  those characters.
- `findings-exact.csv` and so on are for programs: UTF-8 without a byte order mark, every value exactly as stored,
  line breaks inside quotes. A missing value is an empty field without quotes, and empty text is `""`. A
  spreadsheet would compute what is a formula there.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.model import mend
from scanner.reports.batches import TABLES, is_text, is_word, spell
from scanner.reports.naming import claim
from scanner.reports.tables import Row
from scanner.reports.text import guard_formula, make_visible
from scanner.reports.wording import format_iso

EXACT = "-exact"
"""
What the names of the files end in that hold exact values.
"""

Texts = list[str | None]


def render_csv(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write findings.csv, accounts.csv, users.csv, controls.csv, acceptances.csv and changes.csv, and exact twins.

    See `Renderer`. The last two hold their header alone where there are no accepted risks, or there is no
    previous run.
    """
    paths = [
        (claim(folder / f"{name}.csv"), claim(folder / f"{name}{EXACT}.csv")) for name in TABLES
    ]
    for (guarded, exact), read in zip(paths, TABLES.values(), strict=True):
        columns, batches = read(run)
        with ExitStack() as stack:
            plain, twin = (stack.enter_context(create_file(path)) for path in (guarded, exact))
            _write_both(plain, twin, columns, batches)
    return [path for pair in paths for path in pair]


def draw_table(run: StoredRun, name: str, limit: int) -> bytes | None:
    """
    Return the bytes of one of the files for people, such as `findings`, or None when they are more than `limit`.
    """
    file = _Limited(limit)
    columns, batches = TABLES[name](run)
    try:
        write_rows(file, columns, (row for batch in batches for row in _guard_batch(batch)))
    except _LimitReachedError:
        return None
    return file.getvalue()


class _LimitReachedError(Exception):
    """
    There are more bytes than were asked for.
    """


class _Limited(io.BytesIO):
    """
    A file in memory that stops whoever writes too much, long before memory ends.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, content: Any, /) -> int:  # noqa: ANN401 - what `io.BytesIO` takes
        """
        Take more bytes. See `io.BytesIO.write`.
        """
        written = super().write(content)
        if self.tell() > self._limit:
            raise _LimitReachedError
        return written


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """
    Write rows for people, one for each line. See `scanner.reports.tables` for values.
    """
    with create_file(path) as file:
        write_rows(file, columns, ([_format(value) for value in row] for row in rows))


def write_rows(file: BinaryIO, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """
    Write rows of guarded text into an open file, as files for people are written.
    """
    # Excel reads UTF-8 as another encoding unless the byte order mark is there.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    try:
        writer.writerow(columns)
        writer.writerows(rows)
    finally:
        text.detach()


def _write_both(
    guarded: BinaryIO, exact: BinaryIO, columns: Sequence[str], batches: Iterable[pa.Table]
) -> None:
    """
    Write a table for people and exactly, in one pass over its batches.
    """
    _write_exact(exact, [[name] for name in columns])

    def pass_on() -> Iterator[Sequence[str]]:
        for batch in batches:
            spelled = [spell(column) for column in batch.columns]
            _write_exact(exact, spelled)
            yield from _guard_batch(batch, spelled)

    write_rows(guarded, columns, pass_on())


def _write_exact(file: BinaryIO, columns: Sequence[Texts]) -> None:
    quoted = (["" if value is None else _quote(value) for value in column] for column in columns)
    lines = "".join(f"{','.join(row)}\r\n" for row in zip(*quoted, strict=True))
    try:
        file.write(lines.encode())
    except UnicodeEncodeError:  # half a surrogate pair, which is no character and cannot be UTF-8
        file.write(mend(lines).encode())


def _quote(value: str) -> str:
    return f'"{value}"' if '"' not in value else '"' + value.replace('"', '""') + '"'


def _guard_batch(
    batch: pa.Table, spelled: Sequence[Texts] | None = None
) -> Iterator[Sequence[str]]:
    texts = [spell(column) for column in batch.columns] if spelled is None else spelled
    guarded = [
        _guard_column(column, values) for column, values in zip(batch.columns, texts, strict=True)
    ]
    return zip(*guarded, strict=True)


def _guard_column(column: pa.ChunkedArray, texts: Texts) -> list[str]:
    if not is_text(column):
        return [text or "" for text in texts]
    if is_word(column):
        known = {text: _guard(text) for text in set(texts)}
        return [known[text] for text in texts]
    return [_guard(text) for text in texts]


def _guard(text: str | None) -> str:
    return "" if text is None else guard_formula(make_visible(text))


def _format(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return _guard(value)
        case bool():
            return "true" if value else "false"
        case datetime():
            return format_iso(value)
        case _:
            return str(value)
