"""
What a check is, and the one way in which all of them reach a verdict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from scanner.credentials import is_false, is_true, is_uninterpretable
from scanner.model import Severity, Verdict

VERDICT_DTYPE = pd.CategoricalDtype([str(verdict) for verdict in Verdict])


class Parameters(BaseModel):
    """
    A check's parameters. Strict: a misspelt name or a string for a number is an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NoParameters(Parameters):
    """
    The parameters of a check that has none.
    """


class Subject(StrEnum):
    """
    Whom a check is about. On every other row its verdict is `not-applicable`.
    """

    USER = "user"
    ROOT = "root"


Judge = Callable[[pd.DataFrame, Any], pd.Series]
"""
A check's function: the table of `scanner.credentials` and parameters in, one verdict for each row out.
"""

Observe = Callable[[Mapping[str, Any], Verdict], str]
"""
Says in words what was seen in one row. Called for findings only.
"""


@dataclass(frozen=True, slots=True)
class Check:
    """
    A check: its id, whom it is about, its condition in words, and the function that judges.

    `condition` says when an exception is noted, in words that an auditor can test by hand;
    `columns` names the report's columns it reads.
    """

    id: str
    title: str
    subject: Subject
    severity: Severity
    condition: str
    columns: tuple[str, ...]
    judge: Judge
    observe: Observe
    parameters: type[Parameters] = NoParameters


@dataclass(frozen=True, slots=True)
class BoundCheck:
    """
    A check with the parameters it runs with. `name` is its column: the id, and what is not default.
    """

    check: Check
    parameters: Parameters

    @property
    def name(self) -> str:
        """
        The verdict column's name, such as `access-key-age` or `access-key-age:days=45`.
        """
        changed = self.parameters.model_dump(exclude_defaults=True)
        words = ",".join(f"{key}={value}" for key, value in sorted(changed.items()))
        return f"{self.check.id}:{words}" if words else self.check.id

    def verdicts(self, table: pd.DataFrame) -> pd.Series:
        """
        Return one verdict (categorical, `VERDICT_DTYPE`) for each row of the table.
        """
        return self.check.judge(table, self.parameters)


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
    parameters: type[Parameters] = NoParameters,
) -> Callable[[Judge], Judge]:
    """
    Register the decorated function as the check `id`.
    """

    def register(judge: Judge) -> Judge:
        if id in CHECKS:
            raise ValueError(f"check {id} is defined twice")
        CHECKS[id] = Check(
            id, title, subject, severity, condition, columns, judge, observe, parameters
        )
        return judge

    return register


def decide(
    table: pd.DataFrame, *, about: pd.Series, applies: pd.Series, violated: pd.Series
) -> pd.Series:
    """
    Turn three-valued facts into verdicts, `unknown` being what is left when no fact decides.

    `about` (bool) marks the rows the check is about; `applies` and `violated` are nullable
    booleans, <NA> meaning that the report does not say. Applicability is judged first: a row that
    may or may not be in question is unknown, whatever else it holds. So neither `False & NA` (which
    is False) nor a comparison with NaT (False too) can turn "do not know" into a pass.
    """
    in_question = about & is_true(applies)
    decided = [
        (~about | is_false(applies), Verdict.NOT_APPLICABLE),
        (in_question & is_true(violated), Verdict.FAIL),
        (in_question & is_false(violated), Verdict.PASS),
    ]
    values = np.select(
        [mask.to_numpy() for mask, _ in decided],
        [str(verdict) for _, verdict in decided],
        default=str(Verdict.UNKNOWN),
    )
    return pd.Series(pd.Categorical(values, dtype=VERDICT_DTYPE), index=table.index)


def is_odd(row: Mapping[str, Any], column: str) -> bool:
    """
    Tell whether one row's value in a column is none that AWS documents.
    """
    return bool(is_uninterpretable(pd.DataFrame([row]), column).iloc[0])


def name_uninterpretable(row: Mapping[str, Any], columns: tuple[str, ...]) -> str:
    """
    Say which of the columns a check reads could not be interpreted in one row.
    """
    odd = [column for column in columns if is_odd(row, column)]
    named = odd or [column for column in columns if pd.isna(row[column])]
    return f"the report does not make clear: {', '.join(named)}"
