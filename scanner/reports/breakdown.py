"""
The findings counted by check and account, or by severity: what documents say that do not name each user.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

from scanner.evidence import StoredRun
from scanner.model import Verdict

_BY = ["check", "account_id", "account_name", "verdict"]


@dataclass(slots=True)
class Counts:
    """
    One account's findings: exceptions, leads, and verdicts that could not be reached.

    `accepted` are exceptions and leads that an acceptance in force covers. They are in the others all the same;
    `open` counts the exceptions that none covers.
    """

    name: str | None
    failed: int = 0
    leads: int = 0
    unknown: int = 0
    accepted: int = 0
    open: int = 0

    def add(self, verdict: Verdict, number: int, *, is_accepted: bool) -> None:
        """
        Count some more findings of one verdict.
        """
        match verdict:
            case Verdict.FAIL:
                self.failed += number
                self.open += 0 if is_accepted else number
            case Verdict.NEEDS_REVIEW:
                self.leads += number
            case _:
                self.unknown += number
        self.accepted += number if is_accepted else 0


Breakdown = dict[str, dict[str, Counts]]
"""
From check to account id to numbers. It holds what has findings, in order of account id.
"""


def count_findings(run: StoredRun) -> Breakdown:
    """
    Count a run's findings, batch by batch. It takes memory for each check and account that have any.
    """
    found: Breakdown = defaultdict(dict)
    for frame in run.findings_in_batches():
        columns = [frame[name].to_numpy(dtype=object) for name in _BY]
        alike = Counter(zip(*columns, frame["acceptance"].notna(), strict=True))
        for (check, account, name, verdict, is_accepted), number in alike.items():
            accounts = found[check]
            if account not in accounts:
                accounts[account] = Counts(name if isinstance(name, str) else None)
            accounts[account].add(Verdict(verdict), number, is_accepted=is_accepted)
    return dict(found)


def count_severities(run: StoredRun) -> Counter[tuple[str, str]]:
    """
    Count a run's findings by severity and verdict.

    A finding can be graver than its check, or less grave, and its check's severity is all that the totals know.
    """
    counted: Counter[tuple[str, str]] = Counter()
    for frame in run.findings_in_batches():
        counted.update(
            zip(frame["severity"].astype("str"), frame["verdict"].astype("str"), strict=True)
        )
    return counted


def sum_by_account(found: Breakdown) -> dict[str, Counts]:
    """
    Return each account's findings of all checks together.
    """
    sums: dict[str, Counts] = {}
    for accounts in found.values():
        for account, counts in accounts.items():
            total = sums.setdefault(account, Counts(counts.name))
            for field in ("failed", "leads", "unknown", "accepted", "open"):
                setattr(total, field, getattr(total, field) + getattr(counts, field))
    return sums
