"""
What the page's template is filled with: the summary's figures, bars beside them, and the tables to filter.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from scanner.checks import title_check
from scanner.evidence import StoredRun
from scanner.frameworks import Framework
from scanner.history import describe_gap
from scanner.model import AccountOutcome, Severity, Verdict
from scanner.reports import facts, method
from scanner.reports.breakdown import count_severities
from scanner.reports.control_pages import RESULTS, count_results
from scanner.reports.page_charts import Bar, draw_bars
from scanner.reports.page_grids import describe_settings, list_grids
from scanner.reports.page_tables import (
    FINDINGS_LIMIT,
    encode_findings,
    encode_json,
    encode_roots,
    encode_table,
)
from scanner.reports.tables import list_records
from scanner.reports.wording import (
    NO_PREVIOUS_RUN,
    TITLE,
    complete,
    conclude,
    count,
    describe_accepted,
    describe_moves,
    describe_parent,
    describe_read,
    describe_result,
    format_moment,
    list_changes,
    list_notices,
    say_limits,
    say_unclear_changes,
)
from scanner.summary import Summary

_VERDICTS = (
    (Verdict.FAIL, "exceptions"),
    (Verdict.NEEDS_REVIEW, "leads to review"),
    (Verdict.UNKNOWN, "unable to determine"),
)


def build_content(run: StoredRun) -> dict[str, Any]:
    """
    Return every value that the template prints.
    """
    summary = run.summary
    accounts = run.accounts()
    grids = list_grids(summary)
    return {
        "title": TITLE,
        "summary": summary,
        "seal": run.manifest_sha256,
        "notices": list_notices(summary),
        "sentences": [
            sentence
            for sentence in (describe_parent(summary), *facts.describe_parts(summary))
            if sentence
        ],
        "conclusion": conclude(summary),
        "completeness": complete(summary),
        "coverage": _list_coverage(summary),
        "coverage_sum": facts.add_up_coverage(summary),
        "users": facts.list_users(summary),
        "user_bar": _draw_users(summary),
        "user_words": describe_users(summary),
        "verdict_words": facts.describe_verdicts(summary),
        "accepted_words": describe_accepted(summary),
        "asked": facts.describe_asked(summary),
        "severities": _list_severities(run),
        "changes": _describe_changes(summary),
        "frameworks": [
            _describe_framework(run, framework, list_records(run.controls()))
            for framework in run.frameworks
        ],
        "results": RESULTS,
        "acceptances": facts.list_accepted_risks(run),
        "checks": [(check, facts.list_check_figures(check)) for check in summary.checks],
        "titles": {check.check: title_check(check.check) for check in summary.checks},
        "grids": grids,
        "settings": encode_json(describe_settings(summary, grids)),
        "tables": {
            "findings": encode_findings(run, FINDINGS_LIMIT),
            "accounts": encode_table([str(name) for name in accounts.columns], [accounts]),
            "roots": encode_roots(run, accounts),
        },
        "findings_limit": FINDINGS_LIMIT,
        "identity": facts.list_identity(run),
        "method": method,
        "conditions": method.list_conditions(run),
    }


def _list_coverage(summary: Summary) -> dict[str, Any]:
    listed, *parts = facts.list_coverage(summary)
    named = list(zip(map(str, AccountOutcome), parts, strict=True))
    words = f"{count(listed.number, 'account')} listed: {_enumerate((part.number, part.label.lower()) for part in parts)}"
    [bar] = draw_bars([Bar(words, [(kind, part.number) for kind, part in named])])
    return {"listed": listed, "parts": named, "bar": bar}


def describe_users(summary: Summary) -> str:
    """
    Say how many console users have no MFA and of how many accounts that is said; no number where it is none.
    """
    if not summary.usable:
        return "No account's report could be used: nothing is known of its console users"
    users = summary.users
    words = f"{users.console_without_mfa:,} of {count(users.console, 'console user')} without MFA"
    return f"{words}{say_limits(summary)}"


def _draw_users(summary: Summary) -> Markup:
    """
    Return a bar of the users who may sign in to the console, by what is known of their devices.
    """
    users = summary.users
    parts = (
        ("with-mfa", users.console_with_mfa, "with MFA"),
        ("without-mfa", users.console_without_mfa, "without MFA"),
        ("unclear", users.unknown, "not clear"),
    )
    words = f"{count(users.may_sign_in, 'IAM user')}: {_enumerate((number, words) for _, number, words in parts)}"
    [bar] = draw_bars([Bar(words, [(kind, number) for kind, number, _ in parts])])
    return bar


def _enumerate(numbers: Iterable[tuple[int, str]]) -> str:
    return ", ".join(f"{number:,} {words}" for number, words in numbers)


def _list_severities(run: StoredRun) -> list[dict[str, Any]]:
    """
    Return the findings of each severity by verdict, with a bar each.
    """
    counted = count_severities(run)
    rows = [
        (
            str(severity),
            [(str(verdict), counted[severity, verdict], words) for verdict, words in _VERDICTS],
        )
        for severity in Severity
    ]
    bars = draw_bars(
        [
            Bar(
                f"{severity}: {_enumerate((number, words) for _, number, words in parts)}",
                [(verdict, number) for verdict, number, _ in parts],
            )
            for severity, parts in rows
        ]
    )
    return [
        {"severity": severity, "numbers": [number for _, number, _ in parts], "bar": bar}
        for (severity, parts), bar in zip(rows, bars, strict=True)
    ]


def _describe_changes(summary: Summary) -> dict[str, Any]:
    bars = draw_bars(
        [
            Bar(
                f"{point.period}: {point.exceptions:,} open, {point.accepted:,} accepted"
                f"{'' if point.is_whole else f', in {describe_read(point)}'}",
                [("fail", point.exceptions), ("accepted", point.accepted)],
            )
            for point in summary.trend
        ]
    )
    previous = summary.previous
    return {
        "previous": previous,
        "previous_started": format_moment(previous.started) if previous else None,
        "none": NO_PREVIOUS_RUN,
        "gap": describe_gap(previous, summary.window.started),
        "counts": list_changes(summary),
        "unclear": say_unclear_changes(summary),
        "moves": describe_moves(summary),
        "trend": list(zip(summary.trend, bars, strict=True)),
    }


def _describe_framework(
    run: StoredRun, framework: Framework, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    results = {row["control_id"]: row for row in rows if row["framework"] == framework.id}
    return {
        "catalog": framework,
        "scope": facts.describe_scope(run.summary, framework.id),
        "counts": count_results(framework, rows),
        "controls": [
            {"control": control, "row": row, "words": describe_result(framework, row)}
            for control in framework.controls
            if (row := results.get(control.id))
        ],
    }
