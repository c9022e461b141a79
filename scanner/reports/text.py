"""
Text that came from the people being audited, made fit to print: always text, always visible.

Account, OU and user names, ARNs and tags may hold formulas, line breaks, control characters and
direction marks. Nothing is dropped in silence: what cannot be shown is replaced by a visible sign.
The exact values are in the tables and in the JSON document.
"""

import re
import unicodedata
from itertools import accumulate, groupby, takewhile

CELL_LIMIT = 16_000
"""
Excel keeps 32,767 characters of a cell and counts emoji twice; openpyxl cuts there without a word.
"""

_PILE_LIMIT = 4
"""
How many accents one letter may carry: more than any living script needs.
"""

ELLIPSIS = "\u2026"
"""
What stands in a name where it was shortened.
"""

_CUT = " (cut here; the JSON document holds the whole text)"

JOINERS = frozenset("\u200c\u200d")
"""
Invisible, and kept: without these two, Persian and many emoji fall apart. They reorder nothing.
"""

# Spaces of other widths, private use, and characters newer than this Python: odd, but harmless.
_KEPT_CATEGORIES = frozenset({"Zs", "Co", "Cn"})

# The full-width signs start formulas in some East Asian versions of Excel.
_FORMULA = re.compile("\\s*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]")

_CODE_IN_CELL = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


def make_visible(text: str) -> str:
    """
    Replace each character that would act instead of being seen by a sign that stands for it.

    Line breaks, control characters, direction marks, invisible characters and lone surrogates become
    their code in brackets, such as `[U+202E]`. Accents piled on one letter, which would be drawn over
    the lines above and below, become their number.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _show_accents("".join(chars)) if are_accents else "".join(map(_show_char, chars))
        for are_accents, chars in groupby(text, key=_is_accent)
    )


def guard_formula(text: str) -> str:
    """
    Put an apostrophe before text that a spreadsheet would take for a formula when it opens a CSV file.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def fit_cell(text: str) -> str:
    """
    Make text fit a cell of a workbook: cut where it is too long, and say so; escape what would act.

    Excel reads `_x202E_` in a cell as the character of that code (ECMA-376, ST_Xstring), so that a
    name could bring back a direction mark that was made visible.
    """
    fitted = text if len(text) <= CELL_LIMIT else text[:CELL_LIMIT] + _CUT
    return _CODE_IN_CELL.sub("_x005F_", fitted)


def shorten(name: str, limit: int) -> str:
    """
    Return a name's beginning and end where it is wider than so many small letters.
    """
    shown = make_visible(name)
    if sum(map(_measure, shown)) <= limit:
        return shown
    return f"{_take(shown, limit / 2)}{ELLIPSIS}{_take(shown[::-1], limit / 2)[::-1]}"


def _take(text: str, width: float) -> str:
    """
    Return as many of a text's first characters as fit.
    """
    widths = accumulate(map(_measure, text))
    return text[: sum(1 for reached in takewhile(lambda reached: reached <= width, widths))]


def _measure(char: str) -> float:
    """
    Return about how wide a character is, in small letters.
    """
    return 1.0 if char.isascii() and not char.isupper() else 1.9


def _is_accent(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def _show_accents(accents: str) -> str:
    more = len(accents) - _PILE_LIMIT
    return f"{accents[:_PILE_LIMIT]}[{more} more accents]" if more > 0 else accents


def _show_char(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    is_kept = char in JOINERS or unicodedata.category(char) in _KEPT_CATEGORIES
    # U+xFFFE and U+xFFFF are no characters at all, and XML refuses them.
    if is_kept and code & 0xFFFE != 0xFFFE:
        return char
    return f"[U+{code:04X}]"
