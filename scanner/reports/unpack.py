"""
Takes the figures out of a workbook or a PDF that nobody has reason to trust. Runs as a program, confined.

    python unpack.py xlsx < orgproof-2026-Q4.xlsx
    python unpack.py pdf SEAL < orgproof-2026-Q4.pdf
    python unpack.py annex SEAL < orgproof-2026-Q4-annex-01.pdf

It prints one JSON object, with `problem` where the document cannot be read or holds what orgproof never
writes. `scanner.evidence.quarantine` starts it, with limits; it imports nothing of ours, so that it starts
quickly and a document that takes it over finds nothing.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, BinaryIO
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

PAGES = frozenset({"Summary", "Method"})
"""
The sheets that are read and not filtered: their rows are taken one by one. The others are tables.
"""

TEXT_PAGES = 8
"""
Of how many of a PDF's first pages the text is read: its totals stand there. A page takes 50 ms.
"""

ANNEX_PAGES = 2
"""
Of how many of an annex volume's first pages the text is read: it says on the first what it holds.
"""

_PARTS = 2_000
_RATIO = 400
_HEADERS = 30 + 46
_PAGE_ROWS = 20_000
_BLOCK = 500
_KNOWN_PARTS = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(app|core)\.xml|xl/(workbook|styles|sharedStrings)\.xml|"
    r"xl/_rels/workbook\.xml\.rels|xl/theme/theme1\.xml|xl/worksheets/sheet\d+\.xml|"
    r"xl/worksheets/_rels/sheet\d+\.xml\.rels|xl/tables/table\d+\.xml",
    re.ASCII,
)
_NUMBERED = re.compile(r"(.+) \d+", re.ASCII)


class DocumentError(Exception):
    """
    That a document cannot be read, or holds what orgproof never writes.
    """


def main() -> None:
    """
    Read standard input, and print what was found as JSON.
    """
    kind, *words = sys.argv[1:]
    try:
        with open(0, "rb", closefd=False) as file:
            pages = ANNEX_PAGES if kind == "annex" else TEXT_PAGES
            found = read_workbook(file) if kind == "xlsx" else read_pdf(file, words, pages)
    except DocumentError as exc:
        found = {"problem": str(exc)}
    except (MemoryError, RecursionError):
        sys.exit(3)
    except Exception as exc:  # noqa: BLE001 - openpyxl and pypdf raise anything on damaged files
        found = {"problem": f"cannot be read ({type(exc).__name__})"}
    sys.stdout.write(json.dumps(found))


def read_workbook(file: BinaryIO) -> dict[str, Any]:
    """
    Return a workbook's sheets: `pages` row by row, and of `tables` the columns, rows and a digest of each column.
    """
    check_archive(file)
    file.seek(0)
    from openpyxl import load_workbook  # noqa: PLC0415 - the other kind of document has no use for it

    workbook = load_workbook(file, read_only=True, keep_links=False)
    pages: dict[str, list[list[str]]] = {}
    tables: dict[str, TableDigest] = {}
    for sheet in workbook.worksheets:
        if sheet.sheet_state != "visible":
            raise DocumentError(f"sheet {sheet.title[:60]!r} is hidden")
        sheet.reset_dimensions()
        rows = (tuple(map(_take_value, row)) for row in sheet.iter_rows())
        if sheet.title in PAGES:
            pages[sheet.title] = list(_list_page(rows))
            continue
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
    return {"pages": pages, "tables": described}


def check_archive(file: BinaryIO) -> None:
    """
    Refuse a zip file that unfolds to more than a workbook can, or whose parts define entities.
    """
    size = file.seek(0, 2)
    try:
        with ZipFile(file) as archive:
            parts = archive.infolist()
            _check_parts(parts, size)
            for part in parts:
                with archive.open(part) as content:
                    _check_prolog(part.filename, content)
    except (BadZipFile, NotImplementedError, EOFError) as exc:
        raise DocumentError("is no workbook: its zip file is damaged") from exc


def _check_parts(parts: list[ZipInfo], size: int) -> None:
    names = [part.filename for part in parts]
    if len(parts) > _PARTS or len({name.casefold() for name in names}) != len(names):
        raise DocumentError("holds too many parts, or one of them twice")
    for part in parts:
        if not _KNOWN_PARTS.fullmatch(part.filename):
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


def read_pdf(file: BinaryIO, words: list[str], pages: int = TEXT_PAGES) -> dict[str, Any]:
    """
    Return a PDF's first `pages` pages and its last as text, and what is attached.

    `lacking` holds the pages on which one of `words` is missing, `miscounted` those that do not say which page of
    how many they are.
    """
    from pypdf import PdfReader  # noqa: PLC0415 - the other kind of document has no use for it

    reader = PdfReader(file)
    if reader.is_encrypted:
        raise DocumentError("is encrypted")
    number = len(reader.pages)
    texts, lacking, miscounted = [], [], []
    # The last page too: whoever cuts a document short, or adds to it, changes that one.
    for index in sorted({*range(min(number, pages)), number - 1}):
        text = reader.pages[index].extract_text()[:100_000]
        texts.append(text)
        squeezed = "".join(text.split())
        if any(word not in squeezed for word in words):
            lacking.append(index + 1)
        if f"Page{index + 1}of{number}" not in squeezed:
            miscounted.append(index + 1)
    attached = {
        name[:200]: [
            {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for content in contents
        ]
        for name, contents in reader.attachments.items()
    }
    actions = [
        name
        for name in ("/OpenAction", "/AA")
        if name in reader.root_object and _acts(reader, name)
    ]
    return {
        "pages": number,
        "texts": texts,
        "lacking": lacking,
        "miscounted": miscounted,
        "attached": attached,
        "actions": actions,
    }


def _acts(reader: Any, name: str) -> bool:  # noqa: ANN401 - pypdf's reader
    # A destination to open at is a list, and does nothing.
    return not isinstance(reader.root_object[name], list)


if __name__ == "__main__":
    main()
