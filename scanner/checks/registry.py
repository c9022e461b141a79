"""
What a check is, and the one way in which all of them reach a verdict.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from scanner.checks.facts import name_unclear
from scanner.credentials import is_false, is_true
from scanner.model import Severity, Verdict

VERDICT_DTYPE = pd.CategoricalDtype([str(verdict) for verdict in Verdict])

_CODES = {verdict: code for code, verdict in enumerate(Verdict)}
_AS_LEAD = np.array(
    [_CODES[Verdict.NEEDS_REVIEW if verdict is Verdict.FAIL else verdict] for verdict in _CODES],
    dtype="int8",
)


class Parameters(BaseModel):
    """
    A check's parameters. Strict: a misspelt name or a string for a number is an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @property
    def threshold(self) -> str:
        """
        What tells one use of a check from another, in words that stand behind its title; empty where nothing does.
        """
        return ""


class NoParameters(Parameters):
    """
    The parameters of a check that has none.
    """


class Subject(StrEnum):
    """
    Whom a check is about. On every other row its verdict is `not-applicable`.

    A check about accounts is judged over the accounts table, all others over the table of
    `scanner.credentials`.
    """

    USER = "user"
    ROOT = "root"
    ROW = "user or root"
    ACCOUNT = "account"


Judge = Callable[[pd.DataFrame, Any], pd.Series]
"""
A check's function: a table and parameters in, one verdict for each row out. See `decide`.
"""

Observe = Callable[[pd.DataFrame, Any], Sequence[str]]
"""
Says in words what was seen, one text for each row. It is given only rows that fail or need review.
"""

Grade = Callable[[pd.DataFrame, Any], Sequence[Severity]]
"""
Says how urgent each row is, where that depends on who is affected. Given the same rows as `Observe`.
"""


@dataclass(frozen=True, slots=True)
class Check:
    """
    A check: its id, whom it is about, its condition in words, and the function that judges.

    `condition` says when an exception is noted, in words that an auditor can test by hand, with the
    parameters' names in braces; `exempt` says whom of its subjects the check does not apply to (None: it
    applies to all), `columns` names the columns it judges by, and `tells` further ones that its words or its severity are made of.
    `graded` says in words how `grade` decides, as it is printed beside the condition.
    `explain` says why a verdict is unknown, where the columns that are not
    clear do not say enough. A lead is something to ask about, never an exception by itself: where
    another check says fail it says needs-review.
    """

    id: str
    title: str
    subject: Subject
    severity: Severity
    condition: str
    columns: tuple[str, ...]
    judge: Judge
    observe: Observe
    exempt: str | None = None
    parameters: type[Parameters] = NoParameters
    tells: tuple[str, ...] = ()
    grade: Grade | None = None
    graded: str | None = None
    explain: Observe | None = None
    is_lead: bool = False


@dataclass(frozen=True)
class BoundCheck:
    """
    A check with the parameters it runs with. `name` is its column: the id, and what is not default.
    """

    check: Check
    parameters: Parameters
    name: str = field(init=False)

    def __post_init__(self) -> None:
        """
        Name the verdict column, such as `access-key-age` or `access-key-age:days=45`.
        """
        changed = self.parameters.model_dump(exclude_defaults=True)
        words = ",".join(f"{key}={_write(value)}" for key, value in sorted(changed.items()))
        object.__setattr__(self, "name", f"{self.check.id}:{words}" if words else self.check.id)

    @property
    def condition(self) -> str:
        """
        When an exception is noted, with the parameters' values in words.
        """
        values = {key: _say(value) for key, value in self.parameters.model_dump().items()}
        return self.check.condition.format(**values)

    def verdicts(self, table: pd.DataFrame) -> pd.Series:
        """
        Return one verdict (categorical, `VERDICT_DTYPE`) for each row of the table.
        """
        verdicts = self.check.judge(table, self.parameters)
        if not self.check.is_lead:
            return verdicts
        codes = _AS_LEAD[verdicts.cat.codes.to_numpy()]
        return pd.Series(pd.Categorical.from_codes(codes, dtype=VERDICT_DTYPE), index=table.index)

    def observe(self, rows: pd.DataFrame) -> Sequence[str]:
        """
        Say what was seen in rows that fail or need review, one text for each.
        """
        return self.check.observe(rows, self.parameters)

    def explain_unknown(self, rows: pd.DataFrame) -> Sequence[str]:
        """
        Say why nobody can tell, one text for each row.
        """
        if self.check.explain is not None:
            return self.check.explain(rows, self.parameters)
        return name_unclear(rows, self.check.columns)

    def grade(self, rows: pd.DataFrame) -> Sequence[Severity]:
        """
        Say how urgent each of the rows is that fail or need review.
        """
        if self.check.grade is None:
            return [self.check.severity] * len(rows)
        return self.check.grade(rows, self.parameters)

    @property
    def reach(self) -> str:
        """
        Say to whom the check applies, or where it does not, in one sentence.
        """
        if self.check.exempt is not None:
            return f"Does not apply: {self.check.exempt}."
        whom = {Subject.USER: "IAM user", Subject.ROOT: "root user"}
        return f"Applies to every {whom.get(self.check.subject, self.check.subject)}."

    def explain_exempt(self, *, is_root: bool) -> str:
        """
        Say why the check does not apply to a user or root user whose verdict is not-applicable.
        """
        match self.check.subject:
            case Subject.USER if is_root:
                return "the check is about IAM users"
            case Subject.ROOT if not is_root:
                return "the check is about root users"
            case _:
                return self.check.exempt or self.reach


CHECKS: dict[str, Check] = {}
"""
Every check by its id.
"""


def check(  # noqa: PLR0913 - a check's facts are written once, by name, where it is defined
    id: str,  # noqa: A002 - the word that catalogs and documents use
    *,
    title: str,
    subject: Subject,
    severity: Severity,
    condition: str,
    columns: tuple[str, ...],
    observe: Observe,
    exempt: str | None = None,
    parameters: type[Parameters] = NoParameters,
    tells: tuple[str, ...] = (),
    grade: Grade | None = None,
    graded: str | None = None,
    explain: Observe | None = None,
    is_lead: bool = False,
) -> Callable[[Judge], Judge]:
    """
    Register the decorated function as the check `id`. See `Check`.
    """

    def register(judge: Judge) -> Judge:
        if id in CHECKS:
            raise ValueError(f"check {id} is defined twice")
        CHECKS[id] = Check(
            id,
            title,
            subject,
            severity,
            condition,
            columns,
            judge,
            observe,
            exempt,
            parameters,
            tells,
            grade,
            graded,
            explain,
            is_lead,
        )
        return judge

    return register


def title_check(name: str) -> str:
    """
    Return the title of a check by its column's name, with the threshold that it ran with.

    A check that several frameworks ask for with thresholds of their own is told apart by it. What is no check's
    name is returned as it is.
    """
    id_, _, changed = name.partition(":")
    known = CHECKS.get(id_)
    if known is None:
        return name
    try:
        given = dict(pair.split("=", 1) for pair in changed.split(",")) if changed else {}
        threshold = known.parameters.model_validate_strings(given).threshold
    except ValueError:
        threshold = ""
    words = threshold or changed.replace(",", ", ")
    return f"{known.title}, {words}" if words else known.title


def decide(
    table: pd.DataFrame, *, about: pd.Series, applies: pd.Series, violated: pd.Series
) -> pd.Series:
    """
    Turn three-valued facts into verdicts, `unknown` being what is left when no fact decides.

    `about` (bool) marks the rows the check is about; `applies` and `violated` are nullable
    booleans, <NA> meaning that the report does not say. Applicability is judged first: a row that
    may or may not be in question is unknown, whatever else it holds. So neither `False & NA` (which
    is False) nor a comparison with NaT (False too) can turn "do not know" into a pass. Of a report that
    was too old when it was fetched (`is_stale`) nothing is known.
    """
    ours = about.to_numpy()
    # Accounts are not stale themselves: their own checks say so of their reports.
    fresh = ~table["is_stale"].to_numpy() if "is_stale" in table else np.ones(len(table), "bool")
    in_question = ours & fresh & is_true(applies).to_numpy()
    codes = np.full(len(table), _CODES[Verdict.UNKNOWN], dtype="int8")
    spared = ~ours | (fresh & is_false(applies).to_numpy())
    codes[spared] = _CODES[Verdict.NOT_APPLICABLE]
    codes[in_question & is_true(violated).to_numpy()] = _CODES[Verdict.FAIL]
    codes[in_question & is_false(violated).to_numpy()] = _CODES[Verdict.PASS]
    return pd.Series(pd.Categorical.from_codes(codes, dtype=VERDICT_DTYPE), index=table.index)


def _write(value: object) -> str:
    return "|".join(value) if isinstance(value, list) else str(value)


def _say(value: object) -> str:
    if value is None:
        return "any number of"
    if isinstance(value, list):
        return ", ".join(value)
    return str(value).replace("-", " ") if isinstance(value, str) else str(value)
