"""
How a run's end looks on a terminal: a ledger, the checks that found something, and what to do next. Pure.

Nothing here is read as markup, and whatever is not printable is replaced: names come from the people being audited.
"""

from collections.abc import Iterator, Sequence
from itertools import compress

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scanner.model import Confirmation, Severity, show
from scanner.reports.wording import count, describe_moves, list_changes, list_notices
from scanner.summary import CheckTotals, Summary
from scanner.transcript.lines import list_reasons
from scanner.transcript.steps import Next

_WIDE = 80
_CHECKS_SHOWN = 8
_DOCUMENTS_SHOWN = 12
_SEVERITIES = list(Severity)
_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "",
    Severity.INFO: "dim",
}
_HEADINGS = ("exceptions\nnoted", "needs\nreview", "unable to\ndetermine", "accepted\nrisks")
_ENDS = {
    0: "every selected account was read; in scope nothing is unknown and no exception is open",
    1: "every selected account was read; in scope there are exceptions that no acceptance covers",
    3: "an account could not be read, or a verdict in scope is unknown",
    5: "the scan was stopped",
}


def draw_run(summary: Summary, documents: Sequence[tuple[str, int]], width: int) -> Group:
    """
    Return what a run found, as a table of facts and a table of checks, for a terminal of `width` columns.

    `documents` are names and sizes in bytes. Colours only repeat what words say.
    """
    parts: list[RenderableType] = [Text(), _write_title(summary)]
    for notice in list_notices(summary):
        style = "bold red" if notice.kind == "incomplete" else "bold yellow"
        parts.append(_write((f"{notice.label}: ", style), (notice.sentence, style)))
    parts += [Text(), _draw_ledger(summary)]
    found = [check for check in summary.checks if _count_found(check)]
    if found:
        parts.append(_draw_checks(found, is_narrow=width < _WIDE))
    else:
        parts += [Text(), Text(_say_nothing_found(summary)), Text()]
    if documents:
        parts += [_draw_documents(documents), Text()]
    return Group(*parts)


def draw_next(steps: Sequence[Next]) -> Iterator[Text]:
    """
    Yield the lines that say what to do next. They are not to be wrapped: commands are there to be copied.
    """
    yield _write(("Next", "bold"))
    for step in steps:
        yield _write(("  " + step.purpose, "dim"))
        yield _write(("    " + step.command, "cyan"))
    yield Text()


def _write(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*((show(words), style) for words, style in parts))


def _write_title(summary: Summary) -> Text:
    name = summary.organization_name or summary.organization_id
    return _write(
        (name, "bold"),
        *([(f"  {summary.organization_id}", "dim")] if summary.organization_name else []),
        (f"  period {summary.period}", ""),
        (f"  run {summary.run_id}", "dim"),
    )


def _say_nothing_found(summary: Summary) -> str:
    if not summary.accounts.collected:
        return "No account was read, so nothing is shown about any user."
    return "No check noted an exception or a lead, and none was unable to determine."


def _draw_ledger(summary: Summary) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _list_facts(summary):
        table.add_row(Text(label), value)
    return table


def _list_facts(summary: Summary) -> Iterator[tuple[str, Text]]:
    yield "Accounts", _write_accounts(summary)
    if summary.stale:
        stale = f"{count(summary.stale, 'report')} too old: nothing is known of the users there"
        yield "", _write((stale, "bold yellow"))
    yield "Users", _write_users(summary)
    if fixed := summary.findings_by_confirmation.get(Confirmation.FIXED_SINCE_REPORT, 0):
        yield "", _write((f"{fixed:,} got MFA since their account's report was made", ""))
    unknown = summary.unknown_verdicts
    words = f"{count(unknown, 'verdict')}: unable to determine"
    yield "Unknown", _write((words, "bold yellow" if unknown else ""))
    if summary.acceptances:
        accepted = (
            f"{count(summary.accepted, 'finding')} covered by accepted risks, open all the same"
        )
        yield "Accepted risks", _write((accepted, ""))
    if summary.previous:
        changes = ", ".join(f"{n:,} {words}" for words, n in list_changes(summary) if n)
        since = f"since run {summary.previous.run_id}: {changes or 'no finding changed'}. {describe_moves(summary)}"
        yield "Changes", _write((since, ""))
    for warning in summary.warnings:
        yield "Warning", _write((warning, "yellow"))
    status = summary.exit_status
    words = f": {_ENDS.get(status, 'see the README')}"
    yield "Result", _write((f"status {status}", "bold"), (words, ""))


def _write_accounts(summary: Summary) -> Text:
    accounts = summary.accounts
    missing = f"{accounts.not_collected:,} not collected"
    reasons = list_reasons(summary)
    if reasons:
        missing += f" ({reasons})"
    return _write(
        (f"{accounts.listed:,} listed = {accounts.collected:,} collected + ", ""),
        (missing, "bold red" if accounts.not_collected else ""),
        (f" + {accounts.excluded:,} excluded + {accounts.not_active:,} not active", ""),
    )


def _write_users(summary: Summary) -> Text:
    users = summary.users
    return _write(
        (f"{users.users:,} read, {users.console:,} with a console password, ", ""),
        (
            f"{users.console_without_mfa:,} of them without MFA",
            "bold red" if users.console_without_mfa else "",
        ),
    )


def _draw_checks(found: Sequence[CheckTotals], *, is_narrow: bool) -> Table:
    """
    Draw the most severe checks, with a column for each kind of result that there is; severity needs room.
    """
    ranked = sorted(
        found, key=lambda check: (_SEVERITIES.index(check.severity), -_count_found(check))
    )
    # One check more is no longer than the line that would stand for it.
    shown = len(ranked) if len(ranked) == _CHECKS_SHOWN + 1 else _CHECKS_SHOWN
    rows = [
        [_name(check), Text(check.severity, _STYLES[check.severity]), *_write_counts(check)]
        for check in ranked[:shown]
    ]
    if rest := ranked[shown:]:
        rows.append([Text(f"and {len(rest)} further checks", "dim"), Text(), *_write_counts(*rest)])
    counts = zip(*map(_list_counts, found), strict=True)
    kept = [True, not is_narrow, *map(any, counts)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("Check", overflow="fold")
    if not is_narrow:
        table.add_column("Severity", no_wrap=True)
    for heading in compress(_HEADINGS, kept[2:]):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*compress(row, kept))
    return table


def _name(check: CheckTotals) -> Text:
    _, _, parameters = check.check.partition(":")
    more = [(f" ({parameters.replace(',', ', ')})", "dim")] if parameters else []
    return _write((check.title, ""), *more)


def _list_counts(check: CheckTotals) -> tuple[int, int, int, int]:
    return check.failed, check.needs_review, check.unknown, check.accepted


def _count_found(check: CheckTotals) -> int:
    return sum(_list_counts(check))


def _write_counts(*checks: CheckTotals) -> list[Text]:
    """
    Write the counts of checks taken together.
    """
    sums = map(sum, zip(*map(_list_counts, checks), strict=True))
    return [Text(f"{number:,}", "" if number else "dim") for number in sums]


def _draw_documents(documents: Sequence[tuple[str, int]]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True, style="dim")
    for name, size in documents[:_DOCUMENTS_SHOWN]:
        table.add_row(_write((name, "")), Text(_write_size(size)))
    rest = len(documents) - _DOCUMENTS_SHOWN
    if rest > 0:
        table.add_row(Text(f"and {rest:,} more", "dim"), Text())
    return Group(Text("Documents", "bold"), Padding(table, (0, 0, 0, 2)))


def _write_size(size: int) -> str:
    if size < 1_000_000:
        return f"{-(-size // 1000):,} kB"
    return f"{size / 1_000_000:,.1f} MB"
