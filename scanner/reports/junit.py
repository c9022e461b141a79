"""
The run as JUnit XML, for pipelines that show test results: a suite for each check, a case for each account with findings.

- failure: exceptions were noted that no acceptance covers.
- error: somebody could not look. The report does not decide, or the account was not read. It outranks a failure.
- skipped: nothing but leads and accepted risks, or nothing to which the check applies.
- Cases without any of these: `rows without a finding`, one in each suite, which stands for all the rest. It carries
  the check's totals, so that 10,000 accounts are not 10,000 cases. It is skipped where the check found no row to which it
  applies and whose facts decide.

Accounts that were not read are an error in every suite. The first suite is about the evidence itself.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from scanner.checks import title_check
from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.reports.breakdown import Counts, count_findings
from scanner.reports.facts import list_check_figures
from scanner.reports.naming import claim, name_document
from scanner.reports.text import make_visible
from scanner.reports.wording import complete, count, list_notices
from scanner.summary import CheckTotals, Summary

_UNREAD = "account-not-collected"
_KINDS = ("failure", "error", "skipped")


@dataclass(frozen=True, slots=True)
class _Case:
    """
    One case: `kind` is failure, error, skipped, or None; `said` is why, or what a case without any of these shows.
    """

    name: str
    kind: str | None
    said: str


@dataclass(frozen=True, slots=True)
class _Suite:
    """
    One suite. Its cases are made each time they are needed, so that memory does not grow with them.
    """

    name: str
    properties: Mapping[str, str]
    list_cases: Callable[[], Iterable[_Case]]

    def count(self) -> Counter[str | None]:
        """
        Return how many cases there are of each kind.
        """
        return Counter(case.kind for case in self.list_cases())


def render_junit(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write `orgproof-<period>.junit.xml`. See `Renderer`.
    """
    path = claim(folder / name_document(run.summary, "junit.xml"))
    suites = _list_suites(run)
    numbers = sum((suite.count() for suite in suites), Counter())
    name = quoteattr(make_visible(f"orgproof {run.summary.period}"))
    with create_file(path) as file:
        file.write(b'<?xml version="1.0" encoding="UTF-8"?>\n')
        file.write(f"<testsuites name={name}{_count(numbers, _KINDS[:2])}>\n".encode())
        for suite in suites:
            for text in _draw_suite(suite, run.summary.window.finished):
                file.write(text.encode())
        file.write(b"</testsuites>\n")
    return [path]


def _list_suites(run: StoredRun) -> list[_Suite]:
    summary, found = run.summary, count_findings(run)
    about = _describe_run(run)
    return [
        _Suite("evidence", about, partial(_list_evidence, summary)),
        *(
            _Suite(
                check.check,
                about
                | {
                    "title": title_check(check.check),
                    "severity": str(check.severity),
                    "about": check.subject,
                },
                partial(_list_cases, summary, check, found.get(check.check, {})),
            )
            for check in summary.checks
        ),
    ]


def _describe_run(run: StoredRun) -> dict[str, str]:
    summary = run.summary
    return {
        "seal": run.manifest_sha256,
        "run": summary.run_id,
        "organization": summary.organization_id,
        "period": summary.period,
        **{notice.label: notice.sentence for notice in list_notices(summary)},
    }


def _list_evidence(summary: Summary) -> Iterator[_Case]:
    """
    Yield whether every account was read that was to be, and whether all were to be.
    """
    said = complete(summary)
    yield _Case(
        "every account that was to be read was read", None if summary.is_complete else "error", said
    )
    left = summary.accounts.excluded + summary.accounts.not_active
    if left:
        said = f"{_say_left(summary)}; nothing is said about them"
        yield _Case("accounts that were not to be read", "skipped", said)


def _list_cases(
    summary: Summary, check: CheckTotals, accounts: Mapping[str, Counts]
) -> Iterator[_Case]:
    for account, counts in accounts.items():
        yield _Case(f"{account} {counts.name or ''}".strip(), *_judge(counts))
    unread = summary.accounts.not_collected
    if unread and check.check != _UNREAD:
        yield _Case(
            "accounts that were not read",
            "error",
            f"{count(unread, 'account')} could not be read, so nothing is said about them",
        )
    figures = ", ".join(f"{label}: {number:,}" for label, number in list_check_figures(check))
    said = f"{figures}, accepted: {check.accepted:,}"
    yield _Case("rows without a finding", None if check.passed else "skipped", said)


def _judge(counts: Counts) -> tuple[str, str]:
    words = [
        f"{number:,} {what}"
        for number, what in (
            (counts.unknown, "unable to determine"),
            (counts.failed, "exception noted"),
            (counts.leads, "needs review"),
            (counts.accepted, "of these an accepted risk"),
        )
        if number
    ]
    kind = "error" if counts.unknown else "failure" if counts.open else "skipped"
    return kind, ", ".join(words)


def _say_left(summary: Summary) -> str:
    accounts = summary.accounts
    return f"{accounts.excluded:,} excluded, {accounts.not_active:,} not active"


def _draw_suite(suite: _Suite, finished: datetime) -> Iterator[str]:
    name = quoteattr(make_visible(suite.name))
    numbers = _count(suite.count(), _KINDS)
    yield f' <testsuite name={name}{numbers} time="0" timestamp="{finished:%Y-%m-%dT%H:%M:%S}">\n'
    yield "  <properties>\n"
    for key, value in suite.properties.items():
        pair = f"name={quoteattr(make_visible(key))} value={quoteattr(make_visible(value))}"
        yield f"   <property {pair}/>\n"
    yield "  </properties>\n"
    for case in suite.list_cases():
        yield _draw_case(name, case)
    yield " </testsuite>\n"


def _draw_case(suite: str, case: _Case) -> str:
    begin = f'  <testcase classname={suite} name={quoteattr(make_visible(case.name))} time="0">'
    said = make_visible(case.said)
    match case.kind:
        case None:
            inside = f"<system-out>{escape(said)}</system-out>"
        case "skipped":
            inside = f"<skipped message={quoteattr(said)}/>"
        case kind:
            inside = f"<{kind} message={quoteattr(said)} type={suite}/>"
    return f"{begin}{inside}</testcase>\n"


def _count(numbers: Mapping[str | None, int], kinds: Iterable[str]) -> str:
    names = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    parts = [f'tests="{sum(numbers.values())}"']
    parts += [f'{names[kind]}="{numbers.get(kind, 0)}"' for kind in kinds]
    return "".join(f" {part}" for part in parts)
