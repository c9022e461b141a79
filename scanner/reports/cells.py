"""
Cells of a workbook: text that can never become a formula, times, numbers, links, and our own few formulas.

openpyxl takes text that starts with `=` for a formula and `#N/A` for an error, refuses control characters, and
cuts long text without a word. So text goes to it bare only where nothing of that can happen, which Arrow finds out
for a whole column at once; all other text is set by `set_text`, and by nothing else.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.hyperlink import Hyperlink

from scanner.reports.text import CELL_LIMIT, fit_cell, make_visible

# Column names are the same in every format, so that the values are UTC is said in each cell.
TIME_FORMAT = 'yyyy-mm-dd hh:mm" UTC"'

# Excel shows these words of its own accord; LibreOffice shows some of them as 0 and 1 where no format says so.
TRUTH_FORMAT = '"TRUE";"TRUE";"FALSE"'

FONT = "Calibri"
LINK = Font(name=FONT, color="1F5FA8", underline="single")

# What may act: a formula or an error to openpyxl, a character that is not plainly visible, Excel's own escape.
_MAY_ACT = r"^[=#]|[^ -~]|_x"

_MS_IN_DAY = 86_400_000
_EPOCH = 25_569
"""
1970-01-01 as Excel counts days.
"""

_LEAP_DAY = 60
"""
The day that Excel counts in 1900, and that never was: 29 February.
"""


@dataclass(frozen=True, slots=True)
class Link:
    """
    Where a cell leads: an address, or a place in the workbook. `target` is one of our own fixed hosts.
    """

    target: str | None = None
    location: str | None = None

    def make(self) -> Hyperlink:
        """
        Return it as openpyxl keeps it; the cell says where it stands.
        """
        return Hyperlink(ref="A1", target=self.target, location=self.location)


class HeldCell(Cell):
    """
    A cell that is written many times: openpyxl has written a row when `append` returns.

    openpyxl puts a cell's description into an error that it catches at once, for each cell; ours costs nothing.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """
        Return next to nothing.
        """
        return "cell"


def make_cell(sheet: Any, **styles: Any) -> Cell:  # noqa: ANN401 - openpyxl's stubs lack write-only sheets
    """
    Return an empty cell. `styles` are openpyxl's font, fill and so on.
    """
    cell: Cell = HeldCell(sheet, 1, 1)
    for name, style in styles.items():
        setattr(cell, name, style)
    return cell


def make_text_cell(sheet: Any, text: str, **styles: Any) -> Cell:  # noqa: ANN401 - as in make_cell
    """
    Return a cell that holds text and nothing but text.
    """
    cell = make_cell(sheet, **styles)
    set_text(cell, text)
    return cell


def make_formula_cell(sheet: Any, formula: str, **styles: Any) -> Cell:  # noqa: ANN401 - as in make_cell
    """
    Return a cell that counts. The formula is made of our own words, never of a name from anywhere else.
    """
    cell = make_cell(sheet, **styles)
    cell.value = f"={formula}"
    return cell


def set_text(cell: Cell, text: str) -> None:
    """
    Put text into a cell that stays text, all of it visible.
    """
    _set_shown(cell, make_visible(text))


def set_lines(cell: Cell, text: str) -> None:
    """
    Put text into a cell that may have several lines, because a person wrote it so. Else as `set_text`.
    """
    _set_shown(cell, "\n".join(make_visible(line) for line in text.split("\n")))


def _set_shown(cell: Cell, text: str) -> None:
    cell.value = fit_cell(text)
    cell.data_type = "s"


class Column:
    """
    One column's cells, the same few for every row.
    """

    def __init__(
        self,
        sheet: Any,  # noqa: ANN401 - as in make_cell
        put: Callable[[Cell, str], None] = set_text,
    ) -> None:
        self._sheet = sheet
        self._put = put
        self._text = make_cell(sheet)
        self._time = make_cell(sheet, number_format=TIME_FORMAT)
        # Without the indent a number touches the text in the next column.
        self._number = make_cell(sheet, alignment=Alignment(horizontal="right", indent=1))
        self._link = make_cell(sheet, font=LINK)
        self._truths = {
            truth: make_cell(sheet, number_format=TRUTH_FORMAT) for truth in (True, False)
        }
        for truth, cell in self._truths.items():
            cell.value = truth
        # Asking for a style's number gives it one, so that it does not depend on the rows that follow.
        held = (self._time, self._number, self._link, self._truths[True])
        self.styles = [cell.style_id for cell in held]

    def flow(
        self, values: pa.ChunkedArray, links: Sequence[Link | None] | None
    ) -> Iterable[object]:
        """
        Return what openpyxl is to append for each value. A cell is good until the next one is taken.
        """
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if links is not None:
            return self._flow_links(values.to_pylist(), links)
        if pa.types.is_timestamp(values.type):
            return _hold(self._time, list_days(values))
        if pa.types.is_integer(values.type):
            return _hold(self._number, values.to_pylist())
        if pa.types.is_boolean(values.type):
            # Neither changes, so that nothing is set for each row.
            return map(self._truths.get, values.to_pylist())
        listed: list[object] = values.to_pylist()
        odd = find_odd(values)
        return listed if odd is None else self._flow_text(listed, odd)

    def _flow_text(self, texts: Sequence[Any], odd: Sequence[bool]) -> Iterator[object]:
        for text, is_odd in zip(texts, odd, strict=True):
            if is_odd:
                self._put(self._text, text)
                yield self._text
            else:
                yield text

    def _flow_links(self, texts: Sequence[Any], links: Sequence[Link | None]) -> Iterator[object]:
        for text, link in zip(texts, links, strict=True):
            if text is None:
                yield None
                continue
            cell = self._text if link is None else self._link
            set_text(cell, text)
            if link is not None:
                cell.hyperlink = link.make()
            yield cell


def _hold(cell: Cell, values: Iterable[Any]) -> Iterator[Cell | None]:
    for value in values:
        if value is None:
            yield None
        else:
            cell.value = value
            yield cell


def find_odd(values: pa.ChunkedArray) -> list[bool] | None:
    """
    Say which texts of a column may act, or need to be cut; None where there is none, or the column is no text.
    """
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return None
    acts = pc.match_substring_regex(values, _MAY_ACT)
    is_long = pc.greater(pc.binary_length(values), CELL_LIMIT)
    odd = pc.fill_null(pc.or_(acts, is_long), fill_value=False)
    return odd.to_pylist() if pc.any(odd).as_py() else None


def list_days(times: pa.ChunkedArray) -> list[float | None]:
    """
    Return times as a sheet counts them: in days since 1899-12-30, but for a day in 1900 that never was.
    """
    moments = times.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())
    days = pc.fill_null(moments, 0).to_numpy() / _MS_IN_DAY + _EPOCH
    whole = np.floor(days)
    days -= (whole > 0) & (whole <= _LEAP_DAY)
    missing = moments.is_null().to_pylist()
    return [None if gone else day for day, gone in zip(days.tolist(), missing, strict=True)]
