"""
Tables, catalogs and live answers to verdicts, findings and control results. Pure.

Nothing here asks the clock, the disk or the network: ages are measured against each report's own
`generated_time`, so the same evidence gives the same judgement years later.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from scanner.checks import BoundCheck
from scanner.confirmation import NOT_CHECKED, LiveState
from scanner.credentials import is_false, is_true
from scanner.frameworks import Control, Framework
from scanner.model import (
    Account,
    AccountId,
    CheckTotals,
    Relation,
    UserTotals,
    Verdict,
)

REPORTED = (Verdict.FAIL, Verdict.NEEDS_REVIEW, Verdict.UNKNOWN)
"""
The verdicts that make a row a finding.
"""


def judge_table(table: pd.DataFrame, checks: Sequence[BoundCheck]) -> pd.DataFrame:
    """
    Return the table of `scanner.credentials` with one verdict column (categorical) for each check.
    """
    return table.assign(**{check.name: check.verdicts(table) for check in checks})


def list_findings(
    table: pd.DataFrame,
    checks: Sequence[BoundCheck],
    accounts: Mapping[AccountId, Account],
    live: Mapping[str, LiveState],
    controls: Mapping[str, str],
) -> list[dict[str, Any]]:
    """
    Return one row for each verdict of a judged table that is fail, needs-review or unknown.

    `live` maps an ARN to what the account said since the report, `controls` a check's name to the
    controls it bears on. Rows are sorted by account id, ARN and check, with the columns of the
    findings table; what only history can tell is left out.
    """
    rows = [
        _describe(row, check, accounts, live, controls)
        for check in checks
        for row in table[table[check.name].isin([str(v) for v in REPORTED])].to_dict("records")
    ]
    return sorted(rows, key=lambda row: (row["account_id"], row["arn"], row["check"]))


def identify_finding(arn: str, created: str, check: str) -> str:
    """
    Return a finding's id: stable between runs, and not shared by a user name that is used again.

    It hashes the ARN, the user's creation time and the check with its parameters: 20 hex digits.
    """
    return hashlib.sha256("\n".join((arn, created, check)).encode()).hexdigest()[:20]


def name_controls(frameworks: Sequence[Framework]) -> dict[str, str]:
    """
    Map each check in use to the controls it bears on, as `framework:control` joined by `; `.
    """
    named: dict[str, list[str]] = {}
    for framework in frameworks:
        for control in framework.controls:
            for mapped in control.checks:
                named.setdefault(mapped.bound.name, []).append(f"{framework.id}:{control.id}")
    return {check: "; ".join(controls) for check, controls in named.items()}


class Tally:
    """
    Counts rows batch by batch, so that memory does not grow with the organization.
    """

    def __init__(self, checks: Sequence[BoundCheck]) -> None:
        self._checks = checks
        self._verdicts: dict[str, Counter[str]] = {check.name: Counter() for check in checks}
        self._users: Counter[str] = Counter()
        self._rows = 0

    def add(self, table: pd.DataFrame) -> None:
        """
        Count the rows of a judged table.
        """
        self._rows += len(table)
        for name, counter in self._verdicts.items():
            counter.update({str(v): int(n) for v, n in table[name].value_counts().items()})
        users = table[~table["is_root"]]
        password, device = users["password_enabled"], users["mfa_active"]
        console = is_true(password)
        self._users.update(
            users=len(users),
            roots=len(table) - len(users),
            console=int(console.sum()),
            with_mfa=int((console & is_true(device)).sum()),
            without_mfa=int((console & is_false(device)).sum()),
            unknown=int((password.isna() | (console & device.isna())).sum()),
        )

    @property
    def rows(self) -> int:
        """
        How many rows were counted.
        """
        return self._rows

    def users(self) -> UserTotals:
        """
        Return the totals of users and root users.
        """
        return UserTotals(
            users=self._users["users"],
            roots=self._users["roots"],
            console=self._users["console"],
            console_with_mfa=self._users["with_mfa"],
            console_without_mfa=self._users["without_mfa"],
            unknown=self._users["unknown"],
        )

    def checks(self) -> tuple[CheckTotals, ...]:
        """
        Return the totals of each check, in order of name.
        """
        return tuple(self._total(check) for check in self._checks)

    def _total(self, bound: BoundCheck) -> CheckTotals:
        counts = self._verdicts[bound.name]
        return CheckTotals(
            check=bound.name,
            title=bound.check.title,
            severity=bound.check.severity,
            rows=self._rows,
            passed=counts[Verdict.PASS],
            failed=counts[Verdict.FAIL],
            needs_review=counts[Verdict.NEEDS_REVIEW],
            not_applicable=counts[Verdict.NOT_APPLICABLE],
            unknown=counts[Verdict.UNKNOWN],
        )


def judge_controls(
    frameworks: Sequence[Framework], totals: Iterable[CheckTotals], not_collected: int
) -> list[dict[str, Any]]:
    """
    Return one row of the controls table for each control of each framework.

    `not_collected` is the number of selected accounts that could not be read. Figures come from the
    control's direct checks, or from its supporting ones when it has no direct check.
    """
    by_name = {total.check: total for total in totals}
    return [
        _judge_control(framework, control, by_name, not_collected)
        for framework in frameworks
        for control in framework.controls
    ]


def roll_up(
    relation: Relation,
    totals: Sequence[CheckTotals],
    *,
    not_collected: int,
    scope_is_open: bool,
) -> Verdict:
    """
    Return a control's verdict: never a pass for want of evidence.

    A supporting control carries no verdict of its own: exceptions make it a lead to review. A direct
    control with exceptions fails, or needs review while its scope is not declared; without
    exceptions, one unknown verdict or one unread account leaves it unknown.
    """
    failed = any(total.failed or total.needs_review for total in totals)
    if relation is Relation.SUPPORTING:
        return Verdict.NEEDS_REVIEW if failed else Verdict.NOT_TESTED
    if failed:
        certain = any(total.failed for total in totals) and not scope_is_open
        return Verdict.FAIL if certain else Verdict.NEEDS_REVIEW
    if not_collected or any(total.unknown for total in totals):
        return Verdict.UNKNOWN
    if any(total.passed for total in totals):
        return Verdict.PASS
    if any(total.not_applicable for total in totals):
        return Verdict.NOT_APPLICABLE
    return Verdict.NOT_TESTED


def _judge_control(
    framework: Framework,
    control: Control,
    totals: Mapping[str, CheckTotals],
    not_collected: int,
) -> dict[str, Any]:
    relation = control.relation
    counted = [
        totals[mapped.bound.name] for mapped in control.checks if mapped.relation is relation
    ]
    return {
        "framework": framework.id,
        "version": framework.version,
        "control_id": control.id,
        "title": control.title,
        "relation": str(relation),
        "verdict": str(
            roll_up(
                relation,
                counted,
                not_collected=not_collected,
                scope_is_open=framework.scope_must_be_declared,
            )
        ),
        "evaluated": sum(total.evaluated for total in counted),
        "failed": sum(total.failed for total in counted),
        "unknown": sum(total.unknown for total in counted),
        "not_tested": not_collected,
        "accepted": 0,
    }


def _describe(
    row: Mapping[Any, Any],
    bound: BoundCheck,
    accounts: Mapping[AccountId, Account],
    live: Mapping[str, LiveState],
    controls: Mapping[str, str],
) -> dict[str, Any]:
    account = accounts[row["account_id"]]
    verdict = Verdict(row[bound.name])
    created = row["user_creation_time"]
    # Root is never asked about. Users are asked what console-no-mfa is about, and it is the only check
    # of users so far: a second one must not inherit this answer.
    state = NOT_CHECKED if row["is_root"] else live.get(row["arn"], NOT_CHECKED)
    return {
        "finding_id": identify_finding(
            row["arn"], "" if pd.isna(created) else created.isoformat(), bound.name
        ),
        "account_id": account.id,
        "account_name": account.name,
        "ou_path": account.ou_path,
        "user": row["user"],
        "arn": row["arn"],
        "check": bound.name,
        "severity": str(bound.check.severity),
        "verdict": str(verdict),
        "observation": bound.check.observe(row, verdict),
        "controls": controls.get(bound.name, ""),
        "confirmation": str(state.confirmation),
        "confirmation_note": state.note,
        "owner": state.owner,
    }
