import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.reports.text import CELL_LIMIT, fit_cell, guard_formula, make_visible

ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_no_character_that_acts_survives(text):
    """
    Whatever a name holds, no control, direction mark, line separator or surrogate is left in it.
    """
    shown = make_visible(text)

    left = {char for char in shown if unicodedata.category(char) in ACTING}
    assert left <= set("\u200c\u200d")


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_what_was_made_visible_stays_as_it_is(text):
    """
    Making a text visible twice changes nothing more, so two layers may both do it.
    """
    shown = make_visible(text)

    assert make_visible(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", "one[U+000A]two"),
        ("one\r\ntwo", "one[U+000D][U+000A]two"),
        ("tab\tnul\x00esc\x1b[31m", "tab[U+0009]nul[U+0000]esc[U+001B][31m"),
        ("del\x7f c1\x9b", "del[U+007F] c1[U+009B]"),
        ("pay\u202egpj.exe", "pay[U+202E]gpj.exe"),
        ("\u2066a\u2069\u200f", "[U+2066]a[U+2069][U+200F]"),
        ("zero\u200bwidth\ufeff", "zero[U+200B]width[U+FEFF]"),
        ("line\u2028para\u2029", "line[U+2028]para[U+2029]"),
        ("lone\ud83dsurrogate", "lone[U+D83D]surrogate"),
        ("no\ufffecharacter\uffff", "no[U+FFFE]character[U+FFFF]"),
        ("z" + "\u0301" * 40, "z" + "\u0301" * 4 + "[36 more accents]"),
    ],
)
def test_a_character_that_acts_is_replaced_by_what_it_is(text, shown):
    """
    Each is replaced by its code, so that nobody mistakes the name for another.
    """
    assert make_visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "payments-prod",
        "Tiếng Việt",
        "חשבון הדפעה",
        "الدفع",
        "支払い",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "👩\u200d💻 team",
        "wide\u3000space\u00a0here",
        "<img src=x onerror=alert(1)>",
        "{{7*7}}",
    ],
)
def test_ordinary_names_of_any_script_are_kept(text):
    """
    Letters, marks and emoji of living scripts stay exactly as they are; so does markup, as text.
    """
    assert make_visible(text) == text


@pytest.mark.parametrize("start", [*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"])
@pytest.mark.parametrize("before", ["", " ", "   ", "\u00a0", "\n "])
def test_text_that_a_spreadsheet_would_compute_is_guarded(start, before):
    """
    A formula's first character is guarded, also behind blanks and in its full-width form.
    """
    assert guard_formula(f"{before}{start}1+1").startswith("'")


@pytest.mark.parametrize("text", ["", "alice", "a=b", "1+1", "arn:aws:iam::1:user/=x", "'=x", " "])
def test_other_text_is_not_guarded(text):
    """
    A guard changes the value, so it stands only where it must.
    """
    assert guard_formula(text) == text


@pytest.mark.parametrize("text", ["_x202E_exe", "a_x000D_b", "_x003D_1+1"])
def test_a_code_that_excel_would_decode_is_escaped(text):
    """
    In a workbook `_x202E_` is a direction mark again, unless its first underscore is escaped.
    """
    assert "_x005F_x" in fit_cell(text)
    assert fit_cell("x_x12_y_xyz") == "x_x12_y_xyz"


def test_a_text_too_long_for_a_cell_is_cut_and_says_so():
    """
    On its own openpyxl would cut at 32,767 characters without a word.
    """
    cell = fit_cell("x" * 40_000)

    assert len(cell) < 32_767
    assert cell.endswith("(cut here; the JSON document holds the whole text)")
    assert fit_cell("x" * CELL_LIMIT) == "x" * CELL_LIMIT
