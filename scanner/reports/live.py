"""
Formulas of the sheet Summary that count what is in the tables now, after edits and under filters.

They are made of our own words and of names of our own tables and columns. A name that came from anywhere else is
never in one: it stands in a cell, and the formula names the cell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scanner.reports.sheets import Extent

SHOWN_LIMIT = 5_000
"""
Up to how many rows a formula looks at each row to see whether a filter hides it; it does so at every edit.
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """
    That a column holds a word, or true or false.
    """

    column: str
    value: str | bool

    @property
    def literal(self) -> str:
        """
        The value as a formula writes it.
        """
        if isinstance(self.value, bool):
            return str(self.value).upper()
        return f'"{self.value}"'


@dataclass(frozen=True, slots=True)
class Live:
    """
    Two formulas: how many rows there are now, and how many of them are shown. None: too many rows to tell.
    """

    now: str
    shown: str | None


def count_filled(extents: Sequence[Extent], column: str) -> Live:
    """
    Count the rows that hold anything in a column. A row that is hidden is not shown.
    """
    names = [f"{extent.table}[{column}]" for extent in extents]
    return Live(
        "+".join(f"COUNTA({name})" for name in names),
        "+".join(f"SUBTOTAL(103,{name})" for name in names),
    )


def count_where(extents: Sequence[Extent], *conditions: Condition) -> Live:
    """
    Count the rows for which all conditions hold.
    """
    now = "+".join(
        f"COUNTIFS({','.join(f'{extent.table}[{c.column}],{c.literal}' for c in conditions)})"
        for extent in extents
    )
    # A cell without a value equals FALSE, and is not false.
    tests = [
        test
        for c in conditions
        for test in (
            (f"[{c.column}]={c.literal}", f'[{c.column}]<>""')
            if c.value is False
            else (f"[{c.column}]={c.literal}",)
        )
    ]
    return Live(now, _count_shown(extents, conditions[0].column, tests))


def count_labelled(extents: Sequence[Extent], column: str, label: str) -> Live:
    """
    Count the rows that hold in a column what stands in a cell of the Summary, such as `$A12`.
    """
    now = "+".join(f"SUMPRODUCT(--({extent.table}[{column}]={label}))" for extent in extents)
    return Live(now, _count_shown(extents, column, [f"[{column}]={label}"]))


def _count_shown(extents: Sequence[Extent], column: str, tests: Iterable[str]) -> str | None:
    """
    Ask of each row by itself whether a filter hides it: SUBTOTAL counts one cell, or none.
    """
    if sum(extent.rows for extent in extents) > SHOWN_LIMIT:
        return None
    return "+".join(
        f"SUMPRODUCT(SUBTOTAL(103,OFFSET('{extent.title}'!$A$2,ROW({extent.table}[{column}])"
        f"-ROW('{extent.title}'!$A$2),0,1,1))"
        f"{''.join(f'*({extent.table}{test})' for test in tests)})"
        for extent in extents
    )
