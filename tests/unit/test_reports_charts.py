import os
import re
import subprocess
import sys
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import pytest

from scanner.reports import charts
from scanner.reports.charts import (
    STEPS,
    Fill,
    Part,
    draw_columns,
    draw_heat,
    draw_stack,
    pick_step,
)

PARTS = [Part(22, Fill.DARK), Part(1, Fill.HATCHED), Part(0, Fill.GREY), Part(1, Fill.PALE)]


def draw():
    return draw_stack(PARTS, 172, 4, "24 accounts")


def measure(color: str) -> float:
    """
    Return how light a colour is when it is printed in grey, from 0 to 1.
    """
    red, green, blue = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def list_widths(svg: str) -> list[float]:
    """
    Return the widths of a bar's parts, in millimetres, without the lines of a hatching.
    """
    paths = re.findall(r'<path d="([^"]*z\s*)" fill="#', svg)
    corners = [[float(x) for x in re.findall(r"[ML] ([0-9.]+) ", path)] for path in paths]
    return [(max(xs) - min(xs)) * 25.4 / 72 for xs in corners]


def test_a_chart_holds_no_words_no_date_and_no_style():
    """
    Labels stand in the page; a style would be one of the whole page, and a date would differ.
    """
    for chart in (draw(), draw_columns([PARTS], 90, 20, "x"), draw_heat(0.5, 20, 3, "x")):
        assert chart.startswith("<svg")
        for word in (
            "<text",
            "style",
            'id="patch',
            'id="line',
            'id="axes',
            'id="figure',
            "<metadata",
            "font",
            "date",
            "<image",
            "<script",
            "href=",
        ):
            assert word not in chart.replace("xmlns:xlink", "").lower()


def test_what_a_chart_shows_is_said_in_words_that_are_escaped():
    """
    The title is the text for whoever cannot see the picture, and can never be markup.
    """
    chart = draw_heat(0.5, 20, 3, "1 < 2 & </title><script>")

    assert "<title>1 &lt; 2 &amp; &lt;/title&gt;&lt;script&gt;</title>" in chart


def test_equal_numbers_give_equal_bytes_whatever_the_machine_is_set_to():
    """
    A matplotlibrc of the user's changes nothing.
    """
    before = draw()

    changed: Any = {"savefig.dpi": 30, "lines.linewidth": 9, "svg.hashsalt": "x"}
    with mpl.rc_context(changed | {"patch.antialiased": False, "svg.fonttype": "path"}):
        assert draw() == before
    assert mpl.rcParams["svg.hashsalt"] is None


def test_no_home_to_write_to_is_no_difference_and_no_warning():
    """
    Where nothing can be cached the chart is the same, and nobody is told of it.
    """
    code = "from scanner.reports.charts import *;print(draw_heat(0.25, 20, 3, 'a quarter'), end='')"
    environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == (str(draw_heat(0.25, 20, 3, "a quarter")), "")


def test_the_parts_of_a_bar_are_as_long_as_they_are_many():
    """
    What is nothing is not drawn, and the whole is the bar's length.
    """
    widths = list_widths(draw())

    assert len(widths) == 3
    assert widths == pytest.approx([172 * 22 / 24, 172 / 24, 172 / 24], abs=0.3)


def test_one_in_ten_thousand_can_be_seen():
    """
    A single account that was not read is never too thin to be drawn.
    """
    chart = draw_stack([Part(9_999, Fill.DARK), Part(1, Fill.HATCHED)], 172, 4, "x")

    widths = list_widths(chart)
    assert widths[1] > 0.5
    assert sum(widths) == pytest.approx(172, abs=0.6)


@pytest.mark.parametrize("parts", [[], [Part(0, Fill.DARK), Part(0, Fill.HATCHED)]])
def test_a_bar_of_nothing_is_empty(parts):
    """
    Without accounts there is nothing to divide by, and nothing is drawn.
    """
    assert list_widths(draw_stack(parts, 172, 4, "none")) == []


def test_fills_and_shades_are_apart_in_grey():
    """
    Printed without colour no two of them look alike: by lightness, or by hatching.
    """
    plain = sorted(measure(charts._FACES[fill]) for fill in Fill if fill is not Fill.HATCHED)
    steps = [measure(step) for step in STEPS]

    assert all(after - before > 0.2 for before, after in pairwise(plain))
    assert all(before - after > 0.15 for before, after in pairwise(steps))


@pytest.mark.parametrize(
    ("rate", "step"), [(0, 0), (0.001, 1), (0.02, 1), (0.021, 2), (0.1, 3), (0.11, 4), (1, 4)]
)
def test_the_higher_a_rate_the_darker(rate, step):
    """
    None at all is white, and anything above a tenth the darkest.
    """
    assert pick_step(rate) == step


def test_a_rate_that_is_not_known_is_not_none():
    """
    An OU without console users is crossed out and not shown as one without exceptions.
    """
    assert draw_heat(None, 20, 3, "x") != draw_heat(0, 20, 3, "x")
