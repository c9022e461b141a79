"""
The accounts as PDFs list them: those not read, those in doubt, and the ledger of all.

The main document prints lists up to a limit and totals beyond it; an annex volume prints all of its own accounts.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scanner.model import Account, AccountId, AccountOutcome
from scanner.reports import facts
from scanner.reports.annexes import (
    DIFFERENCES_LIMIT,
    LEDGER_LIMIT,
    NOT_ASSESSED_LIMIT,
    STALE_LIMIT,
    Annexes,
    place_units,
)
from scanner.reports.census import mark_stale
from scanner.reports.tables import list_records
from scanner.reports.wording import OUTCOMES, format_age, format_moment

UNITS_LIMIT = 200
"""
How many OUs the totals that stand for a ledger have a line for.
"""

_OUTCOMES = (AccountOutcome.NOT_COLLECTED, AccountOutcome.NOT_ACTIVE, AccountOutcome.EXCLUDED)
_FIGURES = ("listed", *map(str, AccountOutcome))


def build_doubts(accounts: pd.DataFrame, *, is_limited: bool = True) -> dict[str, Any]:
    """
    Return the accounts that were not read, whose report was too old, and whose users IAM counts differently.

    Limited, lists that are too long for the main document give way to totals, or to their gravest part. `lines`
    counts what is listed.
    """
    found = facts.list_differences(accounts)
    differences = found.head(DIFFERENCES_LIMIT if is_limited else len(found))
    stale = _list_stale(accounts)
    old = stale[: STALE_LIMIT if is_limited else None]
    groups = _list_not_assessed(accounts, NOT_ASSESSED_LIMIT if is_limited else len(accounts))
    lines = sum(len(group["rows"]) + len(group["totals"]) for group in groups)
    return {
        "lines": lines + len(old) + len(differences),
        "not_assessed": groups,
        "stale": {"number": len(stale), "rows": old},
        "differences": {
            "number": len(found),
            "counts": [
                (words, int((found["difference"] == words).sum()))
                for words in (facts.UNEXPLAINED, facts.UNCOMPARED, facts.EXPLAINED)
            ],
            "rows": [
                _pick(row, "account_id name users iam_users users_added users_gone difference")
                | {"population": row["population"]}
                for row in list_records(differences)
            ],
        },
    }


def list_ledger(accounts: pd.DataFrame) -> list[dict[str, Any]]:
    """
    Return each account's line of the ledger.
    """
    return [
        _pick(row, "account_id name ou_path outcome users")
        | {
            "outcome_words": describe_outcome(row),
            "is_stale": row["is_stale"],
            "generated": format_moment(row["generated_time"]),
            "age": format_age(row["report_age_seconds"]),
        }
        for row in _list(accounts.assign(is_stale=mark_stale(accounts)))
    ]


def describe_outcome(account: Mapping[str, Any]) -> str:
    """
    Say what became of an account, and of the report that was read. `is_stale` is what `mark_stale` says of it.
    """
    words = OUTCOMES[AccountOutcome(account["outcome"])]
    return f"{words}, report too old" if account["is_stale"] else words


def build_ledger(accounts: pd.DataFrame, annexes: Annexes) -> dict[str, Any]:
    """
    Return the ledger of all accounts, or totals by OU where there are more than `LEDGER_LIMIT`.
    """
    if len(accounts) <= LEDGER_LIMIT:
        return {"rows": list_ledger(accounts), "totals": None}
    volumes = place_units(annexes.volumes)
    units = accounts["ou_path"].fillna("")
    counts = (
        accounts.assign(unit=units, outcome=accounts["outcome"].astype("str"))
        .groupby(["unit", "outcome"])
        .size()
        .unstack("outcome", fill_value=0)
        .reindex(columns=list(map(str, AccountOutcome)), fill_value=0)
    )
    counts.insert(0, "listed", counts.sum(axis="columns"))
    ordered = counts.sort_index().reset_index()
    rest = ordered.iloc[UNITS_LIMIT:]
    totals = {
        "rows": [
            row | {"volume": volumes.get(str(row["unit"]))}
            for row in list_records(ordered.head(UNITS_LIMIT))
        ],
        "more": len(rest),
        "more_sums": {figure: int(rest[figure].sum()) for figure in _FIGURES},
        "sums": {figure: int(ordered[figure].sum()) for figure in _FIGURES},
    }
    return {"rows": [], "totals": totals}


def _list_not_assessed(accounts: pd.DataFrame, limit: int) -> list[dict[str, Any]]:
    """
    Return the accounts not read by outcome, each while there is room, else how many there are of each reason.
    """
    groups = []
    for outcome in _OUTCOMES:
        found = accounts[accounts["outcome"] == outcome]
        if found.empty:
            continue
        fits = len(found) <= limit
        limit -= len(found) if fits else 0
        rows = [
            _pick(row, "account_id name ou_path state reason_code") | {"what": _shorten(row)}
            for row in list_records(found)
        ]
        groups.append(
            {
                "words": OUTCOMES[outcome],
                "number": len(found),
                "rows": rows if fits else [],
                "totals": [] if fits else _total_reasons(rows),
            }
        )
    return groups


def _total_reasons(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Count accounts by state and reason, most first, each with the first account as an example.
    """
    keys = [(str(row["state"]), row["reason_code"]) for row in rows]
    counted = Counter(keys)
    first = dict(zip(reversed(keys), reversed(rows), strict=True))
    return [
        {"state": state, "reason_code": code, "number": number}
        | {"example": first[state, code]["account_id"], "what": first[state, code]["what"]}
        for (state, code), number in counted.most_common()
    ]


def _list_stale(accounts: pd.DataFrame) -> list[dict[str, Any]]:
    """
    Return the accounts whose report was too old, the oldest first.
    """
    ordered = accounts[mark_stale(accounts)].sort_values(
        ["report_age_seconds", "account_id"], ascending=[False, True], kind="stable"
    )
    return [
        _pick(row, "account_id name ou_path") | {"age": format_age(row["report_age_seconds"])}
        for row in _list(ordered)
    ]


def _list(frame: pd.DataFrame) -> Sequence[Mapping[str, Any]]:
    return list_records(frame)


def _pick(row: Mapping[str, Any], names: str) -> dict[str, Any]:
    return {name: row[name] for name in names.split()}


def _shorten(row: Mapping[str, Any]) -> str:
    """
    Return the reason without the account's id and name, which stand beside it.
    """
    account = Account(AccountId(row["account_id"]), row["name"] or "", "", row["state"])
    return str(row["reason"] or "").removeprefix(f"account {account}: ")
