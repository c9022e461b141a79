"""
A whole scan without AWS, network or documents: a fake organization that answers as a run folder says.
"""

import itertools
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from report_text import MADE
from run_folder import STARTED, Folder

from scanner.drawing import Finished, Press
from scanner.frameworks import read_framework
from scanner.interfaces import Collector, Executor, Keep, Signer, Steps, T
from scanner.model import Account, AccountId, Caller, Collected, Outcome
from scanner.organization import ACCOUNTS_FILE, CALLER_FILE, ORGANIZATION_FILE
from scanner.pipeline import Means, Order, resume, scan
from scanner.records import decode_object


class FakeClock:
    """
    A clock that stands still.
    """

    def now(self) -> datetime:
        """
        Return the moment at which the scan begins.
        """
        return STARTED

    def monotonic(self) -> float:
        """
        Return no time at all.
        """
        return 0.0


class FakeDirectory:
    """
    An organization that answers as a folder says.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.was_asked_for_tags: bool | None = None

    def ask(self, *, with_tags: bool = False) -> Mapping[str, bytes]:
        """
        Return the answers, with the tags where those are asked for.
        """
        self.was_asked_for_tags = with_tags
        answers = self._folder.answers()
        if not with_tags:
            answers.pop("account-tags.json", None)
        return answers

    def list_accounts(
        self, found: Callable[[Mapping[str, Any]], None], *, with_tags: bool = False
    ) -> Steps[Mapping[str, bytes]]:
        """
        Return the list, page by page.
        """
        answers = dict(self.ask(with_tags=with_tags))
        for page in decode_object(answers[ACCOUNTS_FILE], ACCOUNTS_FILE)["pages"]:
            found(page)
            yield 0.0
        for name in (CALLER_FILE, ORGANIZATION_FILE):
            del answers[name]
        return answers

    def identify(self) -> Mapping[str, bytes]:
        """
        Return who calls and which organization this is.
        """
        answers = self._folder.answers()
        return {name: answers[name] for name in (CALLER_FILE, ORGANIZATION_FILE)}


class FakeCollector:
    """
    Accounts that answer as a folder says.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.asked: list[AccountId] = []

    def collect(self, account: Account, keep: Keep) -> Steps[Outcome]:
        """
        Keep the account's answers.
        """
        yield 0.0
        self.asked.append(account.id)
        answers = self._folder.answers_of(account.id)
        outcome = answers.pop("outcome-1.json")
        for name, content in answers.items():
            keep(name, content)
        keep("outcome.json", outcome)  # last, as a real one does: it says that all is there
        return Collected(account, MADE)


class Serial:
    """
    One account after the other.
    """

    def run(
        self,
        jobs: Iterable[Steps[T] | None],
        *,
        source: Steps[T] | None = None,
        must_stop: Callable[[], bool] = lambda: False,  # noqa: ARG002 - nobody asks
    ) -> Generator[T, None, None]:
        """
        Drive each job to its end.
        """
        for steps in itertools.chain([source], jobs):
            while steps is not None:
                try:
                    next(steps)
                except StopIteration as done:
                    yield done.value
                    break


class Silence:
    """
    Somebody who watches and says nothing.
    """

    def opened(self, folder: Path) -> None:
        """
        Do nothing.
        """

    def found(self, accounts: int) -> None:
        """
        Do nothing.
        """

    def listed(self, accounts: int, selected: int) -> None:
        """
        Do nothing.
        """

    def collected(self, outcome: Outcome) -> None:
        """
        Do nothing.
        """

    def stage(self, name: str) -> None:
        """
        Do nothing.
        """

    def drawing(self, name: str, number: int, total: int) -> None:
        """
        Do nothing.
        """

    def must_stop(self) -> bool:
        """
        Never ask for it.
        """
        return False


PRESS = Press(
    renderers={}, describe_tools=lambda _: {}, compare=lambda old, new: f"{old} is not {new}"
)
"""
Draws nothing.
"""


class Scan:
    """
    A scan of what a folder holds, with nothing of it on disk yet.
    """

    def __init__(self, output: Path) -> None:
        self.folder = Folder(output / "unused")
        self.output = output
        self.directory = FakeDirectory(self.folder)
        self.collector = FakeCollector(self.folder)
        self.executor: Executor = Serial()
        self.signer: Signer | None = None
        self.press = PRESS

    def order(self, previous: Path | None = None) -> Order:
        """
        Return what is asked of the scan.
        """
        return Order(
            terms=self.folder.terms,
            frameworks=tuple(
                read_framework(source, f"{name}.yaml")
                for name, source in self.folder.catalogs.items()
            ),
            acceptances=None,
            inputs={},
            output=self.output,
            previous=previous,
        )

    def means(self) -> Means:
        """
        Return who does it.
        """

        def collector_for(_: Caller) -> Collector:
            return self.collector

        return Means(
            directory=self.directory,
            collector_for=collector_for,
            executor=self.executor,
            clock=FakeClock(),
            signer=self.signer,
            press=self.press,
            progress=Silence(),
            tool_version="0.1.0",
        )

    def run(self, previous: Path | None = None) -> Finished:
        """
        Scan, and return what is left.
        """
        return scan(self.order(previous), self.means())

    def resume(self, folder: Path, *, retry_failed: bool = False) -> Finished:
        """
        Go on with a run, and return what is left.
        """
        return resume(folder, self.means(), retry_failed=retry_failed)
