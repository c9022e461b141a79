import io
import json
from datetime import UTC, datetime

import pytest
from rich.console import Console

from scanner.console import choose_watcher, is_terminal
from scanner.console.bars import Bars, make_bars
from scanner.console.lines import JsonLines, Lines
from scanner.console.pace import Pace, write_span
from scanner.model import Account, AccountId, Collected, NotCollected, ReasonCode
from scanner.stopping import STOP, Stop, explain_end

MOMENT = datetime(2026, 11, 24, 9, tzinfo=UTC)


class Clock:
    """
    Seconds that pass when the test says so.
    """

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """
        Return the moment.
        """
        return self.seconds


class Terminal(io.StringIO):
    """
    A stream that says it is a terminal.
    """

    def isatty(self) -> bool:
        """
        Say so.
        """
        return True


class Closed(io.StringIO):
    """
    A pipe whose reader has left.
    """

    def write(self, _text: str) -> int:
        """
        Refuse.
        """
        raise BrokenPipeError


def account(name="payments-prod"):
    return Account(
        id=AccountId("000000000021"),
        name=name,
        email="",
        state="ACTIVE",
        ou_ids=("r-1",),
        ou_names=("Root",),
    )


def unread(name="payments-prod"):
    return NotCollected(account(name), ReasonCode.ACCESS_DENIED, "why")


# Pace


def test_the_rate_is_that_of_late():
    """
    What was quick a minute ago tells nothing of now.
    """
    pace = Pace(0.0)
    pace.mark(1.0, 1000)

    for second in range(60, 80):
        pace.mark(float(second), 2)

    assert pace.rate(79.5) == pytest.approx(2.0)
    assert pace.left(79.5, 10) == pytest.approx(5.0)


def test_time_left_grows_while_nothing_is_done_and_is_unknown_in_the_end():
    """
    A scan that stands still promises no end.
    """
    pace = Pace(0.0)
    pace.mark(10.0, 10)

    lefts = [pace.left(now, 5) for now in (10.0, 15.0, 20.0, 29.9, 30.0, 500.0)]

    assert lefts == [5.0, 7.5, 10.0, 10.0, None, None]


@pytest.mark.parametrize("rest", [0, -3])
def test_time_left_is_never_negative(rest):
    """
    More was done than was said there would be: nothing is left.
    """
    pace = Pace(0.0)
    pace.mark(1.0, 5)

    assert pace.left(2.0, rest) == 0.0


def test_the_first_moment_promises_nothing_absurd():
    """
    A thousand accounts in the first millisecond are no million a second.
    """
    pace = Pace(0.0)
    pace.mark(0.001, 1000)

    assert pace.rate(0.001) == 1000


def test_memory_does_not_grow_with_the_work():
    """
    A hundred thousand marks in a minute are remembered in less than a hundred pieces.
    """
    pace = Pace(0.0)

    for number in range(100_000):
        pace.mark(number * 0.0006)

    assert len(pace._done) < 100
    assert pace.rate(60.0) == pytest.approx(1667, rel=0.02)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, "-:--"),
        (-5.0, "0:00"),
        (0.0, "0:00"),
        (0.2, "0:01"),
        (59.5, "1:00"),
        (725.0, "12:05"),
        (3600.0, "1:00:00"),
        (200_000.0, "55:33:20"),
    ],
)
def test_a_span_is_written_for_people(seconds, written):
    """
    A second that has begun counts: nothing is left only when it is.
    """
    assert write_span(seconds) == written


# Bars


def watch(columns=100, stream=None):
    """
    Return bars on a terminal of so many columns, and what is drawn there when somebody looks.
    """
    clock = Clock()
    console = Console(
        file=stream or Terminal(), force_terminal=True, width=columns, color_system=None
    )
    bars = Bars(console, clock)

    def look() -> str:
        plain = Console(file=io.StringIO(), width=columns, color_system=None)
        plain.print(bars._progress.get_renderable())
        return str(plain.file.getvalue())  # type: ignore[attr-defined]

    return bars, clock, look


def read_some(bars, clock):
    bars.stage("discover")
    bars.listed(1250, 1200)
    bars.stage("collect")
    for number in range(100):
        clock.seconds += 0.1
        bars.collected(unread() if number % 10 == 0 else Collected(account(), MOMENT))


@pytest.mark.parametrize("columns", [60, 79, 80, 200])
def test_reading_is_one_line_with_everything_on_it(columns):
    """
    How many, how fast, how long, and how many could not be read; at 60 columns as well.
    """
    bars, clock, look = watch(columns)

    read_some(bars, clock)
    (line,) = look().splitlines()
    bars.close()

    assert "reading accounts  100/1200  10.0/s  1:50 left  10 not read" in line
    assert ("━" in line) == (columns >= 80)


def test_very_narrow_is_cut_not_wrapped():
    """
    One line stays one line: a second one would be left behind.
    """
    bars, clock, look = watch(30)

    read_some(bars, clock)
    shown = look().splitlines()
    bars.close()

    assert len(shown) == 1


def test_listing_says_how_many_were_found():
    """
    How many there will be nobody knows, so no time left is made up.
    """
    bars, clock, look = watch()
    bars.stage("collect")

    for page in range(1, 6):
        clock.seconds += 1.0
        bars.found(20 * page)
    listing = look()
    bars.listed(100, 90)
    clock.seconds += 1.0
    whole = look()
    bars.close()

    assert "reading accounts  0/100+  0.0/s  0:05" in listing
    assert "left" not in listing
    assert "0/90" in whole


@pytest.mark.parametrize("stage", ["judge", "seal", "render"])
def test_stages_of_unknown_length_say_how_long_they_took_so_far(stage):
    """
    Nothing of the accounts is left beside them.
    """
    bars, clock, look = watch()
    read_some(bars, clock)

    bars.stage(stage)
    clock.seconds += 61.0
    shown = look()
    bars.close()

    assert "1:01" in shown
    assert "/s" not in shown
    assert "not read" not in shown


def test_the_document_that_is_drawn_is_named():
    """
    With its number and how many there are.
    """
    bars, _, look = watch()
    bars.stage("render")

    bars.drawing("xlsx", 2, 4)
    shown = look()
    bars.close()

    assert "drawing xlsx  2 of 4" in shown


def test_only_the_first_unread_accounts_are_named():
    """
    A screen is no list: the fifth says that the others are counted, and names are harmless.
    """
    stream = Terminal()
    bars, _, _ = watch(stream=stream)
    bars.listed(50, 50)
    bars.stage("collect")

    for number in range(50):
        bars.collected(unread(f"[red]\x1b[5m{number}\r\n"))
    bars.close()

    shown = stream.getvalue()
    assert shown.count("access-denied") == 5
    assert shown.count("the next ones are only counted here") == 1
    assert "([red]\ufffd[5m4\ufffd\ufffd)" in shown
    assert "\x1b[5m" not in shown


def test_a_terminal_that_went_away_ends_no_scan():
    """
    Whoever closes the window loses the bar and nothing else.
    """
    bars = make_bars(Closed())

    read_some(bars, Clock())
    bars.close()

    assert bars._done == 100


# Who watches


@pytest.mark.parametrize(
    ("term", "expected"), [("xterm", True), ("", True), ("dumb", False), ("unknown", False)]
)
def test_a_dumb_terminal_is_none(monkeypatch, term, expected):
    """
    What can only write lines gets lines.
    """
    monkeypatch.setenv("TERM", term)

    assert is_terminal(Terminal()) is expected


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE"])
def test_no_variable_makes_a_terminal_of_a_log(monkeypatch, variable):
    """
    Pipelines set these, and a bar in their log would be noise.
    """
    monkeypatch.setenv(variable, "1")

    assert not is_terminal(io.StringIO())
    assert not is_terminal(None)


@pytest.mark.parametrize(
    ("quiet", "log_format", "expected"),
    [
        (True, None, "Quiet"),
        (True, "json", "Quiet"),
        (False, "json", "JsonLines"),
        (False, "text", "Lines"),
    ],
)
def test_who_asks_for_lines_gets_them_on_a_terminal_too(monkeypatch, quiet, log_format, expected):
    """
    `--quiet` and `--log-format` are stronger than what the terminal could show.
    """
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", Terminal())

    assert type(choose_watcher(quiet=quiet, log_format=log_format)).__name__ == expected


def test_a_terminal_gets_bars(monkeypatch):
    """
    And they are taken away again.
    """
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", Terminal())

    watcher = choose_watcher(quiet=False, log_format=None)
    watcher.close()

    assert isinstance(watcher, Bars)


# Lines


@pytest.mark.parametrize("kind", [Lines, JsonLines])
def test_a_log_that_nobody_reads_ends_no_scan(kind):
    """
    `orgproof scan 2>&1 | head -1` reads every account all the same.
    """
    watcher = kind(Closed())

    watcher.listed(2, 2)
    watcher.stage("collect")
    watcher.collected(unread())
    watcher.drawing("pdf", 1, 4)


def test_json_lines_name_the_document():
    """
    One object for each document that is drawn.
    """
    stream = io.StringIO()

    JsonLines(stream).drawing("pdf", 1, 4)

    assert json.loads(stream.getvalue()) == {
        "event": "drawing",
        "document": "pdf",
        "number": 1,
        "total": 4,
    }


def test_lines_are_quiet_about_what_is_quick():
    """
    A line for each document would be noise; the stage is named, and the accounts found if that takes long.
    """
    stream = io.StringIO()
    lines = Lines(stream)

    lines.stage("discover")
    lines.found(20)
    lines.stage("render")
    lines.drawing("pdf", 1, 4)

    assert stream.getvalue().splitlines() == [
        "orgproof: listing accounts",
        "orgproof: drawing documents",
    ]


# What a stopped command says


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(28, "No space left on device"), ValueError()]
)
def test_a_delivery_that_was_stopped_is_not_resumed_but_delivered(monkeypatch, tmp_path, error):
    """
    The run is finished: scanning on would be refused, or would make another run.
    """
    for name, value in (("folder", tmp_path), ("redeliver", "orgproof deliver X")):
        monkeypatch.setattr(STOP, name, value)

    end = explain_end(error, 5)

    assert end.status == 5
    assert list(end.lines[-2:]) == [
        f"the run is finished, in {tmp_path}",
        "to deliver it: orgproof deliver X",
    ]
    assert "--resume" not in "\n".join(end.lines)
    assert Stop().redeliver is None
