"""
Tables and catalogs to verdicts, totals and control results. Pure.

Nothing here asks the clock, the disk or the network: ages are measured against each report's own
`generated_time`, so the same evidence gives the same judgement years later.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scanner.checks import BoundCheck, Subject
from scanner.checks.facts import remember_facts
from scanner.credentials import is_false, is_true
from scanner.frameworks import Control, Framework
from scanner.model import Relation, Verdict
from scanner.scopes import Scope
from scanner.summary import CheckTotals, UserTotals

_VERDICTS = tuple(Verdict)
_CODES = {verdict: code for code, verdict in enumerate(_VERDICTS)}


def judge_table(table: pd.DataFrame, checks: Sequence[BoundCheck]) -> pd.DataFrame:
    """
    Return the table of `scanner.credentials` with one verdict column (categorical) for each check of rows.
    """
    known = remember_facts(table)
    return table.assign(
        **{
            check.name: check.verdicts(known)
            for check in checks
            if check.check.subject is not Subject.ACCOUNT
        }
    )


def judge_accounts(accounts: pd.DataFrame, checks: Sequence[BoundCheck]) -> pd.DataFrame:
    """
    Return the accounts table with one verdict column (categorical) for each check about accounts.

    Beside its own columns the table needs `max_report_age_hours` (int), the settings' limit.
    """
    return accounts.assign(
        **{
            check.name: check.verdicts(accounts)
            for check in checks
            if check.check.subject is Subject.ACCOUNT
        }
    )


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
    Counts rows batch by batch, for everything and for each scope, so that memory does not grow.

    `scopes` are those of the frameworks in use; totals are asked for by framework.
    """

    def __init__(self, checks: Sequence[BoundCheck], scopes: Sequence[Scope] = ()) -> None:
        self._checks = checks
        self._counts = {scope: _Counts() for scope in (None, *(s.accounts for s in scopes))}
        self._scopes = {scope.framework: scope.accounts for scope in scopes}
        self._users = UserTotals(0, 0, 0, 0, 0, 0)

    def add(self, table: pd.DataFrame) -> None:
        """
        Count the rows of a judged table of credentials, or of a judged accounts table.
        """
        for scope, counts in self._counts.items():
            part = table if scope is None else table[table["account_id"].isin(scope)]
            counts.add(part, self._checks)
        if "is_root" in table:
            self._users = _add_users(self._users, table)

    def add_accepted(self, findings: pd.DataFrame) -> None:
        """
        Count the findings that an acceptance in force covers. Columns: account_id, check, acceptance.
        """
        accepted = findings[findings["acceptance"].notna()]
        for scope, counts in self._counts.items():
            part = accepted if scope is None else accepted[accepted["account_id"].isin(scope)]
            for name, number in part["check"].value_counts().items():
                counts.accepted[str(name)] = counts.accepted.get(str(name), 0) + int(number)

    def users(self) -> UserTotals:
        """
        Return the totals of users and root users.
        """
        return self._users

    def checks(self, framework: str | None = None) -> tuple[CheckTotals, ...]:
        """
        Return the totals of each check, in order of name: over everything, or a framework's scope.
        """
        counts = self._counts[self._scopes[framework] if framework is not None else None]
        return tuple(counts.total(check) for check in self._checks)


class _Counts:
    """
    The verdicts of each check over one scope.
    """

    def __init__(self) -> None:
        self._verdicts: dict[str, np.ndarray] = {}
        self.accepted: dict[str, int] = {}

    def add(self, table: pd.DataFrame, checks: Sequence[BoundCheck]) -> None:
        for check in checks:
            if check.name in table:
                codes = table[check.name].cat.codes.to_numpy()
                found = np.bincount(codes, minlength=len(_VERDICTS))
                self._verdicts[check.name] = self._verdicts.get(check.name, 0) + found

    def total(self, bound: BoundCheck) -> CheckTotals:
        found = self._verdicts.get(bound.name, np.zeros(len(_VERDICTS), "int64"))
        counts = {verdict: int(found[code]) for verdict, code in _CODES.items()}
        return CheckTotals(
            check=bound.name,
            title=bound.check.title,
            subject=str(bound.check.subject),
            severity=bound.check.severity,
            rows=int(found.sum()),
            passed=counts[Verdict.PASS],
            failed=counts[Verdict.FAIL],
            needs_review=counts[Verdict.NEEDS_REVIEW],
            not_applicable=counts[Verdict.NOT_APPLICABLE],
            unknown=counts[Verdict.UNKNOWN],
            accepted=self.accepted.get(bound.name, 0),
        )


def _add_users(before: UserTotals, table: pd.DataFrame) -> UserTotals:
    users = table[~table["is_root"]]
    password, device = users["password_enabled"], users["mfa_active"]
    # Of a report that was too old nothing is known, here as in each check.
    stale = users["is_stale"]
    console = is_true(password) & ~stale
    return UserTotals(
        users=before.users + len(users),
        roots=before.roots + len(table) - len(users),
        console=before.console + int(console.sum()),
        console_with_mfa=before.console_with_mfa + int((console & is_true(device)).sum()),
        console_without_mfa=before.console_without_mfa + int((console & is_false(device)).sum()),
        unknown=before.unknown + int((stale | password.isna() | (console & device.isna())).sum()),
    )


def judge_controls(
    frameworks: Sequence[Framework],
    scopes: Sequence[Scope],
    totals: Mapping[str, Iterable[CheckTotals]],
    not_tested: Mapping[str, int],
) -> list[dict[str, Any]]:
    """
    Return one row of the controls table for each control of each framework.

    `totals` holds, by framework, the totals over its scope, and `not_tested` the number of accounts in that
    scope that were not read, for whatever reason. Figures come from the control's direct checks, or from
    its supporting ones when it has no direct check.
    """
    declared = {scope.framework: scope.is_declared for scope in scopes}
    return [
        _judge_control(
            framework,
            control,
            {total.check: total for total in totals[framework.id]},
            not_tested[framework.id],
            scope_is_open=framework.scope_must_be_declared and not declared[framework.id],
        )
        for framework in frameworks
        for control in framework.controls
    ]


def count_open(
    frameworks: Sequence[Framework], totals: Mapping[str, Iterable[CheckTotals]]
) -> tuple[int, int]:
    """
    Return how many exceptions and how many unknown verdicts are open in the frameworks' scopes.

    An exception counts where its check is direct for some control and no acceptance covers it: a check that
    only supports controls gives leads. A verdict that nobody could reach counts whatever its check is for.
    """
    exceptions, unknown = 0, 0
    for framework in frameworks:
        relations: dict[str, set[Relation]] = {}
        for control in framework.controls:
            for mapped in control.checks:
                relations.setdefault(mapped.bound.name, set()).add(mapped.relation)
        for total in totals[framework.id]:
            found = relations.get(total.check, set())
            unknown += total.unknown if found else 0
            if Relation.DIRECT in found:
                exceptions += max(0, total.failed - total.accepted)
    return exceptions, unknown


def roll_up(
    relation: Relation,
    totals: Sequence[CheckTotals],
    *,
    not_tested: int,
    scope_is_open: bool,
) -> Verdict:
    """
    Return a control's verdict: never a pass for want of evidence.

    A supporting control carries no verdict of its own: exceptions make it a lead to review. A direct
    control with exceptions fails, or needs review while its scope is not declared; without
    exceptions, one unknown verdict or one account that was not read leaves it unknown.
    """
    failed = any(total.failed or total.needs_review for total in totals)
    if relation is Relation.SUPPORTING:
        return Verdict.NEEDS_REVIEW if failed else Verdict.NOT_TESTED
    if failed:
        certain = any(total.failed for total in totals) and not scope_is_open
        return Verdict.FAIL if certain else Verdict.NEEDS_REVIEW
    if not_tested or any(total.unknown for total in totals):
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
    not_tested: int,
    *,
    scope_is_open: bool,
) -> dict[str, Any]:
    relation = control.relation
    counted = [
        totals[mapped.bound.name] for mapped in control.checks if mapped.relation is relation
    ]
    verdict = roll_up(relation, counted, not_tested=not_tested, scope_is_open=scope_is_open)
    return {
        "framework": framework.id,
        "version": framework.version,
        "control_id": control.id,
        "title": control.title,
        "relation": str(relation),
        "verdict": str(verdict),
        "evaluated": sum(total.evaluated for total in counted),
        "failed": sum(total.failed for total in counted),
        "unknown": sum(total.unknown for total in counted),
        "not_tested": not_tested,
        "accepted": sum(total.accepted for total in counted),
    }
