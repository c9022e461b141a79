"""
The PDF as a container: what PDF/A-3 asks for and WeasyPrint leaves undone, set right before it is written.

Works on WeasyPrint's own objects, in its `finisher` hook. What it relies on there is checked by tests of
the finished file, with another library.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scanner.errors import RenderError
from scanner.reports.text import JOINERS

if TYPE_CHECKING:  # it brings pandas along, which a process that prints one volume need not start
    from scanner.reports.attachments import Attached

LEVELS = ("a", "b")
"""
The levels of PDF/A-3 that a document can have: with every sign told as text, else without that.
"""

SHIPPED_FONT = "Source Sans Pro"
"""
The family that orgproof brings along. Fonts of any other name come from the system.
"""

SHIPPED_FONTS = tuple(f"SourceSansPro-{weight}.ttf" for weight in ("Regular", "Semibold", "Bold"))
"""
The font files of the package font-source-sans-pro that documents use.
"""


class Finisher:
    """
    Sets a printed document right, and notes what its fonts could not show. See `weasyprint.HTML.write_pdf`.

    `unseen` holds the characters that no font can show as PDF/A wants it: they would be boxes, or pictures in
    colour. `is_readable` is false where a sign on a page cannot be told as text, which level A asks for.
    """

    def __init__(self, attached: Sequence["Attached"]) -> None:
        self._attached = attached
        self.unseen: frozenset[str] = frozenset()
        self.is_readable = True

    def __call__(self, document: Any, pdf: Any) -> None:  # noqa: ANN401 - WeasyPrint has no types
        """
        Set the document right, or raise `RenderError`.
        """
        fonts = list(document.fonts.values())
        if SHIPPED_FONT not in {font.family for font in fonts}:
            raise RenderError(
                f"the PDF: the font {SHIPPED_FONT} was not used; is the package font-source-sans-pro whole?"
            )
        self.unseen = frozenset(char for font in fonts for char in _list_unseen(font))
        # The parts of a letter with accents are signs of their own in some fonts, and only the first is text.
        self.is_readable = all(text for font in fonts for text in font.to_unicode.values())
        _check_attachments(pdf, self._attached)
        _name_associated_files(pdf)
        _set_scopes(pdf)
        _part_with_margins(pdf)


def _list_unseen(font: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """
    Yield the characters that a font lacks, or has as pictures: WeasyPrint 70 gives those a wrong width.
    """
    yield from map(chr, font.missing)
    if font.png or font.svg or font.colr or font.bitmap:
        # A digit can be part of a picture. It is text again once the rest is gone.
        texts = "".join(font.to_unicode.values())
        yield from (char for char in texts if not char.isascii() and char not in JOINERS)


def _check_attachments(pdf: Any, attached: Sequence["Attached"]) -> None:  # noqa: ANN401 - as above
    """
    Raise `RenderError` unless exactly these files are inside: WeasyPrint only logs one that it cannot read.
    """
    inside = {}
    for entry in _list_dictionaries(pdf, "/Filespec"):
        stream = _follow(pdf, entry["EF"]["F"])
        inside[entry["UF"].string] = (
            b"".join(stream.stream),
            stream.extra["Subtype"],
            entry["AFRelationship"],
        )
    due = {
        file.name: (
            file.content,
            f"/{file.kind.replace('/', '#2f')}",
            f"/{file.relationship}",
        )
        for file in attached
    }
    if inside != due:
        differing = sorted(
            name for name in inside.keys() | due.keys() if inside.get(name) != due.get(name)
        )
        raise RenderError(f"the PDF: {', '.join(differing)} could not be attached; report this")


def _name_associated_files(pdf: Any) -> None:  # noqa: ANN401 - as above
    """
    List each attachment once: WeasyPrint 70 lists it as an attachment and again as a file specification.
    """
    if "AF" in pdf.catalog:
        pdf.catalog["AF"][:] = dict.fromkeys(pdf.catalog["AF"])


def _set_scopes(pdf: Any) -> None:  # noqa: ANN401 - as above
    """
    Say of each header cell whether it heads a column or a row: in the head of a table columns, else rows.

    Where a row has several headers, WeasyPrint gives each cell all of them. It is headed by the one before it.
    """
    for row in _list_elements(pdf, "/TR"):
        is_head = _follow(pdf, row["P"])["S"] == "/THead"
        cells = [cell for cell in _list_kids(pdf, row) if cell["S"] in {"/TH", "/TD"}]
        headers = [cell for cell in cells if cell["S"] == "/TH"]
        for header in headers:
            header["A"]["Scope"] = "/Column" if is_head else "/Row"
        if len(headers) > 1 and not is_head:
            _head_by_nearest(cells)


def _head_by_nearest(cells: Sequence[Any]) -> None:
    nearest: list[Any] = []
    for cell in cells:
        if cell["S"] == "/TH":
            nearest = [cell["ID"]]
        elif "Headers" in cell["A"]:
            cell["A"]["Headers"][:] = nearest


def _part_with_margins(pdf: Any) -> None:  # noqa: ANN401 - as above
    """
    Mark what stands above and below each page as artifacts, which a reader aloud skips.

    WeasyPrint 70 gives them structure elements that hang in no tree, which ISO 32000-1 knows nothing of.
    """
    in_tree = {id(element) for element in _walk(pdf, _follow(pdf, pdf.catalog["StructTreeRoot"]))}
    parents = _follow(pdf, _follow(pdf, pdf.catalog["StructTreeRoot"])["ParentTree"])["Nums"]
    pages = {reference: index for index, reference in enumerate(pdf.page_references)}
    for element in _list_elements(pdf):
        if id(element) in in_tree:
            continue
        page = pages[element["Pg"]]
        content = _follow(pdf, _follow(pdf, element["Pg"])["Contents"]).stream
        for number in (kid for kid in element["K"] if isinstance(kid, int)):
            _make_artifact(content, number)
            parents[2 * page + 1][number] = "null"
        element.clear()


def _make_artifact(content: list[Any], number: int) -> None:
    for position, token in enumerate(content):
        if isinstance(token, dict) and token.get("MCID") == number:
            content[position - 1] = "/Artifact"
            token.clear()
            token["Type"] = "/Pagination"
            return


def _walk(pdf: Any, element: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    waiting = [element]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += _list_kids(pdf, current)


def _list_kids(pdf: Any, element: Any) -> list[Any]:  # noqa: ANN401 - as above
    """
    Return what stands below a structure element. Text on the page is a number there, and left out.
    """
    return [_follow(pdf, kid) for kid in element.get("K", ()) if isinstance(kid, bytes)]


def _list_elements(pdf: Any, kind: str | None = None) -> Iterator[Any]:  # noqa: ANN401 - as above
    for element in _list_dictionaries(pdf, "/StructElem"):
        if kind is None or element["S"] == kind:
            yield element


def _list_dictionaries(pdf: Any, kind: str) -> Iterator[Any]:  # noqa: ANN401 - as above
    for entry in pdf.objects:
        if isinstance(entry, dict) and entry.get("Type") == kind:
            yield entry


def _follow(pdf: Any, reference: Any) -> Any:  # noqa: ANN401 - as above
    """
    Return the object that a reference such as `12 0 R` names.
    """
    return pdf.objects[int(reference.split()[0])]
