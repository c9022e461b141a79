"""
Annex volumes: which PDFs beside the main one hold what is too long for it, and which accounts stand in which.

Every listed account stands in exactly one volume, and so does every finding. The plan follows from the run alone,
so whoever draws or verifies its documents arrives at the same one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from scanner.evidence import StoredRun
from scanner.model import Severity, Verdict
from scanner.reports.facts import list_differences
from scanner.summary import Summary

VOLUME_ACCOUNTS = 1_000
"""
How many accounts a volume holds at most: its ledger fills some 30 pages.
"""

LEDGER_LIMIT = 1_000
"""
How many accounts the main document lists in its ledger. Of more it prints totals by OU.
"""

NOT_ASSESSED_LIMIT = 100
"""
How many accounts that were not read the main document lists, each with reason and next step.
"""

STALE_LIMIT = 100
"""
How many accounts the main document lists whose report was too old.
"""

DIFFERENCES_LIMIT = 100
"""
How many accounts the main document lists whose users IAM counts differently.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """
    An account as the plan sees it: where it stands, and how many findings it has.
    """

    unit: str
    account_id: str
    findings: int


@dataclass(frozen=True, slots=True)
class Share:
    """
    What of an account stands in a volume: its findings from `start` on, up to and without `stop`.

    All of them, but for an account with more than a volume holds. Its line of the ledger stands with its first.
    """

    unit: str
    account_id: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Volume:
    """
    One annex volume: neighbouring OUs by path, and in them the accounts by id.
    """

    number: int
    shares: tuple[Share, ...]

    @property
    def findings(self) -> int:
        """
        How many findings stand in it.
        """
        return sum(share.stop - share.start for share in self.shares)

    @property
    def ledger(self) -> tuple[str, ...]:
        """
        The accounts whose line of the ledger stands in it, in order.
        """
        return tuple(share.account_id for share in self.shares if not share.start)

    @property
    def units(self) -> tuple[str, ...]:
        """
        The paths of the OUs that stand in it, in order, each once.
        """
        return tuple(dict.fromkeys(share.unit for share in self.shares))


@dataclass(frozen=True, slots=True)
class Annexes:
    """
    How a run's findings and accounts are spread over its PDFs.

    `is_listed` says that the main document lists each finding, `holds_findings` that the volumes do. `tallies`
    counts the findings of each account, where they are not listed; `limit` is how many one PDF lists.
    """

    is_listed: bool
    holds_findings: bool
    limit: int
    annex_limit: int
    volumes: tuple[Volume, ...]
    tallies: pd.DataFrame


FIGURES = ("exceptions", "critical", "leads", "unknown", "findings")
"""
The columns of `Annexes.tallies`. Critical exceptions are exceptions as well; the last is the sum of the others.
"""


def plan_annexes(run: StoredRun) -> Annexes:
    """
    Return the plan for a run's PDFs. There are no volumes where everything fits into the main document.
    """
    terms, summary = run.terms, run.summary
    is_listed = summary.findings <= terms.findings_limit
    holds_findings = not is_listed and summary.findings <= terms.annex_limit
    accounts = run.accounts()
    tallies = _tally(() if is_listed else run.findings_in_batches())
    volumes: tuple[Volume, ...] = ()
    if holds_findings or _is_too_long(accounts, summary):
        found = tallies["findings"].to_dict() if holds_findings else {}
        places = (
            Place(unit or "", account_id, int(found.get(account_id, 0)))
            for account_id, unit in zip(
                accounts["account_id"].to_list(),
                accounts["ou_path"].fillna("").to_list(),
                strict=True,
            )
        )
        volumes = plan_volumes(places, limit=terms.findings_limit, accounts=VOLUME_ACCOUNTS)
    return Annexes(
        is_listed, holds_findings, terms.findings_limit, terms.annex_limit, volumes, tallies
    )


def _is_too_long(accounts: pd.DataFrame, summary: Summary) -> bool:
    """
    Tell whether a list of accounts is too long for the main document.
    """
    missed = summary.accounts.listed - summary.accounts.collected
    return (
        len(accounts) > LEDGER_LIMIT
        or missed > NOT_ASSESSED_LIMIT
        or summary.stale > STALE_LIMIT
        or len(list_differences(accounts)) > DIFFERENCES_LIMIT
    )


def plan_volumes(places: Iterable[Place], *, limit: int, accounts: int) -> tuple[Volume, ...]:
    """
    Spread accounts over volumes of at most `limit` findings and `accounts` accounts each.

    An OU stays together where a volume can hold it, and small ones share a volume; a larger one is parted
    between two of its accounts, and an account that alone is too much between two of its findings.
    """
    ordered = sorted(places, key=lambda place: (place.unit, place.account_id))
    # As many volumes as are needed anyway are filled alike, so that the last is not a leaf.
    needed = -(-sum(place.findings for place in ordered) // limit) or 1
    shelf = _Shelf(limit, accounts, -(-sum(place.findings for place in ordered) // needed))
    for _, group in groupby(ordered, key=lambda place: place.unit):
        unit = list(group)
        findings = sum(place.findings for place in unit)
        if not shelf.has_room(findings, len(unit)):
            shelf.close()
        for place in unit:
            for share in _divide(place, limit):
                if not shelf.fits(share):
                    shelf.close()
                shelf.add(share)
    shelf.close()
    return tuple(Volume(number, shares) for number, shares in enumerate(shelf.done, 1))


def place_accounts(volumes: Iterable[Volume]) -> dict[str, str]:
    """
    Return the number of the volume in which each account stands, or of the first and last.
    """
    return _say_places(
        (share.account_id, volume.number) for volume in volumes for share in volume.shares
    )


def place_units(volumes: Iterable[Volume]) -> dict[str, str]:
    """
    Return the number of the volume in which each OU stands, by its path, or of the first and last.
    """
    return _say_places((unit, volume.number) for volume in volumes for unit in volume.units)


def _say_places(places: Iterable[tuple[str, int]]) -> dict[str, str]:
    numbers: dict[str, list[int]] = {}
    for name, number in places:
        numbers.setdefault(name, []).append(number)
    return {
        name: f"{found[0]}" if len(found) == 1 else f"{found[0]}\u2013{found[-1]}"
        for name, found in numbers.items()
    }


def _divide(place: Place, limit: int) -> Iterator[Share]:
    for start in range(0, max(place.findings, 1), limit):
        stop = min(start + limit, place.findings)
        yield Share(place.unit, place.account_id, start, stop)


class _Shelf:
    """
    The volumes that are full, and the one that is being filled.
    """

    def __init__(self, limit: int, accounts: int, target: int) -> None:
        self.done: list[tuple[Share, ...]] = []
        self._limit = limit
        self._accounts = accounts
        self._target = target
        self._open: list[Share] = []
        self._findings = 0

    def has_room(self, findings: int, accounts: int) -> bool:
        """
        Tell whether a whole OU may begin in the open volume: it fits, or it fits in none and is parted anyway.
        """
        is_full = bool(self._target) and self._findings >= self._target
        fits = (
            self._findings + findings <= self._limit
            and len(self._open) + accounts <= self._accounts
        )
        return fits and not is_full

    def fits(self, share: Share) -> bool:
        """
        Tell whether a share fits into the open volume.
        """
        return (
            self._findings + share.stop - share.start <= self._limit
            and len(self._open) < self._accounts
        )

    def add(self, share: Share) -> None:
        """
        Put a share into the open volume.
        """
        self._open.append(share)
        self._findings += share.stop - share.start

    def close(self) -> None:
        """
        Begin a new volume, unless the open one is empty.
        """
        if self._open:
            self.done.append(tuple(self._open))
        self._open, self._findings = [], 0


def _tally(batches: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """
    Count findings by account, batch by batch. See `FIGURES`.
    """
    counted: Counter[tuple[str, str]] = Counter()
    words = {str(Verdict.FAIL): "exceptions", str(Verdict.NEEDS_REVIEW): "leads"}
    for findings in batches:
        figures = findings["verdict"].astype("str").map(words).fillna("unknown")
        critical = (figures == "exceptions") & (findings["severity"] == str(Severity.CRITICAL))
        for account_id, figure in (
            (findings["account_id"], figures),
            (findings["account_id"][critical], figures[critical].map(lambda _: "critical")),
        ):
            sizes = figure.groupby([account_id, figure]).size()
            counted.update(dict(zip(sizes.index.to_list(), sizes.to_list(), strict=True)))
    ids = sorted({account_id for account_id, _ in counted})
    table = pd.DataFrame(
        {figure: [counted[account_id, figure] for account_id in ids] for figure in FIGURES[:-1]},
        index=pd.Index(ids, dtype="object", name="account_id"),
        dtype="int64",
    )
    return table.assign(findings=table["exceptions"] + table["leads"] + table["unknown"])
