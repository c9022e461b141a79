"""
Takes the figures out of a workbook that nobody has reason to trust. Runs as a program, confined.

    python unpack.py xlsx < orgproof-2026-Q4.xlsx
    python unpack.py notes < orgproof-2026-Q4.xlsx

It prints one JSON object, with `problem` where the document cannot be read or holds what orgproof never
writes. `scanner.evidence.quarantine` starts it, with limits; it imports nothing of ours, so that it starts
quickly and a document that takes it over finds nothing.
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, BinaryIO
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

PAGES = frozenset({"Summary", "Method"})
"""
The sheets that are read and not filtered: their rows are taken one by one. The others are tables.
"""

_PARTS = 2_000
_RATIO = 400
_HEADERS = 30 + 46
_PAGE_ROWS = 20_000
_BLOCK = 500
_KNOWN_PARTS = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(app|core)\.xml|xl/(workbook|styles|sharedStrings)\.xml|"
    r"xl/_rels/workbook\.xml\.rels|xl/theme/theme1\.xml|xl/worksheets/sheet\d+\.xml|"
    r"xl/worksheets/_rels/sheet\d+\.xml\.rels|xl/tables/table\d+\.xml|xl/drawings/drawing\d+\.xml|"
    r"xl/drawings/_rels/drawing\d+\.xml\.rels|xl/charts/chart\d+\.xml",
    re.ASCII,
)
_SHEET_PART = re.compile(r"xl/worksheets/sheet\d+\.xml", re.ASCII)
_XML_PART = re.compile(r".*\.(xml|rels|vml)", re.ASCII | re.IGNORECASE | re.DOTALL)

_CHUNK = 1024 * 1024
_MOST_BESIDE_ROWS = 64 * 1024 * 1024
_ROWS_BEGIN, _ROWS_END = b"<sheetData>", b"</sheetData>"
_STRANGE = re.compile(rb'<(?!/?(?:c|v|is|t|f)[ />]|/row>|row r="[0-9]+">)[^>]*')
"""
What can stand among rows and says more than the values of cells: a row that is hidden, or no row at all.
"""

_NOTES_SHEET = re.compile(r"(findings|notes left over)( [0-9]+)?", re.ASCII)
_ABOUT = ("account_id", "user", "check")
_WRITTEN = ("status", "assignee", "note")
_NEEDED = ("finding_id", *_WRITTEN)
_WHY, _VERDICT = "why", "verdict"
"""
Columns that tell the sheet of notes that were left over from one of findings.
"""

_HEADER_ROWS = 50
_MOST_NOTES = 500_000
_LONGEST = 32_767
_CODE = re.compile("_x([0-9A-Fa-f]{4})_")
_NUMBERED = re.compile(r"(.+) \d+", re.ASCII)


class DocumentError(Exception):
    """
    That a document cannot be read, or holds what orgproof never writes.
    """


def main() -> None:
    """
    Read standard input, and print what was found as JSON.
    """
    kind = sys.argv[1]
    try:
        with open(0, "rb", closefd=False) as file:
            found = _READERS[kind](file)
    except DocumentError as exc:
        found = {"problem": str(exc)}
    except (MemoryError, RecursionError):
        sys.exit(3)
    except Exception as exc:  # noqa: BLE001 - openpyxl raises anything on damaged files
        found = {"problem": f"cannot be read ({type(exc).__name__})"}
    sys.stdout.write(json.dumps(found))


def read_workbook(file: BinaryIO) -> dict[str, Any]:
    """
    Return a workbook's sheets: `pages` row by row, and of `tables` the columns, rows and a digest of each column.

    `sheets` holds a digest of everything on a sheet but a table's rows: links, formats, rules, settings. `parts`
    holds one of every other part of the file: charts, styles, what leads where.
    """
    check_archive(file)
    file.seek(0)
    from openpyxl import load_workbook  # noqa: PLC0415 - nothing of it is loaded before there are limits

    workbook = load_workbook(file, read_only=True, keep_links=False)
    pages: dict[str, list[list[str]]] = {}
    tables: dict[str, TableDigest] = {}
    paths: dict[str, str] = {}
    worksheets: list[Any] = list(workbook.worksheets)
    for sheet in worksheets:
        if sheet.sheet_state != "visible":
            raise DocumentError(f"sheet {sheet.title[:60]!r} is hidden")
        paths[sheet.title] = sheet._worksheet_path.lstrip("/")  # noqa: SLF001 - nothing else says it
        sheet.reset_dimensions()
        if sheet.title in PAGES:
            pages[sheet.title] = list(_list_page(tuple(map(take_formula, r)) for r in sheet.rows))
            continue
        rows = (tuple(map(_take_value, row)) for row in sheet.rows)
        split = _NUMBERED.fullmatch(sheet.title)
        title = split[1] if split else sheet.title
        header = [spell(value) for value in next(rows, ())]
        table = tables.setdefault(title, TableDigest(header))
        if table.columns != header:
            raise DocumentError(
                f"sheet {sheet.title[:60]!r} has other columns than the one before it"
            )
        table.add(rows)
    if len(workbook.sheetnames) != len(workbook.worksheets):
        raise DocumentError("holds sheets that are no tables")
    described = {title: table.describe() for title, table in tables.items()}
    return {"pages": pages, "tables": described, **_digest_parts(file, paths)}


def _digest_parts(file: BinaryIO, paths: dict[str, str]) -> dict[str, Any]:
    """
    Return the digests `sheets`, by title, and `parts`, by name, of which the sheets' have none here.
    """
    file.seek(0)
    with ZipFile(file) as archive:
        parts = {
            name: "" if _SHEET_PART.fullmatch(name) else _digest_xml(name, archive.read(name))
            for name in archive.namelist()
        }
        sheets = {}
        for title, path in paths.items():
            with archive.open(path) as content:
                skeleton = content.read() if title in PAGES else _take_skeleton(content)
            sheets[title] = _digest_xml(path, skeleton)
    return {"parts": parts, "sheets": sheets}


def _digest_xml(name: str, content: bytes) -> str:
    from xml.etree.ElementTree import ParseError, canonicalize  # noqa: PLC0415 - as in read_workbook

    try:
        # With their own prefixes they would depend on what else this process has loaded.
        text = canonicalize(content.decode("utf-8"), rewrite_prefixes=True)
    except (ParseError, UnicodeDecodeError) as exc:
        raise DocumentError(f"{name} is no XML that orgproof writes") from exc
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _take_skeleton(content: Any) -> bytes:  # noqa: ANN401 - a file in an archive
    """
    Return a sheet's XML without its rows, but with whatever is among them and is no plain row.
    """
    kept, buffer, is_among_rows = bytearray(), b"", False
    while chunk := content.read(_CHUNK):
        buffer += chunk
        if not is_among_rows and _ROWS_BEGIN in buffer:
            head, _, buffer = buffer.partition(_ROWS_BEGIN)
            kept += head + _ROWS_BEGIN
            is_among_rows = True
        if is_among_rows:
            rows, end, rest = buffer.partition(_ROWS_END)
            if end:
                for found in _STRANGE.findall(rows):
                    kept += b"<strange>" + found.hex().encode() + b"</strange>"
                return _keep(kept, end + rest + content.read(_MOST_BESIDE_ROWS + 1))
            # A tag that is not whole yet waits for the next chunk.
            cut = buffer.rfind(b"<")
            for found in _STRANGE.findall(buffer[:cut]):
                kept += b"<strange>" + found.hex().encode() + b"</strange>"
            buffer = buffer[cut:]
        _keep(kept, b"")
    return _keep(kept, buffer)


def _keep(kept: bytearray, more: bytes) -> bytes:
    if len(kept) + len(more) > _MOST_BESIDE_ROWS:
        raise DocumentError("has more beside its rows than orgproof writes")
    return bytes(kept) + more


def read_notes(file: BinaryIO) -> dict[str, Any]:
    """
    Return, as `rows`, what people wrote beside findings, by the names of the columns; rows without are left out.

    The workbook may have been saved by any program, in any order, with rows hidden and sheets added.
    """
    check_archive(file, is_ours=False)
    file.seek(0)
    from openpyxl import load_workbook  # noqa: PLC0415 - as in read_workbook

    workbook = load_workbook(file, read_only=True, keep_links=False)
    found: list[dict[str, str]] = []
    seen = False
    for sheet in workbook.worksheets:
        sheet.reset_dimensions()
        rows = sheet.iter_rows(values_only=True)
        header = _find_header(rows)
        if not _holds_notes(sheet.title, header):
            continue
        seen = seen or _WHY not in header or _VERDICT in header
        found += _list_notes(
            rows, {name: header.index(name) for name in (*_NEEDED, *_ABOUT) if name in header}
        )
        if len(found) > _MOST_NOTES:
            raise DocumentError(f"holds more than {_MOST_NOTES:,} notes")
    if not seen:
        raise DocumentError(
            "has no sheet Findings with the columns finding_id, status, assignee and note"
        )
    return {"rows": found}


def _find_header(rows: Iterator[tuple[object, ...]]) -> list[str]:
    """
    Read up to the row of headers, and return their names; none where there is no such row.
    """
    best: list[str] = []
    for row in islice(rows, _HEADER_ROWS):
        names = [value.strip().casefold() if isinstance(value, str) else "" for value in row]
        if "finding_id" in names:
            return names
        if sum(name in names for name in _WRITTEN) > sum(name in best for name in _WRITTEN):
            best = names
    return best


def _holds_notes(title: str, header: list[str]) -> bool:
    """
    Say whether a sheet holds notes. Raises where it should, and a column is not there or there twice.

    A sheet of any title does that has one of the columns that people fill in beside `finding_id`.
    """
    ours = _NOTES_SHEET.fullmatch(title.strip().casefold())
    if not ours and not ("finding_id" in header and any(name in header for name in _WRITTEN)):
        return False
    for name in _NEEDED:
        if name not in header:
            raise DocumentError(
                f"sheet {title[:60]!r} has no column {name}: give its header back its name, or take out the "
                "sheet if it holds no notes"
            )
        if header.count(name) > 1:
            raise DocumentError(f"sheet {title[:60]!r} has two columns {name}: rename one of them")
    return True


def _list_notes(
    rows: Iterator[tuple[object, ...]], places: dict[str, int]
) -> Iterator[dict[str, str]]:
    """
    Yield the rows in which something is written. A column that says whom a row is about is there even if empty.
    """
    for row in rows:
        texts = {
            name: _write_text(row[place]) if place < len(row) else ""
            for name, place in places.items()
        }
        if any(texts[name] for name in _WRITTEN):
            yield {name: text for name, text in texts.items() if text or name in _ABOUT}


def _write_text(value: object) -> str:
    """
    Write a cell's value as a person reads it, and a formula as its own text. Excel's codes become characters.
    """
    match value:
        case None:
            text = ""
        case bool():
            text = str(value).upper()
        case float() if value.is_integer():
            text = str(int(value))
        case datetime():
            text = value.isoformat(" ", "minutes")
        case _:
            text = getattr(value, "text", None) or str(value)
    text = _CODE.sub(lambda match: chr(int(match[1], 16)), text[:_LONGEST])
    # Codes name characters beyond the first 65,536 in two halves; one half alone is no character.
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\r\n", "\n").strip()


def check_archive(file: BinaryIO, *, is_ours: bool = True) -> None:
    """
    Refuse a zip file that unfolds to more than a workbook can, or whose parts define entities.

    `is_ours` refuses whatever orgproof never writes as well; other programs add parts of their own.
    """
    size = file.seek(0, 2)
    try:
        with ZipFile(file) as archive:
            parts = archive.infolist()
            _check_parts(parts, size, is_ours=is_ours)
            for part in parts:
                if is_ours or _XML_PART.fullmatch(part.filename):
                    with archive.open(part) as content:
                        _check_prolog(part.filename, content)
    except (BadZipFile, NotImplementedError, EOFError) as exc:
        raise DocumentError("is no workbook: its zip file is damaged") from exc


def _check_parts(parts: list[ZipInfo], size: int, *, is_ours: bool) -> None:
    names = [part.filename for part in parts]
    if len(parts) > _PARTS or len({name.casefold() for name in names}) != len(names):
        raise DocumentError("holds too many parts, or one of them twice")
    for part in parts:
        if is_ours and not _KNOWN_PARTS.fullmatch(part.filename):
            raise DocumentError(f"holds {part.filename[:80]!r}, which orgproof never writes")
        if part.flag_bits & 1 or part.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise DocumentError(f"{part.filename} is packed as orgproof never does")
    # Parts that overlap are how a small file unfolds to terabytes: each needs its bytes and two headers.
    if sum(part.compress_size + _HEADERS + 2 * len(part.filename) for part in parts) > size:
        raise DocumentError("is a zip bomb: its parts overlap")
    unfolded = sum(part.file_size for part in parts)
    if unfolded > _RATIO * size:
        raise DocumentError(f"is a zip bomb: {size:,} bytes would unfold to {unfolded:,}")


def _check_prolog(name: str, content: Any) -> None:  # noqa: ANN401 - a file in an archive
    """
    Read XML up to its first element: a document type can only stand before it.
    """
    started = False

    def refuse(*_: object) -> None:
        raise DocumentError(f"{name} has a document type, which can define entities without end")

    def stop(*_: object) -> None:
        nonlocal started
        started = True

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = stop
    read = 0
    try:
        while not started and (chunk := content.read(4096)):
            parser.Parse(chunk)
            read += len(chunk)
            if read > 1024 * 1024:
                break
    except expat.ExpatError as exc:
        raise DocumentError(f"{name} is no XML") from exc
    if not started:
        raise DocumentError(f"{name} holds no XML element where one belongs")


def _take_value(cell: Any) -> object:  # noqa: ANN401 - openpyxl's read-only cells
    if cell.value is not None and cell.data_type in {"f", "e"}:
        raise DocumentError(
            f"{cell.coordinate} holds a formula or an error, which orgproof never writes"
        )
    return cell.value


class Formula(str):
    """
    A formula, which is not the text that it looks like.
    """

    __slots__ = ()


def take_formula(cell: Any) -> object:  # noqa: ANN401 - as above
    """
    Return a cell's value, a formula as `Formula`.
    """
    if cell.value is None or cell.data_type not in {"f", "e"}:
        return cell.value
    # A formula over several cells is no text, and nothing that orgproof writes.
    return Formula(cell.value if isinstance(cell.value, str) else type(cell.value).__name__)


def _list_page(rows: Iterable[tuple[object, ...]]) -> Iterator[list[str]]:
    for number, row in enumerate(rows):
        if number >= _PAGE_ROWS:
            raise DocumentError("has more rows on a page than orgproof writes")
        spelled = [spell(value) for value in row]
        while spelled and spelled[-1] == spell(None):
            spelled.pop()
        yield spelled


def spell(value: object) -> str:
    """
    Write a cell's value as text that no value of another kind has. Times are whole seconds.
    """
    if value is None or value == "":
        return "-"
    match value:
        case Formula():
            spelled = f"f{value}"
        case str():
            spelled = f"s{value}"
        case bool():
            spelled = f"b{int(value)}"
        case int() | float() if value == int(value):
            spelled = f"n{int(value)}"
        case datetime():
            whole = (value + timedelta(milliseconds=500)).replace(microsecond=0, tzinfo=None)
            spelled = f"t{whole.isoformat()}"
        case _:
            spelled = f"?{value!r}"
    return spelled


class TableDigest:
    """
    A table's columns, its number of rows, and a SHA-256 over the values of each column.
    """

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns
        self.rows = 0
        self._digests = [hashlib.sha256() for _ in columns]

    def add(self, rows: Iterable[tuple[object, ...]]) -> None:
        """
        Take rows in, or raise `DocumentError` for one that has more values than there are columns.
        """
        width = len(self.columns)
        block: list[list[str]] = []
        for row in rows:
            spelled = [spell(value) for value in row]
            if len(spelled) > width and any(value != "-" for value in spelled[width:]):
                raise DocumentError(f"a row has {len(spelled)} values under {width} columns")
            spelled += ["-"] * (width - len(spelled))
            block.append(spelled)
            self.rows += 1
            if len(block) == _BLOCK:
                self._digest(block)
                block = []
        self._digest(block)

    def _digest(self, block: list[list[str]]) -> None:
        if not block:
            return
        columns = zip(*(row[: len(self._digests)] for row in block), strict=True)
        for digest, values in zip(self._digests, columns, strict=True):
            digest.update(("\x1e".join(values) + "\x1e").encode("utf-8", "surrogatepass"))

    def describe(self) -> dict[str, Any]:
        """
        Return all of it as JSON values.
        """
        digests = [digest.hexdigest() for digest in self._digests]
        return {"columns": self.columns, "rows": self.rows, "digests": digests}


_READERS: dict[str, Callable[[BinaryIO], dict[str, Any]]] = {
    "xlsx": read_workbook,
    "notes": read_notes,
}


if __name__ == "__main__":
    main()
