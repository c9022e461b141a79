"""
The overview of a group of organizations: what became of the scan of each, and its sealed figures. Pure.

It is no evidence: each organization's run is, and the overview names its seal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from scanner.model import Moment, Verdict
from scanner.summary import Summary

SCANNED, FAILED, NOT_SCANNED = "scanned", "failed", "not-scanned"

_GRAVITY = (0, 1, 3, 4, 2, 5)
"""
Exit statuses, the gravest last: an organization that was not read at all is graver than accounts that were not.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One organization of the settings file, and what became of it.

    `state` is `scanned`, `failed` or `not-scanned`; `status` is the exit status of its scan, None where there was none, and
    `reason` says why there are no figures. Figures are those of the run's `summary.json`.
    """

    name: str
    state: str
    status: int | None = None
    reason: str = ""
    run: str | None = None
    seal: str | None = None
    organization_id: str | None = None
    organization_name: str = ""
    period: str | None = None
    listed: int = 0
    collected: int = 0
    not_collected: int = 0
    excluded: int = 0
    not_active: int = 0
    stale: int = 0
    users: int = 0
    console: int = 0
    without_mfa: int = 0
    not_clear: int = 0
    exceptions: int = 0
    unknown: int = 0
    accepted: int = 0


FIGURES = (
    *("listed", "collected", "not_collected", "excluded", "not_active", "stale"),
    *("users", "console", "without_mfa", "not_clear", "exceptions", "unknown", "accepted"),
)


@dataclass(frozen=True, slots=True)
class Overview:
    """
    Every organization of a settings file, in its order, and when the last of them was scanned (UTC).
    """

    made: Moment
    organizations: tuple[Entry, ...]
    totals: dict[str, int] = field(default_factory=dict)
    exit_status: int = 0
    format: int = 1


def describe(name: str, summary: Summary, run: str, seal: str) -> Entry:
    """
    Return the entry of an organization that was scanned.
    """
    accounts, users = summary.accounts, summary.users
    return Entry(
        name=name,
        state=SCANNED,
        status=summary.exit_status,
        run=run,
        seal=seal,
        organization_id=summary.organization_id,
        organization_name=summary.organization_name,
        period=summary.period,
        listed=accounts.listed,
        collected=accounts.collected,
        not_collected=accounts.not_collected,
        excluded=accounts.excluded,
        not_active=accounts.not_active,
        stale=summary.stale,
        users=users.users,
        console=users.console,
        without_mfa=users.console_without_mfa,
        not_clear=users.unknown,
        exceptions=summary.findings_by_verdict.get(Verdict.FAIL, 0),
        unknown=summary.unknown_verdicts,
        accepted=summary.accepted,
    )


def sum_up(entries: Sequence[Entry], made: Moment) -> Overview:
    """
    Return the overview: totals of those that were scanned, and the gravest status of all that should have been.

    An organization that another name led to already is no other organization: it fails, so that it counts once.
    """
    first: dict[str, str] = {}
    kept = []
    for entry in entries:
        before = (
            first.setdefault(entry.organization_id, entry.name) if entry.organization_id else ""
        )
        if before and before != entry.name:
            kept.append(
                Entry(
                    entry.name,
                    FAILED,
                    2,
                    f"its credentials lead to organization {entry.organization_id}, which {before} is already; see "
                    f"its profile and role. The run it made is {entry.run}",
                )
            )
        else:
            kept.append(entry)
    scanned = [entry for entry in kept if entry.state == SCANNED]
    statuses = [entry.status for entry in kept if entry.status is not None]
    return Overview(
        made=made,
        organizations=tuple(kept),
        totals={name: sum(getattr(entry, name) for entry in scanned) for name in FIGURES},
        exit_status=max(statuses, key=_rank, default=2),
    )


def _rank(status: int) -> int:
    return _GRAVITY.index(status) if status in _GRAVITY else len(_GRAVITY)
