"""
The findings: each verdict of a judged table that somebody must look at, as one row with its words. Pure.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanner.checks import BoundCheck, Subject
from scanner.checks.registry import VERDICT_DTYPE
from scanner.confirmation import LiveState
from scanner.model import (
    Account,
    AccountId,
    Confirmation,
    Severity,
    Verdict,
)

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
_UNKNOWN = list(Verdict).index(Verdict.UNKNOWN)
_SEVERITY_CODES = {severity: code for code, severity in enumerate(Severity)}
_IS_REPORTED = np.array([verdict in REPORTED for verdict in Verdict])


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
    is_open = verdicts == _UNKNOWN
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
