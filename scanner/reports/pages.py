"""
What the PDF's template is filled with: plain values, grouped as they stand on the pages.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from scanner.checks import CHECKS
from scanner.evidence import StoredRun
from scanner.frameworks import Framework
from scanner.model import Account, AccountOutcome, Confirmation, Relation, Verdict
from scanner.reports import facts, method
from scanner.reports.tables import list_records
from scanner.reports.wording import (
    CONFIRMATIONS,
    OUTCOMES,
    TITLE,
    VERDICTS,
    complete,
    conclude,
    format_age,
    format_iso,
    format_moment,
    list_notices,
)

FINDINGS_LIMIT = 1_000
"""
More findings than this are printed as totals by account, with a pointer to the workbook.
"""

ACCOUNTS_LIMIT = 1_500
"""
A list of more accounts than this gives way to a pointer to the workbook.
"""


def build_pages(run: StoredRun) -> dict[str, Any]:
    """
    Return every value that the template prints.
    """
    summary = run.summary
    accounts = list_records(run.accounts())
    return {
        "title": TITLE,
        "created": format_iso(summary.window.finished),
        "summary": summary,
        "seal": run.manifest_sha256,
        "notices": list_notices(summary),
        "conclusion": conclude(summary),
        "completeness": complete(summary),
        "identity": dict(facts.list_identity(run)),
        "coverage": facts.list_coverage(summary),
        "coverage_sum": facts.add_up_coverage(summary),
        "users": facts.list_users(summary),
        "checks": [(check, facts.list_check_figures(check)) for check in summary.checks],
        "confirmations": facts.list_confirmations(summary),
        "population": facts.describe_population(run),
        "frameworks": _list_frameworks(run),
        "findings": _list_findings(run),
        "not_assessed": _list_not_assessed(accounts),
        "ledger": _list_ledger(accounts),
        "accounts_limit": ACCOUNTS_LIMIT,
        "method": method,
        "conditions": method.list_conditions(run),
    }


def _list_frameworks(run: StoredRun) -> list[dict[str, Any]]:
    rows = list_records(run.controls())
    return [
        {"catalog": framework, "groups": _group_controls(framework, rows)}
        for framework in run.frameworks
    ]


def _group_controls(
    framework: Framework, rows: list[dict[str, Any]]
) -> list[tuple[str, list[dict[str, Any]]]]:
    results = {row["control_id"]: row for row in rows if row["framework"] == framework.id}
    groups = []
    for relation in (Relation.DIRECT, Relation.SUPPORTING):
        controls = [
            {"control": control, "row": row, "words": framework.wording[Verdict(row["verdict"])]}
            for control in framework.controls
            if control.relation is relation and (row := results.get(control.id))
        ]
        if controls:
            groups.append((str(relation), controls))
    return groups


def _list_findings(run: StoredRun) -> dict[str, Any]:
    """
    Return findings grouped by OU path and account, or totals by account where they are too many.
    """
    records = sorted(
        list_records(run.findings()),
        key=lambda row: (str(row["ou_path"] or ""), str(row["account_id"])),
    )
    accounts: list[dict[str, Any]] = [
        {"first": rows[0], "rows": [_describe(row) for row in rows], "counts": _count(rows)}
        for _, group in groupby(records, key=lambda row: row["account_id"])
        for rows in [list(group)]
    ]
    units = [
        (unit, list(group))
        for unit, group in groupby(accounts, key=lambda account: account["first"]["ou_path"])
    ]
    return {
        "number": len(records),
        "accounts": len(accounts),
        "units": units,
        "is_listed": len(records) <= FINDINGS_LIMIT,
        "is_totalled": len(accounts) <= ACCOUNTS_LIMIT,
    }


def _describe(row: Mapping[str, Any]) -> dict[str, Any]:
    check = CHECKS.get(str(row["check"]).partition(":")[0])
    state = row["confirmation"] or Confirmation.NOT_CHECKED
    return {
        **row,
        "title": check.title if check else row["check"],
        "verdict_words": VERDICTS[Verdict(row["verdict"])],
        "confirmation_words": CONFIRMATIONS[Confirmation(state)],
        "is_closed": state not in (Confirmation.STILL_OPEN, Confirmation.NOT_CHECKED),
    }


def _count(rows: list[dict[str, Any]]) -> Counter[str]:
    counts = Counter(str(row["verdict"]) for row in rows)
    closed = (Confirmation.STILL_OPEN, Confirmation.NOT_CHECKED, None)
    counts["closed"] = sum(row["confirmation"] not in closed for row in rows)
    return counts


def _list_not_assessed(accounts: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    groups = []
    for outcome in (
        AccountOutcome.NOT_COLLECTED,
        AccountOutcome.NOT_ACTIVE,
        AccountOutcome.EXCLUDED,
    ):
        rows = [row | {"what": _shorten(row)} for row in accounts if row["outcome"] == outcome]
        if rows:
            groups.append((OUTCOMES[outcome], rows))
    return groups


def _shorten(row: Mapping[str, Any]) -> str:
    """
    Return the reason without the account's id and name, which stand beside it.
    """
    account = Account(row["account_id"], row["name"] or "", "", row["state"])
    return str(row["reason"] or "").removeprefix(f"account {account}: ")


def _list_ledger(accounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **row,
            "outcome_words": OUTCOMES[AccountOutcome(row["outcome"])],
            "generated": format_moment(row["generated_time"]),
            "age": format_age(row["report_age_seconds"]),
        }
        for row in accounts
    ]
