"""
What the PDF says of changes, controls, severities and old reports, as its template gets it and prints it.
"""

import re
from dataclasses import replace

import openpyxl
import pytest
import reports_fixture as fixture

from scanner.checks import CHECKS
from scanner.frameworks import bind_checks
from scanner.reports import change_pages
from scanner.reports.page import fill_page
from scanner.reports.pages import build_pages
from scanner.reports.pdf import fill_template
from scanner.reports.workbook import render_workbook


def read_text(html):
    """
    Return the words of a page of HTML, each tag being a space.
    """
    return " ".join(re.sub(r"<[^>]*>", " ", html).replace("&#39;", "'").split())


@pytest.fixture(scope="module")
def eventful(tmp_path_factory):
    run = fixture.write_eventful(tmp_path_factory.mktemp("run"))
    pages = build_pages(run)
    return run, pages, read_text(fill_template(pages))


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """
    Write a run before which two accounts left, one of them unread then, and seventy joined, three of them unread.
    """
    folder = tmp_path_factory.mktemp("run")
    [management, payments, *_] = fixture.ordinary()
    before = [
        management,
        payments,
        fixture.Listed("555555555555", "gone", ("Root", "Old")),
        fixture.missed("555555555556", "never-read"),
    ]
    previous = fixture.write_run(folder, before, started=fixture.BEFORE, period="2026-Q3")
    new = [fixture.Listed(f"{700000000000 + n}", f"new-{n}") for n in range(67)]
    unread = [fixture.missed(f"{800000000000 + n}", f"unread-{n}") for n in range(3)]
    bob = [person for person in payments.people or () if person.name != "bob"]
    now = [management, replace(payments, people=tuple(bob)), *new, *unread]
    return fixture.write_run(folder, now, previous=previous)


def test_accounts_that_were_not_read_stand_first_among_those_that_joined(joined):
    """
    Neither many changes nor many accounts push an account off the page of which nothing is known.
    """
    accounts = build_pages(joined)["changes"]["accounts"]

    assert accounts["number"] == 72
    assert len(accounts["rows"]) == change_pages.ACCOUNTS_LIMIT < 72
    assert [(row["name"], row["words"], row["outcome_words"]) for row in accounts["rows"][:3]] == [
        (f"unread-{n}", "joined", "not collected") for n in range(3)
    ]
    assert {row["outcome_words"] for row in accounts["rows"][5:]} == {"collected"}


def test_an_account_that_left_is_called_what_it_was_called(joined):
    """
    Its name, OU and outcome are those of the previous run, which this run carries.
    """
    accounts = build_pages(joined)["changes"]["accounts"]

    left = [row for row in accounts["rows"] if row["words"] == "left"]
    assert [(row["account_id"], row["name"], row["outcome_words"]) for row in left] == [
        ("555555555555", "gone", "no longer listed; collected in the previous run"),
        ("555555555556", "never-read", "no longer listed; not collected in the previous run"),
    ]
    assert left[0]["ou_path"] == "Old"


def test_what_was_fixed_says_when_it_was_found_so(joined):
    """
    A finding that is gone has two days: when it was first seen, and when it was found fixed.
    """
    rows = build_pages(joined)["changes"]["rows"]

    [fixed] = [row for row in rows if row["user"] == "bob" and row["check"] == "console-no-mfa"]
    assert (fixed["words"], fixed["first_seen"], fixed["closed"]) == (
        "fixed",
        "2026-08-16",
        "2026-11-24",
    )
    assert {row["closed"] for row in rows if row["state"] != "fixed"} == {"\u2013"}


def test_accounts_are_no_findings_where_changes_are_told(eventful):
    """
    After "findings" stand numbers of findings alone, and accounts have a sentence with its grammar.
    """
    run, pages, text = eventful
    moved = run.summary.changes

    assert (moved["accounts-joined"], moved["accounts-left"]) == (7, 1)
    assert sum(number for _, number in pages["changes"]["counts"]) == sum(
        number for key, number in moved.items() if not key.startswith("accounts-")
    )
    assert text.count("7 accounts joined and 1 account left.") == 3
    assert "1 accounts" not in text


def test_every_account_that_joined_or_left_is_on_the_page_where_there_is_room(eventful):
    """
    The one that could not be read, the one whose report was too old, and the others.
    """
    _, pages, text = eventful
    rows = pages["changes"]["accounts"]["rows"]

    assert [(row["name"], row["outcome_words"]) for row in rows[:2]] == [
        ("unreachable", "not collected"),
        ("old-report", "collected, report too old"),
    ]
    assert len(rows) == 8
    assert "joined 999999999999 unreachable" in text


def test_the_ledger_marks_a_report_that_was_too_old(eventful):
    """
    An account of whose users nothing is known does not read as collected and no more.
    """
    _, pages, text = eventful

    marked = [row["name"] for row in pages["ledger"]["rows"] if row["is_stale"]]
    assert marked == ["old-report"]
    assert re.search(r"old-report Workloads collected, report too old 2026-11-23", text)
    assert (
        "Of the collected, 1 was read by a report that was too old: nothing is known of its users"
        in text
    )


def test_the_overview_of_controls_adds_up_to_the_groups(eventful):
    """
    As many controls are not tested by this tool as the list below has under that heading.
    """
    _, pages, text = eventful

    for framework in pages["frameworks"]:
        groups = dict(framework["groups"])
        assert framework["counts"]["not-tested"] == len(groups["not tested by this tool"])
        assert sum(framework["counts"].values()) == len(framework["catalog"].controls)
    assert "no lead, or nothing to evaluate not tested by this tool all" in text


def test_a_document_says_on_what_a_severity_depends(eventful, tmp_path):
    """
    In the PDF, in the page and in the workbook: for each check that grades its findings, in words.
    """
    run, pages, text = eventful
    html = read_text("".join(fill_page(run)))
    [book] = render_workbook(run, tmp_path)
    sheet = " ".join(
        str(cell)
        for row in openpyxl.load_workbook(book)["Method"].iter_rows(values_only=True)
        for cell in row
    )

    graded = [bound.check for bound in bind_checks(run.frameworks) if bound.check.grade]
    assert "console-no-mfa" in {check.id for check in graded} <= set(CHECKS)
    for document in (text, html, sheet):
        for check in graded:
            assert f"Severity: {check.graded}." in document, check.id
        assert pages["method"].SEVERITY in document
