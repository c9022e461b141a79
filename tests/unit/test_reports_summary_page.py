import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from scanner.reports.charts import Fill, Part, draw_columns
from scanner.reports.page_content import describe_users
from scanner.reports.summary_page import (
    _count_units,
    _describe_unit,
    _sum_units,
    compare_periods,
    describe_changes,
    describe_first_period,
    describe_no_exception,
    draw_trend,
)
from scanner.reports.wording import MISSING
from scanner.summary import TrendPoint

MOMENT = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)


def point(period: str, without: int = 0, **changes: Any) -> TrendPoint:
    """
    Return a point of the trend: two accounts, both read, unless changes say otherwise.
    """
    whole = TrendPoint(period, "r", MOMENT, 2, 2, 9, 9, without, without, 0, 0, 0, "aa")
    return replace(whole, **changes)


Q3, Q4 = point("2026-Q3", 9), point("2026-Q4", 0)


def test_the_same_accounts_may_be_compared():
    """
    Fewer, more and as many are said where both periods speak for the same accounts.
    """
    said = [compare_periods((Q3, replace(Q4, without_mfa=number))) for number in (0, 1, 9, 12)]

    assert said == [
        "0 console users without MFA, 9 fewer than in 2026-Q3.",
        "1 console user without MFA, 8 fewer than in 2026-Q3.",
        "9 console users without MFA, as many as in 2026-Q3.",
        "12 console users without MFA, 3 more than in 2026-Q3.",
    ]
    assert compare_periods((Q4,)) is None


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (
            Q3,
            replace(Q4, listed=3, not_collected=1, read_sha256="bb"),
            "only 2 of 3 accounts could be used this time",
        ),
        (Q3, replace(Q4, stale=1), "only 1 of 2 accounts could be used this time"),
        (replace(Q3, stale=1), Q4, "only 1 of 2 accounts could be used in 2026-Q3"),
        (
            replace(Q3, not_collected=1),
            replace(Q4, stale=1),
            "only 1 of 2 accounts could be used this time and 2 of 3 in 2026-Q3",
        ),
        (Q3, replace(Q4, read_sha256="bb"), "they are not of the same accounts"),
        (
            replace(Q3, not_collected=None, read_sha256=""),
            Q4,
            "it is not on record which accounts were read in 2026-Q3",
        ),
    ],
)
def test_users_nobody_read_about_are_no_improvement(before, now, why):
    """
    Where an account was not read, a report was too old or the accounts differ, nothing is fewer or more.
    """
    said = compare_periods((before, now))

    assert said == (
        f"0 console users without MFA; in 2026-Q3 there were 9. The two cannot be compared: {why}."
    )


def tell(unclear: Mapping[str, int] | None = None, **changes: int) -> str:
    """
    Return what is said of a run with these changes, of which some are verdicts that could not be reached.
    """
    run: Any = SimpleNamespace(
        changes={name.replace("_", "-"): number for name, number in changes.items()},
        unclear_changes=unclear or {},
    )
    return " ".join(describe_changes(run))


def test_findings_that_were_not_looked_at_are_in_a_sentence_of_their_own():
    """
    They are no part of what changed, for nobody knows whether they did.
    """
    assert tell(new=2, still_open=3, not_scanned=9, account_left=1) == (
        "Findings: 2 new, 3 still open. Of earlier findings 9 were not scanned this time and "
        "1 was in accounts that left: whether they were fixed is not known."
    )


def test_what_nobody_could_determine_is_told_apart_from_new_exceptions():
    """
    An account that could not be read any more has ninety new findings, and not one new exception.
    """
    assert tell({"new": 90, "still-open": 1}, new=91, still_open=3) == (
        "Findings: 91 new, 3 still open. Of these, verdicts that could not be reached and no exceptions: "
        "90 new, 1 still open."
    )


def test_accounts_that_joined_or_left_are_counted_as_people_count():
    """
    One account left, and two joined.
    """
    assert tell(accounts_joined=2, accounts_left=1) == (
        "No finding changed. 2 accounts joined and 1 account left."
    )
    assert tell() == "No finding changed."


def count_units(*accounts: tuple[str, str, int | None], counted: dict[str, tuple[int, int]]):
    """
    Count OUs. Accounts are id, OU and the hours that their report was old, None for one that was not read.
    """
    rows = [
        {
            "account_id": account,
            "ou_path": unit,
            "outcome": "not-collected" if age is None else "collected",
            "is_stale": age is not None and age > 24,
        }
        for account, unit, age in accounts
    ]
    console = pd.DataFrame.from_dict(counted, orient="index", columns=["console", "without"])
    return _count_units(rows, console)


def test_an_ou_of_which_nothing_is_known_has_no_figure_and_does_not_stand_last():
    """
    It was not read, or by reports too old: a dash, and not a nought, before the OUs where nothing was noted.
    """
    units = count_units(
        ("1", "Calm", 1),
        ("2", "Unread", None),
        ("3", "Bad", 1),
        ("4", "Old", 30),
        counted={"1": (5, 0), "3": (4, 2)},
    )
    shown = {path: _describe_unit(path, figures) for path, figures in units}

    assert list(shown) == ["Bad", "Old", "Unread", "Calm"]
    for path in ("Old", "Unread"):
        assert (shown[path]["console"], shown[path]["without"]) == (MISSING, MISSING)
        assert shown[path]["share"] == MISSING
        assert "Not known" in shown[path]["heat"]
    assert (shown["Unread"]["known"], shown["Unread"]["due"]) == (0, 1)
    assert (shown["Old"]["known"], shown["Old"]["due"]) == (0, 1)
    assert (shown["Calm"]["console"], shown["Calm"]["without"]) == (5, 0)


def test_an_ou_with_a_stale_report_has_no_share():
    """
    Its users are not all known, so the known ones without MFA are no share of them.
    """
    [(path, figures)] = count_units(("1", "Some", 1), ("2", "Some", 30), counted={"1": (5, 0)})

    shown = _describe_unit(path, figures)

    assert (shown["known"], shown["due"], shown["share"]) == (1, 2, MISSING)
    assert "in 1 of 2 accounts" in shown["heat"]


def run_of(usable: int, due: int, unknown: int, without: int = 0) -> Any:
    """
    Return what a summary says of reports that could be used.
    """
    users = SimpleNamespace(console=without, console_without_mfa=without, unknown=unknown)
    return SimpleNamespace(usable=usable, due=due, users=users)


def test_reports_too_old_print_no_clean_nought():
    """
    Where none could be used there is no number, and else it is said of how many accounts one speaks.
    """
    says = (describe_first_period, describe_no_exception, describe_users)
    for say in says:
        assert not re.search(r"\d", say(run_of(0, 3, 9)))
        assert "in the 2 of 3 accounts whose report could be used; 4 users are not clear" in say(
            run_of(2, 3, 4)
        )
        assert "could be used" not in say(run_of(3, 3, 0))


def test_the_line_of_further_ous_says_how_many_are_not_known():
    """
    Nothing is folded into a nought.
    """
    units = count_units(
        ("1", "Calm", 1), ("2", "Unread", None), ("3", "Too", None), counted={"1": (5, 0)}
    )

    assert _sum_units(units) == {
        "number": 3,
        "unknown": 2,
        "due": 3,
        "known": 1,
        "console": 5,
        "without": 0,
    }
    nothing = _sum_units([unit for unit in units if unit[0] != "Calm"])
    assert nothing is not None
    assert (nothing["console"], nothing["without"]) == (MISSING, MISSING)
    assert _sum_units([]) is None


def test_a_period_that_was_not_read_whole_is_marked_in_the_trend():
    """
    Its column has a dashed frame even where it is nought, and the chart says of how many accounts it speaks.
    """
    whole = draw_trend((Q3, Q4))
    partial = draw_trend((Q3, replace(Q4, listed=3, not_collected=1)))

    assert (whole["is_whole"], partial["is_whole"]) == (True, False)
    assert "stroke-dasharray" not in whole["chart"]
    assert "stroke-dasharray" in partial["chart"]
    assert "0 open and 0 accepted in 2 of 3 accounts" in partial["chart"]


def test_the_frame_is_higher_than_any_column():
    """
    Else a frame about the highest column could not be seen.
    """
    columns = [[Part(9, Fill.GREY)], [Part(9, Fill.DARK)]]

    drawn = [str(draw_columns(columns, 20, 20, "x", unsure)) for unsure in ((), (0,))]
    tops = [
        min(
            float(y)
            for path in re.findall(r' d="([^"]+)"', svg)
            for y in re.findall(r"[ML] \S+ (\S+)", path)
        )
        for svg in drawn
    ]
    heights = [len(set(re.findall(r"[ML] \S+ (\S+)", svg))) for svg in drawn]

    assert tops[0] == pytest.approx(tops[1], abs=1)
    assert heights[1] > heights[0]
