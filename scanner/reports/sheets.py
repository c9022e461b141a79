"""
Sheets of a workbook, streamed row by row, in which text can never become a formula.

openpyxl takes text that starts with `=` for a formula and `#N/A` for an error, refuses control
characters, and cuts long text without a word. So every text is set by `_set_text`, and by nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.filters import AutoFilter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.table import Table, TableColumn, TableStyleInfo

from scanner.reports.tables import Row
from scanner.reports.text import fit_cell, make_visible

ROW_LIMIT = 1_048_575
"""
Rows of data that fit under one header row: Excel's 1,048,576 less one.
"""

# Column names are the same in every format, so that the values are UTC is said in each cell.
TIME_FORMAT = 'yyyy-mm-dd hh:mm" UTC"'

INK, PAPER, RED = "1B2A41", "FFFFFF", "9B1C1C"
FONT = "Calibri"

_PAPER_A4 = "9"
_PAGE_WIDTH = 260.0

_RED_MARK = ("9B1C1C", "FBE9E7")
_AMBER_MARK = ("7A4B00", "FFF4DC")
_MARKS: Mapping[str, tuple[str, str]] = {
    "fail": _RED_MARK,
    "not-collected": _RED_MARK,
    "critical": _RED_MARK,
    "high": _RED_MARK,
    "unknown": _AMBER_MARK,
    "needs-review": _AMBER_MARK,
    "medium": _AMBER_MARK,
    "expired": _RED_MARK,
    "new": _AMBER_MARK,
    "not-scanned": _AMBER_MARK,
    "not-yet": _AMBER_MARK,
    "reopened": _RED_MARK,
}


@dataclass(frozen=True, slots=True)
class Print:
    """
    What stands above and below each printed page. No name from AWS: `&` is a command there.
    """

    header: str
    notice: str
    footer: str


@dataclass(frozen=True, slots=True)
class TableLayout:
    """
    How a table looks: widths by column, and columns coloured by their word.

    `empty` is the row that a table without rows has instead.
    """

    title: str
    columns: Sequence[str]
    empty: str
    widths: Mapping[str, float] = field(default_factory=dict)
    marked: frozenset[str] = frozenset()


def write_table(
    workbook: Workbook,
    layout: TableLayout,
    rows: Iterable[Row],
    page: Print,
    limit: int = ROW_LIMIT,
) -> None:
    """
    Write rows as an Excel table, on more than one sheet where they do not fit on one.
    """
    remaining = iter(rows)
    number = 1
    first = _write_sheet(workbook, layout, layout.title, islice(remaining, limit), page)
    while (following := next(remaining, None)) is not None:
        number += 1
        first.title = f"{layout.title} 1"
        chunk = chain([following], islice(remaining, limit - 1))
        _write_sheet(workbook, layout, f"{layout.title} {number}", chunk, page)


def open_sheet(workbook: Workbook, title: str, widths: Sequence[float], page: Print) -> Any:  # noqa: ANN401 - openpyxl's stubs lack write-only sheets' settings
    """
    Add a sheet with its widths and print settings. All of it must stand before the first row.
    """
    sheet: Any = workbook.create_sheet(title)
    for index, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = _PAPER_A4
    # A wide table on one page would be too small to read.
    sheet.page_setup.fitToWidth = max(1, round(sum(widths) / _PAGE_WIDTH))
    sheet.page_setup.fitToHeight = 0
    sheet.oddHeader.left.text = page.header
    sheet.oddHeader.right.text = page.notice
    sheet.oddFooter.left.text = page.footer
    sheet.oddFooter.right.text = "&A, page &P of &N"
    return sheet


def make_text_cell(sheet: Any, text: str, **styles: Any) -> Cell:  # noqa: ANN401 - as in open_sheet
    """
    Return a cell that holds text and nothing but text. `styles` are openpyxl's font, fill and so on.
    """
    cell = _make_cell(sheet, **styles)
    _set_text(cell, text)
    return cell


def _write_sheet(
    workbook: Workbook, layout: TableLayout, title: str, rows: Iterable[Row], page: Print
) -> Any:  # noqa: ANN401 - as in open_sheet
    columns = [make_visible(name) for name in layout.columns]
    widths = [layout.widths.get(name, max(12.0, len(name) + 4.0)) for name in columns]
    sheet = open_sheet(workbook, title, widths, page)
    sheet.freeze_panes = "A2"
    sheet.print_title_rows = "1:1"
    header = {
        "font": Font(name=FONT, bold=True, color=PAPER),
        "fill": PatternFill("solid", fgColor=INK),
    }
    sheet.append([make_text_cell(sheet, name, **header) for name in columns])
    cells = [_Column(sheet) for _ in columns]
    written = 0
    for row in rows:
        sheet.append([cell.hold(value) for cell, value in zip(cells, row, strict=True)])
        written += 1
    if not written:
        sheet.append([make_text_cell(sheet, layout.empty)])
    _add_table(sheet, columns, rows=max(written, 1))
    _add_marks(sheet, [name in layout.marked for name in columns], rows=max(written, 1))
    return sheet


class _Column:
    """
    One column's cells, the same few for every row: openpyxl has written a row when `append` returns.
    """

    def __init__(self, sheet: Any) -> None:  # noqa: ANN401 - as in open_sheet
        self._text = _make_cell(sheet)
        self._time = _make_cell(sheet, number_format=TIME_FORMAT)
        # Without the indent a number touches the text in the next column.
        self._number = _make_cell(sheet, alignment=Alignment(horizontal="right", indent=1))

    def hold(self, value: object) -> object:
        if isinstance(value, str):
            _set_text(self._text, value)
            return self._text
        if isinstance(value, datetime):
            self._time.value = value.astimezone(UTC).replace(tzinfo=None)
            return self._time
        if isinstance(value, int) and not isinstance(value, bool):
            self._number.value = value
            return self._number
        return value


def _make_cell(sheet: Any, **styles: Any) -> Cell:  # noqa: ANN401 - as in open_sheet
    cell: Cell = WriteOnlyCell(sheet)
    for name, style in styles.items():
        setattr(cell, name, style)
    return cell


def _set_text(cell: Cell, text: str) -> None:
    cell.value = fit_cell(make_visible(text))
    cell.data_type = "s"


def _add_table(sheet: Any, columns: Sequence[str], rows: int) -> None:  # noqa: ANN401 - as in open_sheet
    reference = f"A1:{get_column_letter(len(columns))}{rows + 1}"
    table = Table(
        displayName=f"tbl{sheet.title.replace(' ', '')}",
        ref=reference,
        autoFilter=AutoFilter(ref=reference),
        tableStyleInfo=TableStyleInfo(name="TableStyleLight1", showRowStripes=True),
        tableColumns=[TableColumn(id=index, name=name) for index, name in enumerate(columns, 1)],
    )
    # Not `add_table`, which in write-only mode warns of missing columns even where they are given.
    sheet.tables.add(table)


def _add_marks(sheet: Any, marked: Sequence[bool], rows: int) -> None:  # noqa: ANN401 - as in open_sheet
    for index, is_marked in enumerate(marked, 1):
        if not is_marked:
            continue
        letter = get_column_letter(index)
        for word, (ink, fill) in _MARKS.items():
            style = DifferentialStyle(
                font=Font(color=ink, bold=True), fill=PatternFill("solid", bgColor=fill)
            )
            rule = Rule(type="cellIs", operator="equal", formula=[f'"{word}"'], dxf=style)
            sheet.conditional_formatting.add(f"{letter}2:{letter}{rows + 1}", rule)
