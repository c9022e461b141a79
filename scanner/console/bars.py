"""
One line at the foot of a terminal that says what is going on, how fast, and how long it will take.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
from rich.table import Column
from rich.text import Text

from scanner.console.lines import STAGES, Quiet
from scanner.console.pace import Pace, write_span
from scanner.model import NotCollected, Outcome

_NAMED = 5
"""
How many unread accounts are named while the scan runs. The documents name all of them, and a screen holds few.
"""

_WIDE = 80
"""
Columns from which on there is room for a bar beside the figures.
"""


class Bars(Quiet):
    """
    Shows progress on a terminal, and leaves nothing behind but the first accounts that could not be read.
    """

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._words = ""
        self._selected = 0
        self._done, self._total = 0, 0
        self._unread = 0
        self._found = 0
        self._began = now()
        self._pace = Pace(self._began)
        self._progress = _make_progress(console, self._describe)
        self._task = self._progress.add_task("", total=None, visible=False)
        self._progress.start()

    def found(self, accounts: int) -> None:
        """
        Say how many accounts were found so far. How many there will be nobody knows yet.
        """
        self._found = accounts

    def listed(self, accounts: int, selected: int) -> None:  # noqa: ARG002 - a bar shows what is read
        """
        Set the length of the bar, which may be half full already.
        """
        self._selected = selected
        if self._words == STAGES["collect"]:
            self._total = selected
            self._progress.update(self._task, total=selected, completed=self._done)

    def collected(self, outcome: Outcome) -> None:
        """
        Move the bar by one account, and name the first few that could not be read.
        """
        self._done += 1
        self._pace.mark(self._now())
        if isinstance(outcome, NotCollected):
            self._unread += 1
            self._name_unread(outcome)
        self._progress.update(self._task, completed=self._done)

    def stage(self, name: str) -> None:
        """
        Begin another line.
        """
        self._begin(STAGES.get(name, name), self._selected if name == "collect" else 0)

    def drawing(self, name: str, number: int, total: int) -> None:
        """
        Name the document that is drawn now.
        """
        self._words, self._done, self._total = f"drawing {name}", number - 1, total
        self._progress.update(self._task, total=total, completed=self._done)
        self._progress.refresh()

    def close(self) -> None:
        """
        Take the bar away.
        """
        self._progress.stop()

    def _begin(self, words: str, total: int) -> None:
        self._words, self._done, self._total = words, 0, total
        self._found = 0
        self._began = self._now()
        self._pace = Pace(self._began)
        # Work of which nobody knows the end has a bar that moves to and fro.
        self._progress.reset(self._task, total=total or None, visible=True)
        # A short stage would be over before the bar's own next turn.
        self._progress.refresh()

    def _describe(self) -> Text:
        """
        Return the figures beside the bar, the unread accounts among them.
        """
        text = Text(self._words, no_wrap=True, overflow="ellipsis")
        for words, style in self._list_figures():
            text.append("  ").append(words, style)
        return text

    def _list_figures(self) -> Iterator[tuple[str, str]]:
        now = self._now()
        if self._words == STAGES["collect"]:
            yield from self._list_accounts(now)
            return
        if self._total:
            # Documents differ too much for the ones that are drawn to tell of the others.
            yield f"{self._done + 1} of {self._total}", ""
        yield write_span(now - self._began), "dim"

    def _list_accounts(self, now: float) -> Iterator[tuple[str, str]]:
        """
        Yield how many accounts are read. While the list is not whole, how many there are so far.
        """
        total, span = f"{self._found}+", write_span(now - self._began)
        if self._total:
            total = str(self._total)
            span = f"{write_span(self._pace.left(now, self._total - self._done))} left"
        yield f"{self._done}/{total}", ""
        yield f"{self._pace.rate(now):.1f}/s", "cyan"
        yield span, "dim"
        if self._unread:
            yield f"{self._unread} not read", "bold red"

    def _name_unread(self, outcome: NotCollected) -> None:
        if self._unread > _NAMED:
            return
        line = Text("not read: ", "red")
        line.append(f"{outcome.account} ", "").append(str(outcome.reason_code), "bold")
        if self._unread == _NAMED:
            line.append("; the next ones are only counted here", "dim")
        self._console.print(line, no_wrap=True, overflow="ellipsis", highlight=False)


class _Figures(ProgressColumn):
    """
    What is going on, in words and figures, on one line whatever the width.
    """

    max_refresh = None

    def __init__(self, describe: Callable[[], Text]) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self._describe = describe

    def render(self, task: Task) -> Text:  # noqa: ARG002 - the watcher knows more than the task
        """
        Return the line's text. See `ProgressColumn`.
        """
        return self._describe()


class _Screen:
    """
    A terminal's stream to which writing never fails: no scan ends because somebody closed a window.

    rich would end the process.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None)
        self.fileno = stream.fileno
        self.isatty = stream.isatty

    def write(self, text: str) -> int:
        """
        Write what can be written.
        """
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """
        Show it.
        """
        with suppress(OSError):
            self._stream.flush()


def make_bars(stream: IO[str]) -> Bars:
    """
    Return bars for a terminal. Its width, its colours and NO_COLOR are minded.
    """
    screen = cast("IO[str]", _Screen(stream))
    return Bars(Console(file=screen, force_terminal=True, highlight=False))


def _make_progress(console: Console, describe: Callable[[], Text]) -> Progress:
    # Terminals that know ASCII only would show an escape code for each of the finer spinner's dots.
    spinner = SpinnerColumn("dots" if console.encoding.startswith("utf") else "line")
    bar = [BarColumn(bar_width=20)] if console.width >= _WIDE else []
    return Progress(
        spinner,
        *bar,
        _Figures(describe),
        console=console,
        transient=True,
        redirect_stdout=False,
        refresh_per_second=8,
    )
