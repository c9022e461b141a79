"""
The page that a manager opens: one HTML file that needs nothing else and asks nobody for anything.

Its policy allows the scripts and styles inside it, by their hashes, and nothing more: no request, no form, no
other script, whatever a name in the evidence says. Names stand in the page as escaped text, or in blocks of JSON
that scripts read and show as text.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scanner.errors import RenderError
from scanner.evidence import StoredRun
from scanner.evidence.store import create_file, read_file
from scanner.reports.naming import claim, name_document
from scanner.reports.page_content import build_content
from scanner.reports.text import make_visible
from scanner.reports.wording import list_notices
from scanner.resources import find_resource

_GRID = "itables"
"""
The package that ships DataTables, the grid, with jQuery and all else that it needs, as one script.
"""

_ENDS_ELEMENT = re.compile(
    r"</(?:script|style)[\s/>]|<!--.*<script[\s/>]", re.IGNORECASE | re.DOTALL
)


def render_page(run: StoredRun, folder: Path) -> list[Path]:
    """
    Write `orgproof-<period>.html`. See `Renderer`.
    """
    path = claim(folder / name_document(run.summary, "html"))
    with create_file(path) as file:
        for part in fill_page(run):
            file.write(part.encode())
    return [path]


def fill_page(run: StoredRun) -> Iterator[str]:
    """
    Yield the page, piece by piece: what it holds of a large organization is never in memory at once.
    """
    templates = find_resource("report_templates")
    styles = [
        _read_grid("html/dt_bundle.css"),
        _read_template(templates / "page.css"),
        _write_print_style(run),
    ]
    scripts = [_read_grid("html/dt_bundle.js"), _read_template(templates / "page.js")]
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    content = build_content(run) | {
        "policy": _write_policy(scripts, styles),
        "styles": [_embed(text) for text in styles],
        "scripts": [_embed(text) for text in scripts],
        "licence": _read_licence(),
    }
    yield from environment.get_template("page.html").generate(content)


def _finalize(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return make_visible(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value


def _write_policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """
    Return the content security policy under which exactly these scripts and styles take effect.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {' '.join(map(_hash, styles))}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _embed(text: str) -> Markup:
    """
    Return a script or style that can stand inside its element, or raise `RenderError`: it could end it early.
    """
    if _ENDS_ELEMENT.search(text) or "\r" in text or "\0" in text:
        raise RenderError(
            f"the page: a script or style cannot stand inside it; is the package {_GRID} whole?"
        )
    return Markup(text)  # noqa: S704 - ours, or a package's, and never a name from AWS


def _read_template(path: Path) -> str:
    return read_file(path).decode()


def _read_grid(name: str) -> str:
    """
    Return a file of the grid's package, which is not imported for it: that takes a second.
    """
    try:
        path = Path(str(distribution(_GRID).locate_file(f"{_GRID}/{name}")))
        return path.read_bytes().decode()
    except (PackageNotFoundError, OSError, UnicodeDecodeError) as exc:
        raise RenderError(
            f"the page: the package {_GRID} lacks {name}; install orgproof again"
        ) from exc


def _read_licence() -> list[str]:
    """
    Return the paragraphs of the licence of the grid's package, which goes with every copy. The bundle itself holds the others' notices.
    """
    package = distribution(_GRID)
    text = package.read_text("licenses/LICENSE")
    if text is None:
        raise RenderError(
            f"the page: the package {_GRID} lacks its licence; install orgproof again"
        )
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _write_print_style(run: StoredRun) -> str:
    """
    Return what stands in the margins of each printed page: the notices, the run and its seal. No name is among it.
    """
    summary = run.summary
    labels = ", ".join(notice.label for notice in list_notices(summary))
    title = f"orgproof, run {summary.run_id}, {summary.period}"
    boxes = {
        "top-left": _quote(title),
        "top-right": _quote(labels),
        "bottom-left": _quote(f"Seal {run.manifest_sha256}"),
        "bottom-right": '"Page " counter(page) " of " counter(pages)',
    }
    rules = "".join(f"@{place} {{ content: {text}; }}" for place, text in boxes.items())
    return f"@page {{ {rules} }}"


def _quote(text: str) -> str:
    # run_id comes from summary.json, which somebody may have edited: nothing ends the string or the element.
    return '"{}"'.format(re.sub(r"[^A-Za-z0-9 .,:_-]", "?", text))
