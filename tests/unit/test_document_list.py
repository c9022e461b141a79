"""
The list of a run's documents, and how documents drawn again compare with it.
"""

from pathlib import Path

import pytest
from run_folder import Folder

from scanner.errors import EvidenceError
from scanner.evidence.documents import (
    clear_documents,
    compare_documents,
    list_documents,
    write_documents,
)
from scanner.evidence.store import write_file

THEN = {"weasyprint": "70.0", "openpyxl": "3.1.5", "font Noto Sans CJK": "2.004"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """
    Make a run with two documents and their list.
    """
    folder = Folder(tmp_path).fill().finish().folder
    documents = [folder / "reports" / "a.pdf", folder / "reports" / "b.csv"]
    for path in documents:
        write_file(path, b"drawn")
    write_documents(folder, list_documents(folder, documents, THEN))
    return folder


def draw(folder: Path, name: str, content: bytes) -> Path:
    """
    Draw a document again.
    """
    path = folder / "derived" / "now" / name
    write_file(path, content)
    return path


def no_difference(_old: Path, _new: Path) -> None:
    """
    Find equal content.
    """


def a_difference(_old: Path, _new: Path) -> str:
    """
    Find another number.
    """
    return "page 2 says 7, not 8"


def test_the_same_bytes_are_the_same(run):
    """
    And nobody looks at their content.
    """
    drawn = [draw(run, name, b"drawn") for name in ("a.pdf", "b.csv")]

    compared = compare_documents(run, drawn, THEN, a_difference)

    assert compared.is_same
    assert (compared.differences, compared.tools) == ((), ())


def test_other_bytes_of_equal_content_say_so(run):
    """
    With what they were made with then and now.
    """
    now = {**THEN, "weasyprint": "71.0"}

    compared = compare_documents(run, [draw(run, "a.pdf", b"other")], now, no_difference)

    assert not compared.is_same
    assert compared.differences == ("a.pdf: equal content in other bytes",)
    assert compared.tools == ("weasyprint 70.0 then, 71.0 now",)


def test_other_content_says_what_differs(run):
    """
    In the words of whoever compared it.
    """
    compared = compare_documents(run, [draw(run, "b.csv", b"other")], THEN, a_difference)

    assert compared.differences == ("b.csv: page 2 says 7, not 8",)


def test_a_signature_is_no_difference(run):
    """
    A signed PDF is what was drawn, and something after it that changes no content.
    """
    (run / "reports" / "a.pdf").write_bytes(b"drawn and signed")

    assert compare_documents(run, [draw(run, "a.pdf", b"drawn")], THEN, no_difference).is_same


def test_what_is_appended_to_a_pdf_may_change_it(run):
    """
    So its content is compared all the same.
    """
    (run / "reports" / "a.pdf").write_bytes(b"drawn and changed")

    compared = compare_documents(run, [draw(run, "a.pdf", b"drawn")], THEN, a_difference)

    assert compared.differences == ("a.pdf: page 2 says 7, not 8",)


def test_rows_appended_to_a_table_are_no_signature(run):
    """
    Only a PDF is signed by appending to it.
    """
    (run / "reports" / "b.csv").write_bytes(b"drawn and more")

    assert not compare_documents(run, [draw(run, "b.csv", b"drawn")], THEN, no_difference).is_same


def test_a_document_that_was_not_listed_is_compared_with_nothing(run):
    """
    Not even with a file of its name that lies there.
    """
    write_file(run / "reports" / "c.csv", b"drawn")

    compared = compare_documents(run, [draw(run, "c.csv", b"drawn")], THEN, no_difference)

    assert compared.differences == ("c.csv: was not drawn then",)


def test_a_font_that_only_one_of_them_needed_is_no_other_version(run):
    """
    A CSV drawn again needs no fonts, and that is no difference.
    """
    now = {"openpyxl": "3.1.5"}

    assert compare_documents(run, [draw(run, "b.csv", b"drawn")], now, no_difference).tools == ()


def test_listed_documents_are_never_cleared_away(run):
    """
    They may have been handed over.
    """
    with pytest.raises(EvidenceError, match="written once"):
        clear_documents(run)
    assert (run / "reports" / "a.pdf").exists()
