"""
Reports that are not what AWS sends: each fault takes a good report and returns a bad one. Pure.
"""

import csv
import io
from collections.abc import Callable

from scanner.model import ROOT_USER
from scanner.simulator.kinds import FaultKind

Rows = list[list[str]]


def tamper(kind: FaultKind, content: bytes, *, foreign_id: str) -> bytes:
    """
    Return the report as the fault leaves it. `foreign_id` is another account of the organization.
    """
    if kind is FaultKind.CSV_FOREIGN:
        own_id = _read(content)[1][1].split(":")[4]
        return content.replace(own_id.encode(), foreign_id.encode())
    return _CHANGES[kind](content)


def _cut_in_a_row(content: bytes) -> bytes:
    # In the middle of the last line, past its ARN: what is left of it is too short a row.
    start = content.rindex(b"\n") + 1
    return content[: start + (len(content) - start) * 2 // 3]


def _cut_between_rows(content: bytes) -> bytes:
    lines = content.split(b"\n")
    return b"\n".join(lines[: max(2, len(lines) // 2)])


def _drop_content(_content: bytes) -> bytes:
    return b""


def _keep_header(content: bytes) -> bytes:
    return content.split(b"\n", 1)[0]


def _drop_root(content: bytes) -> bytes:
    return _write([row for row in _read(content) if row[0] != ROOT_USER])


def _drop_column(content: bytes) -> bytes:
    rows = _read(content)
    column = rows[0].index("mfa_active")
    return _write([row[:column] + row[column + 1 :] for row in rows])


def _add_column(content: bytes) -> bytes:
    # The guide describes this column; live reports of September 2026 lacked it.
    header, *rows = _read(content)
    return _write([[*header, "additional_credentials_info"], *([*row, ""] for row in rows)])


def _widen_row(content: bytes) -> bytes:
    rows = _read(content)
    rows[-1] = [*rows[-1], "false"]
    return _write(rows)


def _break_encoding(content: bytes) -> bytes:
    return content + b"\xff\xfe"


def _write_nonsense(content: bytes) -> bytes:
    rows = _read(content)
    rows[-1][rows[0].index("password_enabled")] = "MAYBE"
    return _write(rows)


def _quote_all(content: bytes) -> bytes:
    return _write(_read(content), quoting=csv.QUOTE_ALL)


def _quote_nothing(content: bytes) -> bytes:
    return "\n".join(",".join(row) for row in _read(content)).encode()


_CHANGES: dict[FaultKind, Callable[[bytes], bytes]] = {
    FaultKind.CSV_TRUNCATED: _cut_in_a_row,
    FaultKind.CSV_HALF: _cut_between_rows,
    FaultKind.CSV_EMPTY: _drop_content,
    FaultKind.CSV_HEADER_ONLY: _keep_header,
    FaultKind.CSV_NO_ROOT: _drop_root,
    FaultKind.CSV_MISSING_COLUMN: _drop_column,
    FaultKind.CSV_EXTRA_COLUMN: _add_column,
    FaultKind.CSV_WIDE_ROW: _widen_row,
    FaultKind.CSV_NOT_UTF8: _break_encoding,
    FaultKind.CSV_BAD_VALUES: _write_nonsense,
    FaultKind.CSV_QUOTED: _quote_all,
    FaultKind.CSV_UNQUOTED: _quote_nothing,
}


def _read(content: bytes) -> Rows:
    return list(csv.reader(io.StringIO(content.decode())))


def _write(rows: Rows, quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return text.getvalue().removesuffix("\n").encode()
