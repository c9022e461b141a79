"""
The PDF for auditors: an HTML document that only WeasyPrint sees, printed to A4 as PDF/A-3.

Names from AWS pass through Jinja's escaping as values and are never part of a template. The only
files that a document can draw on are the ones named here; anything else stops the rendering.
"""

import logging
import os
import re
import unicodedata
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydyf
import weasyprint
from font_source_sans_pro import font_directory
from fontTools.ttLib import TTFont
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from scanner.errors import RenderError
from scanner.reports.container import LEVELS, SHIPPED_FONTS, Finisher
from scanner.reports.text import make_visible
from scanner.resources import find_resource

# A process that prints one volume needs nothing of the evidence, nor pandas, which takes a second to start.
if TYPE_CHECKING:
    from scanner.evidence import StoredRun
    from scanner.interfaces import PdfSigner
    from scanner.reports.attachments import Attached

_SCHEME = "orgproof:"
_PRIVATE = "Co"
_PRINTINGS = 4
_WORDS = re.compile(r"[^\s<>]+")
_WORDS_TRIED = 1_000


@dataclass(frozen=True, slots=True)
class Printed:
    """
    A printed document, and what its fonts could not show. See `scanner.reports.container.Finisher`.
    """

    content: bytes
    unseen: frozenset[str] = frozenset()
    is_readable: bool = True


def render_pdf(
    run: "StoredRun",
    folder: Path,
    sign: "PdfSigner | None" = None,
    *,
    processes: int | None = None,
) -> list[Path]:
    """
    Write `orgproof-<period>.pdf` and its annex volumes, signed by `sign` where it is given. See `Renderer`.

    The volumes are printed in as many processes as are worth their start, unless `processes` says how many; with 0
    in this one, one after another. The bytes do not depend on it.
    """
    from scanner.reports.volumes import render_documents  # noqa: PLC0415 - see above

    return render_documents(run, folder, sign, processes=processes)


def print_document(
    template: str,
    values: Mapping[str, Any],
    *,
    identifier: str,
    moment: datetime,
    attached: Sequence["Attached"] = (),
) -> bytes:
    """
    Fill a template and print it until it is what it says it is, or raise `RenderError`.

    `identifier` tells documents apart that are printed with the same `moment`: it becomes the PDF's own id.
    """
    printing = partial(print_html, identifier=identifier, moment=moment)

    def print_as(level: str, unseen: Collection[str]) -> Printed:
        html = fill_template({**values, "level": level}, unseen, template)
        return printing(html, attached=attached, level=level)

    return settle(print_as, try_out(fill_template(values, template=template), printing))


def try_out(html: str, printing: Callable[[str], Printed]) -> Printed:
    """
    Print what is unusual in a document alone, which is quick, and return what came of it.
    """
    covered = TTFont(Path(font_directory) / SHIPPED_FONTS[0]).getBestCmap()
    chars = {char for char in set(html) if ord(char) not in covered and char.isprintable()}
    # What becomes of an accent depends on its letter.
    accents = {char for char in set(html) if unicodedata.combining(char)}
    words = {word for word in _WORDS.findall(html) if not accents.isdisjoint(word)}
    strange = [*sorted(chars - accents), *sorted(words)[:_WORDS_TRIED]]
    if not strange:
        return Printed(b"")
    return printing(
        '<!DOCTYPE html><html lang="en"><link rel="stylesheet" href="orgproof:report.css">'
        f"<body><p>Here: {escape(' '.join(strange))}</p></body></html>"
    )


def settle(print_as: Callable[[str, Collection[str]], Printed], tried: Printed) -> bytes:
    """
    Print until the document is what it says it is, and return it. `tried` is what is known from trying.

    A character that no font here has would be a box, which PDF/A forbids, and so are letters that are pictures:
    their codes are printed instead. Where a sign cannot be told as text, the document says level b of itself,
    not a. A second printing is needed only for what was not foreseen.
    """
    unseen = tried.unseen
    level, lesser = LEVELS
    if not (tried.is_readable or unseen):
        level = lesser
    for _ in range(_PRINTINGS):
        printed = print_as(level, unseen)
        if printed.unseen:
            unseen |= printed.unseen
        elif level != lesser and not printed.is_readable:
            level = lesser
        else:
            return printed.content
    raise RenderError(
        f"the PDF: no font has the character U+{ord(min(unseen)):04X}; report this, for a code should stand for it"
    )


def fill_template(
    pages: Mapping[str, Any],
    unseen: Collection[str] = frozenset(),
    template: str = "report.html",
) -> str:
    """
    Fill a template, the report's unless another is named, with values, each made visible and escaped.

    For the characters in `unseen`, which no font has, their codes are printed.
    """
    codes = str.maketrans({char: f"[U+{ord(char):04X}]" for char in unseen})

    def finalize(value: object) -> object:
        if isinstance(value, str) and not isinstance(value, Markup):
            return _show_private(make_visible(value)).translate(codes)
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{value:,}"
        return value

    environment = Environment(
        loader=FileSystemLoader(find_resource("report_templates")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(pages)


def _show_private(text: str) -> str:
    """
    Replace each private character by its code: what it means, no reader can tell, and level A asks for that.
    """
    if text.isascii():
        return text
    return "".join(
        f"[U+{ord(char):04X}]" if unicodedata.category(char) == _PRIVATE else char for char in text
    )


def print_html(
    html: str,
    *,
    identifier: str,
    moment: datetime,
    attached: Sequence["Attached"] = (),
    level: str = LEVELS[0],
) -> Printed:
    """
    Print a filled template to PDF, or raise `RenderError`. Equal input gives equal bytes.
    """
    finisher = Finisher(attached)
    fetcher = AttachedFiles(attached)
    attachments = [
        weasyprint.Attachment(
            url=f"{_SCHEME}{file.name}",
            url_fetcher=fetcher,
            name=file.name,
            description=file.description,
            relationship=file.relationship,
            created=moment,
            modified=moment,
        )
        for file in attached
    ]
    complaints = _Complaints()
    try:
        with _steady(moment), _quick_pages(), complaints.heard(), warnings.catch_warnings():
            # WeasyPrint 70 leaves its colour profile to the garbage collector, which complains.
            warnings.filterwarnings("ignore", category=ResourceWarning)
            document = weasyprint.HTML(string=html, base_url=_SCHEME, url_fetcher=ShippedFiles())
            content: bytes = document.write_pdf(
                finisher=finisher,
                pdf_identifier=bytes.fromhex(identifier)[:16],
                pdf_variant=f"pdf/a-3{level}",
                pdf_tags=True,
                font_config=FontConfiguration(),
                attachments=attachments,
            )
    except FatalURLFetchingError as exc:
        raise RenderError(f"the PDF: {exc}") from exc
    if complaints.errors:
        raise RenderError(f"the PDF: {complaints.errors[0]}; report this")
    return Printed(content, finisher.unseen, finisher.is_readable)


class _Complaints(logging.Handler):
    """
    Keeps what WeasyPrint only logs: it goes on without a file, an anchor or a language that is missing.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """
        Keep one message. See `logging.Handler.emit`.
        """
        self.errors.append(make_visible(record.getMessage())[:200])

    @contextmanager
    def heard(self) -> Iterator[None]:
        """
        Listen while the block runs.
        """
        logger = logging.getLogger("weasyprint")
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)


@contextmanager
def _steady(moment: datetime) -> Iterator[None]:
    """
    Tell the libraries that date what they write which moment it is: the evidence's, whoever runs this.

    fontTools puts the time into a font that it changes, unless this variable says another.
    """
    name = "SOURCE_DATE_EPOCH"
    before = os.environ.get(name)
    os.environ[name] = str(int(moment.timestamp()))
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _quick_pages() -> Iterator[None]:
    """
    Remember a PDF's list of pages while the block runs.

    pydyf 0.12 makes it anew whenever it is asked for, and WeasyPrint asks for it with each element of the structure
    tree: on a hundred pages that is a tenth of all work. The bytes are the same.
    """
    slow = pydyf.PDF.page_references

    known: dict[tuple[int, int], tuple[bytes, ...]] = {}

    def quick(pdf: Any) -> tuple[bytes, ...]:  # noqa: ANN401 - pydyf has no types
        key = (id(pdf), len(pdf.pages["Kids"]))
        if key not in known:
            known[key] = slow.__get__(pdf)
        return known[key]

    pydyf.PDF.page_references = property(quick)
    try:
        yield
    finally:
        pydyf.PDF.page_references = slow


class ShippedFiles(URLFetcher):  # type: ignore[misc] # WeasyPrint has no types
    """
    Serves the style sheet and the fonts that ship with orgproof, and refuses everything else.

    WeasyPrint's own fetcher reads any file and any web address that a document names. Exceptions of
    other kinds than `FatalURLFetchingError` are only logged, and the rendering goes on.
    """

    def __init__(self) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False)

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:  # noqa: ARG002 - WeasyPrint's signature
        """
        Return one of the shipped files. See `weasyprint.URLFetcher.fetch`.
        """
        name = url.removeprefix(_SCHEME)
        if name == "report.css":
            path, kind = find_resource("report_templates/report.css"), "text/css"
        elif name in SHIPPED_FONTS:
            path, kind = Path(font_directory) / name, "font/ttf"
        else:
            raise FatalURLFetchingError(
                f"the document asks for {make_visible(url)[:200]}; report this, for a name must never cause it"
            )
        try:
            content = path.read_bytes()
        except OSError as exc:
            raise FatalURLFetchingError(
                f"{path}: cannot be read: {exc.strerror}; install orgproof again"
            ) from exc
        return URLFetcherResponse(url, content, {"Content-Type": kind})


class AttachedFiles(URLFetcher):  # type: ignore[misc] # as above
    """
    Serves the files to put inside the PDF, each with its kind, and nothing else.
    """

    def __init__(self, attached: Sequence["Attached"]) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False)
        self._attached = {f"{_SCHEME}{file.name}": file for file in attached}

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:  # noqa: ARG002 - as above
        """
        Return one of the files. See `weasyprint.URLFetcher.fetch`.
        """
        file = self._attached[url]
        return URLFetcherResponse(url, file.content, {"Content-Type": file.kind})
