"""
The PDF for auditors: an HTML document that only WeasyPrint sees, printed to A4.

Names from AWS pass through Jinja's escaping as values and are never part of a template. The only
files that a document can draw on are the ones named here; anything else stops the rendering.
"""

from pathlib import Path
from typing import Any

import weasyprint
from font_source_sans_pro import font_directory
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.reports.naming import claim, name_document
from scanner.reports.pages import build_pages
from scanner.reports.text import make_visible
from scanner.resources import find_resource

_SCHEME = "orgproof:"
_FONTS = frozenset(f"SourceSansPro-{weight}.ttf" for weight in ("Regular", "Semibold", "Bold"))


def render_pdf(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write `orgproof-<period>.pdf`. See `Renderer`.
    """
    path = claim(folder / name_document(run.summary, "pdf"))
    html = fill_template(build_pages(run))
    content = print_html(html, identifier=run.manifest_sha256)
    with create_file(path) as file:
        file.write(content)
    return [path]


def fill_template(pages: dict[str, Any]) -> str:
    """
    Fill the report's template with values, each made visible and escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(find_resource("report_templates")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(pages)


def print_html(html: str, *, identifier: str) -> bytes:
    """
    Print a filled template to PDF, or raise `RenderError`. Equal input gives equal bytes.
    """
    try:
        fetcher = ShippedFiles()
        document = weasyprint.HTML(string=html, base_url=_SCHEME, url_fetcher=fetcher)
        content: bytes = document.write_pdf(
            pdf_identifier=bytes.fromhex(identifier)[:16],
            pdf_tags=True,
            font_config=FontConfiguration(),
        )
    except FatalURLFetchingError as exc:
        raise RenderError(f"the PDF: {exc}; report this, for a name must never cause it") from exc
    return content


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
            content, kind = find_resource("report_templates/report.css").read_bytes(), "text/css"
        elif name in _FONTS:
            content, kind = (Path(font_directory) / name).read_bytes(), "font/ttf"
        else:
            raise FatalURLFetchingError(f"the document asks for {make_visible(url)[:200]}")
        return URLFetcherResponse(url, content, {"Content-Type": kind})


def _finalize(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return make_visible(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value
