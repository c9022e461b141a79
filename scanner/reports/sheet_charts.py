"""
Charts of the sheet Summary, which Excel draws from the cells with the sealed figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.chart.label import DataLabelList
from openpyxl.chart.layout import Layout, ManualLayout
from openpyxl.chart.marker import DataPoint, Marker
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.drawing.text import CharacterProperties, Paragraph, ParagraphProperties

from scanner.reports.sheets import INK, RED

CALM, PALE = "4F6F94", "A9B8C9"

_TITLE_SIZE, _LABEL_SIZE = 1200, 900
_GRID = "D9DEE5"


@dataclass(frozen=True, slots=True)
class Place:
    """
    The cells that a chart lies over: columns and rows from the first up to the last, counted from 0.
    """

    columns: tuple[int, int]
    rows: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Series:
    """
    Figures in one column of the sheet and, in another, what they are of.
    """

    rows: tuple[int, int]
    values: int = 2
    labels: int = 1


def add_bars(
    sheet: Any,  # noqa: ANN401 - openpyxl's stubs lack write-only sheets
    title: str,
    series: Series,
    colours: Sequence[str],
    place: Place,
) -> None:
    """
    Lay a chart of bars over a place: a bar for each figure, in its colour, with the number beside it.
    """
    chart: Any = BarChart()
    chart.type = "bar"
    chart.gapWidth = 45
    _fill(chart, sheet, title, series, place)
    # The first figure stands at the top, as in the table.
    chart.x_axis.scaling.orientation = "maxMin"
    chart.y_axis.delete = True
    chart.y_axis.majorGridlines = None
    (bars,) = chart.series
    bars.graphicalProperties = GraphicalProperties(solidFill=colours[0])
    bars.dPt = [
        DataPoint(idx=index, spPr=GraphicalProperties(solidFill=colour), invertIfNegative=False)
        for index, colour in enumerate(colours)
    ]
    sheet.add_chart(chart)


def add_trend(
    sheet: Any,  # noqa: ANN401 - as in add_bars
    title: str,
    series: Series,
    place: Place,
    unsure: Sequence[int] = (),
) -> None:
    """
    Lay a line over a place: one figure for each period. Those of `unsure` can be higher, and stand hollow.
    """
    chart: Any = LineChart()
    _fill(chart, sheet, title, series, place)
    chart.y_axis.scaling.min = 0
    chart.y_axis.number_format = "0"
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill=_GRID))
    chart.dataLabels.position = "t"
    (line,) = chart.series
    line.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=RED, w=28_000))
    line.marker.symbol = "circle"
    line.marker.size = 7
    line.marker.graphicalProperties = GraphicalProperties(solidFill=RED)
    line.smooth = False
    line.dPt = [_mark_unsure(index) for index in unsure]
    sheet.add_chart(chart)


def _mark_unsure(index: int) -> DataPoint:
    marker = Marker(symbol="circle", size=9)
    marker.graphicalProperties = GraphicalProperties(
        solidFill="FFFFFF", ln=LineProperties(solidFill=RED, w=19_000)
    )
    dashed = LineProperties(solidFill=RED, w=28_000, prstDash="dash")
    return DataPoint(idx=index, marker=marker, spPr=GraphicalProperties(ln=dashed))


def _fill(chart: Any, sheet: Any, title: str, series: Series, place: Place) -> None:  # noqa: ANN401 - openpyxl's charts
    first, last = series.rows
    values = Reference(sheet, min_col=series.values, min_row=first, max_row=last)
    labels = Reference(sheet, min_col=series.labels, min_row=first, max_row=last)
    chart.add_data(values)
    chart.set_categories(labels)
    chart.legend = None
    chart.title = title
    chart.title.tx.rich.p[0].pPr = ParagraphProperties(defRPr=_type(_TITLE_SIZE, bold=True))
    chart.title.tx.rich.p[0].r[0].rPr = _type(_TITLE_SIZE, bold=True)
    chart.title.overlay = False
    chart.title.layout = Layout(
        manualLayout=ManualLayout(xMode="edge", yMode="edge", x=0.03, y=0.03)
    )
    chart.dataLabels = DataLabelList()
    chart.dataLabels.showVal = True
    for name in ("showSerName", "showCatName", "showLegendKey", "showPercent", "showLeaderLines"):
        setattr(chart.dataLabels, name, False)
    chart.dataLabels.txPr = _write(_LABEL_SIZE)
    for axis in (chart.x_axis, chart.y_axis):
        axis.delete = False
        axis.txPr = _write(_LABEL_SIZE)
    chart.x_axis.majorTickMark = "none"
    chart.graphical_properties = GraphicalProperties(
        solidFill="FFFFFF", ln=LineProperties(solidFill=_GRID)
    )
    chart.roundedCorners = False
    chart.anchor = TwoCellAnchor(
        editAs="twoCell",
        _from=AnchorMarker(col=place.columns[0], row=place.rows[0], colOff=0, rowOff=0),
        to=AnchorMarker(col=place.columns[1], row=place.rows[1], colOff=0, rowOff=0),
    )


def _type(size: int, *, bold: bool = False) -> CharacterProperties:
    return CharacterProperties(sz=size, b=bold, solidFill=INK)


def _write(size: int) -> RichText:
    paragraph = Paragraph(pPr=ParagraphProperties(defRPr=_type(size)), endParaRPr=_type(size))
    return RichText(p=[paragraph])
