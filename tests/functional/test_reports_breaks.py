"""
Where pages of the PDF end: the style sheet is tried out with tables that begin at every height near a page's foot.
"""

import io
import re

import pypdf
import pytest
import reports_fixture as fixture

from scanner.reports.pdf import print_html

HEIGHTS = range(560, 720, 9)
"""
How far down the page, in points, a table is begun. A row is about 15 points high.
"""

HEAD = '<html lang="en"><head><title>t</title><link rel="stylesheet" href="orgproof:report.css"></head><body>'
PERSON = """
<tbody>{account}
<tr class="who" data-continued="continued-{number}"><td colspan="3"><strong>person-{number}-{nth}</strong><br>facts</td></tr>
<tr data-continued="continued-{number}"><td class="check">check</td><td>finding-{number}-{nth}</td><td>noted</td></tr>
</tbody>
"""
ACCOUNT = '<tr class="whose"><td colspan="3">account-{number}</td></tr>'


def read_words(body):
    """
    Print and return the words of each page.
    """
    html = f"{HEAD}{body}</body></html>"
    printed = print_html(html, identifier="ab" * 32, moment=fixture.FINISHED)
    pages = pypdf.PdfReader(io.BytesIO(printed.content)).pages
    return [set(re.findall(r"[a-z]+-\d+(?:-\d+)?", page.extract_text())) for page in pages]


def begin(height):
    """
    Begin a page as a chapter does, and leave this much of it empty.
    """
    flat = "font-size: 0; line-height: 0; margin: 0; padding: 0; border: 0"
    return (
        f'<section class="chapter"><h1 style="{flat}"></h1><div style="height: {height}pt"></div>'
    )


@pytest.fixture(scope="module")
def people():
    body = ""
    for number, height in enumerate(HEIGHTS):
        rows = "".join(
            PERSON.format(
                account=ACCOUNT.format(number=number) if nth == 0 else "", number=number, nth=nth
            )
            for nth in range(3)
        )
        head = "<thead><tr><th>Check</th><th>Evidence</th><th>Result</th></tr></thead>"
        body += f'{begin(height)}<table class="people">{head}{rows}</table></section>'
    return read_words(body)


def test_no_page_ends_with_a_name_and_goes_on_with_what_was_found(people):
    """
    Account, person and first finding stand on one page, for the first person of a table too.
    """
    for number in range(len(HEIGHTS)):
        for nth in range(3):
            (named,) = (page for page in people if f"person-{number}-{nth}" in page)
            assert f"finding-{number}-{nth}" in named, (number, nth)
        (headed,) = (page for page in people if f"account-{number}" in page)
        assert f"person-{number}-0" in headed, number


def test_a_page_is_headed_by_the_account_that_goes_on_and_by_no_other(people):
    """
    A page that begins with the account's own line needs no other, and a new chapter is about no account.
    """
    begun = continued = 0
    for page in people:
        named = {word.partition("-")[2] for word in page if word.startswith("account-")}
        found = {word.split("-")[1] for word in page if word.startswith("person-")}
        said = {word.partition("-")[2] for word in page if word.startswith("continued-")}
        assert said == found - named, page
        begun += any(f"person-{number}-2" in page for number in named)
        continued += len(said)
    assert begun > 3
    assert continued > 3


def test_the_last_person_of_a_table_is_not_alone_on_a_page(people):
    """
    The one before goes along.
    """
    assert any(
        f"person-{n}-0" in page and f"person-{n}-2" not in page for n in range(9) for page in people
    )
    for number in range(len(HEIGHTS)):
        (last,) = (page for page in people if f"person-{number}-2" in page)
        assert f"person-{number}-1" in last, number


@pytest.mark.parametrize("kind", ["roots", "tallies", "annex", "changes", "moves"])
def test_the_last_rows_of_a_table_stay_together(kind):
    """
    A page that begins with the rest of a table has more than a row or two of it, and the note below it.
    """
    head = "<thead><tr><th>Account</th></tr></thead>"
    body = ""
    for number, height in enumerate(HEIGHTS):
        rows = "".join(f"<tr><td>row-{number}-{nth}</td></tr>" for nth in range(8))
        table = f'<table class="{kind}">{head}<tbody>{rows}</tbody></table>'
        body += f'{begin(height)}{table}<p class="note">note-{number}</p></section>'

    pages = read_words(body)

    for number in range(len(HEIGHTS)):
        (last,) = (page for page in pages if f"row-{number}-7" in page)
        assert {f"row-{number}-{nth}" for nth in range(3, 8)} <= last, number
        assert f"note-{number}" in last, number
