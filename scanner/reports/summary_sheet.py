"""
The sheet Summary of a workbook: what the run was, whether it is whole, its totals, sealed and as they are now.
"""

from collections.abc import Mapping, Sequence

from openpyxl import Workbook

from scanner.checks import title_check
from scanner.evidence import StoredRun
from scanner.findings import CONFIRMED_CHECK
from scanner.model import AccountOutcome, Severity, Verdict
from scanner.reports import facts
from scanner.reports.breakdown import count_severities
from scanner.reports.covers import METHOD, Page
from scanner.reports.extras import Extras
from scanner.reports.links import describe_links, link_sheet
from scanner.reports.live import (
    SHOWN_LIMIT,
    Condition,
    Live,
    count_filled,
    count_labelled,
    count_where,
)
from scanner.reports.notes import LEFT_OVER, STATUSES
from scanner.reports.sheet_charts import CALM, PALE, Place, Series, add_bars, add_trend
from scanner.reports.sheets import AMBER, RED, Extent, Print
from scanner.reports.tables import list_records
from scanner.reports.wording import (
    NO_PREVIOUS_RUN,
    TITLE,
    VERDICTS,
    complete,
    conclude,
    count,
    describe_accepted,
    describe_moves,
    describe_parent,
    describe_read,
    describe_result,
    list_changes,
    list_notices,
    say_unclear_changes,
)
from scanner.summary import Summary

Extents = Mapping[str, Sequence[Extent]]

_WIDTHS = (46.0, 14.0, 14.0, 15.0, 15.0, 20.0, 15.0, 12.0, 14.0, 44.0)
_SCOPE_NUMBERS = ("accounts", "not_tested")
_COUNTED = ("sealed", "now", "shown")

_BAND = 14
_THREE = ((0, 2), (2, 6), (6, 10))
_FOUR = ((0, 2), (2, 5), (5, 8), (8, 10))
"""
Between which columns the charts lie.
"""

_PEOPLE = Condition("is_root", value=False)
_CONSOLE = (_PEOPLE, Condition("password_enabled", value=True))
_WITH = (*_CONSOLE, Condition("mfa_active", value=True))
_WITHOUT = (*_CONSOLE, Condition("mfa_active", value=False))

_MEANINGS = {
    "Findings": "one row for each exception, lead and verdict that could not be reached",
    "Users": "every IAM user and root user of the accounts that were read",
    "Accounts": "every account that AWS Organizations lists, read or not",
    "Root": "the root user of each account that was read",
    "Controls": "the frameworks' controls: under a check, D says it bears directly, S that it supports",
    "Accepted risks": "who answers for what, and until when",
    "Changes": "what became of findings and accounts since the previous run",
    "Sample": "the sample that was drawn for an auditor",
    LEFT_OVER: "what people wrote beside findings that this run does not have",
}
_FILLED = {
    "Findings": "verdict",
    "Users": "arn",
    "Accounts": "outcome",
    "Root": "arn",
    "Controls": "control_id",
    "Accepted risks": "kind",
    "Changes": "state",
    "Sample": "account_id",
    LEFT_OVER: "why",
}
"""
For each table a column that every row fills, and the row that explains an empty table does not.
"""


def open_summary(workbook: Workbook, page: Print) -> Page:
    """
    Add the sheet Summary, to be written when the other sheets are.
    """
    return Page(workbook, "Summary", _WIDTHS, page)


def write_summary(sheet: Page, run: StoredRun, extras: Extras, extents: Extents) -> None:
    """
    Write the sheet Summary. `extents` says where the rows of each table are.
    """
    summary = run.summary
    sheet.title(TITLE)
    for notice in list_notices(summary):
        sheet.banner(f"{notice.label}: {notice.sentence}")
    for sentence in (conclude(summary), complete(summary), describe_parent(summary)):
        sheet.lines(sentence or "")
    _write_warnings(sheet, summary)
    for sentence in facts.describe_parts(summary):
        sheet.lines(sentence)
    sheet.heading("At a glance")
    band = sheet.band(_BAND)
    _write_sheets(sheet, run, extents)
    _write_notes(sheet, extras)
    series = {
        "outcomes": _write_coverage(sheet, summary, extents),
        "console": _write_users(sheet, summary, extents),
        "severities": _write_findings(sheet, run, extents),
    }
    _write_population(sheet, run)
    _write_checks(sheet, run)
    _write_scopes(sheet, summary)
    _write_controls(sheet, run)
    trend = _write_changes(sheet, summary)
    unsure = [index for index, point in enumerate(summary.trend) if not point.is_whole]
    _write_not_collected(sheet, run)
    sheet.heading("What this is")
    for label, value in facts.list_identity(run):
        sheet.row([label, value])
    _draw_charts(sheet, band, series, trend, unsure)


def _draw_charts(
    sheet: Page,
    band: int,
    series: Mapping[str, Series],
    trend: Series | None,
    unsure: Sequence[int],
) -> None:
    """
    Lay the charts side by side over the rows that were left free for them. `unsure` are points of the trend.
    """
    rows = (band - 1, band - 1 + _BAND)
    places = [Place(columns, rows) for columns in (_THREE if trend is None else _FOUR)]
    bars = (
        ("Accounts by outcome", "outcomes", (CALM, RED, PALE, PALE)),
        ("Console users by MFA", "console", (CALM, RED, AMBER)),
        ("Exceptions by severity", "severities", (RED, RED, AMBER, CALM, PALE)),
    )
    for (title, key, colours), place in zip(bars, places, strict=False):
        add_bars(sheet.sheet, title, series[key], colours, place)
    if trend is not None:
        add_trend(sheet.sheet, "Console users without MFA by period", trend, places[-1], unsure)


def _write_sheets(sheet: Page, run: StoredRun, extents: Extents) -> None:
    """
    Write what sheets there are, each with a link, its rows as drawn, and how many rows it has and shows now.
    """
    sheet.heading("In this workbook")
    sheet.header(["sheet", *_COUNTED, "rows"], numbers=_COUNTED)
    for title, parts in extents.items():
        label = sheet.link(title, link_sheet(parts[0].title))
        rows = sum(part.rows for part in parts)
        sheet.count(label, rows, count_filled(parts, _FILLED[title]), _MEANINGS[title])
    label = sheet.link(METHOD, link_sheet(METHOD))
    sheet.count(label, None, None, "how the evidence came about, and what it cannot show")
    for title, parts in extents.items():
        if len(parts) > 1:
            sheet.lines(
                f"{title} takes more than one sheet: {count(len(parts), 'sheet')}, {parts[0].title} to "
                f"{parts[-1].title}, of at most {parts[0].rows:,} rows each. Filters work on each by itself."
            )
    sheet.lines(
        "Sealed figures are the run's and do not change. The two columns after them are formulas: now counts what "
        "the tables hold after every edit, shown what filters let through. They are empty in Protected View and "
        "in programs that do not calculate. A dash stands where there are more than "
        f"{SHOWN_LIMIT:,} rows to look at one by one; the rows of each sheet are counted all the same."
    )
    sheet.lines(describe_links(run.summary.partition))


def _write_notes(sheet: Page, extras: Extras) -> None:
    if extras.notes is not None:
        sheet.heading("Notes carried over")
        for line in extras.notes.describe():
            sheet.lines(line)
    if extras.sample is not None:
        drawn = extras.sample
        sheet.heading("Sample")
        sheet.row(["Items drawn", drawn.size_drawn])
        sheet.row(["Population", drawn.population, "every IAM user and root user that was read"])
        sheet.row(["Seed", str(drawn.seed)])
        sheet.row(["For the check", drawn.check.name])


def _write_warnings(sheet: Page, summary: Summary) -> None:
    if not summary.warnings:
        return
    sheet.heading("Warnings")
    for warning in summary.warnings:
        sheet.lines(warning)


def _write_coverage(sheet: Page, summary: Summary, extents: Extents) -> Series:
    parts = extents["Accounts"]
    sheet.heading("Coverage: accounts")
    sheet.header(["outcome", *_COUNTED], numbers=_COUNTED)
    listed, *others = facts.list_coverage(summary)
    sheet.count(listed.label, listed.number, count_filled(parts, "outcome"), listed.meaning)
    first = sheet.next_row
    for outcome, figure in zip(AccountOutcome, others, strict=True):
        live = count_where(parts, Condition("outcome", str(outcome)))
        sheet.count(figure.label, figure.number, live, figure.meaning)
    last = sheet.next_row - 1
    sheet.text(facts.add_up_coverage(summary))
    return Series((first, last))


def _write_users(sheet: Page, summary: Summary, extents: Extents) -> Series:
    counted = _count_users(summary, extents["Users"])
    sheet.heading("Users in the accounts that were read")
    sheet.header(["users", *_COUNTED], numbers=_COUNTED)
    rows = {}
    for figure in facts.list_users(summary):
        rows[figure.label] = sheet.next_row
        sheet.count(figure.label, figure.number, counted.get(figure.label), figure.meaning)
    return Series((rows["with MFA"], rows["Not clear"]))


def _count_users(summary: Summary, parts: Sequence[Extent]) -> dict[str, Live | None]:
    """
    Return the formulas of the users' figures, None for what the sheet's columns do not show.

    No column says that a report was too old. Where one was, the check's verdicts tell: they are unknown then.
    """
    everybody: dict[str, Live | None] = {
        "IAM users": count_where(parts, _PEOPLE),
        "Root users": count_where(parts, Condition("is_root", value=True)),
    }
    if not summary.stale:
        return everybody | {
            "Console users": count_where(parts, *_CONSOLE),
            "with MFA": count_where(parts, *_WITH),
            "without MFA": count_where(parts, *_WITHOUT),
        }
    if all(total.check != CONFIRMED_CHECK for total in summary.checks):
        return everybody
    return everybody | {
        "with MFA": count_where(parts, Condition(CONFIRMED_CHECK, str(Verdict.PASS))),
        "without MFA": count_where(parts, Condition(CONFIRMED_CHECK, str(Verdict.FAIL))),
    }


def _write_population(sheet: Page, run: StoredRun) -> None:
    summary = run.summary
    sheet.heading("Whether the reports are whole and young enough")
    population = facts.describe_population(run)
    sheet.row(["Accounts whose user count IAM gave", population.compared])
    sheet.row(["of them equal to the report's", population.agreeing])
    if population.outdated:
        sheet.row(["of these by reports too old to be used", population.outdated])
    sheet.row(["of them different, and explained", population.explained])
    differing = population.compared - population.agreeing - population.explained
    sheet.row(["of them different, and not explained", differing])
    sheet.row(["Accounts that could not be compared", population.collected - population.compared])
    sheet.row(["Reports older than allowed", summary.stale])
    sheet.row(["Age of the reports when fetched", f"{population.youngest} to {population.oldest}"])


def _write_findings(sheet: Page, run: StoredRun, extents: Extents) -> Series:
    """
    Write the findings by verdict, severity, working status and check, and return where the severities stand.
    """
    summary, parts = run.summary, extents["Findings"]
    sheet.heading("Findings")
    sheet.header(["verdict", *_COUNTED], numbers=_COUNTED)
    for verdict in (Verdict.FAIL, Verdict.NEEDS_REVIEW, Verdict.UNKNOWN):
        live = count_where(parts, Condition("verdict", str(verdict)))
        sheet.count(VERDICTS[verdict], summary.findings_by_verdict.get(verdict, 0), live)
    sheet.count("findings in all", summary.findings, count_filled(parts, "verdict"))
    sheet.count("of them accepted risks", summary.accepted, count_filled(parts, "acceptance"))
    sheet.lines(describe_accepted(summary))
    _write_asked(sheet, summary)
    # What nobody knows has a severity too, and would look like so many grave exceptions here.
    sheet.header(["severity of exceptions", *_COUNTED], numbers=_COUNTED)
    first = sheet.next_row
    counted = count_severities(run)
    fail = str(Verdict.FAIL)
    for severity in map(str, Severity):
        live = count_where(parts, Condition("severity", severity), Condition("verdict", fail))
        sheet.count(severity, counted[severity, fail], live)
    last = sheet.next_row - 1
    sheet.header(["working status", *_COUNTED], numbers=_COUNTED)
    for status in STATUSES:
        sheet.count(status, None, count_where(parts, Condition("status", status)))
    sheet.count(
        "any status", None, count_filled(parts, "status"), "what people set in this workbook"
    )
    _write_findings_by_check(sheet, summary, parts)
    return Series((first, last))


def _write_findings_by_check(sheet: Page, summary: Summary, parts: Sequence[Extent]) -> None:
    sheet.heading("Findings by check: exceptions, leads and verdicts that could not be reached")
    sheet.header(["check", *_COUNTED, "title"], numbers=_COUNTED)
    for check in summary.checks:
        number = check.failed + check.needs_review + check.unknown
        live: Live = count_labelled(parts, "check", f"$A{sheet.next_row}")
        sheet.count(check.check, number, live, title_check(check.check))


def _write_asked(sheet: Page, summary: Summary) -> None:
    asked = facts.describe_asked(summary)
    if asked.number:
        sheet.text("What the accounts said about exceptions of users without MFA when asked:")
        for words, number in asked.answers:
            sheet.row([words, number])
    if asked.unclear:
        sheet.text("What they said about users on whom their report gives no verdict:")
        for words, number in asked.unclear:
            sheet.row([words, number])


def _write_checks(sheet: Page, run: StoredRun) -> None:
    summary = run.summary
    sheet.heading("Checks: the rows read are the sum of the five columns after them")
    for number, check in enumerate(summary.checks):
        figures = facts.list_check_figures(check)
        if not number:
            labels = [*(label for label, _ in figures), "accepted"]
            sheet.header(["check", *labels, "about", "title"], numbers=labels)
        values = (value for _, value in figures)
        sheet.row([check.check, *values, check.accepted, check.subject, title_check(check.check)])


def _write_scopes(sheet: Page, summary: Summary) -> None:
    sheet.heading("Scope of each framework")
    sheet.header(["framework", "accounts", "not_tested", "declared"], numbers=_SCOPE_NUMBERS)
    for scope in summary.scopes:
        declared = "declared" if scope.is_declared else "not declared"
        sheet.row([scope.framework, scope.accounts, scope.not_tested, declared])
        source = "" if scope.source is None else f" ({scope.source}, SHA-256 {scope.sha256})"
        sheet.lines(f"    {scope.words}{source}")


def _write_controls(sheet: Page, run: StoredRun) -> None:
    frameworks = {framework.id: framework for framework in run.frameworks}
    sheet.heading("Results by control")
    columns = ("relation", "evaluated", "failed", "unknown", "not_tested", "accepted")
    sheet.header(["control", *columns, "result"], numbers=columns[1:])
    for record in list_records(run.controls()):
        result = describe_result(frameworks[str(record["framework"])], record)
        name = f"{record['framework']} {record['control_id']}"
        sheet.row([name, *(record[column] for column in columns), result])


def _write_changes(sheet: Page, summary: Summary) -> Series | None:
    """
    Write what changed, and return where the trend stands; None where there is nothing to compare with.
    """
    sheet.heading("Since the previous run")
    if summary.previous is None:
        sheet.text(NO_PREVIOUS_RUN)
        return None
    for words, number in list_changes(summary):
        sheet.row([words, number])
    unclear = say_unclear_changes(summary)
    sheet.text(
        f"These are numbers of findings. {unclear}{' ' if unclear else ''}{describe_moves(summary)}"
    )
    sheet.text("One line for each period, its newest run:")
    numbers = ("collected", "listed", "console", "without_mfa", "accepted", "open")
    sheet.header(["period", *numbers], numbers=numbers)
    first = sheet.next_row
    for point in summary.trend:
        figures = (point.collected, point.listed, point.console, point.without_mfa)
        partial = "" if point.is_whole else f", {describe_read(point)} used"
        name = f"{point.period}, run {point.run_id}{partial}"
        sheet.row([name, *figures, point.accepted, point.exceptions])
    series = Series((first, sheet.next_row - 1), values=2 + numbers.index("without_mfa"))
    if not all(point.is_whole for point in summary.trend):
        sheet.lines(
            "Where not every account could be used, because it was not read or its report was too old, there can be "
            "more than the figures say. In the chart such a point is hollow, and the line to it is dashed."
        )
    return series


def _write_not_collected(sheet: Page, run: StoredRun) -> None:
    accounts = run.accounts()
    missed = accounts[accounts["outcome"] == "not-collected"]
    if missed.empty:
        return
    sheet.heading("Accounts that could not be read")
    sheet.header(["account", "account_id", "reason_code"])
    for record in list_records(missed):
        sheet.row([record[name] for name in ("name", "account_id", "reason_code")])
        sheet.lines(str(record["reason"]), indent="    ")
