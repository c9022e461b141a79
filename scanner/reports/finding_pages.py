"""
The findings as PDFs print them: one by one where they are few, else the gravest and totals by account.

What is not printed in the main document stands in annex volumes, and the page says in which. Everything here is
plain values, so that a volume can be printed by another process.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from scanner.checks import CHECKS, Subject, title_check
from scanner.evidence import StoredRun
from scanner.findings import CONFIRMED_CHECK
from scanner.history import State
from scanner.model import Confirmation, Severity, Verdict
from scanner.reports.annexes import FIGURES, Annexes, Volume, place_accounts
from scanner.reports.people import gather_facts
from scanner.reports.tables import list_records
from scanner.reports.text import shorten
from scanner.reports.wording import CONFIRMATIONS, URGENCY, VERDICTS, count, format_moment

CRITICAL_LIMIT = 200
"""
How many of the gravest exceptions the main document lists where it does not list all findings.
"""

TOTALS_LIMIT = 300
"""
How many accounts the totals have a line for; those with most findings.
"""

HEADED_ACCOUNTS = 4
"""
How many accounts an OU has at least that is given a heading and a table of its own. A smaller one has its name
beside each of its accounts: a thousand headings would fill a hundred pages.
"""

_MAIN_CHECKS = (CONFIRMED_CHECK, "root-console-no-mfa")
"""
What an auditor asks first: who signs in with a password alone. Grave whatever the severity.
"""

_CONTINUED_LIMIT = 80
"""
How many small letters of an account's name fit at the head of a page on which its findings go on.
"""

_SEVERITIES = {str(severity): rank for rank, severity in enumerate(Severity)}
_OPEN = (Confirmation.STILL_OPEN, Confirmation.NOT_CHECKED)


def build_findings(run: StoredRun, annexes: Annexes) -> dict[str, Any]:
    """
    Return the findings as the main document prints them.

    Where it does not list them all, `blocks` holds only exceptions of critical severity and sign-in without MFA,
    as many as `CRITICAL_LIMIT`, and `totals` counts the findings of each account.
    """
    number = run.summary.findings
    if annexes.is_listed:
        shown = run.findings()
        grave, accounts = number, int(shown["account_id"].nunique())
    else:
        shown, grave = _pick_grave(run.findings_in_batches())
        accounts = len(annexes.tallies)
    return {
        "number": number,
        "accounts": accounts,
        "is_listed": annexes.is_listed,
        "limit": annexes.limit,
        "annex_limit": annexes.annex_limit,
        "holds_findings": annexes.holds_findings,
        "grave": grave,
        "shown": len(shown),
        "blocks": list_blocks(run, shown),
        "totals": None if annexes.is_listed else _total(run, annexes),
    }


def list_volumes(run: StoredRun, annexes: Annexes) -> Iterable[tuple[Volume, list[dict[str, Any]]]]:
    """
    Yield each annex volume with its findings, as `list_blocks` returns them.
    """
    if not annexes.holds_findings:
        yield from ((volume, []) for volume in annexes.volumes)
        return
    findings = _order(run.findings())
    groups = findings.groupby("account_id", sort=False, observed=True).indices
    facts = gather_facts(run, set(findings["arn"].dropna()))
    for volume in annexes.volumes:
        places = [
            place
            for share in volume.shares
            for place in groups.get(share.account_id, ())[share.start : share.stop]
        ]
        yield volume, list_blocks(run, findings.iloc[places], facts)


def list_blocks(
    run: StoredRun, findings: pd.DataFrame, facts: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """
    Return findings grouped by OU path, account and person, the gravest of an account first.

    A block is an OU with its accounts, or several small OUs, whose accounts name theirs. `facts` is what
    `scanner.reports.people` says of each person; None where it is still to be found out.
    """
    if facts is None:
        facts = gather_facts(run, set(findings["arn"].dropna()))
    is_compared = run.summary.previous is not None
    made = _list_made(run) if len(findings) else {}
    rows = list_records(_order(findings))
    blocks: list[dict[str, Any]] = []
    for number, (unit, group) in enumerate(groupby(rows, key=lambda row: row["unit"]), 1):
        accounts = [
            {
                "account_id": account_id,
                "name": belonging[0]["account_name"],
                "short_name": shorten(str(belonging[0]["account_name"] or ""), _CONTINUED_LIMIT),
                "unit": None,
                "anchor": None,
                "made": made.get(account_id),
                "people": _list_people(belonging, facts, is_compared=is_compared),
            }
            for account_id, findings_of in groupby(group, key=lambda row: row["account_id"])
            for belonging in [list(findings_of)]
        ]
        _add_block(blocks, str(unit), f"{number}", accounts)
    return blocks


def _add_block(
    blocks: list[dict[str, Any]], unit: str, anchor: str, accounts: list[dict[str, Any]]
) -> None:
    """
    Add an OU as a block with a heading, or its accounts to the block of small OUs before it.
    """
    if len(accounts) >= HEADED_ACCOUNTS:
        blocks.append({"unit": unit, "anchor": anchor, "accounts": accounts})
        return
    named: list[dict[str, Any]] = [account | {"unit": unit} for account in accounts]
    named[0]["anchor"] = anchor
    if not blocks or blocks[-1]["unit"] is not None:
        blocks.append({"unit": None, "anchor": None, "accounts": []})
    blocks[-1]["accounts"] += named


def list_anchors(blocks: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """
    Return where the findings of each OU begin, and its path.
    """
    return [
        (str(place["anchor"]), str(place["unit"]))
        for block in blocks
        for place in (block, *block["accounts"])
        if place["anchor"] is not None
    ]


def _list_made(run: StoredRun) -> dict[str, str]:
    """
    Return when each account's report was made, in words.
    """
    accounts = run.accounts()
    read = accounts[accounts["generated_time"].notna()]
    moments = map(format_moment, read["generated_time"])
    return dict(zip(read["account_id"].to_list(), moments, strict=True))


def _order(findings: pd.DataFrame) -> pd.DataFrame:
    """
    Sort findings by OU and account, people by their gravest finding, and each one's findings by gravity.
    """
    verdicts = {str(verdict): rank for rank, verdict in enumerate(URGENCY)}
    severity = findings["severity"].astype("str").map(_SEVERITIES)
    rank = severity * len(verdicts) + findings["verdict"].astype("str").map(verdicts)
    ranked = findings.assign(rank=rank.astype("int64"), unit=findings["ou_path"].fillna(""))
    people = [ranked["account_id"], ranked["arn"]]
    ranked["gravest"] = ranked.groupby(people, observed=True)["rank"].transform("min")
    return ranked.sort_values(
        ["unit", "account_id", "gravest", "arn", "rank", "check"], kind="stable"
    )


def _pick_grave(batches: Iterable[pd.DataFrame]) -> tuple[pd.DataFrame, int]:
    """
    Return the gravest exceptions, as many as are listed, and how many there are in all.
    """
    number = 0
    kept: list[pd.DataFrame] = []
    for findings in batches:
        is_grave = (findings["severity"] == str(Severity.CRITICAL)) | findings["check"].isin(
            _MAIN_CHECKS
        )
        grave = findings[is_grave & (findings["verdict"] == str(Verdict.FAIL))]
        number += len(grave)
        kept.append(grave)
        if sum(map(len, kept)) > CRITICAL_LIMIT:
            kept = [_keep_gravest(kept)]
    return _keep_gravest(kept), number


def _keep_gravest(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    # The parts' codes for the same words differ, and plain text has none.
    found = pd.concat([part.astype({"severity": "str"}) for part in parts], ignore_index=True)
    rank = found["severity"].map(_SEVERITIES).astype("int64")
    return found.loc[rank.sort_values(kind="stable").index[:CRITICAL_LIMIT]].sort_index()


def _list_people(
    rows: Sequence[Mapping[str, Any]], facts: Mapping[str, str], *, is_compared: bool
) -> list[dict[str, Any]]:
    return [
        _describe_person(list(group), facts.get(arn), is_compared=is_compared)
        for arn, group in groupby(rows, key=lambda row: row["arn"])
    ]


def _describe_person(
    rows: Sequence[Mapping[str, Any]], facts: str | None, *, is_compared: bool
) -> dict[str, Any]:
    first = rows[0]
    owners = {row["owner"] for row in rows if row["owner"]}
    owner = owners.pop() if len(owners) == 1 else None
    described = [
        _describe(row, is_compared=is_compared, with_owner=row["owner"] != owner) for row in rows
    ]
    return {
        "name": first["user"],
        "arn": first["arn"],
        "facts": facts if first["user"] is not None else None,
        "owner": owner,
        "rows": _merge(described),
    }


def _describe(row: Mapping[str, Any], *, is_compared: bool, with_owner: bool) -> dict[str, Any]:
    name = str(row["check"])
    check = CHECKS.get(name.partition(":")[0])
    state = Confirmation(row["confirmation"] or Confirmation.NOT_CHECKED)
    is_account = check is not None and check.subject is Subject.ACCOUNT
    # Only this check's findings are asked about: beside the others "not checked" would say nothing.
    is_asked = name == CONFIRMED_CHECK and not is_account
    return {
        "checks": [
            {
                "title": title_check(name),
                "severity": str(row["severity"]),
            }
        ],
        "verdict": str(row["verdict"]),
        "verdict_words": VERDICTS[Verdict(row["verdict"])],
        "observation": row["observation"],
        "acceptance": row["acceptance"],
        "acceptance_note": row["acceptance_note"],
        "owner": row["owner"] if with_owner else None,
        "confirmation_words": CONFIRMATIONS[state] if is_asked else None,
        "confirmation_note": row["confirmation_note"] if is_asked else None,
        "is_closed": state not in _OPEN,
        "since": _say_since(row) if is_compared else None,
    }


def _merge(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Make one row of findings of a person that could not be reached for the same reason, with each check in it.
    """
    merged: list[dict[str, Any]] = []
    for row in rows:
        last = merged[-1] if merged else None
        if (
            last is not None
            and row["verdict"] == Verdict.UNKNOWN
            and {**row, "checks": None} == {**last, "checks": None}
        ):
            last["checks"] += row["checks"]
        else:
            merged.append(row)
    return merged


def _say_since(row: Mapping[str, Any]) -> str | None:
    """
    Say since when a finding is known, in a run that is compared with another one.
    """
    match row["state"]:
        case State.NEW:
            return "new"
        case State.REOPENED:
            return "open again after it was fixed"
        case _ if row["days_open"] is not None:
            return f"open for {count(int(row['days_open']), 'day')}"
        case _:
            return None


def _total(run: StoredRun, annexes: Annexes) -> dict[str, Any]:
    """
    Count the findings of each account, most first, and name the volume that holds them.

    Accounts beyond `TOTALS_LIMIT` are `more`, with what they add up to.
    """
    tallies = annexes.tallies.reset_index()
    ordered = tallies.sort_values(
        ["exceptions", "critical", "leads", "unknown", "account_id"],
        ascending=[False, False, False, False, True],
        kind="stable",
    )
    names = run.accounts().set_index("account_id")[["name", "ou_path"]]
    shown = ordered.head(TOTALS_LIMIT).join(names, on="account_id")
    places = place_accounts(annexes.volumes) if annexes.holds_findings else {}
    rest = ordered.iloc[TOTALS_LIMIT:]
    return {
        "rows": [
            row | {"volume": places.get(str(row["account_id"]))} for row in list_records(shown)
        ],
        "sums": {figure: int(ordered[figure].sum()) for figure in FIGURES},
        "more": len(rest),
        "more_sums": {figure: int(rest[figure].sum()) for figure in FIGURES},
    }
