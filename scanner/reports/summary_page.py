"""
The one page that a manager reads alone: figures, charts, and where the exceptions are.

Every number on it comes from the summary or is counted from the tables, and is then one that adds up to the summary's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from scanner.evidence import StoredRun
from scanner.findings import CONFIRMED_CHECK
from scanner.history import State
from scanner.model import AccountOutcome, Severity, Verdict
from scanner.reports import facts
from scanner.reports.census import CONSOLE, WITHOUT
from scanner.reports.charts import Fill, Part, draw_columns, draw_heat, draw_stack
from scanner.reports.text import ELLIPSIS, shorten
from scanner.reports.wording import (
    CHANGES,
    MISSING,
    count,
    describe_moves,
    describe_read,
    list_notices,
    say_limits,
    say_unclear_changes,
)
from scanner.summary import Summary, TrendPoint

UNITS_LIMIT = 6
"""
How many OUs the heat strip shows.
"""

WORST_LIMIT = 5
"""
How many accounts are named as those with most exceptions.
"""

NOTICES_LIMIT, MOST_FEWER = 1, 3
"""
How many notices leave room for all of these; each further one takes the place of one OU and one account, up to three.
"""

UNIT_LIMIT, NAME_LIMIT = 56, 40
"""
How much of an OU's path and of an account's name stands on this page, which must stay one: in small letters.
"""

_WIDTH, _BAR, _HEAT = 172.0, 4.2, 18.0
_SLOT, _TREND_HEIGHT = 13.0, 16.0
_GRAVE = (str(Severity.CRITICAL), str(Severity.HIGH))
_FIGURES = ("due", "known", CONSOLE, WITHOUT)
_UNSEEN = {
    State.NOT_SCANNED: "not scanned this time",
    State.ACCOUNT_LEFT: "in accounts that left",
}
_ACCOUNT_FILLS = (Fill.DARK, Fill.HATCHED, Fill.GREY, Fill.PALE)


def build_summary_page(
    run: StoredRun, accounts: Sequence[Mapping[str, Any]], console: pd.DataFrame
) -> dict[str, Any]:
    """
    Return what the summary's page prints.

    `accounts` are rows with `is_stale`, and `console` counts console users by account: see `scanner.reports.census`.
    """
    summary = run.summary
    units = _count_units(accounts, console)
    fewer = min(max(0, len(list_notices(summary)) - NOTICES_LIMIT), MOST_FEWER)
    limit = UNITS_LIMIT - fewer
    shown = [_describe_unit(*unit) for unit in units[:limit]]
    worst = _list_worst(run, accounts)[: WORST_LIMIT - fewer]
    coverage = facts.list_coverage(summary)
    parts = list_console_parts(summary)
    return {
        "accounts": [
            (figure, fill) for figure, fill in zip(coverage, ("", *_ACCOUNT_FILLS), strict=True)
        ],
        "accounts_chart": _stack(
            [(figure.label.lower(), figure.number) for figure in coverage[1:]],
            _ACCOUNT_FILLS,
            f"{count(summary.accounts.listed, 'account')} listed",
        ),
        "users": facts.list_users(summary),
        "console_parts": parts,
        "console_chart": _stack(
            [(words, number) for words, number, _ in parts],
            [fill for _, _, fill in parts],
            count(summary.users.may_sign_in, "IAM user"),
        ),
        "console_words": describe_console(summary),
        "units": shown,
        "units_rest": _sum_units(units[limit:]),
        "worst": worst,
        "is_shortened": any(
            ELLIPSIS in name for name in (*(u["unit"] for u in shown), *(a["name"] for a in worst))
        ),
        "trend": draw_trend(summary.trend),
        "since": compare_periods(summary.trend),
        "first_period": describe_first_period(summary),
        "no_exception": describe_no_exception(summary),
        "moved": describe_changes(summary),
    }


def describe_console(summary: Summary) -> str:
    """
    Say of whom the parts of the console users are parts.
    """
    users = summary.users
    have = f"{count(users.may_sign_in, 'IAM user')} who {_agree(users.may_sign_in, 'has', 'have')}"
    return f"Of {have} a console password{', or may have one' if users.unknown else ''}:"


def list_console_parts(summary: Summary) -> list[tuple[str, int, Fill]]:
    """
    Return the parts that users fall into who may sign in to the console, in words, and how each is drawn.

    Those who have no console password are in none.
    """
    users = summary.users
    total = next((total for total in summary.checks if total.check == CONFIRMED_CHECK), None)
    accepted = total.accepted if total else 0
    return [
        ("with MFA", users.console_with_mfa, Fill.DARK),
        ("without MFA, open", users.console_without_mfa - accepted, Fill.HATCHED),
        ("without MFA, accepted risk", accepted, Fill.GREY),
        ("not clear", users.unknown, Fill.PALE),
    ]


def draw_trend(trend: Sequence[TrendPoint]) -> dict[str, Any]:
    """
    Return the chart of exceptions over the periods, oldest first, and its points for the labels below it.

    A point that does not speak for every account that was to be read has a frame, for it can be higher.
    """
    numbers = "; ".join(
        f"{point.exceptions:,} open and {point.accepted:,} accepted{_say_partial(point)}"
        for point in trend
    )
    columns = [
        [Part(point.exceptions, Fill.HATCHED), Part(point.accepted, Fill.GREY)] for point in trend
    ]
    title = f"Console users without MFA in {count(len(trend), 'period')}, oldest first: {numbers}."
    width = _SLOT * len(trend)
    unsure = [index for index, point in enumerate(trend) if not point.is_whole]
    return {
        "chart": draw_columns(columns, width, _TREND_HEIGHT, title, unsure) if trend else Markup(),
        "width": width,
        "points": trend,
        "is_whole": not unsure,
    }


def _say_partial(point: TrendPoint) -> str:
    return "" if point.is_whole else f" in {describe_read(point)}"


def compare_periods(trend: Sequence[TrendPoint]) -> str | None:
    """
    Say how many console users without MFA there are against the period before; None without one.

    Fewer or more is said only where both periods speak for every account, and for the same ones: users in an
    account that was not read are not fewer, they are not known.
    """
    if len(trend) < 2:
        return None
    before, now = trend[-2:]
    sentence = f"{count(now.without_mfa, 'console user')} without MFA"
    why = _find_obstacle(before, now)
    if why:
        return (
            f"{sentence}; in {before.period} there {_agree(before.without_mfa, 'was', 'were')} "
            f"{before.without_mfa:,}. The two cannot be compared: {why}."
        )
    change = now.without_mfa - before.without_mfa
    word = "fewer" if change < 0 else "more"
    moved = f"{abs(change):,} {word} than" if change else "as many as"
    return f"{sentence}, {moved} in {before.period}."


def describe_first_period(summary: Summary) -> str:
    """
    Say how many console users without MFA there are where there is no period before to compare with.
    """
    first = "This is the first period on record"
    if not summary.usable:
        return f"{first}, and no account's report could be used, so no number is known."
    users = count(summary.users.console_without_mfa, "console user")
    return f"{first}: {users} without MFA{say_limits(summary)}. A trend needs a second one."


def describe_no_exception(summary: Summary) -> str:
    """
    Say that nothing was noted, and of how many accounts that is said.
    """
    if not summary.usable:
        return "No account's report could be used, so no exception could be noted."
    return f"No exception was noted{say_limits(summary)}."


def _find_obstacle(before: TrendPoint, now: TrendPoint) -> str | None:
    """
    Say why the figures of two periods cannot be compared; None where they can.
    """
    then = f"in {before.period}"
    if not now.is_whole:
        also = "" if before.is_whole else f" and {before.read:,} of {before.due:,} {then}"
        return f"only {describe_read(now)} could be used this time{also}"
    if not before.is_whole:
        return f"only {describe_read(before)} could be used {then}"
    if not before.read_sha256:
        return f"it is not on record which accounts were read {then}"
    return None if before.read_sha256 == now.read_sha256 else "they are not of the same accounts"


def describe_changes(summary: Summary) -> list[str]:
    """
    Say what became of the previous run's findings and accounts, and last what was not looked at again.
    """
    states = (State.NEW, State.REOPENED, State.STILL_OPEN, State.FIXED)
    numbers = [
        f"{number:,} {CHANGES[state]}"
        for state in states
        if (number := summary.changes.get(str(state), 0))
    ]
    said = [f"Findings: {', '.join(numbers)}." if numbers else "No finding changed."]
    if unclear := say_unclear_changes(summary):
        said.append(unclear)
    if any(summary.changes.get(f"accounts-{verb}") for verb in ("joined", "left")):
        said.append(describe_moves(summary))
    unseen = [
        f"{number:,} {_agree(number, 'was', 'were')} {words}"
        for state, words in _UNSEEN.items()
        if (number := summary.changes.get(str(state), 0))
    ]
    if unseen:
        said.append(
            f"Of earlier findings {' and '.join(unseen)}: whether they were fixed is not known."
        )
    return said


def _agree(number: int, one: str, many: str) -> str:
    return one if number == 1 else many


def _stack(parts: Sequence[tuple[str, int]], fills: Sequence[Fill], whole: str) -> Markup:
    title = f"{whole}: {', '.join(f'{number:,} {words}' for words, number in parts)}."
    drawn = [Part(number, fill) for (_, number), fill in zip(parts, fills, strict=True)]
    return draw_stack(drawn, _WIDTH, _BAR, title)


def _count_units(
    accounts: Sequence[Mapping[str, Any]], console: pd.DataFrame
) -> list[tuple[str, Counter[str]]]:
    """
    Return each OU with its accounts and console users, those with most users without MFA first.

    After those come OUs of whose users nothing is known, before those that have nobody without MFA.
    """
    units: dict[str, Counter[str]] = {}
    counted: dict[Any, Any] = console.to_dict("index")
    for account in accounts:
        unit = units.setdefault(str(account["ou_path"] or ""), Counter())
        was_read = account["outcome"] == AccountOutcome.COLLECTED
        unit["listed"] += 1
        unit["due"] += was_read or account["outcome"] == AccountOutcome.NOT_COLLECTED
        unit["known"] += was_read and not account["is_stale"]
        unit.update(counted.get(str(account["account_id"]), {}))
    return sorted(units.items(), key=lambda item: (_rank_unit(item[1]), item[0]))


def _rank_unit(figures: Counter[str]) -> tuple[int, ...]:
    return -figures[WITHOUT], int(figures["known"] > 0), -figures[CONSOLE]


def _describe_unit(path: str, figures: Counter[str]) -> dict[str, Any]:
    number, without = figures[CONSOLE], figures[WITHOUT]
    rate = without / number if number else None
    said = f"{without:,} of {count(number, 'console user')} without MFA"
    if not figures["due"]:
        said = "No account here was to be read"
    elif not figures["known"]:
        said = "Not known: no account was read, or by a report that was too old"
    elif figures["known"] < figures["due"]:
        said += f", in {figures['known']:,} of {count(figures['due'], 'account')}"
    return {
        "unit": shorten(path or MISSING, UNIT_LIMIT),
        "share": _say_rate(rate) if figures["known"] == figures["due"] else MISSING,
        "heat": draw_heat(rate, _HEAT, 3.0, said),
        **_list_figures(figures),
    }


def _list_figures(figures: Counter[str]) -> dict[str, int | str]:
    """
    Return what is printed of an OU: of users whom nobody has read about there is no number, and not none.
    """
    return {
        key: figures[key] if figures["known"] or key in {"due", "known"} else MISSING
        for key in _FIGURES
    }


def _say_rate(rate: float | None) -> str:
    if rate is None:
        return MISSING
    if 0 < rate < 0.01:
        return "< 1 %"
    return "> 99 %" if 0.99 < rate < 1 else f"{rate:.0%}".replace("%", " %")


def _sum_units(units: Sequence[tuple[str, Counter[str]]]) -> dict[str, Any] | None:
    if not units:
        return None
    every = Counter[str]()
    for _, figures in units:
        every.update(figures)
    unknown = sum(not figures["known"] for _, figures in units)
    return {"number": len(units), "unknown": unknown, **_list_figures(every)}


def _list_worst(run: StoredRun, accounts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the accounts with most exceptions of all checks, most first.
    """
    every, grave, alone = Counter[str](), Counter[str](), Counter[str]()
    for findings in run.findings_in_batches():
        failed = findings[(findings["verdict"].astype("str") == str(Verdict.FAIL)).to_numpy()]
        ids = failed["account_id"].astype("str")
        every.update(ids)
        grave.update(ids[failed["severity"].astype("str").isin(_GRAVE)])
        main = failed["check"].astype("str") == CONFIRMED_CHECK
        alone.update(ids[main])
    names = {str(account["account_id"]): account["name"] for account in accounts}
    first = sorted(every.items(), key=lambda item: (-item[1], item[0]))[:WORST_LIMIT]
    return [
        {
            "account_id": account_id,
            "name": shorten(str(names.get(account_id) or MISSING), NAME_LIMIT),
            "exceptions": number,
            "grave": grave[account_id],
            "without_mfa": alone[account_id],
        }
        for account_id, number in first
    ]
