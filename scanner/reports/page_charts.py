"""
The page's bars: Matplotlib works out their shapes, and colours come from the page's own styles.

Of Matplotlib's SVG only the outlines are taken: its style attributes, its style sheet and its ids have no
place in a page whose policy allows nothing but what it names, and one colour would not suit both themes.
"""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from scanner.errors import RenderError

_WIDTH, _HEIGHT = 400, 12
_POINTS = 72
_OUTLINE = re.compile(r'<g id="bar-(\d+)-([a-z-]+)">\s*<path d="([MLz0-9.\s-]+)"')


@dataclass(frozen=True, slots=True)
class Bar:
    """
    One bar: what it shows, in words, and its parts from the left, each a kind and a number.

    A kind is a class of the page's styles, such as `fail`. The words come from nobody but us.
    """

    words: str
    parts: Sequence[tuple[str, int]]


def draw_bars(bars: Sequence[Bar]) -> list[Markup]:
    """
    Return an SVG picture of each bar, all to one scale, or raise `RenderError`.
    """
    outlines = _trace(bars)
    return [_picture(index, bar, outlines) for index, bar in enumerate(bars)]


def _picture(index: int, bar: Bar, outlines: dict[tuple[int, str], str]) -> Markup:
    paths = Markup("").join(
        Markup('<path class="part {}" d="{}"/>').format(kind, outlines[index, kind])
        for kind, number in bar.parts
        if number
    )
    return Markup(
        '<svg class="bar" role="img" viewBox="0 {} {} {}" preserveAspectRatio="none">'
        "<title>{}</title>{}</svg>"
    ).format(index * _HEIGHT, _WIDTH, _HEIGHT, bar.words, paths)


def _trace(bars: Sequence[Bar]) -> dict[tuple[int, str], str]:
    """
    Return the outline of each part of each bar, by the bar's place and the part's kind.
    """
    longest = max((sum(number for _, number in bar.parts) for bar in bars), default=0)
    if not longest:
        return {}
    figure = Figure(figsize=(_WIDTH / _POINTS, len(bars) * _HEIGHT / _POINTS), dpi=_POINTS)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, longest)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    due = set()
    for index, bar in enumerate(bars):
        starts = accumulate((number for _, number in bar.parts), initial=0)
        for (kind, number), start in zip(bar.parts, starts, strict=False):
            if number:
                [patch] = axes.barh(index, number, left=start, height=1)
                patch.set_gid(f"bar-{index}-{kind}")
                due.add((index, kind))
    found = {
        (int(index), kind): " ".join(outline.split())
        for index, kind, outline in _OUTLINE.findall(_save(figure))
    }
    if found.keys() != due:
        raise RenderError(
            "the page: Matplotlib draws bars in a form that is not known; report this"
        )
    return found


def _save(figure: Figure) -> str:
    file = io.StringIO()
    with rc_context({"svg.hashsalt": "orgproof", "svg.fonttype": "none", "path.simplify": False}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
