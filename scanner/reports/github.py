"""
The run on one page of Markdown, for the summary of a GitHub Actions step.

    cat RUN/reports/orgproof-2026-Q4.github.md >> "$GITHUB_STEP_SUMMARY"

GitHub takes 1 MiB for each step. Every list here has a limit and says what it leaves out, so the page stays far below,
however large the organization is. Names of accounts and whatever else is not our own words stand in code spans: there
GitHub makes no links, mentions, references or emoji of them.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from scanner.checks import title_check
from scanner.evidence import StoredRun
from scanner.evidence.store import write_file
from scanner.model import Severity
from scanner.reports.breakdown import count_findings, sum_by_account
from scanner.reports.census import mark_stale
from scanner.reports.control_pages import RESULTS, count_results
from scanner.reports.facts import describe_signature, describe_verdicts, list_coverage, list_users
from scanner.reports.naming import claim, name_document
from scanner.reports.tables import list_records
from scanner.reports.text import make_visible
from scanner.reports.wording import (
    MISSING,
    NO_PREVIOUS_RUN,
    TITLE,
    complete,
    conclude,
    count,
    describe_accepted,
    describe_moves,
    describe_parent,
    format_age,
    format_moment,
    list_changes,
    list_notices,
    say_unclear_changes,
)

_CHECKS = 50
_ACCOUNTS = 10
_UNREAD = 20
_FRAMEWORKS = 50
_LENGTH = 200
_CUT = " (cut here)"


def render_github(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write `orgproof-<period>.github.md`. See `Renderer`.
    """
    path = claim(folder / name_document(run.summary, "github.md"))
    sections = (
        _write_head(run),
        _write_figures(run),
        _write_checks(run),
        _write_accounts(run),
        _write_unread(run),
        _write_controls(run),
        _write_foot(run),
    )
    lines = [line for section in sections for line in [*section, ""]]
    write_file(path, "\n".join(lines).encode())
    return [path]


def quote(text: str) -> str:
    """
    Return text as a code span, which shows it and does nothing else with it, also in a cell of a table.
    """
    # GFM ends a cell at a bar within a code span, and takes a backslash before one for its escape.
    shown = make_visible(text).replace("|", "[U+007C]")
    if not shown:
        return MISSING
    if len(shown) > _LENGTH:
        shown = shown[:_LENGTH] + _CUT
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    # One space at either end is taken off again.
    pad = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def tabulate(header: Sequence[str], rows: Sequence[Sequence[object]], texts: int) -> Iterator[str]:
    """
    Yield a table whose first columns are `texts`, and the others numbers.
    """
    yield _join(header)
    yield _join(["---" if index < texts else "---:" for index in range(len(header))])
    yield from map(_join, rows)


def _join(cells: Sequence[object]) -> str:
    written = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    return f"| {' | '.join(written)} |"


def _write_head(run: StoredRun) -> Iterator[str]:
    summary = run.summary
    yield f"# {TITLE}"
    for notice in list_notices(summary):
        yield from ("", "> [!WARNING]", f"> **{notice.label}**: {notice.sentence}")
    for sentence in (conclude(summary), complete(summary), describe_parent(summary)):
        if sentence:
            yield from ("", sentence)


def _write_figures(run: StoredRun) -> Iterator[str]:
    summary = run.summary
    figures = (*list_coverage(summary), *list_users(summary))
    rows = [(figure.label, figure.meaning, figure.number) for figure in figures]
    rows.append(("Findings", describe_verdicts(summary), summary.findings))
    yield from tabulate(("What", "Which", "Number"), rows, texts=2)
    yield from ("", describe_accepted(summary), "")
    if summary.previous is None:
        yield NO_PREVIOUS_RUN
        return
    changes = ", ".join(f"{words}: {number:,}" for words, number in list_changes(summary))
    unclear = f"{said} " if (said := say_unclear_changes(summary)) else ""
    before = f"{quote(summary.previous.run_id)} of {quote(summary.previous.period)}"
    yield f"Findings since the run {before}: {changes}. {unclear}{describe_moves(summary)}"


def _write_checks(run: StoredRun) -> Iterator[str]:
    noted = [
        total for total in run.summary.checks if total.failed or total.needs_review or total.unknown
    ]
    # Exceptions come before what is open or to be asked, and the most severe first.
    ranks = {severity: rank for rank, severity in enumerate(Severity)}
    noted.sort(
        key=lambda total: (not total.failed, ranks[total.severity], -total.failed, -total.unknown)
    )
    yield "## Exceptions by check"
    yield ""
    if not noted:
        yield "No check noted an exception or left one open."
        return
    rows = [
        (
            quote(total.check),
            title_check(total.check),
            total.severity,
            total.failed,
            total.accepted,
            total.needs_review,
            total.unknown,
        )
        for total in noted[:_CHECKS]
    ]
    header = (
        "Check",
        "About",
        "Severity",
        "Exceptions",
        "Accepted",
        "Needs review",
        "Unable to determine",
    )
    yield from tabulate(header, rows, texts=3)
    quiet = len(run.summary.checks) - len(noted)
    yield from _say_more(len(noted) - _CHECKS, "check")
    if quiet:
        yield from ("", f"{count(quiet, 'further check')} noted nothing in what was read.")


def _write_accounts(run: StoredRun) -> Iterator[str]:
    sums = sum_by_account(count_findings(run))
    failed = {account: counts for account, counts in sums.items() if counts.failed}
    ranked = sorted(failed, key=lambda account: (-failed[account].failed, account))
    yield "## Accounts with most exceptions"
    yield ""
    if not ranked:
        yield "No exception was noted in any account that was read."
        return
    rows = [
        (
            quote(account),
            quote(failed[account].name or ""),
            failed[account].failed,
            failed[account].open,
        )
        for account in ranked[:_ACCOUNTS]
    ]
    header = ("Account", "Name", "Exceptions", "Of them not accepted")
    yield from tabulate(header, rows, texts=2)
    yield from _say_more(len(ranked) - _ACCOUNTS, "account")


def _write_unread(run: StoredRun) -> Iterator[str]:
    accounts = run.accounts()
    unread = accounts[accounts["outcome"] == "not-collected"]
    yield "## Accounts that could not be read"
    yield ""
    if unread.empty:
        yield "None."
    else:
        yield from _tabulate_unread(unread)
    old = accounts[mark_stale(accounts)]
    if not old.empty:
        yield from ("", "## Accounts whose report was too old", "")
        rows = [
            (quote(account), quote(name or ""), format_age(int(age)))
            for account, name, age in old[["account_id", "name", "report_age_seconds"]]
            .head(_UNREAD)
            .itertuples(index=False)
        ]
        yield from tabulate(("Account", "Name", "Age when fetched"), rows, texts=3)
        yield from _say_more(len(old) - _UNREAD, "account")


def _tabulate_unread(unread: pd.DataFrame) -> Iterator[str]:
    rows = [
        tuple(
            quote(str(record[name] or ""))
            for name in ("account_id", "name", "reason_code", "reason")
        )
        for record in list_records(unread.head(_UNREAD))
    ]
    yield from tabulate(("Account", "Name", "Reason", "In words"), rows, texts=4)
    yield from _say_more(len(unread) - _UNREAD, "account")


def _write_controls(run: StoredRun) -> Iterator[str]:
    records = list_records(run.controls())
    counted = [(framework.id, count_results(framework, records)) for framework in run.frameworks]
    rows = [
        (quote(framework), *(results[result] for result, _ in RESULTS))
        for framework, results in counted[:_FRAMEWORKS]
    ]
    yield "## Controls by result"
    yield ""
    yield from tabulate(("Framework", *(words for _, words in RESULTS)), rows, texts=1)
    yield from _say_more(len(counted) - _FRAMEWORKS, "framework")
    yield from ("", "Whether a requirement is met is for the assessor to determine.")


def _write_foot(run: StoredRun) -> Iterator[str]:
    summary = run.summary
    window = summary.window
    facts = (
        ("Organization", f"{quote(summary.organization_name)} {quote(summary.organization_id)}"),
        ("Period", quote(summary.period)),
        ("Run", quote(summary.run_id)),
        ("Collected", f"{format_moment(window.started)} to {format_moment(window.finished)}"),
        ("Seal (SHA-256 of manifest.json)", quote(run.manifest_sha256)),
        ("Signature", quote(describe_signature(run))),
        ("Made with", quote(f"orgproof {summary.tool_version}")),
    )
    yield "## Where the evidence is"
    yield ""
    yield from (f"- {label}: {value}" for label, value in facts)
    yield (
        "- Documents: in the folder `reports` of the run, each with its hash in `documents.json`. What this page "
        "leaves out is in them, user by user."
    )
    yield "- To check all of it, offline: `orgproof verify RUN`"


def _say_more(number: int, noun: str) -> Iterator[str]:
    if number > 0:
        yield from ("", f"{count(number, f'more {noun}')}: see the tables in `reports`.")
