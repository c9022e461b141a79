"""
Whether two documents say the same, although their bytes differ: drawn by other versions, or signed.

Page by page and cell by cell. How text is set, where lines break and how a file is packed may differ; every
word, number and attached file is the same. Signing a PDF appends to it and changes nothing that was there.
"""

from collections.abc import Callable, Iterable
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

from scanner.evidence.store import read_file
from scanner.model import show
from scanner.reports.unpack import DocumentError, Formula, check_archive, take_formula

_SHOWN = 60


def compare_documents(old: Path, new: Path) -> str | None:
    """
    Return None where two documents have equal content, else the first difference, in words.

    Raises `EvidenceError` when one of them cannot be read from the disk.
    """
    then, now = read_file(old), read_file(new)
    if then == now:
        return None
    compare: Callable[[bytes, bytes], str | None] = {
        ".pdf": _compare_pdfs,
        ".xlsx": _compare_workbooks,
    }.get(new.suffix, _compare_lines)
    return compare(then, now)


def _compare_lines(then: bytes, now: bytes) -> str | None:
    lines = zip_longest(then.splitlines(keepends=True), now.splitlines(keepends=True))
    for number, (before, after) in enumerate(lines, 1):
        if before != after:
            return f"line {number}: {_tell(_decode(before), _decode(after))}"
    return None


def _decode(line: bytes | None) -> str | None:
    return None if line is None else line.decode("utf-8", "backslashreplace").strip("\r\n")


def _compare_pdfs(then: bytes, now: bytes) -> str | None:
    # A signature is appended, and changes no page. So can something else be that does: all of it is read.
    from pypdf import PdfReader  # noqa: PLC0415 - only where bytes differ

    try:
        before, after = PdfReader(BytesIO(then)), PdfReader(BytesIO(now))
        return _compare_pages(before, after) or _compare_attached(before, after)
    except Exception as exc:  # noqa: BLE001 - pypdf raises anything on damaged files
        return f"the earlier one cannot be read as a PDF ({type(exc).__name__})"


def _compare_pages(before: Any, after: Any) -> str | None:  # noqa: ANN401 - pypdf's readers
    pages = zip_longest(before.pages, after.pages)
    for number, (old, new) in enumerate(pages, 1):
        if old is None or new is None:
            return f"{len(before.pages)} pages then, {len(after.pages)} now"
        words = (old.extract_text().split(), new.extract_text().split())
        if "".join(words[0]) != "".join(words[1]):
            return f"page {number}: {_tell(*map(' '.join, words))}"
    return None


def _compare_attached(before: Any, after: Any) -> str | None:  # noqa: ANN401 - as above
    old, new = dict(before.attachments), dict(after.attachments)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            return f"the attached file {show(name)} is not the same"
    return None


def _compare_workbooks(then: bytes, now: bytes) -> str | None:
    from openpyxl import load_workbook  # noqa: PLC0415 - only where bytes differ

    try:
        # Whoever can write to the run folder may have left a bomb there.
        check_archive(BytesIO(then))
        before, after = (
            load_workbook(BytesIO(content), read_only=True, keep_links=False)
            for content in (then, now)
        )
        if before.sheetnames != after.sheetnames:
            sheets = (", ".join(before.sheetnames), ", ".join(after.sheetnames))
            return f"sheets: {_tell(*sheets)}"
        for old, new in zip(before.worksheets, after.worksheets, strict=True):
            if difference := _compare_rows(_list_rows(old), _list_rows(new)):
                return f"sheet {show(new.title)}, {difference}"
    except DocumentError as exc:
        return f"the earlier one {show(str(exc))}"
    except Exception as exc:  # noqa: BLE001 - openpyxl raises anything on damaged files
        return f"the earlier one cannot be read as a workbook ({type(exc).__name__})"
    return None


def _list_rows(sheet: Any) -> Iterable[list[str]]:  # noqa: ANN401 - openpyxl's read-only sheets
    for row in sheet.iter_rows():
        yield [_write_cell(take_formula(cell)) for cell in row]


def _write_cell(value: object) -> str:
    """
    Write a value as text, a formula as no text is written.
    """
    if isinstance(value, Formula):
        return f"formula {value}"
    return "" if value is None else str(value)


def _compare_rows(before: Iterable[list[str]], after: Iterable[list[str]]) -> str | None:
    for number, (old, new) in enumerate(zip_longest(before, after), 1):
        if old is None or new is None:
            rows = (None if row is None else "; ".join(row) for row in (old, new))
            return f"row {number}: {_tell(*rows)}"
        for then, now in zip_longest(old, new, fillvalue=""):
            if then != now:
                return f"row {number}: {_tell(then, now)}"
    return None


def _tell(then: str | None, now: str | None) -> str:
    """
    Say what stands at the first place where two texts part, then and now.
    """
    if then is None or now is None:
        return f"{_quote(then)} then, {_quote(now)} now"
    length = min(len(then), len(now))
    place = next((index for index in range(length) if then[index] != now[index]), length)
    start = max(0, place - _SHOWN // 3)
    return f"{_quote(then[start:])} then, {_quote(now[start:])} now"


def _quote(text: str | None) -> str:
    return "nothing" if text is None else f"'{show(text[:_SHOWN])}'"
