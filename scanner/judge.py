"""
Tables, catalogs and live answers to verdicts, findings and control results. Pure.

Nothing here asks the clock, the disk or the network: ages are measured against each report's own
`generated_time`, so the same evidence gives the same judgement years later.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scanner.checks import BoundCheck, Subject
from scanner.checks.facts import remember_facts
from scanner.checks.registry import VERDICT_DTYPE
from scanner.confirmation import LiveState
from scanner.credentials import is_false, is_true
from scanner.frameworks import Control, Framework
from scanner.model import (
    Account,
    AccountId,
    CheckTotals,
    Confirmation,
    Relation,
    Severity,
    UserTotals,
    Verdict,
)
from scanner.scopes import Scope

REPORTED = (Verdict.FAIL, Verdict.NEEDS_REVIEW, Verdict.UNKNOWN)
"""
The verdicts that make a row a finding.
"""

CONFIRMED_CHECK = "console-no-mfa"
"""
The check whose findings are asked about live. Another check's findings must not inherit the answer.
"""

SEVERITY_DTYPE = pd.CategoricalDtype([str(severity) for severity in Severity])

_CONFIRMATIONS = (
    Confirmation.NOT_CHECKED,
    *(state for state in Confirmation if state is not Confirmation.NOT_CHECKED),
)
_CONFIRMATION_CODES = {state: code for code, state in enumerate(_CONFIRMATIONS)}
CONFIRMATION_DTYPE = pd.CategoricalDtype([str(state) for state in _CONFIRMATIONS])

_ALWAYS = ("generated_time", "is_stale", "sentinels", "uninterpretable", "user")
"""
What the words about any row may be made of, besides a check's own columns.
"""

_WHO = ("account_id", "user", "arn", "user_creation_time")
_VERDICTS = tuple(Verdict)
_CODES = {verdict: code for code, verdict in enumerate(_VERDICTS)}
_SEVERITY_CODES = {severity: code for code, severity in enumerate(Severity)}
_IS_REPORTED = np.array([verdict in REPORTED for verdict in _VERDICTS])


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


def list_findings(
    table: pd.DataFrame,
    checks: Sequence[BoundCheck],
    accounts: Mapping[AccountId, Account],
    live: Mapping[str, LiveState],
    controls: Mapping[str, str],
) -> pd.DataFrame:
    """
    Return one row for each verdict of a judged table that is fail, needs-review or unknown.

    `live` maps an ARN to what the account said since the report, `controls` a check's name to the
    controls it bears on. Rows are sorted by account id, ARN and check, with the columns of the findings
    table that neither acceptances nor history tell, and `user_creation_time`. The same function lists the findings about
    accounts, from a judged accounts table (without `user`).
    """
    found = _find_all(table, checks)
    rows = _pick(table, found.positions)
    names = [check.name for check in checks]
    asked = np.array([name == CONFIRMED_CHECK for name in names])[found.ranks]
    whose, place = _place_accounts(table, found.positions)
    return pd.DataFrame(
        {
            "finding_id": _identify(table, found, names),
            "account_id": rows["account_id"],
            "account_name": _spell(place, [accounts[account].name for account in whose]),
            "ou_path": _spell(place, [accounts[account].ou_path for account in whose]),
            "user": rows["user"] if "user" in rows else pd.Series(None, rows.index, dtype="str"),
            "arn": rows["arn"],
            "check": _spell(found.ranks, names),
            "severity": pd.Categorical.from_codes(found.severities, dtype=SEVERITY_DTYPE),
            "verdict": pd.Categorical.from_codes(found.verdicts, dtype=VERDICT_DTYPE),
            "observation": pd.Series(found.observations, dtype="str"),
            "controls": _spell(found.ranks, [controls.get(name, "") for name in names]),
            "user_creation_time": rows.get("user_creation_time", pd.NaT),
            **_confirm(rows["arn"], asked, live),
        }
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """
    Findings as arrays: the row each is about, its check, and codes of its verdict and severity.
    """

    positions: np.ndarray
    ranks: np.ndarray
    verdicts: np.ndarray
    severities: np.ndarray
    observations: np.ndarray


def _find_all(table: pd.DataFrame, checks: Sequence[BoundCheck]) -> _Found:
    """
    Return every finding of a judged table, in order of row and check.
    """
    parts = [_find(table, check, rank) for rank, check in enumerate(checks) if check.name in table]
    positions, ranks, verdicts, severities, observations = (
        np.concatenate([getattr(part, name) for part in parts]) for name in _Found.__slots__
    )
    order = np.lexsort((ranks, positions))
    return _Found(
        positions[order], ranks[order], verdicts[order], severities[order], observations[order]
    )


def _find(table: pd.DataFrame, check: BoundCheck, rank: int) -> _Found:
    """
    Return one check's findings, in order of row.
    """
    codes = table[check.name].cat.codes.to_numpy()
    positions = _IS_REPORTED[codes].nonzero()[0]
    verdicts = codes[positions]
    observations = np.empty(len(positions), dtype=object)
    severities = np.full(len(positions), _SEVERITY_CODES[check.check.severity], dtype="int8")
    is_open = verdicts == _CODES[Verdict.UNKNOWN]
    if not is_open.all():
        rows = _take(table, positions[~is_open], check)
        observations[~is_open] = check.observe(rows)
        if check.check.grade is not None:
            severities[~is_open] = [_SEVERITY_CODES[severity] for severity in check.grade(rows)]
    if is_open.any():
        observations[is_open] = check.explain_unknown(_take(table, positions[is_open], check))
    ranks = np.full(len(positions), rank, dtype="int16")
    return _Found(positions, ranks, verdicts, severities, observations)


def _take(table: pd.DataFrame, positions: np.ndarray, check: BoundCheck) -> pd.DataFrame:
    """
    Take the rows at some positions, with the columns that a check's words are made of.
    """
    if check.check.subject is Subject.ACCOUNT:
        return table.take(positions)
    wanted = dict.fromkeys((*check.check.columns, *check.check.tells, *_ALWAYS))
    return table[[name for name in wanted if name in table]].take(positions)


def _pick(table: pd.DataFrame, positions: np.ndarray) -> pd.DataFrame:
    """
    Take the rows at some positions, with the columns that say whom they are about.
    """
    named = [name for name in _WHO if name in table]
    return table[named].take(positions).reset_index(drop=True)


def _place_accounts(
    table: pd.DataFrame, positions: np.ndarray
) -> tuple[Sequence[AccountId], np.ndarray]:
    """
    Return the accounts of a table, and for each position which of them it belongs to.
    """
    codes, names = pd.factorize(table["account_id"])
    return [AccountId(name) for name in names], codes[positions]


def _spell(codes: np.ndarray, words: Sequence[str]) -> pd.Series:
    """
    Return one of few words for each code, without a copy of the word for each row.
    """
    distinct = {word: index for index, word in enumerate(dict.fromkeys(words))}
    place = np.array([distinct[word] for word in words], dtype="int32")
    categories = pd.Index(list(distinct), dtype="str")
    return pd.Series(pd.Categorical.from_codes(place[codes], categories=categories))


def _confirm(
    arns: pd.Series, is_asked: np.ndarray, live: Mapping[str, LiveState]
) -> dict[str, pd.Series]:
    """
    Return what the accounts said about users since the report. Only `CONFIRMED_CHECK` was asked about.
    """
    asked = is_asked.nonzero()[0]
    said = {
        index: live[arn]
        for index, arn in zip(asked.tolist(), arns.iloc[asked], strict=True)
        if arn in live
    }
    confirmations = np.zeros(len(arns), dtype="int8")
    for index, state in said.items():
        confirmations[index] = _CONFIRMATION_CODES[state.confirmation]
    return {
        "confirmation": pd.Series(
            pd.Categorical.from_codes(confirmations, dtype=CONFIRMATION_DTYPE)
        ),
        "confirmation_note": _scatter(len(arns), {i: state.note for i, state in said.items()}),
        "owner": _scatter(len(arns), {i: state.owner for i, state in said.items()}),
    }


def _scatter(rows: int, words: Mapping[int, str | None]) -> pd.Series:
    """
    Return a column of text that is missing but in a few rows.
    """
    known = dict.fromkeys(word for word in words.values() if word is not None)
    distinct: dict[str | None, int] = {word: code for code, word in enumerate(known)}
    codes = np.full(rows, -1, dtype="int32")
    for index, word in words.items():
        codes[index] = distinct.get(word, -1)
    categories = pd.Index(list(known), dtype="str")
    return pd.Series(pd.Categorical.from_codes(codes, categories=categories))


def identify_subject(arn: str, created: str) -> str:
    """
    Return the first part of a finding's id: whom it is about. It hashes ARN and creation time: 16 hex digits.
    """
    return hashlib.sha256(f"{arn}\n{created}".encode()).hexdigest()[:16]


def identify_check(name: str) -> str:
    """
    Return the last part of a finding's id: the check with its parameters, hashed: 8 hex digits.
    """
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def identify_finding(arn: str, created: str, check: str) -> str:
    """
    Return a finding's id: stable between runs, and not shared by a user name that is used again.

    24 hex digits: whom it is about (`identify_subject`), then by which check (`identify_check`). `created`
    is the user's creation time in seconds since 1970 UTC, empty where there is none.
    """
    return identify_subject(arn, created) + identify_check(check)


def _identify(table: pd.DataFrame, found: _Found, names: Sequence[str]) -> pd.Series:
    """
    Return the ids of findings. Each subject is hashed once, however many findings it has.
    """
    # Findings come in order of row, so a row's findings follow each other.
    is_first = np.diff(found.positions, prepend=-1) > 0
    place = np.cumsum(is_first) - 1
    subjects = _pick(table, found.positions[is_first])
    created = [""] * len(subjects)
    if "user_creation_time" in subjects:
        times = pd.DatetimeIndex(subjects["user_creation_time"])
        seconds = zip(times.isna(), (times.asi8 // 1000).tolist(), strict=True)
        created = ["" if missing else str(second) for missing, second in seconds]
    arns = subjects["arn"].tolist()
    first = [identify_subject(arn, made) for arn, made in zip(arns, created, strict=True)]
    last = [identify_check(name) for name in names]
    head, tail = pd.Series(first, dtype="str"), pd.Series(last, dtype="str")
    ids: pd.Series = head.take(place).reset_index(drop=True)
    return ids + tail.take(found.ranks).reset_index(drop=True)


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
    console = is_true(password)
    return UserTotals(
        users=before.users + len(users),
        roots=before.roots + len(table) - len(users),
        console=before.console + int(console.sum()),
        console_with_mfa=before.console_with_mfa + int((console & is_true(device)).sum()),
        console_without_mfa=before.console_without_mfa + int((console & is_false(device)).sum()),
        unknown=before.unknown + int((password.isna() | (console & device.isna())).sum()),
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
