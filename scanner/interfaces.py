"""
The seams of a scan: what stands between the pipeline and AWS, the disk and the machine's threads.

An implementation is chosen in `scanner.wiring` and nowhere else.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from scanner.examination import Examined
from scanner.model import Account, Outcome

T = TypeVar("T")
R = TypeVar("R")

Steps: TypeAlias = Generator[float, None, T]
"""
One job, such as an account's, in steps. It yields how many seconds nothing can be done for it, and returns what
came of it, once. Between two steps it may move to another thread.
"""


class Clock(Protocol):
    """
    The time, as an argument: nothing else in the tool asks the machine what time it is.
    """

    def now(self) -> datetime:
        """
        Return the current moment, aware and in UTC.
        """
        ...

    def monotonic(self) -> float:
        """
        Return seconds that never run backwards, for deadlines.
        """
        ...


class Keep(Protocol):
    """
    Where raw answers go before anything parses them.
    """

    def __call__(self, name: str, content: bytes) -> None:
        """
        Store `content` under `name`, whole or not at all, or raise `EvidenceError`.
        """
        ...


class Directory(Protocol):
    """
    The organization's account list.
    """

    def ask(self, *, with_tags: bool = False) -> Mapping[str, bytes]:
        """
        Return what AWS answered about the caller, the organization and all its accounts, as JSON files.

        The accounts' tags cost one call each and are asked for only `with_tags`. The names are those of
        `scanner.organization`, which reads them. Raises `DiscoveryError` when the account list cannot be had whole.
        Never a partial list.
        """
        ...

    def list_accounts(
        self, found: Callable[[Mapping[str, Any]], None], *, with_tags: bool = False
    ) -> Steps[Mapping[str, bytes]]:
        """
        Ask for all accounts in steps, and return the answers of `ask` but those of `identify`.

        `found` is told of each page of ListAccounts as it comes, as JSON values; what it raises ends the listing.
        Raises `DiscoveryError` as `ask` does.
        """
        ...

    def identify(self) -> Mapping[str, bytes]:
        """
        Return only what AWS answered about the caller and the organization, under the same names.

        Raises `DiscoveryError`.
        """
        ...


class Collector(Protocol):
    """
    The way into one account.
    """

    def collect(self, account: Account, keep: Keep) -> Steps[Outcome]:
        """
        Read one account in steps, keep each raw answer before parsing it, and return its one outcome.

        It raises only `EvidenceError`, when the answers cannot be stored: whatever AWS or the
        network does is a `NotCollected`.
        """
        ...


class Examiner(Protocol):
    """
    Somebody who tries what a scan would do in an account.
    """

    def examine(self, account: Account) -> Steps[Examined]:
        """
        Enter one account in steps, try each call of a scan there, and say what became of it. Never raises.
        """
        ...


class Executor(Protocol):
    """
    How the work on many accounts is spread.
    """

    def run(
        self,
        jobs: Iterable[Steps[T] | None],
        *,
        source: Steps[T] | None = None,
        must_stop: Callable[[], bool] = lambda: False,
    ) -> Generator[T, None, None]:
        """
        Drive every job to its end and yield what comes of each as it comes, in no promised order.

        `source` is a job that brings the others: it is begun first and goes on before them, and while it is under way
        `jobs` may yield None where there is none yet. Raises what a job raises. When the caller stops early,
        unfinished jobs are closed. `must_stop` is asked all along: once it says so no job is begun any more, those
        under way have some seconds to end, and `KeyboardInterrupt` is raised after them.
        """
        ...


class Engine(Protocol):
    """
    Other processes that share the work, here or on other machines.
    """

    def submit(self, work: Callable[..., R], *arguments: object) -> "Future[R]":
        """
        Have a piece of work done, whoever does it; one who is lost meanwhile is replaced.

        `work` is a function of ours that stands in a module, and gives the same wherever it runs. The result is what it
        returns, or what it raises: `EngineError` where nobody is left to do it.
        """
        ...


class Signer(Protocol):
    """
    A key that signs what a run is sealed with.
    """

    @property
    def key_id(self) -> str:
        """
        Return the SHA-256, in hex, of the public key as DER-encoded SubjectPublicKeyInfo.
        """
        ...

    def attest(self, name: str, content: bytes, facts: Mapping[str, object]) -> bytes:
        """
        Return a signed statement that the file `name` holds `content`, as a DSSE envelope in JSON.

        `facts` are JSON values about the run. Raises `EvidenceError` when it cannot be signed.
        """
        ...


PdfSigner = Callable[[bytes], bytes]
"""
Signs a PDF: returns its bytes unchanged with the signature appended. Raises `RenderError`.
"""


class Progress(Protocol):
    """
    Someone who watches the scan.
    """

    def opened(self, folder: Path) -> None:
        """
        Say where this run's evidence is kept.
        """
        ...

    def found(self, accounts: int) -> None:
        """
        Say how many accounts the organization listed so far; there may be more.
        """
        ...

    def listed(self, accounts: int, selected: int) -> None:
        """
        Say how many accounts the organization lists and how many of them will be read.
        """
        ...

    def collected(self, outcome: Outcome) -> None:
        """
        Say that one selected account has its outcome.
        """
        ...

    def stage(self, name: str) -> None:
        """
        Say which stage of the job begins.
        """
        ...

    def drawing(self, name: str, number: int, total: int) -> None:
        """
        Say which format's documents are drawn next: the first of `total` is number 1.
        """
        ...

    def must_stop(self) -> bool:
        """
        Tell whether somebody wants the reading of accounts to stop. It is said once.
        """
        ...
