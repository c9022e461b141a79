import csv
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import reports_fixture as fixture
from playwright.sync_api import Browser, Page, Route, sync_playwright

from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.model import Verdict
from scanner.reports import FORMATS, facts
from scanner.reports.census import list_root_checks
from scanner.reports.page import _embed
from scanner.reports.page_charts import Bar, draw_bars
from scanner.reports.page_tables import encode_json, encode_table, select_urgent
from scanner.reports.tables import list_records
from scanner.reports.text import make_visible
from scanner.reports.wording import VERDICTS, complete, conclude, list_changes, list_notices

CHROMIUM = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = Path(
    str(distribution("axe-playwright-python").locate_file("axe_playwright_python/axe.min.js"))
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WATCH = """
window.seen = [];
window.alert = (words) => window.seen.push(`alert ${words}`);
document.addEventListener('securitypolicyviolation', (event) => window.seen.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
MORE = "tbody tr:nth-child(n+6), option:nth-child(n+6), dl.conditions > div:nth-child(n+6)"
SMUGGLED = """() => {
    const place = document.createElement('div');
    place.innerHTML = '<img src=x onerror=alert(1)><p style="color: red" onclick="alert(2)">x</p>';
    document.body.append(place);
    place.querySelector('p').click();
    const script = document.createElement('script');
    script.textContent = 'alert(3)';
    document.body.append(script);
}"""
COUNT_MET = r"""() => {
    const met = [];
    const walk = (rules) => [...rules].forEach((rule) => {
        if (!rule.selectorText) { walk(rule.cssRules || []); return; }
        rule.selectorText.split(/,(?![^()]*\))/).forEach((words) => {
            const bare = words.replace(/::?[a-z-]+(\([^)]*\))?/g, '').trim();
            met.push([words.trim(), bare ? document.querySelectorAll(bare).length : 1]);
        });
    });
    const ours = [...document.querySelectorAll('style')].find((style) => style.textContent.includes('--soft:'));
    walk(ours.sheet.cssRules);
    return met;
}"""
WORLDS = ("eventful", "hostile", "clean")


@pytest.fixture(name="browser", scope="module")
def start_browser() -> Iterator[Browser]:
    """
    Start one Chromium for all tests of this module.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM)
        )
        yield browser
        browser.close()


@pytest.fixture(name="runs", scope="module")
def write_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StoredRun]:
    """
    Write one run of each world, and draw its page and its CSV files.
    """
    folder = tmp_path_factory.mktemp("page")
    runs = {
        "eventful": fixture.write_eventful(folder / "eventful"),
        "hostile": fixture.write_run(
            folder / "hostile",
            fixture.hostile(),
            organization_name=fixture.HOSTILE[3],
            prepared_by=fixture.HOSTILE[2],
        ),
        "clean": fixture.write_run(folder / "clean", fixture.clean()),
    }
    for run in runs.values():
        (run.folder / "reports").mkdir()
        FORMATS["html"](run, run.folder / "reports")
        FORMATS["csv"](run, run.folder / "reports")
    return runs


def find_page(run: StoredRun) -> Path:
    return run.folder / "reports" / "orgproof-2026-Q4.html"


@contextmanager
def opened(
    browser: Browser, file: Path, fragment: str = "", *, init: str = "", **options: Any
) -> Iterator[Page]:
    """
    Open a page from a file, and fail where it asks for anything, complains, or executes what it should not.
    """
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    noise: list[str] = []

    def answer(route: Route) -> None:
        if route.request.url.partition("#")[0] == file.as_uri():
            route.continue_()
        else:
            noise.append(f"request {route.request.url}")
            route.abort()

    try:
        context.set_default_timeout(10_000)
        context.route("**/*", answer)
        context.add_init_script(WATCH + init)
        page = context.new_page()
        page.on("console", lambda message: noise.append(f"console {message.text}"))
        page.on("pageerror", lambda error: noise.append(f"error {error}"))
        page.goto(file.as_uri() + fragment)
        yield page
        if options.get("java_script_enabled", True):
            noise += page.evaluate("window.seen")
        assert noise == []
    except Exception as exc:
        exc.add_note(f"the page said: {noise}")
        raise
    finally:
        context.close()


def read_tables(page: Page, selector: str) -> list[list[list[str]]]:
    """
    Return the text of each table there, cell by cell.
    """
    found: list[list[list[str]]] = page.evaluate(
        """(selector) => [...document.querySelectorAll(selector)].map((table) =>
            [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim())))""",
        selector,
    )
    return found


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def download(page: Page, grid: str) -> tuple[str, list[list[str]]]:
    """
    Press a table's button for CSV, and return the file's name and its rows.
    """
    with page.expect_download() as waiting:
        page.click(f"#{grid}-filters .export")
    done = waiting.value
    content = Path(done.path()).read_bytes().decode()
    assert content.startswith("\ufeff")
    assert content.endswith("\r\n")
    return done.suggested_filename, read_csv(content)


def stored(run: StoredRun, name: str) -> list[list[str]]:
    return read_csv((run.folder / "reports" / f"{name}.csv").read_bytes().decode())


def choose(page: Page, name: str, value: str, grid: str = "findings") -> None:
    page.select_option(f"#{grid}-filters [name={name}]", value)


def count_shown(page: Page, grid: str = "findings") -> int:
    """
    Return how many rows a table says that it shows.
    """
    words = page.inner_text(f"#{grid} .dt-info")
    found = re.match(r"(?:[\d,]+ to [\d,]+ of )?([\d,]+) ", words)
    assert found, words
    return int(found[1].replace(",", ""))


def wait(page: Page, condition: str) -> None:
    """
    Wait until a condition holds. Playwright's own way evaluates text, which the page's policy forbids.
    """
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"this never came true: {condition}")


def print_number(number: int) -> str:
    return f"{number:,}"


# ---- what the page may do


@pytest.mark.parametrize("world", WORLDS)
def test_the_page_asks_for_nothing_and_breaks_no_rule_of_its_policy(browser, runs, world):
    """
    No request, no word on the console, nothing refused, nothing executed; see `opened`. Scrolled, sorted, opened.
    """
    with opened(browser, find_page(runs[world])) as page:
        for grid in ("findings", "accounts", "roots"):
            page.click(f"#{grid}-table thead th:nth-child(3)")
            buttons = page.locator(f"#{grid}-table tbody button")
            if buttons.count():
                # Found anew where sorting draws the rows again between finding and clicking.
                buttons.first.click()

        policy = page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")

    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert set(rules) == {"script-src", "style-src"}
    assert all(
        re.fullmatch(r"'sha256-[\w+/]{43}='", word)
        for rule in rules.values()
        for word in rule.split()
    )


def test_a_script_that_is_not_ours_is_not_executed(browser, runs):
    """
    Whatever found its way into the page: handlers, scripts, pictures, styles and addresses have no effect.
    """
    refused: list[str] = []

    def smuggle() -> None:
        with opened(browser, find_page(runs["clean"])) as page:
            page.evaluate(SMUGGLED)
            wait(page, "window.seen.length >= 4")
            refused.extend(page.evaluate("window.seen"))

    with pytest.raises(AssertionError, match="inline event handler"):
        smuggle()

    assert {word.partition(" ")[0] for word in refused} == {
        "img-src",
        "style-src-attr",
        "script-src-attr",
        "script-src-elem",
    }


def test_the_page_holds_its_libraries_and_their_licences(runs):
    """
    DataTables, jQuery and itables are inside, unchanged, with the notices that their licences ask to keep.
    """
    text = find_page(runs["clean"]).read_bytes().decode()

    bundle = Path(str(distribution("itables").locate_file("itables/html/dt_bundle.js")))
    assert bundle.read_bytes().decode() in text
    assert "SpryMedia Ltd - datatables.net/license" in text
    assert "Copyright OpenJS Foundation" in text
    assert "Permission is hereby granted, free of charge" in text
    assert not re.search(
        r"<(?:link|img|iframe|object|embed|base)\b", text.replace(bundle.read_bytes().decode(), "")
    )


@pytest.mark.parametrize("text", ["</script >", "x </STYLE>", "<!-- \n <script>", "a\rb", "\0"])
def test_a_script_that_would_end_its_element_is_refused(text):
    """
    A library's next version may hold such words.
    """
    with pytest.raises(RenderError, match="cannot stand inside it; is the package itables whole"):
        _embed(text)


# ---- names that do harm


def test_hostile_names_are_text(browser, runs):
    """
    Each name stands there letter by letter, made visible, and no element came of it.
    """
    run = runs["hostile"]
    with opened(browser, find_page(run)) as page:
        page.select_option("#accounts .dt-length select", "100")
        names = page.locator("#accounts-table td.name bdi:not(.under)").all_inner_texts()
        page.click("#accounts-table tbody button")
        strangers = page.evaluate(
            """() => [...document.querySelectorAll('img, link, iframe, object, embed, script[src], meta')]
                .map((element) => element.outerHTML).filter((text) => !/^<meta (charset|http|name)/.test(text))"""
        )
        title = page.inner_text(".whose bdi")
        choices = page.locator("#accounts-filters [name=ou_path] option").count()

    assert title == fixture.HOSTILE[3]
    squeezed = {" ".join(name.split()) for name in names}
    assert {" ".join(make_visible(name).split()) for name in fixture.HOSTILE} <= squeezed
    assert strangers == []
    assert choices == 1 + run.accounts()["ou_path"].nunique(dropna=False)


@pytest.mark.parametrize(
    "fragment",
    [
        "#q=<img src=x onerror=alert(1)>&verdict=nonsense&__proto__=x&accounts.outcome=%00",
        "#q=%3Cscript%3Ealert(1)%3C/script%3E&severity=constructor",
        "#%E0%A4%A&=&&&",
    ],
)
def test_an_address_is_only_a_value(browser, runs, fragment):
    """
    What somebody sends as a link is text in a field, or no choice at all.
    """
    with opened(browser, find_page(runs["eventful"]), fragment) as page:
        shown = count_shown(page)
        chosen = page.evaluate(
            "[...document.querySelectorAll('select[name]')].map((list) => list.value)"
        )
        words = page.input_value("#findings-filters [name=q]")

    assert set(chosen) == {""}
    assert shown == (0 if words else len(runs["eventful"].findings()))


def test_json_in_the_page_holds_no_sign_of_markup():
    """
    Nothing in it can end the element it stands in, and it says the same.
    """
    value = {"a": ["</script><!--<script>", "&lt;", "\u2028\u2029", "\ud800", "\x00]]>"]}

    text = encode_json(value)

    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == value


# ---- numbers


def test_every_figure_is_that_of_the_summary(browser, runs):
    """
    Coverage, users, changes, trend and sentences are those of `summary.json`.
    """
    run = runs["eventful"]
    summary = run.summary
    with opened(browser, find_page(run)) as page:
        accounts, users, severities, trend = read_tables(page, "#summary table")
        text = page.inner_text("main")
        counts = dict(
            zip(
                page.locator("#changes dt").all_inner_texts(),
                page.locator("#changes dd").all_inner_texts(),
                strict=True,
            )
        )

    due = [
        [figure.label, print_number(figure.number), figure.meaning]
        for figure in facts.list_coverage(summary)
    ]
    assert accounts[1:] == due
    due = [
        [figure.label, print_number(figure.number), figure.meaning]
        for figure in facts.list_users(summary)
    ]
    assert users[1:] == due
    assert counts == {words: print_number(number) for words, number in list_changes(summary)}
    assert [[row[0].split()[0], *row[2:]] for row in trend[1:]] == [
        [
            point.period,
            *map(print_number, (point.exceptions, point.accepted, point.console)),
            f"{point.read} of {point.due}",
        ]
        for point in summary.trend
    ]
    counted = Counter(zip(run.findings()["severity"], run.findings()["verdict"], strict=True))
    assert {
        (row[0], verdict): int(number)
        for row in severities[1:]
        for verdict, number in zip(("fail", "needs-review", "unknown"), row[2:], strict=True)
        if number != "0"
    } == counted
    for sentence in (conclude(summary), complete(summary), facts.add_up_coverage(summary)):
        assert sentence in text
    for notice in list_notices(summary):
        assert f"{notice.label} {notice.sentence}" in " ".join(text.split())
    assert run.manifest_sha256 in text


def test_controls_and_checks_are_those_of_the_tables(browser, runs):
    """
    Each control's figures and each check's totals are the stored ones.
    """
    run = runs["eventful"]
    with opened(browser, find_page(run)) as page:
        controls = read_tables(page, "table.controls")
        [checks] = read_tables(page, "#method table")

    rows = {(row["framework"], row["control_id"]): row for row in list_records(run.controls())}
    shown = 0
    for framework, table in zip(run.frameworks, controls, strict=True):
        for control, cells in zip(framework.controls, table[1:], strict=True):
            row = rows[framework.id, control.id]
            assert cells[0] == f"{control.id} {control.title}"
            if not control.not_tested:
                names = ("evaluated", "failed", "unknown", "not_tested", "accepted")
                assert cells[3:] == [f"{row[name]:,}" for name in names]
            shown += 1
    assert shown == len(rows)
    assert [row[1:] for row in checks[1:]] == [
        [
            *(print_number(number) for _, number in facts.list_check_figures(check)),
            print_number(check.accepted),
        ]
        for check in run.summary.checks
    ]


@pytest.mark.parametrize("world", WORLDS)
def test_a_table_unfiltered_is_the_csv_file(browser, runs, world):
    """
    Every row and every column is in the page, and what it gives as CSV is what findings.csv holds, cell by cell.
    """
    run = runs[world]
    with opened(browser, find_page(run)) as page:
        found = [
            (table, count_shown(page, table), *download(page, table))
            for table in ("findings", "accounts")
        ]

    for table, shown, name, rows in found:
        due = stored(run, table)
        assert name == f"orgproof-2026-Q4-{table}.csv"
        assert rows[0] == due[0]
        assert sorted(rows[1:]) == sorted(due[1:])
        assert shown == len(due) - 1


@pytest.mark.parametrize("grid", ["findings", "accounts", "roots"])
def test_a_table_shows_all_its_columns_on_a_usual_screen(browser, runs, grid):
    """
    Nothing ends at the edge of a window of 1280 pixels.
    """
    with opened(browser, find_page(runs["eventful"])) as page:
        box = page.locator(f"#{grid}-table").bounding_box()

    assert box is not None
    assert box["x"] + box["width"] <= 1280 - box["x"] + 1


def test_root_users_are_those_of_the_users_table(browser, runs):
    """
    One line for each account that was read, with the verdicts about its root user, also of checks about all users.
    """
    run = runs["eventful"]
    with opened(browser, find_page(run)) as page:
        _, (header, *rows) = download(page, "roots")

    checks = list_root_checks(run.summary)
    users = pd.concat(run.users())
    roots = {row["account_id"]: row for row in list_records(users[users["is_root"]])}
    assert len(rows) == len(roots) == run.summary.users.roots
    assert {"root-console-no-mfa", "extra-credentials"} <= set(checks)
    for cells in rows:
        told = dict(zip(header, cells, strict=True))
        due = roots[told["account_id"]]
        assert {name: told[name] for name in checks} == {name: due[name] for name in checks}
        assert told["mfa_active"] == str(due["mfa_active"]).lower()
        stated = due["password_enabled"]
        assert told["password_enabled"] == ("" if stated is None else str(stated).lower())


# ---- filters, sorting, the address


def test_filters_keep_exactly_the_rows_that_match(browser, runs):
    """
    Lists choose a whole word, the search any part of any column, and all of them hold together.
    """
    run = runs["eventful"]
    findings = run.findings()
    with opened(browser, find_page(run)) as page:
        choose(page, "verdict", "fail")
        failed = count_shown(page)
        choose(page, "account_id", "012345678901")
        there = count_shown(page)
        page.fill("#findings-filters [name=q]", "ALICE  console")
        found = count_shown(page)
        _, rows = download(page, "findings")
        page.click("#findings-filters [type=reset]")
        every = count_shown(page)
        choose(page, "acceptance", "\u2013")
        unaccepted = count_shown(page)

    is_failed = findings["verdict"] == "fail"
    is_there = findings["account_id"] == "012345678901"
    assert failed == is_failed.sum()
    assert there == (is_failed & is_there).sum()
    assert found == len(rows) - 1 == 1
    assert dict(zip(*rows, strict=True))["user"] == "alice"
    assert every == len(findings)
    assert unaccepted == findings["acceptance"].isna().sum()


def test_the_search_looks_at_words_as_stored_and_as_shown(browser, runs):
    """
    Somebody may type the word of the document, the one of the table, or part of an ARN.
    """
    run = runs["eventful"]
    findings = run.findings()
    with opened(browser, find_page(run)) as page:
        shown = []
        for words in (
            "unable to determine",
            "needs-review",
            ":user/division/team/erin",
            "no such thing",
        ):
            page.fill("#findings-filters [name=q]", words)
            shown.append(count_shown(page))
        empty = page.inner_text("#findings-table tbody")

    assert shown == [
        (findings["verdict"] == "unknown").sum(),
        (findings["verdict"] == "needs-review").sum(),
        findings["arn"].str.endswith("/erin").sum(),
        0,
    ]
    assert empty == "No findings match these filters."


def test_filters_are_in_the_address_and_come_back_from_it(browser, runs):
    """
    A link with filters shows the same rows, links to sections leave them alone, and a new address replaces them.
    """
    file = find_page(runs["eventful"])
    with opened(browser, file) as page:
        page.fill("#findings-filters [name=q]", "late & <b>")
        choose(page, "severity", "medium")
        choose(page, "outcome", "not-collected", "accounts")
        wait(page, "location.hash.includes('accounts')")
        fragment = page.evaluate("location.hash")

    with opened(browser, file, fragment) as page:
        words = page.input_value("#findings-filters [name=q]")
        severity = page.input_value("#findings-filters [name=severity]")
        missed = count_shown(page, "accounts")
        page.click("a[href='#method']")
        still = page.input_value("#findings-filters [name=severity]")
        page.evaluate("location.hash = '#verdict=unknown'")
        wait(page, "document.querySelector('#findings-filters [name=verdict]').value !== ''")
        unknown = count_shown(page)

    assert (words, severity, missed, still) == ("late & <b>", "medium", 1, "medium")
    assert unknown == (runs["eventful"].findings()["verdict"] == "unknown").sum()


def test_csv_of_hostile_names_is_safe_to_open(browser, runs):
    """
    No cell begins as a formula does, and quotes do not end it.
    """
    with opened(browser, find_page(runs["hostile"])) as page:
        page.fill("#accounts-filters [name=q]", "HYPERLINK")
        shown = count_shown(page, "accounts")
        _, (header, *rows) = download(page, "accounts")

    assert shown == len(rows) > 2
    assert {len(row) for row in rows} == {len(header)}
    assert not [cell for row in rows for cell in row if re.match(r"\s*[=+\-@]", cell)]
    assert f"'{fixture.HOSTILE[0]}" in {row[header.index("name")] for row in rows}


def test_columns_sort_by_rank_and_not_by_letter(browser, runs):
    """
    Critical stands before high, days are numbers, and the header says how it is sorted.
    """
    run = runs["eventful"]
    with opened(browser, find_page(run)) as page:
        page.select_option("#findings .dt-length select", "100")
        first = page.locator("#findings-table td.severity").all_inner_texts()
        head = page.locator("#findings-table th.days_open")
        head.locator(".dt-column-order").focus()
        sorted_by = "document.querySelector('#findings-table th.days_open').ariaSort"
        page.keyboard.press("Enter")
        wait(page, f"{sorted_by} === 'ascending'")
        page.keyboard.press("Enter")
        wait(page, f"{sorted_by} === 'descending'")
        days = [
            int(text) for text in page.locator("#findings-table td.days_open").all_inner_texts()
        ]

    order = ["critical", "high", "medium", "low", "info"]
    assert first == sorted(first, key=order.index)
    assert len(set(first)) > 2
    assert days == sorted(days, reverse=True)
    assert len(set(days)) > 1


# ---- people


@pytest.mark.parametrize("world", WORLDS)
def test_axe_finds_no_violation_of_wcag(browser, runs, world):
    """
    WCAG 2.2 AA as far as a program can tell, with everything unfolded and a row in full, and both themes' colours.

    Of long tables the first rows are looked at: the others are made in the same way, and axe is slow.
    """
    with opened(browser, find_page(runs[world]), bypass_csp=True) as page:
        page.evaluate(
            "document.querySelectorAll('details').forEach((part) => { part.open = true; })"
        )
        if button := page.query_selector("#findings-table tbody button"):
            button.click()
        page.evaluate(
            "(rows) => document.querySelectorAll(rows).forEach((row) => row.remove())", MORE
        )
        page.evaluate(AXE.read_text())
        light = page.evaluate(
            "(tags) => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", RULES
        )
        page.emulate_media(color_scheme="dark")
        dark = page.evaluate(
            "axe.run(document, {runOnly: ['color-contrast'], resultTypes: ['violations']})"
        )

    assert len(light["passes"]) > 20
    assert [entry["id"] for entry in dark["passes"]] == ["color-contrast"]
    assert [
        (entry["id"], node["html"][:200], node["failureSummary"])
        for entry in [*light["violations"], *dark["violations"]]
        for node in entry["nodes"]
    ] == []


def test_the_theme_follows_the_system_until_somebody_chooses(browser, runs):
    """
    Also where nothing can be remembered: a viewer of mail may refuse storage.
    """
    refuse = (
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } });"
    )
    background = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, find_page(runs["clean"]), init=refuse, color_scheme="dark") as page:
        dark = page.evaluate(background)
        page.click("#theme")
        light = page.evaluate(background)
        pressed = page.get_attribute("#theme", "aria-pressed")

    assert (dark, light, pressed) == ("rgb(18, 22, 28)", "rgb(255, 255, 255)", "false")


def test_a_choice_of_theme_is_remembered(browser, runs):
    """
    Where storage is allowed.
    """
    with opened(browser, find_page(runs["clean"])) as page:
        page.click("#theme")

        remembered = page.evaluate("localStorage.getItem('orgproof-theme')")

    assert remembered == "dark"


def test_everything_is_reached_with_the_keyboard(browser, runs):
    """
    From the first key to a finding in full: skip the header, search, choose, open; and the focus is always seen.
    """
    with opened(browser, find_page(runs["eventful"])) as page:
        page.keyboard.press("Tab")
        skip = page.evaluate("document.activeElement.textContent")
        page.keyboard.press("Enter")
        visited = []
        for _ in range(200):
            page.keyboard.press("Tab")
            name, outline = page.evaluate(
                """() => { const now = document.activeElement; const style = getComputedStyle(now);
                    return [now.name || now.className || now.tagName, style.outlineStyle + ' ' + style.outlineWidth]; }"""
            )
            visited.append(name)
            assert outline != "none 0px", name
            if name == "q":
                page.keyboard.type("erin")
            if page.evaluate("document.activeElement.ariaExpanded") == "false":
                break
        page.keyboard.press("Enter")
        expanded = page.evaluate("document.activeElement.ariaExpanded")
        details = page.inner_text("#findings-table .details")

    assert skip == "Skip to the content"
    assert {"q", "verdict", "severity", "check", "ou_path", "account_id", "export"} <= set(visited)
    assert expanded == "true"
    assert "arn:aws:iam::111111111111:user/division/team/erin" in details


def test_changes_of_the_rows_are_announced(browser, runs):
    """
    A screen reader is told how many rows match, and what each field and table is.
    """
    with opened(browser, find_page(runs["eventful"])) as page:
        live = page.get_attribute("#findings .dt-info", "aria-live")
        field = page.get_by_label("Search").first.get_attribute("name")
        tables = page.get_by_role(
            "table", name=re.compile("^(Findings|Accounts|Root users)$")
        ).count()
        bars = page.evaluate(
            "[...document.querySelectorAll('svg.bar')].every((bar) => bar.role === 'img' && bar.querySelector('title').textContent)"
        )

    assert (live, field, tables, bars) == ("polite", "q", 3, True)


def test_buttons_that_turn_the_page_of_a_table_are_large_enough_to_hit(browser, runs):
    """
    Each is 32 pixels wide and high at least, and our style sees to it whatever the component's does.
    """
    with opened(browser, find_page(runs["hostile"])) as page:
        sizes = page.evaluate(
            """() => [...document.querySelectorAll('.dt-paging-button')].map((button) => {
                const box = button.getBoundingClientRect();
                const style = getComputedStyle(button);
                return [box.width, box.height, parseFloat(style.minWidth), parseFloat(style.minHeight)];
            })"""
        )

    assert len(sizes) > 12
    assert min(map(min, sizes)) >= 32


def test_every_rule_of_our_style_meets_an_element(browser, runs):
    """
    In one of the worlds at least, with a row in full or the other theme. One that meets none does not do what it says.
    """
    met: Counter[str] = Counter()
    for world in WORLDS:
        with opened(browser, find_page(runs[world])) as page:
            if world == "clean":
                page.click("#theme")
            if button := page.query_selector("#findings-table tbody button"):
                button.click()
            met.update(dict(page.evaluate(COUNT_MET)))

    assert len(met) > 100
    assert [words for words, number in met.items() if not number] == []


@pytest.mark.parametrize("width", [360, 1280])
def test_the_layout_holds(browser, runs, width):
    """
    Nothing runs out of the window or of its cell, however long a name is. Wide tables scroll inside their own frame.
    """
    with opened(
        browser, find_page(runs["hostile"]), viewport={"width": width, "height": 800}
    ) as page:
        page.evaluate(
            "document.querySelectorAll('details').forEach((part) => { part.open = true; })"
        )
        wide = page.evaluate("document.documentElement.scrollWidth")
        outside = page.evaluate(
            """() => [...document.querySelectorAll('main td, main th, main p, main dd, main dt, main h2, main label')]
                .filter((element) => element.clientWidth > 1 && element.scrollWidth > element.clientWidth + 1)
                .map((element) => element.outerHTML.slice(0, 200))"""
        )

    assert wide == width
    assert outside == []


def test_without_scripts_the_summary_stands_and_the_tables_say_why_not(browser, runs):
    """
    Many viewers of mail execute nothing.
    """
    run = runs["eventful"]
    with opened(browser, find_page(run), java_script_enabled=False) as page:
        text = page.inner_text("main")

    assert conclude(run.summary) in text
    assert "INCOMPLETE" in text
    assert text.count("This table needs scripts, and they are switched off here.") == 3


# ---- how it is made


def test_a_table_is_coded_without_loss():
    """
    Words once each, in the order in which they come, across batches; missing values are no word.
    """
    frames = [
        pd.DataFrame(
            {"id": ["a", "b"], "text": ["x", None], "number": pd.array([3, None], "Int64")}
        ),
        pd.DataFrame({"id": ["c"], "text": ["x"], "number": pd.array([-1], "Int64")}),
    ]

    coded = json.loads("".join(encode_table(["id", "text", "number"], frames)))

    assert coded == {
        "rows": 3,
        "columns": [
            {"name": "id", "words": ["a", "b", "c"]},
            {"name": "text", "words": ["x"], "codes": [0, -1, 0]},
            {"name": "number", "words": [3, -1], "codes": [0, -1, 1]},
        ],
    }


@pytest.mark.parametrize("limit", [1, 7, 20, 47, 48, 100])
def test_of_too_many_findings_the_most_urgent_are_held(runs, limit):
    """
    Exceptions before what could not be determined, critical ones first, in the table's order, and none twice.
    """
    run = runs["eventful"]

    held = pd.concat(select_urgent(run, limit))

    findings = run.findings()
    assert len(held) == min(limit, len(findings))
    places = [list(findings["finding_id"]).index(key) for key in held["finding_id"]]
    assert places == sorted(set(places))
    verdicts, severities = (
        ["fail", "unknown", "needs-review"],
        ["critical", "high", "medium", "low", "info"],
    )
    ranks = [
        (verdicts.index(verdict), severities.index(severity))
        for verdict, severity in zip(findings["verdict"], findings["severity"], strict=True)
    ]
    left_out = [rank for place, rank in enumerate(ranks) if place not in places]
    assert max(ranks[place] for place in places) <= min(left_out, default=(9, 9))


def test_a_page_that_cannot_hold_all_findings_says_so(runs, tmp_path, monkeypatch):
    """
    And where the others are.
    """
    monkeypatch.setattr("scanner.reports.page_content.FINDINGS_LIMIT", 10)

    [path] = FORMATS["html"](runs["eventful"], tmp_path)

    text = path.read_bytes().decode()
    assert "This page holds the 10 most urgent of 48 findings." in text
    data = re.search(r'id="findings-data">(.*?)</script>', text, re.DOTALL)
    assert data
    assert json.loads(data[1])["rows"] == 10


def test_bars_are_outlines_without_a_style():
    """
    A style attribute would be refused by the policy; parts of nothing are not drawn.
    """
    bars = draw_bars(
        [Bar("one", [("fail", 3), ("unknown", 0), ("accepted", 1)]), Bar("<b>", [("fail", 2)])]
    )

    assert [re.findall(r'class="part ([a-z-]+)"', bar) for bar in bars] == [
        ["fail", "accepted"],
        ["fail"],
    ]
    assert "<title>&lt;b&gt;</title>" in bars[1]
    assert not re.search(r"style|id=|<use|url\(", "".join(bars))
    widths = [max(float(x) for x in re.findall(r"[ML] ([\d.]+) ", bar)) for bar in bars]
    assert widths == [400, 200]


def test_bars_of_nothing_are_empty():
    """
    A run without findings has bars without parts.
    """
    assert "<path" not in "".join(draw_bars([Bar("none", [("fail", 0)])]))


def test_no_verdict_is_shown_in_the_words_of_the_table(browser, runs):
    """
    People read "exception noted", and never "pass" or "fail".
    """
    with opened(browser, find_page(runs["eventful"])) as page:
        page.select_option("#findings .dt-length select", "100")
        shown = set(page.locator("td.verdict").all_inner_texts())

    assert shown <= {VERDICTS[verdict] for verdict in Verdict}
    assert len(shown) == 3
