"""
The charts of the PDF: vectors drawn by matplotlib from numbers alone, as SVG to stand inside the page.

No name and no word is ever given to a chart: labels stand beside it in the page, as text. So nothing that comes
from AWS reaches matplotlib, which would take `$` for mathematics, and no font of the machine can be drawn.
What differs in colour differs in lightness or hatching too, so that a chart can be read in grey.
"""

import io
import logging
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from markupsafe import Markup, escape


class Fill(StrEnum):
    """
    How a part of a chart is filled. The style sheet has a swatch of the same name for each.
    """

    DARK = "dark"
    HATCHED = "hatched"
    GREY = "grey"
    PALE = "pale"


class Box(NamedTuple):
    """
    A rectangle: its lower left corner and its size, in millimetres.
    """

    x: float
    y: float
    width: float
    height: float

    def shrink(self, by: float) -> "Box":
        """
        Return the rectangle less a margin on each side, and never nothing.
        """
        width, height = self.width - 2 * by, self.height - 2 * by
        return Box(self.x + by, self.y + by, max(width, _LINE), max(height, _LINE))


@dataclass(frozen=True, slots=True)
class Part:
    """
    One part of a bar: how much, and how it is filled.
    """

    number: int
    fill: Fill


INK, RED, GREY, PALE, PAPER = "#16263d", "#9b1c1c", "#8d97a5", "#dfe3e8", "#ffffff"
_FACES = {Fill.DARK: INK, Fill.HATCHED: PAPER, Fill.GREY: GREY, Fill.PALE: PALE}
_EDGES = {Fill.DARK: INK, Fill.HATCHED: RED, Fill.GREY: GREY, Fill.PALE: GREY}

STEPS = ("#ffffff", "#c6ccd4", "#949eac", "#5c6879", "#16263d")
"""
The shades of a heat strip, from none to most. Each is darker than the one before in grey as well.
"""

_BOUNDS = (0.02, 0.05, 0.1)
_MILLIMETRES = 25.4
_THINNEST = 0.9
_HATCH = 1.1
_LINE = 0.25
_STROKE = 0.5
_SURE = 0.8
_SHEET = re.compile(r"\s*<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_STYLE = re.compile(r'style="([^"]*)"')
_NAME = re.compile(r' id="[A-Za-z]+_\d+"')


def draw_stack(parts: Sequence[Part], width: float, height: float, title: str) -> Markup:
    """
    Draw one bar whose parts add up to all of it. `title` says in words what it shows.

    A part that is not empty is wide enough to be seen, however small it is.
    """
    with _settings():
        drawing = _Drawing(width, height)
        left = 0.0
        for part, length in zip(parts, _share_out(parts, width), strict=True):
            if length:
                drawing.fill(part.fill, Box(left, 0, length, height))
            left += length
        return drawing.finish(title)


def draw_columns(
    columns: Sequence[Sequence[Part]],
    width: float,
    height: float,
    title: str,
    unsure: Collection[int] = (),
) -> Markup:
    """
    Draw columns of equal distance, each of parts that stand on one another, on one line.

    Those at the places in `unsure` can be higher than they are: each has a dashed frame up to the top.
    """
    highest = max((sum(part.number for part in parts) for parts in columns), default=0)
    slot = width / max(len(columns), 1)
    room = height - 3 * _LINE
    # A frame that ends where its column does could not be seen.
    tallest = room * _SURE if unsure else room
    with _settings():
        drawing = _Drawing(width, height)
        for index, parts in enumerate(columns):
            bottom = 2 * _LINE
            if index in unsure:
                frame = Box(slot * (index + 0.2), bottom, slot * 0.6, room)
                drawing.frame(frame.shrink(_LINE / 2))
            for part in parts:
                if part.number:
                    length = max(tallest * part.number / highest, 2 * _LINE)
                    drawing.fill(part.fill, Box(slot * (index + 0.2), bottom, slot * 0.6, length))
                    bottom += length
        drawing.fill(Fill.DARK, Box(0, 0, width, _LINE))
        return drawing.finish(title)


def draw_heat(rate: float | None, width: float, height: float, title: str) -> Markup:
    """
    Draw one cell of a heat strip: as long as the rate (0 to 1), and the darker the higher it is.

    A rate that is not known is crossed out.
    """
    cell = Box(0, 0, width, height).shrink(_LINE)
    with _settings():
        drawing = _Drawing(width, height)
        drawing.outline(cell, PAPER, GREY)
        if rate is None:
            drawing.cross_out(cell)
        elif rate > 0:
            shade = STEPS[pick_step(rate)]
            drawing.outline(cell._replace(width=max(rate * cell.width, _THINNEST)), shade, INK)
        return drawing.finish(title)


def pick_step(rate: float) -> int:
    """
    Return which shade of the heat strip a rate has: 0 for none, 4 above a tenth.
    """
    if rate <= 0:
        return 0
    return 1 + sum(rate > bound for bound in _BOUNDS)


def _share_out(parts: Sequence[Part], width: float) -> list[float]:
    """
    Return the length of each part. What small ones need to be seen is taken off the largest.
    """
    whole = sum(part.number for part in parts)
    if not whole:
        return [0.0] * len(parts)
    lengths = [
        max(width * part.number / whole, _THINNEST) if part.number else 0.0 for part in parts
    ]
    lengths[lengths.index(max(lengths))] -= sum(lengths) - width
    return lengths


@contextmanager
def _settings() -> Iterator[None]:
    """
    Let matplotlib draw by its own settings while the block runs, whatever a file on this machine says.
    """
    # The import writes to a cache and says so where it cannot; neither concerns who reads a report.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib as mpl  # noqa: PLC0415 - a second, which only a PDF needs

    settings = dict(mpl.rcParamsDefault) | {"svg.hashsalt": "orgproof", "svg.fonttype": "none"}
    del settings["backend"]
    with mpl.rc_context(settings):
        yield


class _Drawing:
    """
    A picture of so many millimetres that is measured in millimetres.
    """

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 - as above
        from matplotlib.figure import Figure  # noqa: PLC0415

        size = (width / _MILLIMETRES, height / _MILLIMETRES)
        self._figure = Figure(figsize=size, frameon=False)
        FigureCanvasSVG(self._figure)
        self._axes = self._figure.add_axes((0, 0, 1, 1), frameon=False)
        self._axes.set_axis_off()
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(0, height)

    def fill(self, fill: Fill, box: Box) -> None:
        """
        Draw a rectangle, and over a hatched one its lines: a pattern would need transparency in the PDF.
        """
        inner = box.shrink(_LINE / 2)
        patch = self.outline(inner, _FACES[fill], _EDGES[fill])
        if fill is Fill.HATCHED:
            number = int((box.width + box.height) / _HATCH) + 1
            starts = [box.x - box.height + _HATCH * index for index in range(number)]
            top = box.y + box.height
            lines = [[(start, box.y), (start + box.height, top)] for start in starts]
            self._draw_lines(lines, RED).set_clip_path(patch)

    def outline(self, box: Box, face: str, edge: str) -> Any:  # noqa: ANN401 - a patch
        """
        Draw a rectangle in one colour with an edge in another, and return it.
        """
        from matplotlib.patches import Rectangle  # noqa: PLC0415 - as above

        patch = Rectangle(
            (box.x, box.y),
            box.width,
            box.height,
            facecolor=face,
            edgecolor=edge,
            linewidth=_STROKE,
            clip_on=False,
        )
        return self._axes.add_patch(patch)

    def frame(self, box: Box) -> None:
        """
        Draw a rectangle with nothing in it and a dashed edge.
        """
        self.outline(box, PAPER, GREY).set_linestyle((0, (3, 2)))

    def cross_out(self, box: Box) -> None:
        """
        Draw a line from corner to corner.
        """
        self._draw_lines([[(box.x, box.y), (box.x + box.width, box.y + box.height)]], GREY)

    def _draw_lines(self, lines: Sequence[Sequence[tuple[float, float]]], color: str) -> Any:  # noqa: ANN401
        from matplotlib.collections import LineCollection  # noqa: PLC0415 - as above

        drawn = LineCollection(lines, colors=color, linewidths=_STROKE)
        return self._axes.add_collection(drawn, autolim=False)

    def finish(self, title: str) -> Markup:
        """
        Return the picture as markup that can stand in a page.

        The page's style sheets and anchors know nothing of it: its styles become attributes, and what no part
        of it refers to gets no id.
        """
        file = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        self._figure.savefig(file, format="svg", metadata=nothing)
        svg = file.getvalue()
        svg = _NAME.sub("", _STYLE.sub(_list_attributes, _SHEET.sub("", svg)))
        start, _, rest = svg[svg.index("<svg") :].partition(">")
        return Markup(f"{start}><title>{escape(title)}</title>{rest}")  # noqa: S704 - numbers, drawn by matplotlib


def _list_attributes(style: re.Match[str]) -> str:
    """
    Write a style as attributes, which in SVG mean the same.
    """
    declared = (entry.partition(":") for entry in style[1].split(";"))
    return " ".join(f'{name.strip()}="{value.strip()}"' for name, _, value in declared)
