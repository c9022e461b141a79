"""
One delivery: every destination in turn, and the receipt that says what is where.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from scanner.delivery.cargo import Cargo, inspect_run, take_copy
from scanner.delivery.destination import Contents, Destination, Parcel, Placed
from scanner.delivery.folder import FolderDestination
from scanner.errors import DeliveryError, EvidenceError, OrgproofError, SettingsError
from scanner.evidence.derived import seal_derived, stage_derived
from scanner.interfaces import Clock
from scanner.model import Moment
from scanner.records import encode

RECEIPT = "receipt.json"
AT_ONCE = 8
"""
How many files are sent to one destination at the same time.
"""


@dataclass(frozen=True, slots=True)
class Item:
    """
    One file that is at its destination: which, since when we know, and what the destination says of it.
    """

    path: str
    key: str
    size: int
    sha256: str
    at: Moment
    placed: Placed


@dataclass(frozen=True, slots=True)
class Consignment:
    """
    What one destination got. `problem` is None when that is everything, which is `expected` files.
    """

    destination: str
    contents: Contents
    expected: int
    problem: str | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What was delivered of a run, and where to. It holds no secret.
    """

    run_id: str
    organization_id: str
    period: str
    manifest_sha256: str
    started: Moment
    finished: Moment
    tool_version: str
    consignments: tuple[Consignment, ...]
    format: int = 1


@dataclass(frozen=True, slots=True)
class Delivered:
    """
    A delivery that is complete, and the folder of its receipt.
    """

    folder: Path
    receipt: Receipt


def deliver_run(
    folder: Path,
    destinations: Sequence[Destination],
    clock: Clock,
    tool_version: str,
    *,
    config: Path | None = None,
) -> Delivered:
    """
    Deliver a finished run to every destination, and keep a receipt under `derived/` in its folder.

    A destination that fails does not keep the others from theirs. Raises `EvidenceError` when the run is not
    what was sealed, and `DeliveryError` when a destination did not get everything; by then the receipt says
    what it got. `config` is the settings file to name to whoever has to repeat it.
    """
    for destination in destinations:
        if isinstance(destination, FolderDestination) and destination.holds(folder):
            raise SettingsError(
                f"deliver: {destination.root}: the run lies in it already, so this would be no copy; choose another "
                "path"
            )
    cargo = inspect_run(folder)
    started = clock.now()
    failures: list[BaseException] = []
    consignments = []
    for destination in destinations:
        consignment, failure = _deliver_to(destination, cargo, clock)
        consignments.append(consignment)
        if failure is not None:
            failures.append(failure)
        if isinstance(failure, KeyboardInterrupt):
            break
    receipt = Receipt(
        run_id=cargo.run_id,
        organization_id=cargo.organization_id,
        period=cargo.period,
        manifest_sha256=cargo.manifest_sha256,
        started=started,
        finished=clock.now(),
        tool_version=tool_version,
        consignments=tuple(consignments),
    )
    repeat = name_repeat(folder, config)
    kept = _keep(folder, receipt, repeat)
    _report(failures, receipt, kept, repeat)
    return Delivered(kept, receipt)


def name_repeat(folder: Path, config: Path | None) -> str:
    """
    Return the command that delivers a run once more, and completes what was stopped.
    """
    repeat = f"orgproof deliver {quote(str(folder))}"
    return repeat if config is None else f"{repeat} --config {quote(str(config))}"


def describe_delivery(delivered: Delivered) -> Iterator[str]:
    """
    Say in lines for people where each file is.
    """
    for consignment in delivered.receipt.consignments:
        for item in consignment.items:
            word = "was there already" if item.placed.was_there else "delivered"
            yield f"{word}: {item.placed.where}"


def _deliver_to(
    destination: Destination, cargo: Cargo, clock: Clock
) -> tuple[Consignment, BaseException | None]:
    def send(parcel: Parcel) -> Item:
        with take_copy(cargo.folder, parcel) as content:
            placed = destination.put(parcel, content)
        return Item(
            parcel.path, parcel.key, parcel.size, parcel.sha256, at=clock.now(), placed=placed
        )

    files, lists = cargo.pack(destination.contents)
    items, failure = _send_together(files, send)
    for parcel in lists if failure is None else ():
        try:
            items.append(send(parcel))
        except (OrgproofError, OSError, KeyboardInterrupt) as exc:
            failure = exc
            break
    consignment = Consignment(
        destination=destination.name,
        contents=destination.contents,
        expected=len(files) + len(lists),
        problem=None if failure is None else _say(failure),
        items=tuple(items),
    )
    return consignment, failure


def _send_together(
    parcels: Sequence[Parcel], send: Callable[[Parcel], Item]
) -> tuple[list[Item], BaseException | None]:
    """
    Send files a few at a time; stop at the first failure, and return what was sent, and that failure.
    """
    stopped: BaseException | None = None
    pool = ThreadPoolExecutor(AT_ONCE)
    futures: list[Future[Item]] = [pool.submit(send, parcel) for parcel in parcels]
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
    except KeyboardInterrupt as exc:
        stopped = exc
    finally:
        pool.shutdown(cancel_futures=True)
    done = [future for future in futures if not future.cancelled()]
    failures = [failure for future in done if (failure := future.exception()) is not None]
    for failure in failures:
        if not isinstance(failure, OrgproofError | OSError):
            raise failure
    items = [future.result() for future in done if future.exception() is None]
    return items, stopped or next(iter(failures), None)


def _keep(folder: Path, receipt: Receipt, repeat: str) -> Path:
    """
    Write the receipt into a folder of its own under `derived/`, and seal it.
    """
    facts = {
        "kind": "delivery",
        "delivered": receipt.started.isoformat().replace("+00:00", "Z"),
        "tool": {"name": "orgproof", "version": receipt.tool_version},
    }
    try:
        with stage_derived(folder, receipt.started) as store:
            store.write(RECEIPT, encode(receipt))
            seal_derived(store.folder, folder, facts)
    except EvidenceError as exc:
        sent = sum(len(consignment.items) for consignment in receipt.consignments)
        raise DeliveryError(
            f"{sent} files are at their destinations, and the receipt could not be kept: {exc}; run "
            f"`{repeat}` again for another"
        ) from exc
    return store.folder


def _report(failures: Sequence[BaseException], receipt: Receipt, kept: Path, repeat: str) -> None:
    """
    Raise what went wrong, if anything did: the gravest first.
    """
    for kind in (KeyboardInterrupt, EvidenceError):
        for failure in failures:
            if isinstance(failure, kind):
                raise failure
    lines = [
        f"{part.destination}: {len(part.items)} of {part.expected} files are there: {part.problem}"
        for part in receipt.consignments
        if part.problem is not None
    ]
    if lines:
        lines.append(
            f"the run itself is whole, and {kept} says what was delivered; run `{repeat}` again: what is "
            "there already is not sent twice"
        )
        raise DeliveryError("\n".join(lines))


def _say(failure: BaseException) -> str:
    if isinstance(failure, KeyboardInterrupt):
        return "it was stopped"
    if isinstance(failure, OSError):
        return f"{failure.filename or 'system'}: {failure.strerror or failure}"
    return str(failure)
